//! A long meet after a clean stop: open at once, and as it was.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::Client;
use crate::support::process::Process;

/// More than a checkpoint is left for, and more than is read of the log with it.
const ENTRIES: u64 = 2_000;

async fn fill(client: &Client) {
    for first in (0..ENTRIES).step_by(100) {
        let updates: Vec<Value> = (first..first + 100)
            .map(|n| json!({"updateKey": format!("entries[{}].note", n % 40), "updateValue": n, "localSeqNum": n}))
            .collect();
        client.push(json!(updates)).await.expect(200);
    }
}

fn checkpoint(folder: &Path, meet: &str) -> PathBuf {
    folder.join("data/current-meets").join(meet).join("checkpoint.json")
}

async fn all(client: &Client) -> Vec<Value> {
    client.pull(0).await["updatesRelayed"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_long_meet_is_the_same_after_a_clean_stop_a_crash_and_another_stop() {
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let mut desk = process.stranger().create_as("desk").await;
    let viewer = desk.viewer().await;
    fill(&desk).await;
    let (mut state, mut log) = (desk.state().await, all(&desk).await);
    for (round, crashes) in [false, true, false, false].into_iter().enumerate() {
        process = if crashes {
            process.crash_and_restart()
        } else {
            let folder = process.stop();
            assert!(checkpoint(&folder, &desk.meet).exists());
            Process::start(&folder)
        };
        desk = desk.at(&process.url);
        assert_eq!(desk.state().await, state);
        assert_eq!(viewer.at(&process.url).state().await["stateHash"], state["stateHash"], "nothing in it is private");
        let cursor = state["cursor"].as_str().unwrap();
        assert_eq!(desk.pull(cursor).await["updatesRelayed"], json!([]));
        let mut stream = desk.events(&format!("after={}", log[log.len() - 5]["serverSeqNum"])).await;
        stream.expect("hello").await;
        assert_eq!(stream.entries_until(log.len() as u64).await, log[log.len() - 4..]);
        let early = desk.get(&desk.of_meet("/state?at=100")).await.expect(200);
        assert_eq!(early["serverSeqNum"], 100);
        desk.get(&desk.of_meet("/updates?after=7-00000000")).await.problem(409, "history-changed");
        let again = json!([{"updateKey": "entries[7].note", "updateValue": 7, "localSeqNum": 7}]);
        assert_eq!(desk.push(again).await.expect(200)["updateAcks"][0], json!({"localSeqNum": 7, "serverSeqNum": 8, "duplicate": true}));
        assert_eq!(desk.set("round", json!(round)).await, log.len() as u64 + 1);
        assert_eq!(all(&desk).await[..log.len()], log);
        (state, log) = (desk.state().await, all(&desk).await);
    }
}

/// It was sealed before, so at first readers see what was there.
#[tokio::test]
async fn damage_behind_a_checkpoint_is_named_at_the_start_and_stops_writing() {
    let home = tempdir().unwrap();
    let process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    fill(&desk).await;
    let folder = process.stop();
    let path = folder.join("data/current-meets").join(&desk.meet).join("updates.json.log");
    let mut log = fs::read(&path).unwrap();
    let start = log.split_inclusive(|&byte| byte == b'\n').take(301).map(<[u8]>::len).sum::<usize>();
    log[start + 30] ^= 1;
    fs::write(&path, &log).unwrap();

    let process = Process::start(&folder);
    let desk = desk.at(&process.url);
    let mut refused = desk.push(json!([{"updateKey": "a", "updateValue": 1}])).await;
    if refused.json["code"] == "recovering" {
        refused = desk.push(json!([{"updateKey": "a", "updateValue": 1}])).await;
    }
    refused.problem(503, "storage-failed");
    assert_eq!(desk.state().await["serverSeqNum"], 300);
    let info = desk.get(&desk.of_meet("")).await.expect(200);
    assert_eq!(info["readOnly"], json!({"reason": "damage", "neededServerSeqNum": ENTRIES}));
    let scrape = process.stranger().get("/metrics").await.text;
    assert!(scrape.contains("liftrelay_meets_read_only{reason=\"damage\"} 1"), "{scrape}");
    assert_eq!(fs::read(&path).unwrap(), log);
    let folder = process.stop();
    assert!(!checkpoint(&folder, &desk.meet).exists());
}
