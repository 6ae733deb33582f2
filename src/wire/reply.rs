//! What clients read: the server's messages and problems from the other end.
//!
//! Members are spelled out rather than flattened: serde cannot flatten or tag around raw JSON values.

mod entry;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::meet::chain::{ChainValue, Cursor};
use crate::meet::outcome::{Ack, UpdateCode};
use crate::meet::time::Timestamp;

use super::message::{EndReason, Status};
use super::problem::Code;
pub use entry::ReceivedEntry;

/// A page of the log: `UPDATE_RELAY`, and the news that come with other answers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Answer, Channel, Pull, memory::MemoryServer};
/// use liftrelay::meet::chain::Cursor;
///
/// let channel = MemoryServer::new().channel("desk", "laptop", 1);
/// let pull = Pull { after: Cursor::START, wait: Duration::ZERO, limit: None };
/// let Answer::Done(reply) = channel.pull(pull).await? else { unreachable!("the log starts there") };
/// let page = reply.page.ok_or("pulls bring pages")?;
/// assert_eq!((page.updates_relayed.len(), page.head_seq_num, page.more), (0, 0, false));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedPage {
    /// The entries; never a part of a commit.
    pub updates_relayed: Vec<ReceivedEntry>,
    /// Number of the last entry that the reader has after this page.
    pub server_seq_num: u64,
    /// Cursor there.
    pub cursor: Cursor,
    /// For editors: the chain there.
    pub chain: Option<ChainValue>,
    /// The head of the log.
    pub head_seq_num: u64,
    /// Whether the log goes on behind this page.
    pub more: bool,
    /// Whether the meet takes updates; problems do not say.
    #[serde(default, deserialize_with = "maybe_status")]
    pub status: Option<Status>,
}

/// An update took no effect.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::meet::outcome::UpdateCode;
/// use liftrelay::client::channel::{Answer, Channel, memory::MemoryServer};
///
/// let server = MemoryServer::new();
/// # server.channel("platform", "tablet", 2).push(hall::push("lot", "7")?).await?;
/// # let push = hall::push("lot", "12")?;
/// // A platform has set `lot`; a desk of lower priority that has not seen it sets it, too.
/// let Answer::Done(reply) = server.channel("desk", "laptop", 1).push(push).await? else { unreachable!("each by itself") };
/// let rejection = &reply.rejections[0];
/// assert_eq!((rejection.local_seq_num, rejection.code, rejection.conflict), (Some(1), UpdateCode::Overruled, true));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedRejection {
    /// Which update, by its client's own number.
    pub local_seq_num: Option<u64>,
    /// Which update, by its place in the request, where it has no number.
    pub index: Option<usize>,
    /// Whether another client's update is the reason.
    pub conflict: bool,
    /// For a person.
    pub reason: String,
    /// For a program.
    pub code: UpdateCode,
    /// What stands in the way.
    pub standing: Option<ReceivedStanding>,
}

/// The standing update that an update was refused for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedStanding {
    /// Its number.
    pub server_seq_num: u64,
    /// Its key.
    pub update_key: String,
    /// Its value; left out where an answer would hold too much of them.
    pub update_value: Option<Box<RawValue>>,
    /// Whose it is.
    pub location_name: String,
    /// That location's priority then.
    pub priority: i64,
}

/// `UPDATE_RESULT`: answers to a push.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedResult {
    /// What took effect.
    pub update_acks: Vec<Ack>,
    /// What did not.
    pub updates_rejected: Vec<ReceivedRejection>,
    /// The head; never a pull position.
    pub server_seq_num: u64,
    /// Cursor of the head; good for `ifHead`.
    pub cursor: Cursor,
}

/// The answers inside `SYNC_RESULT`; its page reads as a [`ReceivedPage`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedAnswers {
    /// What took effect.
    #[serde(default)]
    pub update_acks: Vec<Ack>,
    /// What did not.
    #[serde(default)]
    pub updates_rejected: Vec<ReceivedRejection>,
}

/// `MEET_CREATED` and `MEET_JOINED`: a session.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::{api::Join, replica::Replica};
///
/// # let session = hall::session().await?;
/// # let (server, meet) = (session.server(), session.meet());
/// let join = Join { password: "a long password", location_name: "desk", client_id: Some("scoreboard") };
/// let joined = server.join(meet, &join).await?;
/// assert_eq!((joined.location_name.as_str(), joined.client_id.as_str(), joined.priority), ("desk", "scoreboard", 1));
/// assert_eq!(Replica::default().join(&joined)?.len(), 2, "who it is, and what opens the meet");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of `message::Session`")]
pub struct ReceivedSession {
    pub meet_id: String,
    #[serde(default)]
    pub meet_name: String,
    pub session_token: String,
    pub expires_at: Timestamp,
    pub location_name: String,
    pub priority: i64,
    pub client_id: String,
    pub slot: u32,
    pub server_seq_num: u64,
    #[serde(serialize_with = "super::message::text")]
    pub cursor: Cursor,
    pub recovery_ticket: String,
    pub ticket_version: u64,
}

/// `HELLO` of a stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of `message::Hello`")]
pub struct ReceivedHello {
    pub status: Status,
    pub role: String,
    pub server_seq_num: u64,
    pub cursor: Cursor,
    pub head_seq_num: u64,
    pub server_time: Timestamp,
    pub heartbeat_seconds: u64,
    pub ticket_version: Option<u64>,
}

/// `HEARTBEAT` of a stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of `message::Heartbeat`")]
pub struct ReceivedHeartbeat {
    pub server_seq_num: u64,
    pub cursor: Cursor,
    pub chain: Option<ChainValue>,
    pub head_seq_num: u64,
    pub status: Status,
    pub server_time: Timestamp,
    pub state_hash: Option<String>,
    pub ticket_version: Option<u64>,
}

/// `SERVER_PULL`: the server has lost entries.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedServerPull {
    /// The server's head.
    pub last_server_seq: u64,
    /// Its cursor.
    pub cursor: Cursor,
}

/// `RESET`, and the cursor of a `history-changed` problem.
#[derive(Clone, Debug, Deserialize)]
pub struct ReceivedReset {
    /// The server's head.
    pub cursor: Cursor,
}

/// `END`: the last event of a stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedEnd {
    /// Why.
    pub reason: EndReason,
    /// When to come back.
    pub retry_after_seconds: Option<u32>,
}

/// `STATE`: the fold of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of `message::StateReply`")]
pub struct ReceivedState {
    pub state: Box<RawValue>,
    pub server_seq_num: u64,
    #[serde(serialize_with = "super::message::text")]
    pub cursor: Cursor,
    pub state_hash: String,
}

/// `RESTORED`: a page that was handed back is durable.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of `message::Restored`")]
pub struct ReceivedRestored {
    pub server_seq_num: u64,
    pub cursor: Cursor,
    pub status: Status,
    #[serde(default)]
    pub history_changed: bool,
    pub session_token: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub slot: Option<u32>,
}

/// A refusal of a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedProblem {
    /// Which kind; a code that this version does not know reads as `None`.
    #[serde(default, deserialize_with = "known_code")]
    pub code: Option<Code>,
    /// HTTP status.
    pub status: u16,
    /// For a person.
    #[serde(default)]
    pub detail: String,
    /// Seconds until a retry makes sense.
    pub retry_after_seconds: Option<u32>,
}

/// `SYNC_CONFLICT`: an atomic batch met a refusal; its news read as a [`ReceivedPage`].
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Answer, Channel, Push, memory::MemoryServer};
/// use liftrelay::meet::update::Mode;
///
/// let server = MemoryServer::new();
/// # server.channel("platform", "tablet", 2).push(hall::push("lot", "7")?).await?;
/// # let push = hall::push("lot", "12")?;
/// // A platform has set `lot`; a desk of lower priority that has not seen it sends a batch of which all or nothing counts.
/// let atomic = Push { mode: Mode::Atomic, ..push };
/// let answer = server.channel("desk", "laptop", 1).push(atomic).await?;
/// let Answer::Conflict(conflict, news) = answer else { unreachable!("the platform goes first") };
/// assert_eq!((conflict.problem.local_seq_num, conflict.remaining.len(), news.updates_relayed.len()), (Some(1), 0, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedConflict {
    /// `localSeqNum`s of the updates before the refused one.
    pub processed: Vec<u64>,
    /// The first refusal.
    pub problem: ReceivedRejection,
    /// `localSeqNum`s of the updates behind it.
    pub remaining: Vec<u64>,
}

/// What a message is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kind {
    /// In upper case, as `UPDATE_RELAY`; not every problem has one.
    #[serde(default)]
    pub msg_type: String,
    /// What every problem has, and nothing else.
    pub code: Option<String>,
}

fn known_code<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Code>, D::Error> {
    Option::<String>::deserialize(input).map(|name| name.as_deref().and_then(Code::named))
}

/// A problem's `status` is an HTTP status, a page's is the meet's.
fn maybe_status<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Status>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Meet(Status),
        Other(serde::de::IgnoredAny),
    }
    Either::deserialize(input).map(|either| match either {
        Either::Meet(status) => Some(status),
        Either::Other(_) => None,
    })
}
