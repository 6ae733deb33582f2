//! The writer of one meet: the only task that changes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::meet::Meet;
use crate::meet::entry::Entry;
use crate::meet::id::MeetId;
use crate::meet::limits::{GROUP_MAX, GROUP_MAX_BYTES};
use crate::meet::outcome::{Decision, Record};
use crate::meet::update::Batch;
use crate::store::log_writer::LogWriter;

use super::clock::Clock;
use super::committed::Committed;
use super::live::Fault;

/// About what a remembered answer takes in the journal.
const ANSWER_BYTES: usize = 512;

/// A batch on its way to the writer.
pub(super) struct Push {
    pub(super) batch: Batch,
    pub(super) reply: oneshot::Sender<Result<Decision, Fault>>,
    /// Keeps the meet open until this is answered, even where nobody waits for the answer any more.
    pub(super) _pending: Arc<()>,
}

/// Carries out batches until its mailbox is closed and empty.
pub(super) struct Writer {
    pub(super) id: MeetId,
    pub(super) meet: Meet,
    pub(super) log: LogWriter,
    pub(super) committed: Arc<Committed>,
    pub(super) clock: Clock,
    /// Told to the world: the meet takes no more updates.
    pub(super) failed: Arc<AtomicBool>,
}

impl Writer {
    /// Every round: all that waits, one append, one sync, publish, answer.
    pub(super) async fn run(mut self, mut mailbox: mpsc::Receiver<Push>) {
        let mut waiting = Vec::new();
        while mailbox.recv_many(&mut waiting, GROUP_MAX).await > 0 {
            while !waiting.is_empty() {
                let group = self.decide(&mut waiting);
                match self.write(group).await {
                    Some(written) => self = written,
                    None => return refuse_all(mailbox, waiting).await,
                }
            }
        }
    }

    /// Carries out batches from the front of `waiting`, as many as one append should hold.
    fn decide(&mut self, waiting: &mut Vec<Push>) -> Group {
        let now = self.clock.now();
        let mut group = Group::default();
        let mut taken = 0;
        for push in waiting.iter() {
            if group.bytes > GROUP_MAX_BYTES {
                break;
            }
            let mut decision = self.meet.apply(&push.batch, now);
            if let Decision::Applied { records, .. } = &mut decision {
                group.add(std::mem::take(records));
            }
            group.decisions.push(decision);
            taken += 1;
        }
        group.pushes = waiting.drain(..taken).collect();
        group
    }

    /// Makes a group durable, shows it, answers it. `None` when the disk failed: what this meet
    /// holds in memory is then ahead of the disk, so it is dropped, never shown.
    async fn write(mut self, group: Group) -> Option<Writer> {
        let Group { records, decisions, pushes, .. } = group;
        if !records.is_empty() {
            let failed = Arc::clone(&self.failed);
            // The disk is slow and blocks, so the writer goes to a thread that may wait.
            let synced = tokio::task::spawn_blocking(move || {
                let result = self.log.append(&records);
                (self, records, result)
            });
            let Ok((writer, records, result)) = synced.await else {
                failed.store(true, Ordering::Release);
                answer(pushes, || Err(Fault::Internal));
                return None;
            };
            if let Err(error) = result {
                error!(meet = %writer.id, %error, "the log could not be written: the meet takes no more updates until it is opened again");
                writer.failed.store(true, Ordering::Release);
                answer(pushes, || Err(Fault::StorageFailed));
                return None;
            }
            writer.committed.publish(&entries(&records));
            self = writer;
        }
        let mut decisions = decisions.into_iter();
        answer(pushes, || decisions.next().ok_or(Fault::Internal));
        Some(self)
    }
}

/// Batches that are written together.
#[derive(Default)]
struct Group {
    records: Vec<Record>,
    bytes: usize,
    decisions: Vec<Decision>,
    pushes: Vec<Push>,
}

impl Group {
    fn add(&mut self, records: Vec<Record>) {
        let size = |record: &Record| match record {
            Record::Entry { entry, .. } => entry.text.get().len(),
            Record::Answer(_) => ANSWER_BYTES,
        };
        self.bytes += records.iter().map(size).sum::<usize>();
        self.records.extend(records);
    }
}

fn entries(records: &[Record]) -> Vec<Arc<Entry>> {
    let entry = |record: &Record| match record {
        Record::Entry { entry, .. } => Some(Arc::clone(entry)),
        Record::Answer(_) => None,
    };
    records.iter().filter_map(entry).collect()
}

/// A client that went away hears nothing; its updates are in the log all the same.
fn answer(pushes: Vec<Push>, mut with: impl FnMut() -> Result<Decision, Fault>) {
    for push in pushes {
        let _ = push.reply.send(with());
    }
}

/// After a failure: everything that waits, and all that comes, is told so.
async fn refuse_all(mut mailbox: mpsc::Receiver<Push>, waiting: Vec<Push>) {
    answer(waiting, || Err(Fault::StorageFailed));
    while let Some(push) = mailbox.recv().await {
        answer(vec![push], || Err(Fault::StorageFailed));
    }
}
