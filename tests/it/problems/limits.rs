//! Limits: what is just within one is taken, one more is refused with its number.

use liftrelay::meet::limits::BODY_MAX_BYTES;
use serde_json::{Value, json};

use super::send;
use crate::support::client::PASSWORD;
use crate::support::{Client, TestServer};

/// Checks that a request is refused at one place with a text that names the limit.
#[track_caller]
fn refused(problem: &Value, pointer: &str, says: &str) {
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{problem}");
    assert_eq!(errors[0]["pointer"], pointer, "{problem}");
    assert!(errors[0]["detail"].as_str().unwrap().contains(says), "{problem}");
}

/// Pushes one update; gives the code of its rejection and the reason, if it is one.
async fn push_one(client: &Client, key: &str, value: Value) -> Option<(String, String)> {
    let reply = client.push(json!([{"updateKey": key, "updateValue": value}])).await.expect(200);
    let rejection = reply["updatesRejected"].as_array().unwrap().first()?;
    let text = |name: &str| rejection[name].as_str().unwrap().to_owned();
    Some((text("code"), text("reason")))
}

#[tokio::test]
async fn passwords_have_10_to_1024_characters() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let creation = |password: &str| {
        let mut creation = Client::creation("desk");
        creation["password"] = password.into();
        creation
    };
    for length in [10, 1024] {
        // Characters, not bytes.
        let password = "ü".repeat(length);
        let desk = stranger.create(&creation(&password)).await;
        desk.join_with(json!({"password": password, "locationName": "director"})).await;
    }
    for password in ["ninechars".to_owned(), String::new(), "x".repeat(1025)] {
        let problem = stranger.post("/v1/meets", &creation(&password)).await.problem(422, "invalid-request");
        refused(&problem, "/password", "10 to 1024 characters");
    }
}

#[tokio::test]
async fn meets_have_1_to_64_locations() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let creation = |count: usize| {
        let locations: Vec<_> = (0..count).map(|at| json!({"locationName": format!("l{at}"), "priority": at})).collect();
        json!({"thisLocationName": "l0", "password": PASSWORD, "locations": locations})
    };
    stranger.create(&creation(1)).await;
    let desk = stranger.create(&creation(64)).await;
    assert_eq!(desk.get(&desk.of_meet("")).await.expect(200)["locations"].as_array().unwrap().len(), 64);
    let problem = stranger.post("/v1/meets", &creation(65)).await.problem(422, "invalid-request");
    refused(&problem, "/locations", "65 locations; 1 to 64 are taken");
    let problem = stranger.post("/v1/meets", &creation(0)).await.problem(422, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/locations");
}

#[tokio::test]
async fn names_have_1_to_64_characters_and_no_controls() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let longest = "ü".repeat(64);
    let creation = json!({
        "thisLocationName": longest,
        "password": PASSWORD,
        "locations": [{"locationName": longest, "priority": 1}],
        "meetName": longest,
        "clientId": longest,
    });
    let desk = stranger.create(&creation).await;
    desk.post(&desk.of_meet("/view-keys"), &json!({"label": longest})).await.expect(201);
    desk.rejoin().await;
    for bad in ["ü".repeat(65), "a\nb".to_owned(), "\u{7f}".to_owned(), String::new()] {
        let mut creation = creation.clone();
        creation["clientId"] = json!(bad);
        refused(&stranger.post("/v1/meets", &creation).await.problem(422, "invalid-request"), "/clientId", "1 to 64 characters");
        let label = desk.post(&desk.of_meet("/view-keys"), &json!({"label": bad})).await;
        refused(&label.problem(422, "invalid-request"), "/label", "1 to 64 characters");
        let join = json!({"password": PASSWORD, "locationName": longest, "clientId": bad});
        let join = stranger.post(&desk.of_meet("/sessions"), &join).await;
        refused(&join.problem(422, "invalid-request"), "/clientId", "1 to 64 characters");
        let mut creation = creation.clone();
        creation["clientId"] = json!("x");
        creation["locations"] = json!([{"locationName": longest, "priority": 1}, {"locationName": bad, "priority": 1}]);
        let problem = stranger.post("/v1/meets", &creation).await.problem(422, "invalid-request");
        refused(&problem, "/locations/1/locationName", "1 to 64 characters");
        if !bad.is_empty() {
            let mut creation = creation.clone();
            creation["locations"] = json!([{"locationName": longest, "priority": 1}]);
            creation["meetName"] = json!(bad);
            refused(&stranger.post("/v1/meets", &creation).await.problem(422, "invalid-request"), "/meetName", "1 to 64 characters");
        }
    }
}

#[tokio::test]
async fn keys_have_512_bytes_and_32_segments() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    assert_eq!(push_one(&desk, &"k".repeat(512), json!(1)).await, None);
    let (code, reason) = push_one(&desk, &"k".repeat(513), json!(1)).await.unwrap();
    assert!(code == "invalid-key" && reason.contains("513 bytes") && reason.contains("512"), "{reason}");
    // What counts is the canonical form: `["a"]` is `a`.
    let spelled = format!("k{}", "[\"a\"]".repeat(31));
    assert_eq!(push_one(&desk, &spelled, json!(1)).await, None);
    let (code, reason) = push_one(&desk, &format!("{spelled}.a"), json!(1)).await.unwrap();
    assert!(code == "invalid-key" && reason.contains("32 segments"), "{reason}");
    assert_eq!(desk.pull(1).await["updatesRelayed"][0]["updateKey"], format!("k{}", ".a".repeat(31)));
}

#[tokio::test]
async fn values_have_256_kib_and_64_levels() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let text = |bytes: usize| json!("x".repeat(bytes - 2));
    assert_eq!(push_one(&desk, "a", text(256 * 1024)).await, None);
    let (code, reason) = push_one(&desk, "a", text(256 * 1024 + 1)).await.unwrap();
    assert!(code == "invalid-value" && reason.contains("262144"), "{reason}");
    let nested = |depth: usize| serde_json::from_str::<Value>(&("[".repeat(depth) + &"]".repeat(depth))).unwrap();
    assert_eq!(push_one(&desk, "b", nested(64)).await, None);
    let (code, reason) = push_one(&desk, "b", nested(65)).await.unwrap();
    assert!(code == "invalid-value" && reason.contains("64 levels"), "{reason}");
    // Far deeper than any parser would recurse: still this update's own fault, and nobody else's.
    let depth = 100_000;
    let body = format!(
        "{{\"updates\":[{{\"updateKey\":\"deep\",\"updateValue\":{}{}}},{{\"updateKey\":\"c\",\"updateValue\":1}}]}}",
        "[".repeat(depth),
        "]".repeat(depth)
    );
    let reply = send(&desk, &desk.of_meet("/updates"), body).await.expect(200);
    assert_eq!(reply["updatesRejected"][0]["code"], "invalid-value");
    assert_eq!(reply["updateAcks"], json!([{"index": 1, "serverSeqNum": 3}]));
}

#[tokio::test]
async fn a_batch_has_up_to_10000_updates() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let batch = |count: u64| -> Vec<Value> {
        (0..count).map(|number| json!({"updateKey": format!("k[{number}]"), "updateValue": number, "localSeqNum": number})).collect()
    };
    for path in ["/updates", "/sync"] {
        let problem = desk.post(&desk.of_meet(path), &json!({"updates": batch(10_001), "after": 0})).await.problem(422, "invalid-request");
        refused(&problem, "/updates", "10001 updates; at most 10000");
    }
    let reply = desk.push(json!(batch(10_000))).await.expect(200);
    assert_eq!((&reply["serverSeqNum"], reply["updateAcks"].as_array().unwrap().len()), (&json!(10_000), 10_000));
    let page = desk.get(&desk.of_meet("/updates?limit=1")).await.expect(200);
    assert_eq!(page["updatesRelayed"].as_array().unwrap().len(), 10_000, "one commit is never split");
}

#[tokio::test]
async fn a_body_has_up_to_4_mib() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let updates = desk.of_meet("/updates");
    let padded = |bytes: usize| {
        let body = json!({"updates": [{"updateKey": "a", "updateValue": 1}]}).to_string();
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    send(&desk, &updates, padded(BODY_MAX_BYTES)).await.expect(200);
    // Far too large ones too, whether their length was announced or not.
    for bytes in [BODY_MAX_BYTES + 1, 3 * BODY_MAX_BYTES] {
        send(&desk, &updates, padded(bytes)).await.problem(413, "too-large");
        let pieces: Vec<Result<_, std::io::Error>> = padded(bytes).as_bytes().chunks(64 * 1024).map(|piece| Ok(piece.to_vec())).collect();
        let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
        send(&desk, &updates, stream).await.problem(413, "too-large");
    }
    assert_eq!(desk.state().await["serverSeqNum"], 1);
}

#[tokio::test]
async fn a_page_has_a_limit_of_1_to_10000() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("a", json!(1)).await;
    desk.set("b", json!(1)).await;
    for (limit, entries) in [(1, 1), (10_000, 2)] {
        let page = desk.get(&desk.of_meet(&format!("/updates?limit={limit}"))).await.expect(200);
        assert_eq!(page["updatesRelayed"].as_array().unwrap().len(), entries);
        let page = desk.sync(&json!({"after": 0, "limit": limit})).await.expect(200);
        assert_eq!(page["updatesRelayed"].as_array().unwrap().len(), entries);
    }
    for limit in [0, 10_001] {
        let problem = desk.get(&desk.of_meet(&format!("/updates?limit={limit}"))).await.problem(422, "invalid-request");
        refused(&problem, "/query/limit", "from 1 to 10000");
        let problem = desk.sync(&json!({"after": 0, "limit": limit})).await.problem(422, "invalid-request");
        refused(&problem, "/limit", "from 1 to 10000");
    }
}

#[tokio::test]
async fn numbers_of_clients_end_below_2_to_the_53() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let update = |number: u64| json!([{"updateKey": "a", "updateValue": 1, "localSeqNum": number}]);
    for number in [0, (1 << 53) - 1] {
        assert_eq!(desk.push(update(number)).await.expect(200)["updateAcks"][0]["localSeqNum"], number);
    }
    let problem = desk.push(update(1 << 53)).await.problem(422, "invalid-request");
    refused(&problem, "/updates/0/localSeqNum", "9007199254740991");
}
