//! Channels: ways to a server. A channel carries pushes and pulls and decides nothing.
//!
//! The cursor is in the data, so a caller may change from one channel to another between any two calls and neither
//! loses, doubles nor reorders anything.
//!
//! | channel | carries | for |
//! |---|---|---|
//! | [`Ladder`](ladder::Ladder) | in the best way that gets through, found by evidence | whoever does not know the network |
//! | [`HttpChannel`](http::HttpChannel) | requests, or one kind of stream | a way that is known to work; measuring one |
//! | [`SocketChannel`](socket::SocketChannel) | a WebSocket and nothing else | the same |
//! | [`ChannelCollection`](collection::ChannelCollection) | by several channels at once | two networks into one hall |
//! | [`MemoryChannel`](memory::MemoryChannel) | in the same process, with faults on demand | tests |

mod carried;
pub mod collection;
pub mod http;
pub mod ladder;
pub mod memory;
mod news;
pub mod socket;
mod stream;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::wire::problem::Code;
use crate::wire::reply::ReceivedRestored;

pub use carried::{Answer, Hints, Pull, Push, Reply, RestorePage, Update};

/// A way to one meet on one server.
///
/// `push` and `pull` may run at the same time. Dropping a future gives up the answer, not the effect: whoever resends
/// an update under its `localSeqNum` gets the same answer.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Answer, Channel, Fault, Pull, memory::MemoryServer};
/// use liftrelay::meet::chain::Cursor;
///
/// /// How long the log is, whatever carries.
/// async fn head(channel: &dyn Channel) -> Result<Option<u64>, Fault> {
///     match channel.pull(Pull { after: Cursor::START, wait: Duration::ZERO, limit: Some(1) }).await? {
///         Answer::Done(reply) => Ok(reply.page.map(|page| page.head_seq_num)),
///         _ => Ok(None),
///     }
/// }
/// assert_eq!(head(&MemoryServer::new().channel("desk", "laptop", 1)).await?, Some(0));
/// # Ok(()) }
/// ```
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

/// A call came to nothing. Whether it had effects is not known unless the kind says so.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::{channel::Fault, retry::may_succeed_later};
///
/// let busy = Fault::Busy { retry_after: Some(Duration::from_secs(2)), status: 503, detail: "the disk is full".to_owned() };
/// assert_eq!(busy.to_string(), "the server asks to try again later: the disk is full");
/// assert!(may_succeed_later(&busy));
/// assert!(!may_succeed_later(&Fault::NotAuthorised("the session has expired".to_owned())));
/// ```
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
///
/// ```
/// use liftrelay::client::channel::{Channel, Transport, memory::MemoryServer};
///
/// let link = MemoryServer::new().channel("desk", "laptop", 1).link();
/// assert_eq!((link.transport, link.round_trip), (Transport::Memory, None));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The transport in use.
    pub transport: Transport,
    /// Median round trip of the last requests.
    pub round_trip: Option<Duration>,
}

/// Ways to carry, best last.
///
/// ```
/// use liftrelay::client::channel::Transport;
///
/// assert!(Transport::Socket > Transport::LongPoll);
/// assert_eq!(Transport::Sse.to_string(), "server-sent events");
/// ```
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

/// What a lock holds, whoever panicked over it: it is only ever held for a look or a swap.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
