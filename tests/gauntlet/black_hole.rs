//! A filter that lets requests through and swallows whatever looks like a stream: no answer, no refusal, no end.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A black hole in front of a server; gone when dropped.
pub struct BlackHole {
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl BlackHole {
    pub async fn start(server: &str) -> BlackHole {
        let server: SocketAddr = server.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, server));
            }
        });
        BlackHole { url, task }
    }
}

impl Drop for BlackHole {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request on one connection, so that every request is looked at.
async fn carry(mut client: TcpStream, server: SocketAddr) {
    let Some((head, rest)) = read_head(&mut client).await else { return };
    if is_swallowed(&head) {
        std::future::pending::<()>().await;
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let lines = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let request = lines.collect::<Vec<_>>().join("\r\n") + "\r\nConnection: close\r\n\r\n";
    if server.write_all(&[request.as_bytes(), &rest].concat()).await.is_ok() {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

fn is_swallowed(head: &str) -> bool {
    let head = head.to_ascii_lowercase();
    let first = head.lines().next().unwrap_or_default();
    first.contains("/events") || head.contains("\r\nupgrade: websocket")
}

/// The head of a request without the empty line behind it, and what came of the body.
async fn read_head(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = read.split_off(at + 4);
            read.truncate(at);
            return Some((String::from_utf8(read).ok()?, rest));
        }
        if client.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}
