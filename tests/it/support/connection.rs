//! A connection byte by byte, for what no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Client;
use super::wire::{self, Wire};

/// How long a test waits for bytes before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Connection {
    stream: Wire,
    read: Vec<u8>,
}

/// A response as it came.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Connection {
    /// Connects to `http://ADDRESS`.
    pub async fn connect(url: &str) -> Connection {
        Connection { stream: Box::new(TcpStream::connect(url.trim_start_matches("http://")).await.unwrap()), read: Vec::new() }
    }

    /// Connects as a client does, under TLS where its server speaks that.
    pub async fn of(client: &Client) -> Connection {
        Connection { stream: wire::connect(client, None).await, read: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has answered already may have closed its end.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// The next response; its body is as long as it says, or goes on to the end of the connection.
    pub async fn reply(&mut self) -> Response {
        self.reply_to("GET").await
    }

    pub async fn reply_to(&mut self, method: &str) -> Response {
        let end = loop {
            match find(&self.read, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => assert!(self.more().await, "closed within a head: {:?}", String::from_utf8_lossy(&self.read)),
            }
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}"));
        let mut reply = Response { status, head, body: String::new() };
        if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
            return reply;
        }
        let length = reply.header("content-length").map(|length| length.parse::<usize>().unwrap());
        let chunked = reply.header("transfer-encoding") == Some("chunked");
        let is_whole = |read: &[u8]| match length {
            Some(length) => read.len() >= length,
            None => chunked && read.ends_with(b"0\r\n\r\n"),
        };
        while !is_whole(&self.read) && self.more().await {}
        let end = length.unwrap_or(self.read.len()).min(self.read.len());
        reply.body = String::from_utf8_lossy(&self.read.drain(..end).collect::<Vec<_>>()).into_owned();
        reply
    }

    /// Everything until `text` has come, or the end of the connection.
    pub async fn until(&mut self, text: &str) -> String {
        while find(&self.read, text.as_bytes()).is_none() && self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// Everything until the server closes the connection.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        // A connection that was cut has ended too.
        read.expect("nothing came in time").is_ok_and(|count| count > 0)
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
