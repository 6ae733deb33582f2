//! The log as the server ordered it, as far as a replica has it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::meet::chain::{ChainValue, Cursor};
use crate::meet::entry::EntryFields;
use crate::meet::key::Key;
use crate::meet::update::Op;
use crate::meet::value::Value;

use super::record::{Acked, Identity, Page};

/// Entries from 1 on without gaps, and the chain where pages ended.
#[derive(Debug, Default)]
pub(super) struct Canonical {
    entries: Vec<Arc<EntryFields>>,
    cursor: Option<Cursor>,
    /// The chain at the ends of pages: between two of them a log cannot be handed back.
    chains: BTreeMap<u64, ChainValue>,
    /// This replica's own entries: number by `localSeqNum`.
    own: HashMap<u64, u64>,
}

impl Canonical {
    pub(super) fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn cursor(&self) -> Cursor {
        self.cursor.unwrap_or(Cursor::START)
    }

    pub(super) fn entries(&self) -> &[Arc<EntryFields>] {
        &self.entries
    }

    pub(super) fn after(&self, seq: u64) -> &[Arc<EntryFields>] {
        usize::try_from(seq).ok().and_then(|seq| self.entries.get(seq..)).unwrap_or(&[])
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Arc<EntryFields>> {
        self.after(seq.checked_sub(1)?).first()
    }

    pub(super) fn chains(&self) -> &BTreeMap<u64, ChainValue> {
        &self.chains
    }

    /// Number of the own entry with a `localSeqNum`.
    pub(super) fn own(&self, number: u64) -> Option<u64> {
        self.own.get(&number).copied()
    }

    /// Whether a log with this head shows that what was acked is not part of it any more.
    pub(super) fn has_lost(&self, acked: &Acked, head: u64) -> bool {
        acked.seq > head || (!acked.merged && acked.seq <= self.head() && self.own(acked.number).is_none())
    }

    /// The next entry; one that is not the next is here already.
    pub(super) fn push(&mut self, entry: &Arc<EntryFields>, identity: Option<&Identity>) -> bool {
        if entry.server_seq_num != self.head() + 1 {
            return false;
        }
        self.entries.push(Arc::clone(entry));
        if let Some(number) = entry.local_seq_num.filter(|_| identity.is_some_and(|identity| identity.wrote(entry))) {
            self.own.insert(number, entry.server_seq_num);
        }
        true
    }

    /// The end of a page whose entries are here.
    pub(super) fn end_page(&mut self, page: &Page) {
        if page.cursor.seq != self.head() {
            return;
        }
        self.cursor = Some(page.cursor);
        if let Some(chain) = page.chain {
            self.chains.insert(page.cursor.seq, chain);
        }
    }

    /// How many entries both logs start with.
    pub(super) fn shared(&self, other: &Canonical) -> u64 {
        self.entries.iter().zip(&other.entries).take_while(|(one, two)| is_same(one, two)).count() as u64
    }
}

impl Identity {
    /// Whether an entry is this client's.
    pub fn wrote(&self, entry: &EntryFields) -> bool {
        *entry.location_name == *self.location_name && *entry.client_id == *self.client_id
    }
}

/// Whether two entries are one: a client's own number for it says what it is, `at` and `commit` when it became part of this history.
pub(super) fn is_same(one: &EntryFields, two: &EntryFields) -> bool {
    let face = |entry: &EntryFields| (entry.at, entry.commit, entry.local_seq_num, entry.op, entry.priority);
    let place = |entry: &EntryFields| (entry.location_name.clone(), entry.client_id.clone(), entry.update_key.clone());
    one.server_seq_num == two.server_seq_num && face(one) == face(two) && place(one) == place(two) && value_of(one) == value_of(two)
}

/// Key and value of an entry, read; `None` where its key cannot be.
pub(super) fn content(entry: &EntryFields) -> Option<(Key, Option<Value>)> {
    Some((Key::parse(&entry.update_key).ok()?, value_of(entry)))
}

fn value_of(entry: &EntryFields) -> Option<Value> {
    (entry.op != Op::Remove).then(|| Value::parse_unbounded(entry.update_value.get()).unwrap_or(Value::Null))
}
