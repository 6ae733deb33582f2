//! HTTPS: both protocols, one certificate after another, and what is no TLS at all.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use liftrelay::http::Options;
use reqwest::{Method, Version};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::TestServer;
use crate::support::client::Client;
use crate::support::connection::Connection;
use crate::support::tls::Identity;

fn server(identity: &Identity) -> TestServer {
    TestServer::secure(&identity.tls(), Options::default())
}

#[tokio::test]
async fn https_speaks_http_1_1_and_http_2() {
    let identity = Identity::new();
    let server = server(&identity);
    for (version, http) in [(Version::HTTP_11, identity.http().http1_only()), (Version::HTTP_2, identity.http())] {
        let http = http.build().unwrap();
        let reply = http.get(format!("{}/health/live", server.url)).send().await.unwrap();
        assert_eq!((reply.version(), reply.status().as_u16()), (version, 200));
        let desk = Client::over(http, &server.url).create_as("desk").await;
        let mut events = desk.events("after=0").await;
        assert_eq!(events.response.version(), version);
        events.expect("hello").await;
        desk.set("meet.name", json!("Spring Open")).await;
        assert_eq!(events.entries_until(1).await[0]["updateValue"], "Spring Open");
        let problem = desk.with_token("").get(&desk.of_meet("/state")).await.problem(401, "invalid-session");
        assert!(problem["requestId"].is_string());
    }
}

/// Whoever names no protocol gets the one that everyone speaks.
#[tokio::test]
async fn a_client_without_alpn_speaks_http_1_1() {
    let identity = Identity::new();
    let server = server(&identity);
    let mut stream = identity.connect(&server.url, &[]).await;
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
}

/// With room for one connection a second one would wait for ever.
#[tokio::test]
async fn ten_streams_and_the_requests_between_them_share_one_connection() {
    let identity = Identity::new();
    let options = Options { max_connections: NonZeroUsize::MIN, ..Options::default() };
    let server = TestServer::secure(&identity.tls(), options);
    let desk = identity.client(&server.url).create_as("desk").await;
    let viewer = desk.viewer().await;
    let mut streams = Vec::new();
    for reader in [&desk, &viewer].into_iter().cycle().take(10) {
        let mut events = reader.events("after=0").await;
        events.expect("hello").await;
        streams.push(events);
    }
    let path = desk.of_meet("/updates?after=0&wait=25");
    let wait = desk.get(&path);
    let push = async {
        for n in 1..=4 {
            assert_eq!(desk.set("meet.name", json!(n)).await, n);
        }
    };
    let (news, ()) = tokio::join!(wait, push);
    assert_eq!(news.expect(200)["updatesRelayed"][0]["serverSeqNum"], 1);
    for events in &mut streams {
        assert_eq!(events.entries_until(4).await.len(), 4);
    }
    assert_eq!(desk.state().await["state"], json!({"meet": {"name": 4}}));
}

#[tokio::test]
async fn a_certificate_is_replaced_under_an_open_stream() {
    let mut identity = Identity::new();
    let tls = identity.tls();
    let server = TestServer::secure(&tls, Options::default());
    let desk = identity.client(&server.url).create_as("desk").await;
    let mut events = desk.events("after=0").await;
    events.expect("hello").await;
    let old = identity.http().build().unwrap();
    identity.renew();
    tls.show(&identity.read());
    desk.set("meet.name", json!("still there")).await;
    events.entries_until(1).await;
    identity.client(&server.url).get("/health/live").await.expect(200);
    let refused = old.get(format!("{}/health/live", server.url)).send().await;
    assert!(refused.is_err(), "the old certificate is no longer shown");
    desk.set("meet.name", json!("and still")).await;
    events.entries_until(2).await;
}

#[tokio::test]
async fn plain_http_is_told_what_would_be_right() {
    let identity = Identity::new();
    let server = server(&identity);
    let address = server.url.trim_start_matches("https://").to_owned();
    let large = format!("POST /v1/meets HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n{}", "x".repeat(3000));
    for request in ["GET /v1/meets HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", &large] {
        let mut connection = Connection::connect(&address).await;
        connection.send(request).await;
        let reply = connection.reply().await;
        assert_eq!((reply.status, reply.header("connection")), (400, Some("close")), "{reply:?}");
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        assert!(problem["code"] == "malformed-message" && problem["detail"].as_str().unwrap().contains("https://"), "{problem}");
        assert_eq!(connection.rest().await, "");
    }
    identity.client(&server.url).get("/health/live").await.expect(200);
}

async fn what_is_no_handshake_is_ended_and_harms_nobody() {
    let identity = Identity::new();
    let server = server(&identity);
    let address = server.url.trim_start_matches("https://");
    let mut garbage = TcpStream::connect(address).await.unwrap();
    garbage.write_all(&[0x16, 3, 1, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff]).await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), garbage.read_to_end(&mut rest)).await.expect("it ends at once");
    // One says nothing, one stops in the middle of its hello.
    let started = Instant::now();
    let mut slow = Vec::new();
    for start in [&[][..], &[0x16, 3, 1, 2, 0, 1]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(start).await.unwrap();
        slow.push(stream);
    }
    identity.client(&server.url).get("/health/live").await.expect(200);
    for mut stream in slow {
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("it is cut off");
    }
    assert!(started.elapsed() >= Duration::from_secs(9), "{:?}: a slow handshake gets its time", started.elapsed());
}

#[tokio::test]
async fn pages_from_elsewhere_and_their_preflights_work_over_http_2() {
    let identity = Identity::new();
    let origin = "https://openlifter.example.org";
    let options = Options { allow_origins: vec![origin.to_owned()], ..Options::default() };
    let server = TestServer::secure(&identity.tls(), options);
    let client = identity.client(&server.url);
    let preflight = client.request(Method::OPTIONS, "/v1/meets").header("origin", origin).header("access-control-request-method", "POST");
    let reply = preflight.send().await.unwrap();
    assert_eq!((reply.version(), reply.headers()["access-control-allow-origin"].to_str().unwrap()), (Version::HTTP_2, origin));
    let reply = client.send(client.request(Method::GET, "/nothing").header("origin", origin)).await;
    assert_eq!(reply.header("access-control-allow-origin"), origin);
    reply.problem(404, "not-found");
}

/// As over plain HTTP: whoever accepts nothing for half a minute is cut off.
async fn a_reader_that_takes_nothing_is_cut_off_under_tls_too() {
    let identity = Identity::new();
    let server = server(&identity);
    let desk = identity.client(&server.url).create_as("desk").await;
    let mut stream = identity.connect(&server.url, &[b"http/1.1"]).await;
    let request = format!("GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", desk.of_meet("/events?after=0"), desk.token);
    stream.write_all(request.as_bytes()).await.unwrap();
    for n in 0..60 {
        desk.set(&format!("k{n}"), json!("x".repeat(200_000))).await;
    }
    // Asleep for longer than a stalled write may last; nothing announces that to a reader that does not read.
    tokio::time::sleep(Duration::from_secs(34)).await;
    let mut read = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut read)).await;
    assert!(end.is_ok(), "the connection is still there");
    assert!(read.len() < 60 * 200_000, "{} bytes", read.len());
}

/// Together, since both take their time.
#[tokio::test]
async fn slow_handshakes_and_readers_that_take_nothing_are_cut_off() {
    tokio::join!(what_is_no_handshake_is_ended_and_harms_nobody(), a_reader_that_takes_nothing_is_cut_off_under_tls_too());
}
