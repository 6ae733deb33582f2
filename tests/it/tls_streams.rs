//! Streams under TLS with HTTP/1.1: what the session adds to what the tests of streams and lanes say about both. Keys change, sessions end
//! in their own way, and what is no record ends one.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConnection, Error};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::connection::Connection;
use crate::support::raw::RawStream;
use crate::support::tls::shake_hands;
use crate::support::{Client, TestServer, wire};

const PATIENCE: Duration = Duration::from_secs(20);

fn request(client: &Client, query: &str) -> String {
    let path = client.of_meet(&format!("/events?{query}"));
    format!("GET {path} HTTP/1.1\r\nHost: hall\r\nAuthorization: Bearer {}\r\n\r\n", client.token)
}

/// A connection on which a stream has begun.
async fn reader(client: &Client) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(wire::host(client)).await.unwrap();
    let mut stream = shake_hands(client.tls.clone().unwrap(), socket).await;
    stream.write_all(request(client, "after=now").as_bytes()).await.unwrap();
    until(&mut stream, "HELLO").await;
    stream
}

/// Reads until some text has come.
async fn until(stream: &mut TlsStream<TcpStream>, text: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        let length = tokio::time::timeout(PATIENCE, stream.read_buf(&mut read)).await.expect("nothing came in time").unwrap();
        assert!(length > 0, "the stream ended");
    }
}

/// Sets a value that readers are to get.
async fn reaches(desk: &Client, streams: &mut [TlsStream<TcpStream>], lot: u64) {
    desk.set("lot", json!(lot)).await;
    for stream in streams {
        until(stream, &format!("\"updateValue\":{lot}")).await;
    }
}

async fn until_viewers(desk: &Client, wanted: u64) {
    let started = Instant::now();
    while desk.get(&desk.of_meet("")).await.expect(200)["viewers"] != json!(wanted) {
        assert!(started.elapsed() < Duration::from_secs(8), "long before a heartbeat would tell");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The last event, the last chunk and the last record: without each of them something could have been cut off on the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_stream_body_and_session() {
    let server = TestServer::under_tls().await;
    let desk = server.meet().await;
    let mut streams = [reader(&desk).await, reader(&desk).await, reader(&desk).await];
    reaches(&desk, &mut streams[..2], 1).await;
    server.app.stopping.cancel();
    for mut stream in streams {
        let mut rest = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut rest)).await.expect("it ends");
        read.expect("the session ends in order");
        assert!(rest.contains("event: end\n") && rest.contains("\"shutdown\"") && rest.ends_with("\r\n0\r\n\r\n"), "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_change_under_a_stream() {
    let server = TestServer::under_tls().await;
    let desk = server.meet().await;
    let mut streams = [reader(&desk).await, reader(&desk).await];
    for lot in 1..=10 {
        streams[0].get_mut().1.refresh_traffic_keys().unwrap();
        streams[0].flush().await.unwrap();
        reaches(&desk, &mut streams, lot).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_reader_says_its_stream_goes_on() {
    let server = TestServer::under_tls().await;
    let desk = server.meet().await;
    let mut streams = [reader(&desk).await];
    for (lot, words) in [(1, "GET / HTTP/1.1\r\n\r\n".to_owned()), (2, "x".repeat(40_000)), (3, "again".to_owned())] {
        streams[0].write_all(words.as_bytes()).await.unwrap();
        streams[0].flush().await.unwrap();
        reaches(&desk, &mut streams, lot).await;
    }
}

/// Half of a connection is no reader: it may close its session and leave the socket open.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_ends_its_session_is_missed_at_once() {
    let server = TestServer::under_tls().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (mut leaving, mut staying) = (reader(&viewer).await, [reader(&viewer).await]);
    until_viewers(&desk, 2).await;
    leaving.get_mut().1.send_close_notify();
    leaving.flush().await.unwrap();
    until_viewers(&desk, 1).await;
    reaches(&desk, &mut staying, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_records_end_a_stream_and_its_reader_is_told_why() {
    let server = TestServer::under_tls().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (mut forged, mut staying) = (reader(&viewer).await, [reader(&viewer).await]);
    reaches(&desk, &mut staying, 1).await;
    until(&mut forged, "\"updateValue\":1").await;
    let record = [&[0x17, 3, 3, 0, 32][..], &[7; 32]].concat();
    forged.get_mut().0.write_all(&record).await.unwrap();
    let mut rest = Vec::new();
    let fault = tokio::time::timeout(PATIENCE, forged.read_to_end(&mut rest)).await.expect("it ends").unwrap_err();
    let alert = fault.get_ref().and_then(|fault| fault.downcast_ref::<Error>());
    assert_eq!(alert, Some(&Error::AlertReceived(AlertDescription::BadRecordMac)));
    until_viewers(&desk, 1).await;
    reaches(&desk, &mut staying, 2).await;
}

/// Records of both versions are of different lengths and kinds; requests and events are larger than one here.
#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_tls_carry_requests_and_streams() {
    let server = TestServer::under_tls().await;
    let identity = server.identity.as_ref().unwrap();
    for version in [&TLS12, &TLS13] {
        let desk = server.meet().await.speaking(identity.config_of(&[version], &[b"http/1.1"]));
        let text = "x".repeat(200_000);
        let mut connection = Connection::of(&desk).await;
        let body = json!({"updates": [{"updateKey": "text", "updateValue": text}]}).to_string();
        let head = format!("POST {} HTTP/1.1\r\nHost: hall\r\nAuthorization: Bearer {}\r\n", desk.of_meet("/updates"), desk.token);
        connection.send(format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
        let reply = connection.reply().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let mut stream = RawStream::open(&desk, "after=0&format=ndjson").await;
        stream.head().await;
        stream.line().await.expect("HELLO");
        let value = async |stream: &mut RawStream| stream.object().await.unwrap()["updatesRelayed"][0]["updateValue"].clone();
        assert_eq!(value(&mut stream).await, Value::from(text));
        for lot in 0..5 {
            desk.set("lot", json!(lot)).await;
            assert_eq!(value(&mut stream).await, json!(lot));
        }
    }
}

/// A path may hand on a byte at a time: neither the handshake nor a request may depend on how it comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_may_come_byte_by_byte() {
    let server = TestServer::under_tls().await;
    let desk = server.meet().await;
    let mut socket = TcpStream::connect(wire::host(&desk)).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let mut session = ClientConnection::new(Arc::clone(desk.tls.as_ref().unwrap()), "localhost".try_into().unwrap()).unwrap();
    session.writer().write_all(request(&desk, "after=now").as_bytes()).unwrap();
    let (mut read, mut reply) = (vec![0; 16 * 1024], Vec::new());
    while !String::from_utf8_lossy(&reply).contains("HELLO") {
        let mut records = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut records).unwrap();
        }
        for byte in records {
            socket.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let length = tokio::time::timeout(PATIENCE, socket.read(&mut read)).await.expect("nothing came in time").unwrap();
        assert!(length > 0, "the connection ended");
        session.read_tls(&mut &read[..length]).unwrap();
        session.process_new_packets().unwrap();
        let _ = session.reader().read_to_end(&mut reply);
    }
}
