//! Whatever carries, the same comes through.

use std::sync::Arc;
use std::time::Duration;

use liftrelay::client::api::{Options, Server, Session};
use liftrelay::client::channel::http::HttpChannel;
use liftrelay::client::channel::ladder::Ladder;
use liftrelay::client::channel::socket::SocketChannel;
use liftrelay::client::channel::{Answer, Channel, Fault, Pull, Push, Reply, Transport, Update};
use liftrelay::meet::chain::Cursor;
use liftrelay::meet::outcome::UpdateCode;
use liftrelay::meet::update::{Mode, Op};
use liftrelay::wire::problem::Code;
use serde_json::json;

use crate::support::{Client, TestServer};

/// The session of a client of the tests, as the library has it, at `base`.
pub fn session(client: &Client, base: &str) -> Session {
    let server = Server::new(base.parse().unwrap(), Options::default()).unwrap();
    Session::new(server, client.meet.parse().unwrap(), client.token.clone())
}

pub fn update(local_seq_num: u64, key: &str, after: Cursor) -> Update {
    let update_value = Some(serde_json::value::to_raw_value(&local_seq_num).unwrap());
    Update { update_key: key.into(), update_value, op: Op::Set, local_seq_num, after_server_seq_num: after }
}

pub fn push(updates: Vec<Update>) -> Push {
    Push { updates, ..Push::default() }
}

pub fn pull(after: Cursor, seconds: u64) -> Pull {
    Pull { after, wait: Duration::from_secs(seconds), limit: None }
}

#[track_caller]
pub fn done(answer: Result<Answer, Fault>) -> Reply {
    match answer {
        Ok(Answer::Done(reply)) => reply,
        other => panic!("{other:?}"),
    }
}

/// Pulls until the log has come to `head`; gives the numbers in the order in which they came.
pub async fn follow(channel: &dyn Channel, mut after: Cursor, head: u64) -> (Vec<u64>, Cursor) {
    let mut numbers = Vec::new();
    while after.seq < head {
        let reply = done(channel.pull(pull(after, 5)).await);
        let Some(page) = reply.page else { continue };
        // While a better way is proven, a page may begin before the place that was asked for.
        numbers.extend(page.updates_relayed.iter().map(|entry| entry.seq()).filter(|seq| *seq > after.seq));
        after = page.cursor;
    }
    (numbers, after)
}

fn all(client: &Client, base: &str) -> Vec<(&'static str, Arc<dyn Channel>)> {
    let http = |transport| Arc::new(HttpChannel::new(session(client, base), transport)) as Arc<dyn Channel>;
    vec![
        ("short polls", http(Transport::ShortPoll)),
        ("long polls", http(Transport::LongPoll)),
        ("lines", http(Transport::Ndjson)),
        ("events", http(Transport::Sse)),
        ("socket", Arc::new(SocketChannel::new(session(client, base)))),
        ("ladder", Arc::new(Ladder::new(session(client, base)))),
    ]
}

#[tokio::test]
async fn news_come_once_and_in_order_and_a_channel_goes_on_where_another_stopped() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut after = Cursor::START;
    for (number, (name, channel)) in all(&desk, &server.url).into_iter().enumerate() {
        let head = 4 * number as u64;
        for lot in 1..=2 {
            desk.set("lot", json!(lot)).await;
        }
        let (numbers, at) = follow(&*channel, after, head + 2).await;
        assert_eq!(numbers, [head + 1, head + 2], "{name}");
        // What is committed while a pull waits comes by that pull.
        let waiting = follow(&*channel, at, head + 3);
        let (_, (numbers, at)) = tokio::join!(desk.set("lot", json!(3)), waiting);
        assert_eq!(numbers, [head + 3], "{name}");
        let first = push(vec![update(head, "name", at)]);
        let acks = done(channel.push(first.clone()).await).acks;
        assert_eq!((acks[0].server_seq_num, acks[0].duplicate), (head + 4, false), "{name}");
        assert!(done(channel.push(first).await).acks[0].duplicate, "{name}: a resend commits nothing");
        after = follow(&*channel, at, head + 4).await.1;
    }
}

#[tokio::test]
async fn what_is_expected_is_an_answer_by_every_way() {
    let server = TestServer::start().await;
    let (desk, director) = {
        let desk = server.meet().await;
        let director = desk.join("director").await;
        (desk, director)
    };
    director.set("lot", json!(9)).await;
    for (number, (name, channel)) in all(&desk, &server.url).into_iter().enumerate() {
        let local = 10 * number as u64;
        let unseen = Cursor::START;
        // A lower priority that has not seen the director's loses, and its neighbour does not.
        let reply = done(channel.push(push(vec![update(local, "lot", unseen), update(local + 1, "name", unseen)])).await);
        assert_eq!((reply.acks.len(), reply.rejections[0].code), (1, UpdateCode::Overruled), "{name}");
        assert_eq!(reply.rejections[0].standing.as_ref().unwrap().location_name, "director", "{name}");
        let chain = Push { mode: Mode::Atomic, ..push(vec![update(local + 2, "name", unseen), update(local + 3, "lot", unseen)]) };
        let Ok(Answer::Conflict(conflict, _)) = channel.push(chain).await else { panic!("{name}") };
        assert_eq!((conflict.processed, conflict.problem.local_seq_num), (vec![local + 2], Some(local + 3)), "{name}");
        let stale = Push { if_head: Some("0".parse().unwrap()), ..push(vec![update(local + 4, "name", unseen)]) };
        assert!(matches!(channel.push(stale).await, Ok(Answer::Stale(page)) if !page.updates_relayed.is_empty()), "{name}");
        let reply = done(channel.sync(push(vec![update(local + 5, "name", unseen)]), pull(unseen, 0)).await);
        assert_eq!(reply.acks.len(), 1, "{name}");
        assert!(reply.page.is_none_or(|page| page.updates_relayed[0].seq() == 1), "{name}");

        let above: Cursor = "99999-00000000".parse().unwrap();
        assert!(matches!(channel.pull(pull(above, 5)).await, Ok(Answer::ServerBehind { .. })), "{name}");
        let foreign: Cursor = "1-00000000".parse().unwrap();
        let answer = loop {
            match channel.pull(pull(foreign, 5)).await {
                Ok(Answer::Done(reply)) if reply.page.is_none() => {}
                answer => break answer,
            }
        };
        assert!(matches!(answer, Ok(Answer::HistoryChanged { .. })), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn who_has_no_session_is_told_so_by_every_way() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let channels = all(&desk, &server.url);
    desk.delete(&desk.of_meet("/session")).await.expect(204);
    for (name, channel) in channels {
        for answer in [channel.pull(pull(Cursor::START, 5)).await, channel.push(push(vec![update(1, "lot", Cursor::START)])).await] {
            assert!(matches!(answer, Err(Fault::NotAuthorised(_))), "{name}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_finished_meet_answers_what_it_had_answered() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let first = push(vec![update(1, "lot", Cursor::START)]);
    for (_, channel) in all(&desk, &server.url) {
        done(channel.push(first.clone()).await);
    }
    desk.post(&desk.of_meet("/finish"), &json!({})).await.expect(200);
    for (name, channel) in all(&desk, &server.url) {
        let both = push(vec![update(1, "lot", Cursor::START), update(2, "lot", Cursor::START)]);
        let Ok(Answer::Finished(known)) = channel.push(both).await else { panic!("{name}") };
        assert_eq!((known.acks.len(), known.acks[0].server_seq_num), (1, 1), "{name}");
    }
}

#[tokio::test]
async fn refusals_name_their_code() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let fault = session(&viewer, &server.url).push(&push(vec![update(1, "lot", Cursor::START)])).await.unwrap_err();
    assert!(matches!(fault, Fault::Refused { code: Some(Code::ReadOnly), status: 403, .. }), "{fault:?}");
    let nobody = Server::new("http://127.0.0.1:1".parse().unwrap(), Options::default()).unwrap();
    let lost = Session::new(nobody, desk.meet.parse().unwrap(), desk.token.clone());
    assert!(matches!(lost.push(&Push::default()).await, Err(Fault::Unreachable(_))));
}
