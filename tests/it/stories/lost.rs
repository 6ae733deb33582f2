//! "Two updating clients A and B unable to reach server, when they reach server, server has lost all state", with real processes:
//! the server is killed and its folder deleted while both go on without it. Only the key, which lies elsewhere, is left.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::browser::{Browser, Over, assert_all_agree};
use super::{browsers_of, entry, field, register};
use crate::support::process::Process;

/// A at the desk and B at the platform, each with a log, a pending log and the ticket that it got from the server.
struct Hall {
    process: Process,
    a: Browser,
    b: Browser,
    tickets: [Value; 2],
    _home: TempDir,
}

/// A lifter and some weights are known to everybody. Then the server is gone, and both go on.
async fn two_without_a_server() -> Hall {
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let first = process.stranger().create_as("desk").await;
    let [mut a, mut b] = browsers_of(Over::Rest, &first, ["desk", "platform 1"]).await;
    register(&mut [&mut a, &mut b], 5000).await;
    b.edit(&field(5000, "squatKg[0]"), 180);
    let head = b.send().await["serverSeqNum"].as_u64().unwrap();
    a.hear(head).await;
    b.hear(head).await;
    let mut tickets = [Value::Null, Value::Null];
    for (ticket, browser) in tickets.iter_mut().zip([&a, &b]) {
        let info = browser.client.get(&browser.client.of_meet("")).await.expect(200);
        *ticket = info["recoveryTicket"].clone();
    }

    process.child.kill().unwrap();
    process.child.wait().unwrap();
    for browser in [&mut a, &mut b] {
        browser.lose_network();
        assert!(browser.need_resync, "the pop-up says that it is out of sync");
    }
    // Both change the same weight, and each something of its own.
    a.edit(&field(5000, "bodyweightKg"), 82.4);
    a.edit(&field(5000, "squatKg[1]"), 185);
    b.edit(&field(5000, "squatKg[1]"), 190);
    b.edit(&field(5000, "squatStatus[0]"), 1);
    fs::remove_dir_all(home.path().join("data")).unwrap();
    Hall { process: Process::start(home.path()), a, b, tickets, _home: home }
}

/// "They send a request to pull missing updates after last seen server seq num. If server hasn't seen that seq num, something is
/// wrong. Server requests to pull all updates from each client. Clients respond with updates."
async fn hand_back(browser: &mut Browser, ticket: &Value, url: &str) -> Value {
    browser.client = browser.client.at(url);
    let missing = browser.client.of_meet(&format!("/updates?after={}", browser.seen()));
    browser.client.get(&missing).await.problem(401, "invalid-session");
    let log = browser.canonical_log(ticket);
    let restored = browser.client.post(&browser.client.of_meet("/restore"), &log).await.expect(200);
    browser.client = browser.client.with_token(restored["sessionToken"].as_str().unwrap());
    restored
}

/// "Server applies updates, resolves conflicts, and sends updates out": the platform's word weighs more.
async fn assert_settled(a: &mut Browser, b: &mut Browser) {
    let head = a.client.state().await;
    let lifter = &head["state"]["registration"]["entries"]["5000"];
    assert_eq!((&lifter["bodyweightKg"], &lifter["squatStatus"][0]), (&json!(82.4), &json!(1)), "neither lost its own work");
    assert_eq!(lifter["squatKg"], json!([180, 190, 0, 0, 0]));
    for browser in [&mut *a, &mut *b] {
        browser.hear(head["serverSeqNum"].as_u64().unwrap()).await;
    }
    assert_all_agree(&[a, b]).await;
    assert_eq!((a.rejected.len() + a.overruled_by.len(), b.rejected.len()), (1, 0), "whoever lost is told, and nobody else");
}

/// What a server's key proves needs no order of priorities, so whoever comes first begins.
#[tokio::test]
async fn both_come_back_to_a_server_that_has_lost_all_state() {
    for a_first in [true, false] {
        let mut hall = two_without_a_server().await;
        let url = hall.process.url.clone();
        let Hall { a, b, tickets: [of_a, of_b], .. } = &mut hall;
        let [(one, its), (other, others)] =
            if a_first { [(&mut *a, &*of_a), (&mut *b, &*of_b)] } else { [(&mut *b, &*of_b), (&mut *a, &*of_a)] };
        assert_eq!(hand_back(one, its, &url).await["status"], "recovering", "the other is waited for");
        assert_eq!(hand_back(other, others, &url).await["status"], "live");
        one.come_back().await;
        other.come_back().await;
        assert_settled(a, b).await;
        assert_eq!(a.canonical[&1]["updateKey"], entry(5000), "under the old number");
    }
}

/// "One client A reaches server significantly later than the other client B": nobody waits for it, and it loses nothing.
#[tokio::test]
async fn one_comes_back_long_after_the_other_had_to_go_on() {
    let mut hall = two_without_a_server().await;
    let (url, started) = (hall.process.url.clone(), Instant::now());
    hand_back(&mut hall.b, &hall.tickets[1], &url).await;
    while hall.b.client.get(&hall.b.client.of_meet("")).await.expect(200)["status"] != "live" {
        assert!(started.elapsed() < Duration::from_secs(60), "it waits for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    hall.b.come_back().await;
    hall.process = hall.process.crash_and_restart();
    let url = hall.process.url.clone();
    hall.b.client = hall.b.client.at(&url);
    hall.b.lose_network();
    hall.b.come_back().await;

    let restored = hand_back(&mut hall.a, &hall.tickets[0], &url).await;
    assert_eq!((&restored["status"], &restored["historyChanged"]), (&json!("live"), &json!(false)), "its log is a part of the meet's");
    hall.a.come_back().await;
    let (a, b) = (&mut hall.a, &mut hall.b);
    assert_settled(a, b).await;
}
