//! Streams as a reader sees them. SSE goes through the product's own decoder, which its own tests hold to the standard.

use std::time::Duration;

use liftrelay::wire::sse::{Decoder, SseEvent};
use reqwest::RequestBuilder;
use serde_json::Value;

use super::contract;

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream.
pub struct Events {
    pub response: reqwest::Response,
    decoder: Decoder,
    ready: std::collections::VecDeque<SseEvent>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub retry: Option<Duration>,
    pub json: Value,
}

impl Events {
    pub async fn open(request: RequestBuilder) -> Events {
        Events::over(request.send().await.unwrap()).await
    }

    /// What a response streams.
    pub async fn over(response: reqwest::Response) -> Events {
        let status = response.status();
        assert_eq!(status, 200, "{}", response.text().await.unwrap());
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { response, decoder: Decoder::default(), ready: Default::default() }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn try_next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            let piece = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("no event came in time");
            // A cut connection ends a stream as well.
            self.ready.extend(self.decoder.push(&piece.ok()??));
        }
        let event = self.ready.pop_front()?;
        let json: Value = serde_json::from_str(&event.data).unwrap();
        let name = json["msgType"].as_str().unwrap().to_lowercase().replace('_', "-");
        assert_eq!(event.name, name);
        contract::check_event(&json);
        Some(Event { name, id: event.id.expect("every event has an id"), retry: event.retry, json })
    }

    pub async fn next(&mut self) -> Event {
        self.try_next().await.expect("the stream ended")
    }

    /// The next event, which must be of this kind.
    #[track_caller]
    pub fn expect(&mut self, name: &'static str) -> impl Future<Output = Event> {
        let caller = std::panic::Location::caller();
        async move {
            let event = self.next().await;
            assert_eq!(event.name, name, "at {caller}: {}", event.json);
            event
        }
    }

    /// Reads relays until the log is there up to `seq`; gives the entries.
    pub async fn entries_until(&mut self, seq: u64) -> Vec<Value> {
        let mut entries = Vec::new();
        loop {
            let event = self.next().await;
            if event.name == "update-relay" {
                entries.extend(event.json["updatesRelayed"].as_array().unwrap().iter().cloned());
                if event.json["serverSeqNum"].as_u64().unwrap() >= seq {
                    return entries;
                }
            }
        }
    }
}

/// Checks that entries are numbered without gaps from `first` on.
#[track_caller]
pub fn assert_gapless(entries: &[Value], first: u64) {
    for (expected, entry) in (first..).zip(entries) {
        assert_eq!(entry["serverSeqNum"], expected, "{entry}");
    }
}
