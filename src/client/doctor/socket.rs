//! The probe of a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::client::channel::Transport;

use super::evidence::{End, Probe, Sight};
use super::probe::{Prober, chain, holds, note_head};

/// How long the handshake may take, and then the first message. A way that takes longer is no way.
const PATIENCE: Duration = Duration::from_secs(5);

impl Prober {
    /// Opens a WebSocket and looks on. With a meet it follows that from the head on; without, it only wants an answer.
    pub(super) async fn socket(&self, head: Option<u64>, hold: Duration) -> Sight {
        let started = Instant::now();
        // Without a meet the first answer is all that is asked for.
        let asked = if head.is_some() { hold } else { Duration::ZERO };
        let mut sight = Sight::new(Probe::Rung(Transport::Socket), asked);
        match timeout_at(started + PATIENCE, self.handshake().send()).await {
            Err(_) => sight.end = End::Unanswered,
            Ok(Err(error)) => {
                sight.end = End::Failed;
                sight.fault = Some(chain(&error.without_url()));
            }
            Ok(Ok(response)) => {
                note_head(&mut sight, &response, started.elapsed());
                sight.end = End::Whole;
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    self.follow(&mut sight, response, head, started).await;
                }
            }
        }
        sight.ended = started.elapsed();
        sight
    }

    fn handshake(&self) -> RequestBuilder {
        let request = self.get("v1/socket").header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
        request.header(SEC_WEBSOCKET_VERSION, "13").header(SEC_WEBSOCKET_KEY, generate_key())
    }

    async fn follow(&self, sight: &mut Sight, response: Response, head: Option<u64>, started: Instant) {
        let upgraded = match response.upgrade().await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                sight.end = End::Cut;
                sight.fault = Some(chain(&error));
                return;
            }
        };
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        if socket.send(Message::text(self.first_message(head))).await.is_err() {
            sight.end = End::Cut;
            return;
        }
        let until = started + sight.asked.max(PATIENCE);
        // Someone without a meet has all there is to have with the first answer.
        let is_over = |sight: &Sight| head.is_none() && sight.proven.is_some();
        while !is_over(sight) {
            // What has said nothing for so long need not be waited for.
            let deadline = if sight.proven.is_none() { started + 2 * PATIENCE } else { until };
            match timeout_at(deadline, socket.next()).await {
                Err(_) => sight.end = End::GivenUp,
                Ok(None) => sight.end = End::Whole,
                Ok(Some(Err(error))) => {
                    sight.end = End::Cut;
                    sight.fault = Some(chain(&error));
                }
                Ok(Some(Ok(message))) => {
                    note(sight, &message, started.elapsed(), head.is_some());
                    continue;
                }
            }
            break;
        }
        let _ = timeout_at(Instant::now() + PATIENCE, socket.close(None)).await;
    }

    fn first_message(&self, head: Option<u64>) -> String {
        let token = self.reader.as_ref().map(|reader| reader.token.as_str());
        match (head, token) {
            (Some(head), Some(token)) => json!({"msgType": "CLIENT_PULL", "sessionToken": token, "lastServerSeq": head}),
            // A type that no server knows is answered without any effect.
            _ => json!({"msgType": "DOCTOR"}),
        }
        .to_string()
    }
}

fn note(sight: &mut Sight, message: &Message, now: Duration, follows: bool) {
    let Message::Text(text) = message else { return };
    sight.first_byte.get_or_insert(now);
    sight.bytes += text.len() as u64;
    let wanted = if follows { "HELLO" } else { "UNKNOWN_MESSAGE_TYPE" };
    if sight.proven.is_none() && holds(text.as_bytes(), wanted) {
        sight.proven = Some(now);
    }
    if sight.heartbeat.is_none() && holds(text.as_bytes(), "HEARTBEAT") {
        sight.heartbeat = Some(now);
    }
}
