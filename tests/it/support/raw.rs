//! Streams as bytes on a socket of the test's own: what really goes over the wire, read as slowly as a test likes.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::wire::{self, Wire};
use super::{Client, contract};

/// How long a test waits for a line before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream.
pub struct RawStream {
    socket: BufReader<Wire>,
}

impl RawStream {
    /// Sends the request and reads nothing yet. HTTP/1.0 has no chunks, so the body comes as it was written.
    pub async fn open(client: &Client, query: &str) -> RawStream {
        RawStream::open_with(client, query, 64 * 1024).await
    }

    /// The same with a receive buffer of about that many bytes: what the server can write before it must wait.
    pub async fn open_with(client: &Client, query: &str, receive_buffer: u32) -> RawStream {
        let mut socket = wire::connect(client, Some(receive_buffer)).await;
        let path = client.of_meet(&format!("/events?{query}"));
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n", wire::host(client), client.token);
        socket.write_all(request.as_bytes()).await.unwrap();
        RawStream { socket: BufReader::with_capacity(4096, socket) }
    }

    /// Status line and headers; the stream must have been granted.
    pub async fn head(&mut self) -> Vec<String> {
        let mut head: Vec<String> = Vec::new();
        loop {
            let line = self.line().await.expect("a head");
            let line = line.strip_suffix('\r').expect("HTTP ends lines with CR LF");
            if line.is_empty() {
                assert!(head[0].ends_with(" 200 OK"), "{head:?}");
                return head;
            }
            head.push(line.to_owned());
        }
    }

    /// The next line without its line feed; `None` at the end of the stream, also where that cuts a line.
    pub async fn line(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.socket.read_until(b'\n', &mut bytes)).await;
        // A cut connection ends a stream as well.
        read.expect("no line came in time").ok().filter(|&length| length > 0)?;
        (bytes.pop() == Some(b'\n')).then(|| String::from_utf8(bytes).unwrap())
    }

    /// The next line as an object of an NDJSON stream.
    pub async fn object(&mut self) -> Option<Value> {
        let object = serde_json::from_str(&self.line().await?).unwrap();
        contract::check_event(&object);
        Some(object)
    }
}
