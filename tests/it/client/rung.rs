//! `liftrelay run` remembers which way to the server worked.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::time::sleep;

use super::hall::{Hall, Manners};
use crate::support::TestServer;
use crate::support::client::PASSWORD;
use crate::support::process::liftrelay;

/// Longer than any climb, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that goes on until it is dropped.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Running {
        Running(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE);
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_carried_the_last_time_is_tried_first() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let hall = Hall::before(&server.url, Manners { lets_streams_through: true, ..Manners::default() }).await;
    let folder = tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    let (replica, rung) = (folder.path().join("desk.replica"), folder.path().join("desk.replica.rung"));
    let start = || {
        let mut command = liftrelay();
        command.arg("run").arg(&replica).args(["--server", &hall.url, "--meet", &desk.meet, "--location", "desk", "--password-file"]);
        Running::start(command.arg(&password))
    };
    let first_stream = || until(|| hall.asked().into_iter().find(|path| path.ends_with("/socket") || path.ends_with("/events")));

    let running = start();
    assert_eq!(first_stream().await, "/v1/socket", "the best one comes first where nothing is known");
    let kept = || serde_json::from_slice::<Value>(&fs::read(&rung).ok()?).ok();
    let started = Instant::now();
    // What carries shows with what it brings; a heartbeat would do, but takes its time.
    while kept().is_none() && started.elapsed() < PATIENCE {
        desk.set("lot", json!(1)).await;
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(kept().unwrap(), "sse");
    drop(running);
    hall.asked();

    let _running = start();
    assert!(first_stream().await.ends_with("/events"));
}
