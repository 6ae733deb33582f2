//! "Fault tolerance / conflict resolution scenarios": somebody has no network for a while.

use serde_json::json;

use super::browser::{Browser, assert_all_agree};
use super::{browsers, entry, field, lifter, mapping, register};
use crate::support::TestServer;

#[tokio::test]
async fn a_read_only_client_loses_the_network_and_catches_up() {
    let server = TestServer::start().await;
    let [mut a] = browsers(&server, ["desk"]).await;
    let mut b = Browser::open(a.client.viewer().await).await;
    register(&mut [&mut a, &mut b], 5000).await;

    b.lose_network();
    assert!(b.need_resync);
    for weight in [80, 81, 82] {
        a.edit(&field(5000, "bodyweightKg"), weight);
        a.send().await;
    }
    assert_eq!(b.screen()["registration"]["entries"]["5000"]["bodyweightKg"], 0, "it shows the old state meanwhile");

    let missed = b.come_back().await;
    assert_eq!(missed.iter().map(|entry| entry["serverSeqNum"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(!b.need_resync);
    a.edit(&field(5000, "bodyweightKg"), 83);
    a.send().await;
    b.hear(5).await;
    a.hear(5).await;
    assert_all_agree(&[&a, &b]).await;
}

#[tokio::test]
async fn an_updating_client_loses_the_network_and_nobody_disagrees() {
    let server = TestServer::start().await;
    let [mut a, mut c] = browsers(&server, ["desk", "platform 1"]).await;
    register(&mut [&mut a, &mut c], 5000).await;

    a.lose_network();
    a.edit(&entry(5001), lifter("Kim Reyes"));
    a.edit(&field(5001, "bodyweightKg"), 67.1);
    a.edit(&field(5001, "bodyweightKg"), 66.9);
    c.edit(&field(5000, "squatKg[0]"), 180);
    c.send().await;
    assert_eq!(a.screen()["registration"]["entries"]["5001"]["bodyweightKg"], 66.9, "work goes on without the server");

    let missed = a.come_back().await;
    let numbers: Vec<_> = missed.iter().map(|entry| (entry["serverSeqNum"].as_u64().unwrap(), entry["localSeqNum"].as_u64())).collect();
    assert_eq!(numbers, [(2, Some(1)), (3, Some(2)), (4, Some(3)), (5, Some(4))], "c's entry and the own ones");
    assert_eq!(missed[0]["locationName"], "platform 1");
    assert!(a.rejected.is_empty() && a.pending.is_empty() && !a.need_resync);
    c.hear(5).await;
    assert_all_agree(&[&a, &c]).await;
}

/// A, B and C change the same weight; C has a network, A comes back before B.
#[tokio::test]
async fn two_clients_come_back_with_changes_that_contradict_a_third() {
    let server = TestServer::start().await;
    let [mut a, mut b, mut c] = browsers(&server, ["director", "desk", "platform 1"]).await;
    register(&mut [&mut c, &mut a, &mut b], 5000).await;
    let key = field(5000, "squatKg[0]");

    a.lose_network();
    b.lose_network();
    a.edit(&key, 182.5);
    b.edit(&key, 175);
    b.edit(&field(5000, "bodyweightKg"), 82.4);
    c.edit(&key, 180);
    assert_eq!(mapping(&c.send().await), [(2, 2)]);

    a.come_back().await;
    assert!(a.rejected.is_empty(), "the director's priority is higher than the platform's");
    assert_eq!(a.canonical[&3]["overrules"], json!([2]));
    c.hear(3).await;
    assert_eq!(c.overruled_by.len(), 1, "c is told that its weight was replaced");
    assert_eq!((&c.overruled_by[0]["updateValue"], &c.overruled_by[0]["previousValue"]), (&json!(182.5), &json!(180)));
    assert_all_agree(&[&a, &c]).await;

    b.come_back().await;
    assert_eq!(b.rejected.len(), 1);
    let rejection = &b.rejected[0];
    assert_eq!((&rejection["conflict"], &rejection["code"]), (&json!(true), &json!("overruled")));
    assert_eq!(
        rejection["standing"],
        json!({"serverSeqNum": 3, "updateKey": key, "updateValue": 182.5, "locationName": "director", "priority": 30})
    );
    a.hear(4).await;
    c.hear(4).await;
    assert_eq!(a.screen()["registration"]["entries"]["5000"]["bodyweightKg"], 82.4, "what nobody contradicted is kept");
    assert_all_agree(&[&a, &b, &c]).await;
}

/// Whoever comes when: the highest priority wins, and all see the same.
#[tokio::test]
async fn the_order_of_coming_back_decides_nothing_between_different_priorities() {
    let server = TestServer::start().await;
    let locations = ["desk", "platform 1", "director"];
    let mut all = browsers(&server, locations).await;
    for (order, key) in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].into_iter().zip('a'..) {
        let key = key.to_string();
        for browser in &mut all {
            browser.lose_network();
            browser.edit(&key, browser.client.location.clone());
        }
        for at in order {
            all[at].come_back().await;
        }
        for at in order {
            all[at].pull(all[at].seen()).await;
        }
        let [desk, platform, director] = &all;
        assert_all_agree(&[desk, platform, director]).await;
        assert_eq!(director.screen()[&key], "director", "{order:?}");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_much_later_loses_only_what_higher_priorities_changed() {
    let server = TestServer::start().await;
    let [mut a, mut b] = browsers(&server, ["desk", "platform 1"]).await;
    register(&mut [&mut a, &mut b], 5000).await;
    a.lose_network();
    b.lose_network();
    a.edit(&field(5000, "squatKg[0]"), 170);
    a.edit(&field(5000, "squatKg[0]"), 172.5);
    a.edit(&field(5000, "bodyweightKg"), 82.4);
    b.edit(&field(5000, "squatKg[0]"), 180);

    b.come_back().await;
    for attempt in 0..200 {
        b.edit(&field(5000, "squatStatus[0]"), attempt % 3);
        b.edit("display[1].attempt", attempt);
        b.send().await;
    }
    a.come_back().await;
    let refused: Vec<_> = a.rejected.iter().map(|rejection| (&rejection["localSeqNum"], &rejection["code"])).collect();
    assert_eq!(refused, [(&json!(2), &json!("overruled")), (&json!(3), &json!("overruled"))]);
    b.hear(a.seen()).await;
    assert_eq!(a.screen()["registration"]["entries"]["5000"]["bodyweightKg"], 82.4);
    assert_all_agree(&[&a, &b]).await;
}

#[tokio::test]
async fn a_client_of_higher_priority_that_comes_back_much_later_still_decides() {
    let server = TestServer::start().await;
    let [mut a, mut b] = browsers(&server, ["director", "desk"]).await;
    register(&mut [&mut a, &mut b], 5000).await;
    a.lose_network();
    a.edit(&field(5000, "bodyweightKg"), 82.4);
    for weight in 60..100 {
        b.edit(&field(5000, "bodyweightKg"), weight);
        b.send().await;
    }
    a.come_back().await;
    b.hear(a.seen()).await;
    assert_eq!(b.screen()["registration"]["entries"]["5000"]["bodyweightKg"], 82.4);
    assert_eq!(b.overruled_by.len(), 1);
    assert_eq!(b.overruled_by[0]["overrules"], json!([41]), "only what still stood was overruled");
    assert_all_agree(&[&a, &b]).await;
}
