//! A webhook that answers as it is told, and remembers what it was sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use liftrelay::http::serve::room::Room;
use liftrelay::http::serve::{Front, listen, serve};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a test waits for results before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request.
#[derive(Clone, Debug)]
pub struct Sent {
    pub headers: HeaderMap,
    pub json: Value,
}

impl Sent {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What it answers: a status, and headers.
pub type Answer = (u16, &'static [(&'static str, &'static str)]);

/// Stops when it is dropped.
pub struct Webhook {
    pub address: SocketAddr,
    sent: watch::Receiver<Vec<Sent>>,
    stopping: CancellationToken,
}

impl Webhook {
    /// Answers so, one after the other, then 200 for ever.
    pub fn start(answers: &[Answer]) -> Webhook {
        Webhook::start_at("127.0.0.1:0".parse().unwrap(), answers)
    }

    pub fn start_at(address: SocketAddr, answers: &[Answer]) -> Webhook {
        let listener = listen(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, sent) = watch::channel(Vec::new());
        let answers: Arc<Mutex<VecDeque<Answer>>> = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let answer = answers.lock().unwrap().pop_front().unwrap_or((200, &[]));
            sender.send_modify(|sent| sent.push(Sent { headers, json: serde_json::from_slice(&body).unwrap() }));
            respond(answer)
        };
        let stopping = CancellationToken::new();
        let router = Router::new().fallback(take);
        let front = Front { router, room: Arc::new(Room::new(64)), tls: None, metrics: Arc::default(), stopping: stopping.clone() };
        tokio::spawn(serve(listener, front));
        Webhook { address, sent, stopping }
    }

    /// Where it is, with a secret that must stay one.
    pub fn url(&self) -> String {
        format!("http://{}/results?token=opensesame", self.address)
    }

    /// Everything that it was sent, once that is so much.
    pub async fn sent(&mut self, count: usize) -> Vec<Sent> {
        let sent = tokio::time::timeout(PATIENCE, self.sent.wait_for(|sent| sent.len() >= count)).await;
        sent.expect("nothing was sent in time").unwrap().clone()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

fn respond((status, headers): Answer) -> Response {
    let mut response = StatusCode::from_u16(status).unwrap().into_response();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}
