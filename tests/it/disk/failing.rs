//! Writes and syncs that fail while the server runs.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::tempdir;

use super::Disk;
use crate::support::Client;
use crate::support::process::{liftrelay, run};

fn update(n: u64) -> serde_json::Value {
    json!([{"updateKey": "lot", "updateValue": n, "localSeqNum": n}])
}

/// Sends an update until it is taken; gives its number.
async fn push_until_taken(client: &Client, n: u64) -> u64 {
    let started = Instant::now();
    loop {
        let reply = client.push(update(n)).await;
        if reply.status == 200 {
            return reply.json["updateAcks"][0]["serverSeqNum"].as_u64().unwrap();
        }
        reply.problem(503, "storage-failed");
        assert!(started.elapsed() < Duration::from_secs(20), "writing does not resume");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn whatever_fails_nothing_acked_is_lost_and_writing_resumes_by_itself() {
    for mode in ["eio-write", "torn", "enospc", "eio-sync"] {
        let home = tempdir().unwrap();
        let disk = Disk::new(home.path());
        let process = disk.start(&[]);
        let desk = process.stranger().create_as("desk").await;
        let mut stream = desk.events("after=0").await;
        stream.expect("hello").await;
        for n in 1..=3 {
            assert_eq!(push_until_taken(&desk, n).await, n);
        }
        stream.entries_until(3).await;
        disk.set(mode);
        desk.push(update(4)).await.problem(503, "storage-failed");
        assert_eq!(desk.state().await["serverSeqNum"], 3, "{mode}: reads go on, and show what is durable");
        desk.push(update(5)).await.problem(503, "storage-failed");
        disk.set("");
        // What a failed sync kept after all is in the log, and a resend finds it there.
        let number = push_until_taken(&desk, 4).await;
        assert_eq!(number, 4, "{mode}");
        assert_eq!(push_until_taken(&desk, 5).await, 5, "{mode}");
        let entries = stream.entries_until(5).await;
        assert_eq!(entries.iter().map(|entry| entry["updateValue"].as_u64().unwrap()).collect::<Vec<_>>(), [4, 5], "{mode}");
        let process = process.crash_and_restart();
        let desk = desk.at(&process.url);
        assert_eq!(desk.pull(0).await["updatesRelayed"].as_array().unwrap().len(), 5, "{mode}");
        let again = desk.push(update(4)).await.expect(200);
        assert_eq!(again["updateAcks"], json!([{"localSeqNum": 4, "serverSeqNum": 4, "duplicate": true}]));
        process.stop();
        let (code, out, _) = run(liftrelay().args(["verify", "--data-dir"]).arg(home.path().join("data")));
        assert_eq!(code, 0, "{mode}: {out}");
    }
}

/// A write that takes only a part is no failure.
#[tokio::test]
async fn short_writes_are_continued() {
    let home = tempdir().unwrap();
    let disk = Disk::new(home.path());
    let process = disk.start(&[]);
    let desk = process.stranger().create_as("desk").await;
    disk.set("short");
    for n in 1..=5 {
        desk.push(update(n)).await.expect(200);
    }
    disk.set("");
    let process = process.crash_and_restart();
    assert_eq!(desk.at(&process.url).state().await["state"]["lot"], 5);
}

/// A login that is not on the disk must not be told.
#[tokio::test]
async fn logins_and_meets_that_cannot_be_stored_are_refused() {
    let home = tempdir().unwrap();
    let disk = Disk::new(home.path());
    let process = disk.start(&[]);
    let desk = process.stranger().create_as("desk").await;
    for mode in ["eio-write", "enospc", "eio-sync"] {
        disk.set(mode);
        let login = json!({"password": crate::support::client::PASSWORD, "locationName": "platform 1"});
        desk.post(&desk.of_meet("/sessions"), &login).await.problem(503, "storage-failed");
        desk.post(&desk.of_meet("/view-keys"), &json!({"label": "overlay"})).await.problem(503, "storage-failed");
        process.stranger().post("/v1/meets", &Client::creation("desk")).await.problem(503, "storage-failed");
        disk.set("");
        let keys = desk.get(&desk.of_meet("/view-keys")).await.expect(200);
        assert_eq!(keys["viewKeys"], json!([]), "{mode}: {keys}");
        desk.join("platform 1").await.set("lot", json!(mode)).await;
    }
}
