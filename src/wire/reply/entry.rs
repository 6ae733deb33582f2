//! Entries as readers get them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::meet::entry::EntryFields;

/// One entry as a reader gets it.
///
/// ```
/// use liftrelay::wire::reply::ReceivedEntry;
///
/// // What a view key is shown of an entry that is private as a whole.
/// let entry: ReceivedEntry = serde_json::from_str(r#"{"serverSeqNum":7,"commit":6,"opaque":true}"#)?;
/// assert_eq!((entry.seq(), entry.commit()), (7, 6));
/// assert!(matches!(entry, ReceivedEntry::Opaque { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub enum ReceivedEntry {
    /// All that this reader may see of it: editors the whole.
    Shown(Box<EntryFields>),
    /// Private as a whole: only its place is told.
    Opaque {
        /// Its number.
        server_seq_num: u64,
        /// Number of the first entry of its commit.
        commit: u64,
    },
}

impl ReceivedEntry {
    /// Its place in the log.
    pub fn seq(&self) -> u64 {
        match self {
            ReceivedEntry::Shown(fields) => fields.server_seq_num,
            ReceivedEntry::Opaque { server_seq_num, .. } => *server_seq_num,
        }
    }

    /// Number of the first entry of its commit.
    pub fn commit(&self) -> u64 {
        match self {
            ReceivedEntry::Shown(fields) => fields.commit,
            ReceivedEntry::Opaque { commit, .. } => *commit,
        }
    }
}

impl Serialize for ReceivedEntry {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Opaque {
            commit: u64,
            opaque: bool,
            server_seq_num: u64,
        }
        match self {
            ReceivedEntry::Shown(fields) => fields.serialize(out),
            ReceivedEntry::Opaque { server_seq_num, commit } => {
                Opaque { commit: *commit, opaque: true, server_seq_num: *server_seq_num }.serialize(out)
            }
        }
    }
}

impl<'de> Deserialize<'de> for ReceivedEntry {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            #[serde(default)]
            opaque: bool,
            server_seq_num: u64,
            commit: u64,
        }
        let text = Box::<RawValue>::deserialize(input)?;
        let kind: Kind = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        if kind.opaque {
            return Ok(ReceivedEntry::Opaque { server_seq_num: kind.server_seq_num, commit: kind.commit });
        }
        serde_json::from_str(text.get()).map(ReceivedEntry::Shown).map_err(D::Error::custom)
    }
}
