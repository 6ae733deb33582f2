//! The pure core: everything that may happen to a meet happens in [`Meet::apply`].
//!
//! No I/O, no clock, no randomness, no tasks: time, ids and nonces come in as arguments, so the
//! same calls give the same log, state and answers on every platform.

mod answers;
pub mod chain;
pub mod entry;
pub mod id;
mod judge;
pub mod key;
pub mod limits;
pub mod log;
pub mod name;
pub mod outcome;
mod redact;
pub mod restore;
pub mod settings;
mod standing;
pub mod state;
#[cfg(test)]
mod tests;
pub mod time;
pub mod update;
pub mod value;
pub mod word;

use std::collections::HashSet;
use std::sync::Arc;

use answers::{Answer, Answers, WriterId};
use chain::{ChainValue, ServerKey};
use entry::{Entry, EntryFields, canonical_text, raw};
use judge::{Incoming, Judge, Reason, Verdict};
use key::Key;
use log::Log;
use outcome::{Ack, Decision, Note, Outcome, Record, Refusal, Rejection, Remembered, StandingUpdate, UpdateCode};
use settings::TieBreak;
use standing::{Replaced, Standing, StandingIndex};
use state::{State, Undo};
use time::Timestamp;
use update::{Batch, Content, Mode, Proposal, Writer};

/// One meet: its log, and what follows from it.
#[derive(Debug)]
pub struct Meet {
    key: ServerKey,
    tie_break: TieBreak,
    log: Log,
    state: State,
    standing: StandingIndex,
    answers: Answers,
}

/// A stored entry does not continue the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenLog {
    /// Its number is not the next one.
    #[error("entry {found} stands where entry {expected} belongs")]
    Number {
        /// The number that it should have.
        expected: u64,
        /// The number that it has.
        found: u64,
    },
    /// Its chain value is not what this server's key gives.
    #[error("the chain of entry {0} does not fit: the entry was changed, or another server's key wrote it")]
    Chain(u64),
    /// Its key cannot be read.
    #[error("the key of entry {0} cannot be read")]
    Key(u64),
}

/// One update of a batch that has been carried out and can be taken back.
#[derive(Debug)]
enum Step {
    Committed(Box<Change>),
    Noted { local_seq_num: u64 },
    Known,
}

/// What a commit did, besides adding to the log.
#[derive(Debug)]
struct Change {
    key: Key,
    state: Undo,
    standing: Replaced,
    local_seq_num: Option<u64>,
}

impl Meet {
    /// An empty meet whose chain starts at `start`.
    pub fn new(key: ServerKey, start: ChainValue, tie_break: TieBreak) -> Meet {
        Meet {
            key,
            tie_break,
            log: Log::new(start),
            state: State::default(),
            standing: StandingIndex::default(),
            answers: Answers::default(),
        }
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The state at the head.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Carries out a batch at the instant `now`.
    ///
    /// The records of the decision must be durable before the outcomes are told to anyone.
    pub fn apply(&mut self, batch: &Batch, now: Timestamp) -> Decision {
        let cursors = batch.updates.iter().map(|update| update.after).chain([batch.after, batch.if_head]);
        if let Some(lost) = cursors.flatten().find_map(|cursor| self.log.check(cursor).err()) {
            return Decision::Lost(lost);
        }
        let writer = self.answers.writer(&batch.writer);
        if let Some(if_head) = batch.if_head
            && if_head.seq != self.log.head()
            && !self.is_answered(writer, batch)
        {
            return Decision::Stale { since: batch.after.unwrap_or(if_head).seq };
        }
        Apply::new(self, writer, batch, now).run()
    }

    /// Carries out a commit of another branch, whose author had also seen what was `carried` over from there before.
    fn apply_carried(&mut self, batch: &Batch, now: Timestamp, carried: &HashSet<u64>) -> Decision {
        let writer = self.answers.writer(&batch.writer);
        Apply { carried: Some(carried), ..Apply::new(self, writer, batch, now) }.run()
    }

    /// Adds an entry that was stored before, as [`Meet::apply`] had committed it.
    ///
    /// # Errors
    /// [`BrokenLog`] where it does not continue this log; nothing changed then.
    pub fn replay(
        &mut self,
        fields: EntryFields,
        text: Box<serde_json::value::RawValue>,
        chain: ChainValue,
    ) -> Result<Arc<Entry>, BrokenLog> {
        let (expected, found) = (self.log.head() + 1, fields.server_seq_num);
        if found != expected {
            return Err(BrokenLog::Number { expected, found });
        }
        if self.key.chain_next(&self.log.head_chain(), text.get()) != chain {
            return Err(BrokenLog::Chain(found));
        }
        let key = Key::parse(&fields.update_key).map_err(|_| BrokenLog::Key(found))?;
        let mut entry = Entry { fields, chain, text };
        self.remember_previous(&mut entry, &key);
        let entry = Arc::new(entry);
        let writer = self.answers.writer(&entry.writer());
        let value = entry.value();
        self.commit(writer, &key, value, &entry);
        Ok(entry)
    }

    /// Adds a remembered answer that was stored before.
    pub fn replay_answer(&mut self, remembered: &Remembered) {
        self.answers.noted(remembered);
    }

    /// Whether the whole batch is a resend, which gets its old answers whatever has happened since.
    fn is_answered(&self, writer: WriterId, batch: &Batch) -> bool {
        !batch.updates.is_empty() && batch.updates.iter().all(|update| self.is_known(writer, update))
    }

    fn is_known(&self, writer: WriterId, update: &Proposal) -> bool {
        update.local_seq_num.is_some_and(|number| self.answers.get(writer, number).is_some())
    }

    /// The one place where the log grows.
    fn commit(&mut self, writer: WriterId, key: &Key, value: Option<value::Value>, entry: &Arc<Entry>) -> (Undo, Replaced) {
        let standing = Standing { seq: entry.seq(), writer, priority: entry.fields.priority, value: value.clone() };
        let undo = match value {
            Some(value) => self.state.set(key, value),
            None => self.state.remove(key),
        };
        let replaced = self.standing.commit(key, standing);
        self.answers.committed(writer, entry);
        self.log.push(Arc::clone(entry));
        (undo, replaced)
    }

    /// Who overrules shows what stood there, so that the overruled can be told both values.
    fn remember_previous(&self, entry: &mut Entry, key: &Key) {
        let previous = self.state.get(key).filter(|_| !entry.fields.overrules.is_empty());
        entry.fields.previous_value = previous.map(|value| raw(value.canonical()));
    }

    fn refusal(&self, code: UpdateCode, because: Option<u64>, reason: &Reason, key: &Key) -> Refusal {
        let standing = because.and_then(|seq| self.log.get(seq));
        let who = standing.map_or_else(String::new, |entry| {
            format!("{} (priority {}) as number {}", entry.fields.location_name, entry.fields.priority, entry.seq())
        });
        let reason = match reason {
            Reason::HigherPriority => format!("{key} was changed meanwhile by {who}, whose priority is higher"),
            Reason::SamePriority => format!("{key} was changed meanwhile by {who}, whose priority is the same and who came first"),
            Reason::RemovedAbove => {
                format!("the object that {key} is in was removed by {who}; create the whole object to bring it back")
            }
            Reason::StandsAlready => format!("{key} stands already with another value; use op set to change it"),
            Reason::NothingThere => format!("nothing stands at {key}, so there is nothing to remove"),
            Reason::Obstacle(obstacle) => obstacle.to_string(),
        };
        Refusal { conflict: code.is_conflict(), reason, code, because }
    }
}

/// One batch on its way through a meet.
struct Apply<'a> {
    meet: &'a mut Meet,
    batch: &'a Batch,
    writer: WriterId,
    now: Timestamp,
    /// The head before the batch.
    head: u64,
    /// What the author of a commit of another branch had seen above its `after`.
    carried: Option<&'a HashSet<u64>>,
    steps: Vec<Step>,
    outcomes: Vec<Outcome>,
    records: Vec<Record>,
}

impl<'a> Apply<'a> {
    fn new(meet: &'a mut Meet, writer: WriterId, batch: &'a Batch, now: Timestamp) -> Apply<'a> {
        let head = meet.log.head();
        Apply { meet, batch, writer, now, head, carried: None, steps: Vec::new(), outcomes: Vec::new(), records: Vec::new() }
    }
}

impl Apply<'_> {
    fn run(mut self) -> Decision {
        for (index, update) in self.batch.updates.iter().enumerate() {
            match self.one(index, update) {
                Outcome::Refused(problem) if self.batch.mode == Mode::Atomic => return self.conflict(index, problem),
                outcome => self.outcomes.push(outcome),
            }
        }
        let head = self.meet.log.head();
        for record in &mut self.records {
            if let Record::Entry { commit_end, .. } = record {
                *commit_end = head;
            }
        }
        Decision::Applied { outcomes: self.outcomes, records: self.records }
    }

    /// Takes everything back and says what was in the way.
    fn conflict(mut self, index: usize, problem: Rejection) -> Decision {
        while let Some(step) = self.steps.pop() {
            self.take_back(step);
        }
        let numbers = |updates: &[Proposal]| updates.iter().filter_map(|update| update.local_seq_num).collect();
        let updates = &self.batch.updates;
        let lowest = updates.iter().filter_map(|update| update.after).map(|after| after.seq).min();
        Decision::Conflict {
            processed: numbers(&updates[..index]),
            problem: Box::new(problem),
            remaining: numbers(&updates[index + 1..]),
            since: self.batch.after.map(|after| after.seq).or(lowest).unwrap_or(self.head),
        }
    }

    fn take_back(&mut self, step: Step) {
        let number = match step {
            Step::Committed(change) => {
                let Change { key, state, standing, local_seq_num } = *change;
                self.meet.log.pop();
                self.meet.standing.undo(&key, standing);
                self.meet.state.undo(&key, state);
                local_seq_num
            }
            Step::Noted { local_seq_num } => Some(local_seq_num),
            Step::Known => None,
        };
        if let Some(number) = number {
            self.meet.answers.forget(self.writer, number);
        }
    }

    /// Judges one update in the contract's order, and carries it out.
    fn one(&mut self, index: usize, update: &Proposal) -> Outcome {
        let place = Place { local_seq_num: update.local_seq_num, index };
        let content = match &update.content {
            Ok(content) => content,
            Err(unreadable) => {
                let refusal = Refusal { conflict: false, reason: unreadable.reason.clone(), code: unreadable.code, because: None };
                return self.refuse(place, update, refusal);
            }
        };
        if let Some(outcome) = self.known(place, update) {
            self.steps.push(Step::Known);
            return outcome;
        }
        match self.judge(update, content) {
            Verdict::Commit { overrules } => self.commit(place, update, content, overrules),
            Verdict::Merged(number) => self.merge(place, update, number),
            Verdict::Refused { code, because, reason } => {
                let refusal = self.meet.refusal(code, because, &reason, &content.key);
                self.refuse(place, update, refusal)
            }
        }
    }

    /// The old answer, where the number has one.
    fn known(&self, place: Place, update: &Proposal) -> Option<Outcome> {
        let number = place.local_seq_num?;
        let answer = self.meet.answers.get(self.writer, number)?;
        if answer.fingerprint() != update.fingerprint {
            let reason =
                format!("localSeqNum {number} was used before for another key, value or op; give every change a number of its own");
            let refusal = Refusal { conflict: false, reason, code: UpdateCode::IdReuse, because: None };
            return Some(Outcome::Refused(place.rejection(refusal, &self.meet.log)));
        }
        Some(match answer {
            Answer::Committed(entry) => {
                let overrules = entry.fields.overrules.clone();
                Outcome::Acked(Ack { duplicate: true, overrules, ..place.ack(entry.seq()) })
            }
            Answer::Noted { note: Note::Merged(seq), .. } => Outcome::Acked(Ack { duplicate: true, merged: true, ..place.ack(*seq) }),
            Answer::Noted { note: Note::Refused(refusal), .. } => Outcome::Refused(place.rejection((**refusal).clone(), &self.meet.log)),
        })
    }

    fn judge(&self, update: &Proposal, content: &Content) -> Verdict {
        let after = update.after.or(self.batch.after).map_or(self.head, |after| after.seq);
        let judge = Judge { state: &self.meet.state, standing: &self.meet.standing, tie_break: self.meet.tie_break };
        judge.judge(&Incoming {
            key: &content.key,
            op: update.op,
            value: content.value.as_ref(),
            writer: self.writer,
            priority: self.batch.priority,
            after,
            carried: self.carried,
        })
    }

    fn commit(&mut self, place: Place, update: &Proposal, content: &Content, overrules: Vec<u64>) -> Outcome {
        let entry = Arc::new(self.entry(update, content, overrules.into()));
        let (state, standing) = self.meet.commit(self.writer, &content.key, content.value.clone(), &entry);
        let change = Change { key: content.key.clone(), state, standing, local_seq_num: update.local_seq_num };
        self.steps.push(Step::Committed(Box::new(change)));
        let ack = Ack { overrules: entry.fields.overrules.clone(), ..place.ack(entry.seq()) };
        self.records.push(Record::Entry { commit_end: entry.seq(), entry });
        Outcome::Acked(ack)
    }

    fn entry(&self, update: &Proposal, content: &Content, overrules: Box<[u64]>) -> Entry {
        let Writer { location_name, client_id } = self.batch.writer.clone();
        let fields = EntryFields {
            at: self.now,
            client_id,
            commit: self.head + 1,
            local_seq_num: update.local_seq_num,
            location_name,
            op: update.op,
            overrules,
            previous_value: None,
            priority: self.batch.priority,
            server_seq_num: self.meet.log.head() + 1,
            update_key: content.key.as_str().into(),
            update_value: raw(content.value_text()),
        };
        let text = canonical_text(&fields);
        let chain = self.meet.key.chain_next(&self.meet.log.head_chain(), text.get());
        let mut entry = Entry { fields, chain, text };
        self.meet.remember_previous(&mut entry, &content.key);
        entry
    }

    fn merge(&mut self, place: Place, update: &Proposal, number: u64) -> Outcome {
        self.remember(update, Note::Merged(number));
        Outcome::Acked(Ack { merged: true, ..place.ack(number) })
    }

    fn refuse(&mut self, place: Place, update: &Proposal, mut refusal: Refusal) -> Outcome {
        if self.carried.is_some() {
            refusal = Refusal { code: UpdateCode::RecoveredOver, conflict: true, ..refusal };
        }
        if self.batch.mode == Mode::Each {
            self.remember(update, Note::Refused(Box::new(refusal.clone())));
        }
        Outcome::Refused(place.rejection(refusal, &self.meet.log))
    }

    /// Keeps an answer that no entry tells, unless its number has one already.
    fn remember(&mut self, update: &Proposal, note: Note) {
        let Some(local_seq_num) = update.local_seq_num else { return };
        if self.meet.is_known(self.writer, update) {
            return;
        }
        let remembered = Remembered { writer: self.batch.writer.clone(), local_seq_num, fingerprint: update.fingerprint, note };
        self.meet.answers.noted(&remembered);
        self.records.push(Record::Answer(remembered));
        self.steps.push(Step::Noted { local_seq_num });
    }
}

/// How an answer names its update.
#[derive(Clone, Copy)]
struct Place {
    local_seq_num: Option<u64>,
    index: usize,
}

impl Place {
    fn index(self) -> Option<usize> {
        self.local_seq_num.is_none().then_some(self.index)
    }

    fn ack(self, server_seq_num: u64) -> Ack {
        let (local_seq_num, index) = (self.local_seq_num, self.index());
        Ack { local_seq_num, index, server_seq_num, duplicate: false, merged: false, overrules: Box::default() }
    }

    fn rejection(self, refusal: Refusal, log: &Log) -> Rejection {
        let standing = refusal.because.and_then(|seq| log.get(seq));
        let standing = standing.map(|entry| StandingUpdate { entry: Arc::clone(entry), without_value: false });
        let Refusal { conflict, reason, code, .. } = refusal;
        Rejection { local_seq_num: self.local_seq_num, index: self.index(), conflict, reason, code, standing }
    }
}
