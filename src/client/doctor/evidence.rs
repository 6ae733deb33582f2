//! What was seen on the way to a server. Nothing here judges.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::client::channel::Transport;

/// Everything that was seen.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::doctor::{Evidence, Probe, Sight};
///
/// let sights = vec![Sight::new(Probe::Health, Duration::ZERO), Sight::new(Probe::Padded { kib: 16 }, Duration::from_secs(5))];
/// let evidence = Evidence { server: "https://sync.example.org".to_owned(), proxy: None, meet_was_read: false, sights };
/// assert!(evidence.of(Probe::Health).is_some() && evidence.of(Probe::Packed).is_none());
/// assert_eq!(evidence.padded().map(|(kib, _)| kib).collect::<Vec<_>>(), [16]);
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The address that was asked.
    pub server: String,
    /// The forward proxy that was named, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Whether there was a meet to read, so that waits and streams could be tried.
    pub meet_was_read: bool,
    /// One for each probe.
    pub sights: Vec<Sight>,
}

impl Evidence {
    /// What a probe saw, if it was made.
    pub fn of(&self, probe: Probe) -> Option<&Sight> {
        self.sights.iter().find(|sight| sight.probe == probe)
    }

    /// What the probes of paddings saw, the smallest padding first.
    pub fn padded(&self) -> impl Iterator<Item = (u64, &Sight)> {
        self.sights.iter().filter_map(|sight| match sight.probe {
            Probe::Padded { kib } => Some((kib, sight)),
            _ => None,
        })
    }
}

/// What was tried.
///
/// ```
/// use liftrelay::client::{channel::Transport, doctor::Probe};
///
/// assert_eq!(serde_json::to_string(&Probe::Rung(Transport::LongPoll))?, r#"{"rung":"long-poll"}"#);
/// assert_eq!(serde_json::to_string(&Probe::Padded { kib: 16 })?, r#"{"padded":{"kib":16}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// Whether a liftrelay answers at all.
    Health,
    /// One rung of the ladder.
    Rung(Transport),
    /// A stream as browsers ask for it: they say that they take gzip.
    Packed,
    /// A stream with so many KiB behind its HELLO.
    Padded {
        /// How many.
        kib: u64,
    },
}

/// What one probe saw. Times count from the moment at which it was sent.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::{channel::Transport, doctor::{End, Probe, Sight, told}};
///
/// let hold = Duration::from_secs(20);
/// let silent = Sight { ended: hold, ..Sight::new(Probe::Rung(Transport::Sse), hold) };
/// assert_eq!(silent.end, End::Unanswered);
/// assert_eq!(told(&silent), "SSE, no answer after 20.00 s");
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sight {
    /// What was tried.
    pub probe: Probe,
    /// How long the server was asked to hold the answer, or to keep the stream open.
    #[serde(rename = "askedMs", serialize_with = "millis")]
    pub asked: Duration,
    /// HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// As in the status line of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_version: Option<String>,
    /// Those that tell of a proxy, or of what one did.
    pub headers: BTreeMap<String, String>,
    /// When the head of the answer was there.
    #[serde(rename = "headMs", skip_serializing_if = "Option::is_none", serialize_with = "maybe_millis")]
    pub head: Option<Duration>,
    /// When the first byte of the body, or the first message, was there.
    #[serde(rename = "firstByteMs", skip_serializing_if = "Option::is_none", serialize_with = "maybe_millis")]
    pub first_byte: Option<Duration>,
    /// When what proves the rung was there: HELLO of a stream, the page of a poll.
    #[serde(rename = "provenMs", skip_serializing_if = "Option::is_none", serialize_with = "maybe_millis")]
    pub proven: Option<Duration>,
    /// When the first heartbeat was there.
    #[serde(rename = "heartbeatMs", skip_serializing_if = "Option::is_none", serialize_with = "maybe_millis")]
    pub heartbeat: Option<Duration>,
    /// When it was over, or was given up.
    #[serde(rename = "endedMs", serialize_with = "millis")]
    pub ended: Duration,
    /// How it was over.
    pub end: End,
    /// Bytes of body.
    pub bytes: u64,
    /// What went wrong, as the system says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// How a probe was over.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::{channel::Transport, doctor::{End, Probe, Sight, told}};
///
/// let asked = Sight::new(Probe::Rung(Transport::LongPoll), Duration::from_secs(20));
/// let cut = Sight { status: Some(200), ended: Duration::from_secs(4), end: End::Cut, ..asked };
/// assert_eq!(told(&cut), "long-poll, status 200, cut after 4.00 s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The answer came to its end.
    Whole,
    /// The answer broke off.
    Cut,
    /// The answer had begun, and was given up here.
    GivenUp,
    /// There was no answer, and none was waited for any longer.
    Unanswered,
    /// No connection, or it broke before an answer began.
    Failed,
}

impl Sight {
    /// Nothing seen yet.
    pub fn new(probe: Probe, asked: Duration) -> Sight {
        Sight {
            probe,
            asked,
            status: None,
            http_version: None,
            headers: BTreeMap::new(),
            head: None,
            first_byte: None,
            proven: None,
            heartbeat: None,
            ended: Duration::ZERO,
            end: End::Unanswered,
            bytes: 0,
            fault: None,
        }
    }
}

fn millis<S: serde::Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn maybe_millis<S: serde::Serializer>(time: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, out),
        None => out.serialize_none(),
    }
}
