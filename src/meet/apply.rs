//! One batch on its way through a meet: judged, carried out, or taken back whole.

use std::collections::HashSet;
use std::sync::Arc;

use super::Meet;
use super::answers::{Answer, WriterId};
use super::entry::{Entry, EntryFields, canonical_text};
use super::judge::{Incoming, Judge, Verdict};
use super::key::Key;
use super::log::Log;
use super::outcome::{Ack, Decision, Note, Outcome, Record, Refusal, Rejection, Remembered, StandingUpdate, UpdateCode};
use super::standing::Replaced;
use super::state::Undo;
use super::time::Timestamp;
use super::update::{Batch, Content, Mode, Proposal, Writer};

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
    /// What `belows` of the index said before it.
    belows: Vec<u64>,
    standing: Replaced,
    local_seq_num: Option<u64>,
}

/// One batch on its way through a meet.
pub(super) struct Apply<'a> {
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
    pub(super) fn new(meet: &'a mut Meet, batch: &'a Batch, now: Timestamp) -> Apply<'a> {
        let (writer, head) = (meet.answers.writer(&batch.writer), meet.log.head());
        let (outcomes, records) = (Vec::with_capacity(batch.updates.len()), Vec::with_capacity(batch.updates.len()));
        Apply { meet, batch, writer, now, head, carried: None, steps: Vec::new(), outcomes, records }
    }

    /// The same for a commit of another branch, whose author had also seen what was carried over from there before.
    pub(super) fn carrying(meet: &'a mut Meet, batch: &'a Batch, now: Timestamp, carried: &'a HashSet<u64>) -> Apply<'a> {
        Apply { carried: Some(carried), ..Apply::new(meet, batch, now) }
    }

    /// Whether the whole batch is a resend, which gets its old answers whatever has happened since.
    pub(super) fn is_answered(&self) -> bool {
        !self.batch.updates.is_empty() && self.batch.updates.iter().all(|update| self.is_known(update))
    }

    fn is_known(&self, update: &Proposal) -> bool {
        update.local_seq_num.is_some_and(|number| self.meet.answers.get(self.writer, number).is_some())
    }

    /// The old answers of what was known when the meet was finished; the rest of the batch gets none.
    pub(super) fn known_only(mut self) -> Vec<Outcome> {
        let known = self.batch.updates.iter().enumerate().filter(|(_, update)| self.is_known(update));
        let known: Vec<_> = known.collect();
        known.into_iter().map(|(index, update)| self.one(index, update)).collect()
    }

    pub(super) fn run(mut self) -> Decision {
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

    /// Notes a step, where it may have to be taken back.
    fn step(&mut self, step: impl FnOnce() -> Step) {
        if self.batch.mode == Mode::Atomic {
            self.steps.push(step());
        }
    }

    fn take_back(&mut self, step: Step) {
        let number = match step {
            Step::Committed(change) => {
                let Change { key, state, belows, standing, local_seq_num } = *change;
                self.meet.log.pop();
                self.meet.standing.undo(&key, &belows, standing);
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
            self.step(|| Step::Known);
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
        if !answer.is_of(update) {
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
        let belows = if self.batch.mode == Mode::Atomic { self.meet.standing.belows(&content.key) } else { Vec::new() };
        let (state, standing) = self.meet.commit(self.writer, &content.key, content.value.clone(), &entry);
        self.step(|| {
            let change = Change { key: content.key.clone(), state, belows, standing, local_seq_num: update.local_seq_num };
            Step::Committed(Box::new(change))
        });
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
            update_value: content.text.clone(),
        };
        let text = canonical_text(&fields);
        let chain = self.meet.key.chain_next(&self.meet.log.head_chain(), &text);
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
        if self.is_known(update) {
            return;
        }
        let remembered = Remembered { writer: self.batch.writer.clone(), local_seq_num, fingerprint: update.fingerprint(), note };
        self.meet.answers.noted(&remembered);
        self.records.push(Record::Answer(remembered));
        self.step(|| Step::Noted { local_seq_num });
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
