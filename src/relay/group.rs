//! Batches that share an append: applied, made durable, shown, answered.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::meet::entry::Entry;
use crate::meet::limits::{GROUP_MAX, GROUP_MAX_BYTES};
use crate::meet::outcome::{Decision, Record};
use crate::meet::update::Content;
use crate::mutant::{Mutant, planted};
use crate::store::log_writer::LogWriter;

use super::live::Fault;
use super::orders::Push;
use super::writer::Desk;

/// About what a remembered answer takes in the journal.
const ANSWER_BYTES: usize = 512;

/// Batches that the core has decided, and what the journal must hold of them.
#[derive(Default)]
pub(super) struct Group {
    pushes: Vec<(Push, Decision)>,
    records: Vec<Record>,
    bytes: usize,
    /// How long their append took.
    took: Option<Duration>,
}

impl Group {
    /// Whether it needs the disk.
    pub(super) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// How many more batches it takes.
    pub(super) fn room(&self) -> usize {
        if self.bytes > GROUP_MAX_BYTES { 0 } else { GROUP_MAX.saturating_sub(self.pushes.len()) }
    }

    pub(super) fn add(&mut self, push: Push, mut decision: Decision) {
        if let Decision::Applied { records, .. } = &mut decision {
            if planted(Mutant::ResendBeforeSync) && records.is_empty() {
                return push.answer(Ok(decision));
            }
            self.bytes += records.iter().map(size).sum::<usize>();
            self.records.append(records);
        }
        self.pushes.push((push, decision));
    }

    /// Writes its records at the end of a log, on a thread that may wait: the disk is slow and blocks.
    pub(super) fn append(mut self, mut log: LogWriter) -> JoinHandle<(LogWriter, Group, io::Result<()>)> {
        tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let result = log.append(&self.records);
            self.took = Some(started.elapsed());
            (log, self, result)
        })
    }

    /// What it has of records is durable: everybody may see them, and whoever pushed is answered.
    pub(super) fn show(self, desk: &Desk) {
        if !planted(Mutant::RelayBeforeSync) {
            self.publish(desk);
        }
        let writing = &desk.metrics.writing;
        if let Some(took) = self.took {
            writing.synced(&self.records, took, self.pushes.iter().map(|(push, _)| push.came.elapsed()));
        }
        for (push, decision) in self.pushes {
            writing.answered(push.batch.updates.len(), &decision);
            push.answer(Ok(decision));
        }
    }

    /// Nothing of it took effect, as far as anybody knows.
    pub(super) fn refuse(self, fault: Fault) {
        self.pushes.into_iter().for_each(|(push, _)| push.answer(Err(fault)));
    }

    /// What planted faults do with a group that is not durable yet.
    pub(super) fn plant(&mut self, desk: &Desk) {
        if planted(Mutant::AckBeforeSync) {
            self.pushes.drain(..).for_each(|(push, decision)| push.answer(Ok(decision)));
        }
        if planted(Mutant::RelayBeforeSync) {
            self.publish(desk);
        }
    }

    fn publish(&self, desk: &Desk) {
        let entries = entries(&self.records);
        // Answered already, so what the core has read is gone.
        if planted(Mutant::AckBeforeSync) {
            return desk.committed.publish(&entries);
        }
        let contents = self.pushes.iter().flat_map(|(push, decision)| committed(push, decision));
        desk.committed.show(entries, contents.map(|content| (&content.key, content.value.clone())));
    }
}

/// What has become entries of a batch, in order, as the core has read it.
fn committed<'a>(push: &'a Push, decision: &'a Decision) -> impl Iterator<Item = &'a Content> {
    let outcomes = if let Decision::Applied { outcomes, .. } = decision { &outcomes[..] } else { &[] };
    let updates = push.batch.updates.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_committed());
    updates.filter_map(|(update, _)| update.content.as_ref().ok())
}

fn size(record: &Record) -> usize {
    match record {
        Record::Entry { entry, .. } => entry.text.get().len(),
        Record::Answer(_) => ANSWER_BYTES,
    }
}

pub(super) fn entries(records: &[Record]) -> Vec<Arc<Entry>> {
    let entry = |record: &Record| match record {
        Record::Entry { entry, .. } => Some(Arc::clone(entry)),
        Record::Answer(_) => None,
    };
    records.iter().filter_map(entry).collect()
}
