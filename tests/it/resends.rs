//! Sending again: the same update gets the same answer, and the log holds it once.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use liftrelay::store::memory::Fault;

use crate::support::client::PASSWORD;
use crate::support::process::Process;
use crate::support::server::options;
use crate::support::{Client, TestServer};

fn set(number: u64, key: &str, value: impl Into<Value>) -> Value {
    json!({"updateKey": key, "updateValue": value.into(), "localSeqNum": number})
}

/// Made before anything that others did was seen.
fn unseen(mut update: Value) -> Value {
    update["afterServerSeqNum"] = 0.into();
    update
}

/// What a resend of these answers must say: the same, and that it is a duplicate where something stands.
fn again(answers: &Value) -> Value {
    let mut answers = answers.clone();
    for ack in answers["updateAcks"].as_array_mut().unwrap() {
        ack["duplicate"] = true.into();
    }
    json!([answers["updateAcks"], answers["updatesRejected"]])
}

fn told(reply: &Value) -> Value {
    json!([reply["updateAcks"], reply["updatesRejected"]])
}

async fn log(client: &Client) -> Vec<Value> {
    client.pull(0).await["updatesRelayed"].as_array().unwrap().clone()
}

/// A batch that is answered in every way there is: committed, over another, merged, refused with and without a conflict.
async fn every_answer(desk: &Client) -> Value {
    let director = desk.join("director").await;
    director.push(json!([set(1, "a", 1), set(2, "b", 1), {"updateKey": "b", "op": "remove"}])).await.expect(200);
    json!([
        set(1, "meet.name", "Test Open"),
        unseen(set(2, "a", 2)),
        {"updateKey": "b", "op": "remove", "localSeqNum": 3},
        {"updateKey": "never", "op": "remove", "localSeqNum": 4},
        set(5, "a..b", 1),
        set(6, "a.x", 1),
        {"updateKey": "a", "updateValue": 1, "op": "create", "localSeqNum": 7},
        {"updateKey": "a", "updateValue": 2, "op": "create", "localSeqNum": 8},
    ])
}

fn codes(reply: &Value) -> Vec<&str> {
    reply["updatesRejected"].as_array().unwrap().iter().map(|rejection| rejection["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_same_session_and_a_new_one_get_the_same_answers() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let batch = every_answer(&desk).await;
    let first = desk.push(batch.clone()).await.expect(200);
    let merged: Vec<_> = first["updateAcks"].as_array().unwrap().iter().map(|ack| ack["merged"] == true).collect();
    assert_eq!(merged, [false, true, true]);
    assert_eq!(codes(&first), ["overruled", "absent", "invalid-key", "not-a-container", "exists"]);
    let before = log(&desk).await;

    assert_eq!(told(&desk.push(batch.clone()).await.expect(200)), again(&first));
    let new_session = desk.rejoin().await;
    assert_eq!(told(&new_session.push(batch.clone()).await.expect(200)), again(&first));
    let reply = new_session.sync(&json!({"updates": batch, "after": 0})).await.expect(200);
    assert_eq!(told(&reply), again(&first));
    assert_eq!(reply["updatesRelayed"], json!(before), "the log tells the same to who lost its acks");
    assert_eq!(log(&desk).await, before);
}

/// What was answered once stays answered so, though it would be judged otherwise now.
#[tokio::test]
async fn a_refusal_is_repeated_after_its_reason_has_gone() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let batch = every_answer(&desk).await;
    let first = desk.push(batch.clone()).await.expect(200);
    let changes = json!([{"updateKey": "a", "op": "remove"}, set(9, "never", 1), set(10, "b", 1)]);
    desk.push(changes).await.expect(200);
    let head = desk.state().await["serverSeqNum"].clone();
    let reply = desk.push(batch).await.expect(200);
    assert_eq!(told(&reply), again(&first));
    assert_eq!(reply["serverSeqNum"], head);
}

#[tokio::test]
async fn an_ack_repeats_what_it_overruled() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let director = desk.join("director").await;
    desk.set("a", json!(1)).await;
    let batch = json!([unseen(set(1, "a", 2))]);
    assert_eq!(
        director.push(batch.clone()).await.expect(200)["updateAcks"],
        json!([{"localSeqNum": 1, "serverSeqNum": 2, "overrules": [1]}])
    );
    desk.set("a", json!(3)).await;
    assert_eq!(
        director.push(batch).await.expect(200)["updateAcks"],
        json!([{"localSeqNum": 1, "serverSeqNum": 2, "overrules": [1], "duplicate": true}])
    );
}

/// The process is killed, not stopped, between the answer and the resend.
#[tokio::test]
async fn a_crash_in_between_changes_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let batch = every_answer(&desk).await;
    let first = desk.push(batch.clone()).await.expect(200);
    let before = log(&desk).await;

    let process = process.crash_and_restart();
    let desk = desk.at(&process.url);
    assert_eq!(told(&desk.push(batch.clone()).await.expect(200)), again(&first), "the old session and its answers live on");
    let process = process.crash_and_restart();
    let desk = desk.at(&process.url).rejoin().await;
    assert_eq!(told(&desk.push(batch).await.expect(200)), again(&first));
    assert_eq!(log(&desk).await, before);
    assert_eq!(codes(&desk.push(json!([set(1, "meet.name", "Other")])).await.expect(200)), ["id-reuse"]);
}

/// The plug is pulled while a batch is on its way, or when others have seen it already: its sender cannot know how far it
/// came, and sending it again is right.
#[tokio::test]
async fn a_batch_sent_into_a_crash_is_there_once_after_a_resend() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path());
    let mut desk = process.stranger().create_as("desk").await;
    for round in 0..4_u64 {
        let number = 2 * round;
        let mut events = desk.events(&format!("after={number}")).await;
        let batch = json!([set(number, "a", number), set(number + 1, "b", number)]);
        let connection = send_only(&desk, &batch).await;
        let was_seen = round % 2 == 1;
        if was_seen {
            events.entries_until(number + 2).await;
        }
        process = process.crash_and_restart();
        drop(connection);
        desk = desk.at(&process.url);
        let reply = desk.push(batch).await.expect(200);
        let acks = reply["updateAcks"].as_array().unwrap();
        assert_eq!(acks.len(), 2);
        assert!(!was_seen || acks.iter().all(|ack| ack["duplicate"] == true), "what others saw is there after the crash: {reply}");
        let numbers: Vec<_> = log(&desk).await.iter().map(|entry| entry["localSeqNum"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..number + 2).collect::<Vec<_>>(), "each once, and in order");
    }
}

/// A disk that fails leaves it open whether the batch is there. The answer to a fault is never remembered.
#[tokio::test]
async fn after_a_failed_disk_and_a_restart_a_resend_finds_or_makes_one_entry() {
    for fault in [Fault::Write, Fault::ShortWrite, Fault::Sync] {
        let (server, store) = TestServer::in_memory().await;
        let desk = server.meet().await;
        desk.set("before", json!(1)).await;
        let batch = json!([set(1, "a", 1), {"updateKey": "never", "op": "remove", "localSeqNum": 2}]);
        store.fail_next_append(fault);
        desk.push(batch.clone()).await.problem(503, "storage-failed");
        assert_eq!(log(&desk).await.len(), 1, "nothing is shown that may be lost");

        drop(server);
        let server = TestServer::on(std::sync::Arc::new(store), options()).await;
        let desk = desk.at(&server.url);
        let reply = desk.push(batch).await.expect(200);
        assert_eq!(reply["updateAcks"][0]["serverSeqNum"], 2, "{fault:?}");
        assert_eq!(reply["updateAcks"][0]["duplicate"] == true, fault == Fault::Sync, "{fault:?}");
        assert_eq!(codes(&reply), ["absent"]);
        assert_eq!(log(&desk).await.len(), 2);
    }
}

#[tokio::test]
async fn another_key_value_or_op_under_a_known_number_is_refused() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.push(json!([set(1, "a", 1), set(2, "b", Value::Null)])).await.expect(200);
    let altered = json!([
        set(1, "b", 1),
        set(1, "a", 2),
        {"updateKey": "a", "updateValue": 1, "op": "create", "localSeqNum": 1},
        {"updateKey": "b", "op": "remove", "localSeqNum": 2},
    ]);
    let reply = desk.push(altered).await.expect(200);
    assert_eq!(codes(&reply), ["id-reuse"; 4]);
    assert!(reply["updatesRejected"][0]["reason"].as_str().unwrap().contains("localSeqNum 1 was used before"), "{reply}");
    assert_eq!(reply["updatesRejected"][0]["conflict"], false);
    // Another spelling of the same update is the same update.
    let same = json!([{"updateKey": "[\"a\"]", "updateValue": 1.0, "op": "set", "localSeqNum": 1, "afterServerSeqNum": 2}]);
    assert_eq!(desk.push(same).await.expect(200)["updateAcks"], json!([{"localSeqNum": 1, "serverSeqNum": 1, "duplicate": true}]));
    assert_eq!(log(&desk).await.len(), 2);
}

#[tokio::test]
async fn the_same_update_twice_in_one_batch_counts_once() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let reply = desk.push(json!([set(1, "a", 1), set(1, "a", 1), set(1, "a", 2)])).await.expect(200);
    assert_eq!(
        reply["updateAcks"],
        json!([{"localSeqNum": 1, "serverSeqNum": 1}, {"localSeqNum": 1, "serverSeqNum": 1, "duplicate": true}])
    );
    assert_eq!(codes(&reply), ["id-reuse"]);
    assert_eq!(log(&desk).await.len(), 1);
}

#[tokio::test]
async fn a_whole_atomic_batch_is_answered_from_memory() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let other = desk.join("director").await;
    let start = desk.state().await["cursor"].clone();
    let body = json!({"updates": [set(1, "a", 1), set(2, "b", 1)], "mode": "atomic", "ifHead": start});
    let first = desk.post(&desk.of_meet("/updates"), &body).await.expect(200);
    other.set("a", json!(9)).await;

    let reply = desk.post(&desk.of_meet("/updates"), &body).await.expect(200);
    assert_eq!(told(&reply), again(&first), "though ifHead names a head that has moved, and a was changed since");
    assert_eq!(reply["serverSeqNum"], 3, "the head is told as it is now");
    let reply = desk.rejoin().await.sync(&json!({"updates": body["updates"], "mode": "atomic", "ifHead": start, "after": 0})).await;
    assert_eq!(told(&reply.expect(200)), again(&first));
    assert_eq!(log(&desk).await.len(), 3);

    let more = json!({"updates": [set(1, "a", 1), set(3, "c", 1)], "mode": "atomic", "ifHead": start});
    desk.post(&desk.of_meet("/updates"), &more).await.problem(409, "sync-stale");
    assert_eq!(log(&desk).await.len(), 3, "something new among the known must meet the head");
}

#[tokio::test]
async fn numbers_belong_to_a_client_at_a_location() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let spare = desk.join("desk").await;
    let same_id = desk.join_with(json!({"password": PASSWORD, "locationName": "platform 1", "clientId": desk.client_id})).await;
    assert_ne!(spare.client_id, desk.client_id);
    assert_eq!(same_id.client_id, desk.client_id);
    for (number, client) in (1_u64..).zip([&desk, &spare, &same_id]) {
        let reply = client.push(json!([set(1, "a", number)])).await.expect(200);
        assert_eq!(reply["updateAcks"], json!([{"localSeqNum": 1, "serverSeqNum": number}]));
    }
    for (number, client) in (1_u64..).zip([&desk, &spare, &same_id]) {
        let reply = client.push(json!([set(1, "a", number)])).await.expect(200);
        assert_eq!(reply["updateAcks"], json!([{"localSeqNum": 1, "serverSeqNum": number, "duplicate": true}]));
    }
    assert_eq!(log(&desk).await.len(), 3);
}

/// The reply is lost, not the batch: it was committed, as others see, and its sender never hears of it.
#[tokio::test]
async fn a_lost_reply_does_not_double_the_batch() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    let mut events = platform.events("after=0").await;
    let batch = json!([set(1, "a", 1), set(2, "b", 2)]);
    let connection = send_only(&desk, &batch).await;
    events.entries_until(2).await;
    drop(connection);
    let reply = desk.push(batch).await.expect(200);
    assert_eq!(
        reply["updateAcks"],
        json!([{"localSeqNum": 1, "serverSeqNum": 1, "duplicate": true}, {"localSeqNum": 2, "serverSeqNum": 2, "duplicate": true}])
    );
    assert_eq!(log(&desk).await.len(), 2);
}

/// The connection is cut at once, so the batch may have come through or not.
#[tokio::test]
async fn a_cut_connection_does_not_double_or_lose_the_batch() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for number in 0..40_u64 {
        let batch = json!([set(number, "a", number)]);
        drop(send_only(&desk, &batch).await);
        desk.push(batch).await.expect(200);
    }
    let numbers: Vec<_> = log(&desk).await.iter().map(|entry| entry["localSeqNum"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
}

/// Two copies that arrive at once, as from a browser that retries too early.
#[tokio::test]
async fn two_copies_at_once_commit_one() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for number in 0..20_u64 {
        let batch = || json!([set(number, "a", number)]);
        let (first, second) = tokio::join!(desk.push(batch()), desk.push(batch()));
        let (first, second) = (first.expect(200), second.expect(200));
        let ack = |reply: &Value| (reply["updateAcks"][0]["serverSeqNum"].as_u64().unwrap(), reply["updateAcks"][0]["duplicate"] == true);
        let mut acks = [ack(&first), ack(&second)];
        acks.sort_unstable();
        assert_eq!(acks, [(number + 1, false), (number + 1, true)]);
    }
    assert_eq!(log(&desk).await.len(), 20);
}

/// A shell script without numbers is told places, and has no protection.
#[tokio::test]
async fn without_a_number_answers_name_the_place_and_a_resend_is_a_new_change() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let batch = json!([{"updateKey": "a", "updateValue": 1}, set(1, "b", 1), {"updateKey": "c..d", "updateValue": 1}, {"updateKey": "a", "op": "remove"}]);
    let reply = desk.push(batch.clone()).await.expect(200);
    assert_eq!(
        reply["updateAcks"],
        json!([{"index": 0, "serverSeqNum": 1}, {"localSeqNum": 1, "serverSeqNum": 2}, {"index": 3, "serverSeqNum": 3}])
    );
    assert_eq!((&reply["updatesRejected"][0]["index"], codes(&reply)), (&json!(2), vec!["invalid-key"]));
    let reply = desk.push(batch).await.expect(200);
    assert_eq!(
        reply["updateAcks"],
        json!([{"index": 0, "serverSeqNum": 4}, {"localSeqNum": 1, "serverSeqNum": 2, "duplicate": true}, {"index": 3, "serverSeqNum": 5}])
    );
    assert!(log(&desk).await.iter().all(|entry| entry.get("localSeqNum").is_some() == (entry["updateKey"] == "b")));
}

/// Writes a whole push to a connection of its own and reads nothing.
async fn send_only(client: &Client, batch: &Value) -> TcpStream {
    let body = json!({ "updates": batch }).to_string();
    let host = client.base.strip_prefix("http://").unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        client.of_meet("/updates"),
        client.token,
        body.len()
    );
    let mut connection = TcpStream::connect(host).await.unwrap();
    connection.write_all((head + &body).as_bytes()).await.unwrap();
    connection
}
