//! Joining is refused without telling what exists, and guessing is slow.

use std::time::Instant;

use serde_json::{Value, json};

use super::without_id;
use crate::support::TestServer;
use crate::support::client::{PASSWORD, Reply};

fn join(password: &str) -> Value {
    json!({"password": password, "locationName": "desk"})
}

#[tokio::test]
async fn a_wrong_password_an_unknown_meet_and_a_malformed_id_look_the_same() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let stranger = server.stranger();
    let unknown = if desk.meet == "000000000" { "000000001" } else { "000000000" };
    let started = Instant::now();
    let wrong = stranger.post(&desk.of_meet("/sessions"), &join("NotTheRightPassword")).await;
    let (wrong, takes) = (without_id(wrong.problem(403, "join-rejected")), started.elapsed());
    // With the password of another meet, and where no location has that name.
    for (id, location) in
        [(unknown, "desk"), ("12345678", "desk"), ("abc", "desk"), ("%ff", "desk"), (unknown, "nowhere"), (&desk.meet, "nowhere")]
    {
        let password = if id == desk.meet { "NotTheRightPassword" } else { PASSWORD };
        let body = json!({"password": password, "locationName": location});
        let started = Instant::now();
        let reply = stranger.post(&format!("/v1/meets/{id}/sessions"), &body).await;
        // Without a hash it would be over in a hundredth of the time.
        assert!(started.elapsed() > takes / 10, "{id} is answered after {:?}, a wrong password after {takes:?}", started.elapsed());
        assert_eq!(without_id(reply.problem(403, "join-rejected")), wrong, "{id} {location}");
    }
}

/// Passwords tried at the same time count like passwords tried one after the other.
#[tokio::test]
async fn after_ten_wrong_passwords_the_address_waits_and_nobody_at_work_notices() {
    const TRIES: usize = 14;
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let other_meet = server.meet().await;
    let (stranger, sessions) = (server.stranger(), desk.of_meet("/sessions"));
    let (wrong, right) = (join("NotTheRightPassword"), join(PASSWORD));
    let started = Instant::now();
    let tries: Vec<Reply> = futures_util::future::join_all((0..TRIES).map(|_| stranger.post(&sessions, &wrong))).await;
    let told = tries.iter().filter(|reply| reply.json["code"] == "join-rejected").count();
    // Every six seconds one more try comes back, which matters on a slow machine only.
    let most = 11 + started.elapsed().as_secs() as usize / 6;
    assert!((10..=most).contains(&told), "{told} of {TRIES} guesses were answered");
    while stranger.post(&sessions, &wrong).await.status != 429 {}

    let reply = stranger.post(&sessions, &right).await;
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=7).contains(&seconds), "{seconds}");
    let problem = reply.problem(429, "rate-limited");
    assert!(problem["detail"].as_str().unwrap().contains("try again in"), "{problem}");

    desk.set("meet.name", json!("Test Open")).await;
    desk.state().await;
    let reply = stranger.post(&other_meet.of_meet("/sessions"), &right).await;
    assert_eq!(reply.status, 201, "the same hall joins another meet: {}", reply.text);
}
