//! Meets that come back from their checkpoint: readers at the head are served at once, while the whole log is read behind them.
//!
//! Whatever changes a meet waits for that, and so does who needs earlier entries: nothing is appended to a log that was not read and
//! checked from its first line to its last. Where it tells something else than the checkpoint, the log is right.

use std::io;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;
use tracing::{debug, error};

use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::limits::CHECKPOINT_MIN_ENTRIES;
use crate::meet::log::Log;
use crate::meet::state::State;
use crate::store::{Document, Stage, Store, StoreError, doing};

use super::checkpoint::{self, Checkpoint};
use super::clock::Clock;
use super::finished::finished_at;
use super::live::{LiveMeet, Parts};
use super::orders::Order;
use super::recovery::{RecoveryFile, Superseded};
use super::registry::{Meets, Registry, Unsound};
use super::replay::{Replayed, Tail, read_roster};
use super::writer::{Desk, Writer};

/// How a meet was opened.
pub(super) enum Opened {
    /// Its log was read.
    Whole(Box<Replayed>),
    /// Its checkpoint was, and the end of its log.
    Resumed(Log, State, oneshot::Receiver<Box<Replayed>>),
}

/// Where a writer has its meet from.
pub(super) enum Source {
    /// It was read.
    Read(Box<Replayed>),
    /// It is being read. Closed where it is not what the checkpoint says.
    BeingRead(oneshot::Receiver<Box<Replayed>>),
}

impl Opened {
    /// What readers are shown, and what the writer goes by.
    pub(super) fn split(self) -> (Log, State, Source) {
        match self {
            Opened::Whole(replayed) => (replayed.meet.log().clone(), replayed.meet.state().clone(), Source::Read(replayed)),
            Opened::Resumed(log, state, whole) => (log, state, Source::BeingRead(whole)),
        }
    }
}

impl Source {
    /// Whether the log goes on, or its end is not known yet; and the number that a damaged one must reach again.
    pub(super) fn condition(&self) -> (bool, Option<u64>) {
        match self {
            Source::Read(replayed) => (matches!(replayed.tail, Tail::Sound(_)), replayed.tail.needed()),
            Source::BeingRead(_) => (true, None),
        }
    }
}

/// Where the whole log goes once it is read.
pub(super) type Whole = oneshot::Sender<Box<Replayed>>;

/// Opens a meet by its checkpoint. `None` where it has none that is right, or where anything is wrong, which reading the log tells.
pub(super) fn resume(id: MeetId, store: &Arc<dyn Store>, key: &ServerKey, clock: &Clock) -> Option<(Parts, Whole)> {
    let document = store.load(id, Document::Checkpoint).ok()??;
    let resumed = resume_from(&document, id, store, key, clock);
    if resumed.is_none() {
        debug!(meet = %id, "the checkpoint is not this log's, so the log is read whole");
    }
    resumed
}

fn resume_from(document: &[u8], id: MeetId, store: &Arc<dyn Store>, key: &ServerKey, clock: &Clock) -> Option<(Parts, Whole)> {
    let checkpoint = Checkpoint::read(document, id, key)?;
    let (from, upto) = checkpoint.tail();
    let (stage, tail) = store.log_end(id, from, upto).ok()??;
    let log = checkpoint.log(&tail, key)?;
    let recovery = RecoveryFile::load(&**store, id).ok()?;
    if recovery.as_ref().is_some_and(|file| file.is_going_on() || file.superseded == Some(Superseded::Vouched)) {
        return None;
    }
    let finished_at = match stage {
        Stage::Current => None,
        Stage::Finished => Some(finished_at(&**store, id).ok()?),
    };
    let [auth, sessions] = [Document::Auth, Document::Sessions].map(|document| store.load(id, document));
    let roster = read_roster(id, &**store, &auth.ok()??, sessions.ok()?.as_deref()).ok()?;
    let (sender, whole) = oneshot::channel();
    let opened = Opened::Resumed(log, checkpoint.state, whole);
    let (store, key, clock) = (Arc::clone(store), key.clone(), clock.clone());
    Some((Parts { id, opened, roster, finished_at, recovery, store, key, clock }, sender))
}

/// Reads the log of a meet that came back from its checkpoint, and hands it to the writer. Where it tells something else, the meet is
/// closed, and the next opening goes by the log alone. It holds the meet, so that nobody else opens it meanwhile.
pub(super) async fn read_whole(
    live: Arc<LiveMeet>,
    whole: Whole,
    meets: Meets,
    unsound: Unsound,
    reading: impl FnOnce() -> Result<Option<Parts>, StoreError> + Send + 'static,
) {
    let id = live.id;
    let read = tokio::task::spawn_blocking(reading).await.unwrap_or_else(|error| Err(doing("reading the log")(io::Error::other(error))));
    let may_pass = matches!(&read, Err(error) if error.may_pass());
    unsound.note(id, may_pass || matches!(&read, Ok(parts) if parts.as_ref().is_none_or(|parts| parts.needed().is_none())));
    if let Ok(Some(Parts { opened: Opened::Whole(replayed), .. })) = read
        && replayed.tail.needed().is_none()
        && live.committed.is_of(&replayed.meet)
    {
        let committed = Arc::clone(&live.committed);
        // Who waits for this may close the meet then.
        drop(live);
        committed.complete(replayed.meet.log().clone());
        let _ = whole.send(replayed);
        return;
    }
    if live.ended.is_cancelled() {
        return;
    }
    error!(meet = %id, "the log does not bear its checkpoint out: the meet is opened once more, by its log alone");
    if !may_pass {
        let discarded = live.with_documents(move |store| store.discard(id, Document::Checkpoint)).await;
        debug!(meet = %id, ?discarded, "the checkpoint goes");
    }
    drop(whole);
    live.retired().await;
    let mut open = meets.lock().unwrap_or_else(PoisonError::into_inner);
    if open.get(&id).and_then(|slot| slot.get()).is_some_and(|standing| Arc::ptr_eq(standing, &live)) {
        open.remove(&id);
    }
    drop(open);
    live.end_for_now();
}

impl Registry {
    /// Lets every open meet leave its checkpoint, before the server stops. Nothing is lost where that fails.
    pub async fn rest(&self) {
        let open: Vec<_> = self.open_now();
        let resting: Vec<_> = open.iter().filter_map(|live| live.rest()).collect();
        for rested in resting {
            let _ = rested.await;
        }
    }
}

impl LiveMeet {
    /// Asks the writer for a checkpoint. Nobody is waited for whose log is still being read: its checkpoint is right.
    fn rest(&self) -> Option<oneshot::Receiver<()>> {
        let (reply, rested) = oneshot::channel();
        (self.committed.is_whole() && self.order(Order::Rest(reply)).is_ok()).then_some(rested)
    }
}

impl Writer {
    /// Leaves a checkpoint, where reading the log would take longer than reading one.
    pub(super) async fn rest(self) -> Option<Writer> {
        let is_known = self.rested_at == Some(self.log.end());
        let is_sound = self.mending.is_none() && self.desk.recovery.is_none();
        if is_known || !is_sound || self.meet.log().head() < CHECKPOINT_MIN_ENTRIES {
            return Some(self);
        }
        // Closed where another meet has taken the place of this one.
        let Ok(turn) = Arc::clone(&self.desk.documents).acquire_owned().await else { return Some(self) };
        let rested = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            self.rest_now()
        });
        rested.await.ok()
    }

    fn rest_now(mut self) -> Writer {
        let (id, end) = (self.desk.id, self.log.end());
        match self.save_checkpoint() {
            Ok(()) => self.rested_at = Some(end),
            Err(error) => debug!(meet = %id, %error, "no checkpoint was left: the next opening reads the whole log"),
        }
        self
    }

    fn save_checkpoint(&self) -> Result<(), StoreError> {
        let Desk { id, store, key, committed, .. } = &self.desk;
        // The age of a folder counts where nothing says when its meet was finished.
        if committed.finished_at().is_some() && store.load(*id, Document::Finish)?.is_none() {
            return Ok(());
        }
        match checkpoint::document(*id, &self.meet, self.log.end(), key) {
            Some(document) => store.save(*id, Document::Checkpoint, &document),
            None => Ok(()),
        }
    }
}
