//! The real process, killed around the end of a meet.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::task::JoinHandle;

use super::finished;
use crate::support::Client;
use crate::support::process::{Process, liftrelay, run};

/// Pushes one update after the other until it is refused or the server is gone; gives the numbers that were acked.
fn write(client: &Client) -> JoinHandle<Vec<u64>> {
    let client = client.clone();
    tokio::spawn(async move {
        let mut acked = Vec::new();
        for number in 1_u64.. {
            let update = json!({"updates": [{"updateKey": format!("n{number}"), "updateValue": number, "localSeqNum": number}]});
            let Ok(response) = client.request(Method::POST, &client.of_meet("/updates")).json(&update).send().await else { break };
            let Ok(reply) = response.json::<Value>().await else { break };
            match reply["updateAcks"][0]["serverSeqNum"].as_u64() {
                Some(seq) => acked.push(seq),
                None => break,
            }
        }
        acked
    })
}

/// Where the meet is; it must be in one place, whole.
fn place(data: &Path, meet: &str) -> PathBuf {
    let places = ["current-meets", "finished-meets"].map(|stage| data.join(stage).join(meet));
    let found: Vec<_> = places.into_iter().filter(|folder| folder.exists()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    for file in ["updates.json.log", "auth.json", "sessions.json"] {
        assert!(found[0].join(file).exists(), "{file} is missing in {found:?}");
    }
    found[0].clone()
}

/// The kill falls where it hurts most: halfway between a delay that was too short to finish the meet and one that was long enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_a_meet_is_current_or_finished_and_whole() {
    const ROUNDS: usize = 20;
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let mut process = Process::start(folder.path());
    let (mut too_short, mut long_enough) = (Duration::ZERO, None);
    for round in 0..ROUNDS {
        let desk = process.stranger().create_as("desk").await;
        let writing = write(&desk);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let finishing = tokio::spawn({
            let desk = desk.clone();
            async move { desk.request(Method::POST, &desk.of_meet("/finish")).send().await.is_ok_and(|response| response.status() == 200) }
        });
        let delay = match long_enough {
            None if round == 0 => Duration::ZERO,
            None => (too_short * 2).max(Duration::from_micros(100)),
            Some(long_enough) => (too_short + long_enough) / 2,
        };
        std::thread::sleep(delay);
        process = process.crash_and_restart();
        let (acked, was_told) = (writing.await.unwrap(), finishing.await.unwrap());
        let is_finished = place(&data, &desk.meet).parent().unwrap().ends_with("finished-meets");
        assert!(is_finished || !was_told, "who was told that it is finished may rely on it");
        if is_finished {
            long_enough = Some(delay);
        } else {
            too_short = delay;
        }
        let desk = desk.at(&process.url);
        let info = desk.get(&desk.of_meet("")).await.expect(200);
        assert_eq!(info["status"], if is_finished { "finished" } else { "live" });
        let page = desk.pull(0).await;
        for seq in acked {
            assert_eq!(page["updatesRelayed"][seq as usize - 1]["localSeqNum"], json!(seq), "acked number {seq} is gone");
        }
        finished(&desk).await;
        assert!(place(&data, &desk.meet).starts_with(data.join("finished-meets")));
    }
    assert!(long_enough.is_some(), "no kill fell behind the move");
    let (code, out, _) = run(liftrelay().args(["verify", "--data-dir"]).arg(&data));
    assert_eq!((code, out.lines().count()), (0, ROUNDS), "{out}");
}

/// A crash between the document and the move leaves a live meet with a document that means nothing.
#[tokio::test]
async fn a_document_alone_finishes_nothing() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    desk.set("a", json!(1)).await;
    let stale = json!({"version": 1, "finishedAt": "2020-01-01T00:00:00.000Z", "locationName": "desk", "clientId": "x"});
    fs::write(process.meet_folder(&desk.meet).join("finished.json"), stale.to_string()).unwrap();
    let process = process.crash_and_restart();
    let desk = desk.at(&process.url);
    assert_eq!(desk.set("a", json!(2)).await, 2);
    assert_eq!(desk.get(&desk.of_meet("")).await.expect(200)["status"], "live");
    assert!(finished(&desk).await["finishedAt"].as_str().unwrap() > "2026", "the time of the real end counts");
}

/// An operator who moves a folder by hand, or has lost the document, still has a finished meet.
#[tokio::test]
async fn the_folder_decides() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    desk.set("a", json!(1)).await;
    let current = process.meet_folder(&desk.meet);
    process.stop();
    fs::rename(&current, data.join("finished-meets").join(&desk.meet)).unwrap();
    let process = Process::start(folder.path());
    let desk = desk.at(&process.url);
    let info = desk.get(&desk.of_meet("")).await.expect(200);
    assert_eq!(info["status"], "finished");
    assert_eq!(finished(&desk).await["finishedAt"], info["finishedAt"]);
    desk.push(json!([{"updateKey": "a", "updateValue": 2}])).await.problem(409, "meet-finished");
    process.stop();
    fs::rename(data.join("finished-meets").join(&desk.meet), &current).unwrap();
    let process = Process::start(folder.path());
    assert_eq!(desk.at(&process.url).set("a", json!(2)).await, 2, "moved back, it goes on");
}

/// A backup that was taken in the middle of a finish, put back: what was finished stays finished, and the operator is told.
#[tokio::test]
async fn a_meet_in_both_folders_is_the_finished_one_and_verify_says_so() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    desk.set("a", json!(1)).await;
    let [current, backup] = [process.meet_folder(&desk.meet), folder.path().join("backup")];
    let copy = |from: &Path, to: &Path| assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    copy(&current, &backup);
    finished(&desk).await;
    process.stop();
    copy(&backup, &current);
    let (code, out, stderr) = run(liftrelay().args(["verify", "--data-dir"]).arg(&data));
    assert_eq!((code, out.lines().count()), (1, 3), "{out}");
    assert!(out.contains(" in finished-meets: sound, 1 entries") && out.contains(" in current-meets: sound, 1 entries"), "{out}");
    assert!(out.contains("IN BOTH FOLDERS, and a server takes the one in finished-meets; move the one in current-meets away"), "{out}");
    assert!(stderr.contains("2 checked, 0 damaged, 1 in both folders"), "{stderr}");
    let process = Process::start(folder.path());
    let desk = desk.at(&process.url);
    assert_eq!(desk.get(&desk.of_meet("")).await.expect(200)["status"], "finished");
    finished(&desk).await;
    process.signal("TERM");
    let (_, _, stderr) = process.wait();
    assert!(stderr.contains("the meet is in both folders") && stderr.contains("current-meets"), "{stderr}");
}
