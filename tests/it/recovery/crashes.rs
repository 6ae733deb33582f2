//! A server that is killed while it gets its log back.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{assert_sound, copy_of, hand_back, kept, put_back, restore, update};
use crate::support::process::Process;

#[tokio::test]
async fn what_was_taken_survives_and_the_client_goes_on() {
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    let folder = process.meet_folder(&desk.meet);
    let copy = copy_of(&folder);
    for n in 1..=30 {
        desk.push(json!([update("lot", json!(n), n, n - 1)])).await.expect(200);
    }
    let before = desk.state().await;
    let pages = kept(&desk, 0, 4).await;
    process = put_back(process, &folder, &copy);
    for page in &pages {
        let at = desk.at(&process.url);
        let restored = restore(&at, page).await.expect(200);
        let place = page["updates"].as_array().unwrap().last().unwrap()["serverSeqNum"].as_u64().unwrap();
        // Whether a page's last commit is whole shows on the next page.
        let place = if page["more"] == true { place - 1 } else { place };
        assert_eq!(restored["serverSeqNum"], place);
        process = process.crash_and_restart();
        let at = desk.at(&process.url);
        assert_eq!(at.state().await["serverSeqNum"], place, "what was answered was durable");
        // What waited for its end is gone, so the log no longer joins: the client sends it from entry 1 on.
        if page["more"] == true {
            let next = &pages[pages.iter().position(|other| other == page).unwrap() + 1];
            restore(&at, next).await.problem(409, "history-changed");
        }
        hand_back(&at, &pages[..=pages.iter().position(|other| other == page).unwrap()]).await;
    }
    let desk = desk.at(&process.url);
    assert_eq!(desk.state().await["stateHash"], before["stateHash"]);
    assert_sound(&process);
}

/// A kill at any moment: the client sends everything again.
#[tokio::test]
async fn a_kill_in_the_middle_loses_nothing() {
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    let folder = process.meet_folder(&desk.meet);
    let copy = copy_of(&folder);
    for n in 0..40_u64 {
        let updates: Vec<Value> = (0..50).map(|k| update(&format!("k{k}"), json!(n), n * 50 + k, n * 50)).collect();
        desk.push(json!(updates)).await.expect(200);
    }
    let before = desk.state().await;
    let pages = kept(&desk, 0, 50).await;
    process = put_back(process, &folder, &copy);
    for stop_after in [3, 17, 29] {
        let at = desk.at(&process.url);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let giving = {
            let pages = pages.clone();
            tokio::spawn(async move {
                for page in &pages {
                    let request = at.request(reqwest::Method::POST, &at.of_meet("/restore")).json(page);
                    let Ok(response) = request.send().await else { return };
                    let Ok(restored) = response.json::<Value>().await else { return };
                    let Some(head) = restored["serverSeqNum"].as_u64() else { return };
                    let _ = tell.send(head);
                }
            })
        };
        let mut durable = 0;
        for _ in 0..stop_after {
            durable = told.recv().await.unwrap();
        }
        process = process.crash_and_restart();
        giving.await.unwrap();
        while let Ok(later) = told.try_recv() {
            durable = later;
        }
        let head = desk.at(&process.url).state().await["serverSeqNum"].as_u64().unwrap();
        assert!(head >= durable && head % 50 == 0, "{head} of {durable}");
    }
    let desk = desk.at(&process.url);
    hand_back(&desk, &pages).await;
    assert_eq!(desk.state().await["stateHash"], before["stateHash"]);
    assert_sound(&process);
}
