//! "Normal, fault-free scenarios".

use serde_json::json;

use super::browser::{Browser, Over, assert_all_agree};
use super::{browsers, browsers_over, entry, field, lifter, mapping};
use crate::support::TestServer;
use crate::support::socket::Socket;

#[tokio::test]
async fn a_read_only_client_follows_an_updating_one() {
    for over in [Over::Rest, Over::Socket] {
        read_only_and_updating(over).await;
    }
}

async fn read_only_and_updating(over: Over) {
    let server = TestServer::start().await;
    let [mut a] = browsers_over(over, &server, ["desk"]).await;
    let mut b = Browser::open_over(over, a.client.viewer().await).await;

    a.edit(&entry(5000), lifter("Sam Novak"));
    a.edit(&field(5000, "bodyweightKg"), 82.4);
    a.edit(&field(5000, "squatKg[0]"), 182.5);
    assert_eq!((a.pending.len(), a.seen()), (3, 0));
    assert_eq!(a.screen()["registration"]["entries"]["5000"]["squatKg"][0], 182.5, "a change shows before anyone has answered");

    let reply = a.send().await;
    assert_eq!(mapping(&reply), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!((a.pending.len(), a.seen()), (0, 3), "moved with the server's numbers");

    b.hear(3).await;
    a.hear(3).await;
    assert_all_agree(&[&a, &b]).await;
    assert_eq!(b.screen()["registration"]["entries"]["5000"]["bodyweightKg"], 82.4);
}

#[tokio::test]
async fn two_clients_at_once_on_different_lifters() {
    for over in [Over::Rest, Over::Socket] {
        two_at_once(over).await;
    }
}

async fn two_at_once(over: Over) {
    let server = TestServer::start().await;
    let [mut a, mut b] = browsers_over(over, &server, ["desk", "platform 1"]).await;
    a.edit(&entry(5000), lifter("Sam Novak"));
    a.edit(&entry(5001), lifter("Kim Reyes"));
    a.send().await;
    a.hear(2).await;
    b.hear(2).await;

    // Both have seen 2, and neither has heard of the other's changes.
    a.edit(&field(5000, "bodyweightKg"), 82.4);
    a.edit(&field(5000, "squatKg[0]"), 180);
    b.edit(&field(5001, "bodyweightKg"), 67.1);
    b.edit(&field(5001, "squatKg[0]"), 100);
    b.edit(&field(5001, "squatStatus[0]"), 1);
    assert_eq!(mapping(&a.send().await), [(3, 3), (4, 4)]);
    assert_eq!(mapping(&b.send().await), [(1, 5), (2, 6), (3, 7)]);
    assert_eq!(b.seen(), 2, "numbers 3 and 4 are still on their way");
    b.hear(7).await;
    a.hear(7).await;
    assert!(a.overruled_by.is_empty() && b.overruled_by.is_empty());
    assert_all_agree(&[&a, &b]).await;
}

/// What one client sends together, all others get together.
#[tokio::test]
async fn a_batch_arrives_as_one() {
    for over in [Over::Rest, Over::Socket] {
        let server = TestServer::start().await;
        let [mut a, b] = browsers_over(over, &server, ["desk", "platform 1"]).await;
        let mut events = b.client.events("after=now").await;
        let mut socket = Socket::following(&b.client, 0).await;
        events.expect("hello").await;
        for id in 5000..5020 {
            a.edit(&entry(id), lifter("Sam Novak"));
        }
        a.send().await;
        let relay = events.expect("update-relay").await;
        let entries = relay.json["updatesRelayed"].as_array().unwrap();
        assert_eq!(entries.len(), 20);
        assert!(entries.iter().all(|entry| entry["commit"] == 1));
        assert_eq!(relay.id, relay.json["cursor"]);
        assert_eq!(socket.expect("UPDATE_RELAY").await, relay.json, "the same object, whatever carries it");
    }
}

/// Pushing and pulling in one request tells the same story.
#[tokio::test]
async fn one_request_sends_and_fetches() {
    let server = TestServer::start().await;
    let [mut a, mut b] = browsers(&server, ["desk", "platform 1"]).await;
    b.edit(&entry(5001), lifter("Kim Reyes"));
    b.send().await;
    a.edit(&entry(5000), lifter("Sam Novak"));
    let reply = a.client.sync(&json!({"updates": a.pending, "after": a.seen()})).await.expect(200);
    a.take_answers(&reply);
    a.take_relayed(reply["updatesRelayed"].as_array().unwrap());
    assert_eq!((mapping(&reply), a.seen()), (vec![(1, 2)], 2), "the other's entry and the own one came along");
    b.hear(2).await;
    assert_all_agree(&[&a, &b]).await;
}
