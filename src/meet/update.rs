//! Updates as clients propose them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::chain::Cursor;
use super::entry::raw;
use super::key::Key;
use super::outcome::UpdateCode;
use super::value::Value;

/// What an update does at its key.
///
/// ```
/// use liftrelay::meet::update::Op;
///
/// assert_eq!(serde_json::from_str::<Op>("\"create\"")?, Op::Create);
/// assert!(Op::default().is_set());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Puts a value there, whatever stood there.
    #[default]
    Set,
    /// Puts a value where nothing stands yet.
    Create,
    /// Takes away what stands there.
    Remove,
}

impl Op {
    /// For `skip_serializing_if`: `set` is left out on the wire.
    pub fn is_set(&self) -> bool {
        *self == Op::Set
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Op::Set => "set",
            Op::Create => "create",
            Op::Remove => "remove",
        }
    }
}

/// Who makes updates: a client at a location. `localSeqNum`s are unique per writer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Writer {
    /// The location's name.
    pub location_name: Arc<str>,
    /// The client's id.
    pub client_id: Arc<str>,
}

/// How the updates of a batch hang together.
///
/// ```
/// use liftrelay::meet::update::Mode;
///
/// assert_eq!(Mode::default(), Mode::Each);
/// assert_eq!(serde_json::to_string(&Mode::Atomic)?, "\"atomic\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Each by itself: a refused one never blocks its neighbours.
    #[default]
    Each,
    /// All or nothing.
    Atomic,
}

/// Updates that one client sends together.
#[derive(Debug)]
pub struct Batch {
    /// Who sends them.
    pub writer: Writer,
    /// The priority of the writer's location.
    pub priority: i64,
    /// The updates, in the order in which they were made.
    pub updates: Vec<Proposal>,
    /// Each by itself, or all or nothing.
    pub mode: Mode,
    /// Commit only if the head is still here.
    pub if_head: Option<Cursor>,
    /// What the client had seen, for updates that do not say it themselves; left out: the head.
    pub after: Option<Cursor>,
}

/// One proposed update, already read.
#[derive(Debug)]
pub struct Proposal {
    /// The client's own number for it.
    pub local_seq_num: Option<u64>,
    /// What the client had seen when it made the change.
    pub after: Option<Cursor>,
    /// What it does.
    pub op: Op,
    /// Key and value, or why they cannot be read.
    pub content: Result<Content, Unreadable>,
}

/// Key and value of a proposal.
#[derive(Clone, Debug)]
pub struct Content {
    /// Where.
    pub key: Key,
    /// What; `None` for a removal.
    pub value: Option<Value>,
    /// The value's canonical text; `null` stands for a removal's.
    pub text: Box<RawValue>,
}

/// Why a proposal's key or value cannot be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// `invalid-key` or `invalid-value`.
    pub code: UpdateCode,
    /// What was wrong and what would be right.
    pub reason: String,
    /// Of the texts as they came.
    fingerprint: Fingerprint,
}

/// A digest of key, value and `op`: resending under a known number must not change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(#[serde(with = "hex::serde")] [u8; 16]);

impl Fingerprint {
    /// The digest of an update; `value` is canonical text, or raw text that could not be read.
    pub fn new(key: &str, op: Op, value: &str) -> Fingerprint {
        let mut digest = Sha256::new();
        for part in [key, op.as_str(), value] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut short = [0; 16];
        short.copy_from_slice(&digest.finalize()[..16]);
        Fingerprint(short)
    }
}

impl Proposal {
    /// Reads key and value. A removal carries no value; one that came along is ignored.
    pub fn read(key: &str, value: Option<&RawValue>, op: Op, local_seq_num: Option<u64>, after: Option<Cursor>) -> Proposal {
        Proposal { local_seq_num, after, op, content: Content::read(key, value.filter(|_| op != Op::Remove), op) }
    }

    /// Tells proposals under one `localSeqNum` apart.
    pub fn fingerprint(&self) -> Fingerprint {
        match &self.content {
            Ok(content) => Fingerprint::new(content.key.as_str(), self.op, content.text.get()),
            Err(unreadable) => unreadable.fingerprint,
        }
    }
}

impl Content {
    fn read(key: &str, given: Option<&RawValue>, op: Op) -> Result<Content, Unreadable> {
        let text = given.map_or("", RawValue::get);
        let unreadable = |code, reason| Unreadable { code, reason, fingerprint: Fingerprint::new(key, op, text) };
        let parsed = Key::parse(key).map_err(|error| unreadable(UpdateCode::InvalidKey, error.to_string()))?;
        if op == Op::Remove {
            return Ok(Content { key: parsed, value: None, text: raw("null".to_owned()) });
        }
        let (value, canonical) = Value::parse_and_write(text).map_err(|error| unreadable(UpdateCode::InvalidValue, error.to_string()))?;
        // Text that came in canonical form need not be read once more to see that it is JSON.
        let text = given.filter(|given| given.get() == &*canonical).map(ToOwned::to_owned);
        Ok(Content { key: parsed, value: Some(value), text: text.unwrap_or_else(|| raw(canonical.into_owned())) })
    }
}
