//! HTTP/2 at its edges: floods, peers that fall silent, readers that stop, and the end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use liftrelay::http::Options;
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use crate::support::tls::Identity;
use crate::support::{Client, TestServer};

const PATIENCE: Duration = Duration::from_secs(70);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `GET / https` from the static table.
const GET_ROOT: &[u8] = &[0x82, 0x84, 0x87, 0x41, 1, b'x'];
/// `POST /v1/meets https`, which waits for its body.
const POST_MEETS: &[u8] = b"\x83\x87\x41\x01x\x04\x09/v1/meets";

fn server(identity: &Identity) -> TestServer {
    TestServer::secure(&identity.tls(), Options::default())
}

/// A client of its own whose windows hold so many bytes for a stream.
async fn connect(identity: &Identity, url: &str, window: u32) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = identity.connect(url, &[b"h2"]).await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window).initial_connection_window_size(1 << 24);
    let (client, connection) = builder.handshake(stream).await.unwrap();
    (client, tokio::spawn(connection))
}

async fn get(client: &SendRequest<Bytes>, of: &Client, path: &str) -> ResponseFuture {
    let request = http::Request::get(format!("{}{path}", of.base)).header("authorization", format!("Bearer {}", of.token));
    client.clone().ready().await.unwrap().send_request(request.body(()).unwrap(), true).unwrap().0
}

/// Reads what a stream still has; gives the text, and how it ended.
async fn rest(body: &mut h2::RecvStream, release: bool) -> (String, Result<(), h2::Error>) {
    let mut text = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, body.data()).await.expect("the stream does not end") {
            None => return (String::from_utf8_lossy(&text).into_owned(), Ok(())),
            Some(Err(error)) => return (String::from_utf8_lossy(&text).into_owned(), Err(error)),
            Some(Ok(data)) => {
                text.extend_from_slice(&data);
                if release {
                    body.flow_control().release_capacity(data.len()).unwrap();
                }
            }
        }
    }
}

#[tokio::test]
async fn a_shutdown_tells_streams_and_ends_the_connection_in_order() {
    let identity = Identity::new();
    let server = server(&identity);
    let desk = identity.client(&server.url).create_as("desk").await;
    let (client, connection) = connect(&identity, &server.url, 1 << 20).await;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(get(&client, &desk, &desk.of_meet("/events?after=now")).await.await.unwrap().into_body());
    }
    let started = Instant::now();
    server.app.stopping.cancel();
    for body in &mut bodies {
        let (text, end) = rest(body, true).await;
        assert!(text.contains("event: hello") && text.contains("event: end") && text.contains("shutdown"), "{text}");
        end.unwrap();
    }
    connection.await.unwrap().expect("GOAWAY without an error");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// The reader takes nothing of one stream; the others of its connection go on.
async fn a_stream_that_is_not_read_is_reset_and_its_neighbours_go_on() {
    let identity = Identity::new();
    let server = server(&identity);
    let desk = identity.client(&server.url).create_as("desk").await;
    let (client, _connection) = connect(&identity, &server.url, 20_000).await;
    let mut stalled = get(&client, &desk, &desk.of_meet("/events?after=0")).await.await.unwrap().into_body();
    let mut page = get(&client, &desk, &desk.of_meet("/events?after=0")).await.await.unwrap().into_body();
    let started = Instant::now();
    for n in 1..=4 {
        desk.set(&format!("k{n}"), json!("x".repeat(30_000))).await;
    }
    let neighbour = async {
        let mut read = 0;
        while read < 4 * 30_000 {
            let data = page.data().await.unwrap().unwrap();
            page.flow_control().release_capacity(data.len()).unwrap();
            read += data.len();
        }
        page
    };
    let ((_, end), mut page) = tokio::join!(rest(&mut stalled, false), neighbour);
    assert_eq!(end.unwrap_err().reason(), Some(Reason::CANCEL));
    let after = started.elapsed();
    assert!((Duration::from_secs(25)..Duration::from_secs(50)).contains(&after), "{after:?}");
    desk.set("last", json!("word")).await;
    let mut text = String::new();
    while !text.contains("word") {
        let data = page.data().await.unwrap().unwrap();
        page.flow_control().release_capacity(data.len()).unwrap();
        text += &String::from_utf8_lossy(&data);
    }
    // The same goes for a reply that is no stream.
    let reply = get(&client, &desk, &desk.of_meet("/updates?after=0")).await.await.unwrap();
    let (text, end) = rest(&mut reply.into_body(), true).await;
    assert!(end.is_ok() && text.len() > 4 * 30_000, "it is read whole where it is read");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused_and_the_connection_stays() {
    let identity = Identity::new();
    let server = server(&identity);
    let (client, _connection) = connect(&identity, &server.url, 1 << 20).await;
    let ask = async |bytes: usize| {
        let request = http::Request::get(format!("{}/health/live", server.url)).header("x-large", "x".repeat(bytes));
        client.clone().ready().await.unwrap().send_request(request.body(()).unwrap(), true).unwrap().0.await.unwrap().status()
    };
    assert_eq!(ask(60_000).await, StatusCode::OK);
    assert_eq!(ask(100_000).await, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(ask(10).await, StatusCode::OK);
}

/// What no client library sends.
struct Raw {
    stream: TlsStream<TcpStream>,
}

impl Raw {
    async fn open(identity: &Identity, url: &str) -> Raw {
        let mut raw = Raw { stream: identity.connect(url, &[b"h2"]).await };
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        raw
    }

    async fn send(&mut self, bytes: &[u8]) {
        // A server that has had enough may have closed its end.
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// The next frame: its kind, its stream and what it carries; `None` at the end.
    async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        let read = async {
            self.stream.read_exact(&mut head).await.ok()?;
            let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the connection does not end")
    }

    /// Reads to the end; gives the error code of the last GOAWAY, if one came.
    async fn last_words(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some((kind, _, payload)) = self.next().await {
            if kind == GOAWAY {
                code = Some(number(&payload[4..8]));
            }
        }
        code
    }

    /// The first stream that is reset, and why.
    async fn first_reset(&mut self) -> (u32, u32) {
        loop {
            let (kind, stream, payload) = self.next().await.expect("the connection ended");
            if kind == RST_STREAM {
                return (stream, number(&payload));
            }
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Requests that are taken back before they are answered cost their sender the connection, and nobody else anything.
#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let identity = Identity::new();
    let server = server(&identity);
    let mut raw = Raw::open(&identity, &server.url).await;
    let cancel = u32::from(Reason::CANCEL).to_be_bytes();
    let once = |stream| [frame(HEADERS, END_HEADERS | END_STREAM, stream, GET_ROOT), frame(RST_STREAM, 0, stream, &cancel)].concat();
    let flood: Vec<u8> = (0..2_000).flat_map(|n| once(2 * n + 1)).collect();
    raw.send(&flood).await;
    assert_eq!(raw.last_words().await, Some(u32::from(Reason::ENHANCE_YOUR_CALM)));
    identity.client(&server.url).get("/health/live").await.expect(200);
}

#[tokio::test]
async fn a_head_that_never_ends_ends_the_connection() {
    let identity = Identity::new();
    let server = server(&identity);
    let mut raw = Raw::open(&identity, &server.url).await;
    raw.send(&frame(HEADERS, 0, 1, GET_ROOT)).await;
    let field = [&[0, 1, b'a', 0x7f, 0x81, 0x7d][..], &[b'b'; 16_000]].concat();
    for _ in 0..1_000 {
        raw.send(&frame(CONTINUATION, 0, 1, &field)).await;
    }
    assert!(raw.last_words().await.is_none_or(|code| code != u32::from(Reason::NO_ERROR)));
    identity.client(&server.url).get("/health/live").await.expect(200);
}

/// 128 are enough for every browser.
#[tokio::test]
async fn a_client_is_told_how_many_streams_it_may_open_and_gets_no_more() {
    let identity = Identity::new();
    let server = server(&identity);
    let (client, _connection) = connect(&identity, &server.url, 1 << 20).await;
    get(&client, &identity.client(&server.url), "/health/live").await.await.unwrap();
    assert_eq!(client.clone().current_max_send_streams(), 128);
    // A head without its end keeps a stream open; the one above the cap is refused by its number, 257.
    let mut raw = Raw::open(&identity, &server.url).await;
    let heads: Vec<u8> = (0..129).flat_map(|n| frame(HEADERS, END_HEADERS, 2 * n + 1, POST_MEETS)).collect();
    raw.send(&heads).await;
    assert_eq!(raw.first_reset().await, (257, u32::from(Reason::REFUSED_STREAM)));
}

async fn a_connection_without_a_stream_ends_in_order() {
    let identity = Identity::new();
    let server = server(&identity);
    let (client, connection) = connect(&identity, &server.url, 1 << 20).await;
    get(&client, &identity.client(&server.url), "/health/live").await.await.unwrap();
    let started = Instant::now();
    // Whoever never finishes the preface is gone as well.
    let mut half = identity.connect(&server.url, &[b"h2"]).await;
    half.write_all(&PREFACE[..10]).await.unwrap();
    tokio::time::timeout(PATIENCE, connection).await.expect("it stays").unwrap().unwrap();
    assert!(started.elapsed() >= Duration::from_secs(29), "{:?}", started.elapsed());
    let _ = tokio::time::timeout(Duration::from_secs(10), half.read_to_end(&mut Vec::new())).await.expect("it stays");
}

/// A peer that is gone answers no ping; its stream would otherwise be kept until there is news.
async fn a_peer_that_answers_no_ping_is_gone() {
    let identity = Identity::new();
    let server = server(&identity);
    let desk = identity.client(&server.url).create_as("desk").await;
    let mut raw = Raw::open(&identity, &server.url).await;
    let literal = |name: &str, value: &str| [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat();
    let path = desk.of_meet("/events");
    let head =
        [&[0x82, 0x87, 0x41, 1, b'x'], &literal(":path", &path)[..], &literal("authorization", &format!("Bearer {}", desk.token))[..]]
            .concat();
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head)).await;
    let started = Instant::now();
    raw.last_words().await;
    assert!(started.elapsed() >= Duration::from_secs(20), "{:?}", started.elapsed());
}

/// Together, since each waits for half a minute or more.
#[tokio::test]
async fn streams_connections_and_peers_that_nobody_uses_end() {
    tokio::join!(
        a_stream_that_is_not_read_is_reset_and_its_neighbours_go_on(),
        a_connection_without_a_stream_ends_in_order(),
        a_peer_that_answers_no_ping_is_gone(),
    );
}
