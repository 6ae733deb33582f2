//! What a recovery ticket opens, and what it does not.

use liftrelay::auth::ticket::Ticket;
use liftrelay::meet::chain::ServerKey;
use serde_json::{Value, json};

use super::{hand_back, kept, restore, status, ticket, with_ticket};
use crate::support::{Client, TestServer};

const DAY: i64 = 86_400_000;

/// A meet of the desk's and the platform's, and the desk's whole log in one page without a ticket.
async fn meet(server: &TestServer) -> (Client, Client, Value) {
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    for n in 1..=3 {
        desk.set("lot", json!(n)).await;
    }
    let page = kept(&desk, 0, 100).await.remove(0);
    (desk, platform, page)
}

fn showing(page: &Value, ticket: &Value) -> Value {
    with_ticket(std::slice::from_ref(page), ticket).remove(0)
}

/// What a meet that does not exist says, without what is different in every reply.
fn told(mut problem: Value) -> Value {
    problem.as_object_mut().unwrap().remove("requestId");
    problem
}

#[tokio::test]
async fn only_a_ticket_of_this_server_and_meet_opens_a_lost_meet() {
    let before = TestServer::start().await;
    let (desk, _, page) = meet(&before).await;
    let (own, other) = (ticket(&desk).await, ticket(&before.meet().await).await);
    let server = TestServer::start().await;
    let desk = desk.at(&server.url);
    let unknown = told(desk.get(&desk.of_meet("")).await.problem(401, "invalid-session"));
    let mut changed = own.as_str().unwrap().to_owned();
    changed.replace_range(100..101, if &changed[100..101] == "A" { "B" } else { "A" });
    let foreign = Ticket::open(&ServerKey::new([7; 32]), own.as_str().unwrap()).unwrap().seal(&ServerKey::new([8; 32]));
    let bad = [json!(null), json!("nonsense"), json!(changed), json!(foreign), other];
    for ticket in &bad {
        let refused = restore(&desk, &showing(&page, ticket)).await.problem(401, "invalid-session");
        assert_eq!(told(refused), unknown, "{ticket}");
    }
    assert!(server.folder.as_ref().unwrap().path().join("current-meets").read_dir().unwrap().next().is_none(), "no meet was made");
    // Failures count, right tickets too then wait.
    for _ in 0..6 {
        restore(&desk, &showing(&page, &bad[1])).await.expect(401);
    }
    restore(&desk, &showing(&page, &own)).await.problem(429, "rate-limited");
    restore(&desk.with_address("127.0.0.2".parse().unwrap()), &showing(&page, &own)).await.expect(200);
}

#[tokio::test]
async fn what_is_no_start_of_the_log_makes_no_meet() {
    let before = TestServer::start().await;
    let (desk, _, page) = meet(&before).await;
    let page = showing(&page, &ticket(&desk).await);
    let server = TestServer::start().await;
    let desk = desk.at(&server.url);
    let mut edited = page.clone();
    edited["updates"][1]["updateValue"] = json!(7);
    assert_eq!(restore(&desk, &edited).await.problem(422, "invalid-request")["errors"][0]["pointer"], "/chain");
    let mut late = page.clone();
    late["updates"].as_array_mut().unwrap().remove(0);
    let apart = restore(&desk, &late).await.problem(409, "history-changed");
    assert!(apart["cursor"].as_str().unwrap().starts_with("0-"), "{apart}");
    desk.join_refused().await;
    restore(&desk, &page).await.expect(200);
}

impl Client {
    /// Nobody joins what is not there.
    async fn join_refused(&self) {
        let body = json!({"password": crate::support::client::PASSWORD, "locationName": "desk"});
        self.with_token("").post(&self.of_meet("/sessions"), &body).await.problem(403, "join-rejected");
    }
}

/// A ticket is no second session: where the meet is there it opens nothing, so ending a session ends it.
#[tokio::test]
async fn a_ticket_of_a_meet_that_was_not_lost_opens_nothing() {
    let server = TestServer::start().await;
    let (desk, platform, page) = meet(&server).await;
    let page = showing(&page, &ticket(&platform).await);
    platform.delete(&platform.of_meet("/session")).await.expect(204);
    restore(&platform, &page).await.problem(401, "invalid-session");
    assert_eq!(status(&desk).await, "live");

    // Nor does one that was made after the recovery.
    let lost = TestServer::start().await;
    let desk = desk.at(&lost.url);
    let restored = restore(&desk, &page).await.expect(200);
    lost.clock.set_ahead(1_000);
    let platform = platform.at(&lost.url).with_token(restored["sessionToken"].as_str().unwrap());
    let page = showing(&page, &ticket(&platform).await);
    platform.delete(&platform.of_meet("/session")).await.expect(204);
    restore(&platform, &page).await.problem(401, "invalid-session");
}

#[tokio::test]
async fn a_ticket_older_than_a_session_restores_and_its_client_joins_again() {
    let before = TestServer::start().await;
    let (desk, _, page) = meet(&before).await;
    let page = showing(&page, &ticket(&desk).await);
    for (days, buys) in [(6, true), (8, false)] {
        let server = TestServer::start().await;
        server.clock.set_ahead(days * DAY);
        let desk = desk.at(&server.url);
        let restored = restore(&desk, &page).await.expect(200);
        assert_eq!(restored["sessionToken"].is_string(), buys, "{days}: {restored}");
        let again = desk.rejoin().await;
        assert_eq!((&again.session["slot"], &again.session["serverSeqNum"]), (&json!(0), &json!(3)));
        assert_eq!(again.state().await["state"], json!({"lot": 3}));
    }
}

#[tokio::test]
async fn the_newest_ticket_counts() {
    let before = TestServer::start().await;
    let (desk, platform, page) = meet(&before).await;
    let older = ticket(&desk).await;
    let viewer = desk.viewer().await;
    let director = desk.join("director").await;
    let newer = ticket(&platform).await;
    for desk_first in [true, false] {
        let server = TestServer::start().await;
        let (desk, platform) = (desk.at(&server.url), platform.at(&server.url));
        let mut coming = [(&desk, &older), (&platform, &newer)];
        if !desk_first {
            coming.reverse();
        }
        for (client, ticket) in coming {
            hand_back(client, &[showing(&page, ticket)]).await;
        }
        let viewer = viewer.at(&server.url);
        viewer.get(&viewer.of_meet("/state")).await.expect(200);
        let director = director.at(&server.url).rejoin().await;
        assert_eq!(director.session["slot"], 2);
        let stranger = desk.join("director").await;
        assert_eq!(stranger.session["slot"], 3);
    }
}
