//! Publishing results: what is taken, where it goes, and what editors are told.

mod checking;
mod outbox;
mod webhooks;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Client;
use crate::support::client::Reply;

const SINGLE: &str = include_str!("../../data/kg-single-34.opl.csv");
const LARGE: &str = include_str!("../../data/kg-large-310.opl.csv");
const EXPORTS: [(&str, u64); 4] =
    [(SINGLE, 34), (include_str!("../../data/kg-multidiv-36.opl.csv"), 36), (include_str!("../../data/lbs-25.opl.csv"), 25), (LARGE, 312)];
const EMAIL: &str = "director@example.org";
/// How long a test waits for a hand-over before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

fn small() -> String {
    SINGLE.lines().take(7).map(|line| format!("{line}\n")).collect()
}

async fn publish(client: &Client, opl_csv: &str) -> Reply {
    client.post(&client.of_meet("/publish"), &json!({"returnEmail": EMAIL, "oplCsv": opl_csv})).await
}

/// Publishes; gives the id.
async fn published(client: &Client, opl_csv: &str) -> String {
    publish(client, opl_csv).await.expect(202)["publishId"].as_str().unwrap().to_owned()
}

async fn publishes(client: &Client) -> Vec<Value> {
    client.get(&client.of_meet("/publish")).await.expect(200)["publishes"].as_array().unwrap().clone()
}

/// Waits until a publish has got so far; gives what is told of it.
async fn until(client: &Client, id: &str, reached: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = publishes(client).await;
        let publish = list.iter().find(|publish| publish["publishId"] == id).expect("it is listed");
        if reached(publish) {
            return publish.clone();
        }
        assert!(Instant::now() < deadline, "{publish}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_status(client: &Client, id: &str, status: &str) -> Value {
    until(client, id, |publish| publish["status"] == status).await
}
