//! Somebody who speaks plain HTTP where TLS is spoken is told so, in the language that they speak.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::meet::limits::CONNECTION_BUFFER_BYTES;
use crate::wire::problem::{Code, Extra, Problem};

const WRONG_SCHEME: &str = "plain HTTP does not work here; the address begins with https://";

/// Whether the first byte is that of an HTTP method, which no TLS handshake begins with. Takes nothing from the stream.
pub(super) async fn is_plain(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? > 0 && first[0].is_ascii_alphabetic())
}

/// Says what would be right, and closes.
pub(super) async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    let problem = Problem::new(Code::MalformedMessage, WRONG_SCHEME).with(Extra::Malformed { err_msg: WRONG_SCHEME.to_owned() });
    let body = problem.to_json(&Uuid::new_v4().simple().to_string()) + "\n";
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\nCache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with bytes unread would reset the connection before the answer was read.
    tokio::io::copy(&mut stream.take(CONNECTION_BUFFER_BYTES as u64), &mut tokio::io::sink()).await.map(drop)
}
