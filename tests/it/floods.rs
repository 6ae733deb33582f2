//! What somebody would try who wants to keep others out: every connection taken, every stream open.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use liftrelay::http::Options;
use liftrelay::meet::limits::STREAMS_PER_TOKEN;
use serde_json::{Value, json};

use crate::support::connection::Connection;
use crate::support::raw::RawStream;
use crate::support::socket::Socket;
use crate::support::{Client, TestServer};

/// Of these, an eighth is kept from viewers.
const CONNECTIONS: usize = 32;
const VIEWERS: usize = 28;

async fn small_server() -> TestServer {
    TestServer::with(Options { max_connections: NonZeroUsize::new(CONNECTIONS).unwrap(), ..Options::default() }).await
}

fn get(client: &Client, path: &str) -> String {
    format!("GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", client.of_meet(path), client.token)
}

/// As many streams as there is room for, each on a connection of its own.
async fn streams(client: &Client, count: usize) -> Vec<RawStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = RawStream::open(client, "after=now&format=ndjson").await;
        stream.head().await;
        assert_eq!(stream.object().await.unwrap()["msgType"], "HELLO");
        streams.push(stream);
    }
    streams
}

async fn news(stream: &mut RawStream) -> Value {
    let relay = stream.object().await.expect("the stream goes on");
    relay["updatesRelayed"][0]["updateValue"].clone()
}

/// Joins and pushes on new connections, as an editor does who comes in from the street.
async fn comes_in(desk: &Client, value: &str) {
    let mut stranger = Client::new(&desk.base);
    stranger.meet = desk.meet.clone();
    let comes_in = async { stranger.join("platform 1").await.set("lot", json!(value)).await };
    tokio::time::timeout(Duration::from_secs(20), comes_in).await.expect("an editor gets in");
}

/// Connections that say nothing, half of something, or nothing about who they are.
async fn loiter(desk: &Client, round: usize) -> Vec<Connection> {
    let half_a_body = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{", desk.of_meet("/sessions"));
    let health = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut loitering = Vec::new();
    for start in ["", "GET / HTTP/1.1\r\nX-Slow: ", &half_a_body, health].into_iter().cycle().take(CONNECTIONS + round) {
        let mut connection = Connection::connect(&desk.base).await;
        connection.send(start).await;
        loitering.push(connection);
    }
    loitering
}

#[tokio::test]
async fn idle_connections_and_viewers_do_not_keep_editors_out() {
    let server = small_server().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let mut watching = streams(&viewer, VIEWERS).await;
    let mut working = streams(&desk, 1).await;

    let mut one_more = Connection::connect(&server.url).await;
    one_more.send(get(&viewer, "/events?after=now")).await;
    let refused = one_more.reply().await;
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true), "{refused:?}");
    assert!(refused.body.contains("overloaded") && refused.body.contains("28 viewers are connected"), "{refused:?}");

    let mut first = loiter(&desk, 0).await;
    let socket = tokio::time::timeout(Duration::from_secs(20), Socket::open(&server.url)).await.expect("a place for a socket");
    for round in 1..=3 {
        let _loitering = loiter(&desk, round).await;
        comes_in(&desk, &format!("round {round}")).await;
    }
    drop(socket);
    // Whoever came first left first, and whoever has shown a token has stayed and missed nothing.
    for connection in first.iter_mut().chain([&mut one_more]) {
        connection.rest().await;
    }
    for stream in watching.iter_mut().chain(&mut working) {
        for round in 1..=3 {
            assert_eq!(news(stream).await, format!("round {round}"));
        }
    }
    assert!(server.scrape().await.get("liftrelay_connections_sent_away_total") >= CONNECTIONS as f64);
    drop(watching);
    let patience = Instant::now() + Duration::from_secs(20);
    while viewer.get(&viewer.of_meet("/state")).await.status != 200 {
        assert!(Instant::now() < patience, "viewers that left still count");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_token_has_so_many_streams_and_the_others_have_theirs() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (greedy, other) = (desk.viewer().await, desk.viewer().await);
    let mut open = streams(&greedy, STREAMS_PER_TOKEN).await;

    let refused = greedy.get(&greedy.of_meet("/events?after=now&maxSeconds=1")).await;
    assert_eq!(refused.header("retry-after"), "30");
    let problem = refused.problem(429, "rate-limited");
    assert!(problem["detail"].as_str().unwrap().contains("500 streams"), "{problem}");
    greedy.get(&greedy.of_meet("/updates?after=0&wait=5")).await.problem(429, "rate-limited");
    greedy.get(&greedy.of_meet("/state?after=0&wait=5")).await.problem(429, "rate-limited");
    let mut socket = Socket::slow(&greedy, 64 * 1024).await;
    assert_eq!(socket.ask(&json!({"msgType": "CLIENT_PULL", "lastServerSeq": 0})).await["code"], "rate-limited");
    // What does not wait is answered.
    greedy.get(&greedy.of_meet("/updates?after=0")).await.expect(200);

    let mut unhurt = streams(&other, 1).await;
    unhurt.extend(streams(&desk, 1).await);
    desk.set("lot", json!(7)).await;
    for stream in open.iter_mut().chain(&mut unhurt) {
        assert_eq!(news(stream).await, 7);
    }
    open.pop();
    let patience = Instant::now() + Duration::from_secs(20);
    while greedy.get(&greedy.of_meet("/events?maxSeconds=1")).await.status != 200 {
        assert!(Instant::now() < patience, "a stream that ended still counts");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
