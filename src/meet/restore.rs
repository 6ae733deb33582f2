//! What clients hand back after the server lost some of a log (wire contract, section 7).
//!
//! Entries are believed for their chain, which only this server's key makes: those that the log holds are
//! skipped, those that continue it are put back under their old numbers, and a branch that others wrote
//! past is pushed onto the log, commit by commit, under the rules for conflicts.

use std::collections::HashSet;
use std::mem::take;
use std::sync::Arc;

use crate::mutant::{Mutant, planted};

use super::Meet;
use super::apply::Apply;
use super::chain::{ChainValue, Cursor};
use super::entry::{Entry, EntryFields, canonical_text};
use super::key::Key;
use super::outcome::{Decision, Outcome, Record};
use super::time::Timestamp;
use super::update::{Batch, Mode, Proposal};
use super::value::Value;

/// A page of a log as a client hands it back.
#[derive(Clone, Debug)]
pub struct Handed {
    /// The entries, numbered without gaps.
    pub entries: Vec<EntryFields>,
    /// The number of the last of them, or where the client is that has none to give.
    pub place: u64,
    /// The chain there.
    pub chain: ChainValue,
    /// Whether the client has more behind them.
    pub more: bool,
}

/// How far a client has come in handing back its log. It is kept between the client's pages.
#[derive(Debug)]
pub struct Upload {
    /// The number of the last entry that came.
    place: u64,
    /// The chain there.
    chain: ChainValue,
    /// Entries of a commit whose end has not come yet.
    held: Vec<Entry>,
    branch: Option<Branch>,
}

/// A history that has left the log's.
#[derive(Debug)]
struct Branch {
    /// The last number that both have: what the branch's authors had seen of the log.
    fork: u64,
    /// What of the log came from this branch, which its authors had seen too.
    carried: HashSet<u64>,
}

/// What becomes of a page.
#[derive(Debug)]
pub enum Restored {
    /// Its entries were taken, as far as they are new; the records must be durable before anyone hears of it.
    Taken {
        /// What the journal must hold.
        records: Vec<Record>,
        /// How many updates of a branch lost against the log.
        lost: usize,
        /// Whether the client's history has left the log's.
        forked: bool,
        /// Where the next page goes on; `None` behind the last one.
        upload: Option<Upload>,
    },
    /// The first entry does not join the log: the client sends its log from the start.
    Apart,
    /// The meet is finished, and there is something new in the page.
    Finished,
    /// The chain is not what this server's key gives: something was changed, or another server wrote it.
    Forged,
}

impl Meet {
    /// Takes a page that a client hands back, at the instant `now`. `upload` is what its last page left;
    /// that page once more, as after a lost reply, changes nothing,
    /// and an empty one behind it says that it was the last.
    pub fn restore(&mut self, mut upload: Option<Upload>, page: Handed, now: Timestamp) -> Restored {
        let is_there = upload.as_ref().is_some_and(|upload| upload.place == page.place && upload.chain == page.chain);
        if let Some(upload) = upload.take_if(|_| is_there && page.more) {
            let forked = upload.branch.is_some();
            return Restored::Taken { records: Vec::new(), lost: 0, forked, upload: Some(upload) };
        }
        let Some(first) = page.entries.first().map(|entry| entry.server_seq_num).or(is_there.then_some(page.place + 1)) else {
            return self.nothing(&page);
        };
        let goes_on = upload.filter(|upload| upload.place + 1 == first);
        let starts = goes_on.is_none();
        let Some(mut upload) = goes_on.or_else(|| self.join(first)) else { return Restored::Apart };
        let Some(entries) = self.chained(&mut upload, page.entries) else { return Restored::Forged };
        if upload.chain != page.chain && !planted(Mutant::ChainUnchecked) {
            // In the middle of a log the fault may lie before the page.
            return if starts && first > 1 { Restored::Apart } else { Restored::Forged };
        }
        if let Some(chains) = &self.missing {
            let known = |seq| self.log.chain(seq).or_else(|| chains.get(&seq).copied());
            if upload.held.iter().chain(&entries).any(|entry| known(entry.seq()).is_some_and(|chain| chain != entry.chain)) {
                return Restored::Apart;
            }
        }
        if self.is_finished && upload.held.iter().chain(&entries).any(|entry| self.log.chain(entry.seq()) != Some(entry.chain)) {
            return Restored::Finished;
        }
        let mut taking = Taking { meet: self, now, records: Vec::new(), lost: 0 };
        let mut entries = take(&mut upload.held).into_iter().chain(entries).peekable();
        while let Some(entry) = entries.next() {
            let ends = entries.peek().map_or(!page.more, |next| next.fields.commit != entry.fields.commit);
            taking.entry(&mut upload, entry, ends);
        }
        let Taking { records, lost, .. } = taking;
        let forked = upload.branch.is_some();
        Restored::Taken { records, lost, forked, upload: page.more.then_some(upload) }
    }

    /// An empty page: its client has what the log has, or less.
    fn nothing(&self, page: &Handed) -> Restored {
        if self.log.chain(page.place) != Some(page.chain) {
            return Restored::Apart;
        }
        Restored::Taken { records: Vec::new(), lost: 0, forked: false, upload: None }
    }

    /// A log from `first` on joins where this one has the entry before.
    fn join(&self, first: u64) -> Option<Upload> {
        let place = first.checked_sub(1)?;
        let chain = self.log.chain(place)?;
        Some(Upload { place, chain, held: Vec::new(), branch: None })
    }

    /// The page's entries as they would be in a log of this server; `None` where that is impossible.
    fn chained(&self, upload: &mut Upload, fields: Vec<EntryFields>) -> Option<Vec<Entry>> {
        let chain = |mut fields: EntryFields| {
            if fields.server_seq_num != upload.place + 1 {
                return None;
            }
            fields.previous_value = None;
            let value = Value::parse_unbounded(fields.update_value.get()).ok()?;
            fields.update_value = super::entry::raw(value.canonical());
            let text = canonical_text(&fields);
            upload.chain = self.key.chain_next(&upload.chain, &text);
            upload.place += 1;
            Some(Entry { fields, chain: upload.chain, text })
        };
        fields.into_iter().map(chain).collect()
    }
}

/// A page on its way into a meet.
struct Taking<'a> {
    meet: &'a mut Meet,
    now: Timestamp,
    records: Vec<Record>,
    lost: usize,
}

impl Taking<'_> {
    fn entry(&mut self, upload: &mut Upload, entry: Entry, ends: bool) {
        if upload.branch.is_none() {
            match self.meet.log.chain(entry.seq()) {
                Some(chain) if chain == entry.chain => return,
                Some(_) => upload.branch = Some(Branch { fork: self.fork(upload, &entry), carried: HashSet::new() }),
                None => {}
            }
        }
        upload.held.push(entry);
        if ends {
            let commit = take(&mut upload.held);
            match &mut upload.branch {
                None => self.put_back(commit),
                Some(branch) => self.carry(branch, &commit),
            }
        }
    }

    /// Whatever is held already lies behind the fork as well: it was not in the log when it came.
    fn fork(&self, upload: &Upload, entry: &Entry) -> u64 {
        upload.held.first().unwrap_or(entry).seq() - 1
    }

    /// A commit that continues the log takes its old numbers again.
    fn put_back(&mut self, commit: Vec<Entry>) {
        let Some(commit_end) = commit.last().map(Entry::seq) else { return };
        for mut entry in commit {
            // A genuine chain means that this server has read the key before.
            let Ok(key) = Key::parse(&entry.fields.update_key) else { return };
            self.meet.remember_previous(&mut entry, &key);
            let entry = Arc::new(entry);
            let writer = self.meet.answers.writer(&entry.writer());
            self.meet.commit(writer, &key, entry.value(), &entry);
            self.records.push(Record::Entry { entry, commit_end });
        }
    }

    /// A commit of a branch is judged as if its author sent it now, having seen the fork and its own branch.
    fn carry(&mut self, branch: &mut Branch, commit: &[Entry]) {
        let Some(first) = commit.first() else { return };
        let after = Cursor { seq: branch.fork, tag: None };
        let propose = |entry: &Entry| {
            let EntryFields { update_key, update_value, op, local_seq_num, .. } = &entry.fields;
            Proposal::read(update_key, Some(update_value), *op, *local_seq_num, Some(after))
        };
        let batch = Batch {
            writer: first.writer(),
            priority: first.fields.priority,
            updates: commit.iter().map(propose).collect(),
            mode: Mode::Each,
            if_head: None,
            after: None,
        };
        let Decision::Applied { outcomes, records } = Apply::carrying(self.meet, &batch, self.now, &branch.carried).run() else { return };
        for outcome in outcomes {
            match outcome {
                Outcome::Acked(ack) => drop(branch.carried.insert(ack.server_seq_num)),
                Outcome::Refused(_) => self.lost += 1,
            }
        }
        self.records.extend(records);
    }
}
