//! What a finished meet says to updates, and how it is finished.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{finish, finished};
use crate::support::client::Reply;
use crate::support::process::Process;
use crate::support::{Client, TestServer};

/// Refused because the meet is finished; gives the old answers that came along.
#[track_caller]
fn refused(reply: Reply) -> (Value, Value) {
    let mut problem = reply.problem(409, "meet-finished");
    (problem["updateAcks"].take(), problem["updatesRejected"].take())
}

/// A meet with every kind of answer, and the batch that got them.
async fn answered(desk: &Client) -> Value {
    desk.join("director").await.set("a", json!("director's")).await;
    let batch = json!([
        {"updateKey": "b", "updateValue": 1, "localSeqNum": 1},
        {"updateKey": "a", "updateValue": 2, "localSeqNum": 2, "afterServerSeqNum": 0},
        {"updateKey": "a", "op": "create", "updateValue": "director's", "localSeqNum": 3},
    ]);
    let reply = desk.push(batch.clone()).await.expect(200);
    assert_eq!((reply["updateAcks"].as_array().unwrap().len(), reply["updatesRejected"].as_array().unwrap().len()), (2, 1), "{reply}");
    batch
}

/// The answers of `answered` as a resend gets them.
fn old_answers() -> Value {
    json!([{"localSeqNum": 1, "serverSeqNum": 2, "duplicate": true}, {"localSeqNum": 3, "serverSeqNum": 1, "duplicate": true, "merged": true}])
}

async fn says_what_a_finished_meet_says(desk: &Client, batch: &Value) {
    for reply in [desk.push(batch.clone()).await, desk.sync(&json!({"updates": batch, "after": 0})).await] {
        let reply = reply.expect(200);
        assert_eq!(reply["updateAcks"], old_answers());
        assert_eq!((&reply["updatesRejected"][0]["localSeqNum"], &reply["updatesRejected"][0]["code"]), (&json!(2), &json!("overruled")));
    }
    let new = json!({"updateKey": "c", "updateValue": 1, "localSeqNum": 9});
    assert_eq!(refused(desk.push(json!([new])).await), (json!([]), json!([])));
    assert_eq!(refused(desk.push(json!([{"updateKey": "c", "op": "remove"}])).await), (json!([]), json!([])));
    let mixed: Value = [new].into_iter().chain(batch.as_array().unwrap().iter().cloned()).collect();
    let others = [
        json!({"updates": mixed, "after": 0}),
        json!({"updates": mixed, "after": 0, "mode": "atomic"}),
        json!({"updates": mixed, "after": 0, "ifHead": 0}),
    ];
    for body in others {
        for path in ["/updates", "/sync"] {
            let (acks, rejections) = refused(desk.post(&desk.of_meet(path), &body).await);
            assert_eq!((acks, &rejections[0]["code"]), (old_answers(), &json!("overruled")));
        }
    }
    // What is no update goes on as ever.
    let pulled = desk.sync(&json!({"after": 1})).await.expect(200);
    assert_eq!((pulled["updatesRelayed"].as_array().unwrap().len(), &pulled["status"]), (1, &json!("finished")));
    desk.push(json!([])).await.expect(200);
    desk.push(json!([{"updateKey": "c", "updateValue": 1, "afterServerSeqNum": 99}])).await.problem(409, "server-behind");
    desk.post(&desk.of_meet("/updates"), &json!({"updates": [{}]})).await.problem(422, "invalid-request");
    assert_eq!(desk.state().await["state"], json!({"a": "director's", "b": 1}));
}

#[tokio::test]
async fn new_updates_are_refused_and_old_ones_keep_their_answers() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let batch = answered(&desk).await;
    finished(&desk).await;
    says_what_a_finished_meet_says(&desk, &batch).await;
    // A new session of the same client is the same client.
    says_what_a_finished_meet_says(&desk.rejoin().await, &batch).await;
    let process = process.crash_and_restart();
    says_what_a_finished_meet_says(&desk.at(&process.url), &batch).await;
}

#[tokio::test]
async fn finishing_again_gives_the_same_answer_to_everyone() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let platform = desk.join("platform 1").await;
    desk.set("a", json!(1)).await;
    let together = futures_util::future::join_all([&desk, &platform, &desk, &platform].map(finish)).await;
    let first = together[0].clone().expect(200);
    for reply in together {
        assert_eq!(reply.expect(200), first);
    }
    assert_eq!(
        (&first["meetId"], &first["serverSeqNum"], &first["cursor"]),
        (&desk.session["meetId"], &json!(1), &desk.state().await["cursor"])
    );
    let finish_file = || std::fs::read_to_string(folder.path().join("data/finished-meets").join(&desk.meet).join("finished.json")).unwrap();
    let before = finish_file();
    let written: Value = serde_json::from_str(&before).unwrap();
    assert_eq!((&written["finishedAt"], &written["version"]), (&first["finishedAt"], &json!(1)));
    assert!(["desk", "platform 1"].contains(&written["locationName"].as_str().unwrap()), "{written}");
    let process = process.crash_and_restart();
    assert_eq!(finished(&platform.at(&process.url)).await, first);
    assert_eq!(finish_file(), before);
}

#[tokio::test]
async fn a_view_key_finishes_nothing_and_nothing_needs_to_be_said() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (viewer, path) = (desk.viewer().await, desk.of_meet("/finish"));
    finish(&viewer).await.problem(403, "read-only");
    desk.with_token("").post(&path, &json!({})).await.problem(401, "invalid-session");
    let send = |client: &Client, media_type: &'static str, body: &'static str| {
        let request = client.request(Method::POST, &path).header("content-type", media_type).body(body);
        let client = client.clone();
        async move { client.send(request).await }
    };
    send(&desk, "application/json", "{").await.problem(400, "malformed-message");
    send(&desk, "application/json", "[]").await.problem(422, "invalid-request");
    send(&desk, "text/plain", "{}").await.problem(415, "unsupported-media-type");
    assert_eq!(desk.get(&desk.of_meet("")).await.expect(200)["status"], "live", "none of them had an effect");
    let bodies = [
        ("application/json", ""),
        ("application/json", "{}"),
        ("application/json", " {\"later\": 1}\n"),
        ("application/x-www-form-urlencoded", ""),
    ];
    for (media_type, body) in bodies {
        let meet = server.meet().await;
        let request = meet.request(Method::POST, &meet.of_meet("/finish")).header("content-type", media_type).body(body);
        assert_eq!(meet.send(request).await.expect(200)["status"], "finished", "{media_type} {body:?}");
    }
    let meet = server.meet().await;
    meet.send(meet.request(Method::POST, &meet.of_meet("/finish"))).await.expect(200);
}

#[tokio::test]
async fn a_disk_that_fails_leaves_the_meet_as_it_was() {
    let (server, store) = TestServer::in_memory().await;
    let desk = server.meet().await;
    let mut events = desk.events("after=now").await;
    events.expect("hello").await;
    store.fail_documents(true);
    let reply = finish(&desk).await;
    assert!(!reply.header("retry-after").is_empty());
    reply.problem(503, "storage-failed");
    assert_eq!(desk.set("a", json!(1)).await, 1, "updates go on");
    assert_eq!(desk.pull(0).await["status"], "live");
    assert_eq!(events.expect("update-relay").await.json["status"], "live");
    store.fail_documents(false);
    finished(&desk).await;
    assert_eq!(events.expect("end").await.json["reason"], "finished");
}

/// Writers that go on until they are told, while the meet is finished.
#[tokio::test]
async fn nothing_acked_is_missing_in_a_meet_that_was_finished_under_load() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut writers = Vec::new();
    for location in ["desk", "platform 1", "platform 2", "director"] {
        let client = desk.join(location).await;
        writers.push(tokio::spawn(async move {
            let mut acked = Vec::new();
            for number in 1.. {
                let update = json!([{"updateKey": format!("load[\"{}\"].n{number}", client.client_id), "updateValue": number, "localSeqNum": number}]);
                let reply = client.push(update).await;
                if reply.status == 409 {
                    reply.problem(409, "meet-finished");
                    break;
                }
                acked.push(reply.expect(200)["updateAcks"][0]["serverSeqNum"].as_u64().unwrap());
            }
            (client, acked)
        }));
    }
    while desk.get(&desk.of_meet("")).await.expect(200)["serverSeqNum"].as_u64().unwrap() < 100 {}
    let end = finished(&desk).await;
    let log = std::fs::read_to_string(server.file(&desk.meet, "updates.json.log")).unwrap();
    assert_eq!(log.lines().count() as u64, end["serverSeqNum"].as_u64().unwrap() + 1, "the log ends where the reply says");
    let mut all = Vec::new();
    for writer in writers {
        let (client, acked) = writer.await.unwrap();
        for (number, seq) in (1..).zip(&acked) {
            let line = log.lines().nth(*seq as usize).unwrap_or_else(|| panic!("acked number {seq} is missing"));
            assert!(line.contains(&client.client_id) && line.contains(&format!("\"localSeqNum\":{number},")), "{line}");
        }
        all.extend(acked);
    }
    all.sort_unstable();
    assert_eq!(all, (1..=end["serverSeqNum"].as_u64().unwrap()).collect::<Vec<_>>());
}
