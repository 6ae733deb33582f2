//! What comes of a batch. All of it is expected and none of it is a fault.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::sync::Arc;

use super::chain::Cursor;
use super::entry::Entry;
use super::update::{Fingerprint, Writer};

/// Why one update was refused: a closed list (wire contract, section 8).
///
/// ```
/// use liftrelay::meet::outcome::UpdateCode;
///
/// assert!(UpdateCode::Overruled.is_conflict(), "another client is the reason");
/// assert!(!UpdateCode::InvalidValue.is_conflict(), "the update itself is");
/// assert_eq!(UpdateCode::Overruled.as_str(), "overruled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateCode {
    /// Something unseen of higher priority, or of equal priority and first, stands there.
    Overruled,
    /// The object that the key is in was removed.
    Removed,
    /// Nothing stands at the key to be removed.
    Absent,
    /// Something else stands at the key to be created.
    Exists,
    /// The `localSeqNum` belongs to another update.
    IdReuse,
    /// Nothing can stand below what is there.
    NotAContainer,
    /// One element of an array cannot be created or removed.
    ArrayElement,
    /// The index is behind the end of the array.
    OutOfRange,
    /// The key cannot be read.
    InvalidKey,
    /// The value cannot be read.
    InvalidValue,
    /// The meet was recovered over this update.
    RecoveredOver,
}

impl UpdateCode {
    /// Every code, for tests and pages that list them.
    pub const ALL: [UpdateCode; 11] = [
        UpdateCode::Overruled,
        UpdateCode::Removed,
        UpdateCode::Absent,
        UpdateCode::Exists,
        UpdateCode::IdReuse,
        UpdateCode::NotAContainer,
        UpdateCode::ArrayElement,
        UpdateCode::OutOfRange,
        UpdateCode::InvalidKey,
        UpdateCode::InvalidValue,
        UpdateCode::RecoveredOver,
    ];

    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            UpdateCode::Overruled => "overruled",
            UpdateCode::Removed => "removed",
            UpdateCode::Absent => "absent",
            UpdateCode::Exists => "exists",
            UpdateCode::IdReuse => "id-reuse",
            UpdateCode::NotAContainer => "not-a-container",
            UpdateCode::ArrayElement => "array-element",
            UpdateCode::OutOfRange => "out-of-range",
            UpdateCode::InvalidKey => "invalid-key",
            UpdateCode::InvalidValue => "invalid-value",
            UpdateCode::RecoveredOver => "recovered-over",
        }
    }

    /// Whether another client's update is the reason, rather than this one by itself.
    pub fn is_conflict(self) -> bool {
        use UpdateCode::{Absent, Exists, Overruled, RecoveredOver, Removed};
        matches!(self, Overruled | Removed | Absent | Exists | RecoveredOver)
    }
}

/// An update took effect, now or earlier.
///
/// ```
/// use liftrelay::meet::outcome::Ack;
///
/// let ack: Ack = serde_json::from_str(r#"{"localSeqNum":1,"serverSeqNum":7,"overrules":[5]}"#)?;
/// assert_eq!((ack.local_seq_num, ack.server_seq_num, ack.duplicate, &ack.overrules[..]), (Some(1), 7, false, &[5][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// Which update, by its client's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_seq_num: Option<u64>,
    /// Which update, by its place in the request, where it has no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The number that the log gave it, or that of the one it was merged into.
    pub server_seq_num: u64,
    /// It had been answered before, and this is the same answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// What it wanted stood already, so nothing new was committed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
    /// The standing entries that it went over.
    #[serde(default, skip_serializing_if = "<[u64]>::is_empty")]
    pub overrules: Box<[u64]>,
}

/// An update took no effect.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Which update, by its client's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_seq_num: Option<u64>,
    /// Which update, by its place in the request, where it has no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Whether another client's update is the reason.
    pub conflict: bool,
    /// For a person: what was wrong, what would be right.
    pub reason: String,
    /// For a program.
    pub code: UpdateCode,
    /// What stands in the way. Shared with the log: one large value may refuse thousands of updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<StandingUpdate>,
}

/// Why an update took no effect, as it is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Whether another client's update is the reason.
    pub conflict: bool,
    /// For a person: what was wrong, what would be right.
    pub reason: String,
    /// For a program.
    pub code: UpdateCode,
    /// Number of the entry that stands in the way, which a [`Rejection`] shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<u64>,
}

/// The standing update that an update was refused for.
#[derive(Clone, Debug)]
pub struct StandingUpdate {
    /// The entry.
    pub entry: Arc<Entry>,
    /// Whether its value is left out, where a reply would hold too much of them.
    pub without_value: bool,
}

impl Serialize for StandingUpdate {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown<'a> {
            server_seq_num: u64,
            update_key: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            update_value: Option<&'a RawValue>,
            location_name: &'a str,
            priority: i64,
        }
        let fields = &self.entry.fields;
        Shown {
            server_seq_num: fields.server_seq_num,
            update_key: &fields.update_key,
            update_value: (!self.without_value).then_some(&*fields.update_value),
            location_name: &fields.location_name,
            priority: fields.priority,
        }
        .serialize(out)
    }
}

/// The answer to one update of a batch.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It took effect.
    Acked(Ack),
    /// It did not.
    Refused(Rejection),
}

impl Outcome {
    /// Whether the update has become an entry, now and not before.
    pub fn is_committed(&self) -> bool {
        matches!(self, Outcome::Acked(Ack { duplicate: false, merged: false, .. }))
    }
}

/// What becomes of a batch.
#[derive(Debug)]
pub enum Decision {
    /// Answered update by update; `records` must be durable before anyone hears of it.
    Applied {
        /// One answer per update, in order.
        outcomes: Vec<Outcome>,
        /// What the journal must hold.
        records: Vec<Record>,
    },
    /// An atomic batch met a refusal; nothing happened.
    Conflict {
        /// `localSeqNum`s of the updates before the refused one.
        processed: Vec<u64>,
        /// The first refusal.
        problem: Box<Rejection>,
        /// `localSeqNum`s of the updates behind it.
        remaining: Vec<u64>,
        /// The client has seen the log up to here.
        since: u64,
    },
    /// `ifHead` names a head that moved; nothing happened.
    Stale {
        /// The client has seen the log up to here.
        since: u64,
    },
    /// The meet is finished, and not all of the batch had been answered before; nothing happened.
    Finished {
        /// The old answers of those updates that had been.
        known: Vec<Outcome>,
    },
    /// A cursor of the request is not of this log; nothing happened.
    Lost(LostCursor),
}

/// A cursor that cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostCursor {
    /// It is above the head: the server lost something.
    AboveHead(Cursor),
    /// Its chain is not ours: histories differ.
    Foreign(Cursor),
}

/// What a journal keeps of a decision.
#[derive(Clone, Debug)]
pub enum Record {
    /// One entry of the log.
    Entry {
        /// The entry.
        entry: Arc<Entry>,
        /// Number of the last entry of its commit, which takes effect whole.
        commit_end: u64,
    },
    /// The answer to an update that committed nothing, remembered for resends.
    Answer(Remembered),
}

/// A remembered answer outside the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remembered {
    /// Whose update.
    pub writer: Writer,
    /// Its number there.
    pub local_seq_num: u64,
    /// What it was.
    pub fingerprint: Fingerprint,
    /// What was answered.
    pub note: Note,
}

/// An answer that no entry of the log tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Note {
    /// Acked with the number of an earlier entry.
    Merged(u64),
    /// Refused.
    Refused(Box<Refusal>),
}
