//! Requests of one client, each over a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::task::AbortOnDropHandle;

use crate::dice::Dice;
use crate::net::Net;
use crate::time::Sim;

/// How long a client waits for an answer that is not a long-poll's.
pub const ANSWER_WAIT: Duration = Duration::from_secs(6);

/// Takes the design's own messages, of whatever meet.
pub const MESSAGES: &str = "/v1/messages";

/// No answer: the connection failed, broke, or told nothing for too long. What was asked may have happened.
#[derive(Clone, Copy, Debug)]
pub struct Lost;

/// Who asks.
#[derive(Clone)]
pub struct Web {
    pub sim: Sim,
    pub net: Arc<Net>,
    /// Its number on the network.
    pub place: usize,
    pub token: String,
    /// Nine digits.
    pub meet: String,
}

/// An answer whose body comes in pieces; the connection ends with it.
pub struct Streamed {
    pub body: Incoming,
    _connection: AbortOnDropHandle<()>,
}

impl Web {
    /// Asks, and reads the whole answer.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>, wait: Duration, dice: &mut Dice) -> Result<(u16, Value), Lost> {
        let answer = tokio::time::timeout(wait, async {
            let (response, _connection) = self.send(method, path, body, dice).await?;
            let status = response.status().as_u16();
            let bytes = response.into_body().collect().await.map_err(|_| Lost)?.to_bytes();
            Ok((status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() }))
        });
        let answer = answer.await.unwrap_or(Err(Lost));
        self.sim.stir();
        self.note(method, path, body, &answer);
        answer
    }

    /// Opens a stream.
    pub async fn stream(&self, path: &str, dice: &mut Dice) -> Result<Streamed, Lost> {
        let opened = tokio::time::timeout(ANSWER_WAIT, self.send("GET", path, None, dice)).await.unwrap_or(Err(Lost));
        self.sim.note(format_args!("client {} streams {path}: {}", self.place, opened.is_ok()));
        let (response, _connection) = opened?;
        if response.status() == 503 {
            return Err(Lost);
        }
        assert_eq!(response.status(), 200, "{path}");
        Ok(Streamed { body: response.into_body(), _connection })
    }

    /// Opens a WebSocket.
    pub async fn socket(&self, dice: &mut Dice) -> Result<WebSocketStream<DuplexStream>, Lost> {
        let stream = self.net.connect(self.place, dice).await.map_err(|_| Lost)?;
        let key = if self.token.starts_with("lrv_") { format!("?key={}", self.token) } else { String::new() };
        let opening = tokio::time::timeout(ANSWER_WAIT, client_async(format!("ws://liftrelay.test/v1/socket{key}"), stream));
        let opened = opening.await.map_err(|_| Lost).and_then(|opened| opened.map_err(|_| Lost));
        self.sim.note(format_args!("client {} opens a socket: {}", self.place, opened.is_ok()));
        Ok(opened?.0)
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        dice: &mut Dice,
    ) -> Result<(Response<Incoming>, AbortOnDropHandle<()>), Lost> {
        let stream = self.net.connect(self.place, dice).await.map_err(|_| Lost)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| Lost)?;
        let connection = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
        let request = Request::builder()
            .method(method)
            .uri(if path == MESSAGES { path.to_owned() } else { format!("/v1/meets/{}{path}", self.meet) })
            .header("host", "liftrelay.test")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(body.map_or(Bytes::new(), |body| body.to_string().into())))
            .unwrap();
        let response = sender.send_request(request).await.map_err(|_| Lost)?;
        Ok((response, connection))
    }

    fn note(&self, method: &str, path: &str, body: Option<&Value>, answer: &Result<(u16, Value), Lost>) {
        let body = body.map(Value::to_string).unwrap_or_default();
        match answer {
            Ok((status, told)) => self.sim.note(format_args!("client {} {method} {path} {body}: {status} {told}", self.place)),
            Err(Lost) => self.sim.note(format_args!("client {} {method} {path} {body}: no answer", self.place)),
        }
    }
}

impl Streamed {
    /// The next piece; `None` at the end, or where nothing came for so long.
    pub async fn piece(&mut self, wait: Duration) -> Option<Bytes> {
        let frame = tokio::time::timeout(wait, self.body.frame()).await.ok()??.ok()?;
        frame.into_data().ok()
    }
}
