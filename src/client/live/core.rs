//! The replica and its store, which change together or not at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::channel::Transport;
use crate::client::replica::{ConflictFree, News, Record, Replica};
use crate::client::schedule::Measured;
use crate::client::store::{ReplicaStore, StoreError};

use super::status::{Link, Status};
use super::{EVENTS_KEPT, LiveError};

/// What the owner of a replica and its driver share.
pub(super) struct Core {
    inner: Mutex<Inner>,
    /// Something was edited.
    pub(super) wake: Notify,
    pub(super) status: watch::Sender<Status>,
    pub(super) news: broadcast::Sender<Arc<News>>,
    pub(super) stopping: CancellationToken,
    /// Held while edits are under way, until their answer was taken in.
    pub(super) sending: Arc<tokio::sync::Mutex<()>>,
    /// Changes under way: whoever gives one up does not stop it.
    pub(super) changes: TaskTracker,
}

struct Inner {
    replica: Replica,
    store: Box<dyn ReplicaStore>,
    is_conflict_free: bool,
}

impl Core {
    pub(super) fn new(mut replica: Replica, store: Box<dyn ReplicaStore>, is_conflict_free: bool) -> Core {
        replica.set_conflict_free(mode(is_conflict_free, &Link::Connecting));
        let status = Status {
            link: Link::Connecting,
            since: Instant::now(),
            heard_at: None,
            transport: Transport::default(),
            round_trip: None,
            replica: replica.status(),
            measured: Measured::default(),
            choice: None,
        };
        Core {
            inner: Mutex::new(Inner { replica, store, is_conflict_free }),
            wake: Notify::new(),
            status: watch::Sender::new(status),
            news: broadcast::Sender::new(EVENTS_KEPT),
            stopping: CancellationToken::new(),
            sending: Arc::default(),
            changes: TaskTracker::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&self.lock().replica)
    }

    /// Lets the replica decide what happens, makes that durable, and only then lets it happen.
    pub(super) async fn change<E>(
        self: &Arc<Self>,
        decide: impl FnOnce(&Replica) -> Result<Vec<Record>, E> + Send + 'static,
    ) -> Result<News, LiveError>
    where
        E: Send + 'static,
        LiveError: From<E>,
    {
        let core = Arc::clone(self);
        // A store syncs its medium, which takes a thread that may wait.
        let changed = self.changes.spawn_blocking(move || core.change_now(decide)).await;
        let news = changed.unwrap_or(Err(LiveError::Store(StoreError::Failed)))?;
        let news = Arc::new(news);
        // Nobody may be watching.
        let _ = self.news.send(Arc::clone(&news));
        Ok(Arc::unwrap_or_clone(news))
    }

    fn change_now<E>(&self, decide: impl FnOnce(&Replica) -> Result<Vec<Record>, E>) -> Result<News, LiveError>
    where
        LiveError: From<E>,
    {
        let mut inner = self.lock();
        let records = decide(&inner.replica)?;
        if records.is_empty() {
            return Ok(News::default());
        }
        let Inner { replica, store, .. } = &mut *inner;
        store.append(&records)?;
        let mut news = News::default();
        for record in &records {
            let more = replica.apply(record);
            news.keys.extend(more.keys);
            news.everything |= more.everything;
            news.settled.extend(more.settled);
            news.refused.extend(more.refused);
            news.overruled.extend(more.overruled);
        }
        // Told under the lock: an older status must not come after a newer one.
        let now = inner.replica.status();
        self.status.send_modify(|status| status.replica = now);
        Ok(news)
    }

    pub(super) fn edited(&self) {
        self.wake.notify_one();
    }

    /// The authority said something so long ago.
    pub(super) fn heard(&self, age: Duration) {
        let at = Instant::now().checked_sub(age);
        self.status.send_modify(|status| status.heard_at = status.heard_at.max(at));
    }

    /// The link is so from now on.
    pub(super) fn set_link(&self, link: Link) {
        let mut inner = self.lock();
        let mode = mode(inner.is_conflict_free, &link);
        inner.replica.set_conflict_free(mode);
        drop(inner);
        self.status.send_if_modified(|status| {
            let is_other = status.link != link;
            if is_other {
                (status.link, status.since) = (link, Instant::now());
            }
            is_other
        });
    }

    pub(super) fn set_conflict_free(&self, is_on: bool) {
        let mut inner = self.lock();
        inner.is_conflict_free = is_on;
        let mode = mode(is_on, &self.status.borrow().link);
        inner.replica.set_conflict_free(mode);
    }

    pub(super) fn conflict_free(&self) -> ConflictFree {
        mode(self.lock().is_conflict_free, &self.status.borrow().link)
    }
}

fn mode(is_conflict_free: bool, link: &Link) -> ConflictFree {
    match (is_conflict_free, link) {
        (false, _) => ConflictFree::Off,
        (true, Link::Up) => ConflictFree::Online,
        (true, _) => ConflictFree::Offline,
    }
}
