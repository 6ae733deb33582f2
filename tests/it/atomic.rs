//! All or nothing, and only onto the head that was seen: `mode: atomic` and `ifHead`.

use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::server::options;
use crate::support::{Client, TestServer};

fn set(number: u64, key: &str, value: impl Into<Value>) -> Value {
    json!({"updateKey": key, "updateValue": value.into(), "localSeqNum": number})
}

async fn atomic(client: &Client, updates: Value, after: impl Into<Value>) -> Reply {
    client.sync(&json!({"updates": updates, "after": after.into(), "mode": "atomic"})).await
}

async fn cursor(client: &Client) -> Value {
    client.state().await["cursor"].clone()
}

fn keys(news: &Value) -> Vec<&str> {
    news["updatesRelayed"].as_array().unwrap().iter().map(|entry| entry["updateKey"].as_str().unwrap()).collect()
}

/// A meet in which the director has set `weight` to 82.4 (number 1) and `name` (number 2) while the desk had seen nothing.
async fn disputed(server: &TestServer) -> (Client, Client) {
    let desk = server.meet().await;
    let director = desk.join("director").await;
    director.push(json!([set(1, "weight", 82.4), set(2, "name", "Sam")])).await.expect(200);
    (desk, director)
}

/// The desk's batch, of which number 3 contradicts the director.
fn batch() -> Value {
    json!([set(1, "lot", 7), set(2, "flight", "A"), set(3, "weight", 80), set(4, "rack", 12), set(5, "bench", 3)])
}

#[tokio::test]
async fn a_refusal_in_the_middle_leaves_everything_as_it_was() {
    let server = TestServer::start().await;
    let (desk, _) = disputed(&server).await;
    let before = desk.state().await;
    let problem = atomic(&desk, batch(), 0).await.problem(409, "sync-conflict");
    assert_eq!(problem["msgType"], "SYNC_CONFLICT");
    assert_eq!((&problem["processed"], &problem["remaining"]), (&json!([1, 2]), &json!([4, 5])));
    assert_eq!(
        (&problem["problem"]["localSeqNum"], &problem["problem"]["code"], &problem["problem"]["conflict"]),
        (&json!(3), &json!("overruled"), &json!(true))
    );
    assert_eq!(problem["problem"]["standing"]["updateValue"], 82.4);
    assert_eq!(keys(&problem), ["weight", "name"], "the news come along");
    assert_eq!((&problem["cursor"], &problem["more"]), (&before["cursor"], &json!(false)));
    assert!(problem["detail"].as_str().unwrap().contains("weight was changed meanwhile by director"), "{problem}");
    assert_eq!(desk.state().await, before);
}

/// The client's decision of the sync chain: drop the one in the way, send the rest onto what is there now.
#[tokio::test]
async fn the_client_drops_one_and_the_rest_commits_together() {
    let server = TestServer::start().await;
    let (desk, _) = disputed(&server).await;
    let problem = atomic(&desk, batch(), 0).await.problem(409, "sync-conflict");
    let rest: Vec<_> = batch().as_array().unwrap().iter().filter(|update| update["localSeqNum"] != 3).cloned().collect();
    let body = json!({"updates": rest, "after": problem["cursor"], "mode": "atomic", "ifHead": problem["cursor"]});
    let reply = desk.sync(&body).await.expect(200);
    let acked: Vec<_> = reply["updateAcks"].as_array().unwrap().iter().map(|ack| ack["localSeqNum"].as_u64().unwrap()).collect();
    assert_eq!(acked, [1, 2, 4, 5]);
    let entries = reply["updatesRelayed"].as_array().unwrap();
    assert!(entries.len() == 4 && entries.iter().all(|entry| entry["commit"] == 3), "one commit: {entries:?}");
    assert_eq!(desk.state().await["state"], json!({"weight": 82.4, "name": "Sam", "lot": 7, "flight": "A", "rack": 12, "bench": 3}));
}

/// Dropping everything that is left must not touch what somebody else commits in the meantime.
#[tokio::test]
async fn dropping_the_rest_deletes_nothing_of_anybody_else() {
    let server = TestServer::start().await;
    let (desk, director) = disputed(&server).await;
    let problem = atomic(&desk, batch(), 0).await.problem(409, "sync-conflict");
    // The other one works on the very keys that the desk is about to drop.
    director.push(json!([set(3, "rack", 14), set(4, "bench", 5), set(5, "lot", 9)])).await.expect(200);
    let keep = json!([set(2, "flight", "A")]);
    let body = json!({"updates": keep, "after": problem["cursor"], "mode": "atomic"});
    let reply = desk.sync(&body).await.expect(200);
    assert_eq!(keys(&reply), ["rack", "bench", "lot", "flight"]);
    assert_eq!(director.state().await["state"], json!({"weight": 82.4, "name": "Sam", "rack": 14, "bench": 5, "lot": 9, "flight": "A"}));
}

#[tokio::test]
async fn a_refused_batch_can_be_sent_again_and_its_numbers_serve_for_something_else() {
    let server = TestServer::start().await;
    let (desk, _) = disputed(&server).await;
    let told =
        |problem: &Value| [&problem["processed"], &problem["problem"], &problem["remaining"], &problem["updatesRelayed"]].map(Value::clone);
    let first = atomic(&desk, batch(), 0).await.problem(409, "sync-conflict");
    for session in [desk.clone(), desk.rejoin().await] {
        let again = atomic(&session, batch(), 0).await.problem(409, "sync-conflict");
        assert_eq!(told(&again), told(&first));
    }
    let other = json!([set(1, "platform", 2), set(3, "weight", 83)]);
    let reply = atomic(&desk, other.clone(), first["cursor"].clone()).await.expect(200);
    assert_eq!(reply["updateAcks"], json!([{"localSeqNum": 1, "serverSeqNum": 3}, {"localSeqNum": 3, "serverSeqNum": 4}]));
    let reply = atomic(&desk, other, first["cursor"].clone()).await.expect(200);
    assert!(reply["updateAcks"].as_array().unwrap().iter().all(|ack| ack["duplicate"] == true));
    assert_eq!(reply["headSeqNum"], 4);
}

/// Nothing of a refused batch reaches the disk either, so no restart brings any of it back.
#[tokio::test]
async fn a_refused_batch_leaves_no_trace_in_the_journal() {
    let (server, store) = TestServer::in_memory().await;
    let (desk, _) = disputed(&server).await;
    let before = store.log(desk.meet.parse().unwrap());
    atomic(&desk, batch(), 0).await.problem(409, "sync-conflict");
    assert_eq!(store.log(desk.meet.parse().unwrap()), before);

    drop(server);
    let server = TestServer::on(std::sync::Arc::new(store), options()).await;
    let desk = desk.at(&server.url);
    let reply = atomic(&desk, json!([set(1, "other", 1), set(3, "weight", 81)]), 2).await.expect(200);
    assert_eq!(reply["updateAcks"].as_array().unwrap().len(), 2);
}

/// Not only conflicts: whatever would be refused by itself stops an atomic batch.
#[tokio::test]
async fn a_refusal_of_any_kind_stops_the_batch() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.push(json!([set(90, "scalar", 1), set(91, "list", json!([]))])).await.expect(200);
    for (bad, code) in [
        (json!({"updateKey": "a..b", "updateValue": 1, "localSeqNum": 2}), "invalid-key"),
        (json!({"updateKey": "a", "updateValue": {"__proto__": 1}, "localSeqNum": 2}), "invalid-value"),
        (json!({"updateKey": "never", "op": "remove", "localSeqNum": 2}), "absent"),
        (json!({"updateKey": "scalar", "updateValue": 2, "op": "create", "localSeqNum": 2}), "exists"),
        (json!({"updateKey": "scalar.x", "updateValue": 2, "localSeqNum": 2}), "not-a-container"),
        (json!({"updateKey": "list[1]", "updateValue": 2, "localSeqNum": 2}), "out-of-range"),
        (json!({"updateKey": "list[0]", "updateValue": 2, "op": "create", "localSeqNum": 2}), "array-element"),
        (json!({"updateKey": "scalar", "updateValue": 2, "localSeqNum": 90}), "id-reuse"),
    ] {
        let problem = atomic(&desk, json!([set(1, "a", 1), bad, set(3, "c", 1)]), 2).await.problem(409, "sync-conflict");
        assert_eq!((&problem["problem"]["code"], &problem["processed"], &problem["remaining"]), (&json!(code), &json!([1]), &json!([3])));
        assert_eq!(problem["updatesRelayed"], json!([]), "there is no news since 2");
    }
    assert_eq!(desk.state().await["state"], json!({"scalar": 1, "list": []}));
}

/// A batch without numbers of its own is told the place, and `processed` and `remaining` have nothing to name.
#[tokio::test]
async fn an_atomic_batch_without_numbers_is_told_the_place() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let updates = json!([{"updateKey": "a", "updateValue": 1}, {"updateKey": "never", "op": "remove"}]);
    let body = json!({"updates": updates, "mode": "atomic"});
    let problem = desk.post(&desk.of_meet("/updates"), &body).await.problem(409, "sync-conflict");
    assert_eq!((&problem["problem"]["index"], &problem["processed"], &problem["remaining"]), (&json!(1), &json!([]), &json!([])));
}

/// In a push the news begin at the lowest number that an update had seen; they come in pages.
#[tokio::test]
async fn news_begin_where_the_batch_had_seen_least() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let director = desk.join("director").await;
    for number in 0..5_u64 {
        director.push(json!([set(number, &format!("key{number}"), number)])).await.expect(200);
    }
    let seen = |mut update: Value, after: u64| {
        update["afterServerSeqNum"] = after.into();
        update
    };
    let body = json!({"mode": "atomic", "updates": [seen(set(1, "key4", 0), 3), seen(set(2, "other", 0), 2)]});
    let problem = desk.post(&desk.of_meet("/updates"), &body).await.problem(409, "sync-conflict");
    assert_eq!(keys(&problem), ["key2", "key3", "key4"]);

    let page = json!({"mode": "atomic", "updates": body["updates"], "after": 0, "limit": 2});
    let problem = desk.sync(&page).await.problem(409, "sync-conflict");
    assert_eq!((keys(&problem), &problem["more"]), (vec!["key0", "key1"], &json!(true)));
    assert_eq!((&problem["serverSeqNum"], &problem["headSeqNum"]), (&json!(2), &json!(5)), "the client pulls on from here");
    let next = desk.pull(problem["cursor"].as_str().unwrap()).await;
    assert_eq!(keys(&next), ["key2", "key3", "key4"]);
}

#[tokio::test]
async fn a_head_that_moved_is_stale_and_the_news_come_along() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let director = desk.join("director").await;
    let start = cursor(&desk).await;
    director.push(json!([set(1, "elsewhere", 1)])).await.expect(200);
    for mode in ["each", "atomic"] {
        let body = json!({"updates": [set(1, "a", 1), set(2, "b", 1)], "ifHead": start, "mode": mode});
        let problem = desk.post(&desk.of_meet("/updates"), &body).await.problem(409, "sync-stale");
        assert_eq!((&problem["msgType"], keys(&problem)), (&json!("SYNC_STALE"), vec!["elsewhere"]));
        assert_eq!((&problem["cursor"], &problem["more"]), (&cursor(&desk).await, &json!(false)));
        assert!(problem["detail"].as_str().unwrap().contains("with the new cursor"), "{problem}");
    }
    let head = cursor(&desk).await;
    let body = json!({"updates": [set(1, "a", 1), set(2, "b", 1)], "ifHead": head, "mode": "atomic"});
    let reply = desk.post(&desk.of_meet("/updates"), &body).await.expect(200);
    assert_eq!(reply["serverSeqNum"], 3);
    assert_eq!(reply["cursor"], cursor(&desk).await, "good for the next ifHead");
}

#[tokio::test]
async fn if_head_may_be_a_bare_number_and_must_be_of_this_log() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let start = cursor(&desk).await;
    let push = |if_head: Value| {
        let (desk, path) = (desk.clone(), desk.of_meet("/updates"));
        async move { desk.post(&path, &json!({"updates": [{"updateKey": "a", "updateValue": 1}], "ifHead": if_head})).await }
    };
    push(json!(0)).await.expect(200);
    push(json!("1")).await.expect(200);
    push(start).await.problem(409, "sync-stale");
    push(json!("2-00000000")).await.problem(409, "history-changed");
    push(json!(3)).await.problem(409, "server-behind");
    assert_eq!(desk.state().await["serverSeqNum"], 2);
}

/// A meet's readers see an atomic batch as one unit.
#[tokio::test]
async fn readers_see_the_batch_as_one() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut events = desk.join("platform 1").await.events("after=now").await;
    events.expect("hello").await;
    atomic(&desk, batch(), 0).await.expect(200);
    let relay = events.expect("update-relay").await;
    assert_eq!(keys(&relay.json), ["lot", "flight", "weight", "rack", "bench"]);
    let page = desk.get(&desk.of_meet("/updates?limit=2")).await.expect(200);
    assert_eq!(page["updatesRelayed"].as_array().unwrap().len(), 5, "nor does a page split it");
}

/// Many clients append to one list, each onto the head that it has seen: nobody's element is lost or doubled.
#[tokio::test]
async fn clients_that_race_for_the_head_all_get_their_turn() {
    const EACH: u64 = 5;
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("list", json!([])).await;
    let mut racers = Vec::new();
    for location in ["platform 1", "platform 2", "director"] {
        racers.push(tokio::spawn(append_to_list(desk.join(location).await, EACH)));
    }
    let mut stale = 0;
    for racer in racers {
        stale += racer.await.unwrap();
    }
    let state = desk.state().await;
    let mut list: Vec<String> = serde_json::from_value(state["state"]["list"].clone()).unwrap();
    assert_eq!(state["serverSeqNum"].as_u64(), Some(1 + 3 * EACH));
    list.sort();
    list.dedup();
    assert!(stale >= 3, "everybody starts from an old head");
    assert_eq!(list.len() as u64, 3 * EACH, "{list:?}");
}

/// Appends elements by replacing the whole list; gives how often the head had moved.
async fn append_to_list(client: Client, count: u64) -> u64 {
    let mut stale = 0;
    let (mut list, mut head) = (Vec::<Value>::new(), json!(0));
    let follow = |list: &mut Vec<Value>, news: &Value| {
        if let Some(entry) = news["updatesRelayed"].as_array().unwrap().last() {
            *list = entry["updateValue"].as_array().unwrap().clone();
        }
    };
    for number in 0..count {
        loop {
            let mut wanted = list.clone();
            wanted.push(json!(format!("{} {number}", client.location)));
            let body = json!({"updates": [set(number, "list", wanted)], "after": head, "ifHead": head, "mode": "atomic"});
            let reply = client.sync(&body).await;
            let done = reply.status == 200;
            let news = if done { reply.expect(200) } else { reply.problem(409, "sync-stale") };
            follow(&mut list, &news);
            head = news["cursor"].clone();
            if done {
                break;
            }
            stale += 1;
        }
    }
    stale
}
