//! A WebSocket client. Every message is checked against `openapi.yaml`.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::contract::check_schema;
use super::wire::{self, Duplex, Wire};
use super::{Client, TestServer};

/// How long a test waits for a message before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a stream brings, as opposed to answers.
const NEWS: [&str; 7] = ["HELLO", "STATE", "UPDATE_RELAY", "HEARTBEAT", "SERVER_PULL", "RESET", "END"];

/// An open socket.
pub struct Socket {
    pub socket: WebSocketStream<Wire>,
    /// News that came before the answer that a test waited for.
    news: VecDeque<Value>,
}

impl Socket {
    pub async fn open(base: &str) -> Socket {
        Socket::try_open(base, "", &[]).await.expect("an open socket")
    }

    /// With a query (`?key=…`) and headers; a handshake that is refused gives the error.
    pub async fn try_open(base: &str, query: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
        let tcp = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
        Socket::on(tcp, base, query, headers).await
    }

    /// On a connection that is there already.
    pub async fn on(connection: impl Duplex + 'static, base: &str, query: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
        let mut request = format!("{}/v1/socket{query}", base.replacen("http", "ws", 1)).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, response) = client_async(request, Box::new(connection) as Wire).await?;
        assert_eq!(response.status(), 101);
        Ok(Socket { socket, news: VecDeque::new() })
    }

    /// A socket that follows a client's meet from a number on.
    pub async fn following(client: &Client, last_server_seq: u64) -> Socket {
        let mut socket = Socket::on(wire::connect(client, None).await, &client.base, "", &[]).await.expect("an open socket");
        socket.send(&json!({"msgType": "CLIENT_PULL", "sessionToken": client.token, "lastServerSeq": last_server_seq})).await;
        socket.expect("HELLO").await;
        socket
    }

    /// A socket for a client's token, with a receive buffer of about that many bytes: what the server can write before it must wait.
    pub async fn slow(client: &Client, receive_buffer: u32) -> Socket {
        let connection = wire::connect(client, Some(receive_buffer)).await;
        let authorization = format!("Bearer {}", client.token);
        Socket::on(connection, &client.base, "", &[("authorization", &authorization)]).await.unwrap()
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message, news and answers alike; `None` at the end.
    pub async fn try_next(&mut self) -> Option<Value> {
        if let Some(news) = self.news.pop_front() {
            return Some(news);
        }
        self.receive().await
    }

    async fn receive(&mut self) -> Option<Value> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("no message came in time");
            match frame?.ok()? {
                Message::Text(text) => {
                    let message = serde_json::from_str(&text).unwrap();
                    check_schema(&json!({"$ref": "#/components/schemas/SocketMessage"}), &message, "a message");
                    return Some(message);
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    pub async fn next(&mut self) -> Value {
        self.try_next().await.expect("the socket closed")
    }

    /// The next message, which must be of this type.
    #[track_caller]
    pub fn expect(&mut self, msg_type: &'static str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let message = self.next().await;
            assert_eq!(message["msgType"], msg_type, "at {caller}: {message}");
            message
        }
    }

    /// Sends a message and gives its answer; news that come first are kept.
    pub async fn ask(&mut self, message: &Value) -> Value {
        self.send(message).await;
        self.answer().await
    }

    /// The next answer. Heartbeats do not make it wait longer.
    pub async fn answer(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, self.next_answer()).await.expect("no answer came in time")
    }

    async fn next_answer(&mut self) -> Value {
        loop {
            let message = self.receive().await.expect("the socket closed");
            let is_news = NEWS.iter().any(|news| message["msgType"] == *news) && message["code"].is_null();
            if !is_news {
                return message;
            }
            self.news.push_back(message);
        }
    }

    /// Reads relays until the log is there up to `seq`; gives the entries.
    pub async fn entries_until(&mut self, seq: u64) -> Vec<Value> {
        let mut entries = Vec::new();
        loop {
            let message = self.next().await;
            if message["msgType"] == "UPDATE_RELAY" {
                entries.extend(message["updatesRelayed"].as_array().unwrap().iter().cloned());
                if message["serverSeqNum"].as_u64().unwrap() >= seq {
                    return entries;
                }
            }
        }
    }

    /// Whatever still comes up to the end, as bytes: a library would answer pings on the way, which nobody takes any more.
    pub async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        self.socket.get_mut().read_to_end(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads up to the end, which must come with a close frame; gives its code and reason.
    pub async fn closed(&mut self) -> (CloseCode, String) {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("it did not close in time") {
                Some(Ok(Message::Close(Some(frame)))) => return (frame.code, frame.reason.to_string()),
                Some(Ok(_)) => {}
                other => panic!("closed without a word: {other:?}"),
            }
        }
    }
}

impl TestServer {
    pub async fn socket(&self) -> Socket {
        Socket::open(&self.url).await
    }
}
