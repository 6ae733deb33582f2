//! Remembered answers: what a resend of an update is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::entry::Entry;
use super::outcome::{Note, Remembered};
use super::update::{Fingerprint, Proposal, Writer};

/// A short name for a writer within one meet's memory; never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct WriterId(usize);

/// Answers by writer and `localSeqNum`.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By location, then by client, so that a look needs no [`Writer`] of its own.
    writers: HashMap<Box<str>, HashMap<Box<str>, WriterId>>,
    /// The answers of each. In order, for a client counts: its next number lies beside its last one, and what it sends again lies
    /// together. Hashed, each would lie in memory of its own that no cache holds.
    by_number: Vec<BTreeMap<u64, Answer>>,
}

/// What was answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// Committed as this entry, which tells the rest.
    Committed(Arc<Entry>),
    /// Acked or refused without an entry.
    Noted { fingerprint: Fingerprint, note: Note },
}

impl Answer {
    /// Whether this update was answered, and not another one under its number.
    pub(super) fn is_of(&self, update: &Proposal) -> bool {
        match (self, &update.content) {
            (Answer::Committed(entry), Ok(content)) => {
                let fields = &entry.fields;
                let same_place = fields.op == update.op && *fields.update_key == *content.key.as_str();
                same_place && fields.update_value.get() == content.text.get()
            }
            // What is committed can be read.
            (Answer::Committed(_), Err(_)) => false,
            (Answer::Noted { fingerprint, .. }, _) => *fingerprint == update.fingerprint(),
        }
    }
}

impl Answers {
    /// The short name of `writer`, made when it is new.
    pub(super) fn writer(&mut self, writer: &Writer) -> WriterId {
        self.named(&writer.location_name, &writer.client_id)
    }

    /// The short name of the writer with this location and client.
    pub(super) fn named(&mut self, location_name: &str, client_id: &str) -> WriterId {
        if let Some(id) = self.writers.get(location_name).and_then(|clients| clients.get(client_id)) {
            return *id;
        }
        let id = WriterId(self.by_number.len());
        self.by_number.push(BTreeMap::new());
        self.writers.entry(location_name.into()).or_default().insert(client_id.into(), id);
        id
    }

    pub(super) fn get(&self, writer: WriterId, local_seq_num: u64) -> Option<&Answer> {
        self.by_number.get(writer.0)?.get(&local_seq_num)
    }

    pub(super) fn committed(&mut self, writer: WriterId, entry: &Arc<Entry>) {
        if let Some(number) = entry.fields.local_seq_num {
            self.insert(writer, number, Answer::Committed(Arc::clone(entry)));
        }
    }

    pub(super) fn noted(&mut self, remembered: &Remembered) {
        let writer = self.writer(&remembered.writer);
        let answer = Answer::Noted { fingerprint: remembered.fingerprint, note: remembered.note.clone() };
        self.insert(writer, remembered.local_seq_num, answer);
    }

    fn insert(&mut self, writer: WriterId, local_seq_num: u64, answer: Answer) {
        if let Some(numbers) = self.by_number.get_mut(writer.0) {
            numbers.insert(local_seq_num, answer);
        }
    }

    pub(super) fn forget(&mut self, writer: WriterId, local_seq_num: u64) {
        if let Some(numbers) = self.by_number.get_mut(writer.0) {
            numbers.remove(&local_seq_num);
        }
    }
}
