//! The writer of one meet: the only task that changes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, error, info};

use crate::meet::Meet;
use crate::meet::chain::ServerKey;
use crate::meet::entry::Entry;
use crate::meet::id::MeetId;
use crate::meet::limits::{GROUP_MAX, GROUP_MAX_BYTES, RENEW_EVERY};
use crate::meet::outcome::{Decision, Record};
use crate::meet::settings::TieBreak;
use crate::meet::time::Timestamp;
use crate::meet::update;
use crate::metrics::Metrics;
use crate::mutant::{Mutant, planted};
use crate::store::line::LogEnd;
use crate::store::log_writer::LogWriter;
use crate::store::{Store, StoreError};
use crate::wire::audience::Audience;

use super::clock::Clock;
use super::collecting::{Collection, Room};
use super::committed::Committed;
use super::finished::FinishFile;
use super::live::Fault;
use super::mending::{Damaged, Mending};
use super::orders::{Finish, Order, Push};
use super::recovery::{Recovery, RecoveryFile};
use super::replay::{Replayed, Tail, replay_log};
use super::restoring::Uploads;

/// About what a remembered answer takes in the journal.
const ANSWER_BYTES: usize = 512;

/// Carries out orders until its mailbox is closed and empty.
pub(super) struct Writer {
    pub(super) meet: Meet,
    pub(super) log: LogWriter,
    pub(super) uploads: Uploads,
    /// Of a damaged log.
    pub(super) mending: Option<Mending>,
    pub(super) collecting: Collection,
    /// Where the log ended when the meet last left a checkpoint.
    pub(super) rested_at: Option<LogEnd>,
    pub(super) desk: Desk,
}

/// What a writer works at, whatever becomes of its meet in memory.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) id: MeetId,
    pub(super) committed: Arc<Committed>,
    pub(super) store: Arc<dyn Store>,
    pub(super) key: ServerKey,
    pub(super) tie_break: TieBreak,
    pub(super) clock: Clock,
    /// One at a time changes the meet's documents, or moves its folder.
    pub(super) documents: Arc<Semaphore>,
    /// Told to the world: the meet takes no updates now.
    pub(super) failed: Arc<AtomicBool>,
    pub(super) damaged: Arc<Damaged>,
    /// While the meet comes back from its clients.
    pub(super) recovery: Option<Recovery>,
    /// Of a meet that came back from its clients.
    pub(super) file: Option<RecoveryFile>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) room: Arc<Room>,
}

impl Writer {
    pub(super) fn new(meet: Meet, log: LogWriter, desk: Desk) -> Writer {
        let collecting = Collection::new(Arc::clone(&desk.room));
        Writer { meet, log, uploads: Uploads::default(), mending: None, collecting, rested_at: None, desk }
    }

    /// Every round: all that waits, one append, one sync, publish, answer.
    pub(super) async fn run(mut self, mut mailbox: mpsc::Receiver<Order>) {
        let mut waiting = Vec::new();
        while self.desk.next(&mut mailbox, &mut waiting).await {
            while !waiting.is_empty() {
                if let Some(Order::Retire(_)) = waiting.first() {
                    return self.desk.retire(waiting, mailbox).await;
                }
                let desk = self.desk.clone();
                let group = self.decide(&mut waiting);
                let written = match self.write(group).await {
                    Some(written) => written.carry_out_one(&mut waiting).await,
                    None => None,
                };
                self = match written {
                    Some(written) => written,
                    None => match desk.wait_for_the_disk(std::mem::take(&mut waiting), &mut mailbox).await {
                        Some(renewed) => renewed,
                        None => return,
                    },
                };
            }
        }
        self.rest().await;
    }

    /// Carries out the next order, where it is one that shares no append with others. `None` when the disk failed.
    async fn carry_out_one(mut self, waiting: &mut Vec<Order>) -> Option<Writer> {
        if matches!(waiting.first(), None | Some(Order::Push(_))) {
            return Some(self);
        }
        match waiting.remove(0) {
            Order::Restore(restore) => self.restore(restore).await,
            Order::Bring(bring) => self.bring(bring).await,
            Order::Settle => self.settle().await,
            Order::Carry(carry) => self.carry(carry).await,
            Order::Rest(reply) => {
                let rested = self.rest().await;
                let _ = reply.send(());
                rested
            }
            Order::Finish(finish) => {
                self.finish(finish).await;
                Some(self)
            }
            Order::Push(_) | Order::Retire(_) => Some(self),
        }
    }

    /// Carries out batches from the front of `waiting`, as many as one append should hold.
    fn decide(&mut self, waiting: &mut Vec<Order>) -> Group {
        let now = self.desk.clock.now();
        let mut group = Group::default();
        let mut taken = 0;
        for order in waiting.iter() {
            let Order::Push(push) = order else { break };
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
        let push = |order| if let Order::Push(push) = order { Some(push) } else { None };
        group.pushes = waiting.drain(..taken).filter_map(push).collect();
        group
    }

    /// Moves the meet to the finished ones, with everything that was acked before. Whoever comes first decides when that was.
    async fn finish(&mut self, order: Finish) {
        let Finish { by, reply, _pending } = order;
        let finished = match self.desk.committed.finished_at() {
            Some(finished_at) => Ok(finished_at),
            None => self.desk.finish(by).await,
        };
        if let Ok(finished_at) = finished {
            self.meet.finish();
            self.log.close();
            self.desk.committed.finish(finished_at);
        }
        let _ = reply.send(finished);
    }

    /// Makes a group durable, shows it, answers it. `None` when the disk failed: what this meet
    /// holds in memory is then ahead of the disk, so it is dropped, never shown.
    async fn write(mut self, group: Group) -> Option<Writer> {
        let Group { records, mut decisions, mut pushes, .. } = group;
        if planted(Mutant::AckBeforeSync) {
            let mut early = std::mem::take(&mut decisions).into_iter();
            answer(std::mem::take(&mut pushes), || early.next().ok_or(Fault::Internal));
        }
        if planted(Mutant::RelayBeforeSync) {
            self.desk.committed.publish(&entries(&records));
        }
        if !records.is_empty() {
            let desk = self.desk.clone();
            // The disk is slow and blocks, so the writer goes to a thread that may wait.
            let synced = tokio::task::spawn_blocking(move || {
                let started = Instant::now();
                let result = self.log.append(&records);
                (self, records, result, started.elapsed())
            });
            let Ok((writer, records, result, took)) = synced.await else {
                desk.fail();
                answer(pushes, || Err(Fault::Internal));
                return None;
            };
            if let Err(error) = result {
                error!(meet = %desk.id, %error, "the log could not be written: the meet takes no updates until the disk works again");
                desk.fail();
                answer(pushes, || Err(Fault::StorageFailed));
                return None;
            }
            if !planted(Mutant::RelayBeforeSync) {
                desk.committed.publish(&entries(&records));
            }
            desk.metrics.writing.synced(&records, took, pushes.iter().map(|push| push.came.elapsed()));
            self = writer;
        }
        for (push, decision) in pushes.iter().zip(&decisions) {
            self.desk.metrics.writing.answered(push.batch.updates.len(), decision);
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

pub(super) fn entries(records: &[Record]) -> Vec<Arc<Entry>> {
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

impl Desk {
    /// Waits for orders; the end of a recovery comes in between. Tells whether there are any: nobody holds the meet otherwise.
    async fn next(&mut self, mailbox: &mut mpsc::Receiver<Order>, waiting: &mut Vec<Order>) -> bool {
        while let Some(recovery) = &self.recovery {
            tokio::select! {
                came = mailbox.recv_many(waiting, GROUP_MAX) => return came > 0,
                () = tokio::time::sleep_until(recovery.deadline()) => {
                    if self.time_is_up() {
                        waiting.push(Order::Settle);
                        return true;
                    }
                }
            }
        }
        mailbox.recv_many(waiting, GROUP_MAX).await > 0
    }

    /// The disk failed, or the thread that wrote to it did.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.metrics.writing.failed();
    }

    /// Moves the meet in the store. What goes wrong leaves it where it was.
    async fn finish(&self, by: update::Writer) -> Result<Timestamp, Fault> {
        let turn = Arc::clone(&self.documents).acquire_owned().await.map_err(|_| Fault::Internal)?;
        let (id, store, finished_at) = (self.id, Arc::clone(&self.store), self.clock.now());
        let location = by.location_name.clone();
        let moved = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            store.finish(id, &FinishFile::new(finished_at, by).document())
        });
        match moved.await {
            Ok(Ok(())) => {
                info!(meet = %id, ?location, "meet finished");
                self.metrics.meets.finished();
                Ok(finished_at)
            }
            Ok(Err(error)) => {
                error!(meet = %id, %error, "the meet could not be moved to the finished ones, so it goes on");
                Err(Fault::StorageFailed)
            }
            Err(_) => Err(Fault::Internal),
        }
    }

    /// After a failure: everything that waits and comes is refused, until the log stands in a new file.
    /// `None` when nobody holds the meet any more.
    pub(super) async fn wait_for_the_disk(self, waiting: Vec<Order>, mailbox: &mut mpsc::Receiver<Order>) -> Option<Writer> {
        waiting.into_iter().for_each(|order| order.refuse(Fault::StorageFailed));
        let mut attempts = tokio::time::interval_at(tokio::time::Instant::now() + RENEW_EVERY, RENEW_EVERY);
        loop {
            tokio::select! {
                order = mailbox.recv() => order?.refuse(Fault::StorageFailed),
                _ = attempts.tick() => {
                    if let Some(writer) = self.clone().renew().await {
                        return Some(writer);
                    }
                }
            }
        }
    }

    /// Goes on from what the disk really holds, in a new file. What a failed sync has kept after all is
    /// in the log then, for everyone, and a resend of it finds it there.
    async fn renew(self) -> Option<Writer> {
        let desk = self.clone();
        let renewed = tokio::task::spawn_blocking(move || {
            desk.store.renew(desk.id)?;
            let stored = desk.store.open(desk.id)?;
            Ok::<_, StoreError>(stored.map(|stored| replay_log(desk.id, stored.scan, stored.journal, &desk.key, desk.tie_break)))
        });
        let (meet, log) = match renewed.await.ok()? {
            Ok(Some(Replayed { meet, tail: Tail::Sound(log) })) => (meet, log),
            Ok(_) => return None,
            Err(error) => {
                debug!(meet = %self.id, %error, "the disk does not work yet");
                return None;
            }
        };
        let shown = self.committed.head_position(&Audience::Editor);
        if meet.log().chain(shown.server_seq_num) != shown.chain {
            error!(meet = %self.id, "the disk has lost what had been durable: the meet stays read-only");
            return None;
        }
        self.committed.publish(meet.log().after(shown.server_seq_num));
        self.failed.store(false, Ordering::Release);
        self.metrics.writing.renewed();
        info!(meet = %self.id, "the disk works again: the meet takes updates");
        let mut desk = self;
        desk.wait_again();
        Some(Writer::new(meet, log, desk))
    }
}
