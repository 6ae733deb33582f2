//! Long-polls and the state: waiting for news without a stream, and what the state says at every number.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use liftrelay::http::Options;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::stream::assert_gapless;
use crate::support::tls::Identity;
use crate::support::{Client, TestServer};

/// Far above what any of these tests takes, below the cap: who waits so long is not released at once.
const LONG: u64 = 20;
const AT_ONCE: Duration = Duration::from_secs(8);

/// A desk for each way that a poll's answer goes: by itself on HTTP/1, plain and under TLS, and by hyper's body over HTTP/2.
async fn desks() -> Vec<(TestServer, Client)> {
    let (identity, plain) = (Identity::new(), TestServer::start().await);
    let mut desks = vec![(plain.meet().await, plain)];
    for http in [identity.http().http1_only(), identity.http()] {
        let server = TestServer::secure(&identity.tls(), Options::default());
        desks.push((Client::over(http.build().unwrap(), &server.url).create_as("desk").await, server));
    }
    desks.into_iter().map(|(desk, server)| (server, desk)).collect()
}

/// A request and how long it took.
async fn timed<T>(request: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let result = request.await;
    (result, started.elapsed())
}

async fn state(client: &Client, query: &str) -> Reply {
    client.get(&client.of_meet(&format!("/state?{query}"))).await
}

async fn state_unless(client: &Client, tags: &str, query: &str) -> Reply {
    let request = client.request(Method::GET, &client.of_meet(&format!("/state?{query}")));
    client.send(request.header("If-None-Match", tags)).await
}

async fn updates(client: &Client, query: &str) -> Reply {
    client.get(&client.of_meet(&format!("/updates?{query}"))).await
}

/// Returns once so many viewers wait or stream.
async fn until_viewers(editor: &Client, wanted: usize) {
    let deadline = Instant::now() + AT_ONCE;
    loop {
        let viewers = editor.get(&editor.of_meet("")).await.expect(200)["viewers"].as_u64().unwrap();
        if viewers == wanted as u64 {
            return;
        }
        assert!(Instant::now() < deadline, "{viewers} viewers instead of {wanted}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn whoever_waits_is_released_by_a_commit() {
    for (_server, desk) in desks().await {
        desk.set("lot", json!(1)).await;
        let (viewer, platform) = (desk.viewer().await, desk.join("platform 1").await);
        let tag = state(&viewer, "").await.header("etag").to_owned();
        let body = json!({"after": 1, "wait": LONG});
        let pulls = timed(updates(&viewer, "after=1&wait=20"));
        let endless = timed(updates(&viewer, "after=1&wait=1000000000"));
        let after = timed(state(&viewer, "after=1&wait=20"));
        let tagged = timed(state_unless(&viewer, &tag, "wait=20"));
        let sync = timed(platform.sync(&body));
        let commit = async {
            until_viewers(&desk, 4).await;
            desk.set("lot", json!(2)).await
        };
        let (pulls, endless, after, tagged, sync, _) = tokio::join!(pulls, endless, after, tagged, sync, commit);
        for (reply, took) in [pulls, endless, sync] {
            assert!(took < AT_ONCE, "{took:?}");
            let page = reply.expect(200);
            assert_gapless(page["updatesRelayed"].as_array().unwrap(), 2);
            assert_eq!((&page["serverSeqNum"], &page["headSeqNum"], &page["more"]), (&json!(2), &json!(2), &json!(false)));
        }
        for (reply, took) in [after, tagged] {
            assert!(took < AT_ONCE, "{took:?}");
            let json = reply.expect(200);
            assert_eq!((&json["state"], &json["serverSeqNum"]), (&json!({"lot": 2}), &json!(2)));
        }
    }
}

#[tokio::test]
async fn a_wait_without_news_ends_as_an_empty_answer() {
    for (_server, desk) in desks().await {
        desk.set("lot", json!(1)).await;
        let head = desk.state().await;
        let tag = format!("\"{}\"", head["cursor"].as_str().unwrap());
        let body = json!({"after": head["cursor"], "wait": 1, "updates": []});
        let (pull, sync) = (timed(updates(&desk, "after=1&wait=1")), timed(desk.sync(&body)));
        let (after, tagged) = (timed(state(&desk, "after=1&wait=1")), timed(state_unless(&desk, &tag, "wait=1")));
        let (pull, sync, after, tagged) = tokio::join!(pull, sync, after, tagged);
        for (reply, took) in [pull, sync] {
            assert!((Duration::from_secs(1)..AT_ONCE).contains(&took), "{took:?}");
            let page = reply.expect(200);
            assert_eq!(page["updatesRelayed"], json!([]));
            assert_eq!((&page["cursor"], &page["headSeqNum"], &page["more"]), (&head["cursor"], &json!(1), &json!(false)));
        }
        for (reply, took) in [after, tagged] {
            assert!((Duration::from_secs(1)..AT_ONCE).contains(&took), "{took:?}");
            assert_eq!((reply.status.as_u16(), reply.header("etag"), &*reply.text), (304, &*tag, ""));
        }
    }
}

#[tokio::test]
async fn a_wait_is_a_span_of_time() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for wait in ["-1", "NaN", "soon", ""] {
        for path in ["/updates", "/state"] {
            desk.get(&desk.of_meet(&format!("{path}?wait={wait}"))).await.problem(422, "invalid-request");
        }
    }
    for wait in [json!(-1), json!("1"), json!(null)] {
        desk.sync(&json!({"after": 0, "wait": wait})).await.problem(422, "invalid-request");
    }
    let (reply, took) = timed(updates(&desk, "wait=0.05")).await;
    assert!(took >= Duration::from_millis(50) && reply.expect(200)["updatesRelayed"] == json!([]));
}

#[tokio::test]
async fn a_wait_is_for_those_who_have_everything() {
    for (_server, desk) in desks().await {
        desk.set("lot", json!(1)).await;
        desk.set("lot", json!(2)).await;
        let news = async || {
            assert_eq!(updates(&desk, "after=1&wait=20").await.expect(200)["updatesRelayed"].as_array().unwrap().len(), 1);
            assert_eq!(state(&desk, "after=1&wait=20").await.expect(200)["serverSeqNum"], 2);
            assert_eq!(state_unless(&desk, "\"1-00000000\"", "wait=20").await.expect(200)["serverSeqNum"], 2);
            assert_eq!(state(&desk, "wait=20").await.expect(200)["serverSeqNum"], 2, "who names nothing knows nothing");
            desk.sync(&json!({"after": 1, "wait": LONG})).await.expect(200)
        };
        let (page, took) = timed(news()).await;
        assert!(took < AT_ONCE, "{took:?}");
        assert_gapless(page["updatesRelayed"].as_array().unwrap(), 2);
    }
}

#[tokio::test]
async fn a_sync_that_brings_updates_is_answered_at_once() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let update = json!({"updateKey": "lot", "updateValue": 1, "localSeqNum": 1});
    let syncs = async || {
        let first = desk.sync(&json!({"after": 0, "wait": LONG, "updates": [update]})).await.expect(200);
        assert_eq!(first["updateAcks"][0]["serverSeqNum"], 1);
        assert_gapless(first["updatesRelayed"].as_array().unwrap(), 1);
        // Nothing new comes of these, and still somebody waits for their answers.
        let again = desk.sync(&json!({"after": 1, "wait": LONG, "updates": [update]})).await.expect(200);
        assert_eq!((&again["updateAcks"][0]["duplicate"], &again["updatesRelayed"]), (&json!(true), &json!([])));
        let wrong = json!({"updateKey": "", "updateValue": 1, "localSeqNum": 2});
        let refused = desk.sync(&json!({"after": 1, "wait": LONG, "updates": [wrong]})).await.expect(200);
        assert_eq!((&refused["updatesRejected"][0]["code"], &refused["updatesRelayed"]), (&json!("invalid-key"), &json!([])));
    };
    let ((), took) = timed(syncs()).await;
    assert!(took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn one_commit_releases_everyone_who_waits() {
    for (_server, desk) in desks().await {
        // As many as one connection of HTTP/2 carries, less a few.
        const WAITING: usize = 120;
        let viewer = desk.viewer().await;
        let waiting = join_all((0..WAITING).map(|_| timed(updates(&viewer, "after=0&wait=20"))));
        let commit = async {
            until_viewers(&desk, WAITING).await;
            desk.push(json!([{"updateKey": "a", "updateValue": 1}, {"updateKey": "b", "updateValue": 2}])).await.expect(200);
            Instant::now()
        };
        let (released, _) = tokio::join!(waiting, commit);
        assert_eq!(released.len(), WAITING);
        for (reply, took) in released {
            assert!(took < Duration::from_secs(LONG - 2), "{took:?}");
            let page = reply.expect(200);
            assert_gapless(page["updatesRelayed"].as_array().unwrap(), 1);
            assert_eq!(page["serverSeqNum"], 2, "the whole commit");
        }
        until_viewers(&desk, 0).await;
    }
}

#[tokio::test]
async fn a_state_that_is_known_already_is_not_sent_again() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("lot", json!(1)).await;
    let first = state(&desk, "").await;
    let (tag, cursor) = (first.header("etag").to_owned(), first.json["cursor"].as_str().unwrap().to_owned());
    assert_eq!(tag, format!("\"{cursor}\""));
    for tags in [&*tag, &format!("W/{tag}"), &format!("\"0-00000000\", {tag}"), "*"] {
        let reply = state_unless(&desk, tags, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("etag"), &*reply.text), (304, &*tag, ""), "{tags}");
    }
    assert_eq!(state(&desk, &format!("after={cursor}")).await.status, 304);
    assert_eq!(state_unless(&desk, &tag, "at=1").await.status, 304);
    assert_eq!(state_unless(&desk, &tag, "at=0").await.expect(200)["state"], json!({}));
    desk.set("lot", json!(2)).await;
    for reply in [state_unless(&desk, &tag, "").await, state(&desk, &format!("after={cursor}")).await] {
        assert_ne!(reply.header("etag"), tag);
        assert_eq!(reply.expect(200)["state"], json!({"lot": 2}));
    }
}

#[tokio::test]
async fn every_earlier_state_can_be_had_again() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut states = vec![desk.state().await];
    assert_eq!(states[0]["state"], json!({}));
    let updates = [
        json!({"updateKey": "registration.entries[5003]", "updateValue": {"name": "Ada", "squatKg": []}}),
        json!({"updateKey": "registration.entries[5003].squatKg[0]", "updateValue": 182.5}),
        json!({"updateKey": "registration.entries[5004].name", "updateValue": "Bo"}),
        json!({"updateKey": "registration.entries[5003].squatKg[1]", "updateValue": 190}),
        json!({"updateKey": "registration.entries[5003].squatKg[0]", "updateValue": 185}),
        json!({"updateKey": "registration.entries[5004]", "op": "remove"}),
        json!({"updateKey": "registration.entries[5003].name", "updateValue": null}),
        json!({"updateKey": "registration.entries", "updateValue": {}}),
        json!({"updateKey": "registration.entries[5004]", "op": "create", "updateValue": {}}),
    ];
    for update in &updates {
        desk.push(json!([update])).await.expect(200);
        states.push(desk.state().await);
    }
    for (at, then) in states.iter().enumerate() {
        assert_eq!(then["serverSeqNum"], at, "every update was a commit");
        let cursor = then["cursor"].as_str().unwrap();
        for query in [format!("at={at}"), format!("at={cursor}")] {
            assert_eq!(state(&desk, &query).await.expect(200), *then, "{query}");
        }
        // What lies before a number does not change with what comes after it.
        let squats = state(&desk, &format!("at={at}&path=registration.entries.5003.squatKg")).await;
        match then["state"].pointer("/registration/entries/5003/squatKg") {
            Some(value) => assert_eq!(squats.expect(200)["state"], *value),
            None => drop(squats.problem(404, "not-found")),
        }
    }
    state(&desk, "at=10").await.problem(409, "server-behind");
    state(&desk, "at=3-00000000").await.problem(409, "history-changed");
    state(&desk, "at=now").await.problem(400, "invalid-cursor");
}

#[tokio::test]
async fn a_part_of_the_state_is_addressed_by_its_key() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("registration.entries[5003]", json!({"name": "Ada", "team": null, "squatKg": [180, 190]})).await;
    desk.set(r#"notes["x, \"y\"/ü"]"#, json!("kept")).await;
    let at = async |path: &str| {
        let request = desk.request(Method::GET, &desk.of_meet("/state")).query(&[("path", path)]);
        desk.send(request).await
    };
    for path in ["registration.entries.5003", "registration.entries[5003]", r#"registration["entries"]["5003"]"#] {
        let part = at(path).await;
        assert_eq!(part.header("etag"), format!("\"{}\"", part.json["cursor"].as_str().unwrap()));
        assert_eq!(part.expect(200)["state"], json!({"name": "Ada", "team": null, "squatKg": [180, 190]}), "{path}");
    }
    assert_eq!(state(&desk, "path=registration.entries.5003.squatKg.1").await.expect(200)["state"], 190);
    assert_eq!(at("registration.entries[5003].team").await.expect(200)["state"], Value::Null, "null stands like any other value");
    assert_eq!(at(r#"notes["x, \"y\"/ü"]"#).await.expect(200)["state"], "kept");
    for nothing in ["registration.entries.5004", "registration.entries.5003.squatKg.2", "registration.entries.5003.name.first", "lifting"] {
        at(nothing).await.problem(404, "not-found");
    }
    for wrong in ["", "a..b", "a[", "a.__proto__", "a b"] {
        at(wrong).await.problem(422, "invalid-request");
    }
}

/// Many ask for the same page, so it is encoded once; what has changed since must show all the same, and to each kind of reader its own.
#[tokio::test]
async fn a_page_that_was_asked_for_before_says_what_is_so_by_now() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    desk.set("registration.entries[5000]", json!({"name": "Ada", "notes": "secret"})).await;
    for number in 1..4_u64 {
        for _ in 0..2 {
            let (whole, redacted) = (updates(&desk, "after=0").await.expect(200), updates(&viewer, "after=0").await.expect(200));
            for page in [&whole, &redacted] {
                assert_eq!((&page["headSeqNum"], &page["serverSeqNum"]), (&json!(number), &json!(number)));
                assert_eq!((page["updatesRelayed"].as_array().unwrap().len() as u64, &page["status"]), (number, &json!("live")));
            }
            assert_eq!(whole["updatesRelayed"][0]["updateValue"]["notes"], "secret");
            assert_eq!(redacted["updatesRelayed"][0]["updateValue"], json!({"name": "Ada"}));
            let first = updates(&desk, "after=0&limit=1").await.expect(200);
            assert_eq!((first["updatesRelayed"].as_array().unwrap().len(), &first["more"]), (1, &json!(number > 1)));
        }
        desk.set("lot", json!(number)).await;
    }
    updates(&desk, "after=0").await.expect(200);
    desk.post(&desk.of_meet("/finish"), &json!({})).await.expect(200);
    assert_eq!(updates(&desk, "after=0").await.expect(200)["status"], "finished");
}
