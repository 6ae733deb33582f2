//! `liftrelay doctor`: what it finds, and how a script is told.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;
use tempfile::tempdir;

use crate::support::address::free_address;
use crate::support::client::PASSWORD;
use crate::support::process::{Process, liftrelay, run};

fn doctor(url: &str) -> Command {
    let mut command = liftrelay();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command.args(["doctor", url, "--hold", "5"]);
    command
}

#[tokio::test]
async fn a_clear_way_is_climbed_to_the_top() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let (code, out, err) =
        run(doctor(&process.url).args(["--json", "--meet", &desk.meet]).env("LIFTRELAY_TOKEN", &desk.viewer().await.token));
    assert_eq!(code, 0, "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["diagnosis"]["using"], "socket", "{report:#}");
    assert_eq!(report["diagnosis"]["findings"][0]["symptom"], "clear", "{report:#}");
    let probes: Vec<_> = report["evidence"]["sights"].as_array().unwrap().iter().map(|sight| sight["probe"]["rung"].as_str()).collect();
    for rung in ["short-poll", "long-poll", "ndjson", "sse", "socket"] {
        assert!(probes.contains(&Some(rung)), "{rung} was not tried: {probes:?}");
    }
}

#[test]
fn the_demo_is_read_where_one_runs() {
    let folder = tempdir().unwrap();
    let process = Process::start_with(folder.path(), &["--demo"]);
    let (code, out, err) = run(&mut doctor(&process.url));
    assert_eq!((code, out.as_str()), (0, "nothing in between shows itself; using WebSocket\n"), "{err}");
}

#[test]
fn without_a_meet_it_says_what_it_could_not_try() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let (code, out, _) = run(&mut doctor(&process.url));
    assert!(code == 0 && out.contains("without a meet"), "{code}: {out}");
}

#[test]
fn nobody_there_is_unreachable() {
    let (code, out, _) = run(&mut doctor(&format!("http://{}", free_address())));
    assert!(code == 3 && out.contains("refused"), "{code}: {out}");
}

#[tokio::test]
async fn a_token_that_opens_nothing_is_not_authorised_and_not_shown() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let (code, out, err) = run(doctor(&process.url).args(["--meet", &desk.meet]).env("LIFTRELAY_TOKEN", PASSWORD));
    assert!(code == 4 && out.contains("opens no meet"), "{code}: {out}{err}");
    assert!(!format!("{out}{err}").contains(PASSWORD));
}

/// A login page, as hotels have it.
#[test]
fn another_program_at_the_address_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let portal = std::thread::spawn(move || {
        let (mut guest, _) = listener.accept().unwrap();
        let _ = guest.read(&mut [0; 4096]);
        let page = "<html>Welcome to our hotel</html>";
        let _ = write!(guest, "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    });
    let (code, out, _) = run(&mut doctor(&url));
    portal.join().unwrap();
    assert!(code == 1 && out.contains("text/html") && out.contains("login page"), "{code}: {out}");
}

#[test]
fn a_meet_without_a_token_is_a_mistake_of_usage() {
    let (code, _, err) = run(doctor("http://127.0.0.1:1").args(["--meet", "123-456-789"]));
    assert!(code == 2 && err.contains("LIFTRELAY_TOKEN"), "{code}: {err}");
}
