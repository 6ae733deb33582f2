//! As much of an HTTP client as pushing takes: one connection that is kept, one request at a time.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::Measured;
use super::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Http {
    wire: Wire,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
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
        Http::over(Wire::plain(address)?)
    }

    pub fn over(wire: Wire) -> Measured<Http> {
        wire.socket().set_nodelay(true)?;
        wire.socket().set_read_timeout(Some(PATIENCE))?;
        Ok(Http { wire, buffer: Vec::new() })
    }

    pub fn send(&mut self, request: &str) -> Measured<Reply> {
        self.wire.write_all(request.as_bytes())?;
        self.reply()
    }

    pub fn reply(&mut self) -> Measured<Reply> {
        let head = loop {
            match Head::read(&self.buffer)? {
                Some(head) => break head,
                None => self.read_more()?,
            }
        };
        while self.buffer.len() < head.whole {
            self.read_more()?;
        }
        let body = self.buffer[head.end..head.whole].to_vec();
        self.buffer.drain(..head.whole);
        Ok(Reply { status: head.status, head: head.text, body })
    }

    fn read_more(&mut self) -> Measured<()> {
        let mut chunk = [0; 16 * 1024];
        match self.wire.read(&mut chunk)? {
            0 => Err("the connection was closed in the middle of an answer".into()),
            length => {
                self.buffer.extend_from_slice(&chunk[..length]);
                Ok(())
            }
        }
    }
}

/// The head of a response, and where that ends.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub text: String,
    /// Where the body starts.
    pub end: usize,
    /// Where it ends.
    pub whole: usize,
}

impl Head {
    /// `None` where it is not whole yet.
    pub fn read(bytes: &[u8]) -> Measured<Option<Head>> {
        let Some(end) = head_end(bytes) else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = text.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(|| format!("no head of a response: {text}"))?;
        // Not modified has no body, whatever it says.
        let length = if status == 304 { "0" } else { field(&text, "content-length").ok_or_else(|| format!("no length: {text}"))? };
        let whole = end + length.parse::<usize>()?;
        Ok(Some(Head { status, text, end, whole }))
    }
}

/// A field of a head.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find_map(|(field, value)| field.eq_ignore_ascii_case(name).then(|| value.trim()))
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

/// A request for something.
pub fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n")
}
