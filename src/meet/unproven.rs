//! Logs that no key vouches for, after a server has lost its key as well (wire contract, section 7).
//!
//! They are collected first and then pushed onto the meet, those of the highest priority first, under the rules for conflicts:
//! what comes of them does not depend on who came when. An entry is known again by its text and by all before it.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Meet;
use super::apply::Apply;
use super::chain::Cursor;
use super::entry::{EntryFields, canonical_text, raw};
use super::limits::{UNPROVEN_MAX_BYTES, UNPROVEN_MAX_ENTRIES, UPLOADS_MAX};
use super::outcome::{Decision, Outcome, Record};
use super::restore::Handed;
use super::time::Timestamp;
use super::update::{Batch, Mode, Proposal, Writer};
use super::value::Value;

/// A digest of an entry and of all before it: the same one means the same history.
type History = [u8; 32];

/// What clients have brought and what has become of it.
#[derive(Debug, Default)]
pub struct Collected {
    logs: HashMap<Writer, Brought>,
    bytes: usize,
    entries: usize,
    /// Histories that were applied, with their numbers in the log; `None` for entries that lost.
    applied: HashMap<History, Option<u64>>,
}

/// The log of one client.
#[derive(Debug, Default)]
struct Brought {
    entries: Vec<BroughtEntry>,
    is_whole: bool,
}

#[derive(Debug)]
struct BroughtEntry {
    fields: EntryFields,
    history: History,
    bytes: usize,
}

/// What becomes of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collecting {
    /// It is kept.
    Taken,
    /// It does not go on where its client's last page ended.
    Apart,
    /// The meet has collected as much as it may.
    Full,
}

impl Collected {
    /// Bytes of what is kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps a page, where no more than `room` bytes are kept then. It takes the place of what its client had brought from its first number on.
    pub fn take(&mut self, by: &Writer, page: Handed, room: usize) -> Collecting {
        let first = page.entries.first().map_or(page.place.saturating_add(1), |entry| entry.server_seq_num);
        let held = self.logs.get(by).map_or(0, |log| log.entries.len());
        let Some(kept) = first.checked_sub(1).and_then(|kept| usize::try_from(kept).ok()).filter(|kept| *kept <= held) else {
            return Collecting::Apart;
        };
        if self.logs.len() >= UPLOADS_MAX && !self.logs.contains_key(by) {
            return Collecting::Full;
        }
        let mut log = self.logs.remove(by).unwrap_or_default();
        let replaced = log.entries.drain(kept..);
        self.entries -= replaced.len();
        self.bytes -= replaced.map(|entry| entry.bytes).sum::<usize>();
        let mut before = log.entries.last().map_or([0; 32], |entry| entry.history);
        let fresh = page.entries.into_iter().map(|fields| {
            let entry = BroughtEntry::read(fields, &before);
            before = entry.history;
            entry
        });
        let fresh: Vec<_> = fresh.collect();
        let bytes = fresh.iter().map(|entry| entry.bytes).sum::<usize>();
        let is_room = self.entries + fresh.len() <= UNPROVEN_MAX_ENTRIES && self.bytes + bytes <= UNPROVEN_MAX_BYTES.min(room);
        log.is_whole = is_room && !page.more;
        if is_room {
            self.entries += fresh.len();
            self.bytes += bytes;
            log.entries.extend(fresh);
        }
        self.logs.insert(by.clone(), log);
        if is_room { Collecting::Taken } else { Collecting::Full }
    }

    /// Pushes every whole log onto the meet, in descending priority of their locations. The records are one commit for the
    /// journal: a crash leaves all of them or none. Also tells how many entries lost.
    pub fn apply(&mut self, meet: &mut Meet, priorities: &HashMap<Arc<str>, i64>, now: Timestamp) -> (Vec<Record>, usize) {
        let mut logs: Vec<_> = self.logs.extract_if(|_, log| log.is_whole).collect();
        logs.sort_by_key(|(by, _)| (Reverse(priorities.get(&by.location_name).copied()), by.location_name.clone(), by.client_id.clone()));
        let mut pushing = Pushing { meet, priorities, now, applied: &mut self.applied, records: Vec::new(), lost: 0 };
        for (_, log) in logs {
            self.entries -= log.entries.len();
            self.bytes -= log.entries.iter().map(|entry| entry.bytes).sum::<usize>();
            pushing.log(&log.entries);
        }
        pushing.end()
    }
}

/// Pushes the log of a meet that this one has superseded onto it: what this one has already is known again by its
/// authors' numbers. The records are one commit for the journal. Also tells how many entries lost.
pub fn carry(meet: &mut Meet, log: Vec<EntryFields>, priorities: &HashMap<Arc<str>, i64>, now: Timestamp) -> (Vec<Record>, usize) {
    let mut before = [0; 32];
    let read = |fields| {
        let entry = BroughtEntry::read(fields, &before);
        before = entry.history;
        entry
    };
    let log: Vec<_> = log.into_iter().map(read).collect();
    let mut pushing = Pushing { meet, priorities, now, applied: &mut HashMap::new(), records: Vec::new(), lost: 0 };
    pushing.log(&log);
    pushing.end()
}

impl BroughtEntry {
    fn read(mut fields: EntryFields, before: &History) -> BroughtEntry {
        fields.previous_value = None;
        // What cannot be read stays as it is, and is refused when it is applied.
        if let Ok(value) = Value::parse_unbounded(fields.update_value.get()) {
            fields.update_value = raw(value.canonical());
        }
        let text = canonical_text(&fields);
        let history = Sha256::new().chain_update(before).chain_update(&*text).finalize().into();
        BroughtEntry { fields, history, bytes: text.len() }
    }

    fn writer(&self) -> Writer {
        Writer { location_name: self.fields.location_name.clone(), client_id: self.fields.client_id.clone() }
    }

    fn is_of_the_commit_of(&self, other: &BroughtEntry) -> bool {
        self.fields.commit == other.fields.commit && self.writer() == other.writer()
    }
}

/// Logs on their way into a meet.
struct Pushing<'a> {
    meet: &'a mut Meet,
    priorities: &'a HashMap<Arc<str>, i64>,
    now: Timestamp,
    applied: &'a mut HashMap<History, Option<u64>>,
    records: Vec<Record>,
    lost: usize,
}

impl Pushing<'_> {
    /// One commit for the journal: a crash leaves all of it or nothing.
    fn end(self) -> (Vec<Record>, usize) {
        let Pushing { meet, mut records, lost, .. } = self;
        let head = meet.log.head();
        for record in &mut records {
            if let Record::Entry { commit_end, .. } = record {
                *commit_end = head;
            }
        }
        (records, lost)
    }

    /// Whatever is there already is what the authors of the rest had seen.
    fn log(&mut self, entries: &[BroughtEntry]) {
        let is_known = |entry: &&BroughtEntry| self.applied.contains_key(&entry.history);
        let known = entries.iter().take_while(is_known).count();
        let mut seen: HashSet<u64> = entries[..known].iter().filter_map(|entry| self.applied[&entry.history]).collect();
        for commit in entries[known..].chunk_by(BroughtEntry::is_of_the_commit_of) {
            self.commit(&mut seen, commit);
        }
    }

    fn commit(&mut self, seen: &mut HashSet<u64>, commit: &[BroughtEntry]) {
        let Some(first) = commit.first() else { return };
        let writer = first.writer();
        let nothing = Cursor { seq: 0, tag: None };
        let propose = |entry: &BroughtEntry| {
            let EntryFields { update_key, update_value, op, local_seq_num, .. } = &entry.fields;
            Proposal::read(update_key, Some(update_value), *op, *local_seq_num, Some(nothing))
        };
        let batch = Batch {
            // A location that the meet does not have any more weighs what it did.
            priority: self.priorities.get(&writer.location_name).copied().unwrap_or(first.fields.priority),
            writer,
            updates: commit.iter().map(propose).collect(),
            mode: Mode::Each,
            if_head: None,
            after: None,
        };
        let Decision::Applied { outcomes, records } = Apply::carrying(self.meet, &batch, self.now, seen).run() else { return };
        for (entry, outcome) in commit.iter().zip(outcomes) {
            let number = match outcome {
                Outcome::Acked(ack) => Some(ack.server_seq_num),
                Outcome::Refused(_) => None,
            };
            self.lost += usize::from(number.is_none());
            seen.extend(number);
            self.applied.insert(entry.history, number);
        }
        self.records.extend(records);
    }
}
