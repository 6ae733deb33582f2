//! Small requests cost little, whatever they meet.

use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::process::Process;

/// Each refusal names what stands in its way; a large one must not be copied for every update.
#[tokio::test]
async fn a_large_value_that_refuses_a_thousand_updates_is_shown_a_few_times() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path());
    let desk = server.stranger().create_as("desk").await;
    desk.set("imported", json!({"text": "x".repeat(200_000)})).await;
    let create = |number: u64| json!({"op": "create", "updateKey": "imported.text", "updateValue": 1, "localSeqNum": number});
    let updates: Vec<Value> = (0..1_000).map(create).collect();
    let reply = desk.push(json!(updates)).await;
    assert!(reply.text.len() < 3_000_000, "{} bytes", reply.text.len());
    let rejected = reply.expect(200)["updatesRejected"].clone();
    let shown = |rejection: &Value| rejection["standing"].get("updateValue").is_some();
    let rejected = rejected.as_array().unwrap();
    assert!(shown(&rejected[0]) && !shown(&rejected[999]), "the first are shown whole, the last are not");
    assert!(rejected.iter().all(|rejection| rejection["standing"]["serverSeqNum"] == 1 && rejection["code"] == "exists"));
    let log = folder.path().join("data/current-meets").join(&desk.meet).join("updates.json.log");
    let bytes = log.metadata().unwrap().len();
    assert!(bytes < 1_500_000, "the journal has {bytes} bytes");
    // The answers are remembered all the same, over a crash too.
    let server = server.crash_and_restart();
    let again = desk.at(&server.url).push(json!(updates)).await.expect(200);
    assert_eq!(again["updatesRejected"], json!(rejected));
}

#[tokio::test]
async fn whoever_asks_for_health_often_gets_the_same_answer() {
    let server = TestServer::start().await;
    let asking: Vec<_> = (0..64)
        .map(|_| {
            let stranger = server.stranger();
            tokio::spawn(async move { stranger.get("/health/ready").await.status.as_u16() })
        })
        .collect();
    for answer in asking {
        assert_eq!(answer.await.unwrap(), 200);
    }
}

/// A proxy's own login in front of the server says nothing about the view key behind it.
#[tokio::test]
async fn another_scheme_of_authorization_does_not_hide_a_view_key() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let stranger = server.stranger();
    let request = stranger.request("GET".parse().unwrap(), &desk.of_meet(&format!("/state?key={}", viewer.token)));
    stranger.send(request.header("authorization", "Basic b3BlcmF0b3I6c2VjcmV0")).await.expect(200);
}
