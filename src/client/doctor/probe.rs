//! One probe each: a request, and everything that comes of it with the time at which it came.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap};
use reqwest::{Method, RequestBuilder, Response};
use tokio::time::{Instant, timeout_at};

use crate::client::api::{Options, Server};
use crate::client::channel::Transport;
use crate::wire::reply::{Kind, ReceivedPage};

use super::evidence::{End, Probe, Sight};
use super::{Demo, Reader, Visit};

/// How long an answer may take beyond what it was asked to be held.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of an answer that are looked at: a HELLO, or a page of one entry.
const LOOKED_AT_BYTES: usize = 512 * 1024;

/// What proxies write about themselves, or change.
const TELLING: [&str; 16] = [
    "age",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "keep-alive",
    "location",
    "proxy-agent",
    "proxy-authenticate",
    "proxy-connection",
    "server",
    "transfer-encoding",
    "via",
    "x-cache",
    "x-squid-error",
    "x-varnish",
];

/// Sends probes, by the client that carries everything else: the same certificates and proxies count.
pub(super) struct Prober {
    server: Server,
    pub(super) reader: Option<Reader>,
}

impl Prober {
    pub(super) fn new(visit: &Visit) -> Result<Prober, String> {
        let options = Options { root_certificate: visit.root_certificate.clone(), proxy: visit.proxy.clone() };
        Ok(Prober { server: Server::new(visit.server.clone(), options)?, reader: visit.reader.clone() })
    }

    /// Whether a liftrelay answers.
    pub(super) async fn health(&self) -> Sight {
        self.poll(Probe::Health, self.get("health/live"), Duration::ZERO).await.0
    }

    /// Who may read the demo, where one runs.
    pub(super) async fn demo(&self) -> Option<Reader> {
        let response = self.get("v1/demo").timeout(PATIENCE).send().await.ok()?;
        let text = response.text().await.ok()?;
        serde_json::from_str::<Demo>(&text).ok()?.reader()
    }

    /// A request that is answered at once; gives the head of the log too.
    pub(super) async fn short_poll(&self) -> (Sight, Option<u64>) {
        let request = self.get_of_meet("/updates?limit=1");
        let (sight, text) = self.poll(Probe::Rung(Transport::ShortPoll), request, Duration::ZERO).await;
        let head = serde_json::from_slice(&text).ok().map(|page: ReceivedPage| page.head_seq_num);
        (sight, head)
    }

    /// A request that the server holds.
    pub(super) async fn long_poll(&self, head: u64, hold: Duration) -> Sight {
        let request = self.get_of_meet(&format!("/updates?after={head}&wait={}", hold.as_secs()));
        self.poll(Probe::Rung(Transport::LongPoll), request, hold).await.0
    }

    /// A stream that the server ends by itself.
    pub(super) async fn stream(&self, probe: Probe, hold: Duration) -> Sight {
        let seconds = hold.as_secs();
        let path = match probe {
            Probe::Padded { kib } => format!("/events?after=now&maxSeconds={seconds}&padding={kib}"),
            _ => format!("/events?after=now&maxSeconds={seconds}"),
        };
        let wanted = if probe == Probe::Rung(Transport::Ndjson) { "application/x-ndjson" } else { "text/event-stream" };
        let mut request = self.get_of_meet(&path).header(ACCEPT, wanted);
        if probe == Probe::Packed {
            request = request.header(ACCEPT_ENCODING, "gzip");
        }
        self.watch(Sight::new(probe, hold), request, |sight, text, now| {
            if sight.proven.is_none() && holds(text, "HELLO") {
                sight.proven = Some(now);
            }
            if sight.heartbeat.is_none() && holds(text, "HEARTBEAT") {
                sight.heartbeat = Some(now);
            }
        })
        .await
        .0
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.server.request(Method::GET, path)
    }

    fn get_of_meet(&self, rest: &str) -> RequestBuilder {
        match &self.reader {
            Some(Reader { meet, token }) => self.get(&format!("v1/meets/{}{rest}", meet.digits())).bearer_auth(token),
            None => self.get(rest),
        }
    }

    /// A request whose answer is one message of ours.
    async fn poll(&self, probe: Probe, request: RequestBuilder, hold: Duration) -> (Sight, Vec<u8>) {
        self.watch(Sight::new(probe, hold), request, |sight, text, now| {
            let is_ours = || serde_json::from_slice::<Kind>(text).is_ok();
            if sight.status == Some(200) && is_ours() {
                sight.proven = Some(now);
            }
        })
        .await
    }

    /// Sends a request and looks on until it is over; `look` is shown what has come each time.
    async fn watch(&self, mut sight: Sight, request: RequestBuilder, look: impl Fn(&mut Sight, &[u8], Duration)) -> (Sight, Vec<u8>) {
        let started = Instant::now();
        let deadline = started + sight.asked + PATIENCE;
        let mut text = Vec::new();
        match timeout_at(deadline, request.send()).await {
            Err(_) => sight.end = End::Unanswered,
            Ok(Err(error)) => {
                sight.end = End::Failed;
                sight.fault = Some(chain(&error.without_url()));
            }
            Ok(Ok(response)) => {
                note_head(&mut sight, &response, started.elapsed());
                sight.end = read(response, deadline, |piece| {
                    let now = started.elapsed();
                    sight.first_byte.get_or_insert(now);
                    sight.bytes += piece.len() as u64;
                    if text.len() < LOOKED_AT_BYTES {
                        text.extend_from_slice(piece);
                        look(&mut sight, &text, now);
                    }
                })
                .await;
            }
        }
        sight.ended = started.elapsed();
        (sight, text)
    }
}

/// Writes down what the head of an answer tells.
pub(super) fn note_head(sight: &mut Sight, response: &Response, now: Duration) {
    sight.head = Some(now);
    sight.status = Some(response.status().as_u16());
    sight.http_version = Some(format!("{:?}", response.version()));
    sight.headers = telling(response.headers());
}

fn telling(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    for name in TELLING {
        let values: Vec<_> = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if !values.is_empty() {
            told.insert(name.to_owned(), values.join(", "));
        }
    }
    told
}

async fn read(mut response: Response, deadline: Instant, mut take: impl FnMut(&[u8])) -> End {
    loop {
        match timeout_at(deadline, response.chunk()).await {
            Err(_) => return End::GivenUp,
            Ok(Err(_)) => return End::Cut,
            Ok(Ok(None)) => return End::Whole,
            Ok(Ok(Some(piece))) => take(&piece),
        }
    }
}

/// Whether a message of this type has come. Inside of strings quotes are escaped.
pub(super) fn holds(text: &[u8], kind: &str) -> bool {
    let wanted = format!("\"msgType\":\"{kind}\"");
    text.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

/// An error with all that it came from.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
