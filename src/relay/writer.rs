//! The writer of one meet: the only task that changes it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, error, info};

use crate::meet::Meet;
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::limits::{GROUP_MAX, RENEW_EVERY};
use crate::meet::settings::TieBreak;
use crate::meet::time::Timestamp;
use crate::meet::update;
use crate::metrics::Metrics;
use crate::store::line::LogEnd;
use crate::store::log_writer::LogWriter;
use crate::store::{Store, StoreError};
use crate::wire::audience::Audience;

use super::clock::Clock;
use super::collecting::{Collection, Room};
use super::committed::Committed;
use super::finished::FinishFile;
use super::group::Group;
use super::live::Fault;
use super::mending::{Damaged, Mending};
use super::orders::{Finish, Order};
use super::recovery::{Recovery, RecoveryFile};
use super::replay::{Replayed, Tail, replay_log};
use super::restoring::Uploads;

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

    /// All that waits is applied, goes into one append, is shown, is answered.
    pub(super) async fn run(mut self, mut mailbox: mpsc::Receiver<Order>) {
        let mut waiting = Vec::new();
        while self.desk.next(&mut mailbox, &mut waiting).await {
            while !waiting.is_empty() {
                if let Some(Order::Retire(_)) = waiting.first() {
                    return self.desk.retire(waiting, mailbox).await;
                }
                let desk = self.desk.clone();
                let written = match self.write(&mut waiting, &mut mailbox).await {
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
        if matches!(waiting.first(), None | Some(Order::Push(_) | Order::Retire(_))) {
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

    /// Applies batches from the front of `waiting`, as many as the group has room for.
    fn apply(&mut self, waiting: &mut Vec<Order>, group: &mut Group) {
        let now = self.desk.clock.now();
        let mut orders = std::mem::take(waiting).into_iter().peekable();
        while group.room() > 0
            && let Some(Order::Push(push)) = orders.next_if(|order| matches!(order, Order::Push(_)))
        {
            let decision = self.meet.apply(&push.batch, now);
            group.add(push, decision);
        }
        waiting.extend(orders);
    }

    /// The same for what comes until something else is done.
    async fn apply_until<T>(
        &mut self,
        done: impl Future<Output = T>,
        group: &mut Group,
        waiting: &mut Vec<Order>,
        mailbox: &mut mpsc::Receiver<Order>,
    ) -> T {
        let (mut done, mut is_open) = (pin!(done), true);
        loop {
            self.apply(waiting, group);
            let room = group.room();
            tokio::select! {
                biased;
                done = &mut done => return done,
                came = mailbox.recv_many(waiting, room), if is_open && room > 0 && waiting.is_empty() => is_open = came > 0,
            }
        }
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

    /// Makes batches durable group by group, from the front of `waiting` and then from the mailbox, until nothing comes or something
    /// that shares no append. While the disk takes a group the core applies the next one, ahead of it; shown and answered is only
    /// what is durable. `None` when the disk failed: what is ahead of it is refused and dropped with the core.
    async fn write(mut self, waiting: &mut Vec<Order>, mailbox: &mut mpsc::Receiver<Order>) -> Option<Writer> {
        let (mut group, mut durable) = <(Group, Group)>::default();
        self.apply(waiting, &mut group);
        while group.has_records() {
            group.plant(&self.desk);
            let append = group.append(self.log.take());
            durable.show(&self.desk);
            let mut next = Group::default();
            match self.apply_until(append, &mut next, waiting, mailbox).await {
                Ok((log, appended, Ok(()))) => {
                    self.log = log;
                    (durable, group) = (appended, next);
                }
                Ok((_, appended, Err(error))) => {
                    error!(meet = %self.desk.id, %error, "the log could not be written: the meet takes no updates until the disk works again");
                    self.desk.fail();
                    [appended, next].into_iter().for_each(|group| group.refuse(Fault::StorageFailed));
                    return None;
                }
                Err(_) => {
                    self.desk.fail();
                    next.refuse(Fault::Internal);
                    return None;
                }
            }
        }
        durable.show(&self.desk);
        // What was known before needs no disk, but for that of what it was known from.
        group.show(&self.desk);
        Some(self)
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
