//! SIGHUP: what changes at once, what waits for a restart, and what a broken file does.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::support::process::Process;
use crate::support::tls::Identity;

const ORIGIN: &str = "https://openlifter.example.org";

struct Configured {
    folder: TempDir,
    file: PathBuf,
}

impl Configured {
    fn new(toml: &str) -> Configured {
        let folder = tempdir().unwrap();
        let file = folder.path().join("liftrelay.toml");
        fs::write(&file, toml).unwrap();
        Configured { folder, file }
    }

    fn write(&self, toml: &str) {
        fs::write(&self.file, toml).unwrap();
    }

    fn start(&self) -> Process {
        Process::start_with(self.folder.path(), &["--config", &self.file.display().to_string()])
    }
}

#[tokio::test]
async fn a_reload_applies_what_it_can_and_names_the_rest() {
    let configured = Configured::new("create-key = \"first\"\n");
    let process = configured.start();
    let stranger = process.stranger();
    let desk = stranger.with_token("first").create_as("desk").await;
    let mut events = desk.events("after=0").await;
    events.expect("hello").await;
    configured.write(&format!(
        "create-key = \"second\"\nallow-origin = [\"{ORIGIN}\"]\ntrusted-proxy = [\"127.0.0.1\"]\nfailed-logins-per-meet = 1\n\
         max-connections = 40\nlog = \"json\"\ndata-dir = \"/nowhere\"\n"
    ));
    let told = process.reload();
    for name in ["create-key", "allow-origin", "trusted-proxy", "failed-logins-per-meet", "max-connections"] {
        assert!(told.contains(name), "{name} is missing in\n{told}");
    }
    assert!(!told.contains("second"), "secrets are not told: {told}");
    stranger.with_token("second").create_as("desk").await;
    stranger.with_token("first").post("/v1/meets", &crate::support::Client::creation("desk")).await.problem(401, "invalid-session");
    let reply = desk.send(desk.request(reqwest::Method::GET, &desk.of_meet("")).header("origin", ORIGIN)).await;
    assert_eq!(reply.header("access-control-allow-origin"), ORIGIN);
    let wrong = json!({"password": "a wrong password", "locationName": "desk"});
    let from = async |address: &str| {
        let request = stranger.request(reqwest::Method::POST, &desk.of_meet("/sessions")).header("x-forwarded-for", address);
        stranger.send(request.json(&wrong)).await.status.as_u16()
    };
    assert_eq!((from("192.0.2.1").await, from("192.0.2.1").await, from("192.0.2.2").await), (403, 429, 403));
    desk.set("meet.name", json!("still there")).await;
    events.entries_until(1).await;
    process.signal("TERM");
    let (_, _, stderr) = process.wait();
    let warned = stderr.lines().find(|line| line.contains("need a restart")).unwrap_or_else(|| panic!("{stderr}"));
    // The folder is given by a flag, which the file cannot change.
    assert!(warned.contains("log") && !warned.contains("data-dir") && !warned.contains("create-key"), "{warned}");
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_named() {
    let configured = Configured::new("create-key = \"first\"\n");
    let process = configured.start();
    for broken in ["create-key = ", "crate-key = \"x\"", "allow-origin = [\"*\"]", "max-connections = 0", "tls-cert = \"x\""] {
        configured.write(broken);
        let told = process.reload();
        assert!(told.contains("nothing was changed"), "{broken}: {told}");
        assert!(told.contains("liftrelay.toml") || broken.contains("tls"), "{broken}: {told}");
    }
    fs::remove_file(&configured.file).unwrap();
    assert!(process.reload().contains("liftrelay.toml"));
    process.stranger().with_token("first").create_as("desk").await;
    configured.write("");
    assert!(process.reload().contains("create-key"));
    process.stranger().create_as("desk").await;
    assert!(process.reload().contains("nothing has changed"));
}

#[tokio::test]
async fn certificates_are_reloaded_and_a_bad_one_keeps_the_old() {
    let mut identity = Identity::new();
    let folder = tempdir().unwrap();
    let (certificate, key) = (identity.certificate_file().display().to_string(), identity.key_file().display().to_string());
    let process = Process::start_with(folder.path(), &["--tls-cert", &certificate, "--tls-key", &key]);
    let desk = identity.client(&process.url).create_as("desk").await;
    let mut events = desk.events("after=0").await;
    events.expect("hello").await;
    identity.renew();
    process.reload();
    identity.client(&process.url).get("/health/live").await.expect(200);
    fs::write(&certificate, "half a certif").unwrap();
    let told = process.reload();
    assert!(told.contains("the old one stays") && told.contains("cert.pem"), "{told}");
    assert!(told.contains("but not the certificate") && !told.contains("nothing has changed"), "{told}");
    identity.client(&process.url).get("/health/live").await.expect(200);
    desk.set("meet.name", json!("still there")).await;
    events.entries_until(1).await;
}

/// TLS comes with a restart; that is one thing to be told, not two.
#[test]
fn tls_for_a_plain_server_waits_for_a_restart() {
    let identity = Identity::new();
    let configured = Configured::new("");
    let process = configured.start();
    configured.write(&format!("tls-cert = {:?}\ntls-key = {:?}\n", identity.certificate_file(), identity.key_file()));
    assert!(process.reload().contains("nothing has changed"));
    configured.write("");
    assert!(process.reload().contains("nothing has changed"));
    process.signal("TERM");
    let (_, _, stderr) = process.wait();
    let warned: Vec<_> = stderr.lines().filter(|line| line.contains("tls-")).collect();
    assert!(warned.len() == 1 && warned[0].contains("tls-cert, tls-key") && warned[0].contains("need a restart"), "{stderr}");
}

/// Without a file there is nothing to read again, and no reason to end either.
#[tokio::test]
async fn a_server_without_a_file_survives_sighup() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    assert!(process.reload().contains("nothing has changed"));
    process.stranger().create_as("desk").await;
}
