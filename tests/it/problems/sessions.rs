//! Sessions and view keys that no longer open anything, or never did.

use serde_json::json;

use super::{Hall, ask, post, without_id};
use crate::support::TestServer;

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn ids_cannot_be_tried_with_tokens() {
    let server = TestServer::start().await;
    let (desk, other) = (server.meet().await, server.meet().await);
    let stranger = server.stranger();
    let unknown = "000000000";
    let mut answers = Vec::new();
    for (token, meet) in [
        (desk.token.clone(), &*other.meet),
        (desk.token.clone(), unknown),
        (desk.token.replace(&desk.meet, unknown), unknown),
        (desk.token.replace(&desk.meet, &other.meet), &*other.meet),
        (desk.token.clone(), "nonsense"),
    ] {
        let mut client = stranger.with_token(&token);
        client.meet = meet.to_owned();
        answers.push(without_id(client.get(&client.of_meet("")).await.problem(401, "invalid-session")));
        answers.push(without_id(client.push(json!([])).await.problem(401, "invalid-session")));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
}

#[tokio::test]
async fn a_session_lives_seven_days_and_a_view_key_as_long_as_it_was_made_for() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let hour = desk.post(&desk.of_meet("/view-keys"), &json!({"label": "an hour", "expiresIn": 3600})).await.expect(201);
    let hour = desk.with_token(hour["viewKey"].as_str().unwrap());
    let for_ever = desk.viewer().await;

    server.clock.set_ahead(3_599_000);
    hour.state().await;
    server.clock.set_ahead(3_601_000);
    hour.get(&hour.of_meet("/state")).await.problem(401, "invalid-view-key");

    server.clock.set_ahead(7 * DAY - 60_000);
    desk.set("meet.name", json!("Test Open")).await;
    server.clock.set_ahead(7 * DAY);
    desk.push(json!([])).await.problem(401, "invalid-session");
    for_ever.state().await;
    assert_eq!(desk.rejoin().await.state().await["state"], json!({"meet": {"name": "Test Open"}}));
}

#[tokio::test]
async fn a_session_that_was_ended_is_over_and_no_other_one() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let again = desk.rejoin().await;
    desk.delete(&desk.of_meet("/session")).await.expect(204);
    for reply in [desk.push(json!([])).await, desk.get(&desk.of_meet("")).await, desk.delete(&desk.of_meet("/session")).await] {
        reply.problem(401, "invalid-session");
    }
    again.state().await;
}

/// A page from elsewhere must be able to read why it was refused, above all when its key was cut short on the way.
#[tokio::test]
async fn a_page_from_elsewhere_can_read_why_its_view_key_is_refused() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let path = desk.of_meet("/state");
    let cut = &viewer.token[..30];
    let stranger = server.stranger();
    for request in [
        stranger.request(reqwest::Method::GET, &path),
        stranger.request(reqwest::Method::GET, &path).bearer_auth(cut),
        stranger.request(reqwest::Method::GET, &format!("{path}?key={cut}")),
    ] {
        let reply = stranger.send(request.header("origin", "https://overlay.example")).await;
        assert_eq!(reply.status, 401);
        assert!(["*", "https://overlay.example"].contains(&reply.header("access-control-allow-origin")), "{:?}", reply.headers);
    }
    // What a session would see is not for pages that the operator has not named.
    let reply = desk.send(desk.request(reqwest::Method::GET, &path).header("origin", "https://overlay.example")).await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, ""));
}

/// What a view key may not do is refused before anything else is looked at.
#[tokio::test]
async fn a_view_key_is_told_that_it_only_reads_whatever_it_sends() {
    let hall = Hall::open().await;
    let (viewer, updates) = (&hall.viewer, hall.viewer.of_meet("/updates"));
    for body in [json!({"updates": []}), json!({"updates": 5}), json!(null)] {
        post(viewer, &updates, body).await.problem(403, "read-only");
    }
    let key_id = viewer.session["keyId"].as_str().unwrap();
    ask(viewer, "DELETE", &viewer.of_meet(&format!("/view-keys/{key_id}"))).await.problem(403, "read-only");
    viewer.state().await;
}
