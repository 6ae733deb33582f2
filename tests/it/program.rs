//! The program as its operator meets it: flags, files, words, exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::process::{Process, liftrelay, run};
use crate::support::stream::Events;

fn help(arguments: &[&str]) -> String {
    let (code, out, stderr) = run(liftrelay().args(arguments));
    assert_eq!((code, stderr.as_str()), (0, ""));
    out
}

#[test]
fn help_says_what_there_is() {
    let out = help(&["--help"]);
    assert!(out.contains("powerlifting") && out.contains("serve") && out.contains("verify"), "{out}");
    let out = help(&["serve", "--help"]);
    for text in [
        "127.0.0.1:8455",
        "./liftrelay-data",
        "LIFTRELAY_LISTEN",
        "--server-key-file",
        "Keep a copy",
        "--demo",
        "--config",
        "[default: always]",
    ] {
        assert!(out.contains(text), "{text} is missing in\n{out}");
    }
    let out = help(&["verify", "--help"]);
    assert!(out.contains("--data-dir") && out.contains("[MEET]..."), "{out}");
    assert!(help(&["--version"]).starts_with("liftrelay "));
}

#[test]
fn the_program_carries_its_contract_and_its_completions() {
    assert_eq!(help(&["openapi"]).trim_end(), include_str!("../../openapi.yaml").trim_end());
    for (shell, words) in [("bash", "complete -F"), ("zsh", "#compdef liftrelay"), ("fish", "complete -c liftrelay")] {
        let script = help(&["completions", shell]);
        assert!(script.contains(words) && script.contains("verify"), "{shell}: {}", &script[..200]);
    }
}

/// What is set in the environment may be a secret, and help is pasted into mails.
#[test]
fn help_shows_no_create_key() {
    let (_, out, _) = run(liftrelay().args(["serve", "--help"]).env("LIFTRELAY_CREATE_KEY", "TheOperatorsSecretKey"));
    assert!(out.contains("LIFTRELAY_CREATE_KEY") && !out.contains("TheOperatorsSecretKey"), "{out}");
}

#[test]
fn wrong_usage_exits_2_and_says_what_would_be_right() {
    let wrong = [
        (&[][..], "Usage"),
        (&["sevre"], "serve"),
        (&["serve", "--lisen", ":0"], "--listen"),
        (&["serve", "--listen", "8455"], "127.0.0.1:8455"),
        (&["serve", "--fsync", "sometimes"], "always"),
        (&["serve", "--trusted-proxy", "everyone"], "10.0.0.0/8"),
        (&["serve", "--demo-speed", "0"], "1..=10000"),
        (&["serve", "--log", "xml"], "json"),
        (&["serve", "--config", "/no/such/file.toml"], "/no/such/file.toml"),
        (&["verify", "12345"], "nine digits"),
    ];
    for (arguments, hint) in wrong {
        let (code, out, stderr) = run(liftrelay().args(arguments));
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(hint), "{arguments:?}: {stderr}");
    }
}

/// The greeting shows the data folder, which the flag, the environment and the file each want elsewhere.
#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let folder = tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let config = place("liftrelay.toml");
    let toml = format!("listen = \":0\"\ndata-dir = {:?}\nready-file = {:?}\n", place("from-file"), place("ready"));
    fs::write(&config, toml).unwrap();
    let serve = |environment: Option<&Path>, flag: Option<&Path>| {
        let mut command = liftrelay();
        command.args(["serve", "--config"]).arg(&config);
        if let Some(path) = environment {
            command.env("LIFTRELAY_DATA_DIR", path);
        }
        if let Some(path) = flag {
            command.arg("--data-dir").arg(path);
        }
        let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let _ = fs::remove_file(place("ready"));
        while !place("ready").exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    };
    let made = || ["from-file", "from-environment", "from-flag"].map(|name| place(name).exists());
    serve(None, None);
    assert_eq!(made(), [true, false, false]);
    serve(Some(&place("from-environment")), None);
    assert_eq!(made(), [true, true, false]);
    fs::remove_dir_all(place("from-environment")).unwrap();
    serve(Some(&place("from-environment")), Some(&place("from-flag")));
    assert_eq!(made(), [true, false, true]);
}

#[test]
fn a_typing_error_in_the_file_is_named() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("liftrelay.toml");
    for (text, hint) in
        [("lisen = \":0\"", "lisen"), ("listen = 8455", "listen"), ("log = \"xml\"", "json"), ("listen = ", "liftrelay.toml")]
    {
        fs::write(&config, text).unwrap();
        let (code, _, stderr) = run(liftrelay().args(["serve", "--config"]).arg(&config));
        assert_eq!(code, 2, "{text}: {stderr}");
        assert!(stderr.contains(hint) && stderr.contains("liftrelay.toml"), "{text}: {stderr}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_and_exits_1() {
    let folder = tempdir().unwrap();
    let first = Process::start(folder.path());
    let address = first.url.trim_start_matches("http://").to_owned();
    let other = folder.path().join("other");
    let (code, out, stderr) = run(liftrelay().args(["serve", "--listen", &address, "--data-dir"]).arg(&other));
    assert_eq!((code, out.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address}")) && stderr.contains("in use"), "{stderr}");
    first.stranger().get("/health/live").await.expect(200);
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_exits_1() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (code, _, stderr) = run(liftrelay().args(["serve", "--listen", ":0", "--data-dir"]).arg(file.join("data")));
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("file/data"), "{stderr}");
}

#[tokio::test]
async fn stdout_is_for_programs_and_stderr_for_people() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    process.stranger().create_as("desk").await;
    let url = process.url.clone();
    assert_eq!(fs::read_to_string(folder.path().join("ready")).unwrap(), format!("{url}\n"));
    process.signal("TERM");
    let (status, stdout, stderr) = process.wait();
    assert!(status.success());
    assert_eq!(stdout, format!("listening on {url}\n"));
    let data = fs::canonicalize(folder.path().join("data")).unwrap();
    for text in
        [&format!("meets are kept in {}", data.display()), &format!("{}.key", data.display()), "keep a copy", "meet created", "stopped"]
    {
        assert!(stderr.contains(text), "{text} is missing in\n{stderr}");
    }
}

#[tokio::test]
async fn every_address_is_printed_when_all_are_listened_on() {
    let folder = tempdir().unwrap();
    let process = Process::start_with(folder.path(), &["--listen", "0.0.0.0:0"]);
    process.stranger().get("/health/live").await.expect(200);
    let port = process.url.rsplit_once(':').unwrap().1.to_owned();
    process.signal("TERM");
    let (_, stdout, stderr) = process.wait();
    assert!(stdout.lines().all(|line| line.starts_with("listening on http://") && line.ends_with(&format!(":{port}"))), "{stdout}");
    assert!(stdout.starts_with(&format!("listening on http://127.0.0.1:{port}\n")), "this machine comes first: {stdout}");
    assert!(stderr.contains("plain HTTP"), "{stderr}");
}

#[tokio::test]
async fn a_log_in_json_is_json_line_by_line() {
    let folder = tempdir().unwrap();
    let process = Process::start_with(folder.path(), &["--log", "json", "--fsync", "never"]);
    let ready = process.stranger().get("/health/ready").await.expect(200);
    assert_eq!(ready["fsync"], "never");
    process.stranger().create_as("desk").await;
    process.signal("TERM");
    let (_, stdout, stderr) = process.wait();
    assert!(stdout.starts_with("listening on http://"), "{stdout}");
    let lines: Vec<Value> =
        stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let told = |text: &str| lines.iter().any(|line| line["message"].as_str().is_some_and(|message| message.contains(text)));
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()), "{stderr}");
    assert!(told("meet created") && told("--fsync never") && told("meets are kept in"), "{stderr}");
}

#[tokio::test]
async fn syncing_is_the_default_and_told() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    assert_eq!(process.stranger().get("/health/ready").await.expect(200)["fsync"], "always");
}

fn modes_below(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        found.push((path.clone(), fs::metadata(&path).unwrap().permissions().mode() & 0o7777));
        if path.is_dir() {
            modes_below(&path, found);
        }
    }
}

#[tokio::test]
async fn files_are_their_owners_whatever_the_umask() {
    for umask in ["000", "277"] {
        let folder = tempdir().unwrap();
        let mut shell = Command::new("sh");
        let program = liftrelay().get_program().to_owned();
        shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(program);
        let process = Process::launch(folder.path(), shell, &["--demo"]);
        let desk = process.stranger().create_as("desk").await;
        desk.join("platform 1").await.viewer().await;
        demo(&process).await;
        let data = folder.path().join("data");
        while !data.join("demo.json").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut found = Vec::new();
        modes_below(&data, &mut found);
        assert!(found.iter().any(|(path, _)| path.ends_with("auth.json")) && found.len() >= 10, "{found:?}");
        for (path, mode) in found {
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "umask {umask}: {}", path.display());
        }
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(data), mode(folder.path().join("data.key"))), (0o700, 0o600), "umask {umask}");
    }
}

/// The demo's current lap, once there is one.
async fn demo(process: &Process) -> Value {
    loop {
        let reply = process.stranger().get("/v1/demo").await;
        if reply.status == 200 {
            return reply.json;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_server_without_a_demo_says_how_to_get_one() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let problem = process.stranger().get("/v1/demo").await.problem(404, "not-found");
    assert!(problem["detail"].as_str().unwrap().contains("--demo"), "{problem}");
}

#[tokio::test]
async fn the_demo_runs_lap_after_lap_and_clears_up_behind_itself() {
    let folder = tempdir().unwrap();
    let arguments = ["--demo", "--demo-speed", "10000", "--fsync", "never"];
    let process = Process::start_with(folder.path(), &arguments);
    let first = demo(&process).await;
    assert_eq!(first["lap"], 1, "{first}");
    let stranger = process.stranger();
    let mut events = Events::open(stranger.request(reqwest::Method::GET, "/demo/events?snapshot=1")).await;
    let hello = events.expect("hello").await;
    assert_eq!((&hello.json["meetId"], &hello.json["role"]), (&first["meetId"], &json!("viewer")));
    events.expect("state").await;
    let mut relayed = 0;
    let end = loop {
        let event = events.next().await;
        match event.name.as_str() {
            "update-relay" => relayed += event.json["updatesRelayed"].as_array().unwrap().len(),
            "end" => break event,
            _ => {}
        }
    };
    assert!(relayed > 300, "{relayed}");
    assert_eq!(end.json["reason"], "revoked");
    assert!(events.try_next().await.is_none());
    let second = demo(&process).await;
    assert_ne!(second["meetId"], first["meetId"]);
    assert!(second["lap"].as_u64() > first["lap"].as_u64(), "{second}");
    stranger.get("/demo/state").await.expect(200);
    let process = process.crash_and_restart();
    let meets = || fs::read_dir(folder.path().join("data/current-meets")).unwrap().count();
    assert!((1..=2).contains(&meets()), "what the last start left stays where no demo runs: one lap, or two as one follows the other");
    drop(process);
    let process = Process::start_with(folder.path(), &["--demo"]);
    let again = demo(&process).await;
    assert_eq!((again["lap"].as_u64(), meets()), (Some(1), 1), "one meet of this start, none of the last");
    assert!(process.meet_folder(&again["meetId"].as_str().unwrap().replace('-', "")).exists());
}

/// A reader that was told of a revoked key would not come back.
#[tokio::test]
async fn readers_of_the_demo_are_told_of_a_shutdown_as_such() {
    let folder = tempdir().unwrap();
    let process = Process::start_with(folder.path(), &["--demo"]);
    demo(&process).await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        let request = process.stranger().request(reqwest::Method::GET, "/demo/events?after=now");
        let mut events = Events::open(request).await;
        events.expect("hello").await;
        streams.push(events);
    }
    process.signal("TERM");
    for events in &mut streams {
        let end = loop {
            let event = events.next().await;
            if event.name == "end" {
                break event;
            }
        };
        assert_eq!(end.json["reason"], "shutdown");
    }
    assert!(process.wait().0.success());
    assert_eq!(fs::read_dir(folder.path().join("data/current-meets")).unwrap().count(), 0, "the demo leaves nothing behind");
}
