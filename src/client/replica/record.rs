//! What a replica remembers: everything that ever happens to it, one record each.

mod text;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::meet::chain::{ChainValue, Cursor};
use crate::meet::entry::EntryFields;
use crate::meet::key::Key;
use crate::meet::outcome::UpdateCode;
use crate::meet::time::Timestamp;
use crate::meet::update::Op;
use crate::meet::value::Value;
use crate::wire::message::Status;

/// Something that happens to a replica. A store keeps records; [`Replica::apply`](super::Replica::apply) carries them out.
///
/// ```
/// use liftrelay::client::replica::{Edit, Record, Replica};
///
/// let record = Replica::default().edit(Edit::set("lot", "7")?)?;
/// let kept = serde_json::to_string(&record)?;
/// assert_eq!(kept, r#"{"edited":{"first":1,"edits":[{"key":"lot","value":7}],"after":"0"}}"#);
/// let replica = Replica::open([serde_json::from_str(&kept)?]);
/// assert_eq!(replica.state().canonical(), r#"{"lot":7}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Record {
    /// The replica belongs to a meet from now on.
    Joined(Identity),
    /// A new session, a new recovery ticket, or both.
    Renewed(Credentials),
    /// The user changed something.
    Edited(Edited),
    /// Edits up to this number may have reached the server: they are resent as they are or not at all.
    Sent {
        /// The highest `localSeqNum` of them.
        up_to: u64,
    },
    /// The server said something: answers to edits, a page of the log, or both. One step for whoever watches.
    Answered(Answered),
    /// The user decided about edits that the server refuses.
    Decided(Decided),
    /// The server's history is another one. The log is read again from its start; until it is whole, the old one is shown.
    Reset,
}

/// Who a replica is.
///
/// ```
/// use liftrelay::client::replica::{Identity, Record, Replica};
///
/// let who = Identity { meet_id: "123-456-789".to_owned(), location_name: "desk".into(), client_id: "laptop".into() };
/// assert_eq!(Replica::open([Record::Joined(who.clone())]).identity(), Some(&who));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The meet.
    pub meet_id: String,
    /// The location that it writes for.
    pub location_name: Box<str>,
    /// The client's id.
    pub client_id: Box<str>,
}

/// What opens the meet. Shown to nobody: `Debug` leaves the secrets out.
///
/// ```
/// use liftrelay::client::replica::{Credentials, Record, Replica};
///
/// let (session_token, recovery_ticket) = ("lr_s_secret".to_owned(), "secret".to_owned());
/// let renewed = Credentials { session_token, expires_at: None, recovery_ticket, ticket_version: 1 };
/// assert!(!format!("{renewed:?}").contains("secret"));
/// assert_eq!(Replica::open([Record::Renewed(renewed.clone())]).credentials(), Some(&renewed));
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Bearer token of the session.
    pub session_token: String,
    /// When the session ends.
    pub expires_at: Option<Timestamp>,
    /// With what a server that has lost the meet gets it back.
    pub recovery_ticket: String,
    /// Version of the ticket.
    pub ticket_version: u64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Credentials { expires_at, ticket_version, .. } = self;
        f.debug_struct("Credentials").field("expires_at", expires_at).field("ticket_version", ticket_version).finish_non_exhaustive()
    }
}

/// A change that a user wants: what to do at a key.
///
/// ```
/// use liftrelay::client::replica::Edit;
///
/// let edits: Vec<Edit> = serde_json::from_str(r#"[{"key":"lot","value":null},{"op":"remove","key":"meet.name"}]"#)?;
/// assert_eq!(edits, [Edit::set("lot", "null")?, Edit::remove("meet.name")?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// What it does.
    #[serde(default, skip_serializing_if = "Op::is_set")]
    pub op: Op,
    /// Where.
    #[serde(with = "text::key")]
    pub key: Key,
    /// What; `None` for a removal. (`null` is a value, so absence has to be told from it.)
    #[serde(default, with = "text::value", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Edits made in one go, all of them on top of the same history.
///
/// ```
/// use liftrelay::client::replica::{Edit, Record, Replica};
///
/// // An entry and its lot number, which nobody must see without each other.
/// let both = vec![Edit::create("registration.entries[9]", "{}")?, Edit::set("registration.entries[9].lot", "4")?];
/// let Record::Edited(edited) = Replica::default().edit_all(both)? else { unreachable!("edits are records of this kind") };
/// assert_eq!((edited.first, edited.edits.len()), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edited {
    /// `localSeqNum` of the first; the others count on.
    pub first: u64,
    /// The edits, in order. They ride in one batch.
    pub edits: Vec<Edit>,
    /// What the user had seen.
    pub after: Cursor,
    /// Pending or refused edits that these replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instead_of: Vec<u64>,
}

/// What the server said.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Channel, memory::MemoryServer};
/// use liftrelay::client::replica::Record;
///
/// # let mut desk = hall::member("desk");
/// # hall::set(&mut desk, "lot", "7")?;
/// # let push = desk.push().ok_or("an edit waits")?.push;
/// let answer = MemoryServer::new().channel("desk", "laptop", 1).sync(push, desk.pull(Duration::ZERO)).await?;
/// let Some(Record::Answered(answered)) = desk.answered(answer)?.record else { unreachable!("there is news") };
/// assert_eq!((answered.acked.len(), answered.refused.len()), (1, 0));
/// assert!(answered.page.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// Edits that took effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acked: Vec<Acked>,
    /// Edits that did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// News.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
    /// Whether the meet takes updates, where that is another than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meet: Option<Status>,
}

/// An edit took effect.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Channel, memory::MemoryServer};
/// use liftrelay::client::replica::{Record, record::Acked};
///
/// # let mut desk = hall::member("desk");
/// # hall::set(&mut desk, "lot", "7")?;
/// # let push = desk.push().ok_or("an edit waits")?.push;
/// let answer = MemoryServer::new().channel("desk", "laptop", 1).sync(push, desk.pull(Duration::ZERO)).await?;
/// let Some(Record::Answered(answered)) = desk.answered(answer)?.record else { unreachable!("there is news") };
/// assert_eq!(answered.acked, [Acked { number: 1, seq: 1, merged: false }]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acked {
    /// Its `localSeqNum`.
    pub number: u64,
    /// The number that the log gave it, or that of the entry that it was merged into.
    pub seq: u64,
    /// What it wanted stood already: no entry of its own will come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
}

/// An edit took no effect.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::meet::outcome::UpdateCode;
///
/// # let desk = hall::overruled().await?;
/// // A desk whose change of `lot` was refused.
/// let refused = &desk.set_aside()[&1].refused;
/// assert_eq!((refused.number, refused.code), (1, Some(UpdateCode::Overruled)));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Its `localSeqNum`.
    pub number: u64,
    /// Why, for a person.
    pub reason: String,
    /// Why, for a program; `None` where the meet is finished.
    pub code: Option<UpdateCode>,
    /// What stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// The entry that an edit was refused for.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let desk = hall::overruled().await?;
/// // A desk whose change of `lot` was refused.
/// let standing = desk.set_aside()[&1].refused.standing.as_ref().ok_or("somebody overruled it")?;
/// assert_eq!((&*standing.location_name, standing.priority, standing.seq), ("platform", 2, 1));
/// assert_eq!(standing.value.as_ref().map(|value| value.get()), Some("7"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Its number.
    pub seq: u64,
    /// Its key.
    pub key: Box<str>,
    /// Its value, where it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// Whose it is.
    pub location_name: Box<str>,
    /// That location's priority then.
    pub priority: i64,
}

/// A page of the log.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Channel, memory::MemoryServer};
/// use liftrelay::client::replica::Record;
///
/// # let mut desk = hall::member("desk");
/// # hall::set(&mut desk, "lot", "7")?;
/// # let push = desk.push().ok_or("an edit waits")?.push;
/// let answer = MemoryServer::new().channel("desk", "laptop", 1).sync(push, desk.pull(Duration::ZERO)).await?;
/// let Some(Record::Answered(answered)) = desk.answered(answer)?.record else { unreachable!("there is news") };
/// let page = answered.page.ok_or("a page was asked for")?;
/// assert_eq!((&*page.entries[0].update_key, page.head, page.more), ("lot", 1, false));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Entries that the replica does not have yet, without gaps.
    pub entries: Vec<Arc<EntryFields>>,
    /// Where the replica is behind them.
    pub cursor: Cursor,
    /// The chain there.
    pub chain: Option<ChainValue>,
    /// The head of the log.
    pub head: u64,
    /// Whether the log goes on behind this page.
    pub more: bool,
}

impl Page {
    /// Whether the log ends here. A page with entries may be older than an ack that came another way; one without was
    /// made when there was nothing more.
    pub(super) fn tells_the_head(&self) -> bool {
        self.entries.is_empty() && self.cursor.seq == self.head
    }
}

/// What a user decided about edits that the server refuses.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::replica::Record;
///
/// # let mut desk = hall::overruled().await?;
/// // A desk whose change of `lot` was refused.
/// let record = desk.drop_refused(1)?;
/// let Record::Decided(decided) = &record else { unreachable!("decisions are records of this kind") };
/// assert_eq!((&decided.dropped[..], &decided.kept[..]), (&[1][..], &[][..]));
/// desk.apply(&record);
/// assert_eq!(desk.status().conflicts, 0);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// Edits that are given up, pending or refused.
    pub dropped: Vec<u64>,
    /// Pending edits that go on, made anew on top of what is known now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<u64>,
}
