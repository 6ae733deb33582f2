//! A meet that is open: everything that requests reach it by.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::auth::roster::{Grant, Holder, Roster};
use crate::auth::ticket::{Life, Ticket};
use crate::auth::token::Token;
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::limits::MAILBOX;
use crate::meet::outcome::Decision;
use crate::meet::restore::Handed;
use crate::meet::time::Timestamp;
use crate::meet::update::{self, Batch};
use crate::metrics::Metrics;
use crate::store::{Document, Store, StoreError};
use crate::wire::audience::Audience;
use crate::wire::message::Status;

use super::clock::Clock;
use super::collecting::Room;
use super::committed::Committed;
use super::mending::Damaged;
use super::orders::{Bring, Finish, Order, Push, Restoration, Restore};
use super::presence::Presence;
use super::recovery::{Recovery, RecoveryFile, Superseded};
use super::replay::write;
use super::resuming::Opened;
use super::writer::Desk;

/// Why an open meet could not do what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk failed, now or before.
    StorageFailed,
    /// Too much waits already.
    Overloaded,
    /// The meet comes back from its clients, and takes nothing else until then.
    Recovering,
    /// A fault in this program.
    Internal,
}

/// An open meet.
pub struct LiveMeet {
    /// Its id.
    pub id: MeetId,
    /// What is durable.
    pub committed: Arc<Committed>,
    /// Who is there.
    pub presence: Arc<Presence>,
    roster: RwLock<Roster>,
    /// One at a time changes the meet's documents, or moves its folder: they are written one after the other, and one thread is enough.
    documents: Arc<Semaphore>,
    mailbox: mpsc::Sender<Order>,
    failed: Arc<AtomicBool>,
    damaged: Arc<Damaged>,
    /// Shared with every order that has not been answered.
    pending: Arc<()>,
    store: Arc<dyn Store>,
    key: ServerKey,
    clock: Clock,
    touched: AtomicI64,
    was_used: AtomicBool,
    /// Of a meet that was made anew from what clients had; `None` for one that was never lost.
    life: Option<Life>,
    /// Whether nothing but its clients' word vouches for it.
    is_unproven: bool,
    /// Whether logs without proof are taken for it.
    collects: bool,
    /// Whether it has superseded a meet of which nobody knows yet whose it was.
    pub(super) has_aside: AtomicBool,
    /// Version of the newest ticket that clients have brought to it.
    adopted: AtomicU64,
    /// Cancelled when the meet is taken away from its readers.
    pub ended: CancellationToken,
    /// Whether they find it again when they come back.
    is_opened_again: AtomicBool,
    /// Moves when a grant has been ended before its time: one wake-up for whoever looks after many streams.
    pub revoked: watch::Sender<()>,
}

/// What an open meet is made of.
pub(super) struct Parts {
    pub(super) id: MeetId,
    pub(super) opened: Opened,
    pub(super) roster: Roster,
    /// `None` for a meet that takes updates.
    pub(super) finished_at: Option<Timestamp>,
    /// Of a meet that was made anew from what clients had.
    pub(super) recovery: Option<RecoveryFile>,
    pub(super) store: Arc<dyn Store>,
    pub(super) key: ServerKey,
    pub(super) clock: Clock,
}

impl Parts {
    /// The number that a damaged log must reach again.
    pub(super) fn needed(&self) -> Option<u64> {
        if let Opened::Whole(replayed) = &self.opened { replayed.tail.needed() } else { None }
    }
}

/// What all meets of a server have in common.
#[derive(Clone, Default)]
pub(super) struct Shared {
    pub(super) metrics: Arc<Metrics>,
    pub(super) room: Arc<Room>,
}

impl LiveMeet {
    /// Opens a meet and starts its writer, which stops when the last handle is dropped.
    pub(super) fn start(parts: Parts, shared: Shared) -> LiveMeet {
        let Shared { metrics, room } = shared;
        let Parts { id, opened, roster, finished_at, recovery, store, key, clock } = parts;
        let private = roster.auth().settings.private_paths.clone();
        let (log, state, source) = opened.split();
        let (is_sound, needed) = source.condition();
        let committed = Arc::new(Committed::new(log, state, private));
        if let Some(finished_at) = finished_at {
            committed.finish(finished_at);
        }
        let life = recovery.as_ref().map(|file| file.life);
        let is_unproven = recovery.as_ref().is_some_and(|file| file.unproven);
        let collects = recovery.as_ref().is_some_and(RecoveryFile::collects);
        let has_aside = recovery.as_ref().is_some_and(RecoveryFile::is_in_question);
        let is_vouched = recovery.as_ref().is_some_and(|file| file.superseded == Some(Superseded::Vouched));
        let (file, recovery) = (recovery.clone(), recovery.filter(RecoveryFile::is_going_on).filter(|_| finished_at.is_none()));
        let recovery = recovery.map(|file| Recovery::resumed(&file, committed.head()));
        committed.set_recovering(recovery.is_some());
        let adopted = AtomicU64::new(roster.auth().ticket_version);
        let documents = Arc::new(Semaphore::new(1));
        let failed = Arc::new(AtomicBool::new(!is_sound));
        let damaged = Arc::new(Damaged::new(needed));
        let desk = Desk {
            id,
            committed: Arc::clone(&committed),
            store: Arc::clone(&store),
            key: key.clone(),
            tie_break: roster.auth().settings.tie_break,
            clock: clock.clone(),
            documents: Arc::clone(&documents),
            failed: Arc::clone(&failed),
            damaged: Arc::clone(&damaged),
            recovery,
            file,
            metrics,
            room,
        };
        let (mailbox, receiver) = mpsc::channel(MAILBOX);
        if is_vouched && desk.recovery.is_none() && finished_at.is_none() && is_sound {
            // A crash came in between.
            let _ = mailbox.try_send(Order::Settle);
        }
        tokio::spawn(write(desk, source, receiver));
        let touched = AtomicI64::new(clock.now().millis());
        let (presence, pending, ended) = Default::default();
        let roster = RwLock::new(roster);
        LiveMeet {
            id,
            committed,
            presence,
            roster,
            documents,
            mailbox,
            failed,
            damaged,
            pending,
            store,
            key,
            clock,
            touched,
            was_used: AtomicBool::new(false),
            life,
            is_unproven,
            collects,
            has_aside: AtomicBool::new(has_aside),
            adopted,
            ended,
            is_opened_again: AtomicBool::new(false),
            revoked: watch::Sender::new(()),
        }
    }

    /// Gives a batch to the writer and waits for what becomes of it; what it committed is durable then.
    ///
    /// # Errors
    /// [`Fault`]; after [`Fault::StorageFailed`] the batch may be in the log or not.
    pub async fn push(&self, batch: Batch) -> Result<Decision, Fault> {
        self.check_writable()?;
        let (reply, decision) = oneshot::channel();
        self.order(Order::Push(Push { batch, came: Instant::now(), reply, _pending: self.pending() }))?;
        decision.await.unwrap_or(Err(Fault::Internal))
    }

    /// Finishes the meet behind everything that waits, and tells when that was. A finished meet tells the same again.
    ///
    /// # Errors
    /// [`Fault`]; after [`Fault::StorageFailed`] the meet goes on.
    pub async fn finish(&self, by: update::Writer) -> Result<Timestamp, Fault> {
        if let Some(finished_at) = self.committed.finished_at() {
            return Ok(finished_at);
        }
        self.check_writable()?;
        let (reply, finished_at) = oneshot::channel();
        self.order(Order::Finish(Finish { by, reply, _pending: self.pending() }))?;
        finished_at.await.unwrap_or(Err(Fault::Internal))
    }

    /// Gives the writer a page of the log that a client has; what was new in it is durable then.
    ///
    /// # Errors
    /// [`Fault`]; after [`Fault::StorageFailed`] the entries may be in the log or not.
    pub async fn restore(&self, by: update::Writer, page: Handed) -> Result<Restoration, Fault> {
        let (reply, restoration) = oneshot::channel();
        let mut expected: Vec<_> = self.roster().auth().clients.iter().map(|client| client.location_name.clone()).collect();
        expected.sort_unstable();
        expected.dedup();
        self.order(Order::Restore(Restore { by, page, expected, reply, _pending: self.pending() }))?;
        restoration.await.unwrap_or(Err(Fault::Internal))
    }

    /// Gives the writer a page of a log that no key vouches for. While the meet is recovering it is only collected.
    ///
    /// # Errors
    /// [`Fault`]; after [`Fault::StorageFailed`] the entries may be in the log or not.
    pub async fn bring(&self, by: update::Writer, page: Handed) -> Result<Restoration, Fault> {
        let (reply, restoration) = oneshot::channel();
        let auth = Arc::clone(self.roster().auth());
        let locations = auth.locations.iter().map(|location| (location.location_name.clone(), location.priority)).collect();
        self.order(Order::Bring(Bring { by, page, locations, reply, _pending: self.pending() }))?;
        restoration.await.unwrap_or(Err(Fault::Internal))
    }

    /// Whether nothing but its clients' word vouches for this meet.
    pub fn is_unproven(&self) -> bool {
        self.is_unproven
    }

    /// Whether logs without proof are taken for it.
    pub fn collects(&self) -> bool {
        self.collects
    }

    /// Refuses what would change a meet that comes back from its clients, its log aside.
    ///
    /// # Errors
    /// [`Fault::Recovering`]
    pub fn check_recovered(&self) -> Result<(), Fault> {
        if self.committed.status() == Status::Recovering { Err(Fault::Recovering) } else { Ok(()) }
    }

    /// Refuses what would add to a log that comes back, or lacks something that it had.
    fn check_writable(&self) -> Result<(), Fault> {
        if self.damaged.needed().is_some() { Err(Fault::StorageFailed) } else { self.check_recovered() }
    }

    /// Whether a ticket was made before this meet was lost, so that its holder may hand back what it has.
    pub(super) fn was_lost_after(&self, ticket: &Ticket) -> bool {
        self.is_of(ticket) && self.life.is_some() && ticket.life != self.life
    }

    /// Whether a ticket is of this meet's history. A meet that was made anew without proof has one of its own.
    fn is_of(&self, ticket: &Ticket) -> bool {
        !self.collects && self.roster().auth().chain == ticket.auth.chain
    }

    /// Takes over what a ticket says, where the meet comes back and nobody has brought a newer one.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`]: nothing changed then.
    pub async fn adopt(self: &Arc<Self>, ticket: &Ticket) -> Result<(), Fault> {
        let (newer, version) = (Arc::clone(&ticket.auth), ticket.auth.ticket_version);
        if self.check_recovered().is_ok() || !self.is_of(ticket) || version <= self.adopted.load(Ordering::Acquire) {
            return Ok(());
        }
        let live = Arc::clone(self);
        let adopt = move |roster: &mut Roster| {
            if version > live.adopted.fetch_max(version, Ordering::AcqRel) {
                roster.adopt(&newer);
            }
        };
        self.edit_roster(adopt).await
    }

    pub(super) fn order(&self, order: Order) -> Result<(), Fault> {
        self.was_used.store(true, Ordering::Relaxed);
        self.mailbox.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Fault::Overloaded,
            mpsc::error::TrySendError::Closed(_) if self.documents.is_closed() => Fault::Recovering,
            mpsc::error::TrySendError::Closed(_) => Fault::Internal,
        })
    }

    /// Whether updates are refused because the disk failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Where updates are refused because the log is damaged: the number up to which editors must bring entries back.
    pub fn needed(&self) -> Option<u64> {
        self.damaged.needed()
    }

    /// Entries that the stream furthest behind lacks.
    pub(super) fn largest_lag(&self) -> u64 {
        let slowest = self.presence.slowest();
        slowest.map_or(0, |cursor| self.committed.head().saturating_sub(cursor))
    }

    /// Kept by every order until it is answered.
    pub(super) fn pending(&self) -> Arc<()> {
        Arc::clone(&self.pending)
    }

    /// Whether an order is on its way to the disk, though its sender may have gone.
    pub(super) fn is_writing(&self) -> bool {
        Arc::strong_count(&self.pending) > 1
    }

    /// Who belongs to the meet. Held for a moment only.
    pub fn roster(&self) -> RwLockReadGuard<'_, Roster> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a token allows now.
    pub fn grant(&self, token: &Token) -> Option<Arc<Grant>> {
        let now = self.clock.now();
        let grant = self.roster().grant(token, now).cloned()?;
        self.touched.fetch_max(now.millis(), Ordering::Relaxed);
        self.was_used.store(true, Ordering::Relaxed);
        Some(grant)
    }

    /// Changes the roster; the change is durable, and only then visible, when this returns.
    /// Streams of sessions and view keys that it takes away end. A caller that gives up waiting stops nothing.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`]: nothing changed then.
    pub async fn edit_roster<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Roster) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let live = Arc::clone(self);
        self.with_documents(move |_| live.edit_roster_now(change)).await
    }

    /// Works on the meet's documents, on a thread that may block, while nobody else does and the meet stays where it is.
    /// A caller that gives up waiting stops nothing.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`] where the work says so; its text is logged.
    pub async fn with_documents<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let store = Arc::clone(&self.store);
        // Closed where another meet takes the place of this one.
        let turn = Arc::clone(&self.documents).acquire_owned().await.map_err(|_| Fault::Recovering)?;
        let worked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&*store)
        });
        match worked.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => {
                error!(meet = %self.id, %error, "the meet's documents could not be read or written");
                Err(Fault::StorageFailed)
            }
            Err(_) => Err(Fault::Internal),
        }
    }

    fn edit_roster_now<T>(&self, change: impl FnOnce(&mut Roster) -> T) -> Result<T, StoreError> {
        let before = self.roster().clone();
        let mut after = before.clone();
        let result = change(&mut after);
        if before.auth().ticket_version != after.auth().ticket_version {
            self.store.save(self.id, Document::Auth, &after.auth_document())?;
        }
        let sessions = after.sessions_document();
        if before.sessions_document() != sessions {
            self.store.save(self.id, Document::Sessions, &sessions)?;
        }
        if before.cancel_missing(&after) > 0 {
            self.revoked.send_replace(());
        }
        *self.roster.write().unwrap_or_else(PoisonError::into_inner) = after;
        Ok(result)
    }

    /// What a holder is to the relay: an editor or a viewer of this meet.
    pub fn audience(&self, holder: &Holder) -> Audience {
        match holder {
            Holder::Editor { .. } => Audience::Editor,
            Holder::Viewer { .. } => self.committed.viewers(),
        }
    }

    /// The newest recovery ticket of an editor, and its version; nothing for viewers.
    pub fn ticket(&self, holder: &Holder) -> Option<(String, u64)> {
        let Holder::Editor { writer, .. } = holder else { return None };
        let auth = Arc::clone(self.roster().auth());
        let version = auth.ticket_version;
        let ticket = Ticket { auth, writer: writer.clone(), issued_at: self.clock.now(), life: self.life, unproven: self.is_unproven };
        Some((ticket.seal(&self.key), version))
    }

    /// The meet's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until the log is there from behind a number on; of a meet that came back from its checkpoint its beginning is still being
    /// read. Whoever has a cursor asks this before anything else.
    ///
    /// # Errors
    /// [`Fault::Recovering`] where the meet has to be opened once more.
    pub async fn reach(&self, seq: u64) -> Result<(), Fault> {
        if self.committed.has_from(seq) {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.committed.until_whole() => Ok(()),
            () = self.ended.cancelled() => Err(Fault::Recovering),
        }
    }

    /// Waits until its writer takes no more orders.
    pub(super) async fn retired(&self) {
        self.mailbox.closed().await;
    }

    /// Takes the meet away from its readers, who are to come back.
    pub(super) fn end_for_now(&self) {
        self.is_opened_again.store(true, Ordering::Release);
        self.ended.cancel();
    }

    /// Whether readers from whom it was taken away find it again.
    pub fn is_opened_again(&self) -> bool {
        self.is_opened_again.load(Ordering::Acquire)
    }

    /// Whether anybody has come since it was opened; then the writer may keep something for them, as a log that comes in pages.
    pub(super) fn was_used(&self) -> bool {
        self.was_used.load(Ordering::Relaxed)
    }

    /// When it was last used.
    pub(super) fn touched(&self) -> Timestamp {
        Timestamp::from_millis(self.touched.load(Ordering::Relaxed))
    }
}
