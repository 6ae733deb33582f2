//! Streams of a finished meet: everything, then END, then heartbeats.

use reqwest::Method;
use serde_json::{Value, json};

use super::finished;
use crate::support::raw::RawStream;
use crate::support::stream::{Events, assert_gapless};
use crate::support::{Client, TestServer};

async fn meet_of(server: &TestServer, updates: u64) -> Client {
    let desk = server.meet().await;
    for lot in 1..=updates {
        desk.set("lot", json!(lot)).await;
    }
    desk
}

fn kind(event: &Value) -> &str {
    event["msgType"].as_str().unwrap()
}

/// The END of a finished meet: nothing of it makes a reader come back.
#[track_caller]
fn is_the_end(event: &Value) {
    assert_eq!((kind(event), &event["reason"], event.get("retryAfterSeconds")), ("END", &json!("finished"), None), "{event}");
}

#[tokio::test]
async fn whoever_is_there_gets_everything_then_the_end_and_stays() {
    let server = TestServer::start().await;
    let desk = meet_of(&server, 2).await;
    let viewer = desk.viewer().await;
    let (mut editors, mut viewers) = (desk.events("after=0").await, viewer.events("after=now").await);
    let mut lines = RawStream::open(&desk, "after=0&format=ndjson").await;
    let mut filtered = desk.events("after=now&paths=nothing").await;
    for events in [&mut editors, &mut viewers, &mut filtered] {
        assert_eq!(events.expect("hello").await.json["status"], "live");
    }
    assert_gapless(&editors.entries_until(2).await, 1);
    lines.head().await;
    desk.set("lot", json!(3)).await;
    let end = finished(&desk).await;
    assert_gapless(&editors.entries_until(3).await, 3);
    assert_gapless(&viewers.entries_until(3).await, 3);
    for events in [&mut editors, &mut viewers, &mut filtered] {
        let event = events.expect("end").await;
        is_the_end(&event.json);
        assert_eq!((&json!(event.id), &event.json["cursor"], event.retry), (&end["cursor"], &end["cursor"], None));
    }
    let mut seen = 0;
    loop {
        let object = lines.object().await.expect("the stream ended");
        if kind(&object) == "END" {
            is_the_end(&object);
            break;
        }
        seen += object["updatesRelayed"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(seen, 3, "END comes behind everything");
    // All of them go on: the next thing is a heartbeat.
    let (editors, viewers, filtered, line) = tokio::join!(editors.next(), viewers.next(), filtered.next(), lines.object());
    for event in [editors.json, viewers.json, filtered.json, line.unwrap()] {
        assert_eq!((kind(&event), &event["cursor"], &event["headSeqNum"]), ("HEARTBEAT", &end["cursor"], &json!(3)), "{event}");
    }
}

#[tokio::test]
async fn whoever_comes_later_gets_it_all_at_once_and_the_end() {
    let server = TestServer::start().await;
    let desk = meet_of(&server, 3).await;
    let viewer = desk.viewer().await;
    let end = finished(&desk).await;
    let cursor = end["cursor"].as_str().unwrap();
    for client in [&desk, &viewer] {
        for (query, entries) in
            [("after=0".to_owned(), 3), ("after=2".to_owned(), 1), (format!("after={cursor}"), 0), ("after=now".to_owned(), 0)]
        {
            let mut events = client.events(&query).await;
            let hello = events.expect("hello").await;
            assert_eq!((&hello.json["status"], &hello.json["headSeqNum"]), (&json!("finished"), &json!(3)));
            if entries > 0 {
                let relay = events.expect("update-relay").await;
                assert_eq!((relay.json["updatesRelayed"].as_array().unwrap().len(), &relay.json["status"]), (entries, &json!("finished")));
            }
            is_the_end(&events.expect("end").await.json);
        }
        let mut events = client.events("snapshot=1").await;
        events.expect("hello").await;
        assert_eq!(events.expect("state").await.json["state"]["lot"], 3);
        is_the_end(&events.expect("end").await.json);
        let mut events = Events::open(client.request(Method::GET, &client.of_meet("/events")).header("Last-Event-ID", cursor)).await;
        events.expect("hello").await;
        is_the_end(&events.expect("end").await.json);
    }
    let mut lines = RawStream::open(&viewer, "after=0&format=ndjson&maxSeconds=1").await;
    lines.head().await;
    let mut kinds = Vec::new();
    while let Some(object) = lines.object().await {
        kinds.push(kind(&object).to_owned());
    }
    assert_eq!(kinds, ["HELLO", "UPDATE_RELAY", "END"], "a stream with a time of its own ends by it");
}

#[tokio::test]
async fn keys_and_sessions_still_end_their_streams() {
    let server = TestServer::start().await;
    let desk = meet_of(&server, 1).await;
    let (viewer, platform) = (desk.viewer().await, desk.join("platform 1").await);
    finished(&desk).await;
    let (mut viewers, mut editors) = (viewer.events("after=now").await, platform.events("after=now").await);
    for events in [&mut viewers, &mut editors] {
        events.expect("hello").await;
        is_the_end(&events.expect("end").await.json);
    }
    desk.delete(&desk.of_meet(&format!("/view-keys/{}", viewer.session["keyId"].as_str().unwrap()))).await.expect(204);
    platform.delete(&platform.of_meet("/session")).await.expect(204);
    for events in [&mut viewers, &mut editors] {
        assert_eq!(events.expect("end").await.json["reason"], "revoked");
        assert!(events.try_next().await.is_none());
    }
    let mut last = desk.events("after=now").await;
    last.expect("hello").await;
    is_the_end(&last.expect("end").await.json);
    server.app.stopping.cancel();
    let end = last.expect("end").await;
    assert_eq!(end.json["reason"], "shutdown");
    assert!(end.retry.is_some() && last.try_next().await.is_none());
}
