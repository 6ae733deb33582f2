//! The writer of one meet: the only task that changes it.

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
use super::group::{Outlet, Pile, write_down};
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
    /// What comes next to the disk.
    pub(super) pile: Arc<Pile>,
    /// Whether a thread at the disk has the log.
    pub(super) is_log_away: bool,
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
        Writer {
            meet,
            log,
            pile: Arc::default(),
            is_log_away: false,
            uploads: Uploads::default(),
            mending: None,
            collecting,
            rested_at: None,
            desk,
        }
    }

    /// All that waits is applied, goes into one append, is shown, is answered.
    pub(super) async fn run(mut self, mut mailbox: mpsc::Receiver<Order>) {
        let mut waiting = Vec::new();
        while self.next(&mut mailbox, &mut waiting).await {
            loop {
                let written = match self.write(&mut waiting).await {
                    Ok(written) if waiting.is_empty() => {
                        self = written;
                        break;
                    }
                    Ok(written) if matches!(waiting[0], Order::Retire(_)) => return written.desk.retire(waiting, mailbox).await,
                    Ok(written) => {
                        let desk = written.desk.clone();
                        written.carry_out(waiting.remove(0)).await.ok_or(desk)
                    }
                    Err(desk) => Err(desk),
                };
                self = match written {
                    Ok(written) => written,
                    Err(desk) => match desk.wait_for_the_disk(std::mem::take(&mut waiting), &mut mailbox).await {
                        Some(renewed) => renewed,
                        None => return,
                    },
                };
            }
        }
        if let Ok(durable) = self.until_durable().await {
            durable.rest().await;
        }
    }

    /// Waits for orders, or until the disk has failed. Tells whether there will be any.
    async fn next(&mut self, mailbox: &mut mpsc::Receiver<Order>, waiting: &mut Vec<Order>) -> bool {
        tokio::select! {
            biased;
            () = self.pile.until_failed() => true,
            is_open = self.desk.next(mailbox, waiting) => is_open,
        }
    }

    /// Carries out an order that shares no append with others. `None` when the disk failed.
    async fn carry_out(mut self, order: Order) -> Option<Writer> {
        match order {
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

    /// Applies batches from the front of `waiting`, as many as the pile has room for, and sends them to the disk where nobody is there.
    fn apply(&mut self, waiting: &mut Vec<Order>) {
        let now = self.desk.clock.now();
        let mut orders = std::mem::take(waiting).into_iter().peekable();
        while self.pile.room() > 0
            && let Some(Order::Push(push)) = orders.next_if(|order| matches!(order, Order::Push(_)))
        {
            let decision = self.meet.apply(&push.batch, now);
            self.pile.add(push, decision);
        }
        waiting.extend(orders);
        self.take_log_back();
        if self.is_log_away {
            return;
        }
        if self.pile.has_records() {
            self.is_log_away = true;
            write_down(&self.pile, self.log.take(), self.desk.outlet());
        } else {
            // What was known before needs no disk, and what it was known from is durable.
            self.pile.take().show(&self.desk.outlet());
        }
    }

    fn take_log_back(&mut self) {
        if let Some(log) = self.pile.take_log() {
            (self.log, self.is_log_away) = (log, false);
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

    /// Applies batches from the front of `waiting`, which the disk takes group by group. While it has one the core applies the next,
    /// ahead of it; shown and answered is only what is durable. Returns when nothing is left, or what shares no append: then all
    /// before that is durable. When the disk failed, what is ahead of it is refused and dropped with the core.
    async fn write(mut self, waiting: &mut Vec<Order>) -> Result<Writer, Desk> {
        loop {
            self.apply(waiting);
            let is_full = self.pile.room() == 0;
            match waiting.first() {
                None | Some(Order::Push(_)) if self.pile.failed().is_some() => return self.until_durable().await,
                None | Some(Order::Push(_)) if is_full => self.pile.until_room().await,
                None => return Ok(self),
                Some(Order::Push(_)) => {}
                Some(_) => return self.until_durable().await,
            }
        }
    }

    /// Waits until all that was applied is durable. Fails when the disk did.
    async fn until_durable(mut self) -> Result<Writer, Desk> {
        if self.is_log_away {
            self.pile.until_durable().await;
            self.take_log_back();
        }
        match self.pile.failed() {
            Some(fault) => {
                self.pile.take().refuse(fault);
                Err(self.desk)
            }
            None => Ok(self),
        }
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
        self.outlet().fail();
    }

    /// Where what has become durable goes.
    fn outlet(&self) -> Outlet {
        let Desk { id, committed, failed, metrics, .. } = self;
        Outlet { id: *id, committed: Arc::clone(committed), failed: Arc::clone(failed), metrics: Arc::clone(metrics) }
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
