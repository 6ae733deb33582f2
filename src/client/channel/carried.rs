//! What channels carry, and what comes back.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::meet::chain::{ChainValue, Cursor};
use crate::meet::entry::EntryFields;
use crate::meet::outcome::Ack;
use crate::meet::update::{Mode, Op};
use crate::wire::message::Status;
use crate::wire::reply::{ReceivedConflict, ReceivedPage, ReceivedRejection};

/// Updates to hand over.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Answer, Channel, Push, memory::MemoryServer};
/// use liftrelay::meet::update::Mode;
///
/// let channel = MemoryServer::new().channel("desk", "laptop", 1);
/// # let updates = hall::push("lot", "7")?.updates;
/// let push = Push { updates, mode: Mode::Atomic, if_head: None };
/// let Answer::Done(reply) = channel.push(push).await? else { unreachable!("nobody else writes") };
/// assert_eq!(reply.acks[0].server_seq_num, 1);
/// # Ok(()) }
/// ```
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
///
/// ```
/// use liftrelay::client::channel::Update;
/// use liftrelay::meet::{chain::Cursor, update::Op};
/// use serde_json::value::RawValue;
///
/// let update = Update {
///     update_key: "lot".into(),
///     update_value: Some(RawValue::from_string("7".to_owned())?),
///     op: Op::Set,
///     local_seq_num: 1,
///     after_server_seq_num: Cursor::START,
/// };
/// let sent = r#"{"updateKey":"lot","updateValue":7,"localSeqNum":1,"afterServerSeqNum":"0"}"#;
/// assert_eq!(serde_json::to_string(&update)?, sent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Answer, Channel, Pull, memory::MemoryServer};
/// use liftrelay::meet::chain::Cursor;
///
/// let channel = MemoryServer::new().channel("desk", "laptop", 1);
/// # channel.push(hall::push("lot", "7")?).await?;
/// let mut pull = Pull { after: Cursor::START, wait: Duration::from_secs(25), limit: None };
/// let Answer::Done(reply) = channel.pull(pull).await? else { unreachable!("the log starts there") };
/// let page = reply.page.ok_or("pulls bring pages")?;
/// assert_eq!(page.updates_relayed.len(), 1);
/// pull.after = page.cursor; // The next one goes on there.
/// # Ok(()) }
/// ```
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
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Channel, memory::MemoryServer};
/// use liftrelay::client::replica::{Need, Server};
///
/// let server = MemoryServer::new();
/// let channel = server.channel("desk", "laptop", 1);
/// # let mut desk = hall::member("desk");
/// # hall::set(&mut desk, "lot", "7")?;
/// # hall::exchange(&mut desk, &channel).await?;
/// # hall::exchange(&mut desk, &channel).await?;
/// server.lose_after(0);
/// let Need::Restore { after } = hall::exchange(&mut desk, &channel).await? else { unreachable!("the log is lost") };
/// let page = desk.restore_page(after, Server::Knows).ok_or("the log has been here")?;
/// assert_eq!((page.updates.len(), page.more), (1, false));
/// channel.restore(page).await?;
/// assert_eq!(server.state().canonical(), r#"{"lot":7}"#);
/// # Ok(()) }
/// ```
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
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Answer, Channel, Push, memory::MemoryServer};
/// use liftrelay::meet::chain::Cursor;
///
/// let server = MemoryServer::new();
/// # server.channel("platform", "tablet", 2).push(hall::push("lot", "7")?).await?;
/// // An edit that counts only if nobody has written meanwhile.
/// let late = Push { if_head: Some(Cursor::START), ..hall::push("meet.name", "\"Spring Open\"")? };
/// let told = match server.channel("desk", "laptop", 1).push(late).await? {
///     Answer::Done(_) => "answered, each update by itself",
///     Answer::Conflict(..) => "one of a batch was refused, so none took effect",
///     Answer::Stale(_) => "others were faster",
///     Answer::Finished(_) => "the meet is over",
///     Answer::ServerBehind { .. } | Answer::HistoryChanged { .. } => "the server has lost something",
/// };
/// assert_eq!(told, "others were faster");
/// # Ok(()) }
/// ```
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
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Answer, Channel, Pull, memory::MemoryServer};
/// use liftrelay::meet::chain::Cursor;
///
/// let channel = MemoryServer::new().channel("desk", "laptop", 1);
/// # let push = hall::push("lot", "7")?;
/// let pull = Pull { after: Cursor::START, wait: Duration::ZERO, limit: None };
/// let Answer::Done(reply) = channel.sync(push, pull).await? else { unreachable!("nobody else writes") };
/// assert_eq!((reply.acks.len(), reply.rejections.len()), (1, 0));
/// assert!(reply.page.is_some_and(|page| page.head_seq_num == 1 && !page.more));
/// # Ok(()) }
/// ```
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

/// What an answer tells besides entries.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Answer, Channel, Pull, memory::MemoryServer};
/// use liftrelay::{meet::chain::Cursor, wire::message::Status};
///
/// let channel = MemoryServer::new().channel("desk", "laptop", 1);
/// let pull = Pull { after: Cursor::START, wait: Duration::ZERO, limit: None };
/// let Answer::Done(reply) = channel.pull(pull).await? else { unreachable!("the log starts there") };
/// assert_eq!(reply.hints.status, Some(Status::Live));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// Version of the newest recovery ticket.
    pub ticket_version: Option<u64>,
    /// Hash of the state at the page's end.
    pub state_hash: Option<String>,
    /// Whether the meet takes updates.
    pub status: Option<Status>,
    /// How long ago the authority said this: more than nothing where members carry it.
    pub age: Duration,
}

fn text<S: Serializer>(cursor: &Cursor, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(cursor)
}
