//! A server that has no file descriptor left goes on with those that it has, and recovers by itself.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::tempdir;

use crate::support::client::PASSWORD;
use crate::support::process::Process;

fn open_descriptors(process: &Process) -> u64 {
    std::fs::read_dir(format!("/proc/{}/fd", process.child.id())).unwrap().count() as u64
}

fn limit_descriptors(process: &Process, count: u64) {
    let limit = format!("--nofile={count}:");
    let limited = Command::new("prlimit").args(["--pid", &process.child.id().to_string(), &limit]).status().unwrap();
    assert!(limited.success());
}

/// Connections that take every descriptor that is left.
async fn take_all(process: &Process) -> Vec<TcpStream> {
    let address = process.url.strip_prefix("http://").unwrap();
    let taken = (0..30).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (started, mut last) = (Instant::now(), 0);
    while open_descriptors(process) != last {
        assert!(started.elapsed() < Duration::from_secs(20), "it takes more and more");
        last = open_descriptors(process);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    taken
}

#[tokio::test]
async fn editors_at_work_go_on_and_everything_else_comes_back() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let (desk, other) = (process.stranger().create_as("desk").await, process.stranger().create_as("desk").await);
    let process = process.crash_and_restart();
    let (desk, other) = (desk.at(&process.url), other.at(&process.url));
    assert_eq!(desk.set("lot", json!(1)).await, 1);
    // The other client has a connection, and its meet is not open: the look at the start closes it again.
    other.get("/health/live").await.expect(200);
    let mut stream = desk.events("after=now").await;
    stream.expect("hello").await;
    desk.get("/health/live").await.expect(200);

    limit_descriptors(&process, open_descriptors(&process) + 8);
    let taken = take_all(&process).await;
    for n in 2..=20 {
        assert_eq!(desk.set("lot", json!(n)).await, n, "an open log needs no new descriptor");
    }
    assert_eq!(stream.entries_until(20).await.len(), 19);
    let reply = other.get(&other.of_meet("/state")).await;
    assert!(!reply.header("retry-after").is_empty());
    reply.problem(503, "storage-failed");
    // A login must not be told before it is on disk.
    let login = json!({"password": PASSWORD, "locationName": "platform 1"});
    desk.post(&desk.of_meet("/sessions"), &login).await.problem(503, "storage-failed");

    drop(taken);
    let started = Instant::now();
    while other.get(&other.of_meet("/state")).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.stranger().get("/health/live").await.expect(200);
    assert_eq!(desk.rejoin().await.set("lot", json!(21)).await, 21);
    assert_eq!(other.set("lot", json!(1)).await, 1);
}
