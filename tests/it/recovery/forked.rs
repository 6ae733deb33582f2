//! Others wrote on before the longer log came back.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{Disk, assert_sound, copy_of, hand_back, kept, put_back, restore, update};
use crate::support::Client;
use crate::support::process::Process;

fn code(reply: &Value) -> (&Value, &Value) {
    (&reply["updatesRejected"][0]["localSeqNum"], &reply["updatesRejected"][0]["code"])
}

/// The desk has lost numbers 2 to 4; the director wrote another 2 on the key of one of them.
async fn fork(process: Process, desk: &Client, director: &Client, copy: &[(std::path::PathBuf, Vec<u8>)]) -> (Process, Vec<Value>) {
    desk.push(json!([update("a", json!("desk"), 2, 1)])).await.expect(200);
    desk.push(json!([update("b", json!("desk"), 3, 2)])).await.expect(200);
    desk.push(json!([update("c", json!("desk"), 4, 3)])).await.expect(200);
    let pages = kept(desk, 0, 2).await;
    let folder = process.meet_folder(&desk.meet);
    let process = put_back(process, &folder, copy);
    director.at(&process.url).push(json!([update("a", json!("director"), 1, 1)])).await.expect(200);
    (process, pages)
}

#[tokio::test]
async fn the_other_branch_is_pushed_onto_the_log_and_its_losers_are_told() {
    let home = tempdir().unwrap();
    let process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    let director = desk.join("director").await;
    desk.push(json!([update("lot", json!(1), 1, 0)])).await.expect(200);
    let copy = copy_of(&process.meet_folder(&desk.meet));
    let (mut process, pages) = fork(process, &desk, &director, &copy).await;
    let (desk, director) = (desk.at(&process.url), director.at(&process.url));

    let lost = pages.last().unwrap()["cursor"].as_str().unwrap().to_owned();
    let above: Vec<Value> = kept(&desk, 0, 1000).await;
    assert_eq!(above[0]["updates"].as_array().unwrap().len(), 2);
    let mut tail = pages[1].clone();
    tail["updates"] = json!([pages[1]["updates"][0], pages[1]["updates"][1]]);
    let apart = restore(&desk, &tail).await.problem(409, "history-changed");
    assert!(apart["detail"].as_str().unwrap().contains("from entry 1 on"), "{apart}");

    let restored = hand_back(&desk, &pages).await;
    assert_eq!((&restored["serverSeqNum"], &restored["historyChanged"]), (&json!(4), &json!(true)));
    assert_eq!(desk.state().await["state"], json!({"a": "director", "b": "desk", "c": "desk", "lot": 1}));
    for round in 0..2 {
        let (desk, director) = (desk.at(&process.url), director.at(&process.url));
        let batch = json!([
            update("lot", json!(1), 1, 0),
            update("a", json!("desk"), 2, 1),
            update("b", json!("desk"), 3, 2),
            update("c", json!("desk"), 4, 3)
        ]);
        let again = desk.push(batch).await.expect(200);
        assert_eq!(code(&again), (&json!(2), &json!("recovered-over")), "{again}");
        let acks: Vec<_> = again["updateAcks"].as_array().unwrap().iter().map(|ack| (&ack["serverSeqNum"], &ack["duplicate"])).collect();
        assert_eq!(acks, [(&json!(1), &json!(true)), (&json!(3), &json!(true)), (&json!(4), &json!(true))], "{again}");
        let again = director.push(json!([update("a", json!("director"), 1, 1)])).await.expect(200);
        assert_eq!(again["updateAcks"][0], json!({"localSeqNum": 1, "serverSeqNum": 2, "duplicate": true}));

        // Whoever holds the other branch starts over.
        desk.get(&desk.of_meet(&format!("/updates?after={lost}"))).await.problem(409, "history-changed");
        let mut stream = desk.events(&format!("after={lost}")).await;
        stream.expect("hello").await;
        stream.expect("reset").await;
        assert_eq!(stream.expect("state").await.json["serverSeqNum"], 4);
        if round == 0 {
            process = process.crash_and_restart();
        }
    }
    assert_sound(&process);
}

/// The log comes to a reader's place by another way: what it holds is not the log's any more.
#[tokio::test]
async fn a_stream_that_was_told_starts_over_where_the_log_has_forked() {
    let (disk, server) = Disk::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    desk.set("lot", json!(1)).await;
    let log = disk.log(&desk.meet);
    for n in 2..=3 {
        desk.set("lot", json!(n)).await;
    }
    let cursor = desk.state().await["cursor"].as_str().unwrap().to_owned();
    let server = disk.set_back(&desk.meet, &log).await;
    let (desk, platform) = (desk.at(&server.url), platform.at(&server.url));
    let mut stream = desk.events(&format!("after={cursor}")).await;
    stream.expect("hello").await;
    stream.expect("server-pull").await;
    platform.set("x", json!(1)).await;
    platform.set("x", json!(2)).await;
    let reset = stream.expect("reset").await;
    assert!(reset.json["reason"].as_str().unwrap().contains(&cursor));
    let state = stream.expect("state").await;
    assert_eq!((&state.json["serverSeqNum"], &state.json["state"]), (&json!(3), &json!({"lot": 1, "x": 2})));
    platform.set("x", json!(3)).await;
    assert_eq!(stream.entries_until(4).await.len(), 1);
}
