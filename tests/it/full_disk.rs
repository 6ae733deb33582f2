//! `GET /health/ready` where the data folder cannot be written: a real file system of the test's own, full or read-only.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::tempdir;

use crate::support::process::{Process, liftrelay};
use crate::support::{Client, TestServer};

#[tokio::test]
async fn a_store_that_cannot_be_written_is_not_ready() {
    let (server, disk) = TestServer::in_memory().await;
    let stranger = server.stranger();
    stranger.get("/health/ready").await.expect(200);
    disk.fail_documents(true);
    ready(&stranger, false).await;
    stranger.get("/health/live").await.expect(200);
    disk.fail_documents(false);
    ready(&stranger, true).await;
}

/// Waits until the server says so: what it found a second ago still counts.
async fn ready(stranger: &Client, wanted: bool) {
    let started = Instant::now();
    loop {
        let reply = stranger.get("/health/ready").await;
        if reply.status.is_success() == wanted {
            if !wanted {
                assert_eq!(reply.header("retry-after"), "30");
                let problem = reply.problem(503, "storage-failed");
                assert!(!problem["detail"].as_str().unwrap().contains('/'), "no path is told: {problem}");
            }
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{}", reply.text);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A server whose data folder is a file system of one mebibyte, which only it and its children see.
fn on_a_small_disk(folder: &Path) -> Process {
    std::fs::create_dir(folder.join("data")).unwrap();
    let mut command = Command::new("unshare");
    command.args([
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs -o size=1m,mode=0700 tmpfs \"$1\" && shift && exec \"$@\"",
        "sh",
    ]);
    command.arg(folder.join("data")).arg(liftrelay().get_program());
    Process::launch(folder, command, &[])
}

/// The server's view of its data folder.
fn seen_by(process: &Process) -> PathBuf {
    let data = process.folder.join("data");
    Path::new("/proc").join(process.child.id().to_string()).join("root").join(data.strip_prefix("/").unwrap())
}

fn has_namespaces() -> bool {
    let tried = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output();
    let has = tried.is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("this system lets nobody mount a file system of their own, so none was filled");
    }
    has
}

#[tokio::test]
async fn a_full_disk_is_not_ready_and_is_again_when_there_is_space() {
    if !has_namespaces() {
        return;
    }
    let folder = tempdir().unwrap();
    let process = on_a_small_disk(folder.path());
    let desk = process.stranger().create_as("desk").await;
    ready(&desk, true).await;
    let ballast = seen_by(&process).join("ballast");
    std::fs::write(&ballast, vec![0; 2 * 1024 * 1024]).expect_err("it does not fit");
    ready(&desk, false).await;
    desk.push(json!([{"updateKey": "a", "updateValue": "x".repeat(9000)}])).await.problem(503, "storage-failed");
    desk.state().await;
    std::fs::remove_file(&ballast).unwrap();
    ready(&desk, true).await;
    let started = Instant::now();
    while desk.push(json!([{"updateKey": "a", "updateValue": 1}])).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "writing does not resume");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.stop();
}

#[tokio::test]
async fn a_folder_that_became_read_only_is_not_ready() {
    if !has_namespaces() {
        return;
    }
    let folder = tempdir().unwrap();
    let process = on_a_small_disk(folder.path());
    let stranger = process.stranger();
    ready(&stranger, true).await;
    let run = |script: &str| {
        let pid = process.child.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid, "--user", "--mount", "--preserve-credentials", "sh", "-ec", script, "sh"]);
        assert!(command.arg(folder.path().join("data")).status().unwrap().success(), "{script}");
    };
    // Files that are open for writing keep a mount writable; one on top of it can be read-only from the start.
    run("mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"");
    ready(&stranger, false).await;
    run("umount \"$1\"");
    ready(&stranger, true).await;
}
