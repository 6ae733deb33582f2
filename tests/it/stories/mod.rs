//! The stories of the OpenLifter Live design, as its users live through them.

mod browser;
mod conflicts;
mod fault_free;
mod lost;
mod offline;
mod removals;

use serde_json::{Value, json};

use crate::support::{Client, TestServer};
use browser::{Browser, Over};

/// A browser at each of these locations; the first creates the meet.
async fn browsers<const N: usize>(server: &TestServer, locations: [&str; N]) -> [Browser; N] {
    browsers_over(Over::Rest, server, locations).await
}

async fn browsers_over<const N: usize>(over: Over, server: &TestServer, locations: [&str; N]) -> [Browser; N] {
    let first = server.stranger().create_as(locations[0]).await;
    browsers_of(over, &first, locations).await
}

/// The same for a meet that `first` has created from the first location.
async fn browsers_of<const N: usize>(over: Over, first: &Client, locations: [&str; N]) -> [Browser; N] {
    let mut browsers = Vec::new();
    for location in locations {
        let client = if location == first.location { first.clone() } else { first.join(location).await };
        browsers.push(Browser::open_over(over, client).await);
    }
    browsers.try_into().unwrap_or_else(|_| unreachable!())
}

/// Registers a lifter from the first browser, and lets all others hear of it.
async fn register(browsers: &mut [&mut Browser], id: u32) {
    browsers[0].edit(&entry(id), lifter("Sam Novak"));
    let reply = browsers[0].send().await;
    for browser in browsers {
        browser.hear(reply["serverSeqNum"].as_u64().unwrap()).await;
    }
}

fn entry(id: u32) -> String {
    format!("registration.entries[{id}]")
}

fn field(id: u32, name: &str) -> String {
    format!("registration.entries[{id}].{name}")
}

fn lifter(name: &str) -> Value {
    json!({"name": name, "bodyweightKg": 0, "squatKg": [0, 0, 0, 0, 0], "squatStatus": [0, 0, 0, 0, 0]})
}

/// The numbers in an answer: `(localSeqNum, serverSeqNum)`.
fn mapping(reply: &Value) -> Vec<(u64, u64)> {
    let pair = |ack: &Value| (ack["localSeqNum"].as_u64().unwrap(), ack["serverSeqNum"].as_u64().unwrap());
    reply["updateAcks"].as_array().unwrap().iter().map(pair).collect()
}
