//! What a replica remembers: everything that ever happens to it, one record each.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// What it does.
    #[serde(default, skip_serializing_if = "Op::is_set")]
    pub op: Op,
    /// Where.
    #[serde(with = "key")]
    pub key: Key,
    /// What; `None` for a removal. (`null` is a value, so absence has to be told from it.)
    #[serde(default, with = "value", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Edits made in one go, all of them on top of the same history.
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
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// Edits that are given up, pending or refused.
    pub dropped: Vec<u64>,
    /// Pending edits that go on, made anew on top of what is known now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<u64>,
}

mod key {
    use super::*;

    pub(super) fn serialize<S: Serializer>(key: &Key, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(key)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Key, D::Error> {
        let text = String::deserialize(input)?;
        Key::parse(&text).map_err(serde::de::Error::custom)
    }
}

mod value {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &Option<Value>, out: S) -> Result<S::Ok, S::Error> {
        let text = value.as_ref().map_or_else(|| "null".to_owned(), Value::canonical);
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Value>, D::Error> {
        let text = Box::<RawValue>::deserialize(input)?;
        Value::parse(text.get()).map(Some).map_err(serde::de::Error::custom)
    }
}
