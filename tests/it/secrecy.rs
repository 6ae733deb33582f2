//! What is secret is told to nobody, not even by errors and the most talkative log.

use std::fs;
use std::process::Command;

use serde_json::json;
use tempfile::tempdir;

use crate::support::client::PASSWORD;
use crate::support::process::{Process, liftrelay, run};
use crate::support::socket::Socket;

const SECRET: &str = "opensesame-4711";

/// The line with the error may be the one with the secret, and stderr goes to journals.
#[test]
fn errors_in_the_file_say_where_and_show_no_line() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("liftrelay.toml");
    let wrong = [
        (format!("listen = \":0\"\ncreate-key = \"{SECRET}\n"), "line 2"),
        (format!("create-key = {SECRET}\n"), "line 1"),
        (format!("create-key = [\"{SECRET}\"]\n"), "create-key"),
        (format!("crate-key = \"{SECRET}\"\n"), "crate-key"),
        (format!("create-key \"{SECRET}\"\n"), "line 1"),
        (format!("publish-to = \"ftp://me:{SECRET}@example.org\"\n"), "publish-to"),
        (format!("publish-to = \"https://me:{SECRET}@exa mple.org\"\n"), "publish-to"),
        (format!("publish-to = \"me:{SECRET}@example.org?from=https://example.org\"\n"), "publish-to"),
        (format!("\n  publish-to = \"https://me:{SECRET}@example.org\n"), "line 2, column"),
        ("create-key = 4711\n".to_owned(), "text in quotes"),
    ];
    for (text, hint) in wrong {
        fs::write(&file, &text).unwrap();
        let (code, _, stderr) = run(liftrelay().args(["serve", "--config"]).arg(&file));
        assert_eq!(code, 2, "{text}: {stderr}");
        assert!(stderr.contains("liftrelay.toml, line ") && stderr.contains(hint), "{text}: {stderr}");
        assert!(!stderr.contains("4711"), "{text}: {stderr}");
    }
}

#[test]
fn errors_in_flags_and_environment_show_no_secret() {
    let wrong = [format!("ftp://me:{SECRET}@example.org"), format!("https://me:{SECRET}@exa mple.org"), format!("example.org/?t={SECRET}")];
    for value in &wrong {
        let (mut by_environment, mut by_flag) = (liftrelay(), liftrelay());
        by_environment.env("LIFTRELAY_PUBLISH_TO", value).arg("serve");
        by_flag.args(["serve", "--publish-to", value]);
        for mut command in [by_environment, by_flag] {
            let (code, _, stderr) = run(&mut command);
            assert_eq!(code, 2, "{stderr}");
            assert!(stderr.contains("--publish-to") && stderr.contains("a destination is a folder"), "{stderr}");
            assert!(!stderr.contains(SECRET), "{stderr}");
        }
    }
}

/// Libraries would write whole messages.
#[tokio::test]
async fn the_most_talkative_log_holds_no_password_and_no_token() {
    for level in ["trace", "tungstenite::protocol=trace,hyper=trace,h2=trace,info"] {
        let folder = tempdir().unwrap();
        // Into a file, for a pipe that nobody reads fills up.
        let stderr = folder.path().join("stderr");
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 2> \"$0\""]).arg(&stderr).arg(liftrelay().get_program());
        command.env("RUST_LOG", level).env("LIFTRELAY_CREATE_KEY", SECRET);
        let process = Process::launch(folder.path(), command, &[]);
        let desk = process.stranger().with_token(SECRET).create_as("desk").await;
        let mut socket = Socket::open(&process.url).await;
        let joined =
            socket.ask(&json!({"msgType": "JOIN_MEET", "meetId": desk.meet, "password": PASSWORD, "locationName": "platform 1"})).await;
        let token = joined["sessionToken"].as_str().unwrap().to_owned();
        process.stop();
        let log = fs::read_to_string(&stderr).unwrap() + &fs::read_to_string(folder.path().join("data/diag.log")).unwrap();
        assert!(log.contains("joined"), "{log}");
        for secret in [SECRET, PASSWORD, &token, &desk.token] {
            assert!(!log.contains(secret), "{level}: {secret} is in the log");
        }
    }
}
