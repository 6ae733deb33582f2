//! A log of 100,000 entries, far longer than any meet's, comes back.

use liftrelay::http::Options;
use serde_json::{Value, json};

use super::{hand_back, kept, ticket, with_ticket};
use crate::support::server::options;
use crate::support::{Client, TestServer};

const ENTRIES: u64 = 100_000;
const BATCH: u64 = 10_000;
const PASSWORD: &str = "AStrongerPasswordThanThisHopefully";

/// One location, so that nobody else is waited for.
fn creation() -> Value {
    json!({"thisLocationName": "desk", "password": PASSWORD, "locations": [{"locationName": "desk", "priority": 10}]})
}

async fn long_meet() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let desk = server.stranger().create(&creation()).await;
    for first in (1..=ENTRIES).step_by(BATCH as usize) {
        let updates: Vec<_> = (first..first + BATCH)
            .map(|n| json!({"updateKey": format!("e[{}].squatKg[{}]", n / 3 % 500 + 1000, 0), "updateValue": n, "localSeqNum": n}))
            .collect();
        let reply = desk.push(json!(updates)).await.expect(200);
        assert_eq!(reply["serverSeqNum"], first + BATCH - 1);
    }
    (server, desk)
}

/// Two clients hand back at once, with the key and without.
#[tokio::test]
async fn a_hundred_thousand_entries_come_back_in_pages_from_two_clients_at_once() {
    let (server, desk) = long_meet().await;
    let other = desk.join_with(json!({"password": PASSWORD, "locationName": "desk", "clientId": "other"})).await;
    let before = desk.state().await;
    let pages = kept(&desk, 0, BATCH as usize).await;
    assert_eq!(pages.len() as u64, ENTRIES / BATCH);
    let proven = [with_ticket(&pages, &ticket(&desk).await), with_ticket(&pages, &ticket(&other).await)];
    let unproven = [&desk, &other].map(|client| claimed(&pages, client));
    drop(server);
    for (what, pages) in [("proven", proven), ("unproven", unproven)] {
        let server = TestServer::with(Options { accept_unproven_restore: what == "unproven", ..options() }).await;
        let (one, two) = (desk.at(&server.url), other.at(&server.url));
        let (one_restored, two_restored) = tokio::join!(hand_back(&one, &pages[0]), hand_back(&two, &pages[1]));
        for restored in [one_restored, two_restored] {
            assert_eq!((&restored["serverSeqNum"], &restored["status"]), (&json!(ENTRIES), &json!("live")), "{what}");
            let client = one.with_token(restored["sessionToken"].as_str().unwrap());
            assert_eq!(client.state().await["stateHash"], before["stateHash"], "{what}");
        }
    }
}

fn claimed(pages: &[Value], client: &Client) -> Vec<Value> {
    let mut pages = pages.to_vec();
    for page in &mut pages {
        page["password"] = json!(PASSWORD);
        page["locationName"] = json!("desk");
        page["locations"] = creation()["locations"].clone();
        page["clientId"] = json!(client.client_id);
    }
    pages
}
