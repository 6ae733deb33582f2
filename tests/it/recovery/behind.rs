//! An older copy of the disk: what is missing comes back under its old numbers.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{Disk, assert_sound, copy_of, hand_back, kept, put_back, restore, update};
use crate::support::process::Process;
use crate::support::socket::Socket;
use crate::support::stream::assert_gapless;

#[tokio::test]
async fn an_older_copy_of_the_folder_gets_its_entries_back_in_pages_of_any_size() {
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    let platform = desk.join("platform 1").await;
    let viewer = desk.viewer().await;
    desk.set("lot", json!(1)).await;
    let folder = process.meet_folder(&desk.meet);
    let copy = copy_of(&folder);
    platform.set("weight", json!(1)).await;
    for n in 2..=9 {
        desk.push(json!([update("lot", json!(n), n, 1)])).await.expect(200);
    }
    platform.push(json!([update("x", json!(1), 1, 10), update("y", json!(2), 2, 10)])).await.expect(200);
    let before = desk.state().await;
    let mut logs = Vec::new();
    for limit in [1, 2, 3, 7, 1000] {
        logs.extend([kept(&desk, 0, limit).await, kept(&platform, 1, limit).await]);
    }
    for pages in logs {
        process = put_back(process, &folder, &copy);
        let (desk, platform, viewer) = (desk.at(&process.url), platform.at(&process.url), viewer.at(&process.url));
        let behind = desk.get(&desk.of_meet(&format!("/updates?after={}", before["cursor"].as_str().unwrap()))).await;
        assert_eq!(behind.problem(409, "server-behind")["lastServerSeq"], 1);
        let restored = hand_back(&platform, &pages).await;
        assert_eq!((&restored["cursor"], &restored["chain"]), (&before["cursor"], &before["chain"]));
        assert_eq!((&restored["status"], &restored["historyChanged"]), (&json!("live"), &json!(false)));
        let after = desk.state().await;
        assert_eq!((&after["stateHash"], &after["cursor"]), (&before["stateHash"], &before["cursor"]));
        desk.pull(before["cursor"].as_str().unwrap()).await;
        viewer.get(&viewer.of_meet("/state")).await.expect(200);
        let again = desk.push(json!([update("lot", json!(9), 9, 1)])).await.expect(200);
        assert_eq!(again["updateAcks"], json!([{"localSeqNum": 9, "serverSeqNum": 10, "duplicate": true}]));
    }
    assert_sound(&process);
    process = process.crash_and_restart();
    let desk = desk.at(&process.url);
    assert_eq!(desk.state().await["stateHash"], before["stateHash"]);
    assert_eq!(desk.set("lot", json!("on")).await, 13);
}

/// A client knows the chain only where pages ended, so no page may hold more than one body takes.
#[tokio::test]
async fn a_log_of_large_values_goes_back_in_the_pages_in_which_it_came() {
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    desk.set("lot", json!(1)).await;
    let folder = process.meet_folder(&desk.meet);
    let copy = copy_of(&folder);
    for n in 0..20 {
        desk.set("notes", json!(format!("{n} {}", "x".repeat(250_000)))).await;
    }
    let before = desk.state().await;
    let pages = kept(&desk, 1, 1_000).await;
    assert!(pages.len() > 1, "5 MB in one page");
    process = put_back(process, &folder, &copy);
    let desk = desk.at(&process.url);
    hand_back(&desk, &pages).await;
    assert_eq!(desk.state().await["stateHash"], before["stateHash"]);
}

/// The chain at any number, which a client has that read up to there.
async fn chain_at(client: &crate::support::Client, seq: u64) -> (Value, Value) {
    let state = client.get(&client.of_meet(&format!("/state?at={seq}"))).await.expect(200);
    (state["cursor"].clone(), state["chain"].clone())
}

#[tokio::test]
async fn a_page_may_end_in_the_middle_of_a_commit() {
    let (disk, server) = Disk::start().await;
    let desk = server.meet().await;
    let log = disk.log(&desk.meet);
    let updates: Vec<Value> = (1..=5).map(|n| update(&format!("k{n}"), json!(n), n, 0)).collect();
    desk.push(json!(updates)).await.expect(200);
    let before = desk.state().await;
    let entries = desk.pull(0).await["updatesRelayed"].clone();
    let mut pages = Vec::new();
    for upto in 1..=5_usize {
        let (cursor, chain) = chain_at(&desk, upto as u64).await;
        pages.push(json!({"updates": [entries[upto - 1]], "cursor": cursor, "chain": chain, "more": upto < 5}));
    }
    let server = disk.set_back(&desk.meet, &log).await;
    let desk = desk.at(&server.url);
    for page in &pages[..4] {
        assert_eq!(restore(&desk, page).await.expect(200)["serverSeqNum"], 0, "a commit takes effect whole");
        assert_eq!(restore(&desk, page).await.expect(200)["serverSeqNum"], 0, "a page may come twice");
    }
    assert_eq!(restore(&desk, &pages[4]).await.expect(200)["serverSeqNum"], 5);
    assert_eq!(desk.state().await["stateHash"], before["stateHash"]);
    assert_eq!(desk.pull(0).await["updatesRelayed"], entries);
}

#[tokio::test]
async fn two_clients_may_hand_the_same_back_at_once() {
    let (disk, server) = Disk::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    let log = disk.log(&desk.meet);
    for n in 0..40 {
        desk.set("lot", json!(n)).await;
    }
    let before = desk.state().await;
    let (of_desk, of_platform) = (kept(&desk, 0, 3).await, kept(&platform, 0, 7).await);
    let server = disk.set_back(&desk.meet, &log).await;
    let (desk, platform) = (desk.at(&server.url), platform.at(&server.url));
    tokio::join!(hand_back(&desk, &of_desk), hand_back(&platform, &of_platform));
    let after = desk.state().await;
    assert_eq!((&after["stateHash"], &after["cursor"]), (&before["stateHash"], &before["cursor"]));
}

#[tokio::test]
async fn streams_that_were_told_go_on_where_they_were() {
    let (disk, server) = Disk::start().await;
    let desk = server.meet().await;
    desk.set("lot", json!(1)).await;
    let log = disk.log(&desk.meet);
    for n in 2..=6 {
        desk.set("lot", json!(n)).await;
    }
    let pages = kept(&desk, 1, 2).await;
    let (four, six) = (chain_at(&desk, 4).await.0, desk.state().await["cursor"].clone());
    let server = disk.set_back(&desk.meet, &log).await;
    let desk = desk.at(&server.url);

    let mut sse = desk.events(&format!("after={}", six.as_str().unwrap())).await;
    let mut behind = desk.events(&format!("after={}", four.as_str().unwrap())).await;
    for (stream, place) in [(&mut sse, &six), (&mut behind, &four)] {
        let hello = stream.expect("hello").await;
        let pull = stream.expect("server-pull").await;
        assert_eq!((&json!(hello.id), &json!(pull.id), &hello.json["cursor"]), (place, place, place));
        assert_eq!(pull.json["lastServerSeq"], 1);
    }
    let mut socket = Socket::open(&server.url).await;
    socket.send(&json!({"msgType": "CLIENT_PULL", "sessionToken": desk.token, "lastServerSeq": six})).await;
    socket.expect("HELLO").await;
    assert_eq!(socket.expect("SERVER_PULL").await["lastServerSeq"], 1);
    for page in &pages {
        let mut message = page.clone();
        message["msgType"] = json!("RESTORE");
        message["sessionToken"] = json!(desk.token);
        assert_eq!(socket.ask(&message).await["msgType"], "RESTORED");
    }
    let next = desk.set("lot", json!(7)).await;
    assert_eq!(next, 7);
    for entries in [sse.entries_until(7).await, socket.entries_until(7).await] {
        assert_eq!(entries.len(), 1, "nothing that the reader had comes twice: {entries:?}");
        assert_gapless(&entries, 7);
    }
    assert_gapless(&behind.entries_until(7).await, 5);
}

#[tokio::test]
async fn whoever_has_nothing_more_says_so_with_an_empty_page() {
    let (_disk, server) = Disk::start().await;
    let desk = server.meet().await;
    desk.set("lot", json!(1)).await;
    let head = desk.pull(0).await;
    let empty = json!({"cursor": head["cursor"], "chain": head["chain"]});
    assert_eq!(restore(&desk, &empty).await.expect(200)["historyChanged"], false);
}

#[tokio::test]
async fn a_hundred_thousand_entries_come_back() {
    let (disk, server) = Disk::start().await;
    let desk = server.meet().await;
    let log = disk.log(&desk.meet);
    for batch in 0..20_u64 {
        let updates: Vec<Value> =
            (0..5_000).map(|n| update(&format!("e[{}].squatKg", n % 500), json!(batch), batch * 5_000 + n, batch * 5_000)).collect();
        desk.push(json!(updates)).await.expect(200);
    }
    let before = desk.state().await;
    assert_eq!(before["serverSeqNum"], 100_000);
    let pages = kept(&desk, 0, 10_000).await;
    let server = disk.set_back(&desk.meet, &log).await;
    let desk = desk.at(&server.url);
    hand_back(&desk, &pages).await;
    let after = desk.state().await;
    assert_eq!((&after["stateHash"], &after["cursor"]), (&before["stateHash"], &before["cursor"]));
}
