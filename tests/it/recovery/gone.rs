//! The data folder is gone: its clients bring the meet back, under its own id.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{Disk, Keeper, assert_sound, hand_back, lose_everything, restore, status, ticket, update};
use crate::support::process::Process;
use crate::support::stream::assert_gapless;
use crate::support::{Client, TestServer};

async fn assert_waits(client: &Client) {
    let refused = [
        client.push(json!([update("lot", json!(0), 99, 0)])).await,
        client.sync(&json!({"after": 0, "updates": [update("lot", json!(0), 99, 0)]})).await,
        client.post(&client.of_meet("/finish"), &json!({})).await,
        client.post(&client.of_meet("/view-keys"), &json!({"label": "overlay"})).await,
    ];
    for reply in refused {
        assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
        reply.problem(503, "recovering");
    }
    assert_eq!(client.pull(0).await["status"], "recovering");
    let mut stream = client.events("after=0").await;
    assert_eq!(stream.expect("hello").await.json["status"], "recovering");
}

/// The last story of the design: the server has lost all state, two editors come back in any order.
#[tokio::test]
async fn two_editors_bring_everything_back_in_any_order() {
    for desk_first in [true, false] {
        let home = tempdir().unwrap();
        let process = Process::start(home.path());
        let desk = process.stranger().create_as("desk").await;
        let platform = desk.join("platform 1").await;
        let viewer = desk.viewer().await;
        for n in 1..=7 {
            desk.push(json!([update("lot", json!(n), n, n - 1)])).await.expect(200);
        }
        platform.push(json!([update("x", json!(1), 1, 7), update("y", json!(2), 2, 7)])).await.expect(200);
        let before = desk.state().await;
        let (long, short) = (Keeper::of(&desk, 99).await, Keeper::of(&platform, 2).await);
        let (first, second) = if desk_first { (&long, &short) } else { (&short, &long) };

        let mut process = lose_everything(process);
        viewer.at(&process.url).get(&viewer.of_meet("/state")).await.problem(401, "invalid-view-key");
        let (one, restored) = first.brings(&process.url).await;
        assert_eq!((&restored["status"], &restored["historyChanged"]), (&json!("recovering"), &json!(false)));
        assert_eq!(status(&one).await, "recovering");
        assert_waits(&one).await;
        let (other, restored) = second.brings(&process.url).await;
        assert_eq!((&restored["status"], &restored["cursor"]), (&json!("live"), &before["cursor"]), "everybody has answered");
        for round in 0..2 {
            let (one, other, viewer) = (one.at(&process.url), other.at(&process.url), viewer.at(&process.url));
            let after = other.state().await;
            assert_eq!((&after["stateHash"], &after["cursor"]), (&before["stateHash"], &before["cursor"]));
            viewer.get(&viewer.of_meet("/state")).await.expect(200);
            assert_eq!((status(&one).await, other.pull(0).await["status"].clone()), (json!("live"), json!("live")));
            one.pull(before["cursor"].as_str().unwrap()).await;
            if round == 0 {
                process = process.crash_and_restart();
            }
        }
        // A resend is known, and on they go.
        let desk = if desk_first { &one } else { &other }.at(&process.url);
        let batch = json!([update("lot", json!(7), 7, 6), update("lot", json!(8), 8, 9)]);
        let reply = desk.push(batch).await.expect(200);
        let acks = json!([{"localSeqNum": 7, "serverSeqNum": 7, "duplicate": true}, {"localSeqNum": 8, "serverSeqNum": 10}]);
        assert_eq!(reply["updateAcks"], acks);
        assert_eq!(platform.at(&process.url).rejoin().await.set("z", json!(1)).await, 11);
        assert_sound(&process);
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_is_survived_and_the_meet_still_waits() {
    let home = tempdir().unwrap();
    let process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    desk.join("platform 1").await;
    for n in 1..=9 {
        desk.push(json!([update("lot", json!(n), n, n - 1)])).await.expect(200);
    }
    let before = desk.state().await;
    let keeper = Keeper::of(&desk, 99).await;
    let mut process = lose_everything(process);
    for page in &keeper.pages {
        // Each time from the start: the server has forgotten what it held back.
        let pages: Vec<Value> = keeper.pages.iter().take_while(|other| *other != page).chain([page]).cloned().collect();
        let restored = hand_back(&desk.at(&process.url), &pages).await;
        assert_eq!(restored["status"], "recovering");
        let durable = restored["serverSeqNum"].clone();
        process = process.crash_and_restart();
        let joined = desk.at(&process.url).rejoin().await;
        assert_eq!(joined.session["serverSeqNum"], durable);
        assert_waits(&joined).await;
    }
    let joined = desk.at(&process.url).rejoin().await;
    let started = Instant::now();
    while status(&joined).await != "live" {
        assert!(started.elapsed() < Duration::from_secs(20), "it waits for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(joined.state().await["stateHash"], before["stateHash"]);
    assert_eq!(joined.set("lot", json!("on")).await, 10);
    let process = process.crash_and_restart();
    assert_eq!(status(&joined.at(&process.url)).await, "live");
    assert_sound(&process);
}

/// Whoever comes after the others had to go on hands back what it has all the same.
#[tokio::test]
async fn nobody_is_waited_for_longer_than_ten_seconds() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    desk.set("lot", json!(1)).await;
    let desk_keeps = Keeper::of(&desk, 99).await;
    platform.push(json!([update("x", json!(1), 1, 1)])).await.expect(200);
    let platform_keeps = Keeper::of(&platform, 99).await;
    let (platform_cursor, server) = (platform.state().await["cursor"].clone(), TestServer::start().await);
    let started = Instant::now();
    let (desk, _) = desk_keeps.brings(&server.url).await;
    while status(&desk).await != "live" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(9) && waited < Duration::from_secs(15), "{waited:?}");
    desk.push(json!([update("lot", json!(2), 1, 1)])).await.expect(200);
    let (platform, restored) = platform_keeps.brings(&server.url).await;
    assert_eq!((&restored["historyChanged"], &restored["status"]), (&json!(true), &json!("live")));
    platform.get(&platform.of_meet(&format!("/updates?after={}", platform_cursor.as_str().unwrap()))).await.problem(409, "history-changed");
    assert_eq!(platform.state().await["state"], json!({"lot": 2, "x": 1}));
}

/// Two histories of a meet that had forked before it was lost: whoever comes first keeps its numbers.
#[tokio::test]
async fn of_two_histories_both_come_back() {
    let (disk, server) = Disk::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    desk.push(json!([update("lot", json!(1), 1, 0)])).await.expect(200);
    let log = disk.log(&desk.meet);
    desk.push(json!([update("a", json!("desk"), 2, 1)])).await.expect(200);
    desk.push(json!([update("b", json!("desk"), 3, 2)])).await.expect(200);
    let of_desk = Keeper::of(&desk, 99).await;
    let server = disk.set_back(&desk.meet, &log).await;
    let platform = platform.at(&server.url);
    platform.push(json!([update("a", json!("platform"), 1, 1)])).await.expect(200);
    platform.push(json!([update("c", json!("platform"), 2, 2)])).await.expect(200);
    let of_platform = Keeper::of(&platform, 99).await;
    for desk_first in [true, false] {
        let server = TestServer::start().await;
        let (first, second) = if desk_first { (&of_desk, &of_platform) } else { (&of_platform, &of_desk) };
        let (one, restored) = first.brings(&server.url).await;
        assert_eq!(restored["historyChanged"], false);
        let mut stream = one.events(&format!("after={}", restored["cursor"].as_str().unwrap())).await;
        stream.expect("hello").await;
        let (_, restored) = second.brings(&server.url).await;
        assert_eq!((&restored["historyChanged"], &restored["status"]), (&json!(true), &json!("live")));
        assert_eq!(one.state().await["state"], json!({"a": "platform", "b": "desk", "c": "platform", "lot": 1}), "priorities decide");
        let head = one.set("d", json!(1)).await;
        assert_gapless(&stream.entries_until(head).await, 4);
        assert_eq!(one.pull(0).await["status"], "live");
    }
}

#[tokio::test]
async fn two_clients_that_come_at_once_make_one_meet() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let others = [desk.join("platform 1").await, desk.join("platform 2").await, desk.join("director").await];
    for n in 0..30 {
        desk.set("lot", json!(n)).await;
    }
    let before = desk.state().await;
    let mut keepers = vec![Keeper::of(&desk, 99).await];
    for other in &others {
        keepers.push(Keeper::of(other, 99).await);
    }
    let server = TestServer::start().await;
    let coming = keepers.iter().map(|keeper| async {
        let client = keeper.client.at(&server.url);
        let restored = hand_back(&client, &keeper.pages).await;
        client.with_token(restored["sessionToken"].as_str().unwrap())
    });
    let clients = futures_util::future::join_all(coming).await;
    for client in &clients {
        let after = client.state().await;
        assert_eq!((&after["stateHash"], &after["cursor"]), (&before["stateHash"], &before["cursor"]));
    }
    assert_eq!(status(&clients[0]).await, "live");
    let mut slots: Vec<_> = Vec::new();
    for client in &others {
        slots.push(client.at(&server.url).rejoin().await.session["slot"].clone());
    }
    assert_eq!(slots, [1, 2, 3].map(|slot| json!(slot)), "blocks of ids stay with their clients");
}

#[tokio::test]
async fn a_meet_comes_back_by_message_too() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("lot", json!(1)).await;
    let keeper = Keeper::of(&desk, 99).await;
    let server = TestServer::start().await;
    let mut message = keeper.pages[0].clone();
    message["msgType"] = json!("RESTORE");
    message["sessionToken"] = json!(desk.token);
    let mut socket = server.socket().await;
    let restored = socket.ask(&message).await;
    assert_eq!((&restored["msgType"], &restored["status"]), (&json!("RESTORED"), &json!("live")), "nobody else had joined: {restored}");
    let desk = desk.at(&server.url).with_token(restored["sessionToken"].as_str().unwrap());
    assert_eq!(desk.set("lot", json!(2)).await, 2);
}

#[tokio::test]
async fn an_empty_log_comes_back_as_well() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let head = desk.pull(0).await;
    let page = json!({"recoveryTicket": ticket(&desk).await, "cursor": head["cursor"], "chain": head["chain"]});
    let server = TestServer::start().await;
    let restored = restore(&desk.at(&server.url), &page).await.expect(200);
    assert_eq!((&restored["serverSeqNum"], &restored["cursor"]), (&json!(0), &head["cursor"]));
}
