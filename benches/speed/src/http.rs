//! As much of an HTTP client as pushing takes: one connection that is kept, one request at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Measured;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON, of a request that was granted.
    pub fn json(&self) -> Measured<serde_json::Value> {
        self.granted()?;
        Ok(serde_json::from_slice(&self.body)?)
    }

    pub fn granted(&self) -> Measured<()> {
        match self.status {
            200..300 => Ok(()),
            status => Err(format!("{status}: {}", String::from_utf8_lossy(&self.body)).into()),
        }
    }
}

impl Http {
    pub fn connect(address: SocketAddr) -> Measured<Http> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Http { stream, buffer: Vec::new() })
    }

    pub fn send(&mut self, request: &str) -> Measured<Reply> {
        self.stream.write_all(request.as_bytes())?;
        self.reply()
    }

    pub fn reply(&mut self) -> Measured<Reply> {
        let end = loop {
            match head_end(&self.buffer) {
                Some(end) => break end,
                None => self.read_more()?,
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(|| format!("no head of a response: {head}"))?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).ok_or_else(|| format!("no length: {head}"))?;
        let whole = end + length.trim().parse::<usize>()?;
        while self.buffer.len() < whole {
            self.read_more()?;
        }
        let body = self.buffer[end..whole].to_vec();
        self.buffer.drain(..whole);
        Ok(Reply { status, body })
    }

    fn read_more(&mut self) -> Measured<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err("the connection was closed in the middle of an answer".into()),
            length => {
                self.buffer.extend_from_slice(&chunk[..length]);
                Ok(())
            }
        }
    }
}

/// Where the body starts, once the head is whole.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// A request with a JSON body.
pub fn post(path: &str, token: Option<&str>, body: &str) -> String {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{authorization}Content-Length: {length}\r\n\r\n{body}"
    )
}
