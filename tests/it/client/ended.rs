//! A session that the server has ended under a replica that is kept in step.

use std::sync::atomic::Ordering;
use std::time::Duration;

use liftrelay::client::live::Link;
use serde_json::json;
use tokio::time::sleep;

use super::hall::{Hall, Manners};
use super::member::{Member, agreed, object};
use crate::support::{Client, TestServer};

async fn end(client: &Client) {
    client.delete(&client.of_meet("/session")).await.expect(204);
}

/// Waits until what was under way has come to its end.
async fn quiet(hall: &Hall) {
    for _ in 0..20 {
        sleep(Duration::from_millis(500)).await;
        if hall.asked().is_empty() {
            return;
        }
    }
    panic!("it knocks again and again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_one_is_asked_for_once_and_every_edit_arrives_once() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    let member = Member::new(&desk, &server.url);
    for number in 0..5 {
        member.set(&format!("a[{number}]"), &json!(number)).await;
    }
    member.settled().await;

    end(&desk).await;
    for number in 5..40 {
        member.set(&format!("a[{number}]"), &json!(number)).await;
        sleep(Duration::from_millis(20)).await;
    }
    let (state, log) = agreed(&platform, &[&member]).await;
    assert_eq!(log.len(), 40);
    assert_eq!(state["a"], object((0..40).map(|number| (format!("{number}"), json!(number)))));
    assert_eq!(member.counts.logins.load(Ordering::SeqCst), 1);
    // What the new session has is all there is: the old token stays without effect.
    desk.push(json!([{"updateKey": "a", "updateValue": 1}])).await.problem(401, "invalid-session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_refused_is_told_and_not_asked_for_again_and_again() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    let hall = Hall::before(&server.url, Manners { lets_streams_through: true, ..Manners::default() }).await;
    let member = Member::knowing(&desk, &hall.url, "the password of another meet");
    member.set("a", &json!(0)).await;
    member.settled().await;

    end(&desk).await;
    member.wait_for(|status| status.link == Link::NotAuthorised).await;
    quiet(&hall).await;
    for number in 1..=100 {
        member.set("a", &json!(number)).await;
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(hall.asked(), Vec::<String>::new(), "edits are no reason to knock again");
    assert_eq!(member.counts.logins.load(Ordering::SeqCst), 1);
    let status = member.live.status().borrow().clone();
    assert_eq!((status.link, status.replica.pending > 0), (Link::NotAuthorised, true), "what was edited is kept");
    assert_eq!(platform.state().await["state"], json!({"a": 0}));
}
