//! The pure core: everything that may happen to a meet happens in [`Meet::apply`].
//!
//! No I/O, no clock, no randomness, no tasks: time, ids and nonces come in as arguments, so the
//! same calls give the same log, state and answers on every platform.

mod answers;
mod apply;
pub mod chain;
pub mod entry;
pub mod id;
mod judge;
pub mod key;
pub mod limits;
pub mod log;
pub mod members;
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
pub mod unproven;
pub mod update;
pub mod value;
pub mod word;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::mutant::{Mutant, planted};
use answers::{Answers, WriterId};
use apply::Apply;
use chain::{ChainValue, ServerKey};
use entry::{Entry, EntryFields, raw};
use judge::Reason;
use key::Key;
use log::Log;
use outcome::{Decision, Refusal, Remembered, UpdateCode};
use settings::TieBreak;
use standing::{Replaced, Standing, StandingIndex};
use state::{State, Undo};
use time::Timestamp;
use update::Batch;

/// One meet: its log, and what follows from it.
#[derive(Debug)]
pub struct Meet {
    key: ServerKey,
    tie_break: TieBreak,
    log: Log,
    state: State,
    standing: StandingIndex,
    answers: Answers,
    is_finished: bool,
    /// Where entries that had been committed are missing: the chain at those numbers at which it is known.
    missing: Option<BTreeMap<u64, ChainValue>>,
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
            is_finished: false,
            missing: None,
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

    /// From now on nothing is committed; what was answered before keeps its answer.
    pub fn finish(&mut self) {
        self.is_finished = true;
    }

    /// Says that entries that had been committed are missing, and the chain at some of their numbers. While they are,
    /// only their own history may be handed back: whatever else were committed would take their numbers.
    pub fn set_missing(&mut self, chains: BTreeMap<u64, ChainValue>) {
        self.missing = Some(chains);
    }

    /// Says that nothing is missing any more.
    pub fn set_whole(&mut self) {
        self.missing = None;
    }

    /// Carries out a batch at the instant `now`.
    ///
    /// The records of the decision must be durable before the outcomes are told to anyone.
    pub fn apply(&mut self, batch: &Batch, now: Timestamp) -> Decision {
        let cursors = batch.updates.iter().map(|update| update.after).chain([batch.after, batch.if_head]);
        if let Some(lost) = cursors.flatten().find_map(|cursor| self.log.check(cursor).err()) {
            return Decision::Lost(lost);
        }
        let (is_finished, head) = (self.is_finished, self.log.head());
        let apply = Apply::new(self, batch, now);
        if apply.is_answered() {
            return apply.run();
        }
        if is_finished && !batch.updates.is_empty() {
            return Decision::Finished { known: apply.known_only() };
        }
        match batch.if_head {
            Some(if_head) if if_head.seq != head => Decision::Stale { since: batch.after.unwrap_or(if_head).seq },
            _ => apply.run(),
        }
    }

    /// Adds an entry that was stored before, as [`Meet::apply`] had committed it.
    ///
    /// # Errors
    /// [`BrokenLog`] where it does not continue this log; nothing changed then.
    pub fn replay(&mut self, fields: EntryFields, text: impl Into<Box<str>>, chain: ChainValue) -> Result<Arc<Entry>, BrokenLog> {
        let text = text.into();
        let (expected, found) = (self.log.head() + 1, fields.server_seq_num);
        if found != expected {
            return Err(BrokenLog::Number { expected, found });
        }
        if self.key.chain_next(&self.log.head_chain(), &text) != chain {
            return Err(BrokenLog::Chain(found));
        }
        let key = Key::parse(&fields.update_key).map_err(|_| BrokenLog::Key(found))?;
        let mut entry = Entry { fields, chain, text };
        self.remember_previous(&mut entry, &key);
        let entry = Arc::new(entry);
        let writer = self.answers.named(&entry.fields.location_name, &entry.fields.client_id);
        let value = entry.value();
        self.commit(writer, &key, value, &entry);
        if planted(Mutant::NoDedupAfterRestart) {
            self.answers.forget(writer, entry.fields.local_seq_num.unwrap_or(0));
        }
        Ok(entry)
    }

    /// Adds a remembered answer that was stored before.
    pub fn replay_answer(&mut self, remembered: &Remembered) {
        if !planted(Mutant::RefusalsForgotten) {
            self.answers.noted(remembered);
        }
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
        let previous = (!entry.fields.overrules.is_empty()).then(|| self.state.get(key)).flatten();
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
