//! Passwords, sessions and secrets.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::client::{PASSWORD, Reply};
use crate::support::process::{Process, liftrelay};
use crate::support::server::options;
use crate::support::{Client, TestServer};

const WRONG: &str = "NotTheRightPasswordAtAll";

/// A server behind a proxy on the same machine, so that tests come from whichever address they like.
async fn behind_a_proxy() -> TestServer {
    let mut options = options();
    options.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    TestServer::with(options).await
}

/// A login at `meet` as from `address`.
async fn login(server: &TestServer, meet: &str, password: &str, address: &str) -> Reply {
    let stranger = server.stranger();
    let body = json!({"password": password, "locationName": "desk"});
    let request = stranger.request(Method::POST, &format!("/v1/meets/{meet}/sessions"));
    stranger.send(request.header("x-forwarded-for", address).json(&body)).await
}

/// A problem without what differs from request to request.
fn text(reply: &Reply) -> Value {
    let mut json = reply.json.clone();
    json.as_object_mut().unwrap().remove("requestId");
    json
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What is no meet id at all is told no faster.
#[tokio::test]
async fn nonsense_for_an_id_costs_a_hash_too() {
    let server = behind_a_proxy().await;
    let desk = server.meet().await;
    let started = Instant::now();
    let nonsense = login(&server, "nonsense", WRONG, "198.51.100.1").await;
    assert!(started.elapsed() > Duration::from_millis(20), "{:?}", started.elapsed());
    let wrong = login(&server, &desk.meet, WRONG, "198.51.100.1").await;
    assert_eq!(text(&nonsense), text(&wrong));
}

#[tokio::test]
async fn a_wrong_location_is_told_only_to_those_who_know_the_password() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let join = async |password: &str| {
        let body = json!({"password": password, "locationName": "no such place"});
        server.stranger().post(&desk.of_meet("/sessions"), &body).await.problem(403, "join-rejected")
    };
    assert_eq!(join(WRONG).await["reason"], "invalid meetId/Password");
    assert_eq!(join(PASSWORD).await["reason"], "invalid locationName");
}

#[tokio::test]
async fn ten_failures_block_one_address_on_one_meet_for_a_moment() {
    let server = behind_a_proxy().await;
    let (meet, other) = (server.meet().await.meet, server.meet().await.meet);
    let bad = "198.51.100.1";
    // Whoever gets in counts for nothing, before and in between.
    for _ in 0..3 {
        login(&server, &meet, PASSWORD, bad).await.expect(201);
    }
    for reply in join_all((0..9).map(|_| login(&server, &meet, WRONG, bad))).await {
        reply.problem(403, "join-rejected");
    }
    login(&server, &meet, PASSWORD, bad).await.expect(201);
    login(&server, &meet, WRONG, bad).await.problem(403, "join-rejected");
    // While a slow machine hashes, another may be free again.
    while login(&server, &meet, WRONG, bad).await.status == 403 {}
    let blocked = login(&server, &meet, PASSWORD, bad).await;
    // A forged step further left is no other address.
    login(&server, &meet, PASSWORD, &format!("198.51.100.3, {bad}")).await.problem(429, "rate-limited");
    let seconds: u64 = blocked.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&seconds), "{seconds}");
    blocked.problem(429, "rate-limited");
    login(&server, &meet, PASSWORD, "198.51.100.2").await.expect(201);
    login(&server, &other, PASSWORD, bad).await.expect(201);
}

#[tokio::test]
async fn nobody_chooses_an_address_without_a_trusted_proxy() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let address = |n: usize| format!("198.51.100.{n}");
    let attempts: Vec<String> = (0..10).map(address).collect();
    for reply in join_all(attempts.iter().map(|address| login(&server, &desk.meet, WRONG, address))).await {
        reply.problem(403, "join-rejected");
    }
    // While a slow machine hashes, a few attempts may be free again.
    let more: Vec<String> = (10..20).map(address).collect();
    let replies = join_all(more.iter().map(|address| login(&server, &desk.meet, WRONG, address))).await;
    assert!(replies.iter().any(|reply| reply.status == 429), "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    desk.set("sessions", json!("go on")).await;
}

/// Forty wrong logins at once: more than may wait are sent away, and the meet goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_logins_leaves_the_meet_alone() {
    let server = behind_a_proxy().await;
    let desk = server.meet().await;
    let (told, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let attempt = |n: usize| {
        let (stranger, told) = (server.stranger(), told.clone());
        let request = stranger.request(Method::POST, &desk.of_meet("/sessions")).header("x-forwarded-for", format!("198.51.100.{n}"));
        let request = request.json(&json!({"password": WRONG, "locationName": "desk"}));
        tokio::spawn(async move { told.send(stranger.send(request).await) })
    };
    let flood: Vec<_> = (0..40).map(attempt).collect();
    let surplus = loop {
        let reply = answers.recv().await.unwrap();
        if reply.status == 503 {
            break reply;
        }
    };
    assert!(!surplus.header("retry-after").is_empty());
    surplus.problem(503, "overloaded");
    assert!(server.scrape().await.get("liftrelay_logins_total{result=\"busy\"}") >= 1.0);
    let mut times = Vec::new();
    for number in 1..=25 {
        let started = Instant::now();
        assert_eq!(desk.set("count", json!(number)).await, number);
        times.push(started.elapsed());
    }
    assert!(flood.iter().any(|attempt| !attempt.is_finished()), "the flood was over before it was measured");
    assert!(median(times.clone()) < Duration::from_millis(100), "{times:?}");
    // Those who give up make room for others.
    flood.iter().for_each(tokio::task::JoinHandle::abort);
    let joined = async {
        while login(&server, &desk.meet, PASSWORD, "203.0.113.1").await.status != 201 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), joined).await.expect("nobody gets in after the flood");
}

#[tokio::test]
async fn creating_a_meet_can_need_the_operators_key() {
    let mut options = options();
    options.create_key = Some("the operator's key".to_owned());
    let server = TestServer::with(options).await;
    let stranger = server.stranger();
    for wrong in ["", "the operator's ke", "the operator's key2"].map(|key| stranger.with_token(key)) {
        let problem = wrong.post("/v1/meets", &Client::creation("desk")).await.problem(401, "invalid-session");
        assert!(problem["detail"].as_str().unwrap().contains("operator's key"), "{problem}");
    }
    let desk = stranger.with_token("the operator's key").create_as("desk").await;
    desk.join("platform 1").await.set("joining", json!("needs no key")).await;
}

#[tokio::test]
async fn every_client_has_a_slot_of_its_own_and_keeps_it() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (one, two) = (desk.join("platform 1").await, desk.join("platform 1").await);
    let elsewhere = json!({"password": PASSWORD, "locationName": "platform 2", "clientId": one.client_id});
    let elsewhere = desk.join_with(elsewhere).await;
    let slots = [&desk, &one, &two, &elsewhere].map(|client| client.session["slot"].as_u64().unwrap());
    assert_eq!(slots, [0, 1, 2, 3], "a client id counts per location");
    let again = one.rejoin().await;
    assert_eq!((&again.session["slot"], &again.client_id), (&json!(1), &one.client_id));
    assert_ne!(again.token, one.token);
    one.set("both", json!("sessions work")).await;
    again.set("both", json!("still")).await;
}

#[tokio::test]
async fn leaving_ends_one_session_and_its_streams() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let again = desk.rejoin().await;
    let mut events = desk.events("after=now").await;
    events.expect("hello").await;
    assert_eq!(desk.delete(&desk.of_meet("/session")).await.expect(204), Value::Null);
    let end = events.expect("end").await;
    assert_eq!(end.json["reason"], "revoked");
    assert!(events.try_next().await.is_none());
    desk.get(&desk.of_meet("/state")).await.problem(401, "invalid-session");
    desk.delete(&desk.of_meet("/session")).await.problem(401, "invalid-session");
    again.set("others", json!("of the same client go on")).await;
}

#[tokio::test]
async fn sessions_end_after_a_week_and_can_be_had_again() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let week = 7 * 86_400_000;
    server.clock.set_ahead(week - 60_000);
    desk.state().await;
    server.clock.set_ahead(week + 1_000);
    desk.get(&desk.of_meet("/state")).await.problem(401, "invalid-session");
    assert_eq!(desk.rejoin().await.session["slot"], 0);
}

/// Every byte below a folder.
fn stored(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            stored(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

#[tokio::test]
async fn no_secret_is_ever_written_down() {
    let folder = tempdir().unwrap();
    let mut command = liftrelay();
    command.env("LIFTRELAY_CREATE_KEY", "TheOperatorsSecretKey").env("RUST_LOG", "debug");
    let process = Process::launch(folder.path(), command, &["--log", "json"]);
    let stranger = process.stranger();
    let desk = stranger.with_token("TheOperatorsSecretKey").create_as("desk").await;
    let (platform, viewer) = (desk.join("platform 1").await, desk.viewer().await);
    stranger.post(&desk.of_meet("/sessions"), &json!({"password": WRONG, "locationName": "desk"})).await.expect(403);
    stranger.post(&desk.of_meet("/sessions"), &json!({"password": WRONG, "locationName": 1})).await.expect(422);
    stranger.get(&desk.of_meet(&format!("/state?key={}", viewer.token))).await.expect(200);
    stranger.get(&desk.of_meet(&format!("/state?key={}", desk.token))).await.problem(401, "token-in-url");
    stranger.get(&desk.of_meet(&format!("/state?token={}", platform.token))).await.problem(401, "token-in-url");
    desk.get(&desk.of_meet("")).await.expect(200);
    platform.set("meet.name", json!("Test Open")).await;
    platform.delete(&platform.of_meet("/session")).await.expect(204);
    process.signal("TERM");
    let (_, stdout, stderr) = process.wait();
    let mut files = vec![("stdout".to_owned(), stdout.into_bytes()), ("stderr".to_owned(), stderr.into_bytes())];
    stored(&folder.path().join("data"), &mut files);
    assert!(files.iter().any(|(name, bytes)| name.ends_with("diag.log") && !bytes.is_empty()));
    assert!(files.iter().any(|(name, _)| name.ends_with("auth.json")));
    let ticket = |client: &Client| client.session["recoveryTicket"].as_str().unwrap().to_owned();
    let secret = |client: &Client| client.token.rsplit_once('_').map(|_| client.token[14..].to_owned()).unwrap();
    let secrets = [
        PASSWORD.to_owned(),
        WRONG.to_owned(),
        "TheOperatorsSecretKey".to_owned(),
        secret(&desk),
        secret(&platform),
        secret(&viewer),
        ticket(&desk),
        ticket(&platform),
        fs::read_to_string(folder.path().join("data.key")).unwrap().trim().to_owned(),
    ];
    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        for secret in &secrets {
            assert!(secret.len() >= 10 && !text.contains(secret.as_str()), "{name} holds {secret}");
        }
    }
}
