//! What a record changed, for whoever watches.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::meet::entry::EntryFields;
use crate::meet::key::Key;
use crate::meet::state::State;
use crate::meet::value::Value;

/// What a record changed.
///
/// ```
/// use liftrelay::client::replica::{Edit, Replica};
///
/// let mut replica = Replica::default();
/// let record = replica.edit(Edit::set("meet.name", "\"Spring Open\"")?)?;
/// let news = replica.apply(&record);
/// assert_eq!(news.keys.iter().map(|key| key.as_str()).collect::<Vec<_>>(), ["meet.name"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct News {
    /// Keys at which the shown state is another one now.
    pub keys: Vec<Key>,
    /// Whether the server's history was replaced: everything may be another.
    pub everything: bool,
    /// Own edits that are part of the log now, by `localSeqNum`.
    pub settled: Vec<u64>,
    /// Own edits that were refused and are set aside now.
    pub refused: Vec<u64>,
    /// Own entries that a higher priority went over.
    pub overruled: Vec<Overruled>,
}

/// An own entry that stood, and that another location overruled later.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Channel, memory::MemoryServer};
///
/// let server = MemoryServer::new();
/// # let (mut desk, mut platform) = (hall::member("desk"), hall::member("platform"));
/// # let channel = server.channel("desk", "laptop", 1);
/// # hall::set(&mut desk, "lot", "12")?;
/// # hall::exchange(&mut desk, &channel).await?;
/// # hall::set(&mut platform, "lot", "7")?;
/// # hall::exchange(&mut platform, &server.channel("platform", "laptop", 2)).await?;
/// // A desk's change of `lot` stood, until a platform that had not seen it changed the same.
/// let heard = desk.answered(channel.pull(desk.pull(Duration::ZERO)).await?)?;
/// let news = desk.apply(&heard.record.ok_or("there is news")?);
/// let overruled = &news.overruled[0];
/// assert_eq!((overruled.old.get(), overruled.new.get(), &*overruled.location_name), ("12", "7", "platform"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Overruled {
    /// `localSeqNum` of the own entry.
    pub number: Option<u64>,
    /// Its key.
    pub key: Box<str>,
    /// Its value; `null` for a removal.
    pub old: Box<RawValue>,
    /// Key of the entry that overruled it, at it, above it or below it.
    pub by_key: Box<str>,
    /// The new value there.
    pub new: Box<RawValue>,
    /// Who overruled it.
    pub location_name: Arc<str>,
    /// That location's priority.
    pub priority: i64,
    /// Number of the entry that overruled it.
    pub seq: u64,
}

impl Overruled {
    pub(super) fn new(own: &EntryFields, by: &EntryFields) -> Overruled {
        Overruled {
            number: own.local_seq_num,
            key: own.update_key.clone(),
            old: own.update_value.clone(),
            by_key: by.update_key.clone(),
            new: by.update_value.clone(),
            location_name: by.location_name.clone(),
            priority: by.priority,
            seq: by.server_seq_num,
        }
    }
}

/// What stood at some keys before a change.
#[derive(Debug)]
pub(super) struct Watch {
    before: BTreeMap<Box<str>, (Key, Option<Value>)>,
    pub(super) news: News,
}

impl Watch {
    pub(super) fn new(keys: impl Iterator<Item = Key>, state: &State) -> Watch {
        let look = |key: Key| (key.as_str().into(), (key.clone(), state.get(&key).cloned()));
        Watch { before: keys.map(look).collect(), news: News::default() }
    }

    /// Those of the keys at which something else stands now.
    pub(super) fn changed(&mut self, state: &State) -> Vec<Key> {
        let before = std::mem::take(&mut self.before).into_values();
        before.filter(|(key, value)| state.get(key) != value.as_ref()).map(|(key, _)| key).collect()
    }
}
