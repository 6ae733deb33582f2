//! Batches that share an append: applied, made durable, shown, answered.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tracing::error;

use crate::meet::entry::Entry;
use crate::meet::id::MeetId;
use crate::meet::limits::{GROUP_MAX, GROUP_MAX_BYTES};
use crate::meet::outcome::{Decision, Record};
use crate::meet::update::Content;
use crate::metrics::Metrics;
use crate::mutant::{Mutant, planted};
use crate::store::log_writer::LogWriter;

use super::committed::Committed;
use super::live::Fault;
use super::orders::Push;

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
    fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// How many more batches it takes.
    fn room(&self) -> usize {
        if self.bytes > GROUP_MAX_BYTES { 0 } else { GROUP_MAX.saturating_sub(self.pushes.len()) }
    }

    fn add(&mut self, push: Push, mut decision: Decision) {
        if let Decision::Applied { records, .. } = &mut decision {
            if planted(Mutant::ResendBeforeSync) && records.is_empty() {
                return push.answer(Ok(decision));
            }
            self.bytes += records.iter().map(size).sum::<usize>();
            self.records.append(records);
        }
        self.pushes.push((push, decision));
    }

    /// Writes its records at the end of a log, and returns when they are durable.
    fn append(&mut self, log: &mut LogWriter) -> io::Result<()> {
        let started = Instant::now();
        let result = log.append(&self.records);
        self.took = Some(started.elapsed());
        result
    }

    /// What it has of records is durable: everybody may see them, and whoever pushed is answered.
    pub(super) fn show(self, outlet: &Outlet) {
        if !planted(Mutant::RelayBeforeSync) {
            self.publish(outlet);
        }
        let writing = &outlet.metrics.writing;
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
    fn plant(&mut self, outlet: &Outlet) {
        if planted(Mutant::AckBeforeSync) {
            self.pushes.drain(..).for_each(|(push, decision)| push.answer(Ok(decision)));
        }
        if planted(Mutant::RelayBeforeSync) {
            self.publish(outlet);
        }
    }

    fn publish(&self, outlet: &Outlet) {
        let entries = entries(&self.records);
        // Answered already, so what the core has read is gone.
        if planted(Mutant::AckBeforeSync) {
            return outlet.committed.publish(&entries);
        }
        let contents = self.pushes.iter().flat_map(|(push, decision)| committed(push, decision));
        outlet.committed.show(entries, contents.map(|content| (&content.key, content.value.clone())));
    }
}

/// Where what has become durable goes.
pub(super) struct Outlet {
    pub(super) id: MeetId,
    pub(super) committed: Arc<Committed>,
    /// Told to the world: the meet takes no updates now.
    pub(super) failed: Arc<AtomicBool>,
    pub(super) metrics: Arc<Metrics>,
}

impl Outlet {
    /// The disk failed, or the thread that wrote to it did.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.metrics.writing.failed();
    }
}

/// The group that comes next to the disk: the writer adds to it, and the thread at the disk takes it when it has time. While that
/// thread has work nobody has to be woken for it, and when it ends it leaves the log here.
#[derive(Default)]
pub(super) struct Pile {
    inner: Mutex<Inner>,
    /// Rings when the writer waits, and when the disk failed.
    bell: Notify,
}

#[derive(Default)]
struct Inner {
    next: Group,
    /// The log, when the thread that had it has ended.
    log: Option<LogWriter>,
    failed: Option<Fault>,
    /// Whether the writer waits for room, or for the log.
    is_awaited: bool,
}

impl Pile {
    pub(super) fn add(&self, push: Push, decision: Decision) {
        self.inner().next.add(push, decision);
    }

    /// Whether there is something for the disk.
    pub(super) fn has_records(&self) -> bool {
        self.inner().next.has_records()
    }

    /// How many more batches it takes.
    pub(super) fn room(&self) -> usize {
        self.inner().next.room()
    }

    /// What there is, where nobody is at the disk.
    pub(super) fn take(&self) -> Group {
        std::mem::take(&mut self.inner().next)
    }

    /// The log, where nobody is at the disk any more.
    pub(super) fn take_log(&self) -> Option<LogWriter> {
        self.inner().log.take()
    }

    /// Why the log is lost, where it is.
    pub(super) fn failed(&self) -> Option<Fault> {
        self.inner().failed
    }

    /// Waits until that is known.
    pub(super) async fn until_failed(&self) {
        while self.failed().is_none() {
            self.bell.notified().await;
        }
    }

    /// Waits until it takes more batches, or the disk failed.
    pub(super) async fn until_room(&self) {
        self.until(|inner| inner.next.room() > 0).await;
    }

    /// Waits until nobody is at the disk, or the disk failed.
    pub(super) async fn until_durable(&self) {
        self.until(|inner| inner.log.is_some()).await;
    }

    async fn until(&self, done: impl Fn(&Inner) -> bool) {
        let is_done = |mut inner: MutexGuard<Inner>| {
            let is_done = done(&inner) || inner.failed.is_some();
            inner.is_awaited = !is_done;
            is_done
        };
        while !is_done(self.inner()) {
            self.bell.notified().await;
        }
    }

    /// The next group. Where there is none the log stays here.
    fn next(&self, log: LogWriter) -> Option<(Group, LogWriter)> {
        let mut inner = self.inner();
        let next = if inner.next.pushes.is_empty() {
            inner.log = Some(log);
            None
        } else {
            Some((std::mem::take(&mut inner.next), log))
        };
        if std::mem::take(&mut inner.is_awaited) {
            self.bell.notify_one();
        }
        next
    }

    fn fail(&self, fault: Fault) {
        self.inner().failed = Some(fault);
        self.bell.notify_one();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes durable what there is and what comes meanwhile, group by group, on a thread that may wait: the disk is slow and blocks.
/// The same thread shows and answers each group.
pub(super) fn write_down(pile: &Arc<Pile>, log: LogWriter, outlet: Outlet) {
    let work = Work { pile: Arc::clone(pile), outlet, is_unfinished: true };
    tokio::task::spawn_blocking(move || work.run(log));
}

/// Work at the disk.
struct Work {
    pile: Arc<Pile>,
    outlet: Outlet,
    is_unfinished: bool,
}

impl Work {
    fn run(mut self, log: LogWriter) {
        let mut next = self.pile.next(log);
        while let Some((group, log)) = next {
            next = self.write(group, log).and_then(|log| self.pile.next(log));
        }
        self.is_unfinished = false;
    }

    /// `None` when the disk failed, which everybody in the group is told.
    fn write(&self, mut group: Group, mut log: LogWriter) -> Option<LogWriter> {
        group.plant(&self.outlet);
        if group.has_records()
            && let Err(error) = group.append(&mut log)
        {
            error!(meet = %self.outlet.id, %error, "the log could not be written: the meet takes no updates until the disk works again");
            self.outlet.fail();
            group.refuse(Fault::StorageFailed);
            self.pile.fail(Fault::StorageFailed);
            return None;
        }
        group.show(&self.outlet);
        Some(log)
    }
}

/// A thread that panicked has taken the log along.
impl Drop for Work {
    fn drop(&mut self) {
        if self.is_unfinished {
            self.outlet.fail();
            self.pile.fail(Fault::Internal);
        }
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
        Record::Entry { entry, .. } => entry.text.len(),
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
