//! The time of an answer tells no stranger whether a meet exists.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::server::options;
use crate::support::{Client, TestServer};

/// How far medians may lie apart.
const APART: f64 = 0.05;
/// Other tests share the cores, so a round may be off; a difference in the program shows in each.
const ROUNDS: usize = 12;

/// A problem without what differs from request to request.
fn text(reply: &Reply) -> Value {
    let mut json = reply.json.clone();
    json.as_object_mut().unwrap().remove("requestId");
    json
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// Sends both requests by turns, each first as often as second, until their medians agree.
async fn assert_same_time(samples: usize, mut send: impl AsyncFnMut(bool, usize) -> Reply) {
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let mut times = [Vec::new(), Vec::new()];
        for sample in 0..samples {
            let mut replies = [Value::Null, Value::Null];
            for which in [sample % 2, 1 - sample % 2] {
                let started = Instant::now();
                let reply = send(which == 1, round * samples + sample).await;
                times[which].push(started.elapsed());
                replies[which] = text(&reply);
            }
            assert_eq!(replies[0], replies[1]);
        }
        let [one, other] = times.map(median);
        if (one / other - 1.0).abs() < APART {
            return;
        }
        ratios.push(one / other);
    }
    panic!("the time tells whether a meet exists: {ratios:?}");
}

fn unknown_to(desk: &Client) -> &'static str {
    if desk.meet == "000000001" { "000000002" } else { "000000001" }
}

#[tokio::test]
async fn an_unknown_meet_and_a_wrong_password_look_the_same_for_as_long() {
    let mut options = options();
    options.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = TestServer::with(options).await;
    let (desk, stranger) = (server.meet().await, server.stranger());
    let wrong = json!({"password": "NotTheRightPasswordAtAll", "locationName": "desk"});
    let login = async |is_there: bool, number: usize| {
        let meet = if is_there { &desk.meet } else { unknown_to(&desk) };
        let request = stranger.request(Method::POST, &format!("/v1/meets/{meet}/sessions")).json(&wrong);
        let reply = stranger.send(request.header("x-forwarded-for", format!("198.51.100.{number}"))).await;
        reply.clone().problem(403, "join-rejected");
        reply
    };
    assert_same_time(11, login).await;
}

/// An open meet is found in memory, an unknown one is looked for on the disk.
#[tokio::test]
async fn tokens_of_a_meet_and_of_none_are_refused_after_the_same_time() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let secret = "A".repeat(43);
    let ask = async |is_there: bool, _: usize| {
        let meet = if is_there { &desk.meet } else { unknown_to(&desk) };
        let path = format!("/v1/meets/{meet}/state");
        let reply = server.stranger().with_token(&format!("lrs_{meet}_{secret}")).get(&path).await;
        reply.clone().problem(401, "invalid-session");
        reply
    };
    assert_same_time(25, ask).await;
}
