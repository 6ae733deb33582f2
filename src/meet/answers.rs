//! Remembered answers: what a resend of an update is told.

use std::collections::HashMap;
use std::sync::Arc;

use super::entry::Entry;
use super::outcome::{Note, Remembered};
use super::update::{Fingerprint, Writer};

/// A short name for a writer within one meet's memory; never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct WriterId(u32);

/// Answers by writer and `localSeqNum`; finding one never depends on how many there are.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By location, then by client, so that a look needs no [`Writer`] of its own.
    writers: HashMap<Box<str>, HashMap<Box<str>, WriterId>>,
    next: WriterId,
    by_number: HashMap<(WriterId, u64), Answer>,
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
    pub(super) fn fingerprint(&self) -> Fingerprint {
        match self {
            Answer::Committed(entry) => entry.fingerprint(),
            Answer::Noted { fingerprint, .. } => *fingerprint,
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
        let id = self.next;
        self.next = WriterId(id.0.saturating_add(1));
        self.writers.entry(location_name.into()).or_default().insert(client_id.into(), id);
        id
    }

    pub(super) fn get(&self, writer: WriterId, local_seq_num: u64) -> Option<&Answer> {
        self.by_number.get(&(writer, local_seq_num))
    }

    pub(super) fn committed(&mut self, writer: WriterId, entry: &Arc<Entry>) {
        if let Some(number) = entry.fields.local_seq_num {
            self.by_number.insert((writer, number), Answer::Committed(Arc::clone(entry)));
        }
    }

    pub(super) fn noted(&mut self, remembered: &Remembered) {
        let writer = self.writer(&remembered.writer);
        let answer = Answer::Noted { fingerprint: remembered.fingerprint, note: remembered.note.clone() };
        self.by_number.insert((writer, remembered.local_seq_num), answer);
    }

    pub(super) fn forget(&mut self, writer: WriterId, local_seq_num: u64) {
        self.by_number.remove(&(writer, local_seq_num));
    }
}
