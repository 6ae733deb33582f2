//! Channels: ways to a server. A channel carries pushes and pulls and decides nothing.
//!
//! The cursor is in the data, so a caller may change from one channel to another between any two calls and neither
//! loses, doubles nor reorders anything.

pub mod collection;
pub mod http;
pub mod ladder;
pub mod memory;
mod news;
pub mod socket;
pub mod stream;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::meet::chain::{ChainValue, Cursor};
use crate::meet::entry::EntryFields;
use crate::meet::outcome::Ack;
use crate::meet::update::{Mode, Op};
use crate::wire::message::Status;
use crate::wire::problem::Code;
use crate::wire::reply::{ReceivedConflict, ReceivedPage, ReceivedRejection, ReceivedRestored};

/// A way to one meet on one server.
///
/// `push` and `pull` may run at the same time. Dropping a future gives up the answer, not the effect: whoever resends
/// an update under its `localSeqNum` gets the same answer.
pub trait Channel: Send + Sync {
    /// Hands updates over and waits until they are answered.
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>>;

    /// Asks for what follows `after`; without news it comes back after `wait` with an empty page.
    /// A page may be empty earlier, where a stream only tells that it is alive.
    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>>;

    /// A push inside a pull: one round trip for both. Waits only where there is neither an update nor news.
    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>>;

    /// Hands a page of the log back to a server that has lost it.
    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>>;

    /// How it carries now, and how well.
    fn link(&self) -> Link;
}

/// Updates to hand over.
#[derive(Clone, Debug, Default)]
pub struct Push {
    /// In the order in which they were made.
    pub updates: Vec<Update>,
    /// Each by itself, or all or nothing.
    pub mode: Mode,
    /// Commit only if the head is still here.
    pub if_head: Option<Cursor>,
}

/// One update on its way to the server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// Where, in canonical form.
    pub update_key: Box<str>,
    /// What; `None` for a removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_value: Option<Box<RawValue>>,
    /// What it does.
    #[serde(skip_serializing_if = "Op::is_set")]
    pub op: Op,
    /// The client's own number for it.
    pub local_seq_num: u64,
    /// What the client had seen when it made the change.
    #[serde(serialize_with = "text")]
    pub after_server_seq_num: Cursor,
}

/// What to ask for.
#[derive(Clone, Copy, Debug)]
pub struct Pull {
    /// The last entry that the client has.
    pub after: Cursor,
    /// How long the server may wait for news.
    pub wait: Duration,
    /// Entries in the answer, about.
    pub limit: Option<u64>,
}

/// A page of a log that is handed back.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePage {
    /// For a server that does not know the meet any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_ticket: Option<String>,
    /// Entries as they were relayed, numbered without gaps.
    pub updates: Vec<EntryFields>,
    /// Cursor of the last of them.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
    /// The chain there.
    pub chain: ChainValue,
    /// Whether another page follows.
    pub more: bool,
}

/// What comes of a push, a pull or both. All of it is expected and none of it is a fault.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The answers to the updates, and the page that was asked for.
    Done(Reply),
    /// An atomic batch met a refusal; nothing of it took effect. The page holds the news.
    Conflict(Box<ReceivedConflict>, ReceivedPage),
    /// `ifHead` names a head that has moved; nothing took effect. The page holds the news.
    Stale(ReceivedPage),
    /// The meet is finished: only updates that had been answered before are answered.
    Finished(Reply),
    /// The client is ahead: the server has lost entries, and wants those above its head back. Nothing took effect.
    ServerBehind {
        /// The server's head.
        head: Cursor,
    },
    /// The client's history is not the server's. Nothing took effect.
    HistoryChanged {
        /// The server's head.
        head: Cursor,
    },
}

/// Answers to updates, and a page of the log.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// What took effect.
    pub acks: Vec<Ack>,
    /// What did not.
    pub rejections: Vec<ReceivedRejection>,
    /// The page, where one was asked for.
    pub page: Option<ReceivedPage>,
    /// What streams tell besides.
    pub hints: Hints,
}

/// What a server tells besides entries.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// Version of the newest recovery ticket.
    pub ticket_version: Option<u64>,
    /// Hash of the state at the page's end.
    pub state_hash: Option<String>,
    /// Whether the meet takes updates.
    pub status: Option<Status>,
}

/// A call came to nothing. Whether it had effects is not known unless the kind says so.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// No connection, or it broke.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// A proxy answered in the server's place, or the answer was cut: a shorter wait may get through.
    #[error("the answer was cut short: {0}")]
    Cut(String),
    /// The server or something on the way asks to come back later (408, 425, 429, 5xx).
    #[error("the server asks to try again later: {detail}")]
    Busy {
        /// `Retry-After`.
        retry_after: Option<Duration>,
        /// HTTP status.
        status: u16,
        /// For a person.
        detail: String,
    },
    /// The session is not valid (401). Nothing took effect.
    #[error("not authorised: {0}")]
    NotAuthorised(String),
    /// Refused for good. Nothing took effect.
    #[error("refused: {detail}")]
    Refused {
        /// Which kind; `None` where it is not one of ours.
        code: Option<Code>,
        /// HTTP status.
        status: u16,
        /// For a person.
        detail: String,
    },
    /// What came back is not what this protocol says.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

/// How a channel carries now.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The transport in use.
    pub transport: Transport,
    /// Median round trip of the last requests.
    pub round_trip: Option<Duration>,
}

/// Ways to carry, best last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Requests that are answered at once.
    #[default]
    ShortPoll,
    /// Requests that the server holds until there is news.
    LongPoll,
    /// A stream of lines of JSON.
    Ndjson,
    /// Server-Sent Events.
    Sse,
    /// A WebSocket.
    Socket,
    /// In the same process.
    Memory,
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Transport::ShortPoll => "short requests",
            Transport::LongPoll => "held requests",
            Transport::Ndjson => "a stream of lines",
            Transport::Sse => "server-sent events",
            Transport::Socket => "a WebSocket",
            Transport::Memory => "memory",
        })
    }
}

fn text<S: Serializer>(cursor: &Cursor, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(cursor)
}

/// What a lock holds, whoever panicked over it: it is only ever held for a look or a swap.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
