//! Power cuts: after a kill, every log of the last server is cut back to what had been synced, or to anywhere between
//! that and what had been written.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::Disk;
use crate::support::Client;
use crate::support::process::Process;
use crate::support::stream::assert_gapless;

const CUTS: u64 = 25;

/// Takes from the log what a power cut may take: all that was not synced (`keep` 0) or a part of it (up to 99 of 100). Where it
/// had taken the place of a reserve, that is there again.
fn cut_power(disk: &Disk, log: &Path, keep: usize) {
    let ledger = fs::read_to_string(disk.ledger()).unwrap_or_default();
    let synced: HashMap<u64, usize> = ledger
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(inode, size)| (inode.parse().unwrap(), size.parse().unwrap()))
        .collect();
    let synced = synced.get(&fs::metadata(log).unwrap().ino()).copied().unwrap_or(0);
    let mut bytes = fs::read(log).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    let left = synced + end.saturating_sub(synced) * keep / 100;
    if end < bytes.len() {
        bytes[left.min(end)..end].fill(b' ');
    } else {
        bytes.truncate(left);
    }
    fs::write(log, bytes).unwrap();
}

/// Pushes pairs of updates for a while; gives the highest number that was acked.
async fn push_for_a_while(client: &Client, next: &mut u64, until: Duration) -> u64 {
    let (started, mut acked) = (std::time::Instant::now(), 0);
    while started.elapsed() < until {
        let update = |n: u64| json!({"updateKey": format!("k{}", n % 7), "updateValue": n, "localSeqNum": n});
        let batch = json!({"updates": [update(*next), update(*next + 1)]});
        *next += 2;
        let request = client.request(Method::POST, &client.of_meet("/updates")).json(&batch);
        let Ok(response) = request.send().await else { break };
        let Ok(reply) = response.json::<Value>().await else { break };
        acked = reply["updateAcks"][1]["serverSeqNum"].as_u64().unwrap();
    }
    acked
}

fn kill(process: &mut Process) {
    process.child.kill().unwrap();
    process.child.wait().unwrap();
}

#[tokio::test]
async fn what_was_acked_survives_power_cuts() {
    let home = tempdir().unwrap();
    let disk = Disk::new(home.path());
    let mut process = disk.start(&[]);
    let desk = process.stranger().create_as("desk").await;
    let (log, mut next) = (process.meet_folder(&desk.meet).join("updates.json.log"), 1);
    for cut in 0..CUTS {
        let client = desk.at(&process.url);
        let pushing = push_for_a_while(&client, &mut next, Duration::from_millis(10 + cut % 7));
        let acked = pushing.await;
        // One more is on its way when the power goes.
        let on_its_way = client.request(Method::POST, &client.of_meet("/updates"));
        let batch = json!({"updates": [{"updateKey": "last", "updateValue": cut, "localSeqNum": next}]});
        next += 1;
        let sending = tokio::spawn(on_its_way.json(&batch).send());
        tokio::time::sleep(Duration::from_micros(200 * (cut % 5))).await;
        kill(&mut process);
        let _ = sending.await;
        cut_power(&disk, &log, cut as usize * 4 % 100);
        process = disk.start(&[]);
        let page = desk.at(&process.url).pull(0).await;
        let entries = page["updatesRelayed"].as_array().unwrap();
        assert_gapless(entries, 1);
        assert!(entries.len() as u64 >= acked, "cut {cut}: {} of {acked} acked updates are left", entries.len());
        assert!(desk.at(&process.url).get(&desk.of_meet("")).await.expect(200)["readOnly"].is_null(), "a crash is no damage");
    }
    assert!(next > 3 * CUTS, "hardly anything was written: {next}");
}

/// The control: the same cuts do lose where nothing is synced, so the test above can fail.
#[tokio::test]
async fn without_syncs_the_same_cuts_do_lose() {
    let home = tempdir().unwrap();
    let disk = Disk::new(home.path());
    let process = disk.start(&[]);
    let desk = process.stranger().create_as("desk").await;
    desk.set("first", json!(1)).await;
    process.stop();
    let mut process = disk.start(&["--fsync", "never"]);
    let log = process.meet_folder(&desk.meet).join("updates.json.log");
    let (mut acked, mut next) = (0, 1);
    while acked < 5 {
        acked = push_for_a_while(&desk.at(&process.url), &mut next, Duration::from_millis(50)).await;
    }
    kill(&mut process);
    cut_power(&disk, &log, 0);
    let process = disk.start(&[]);
    let left = desk.at(&process.url).pull(0).await["updatesRelayed"].as_array().unwrap().len() as u64;
    assert!(left < acked, "{left} of {acked} are left");
}
