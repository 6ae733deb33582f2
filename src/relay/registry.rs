//! The registry: which meets are open. They open on first touch and close when idle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tracing::{error, info, warn};

use crate::auth::password::PasswordHash;
use crate::auth::random_bytes;
use crate::auth::roster::{AuthFile, Location, Roster, VERSION};
use crate::meet::Meet;
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::limits::IDLE_CLOSE;
use crate::meet::settings::Settings;
use crate::store::line::{Encoder, Header};
use crate::store::log_writer::LogWriter;
use crate::store::scan::{Rest, Scan, StoredRecord};
use crate::store::{Journal, NewMeet, Store, StoreError, StoredMeet};

use super::clock::Clock;
use super::live::{Fault, LiveMeet, Parts};

/// Ids to try before giving up: with a million meets on disk each try fails once in a thousand.
const ID_TRIES: usize = 20;
/// How often idle meets are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// All meets of a server.
pub struct Registry {
    store: Arc<dyn Store>,
    key: ServerKey,
    clock: Clock,
    meets: Mutex<HashMap<MeetId, Arc<Slot>>>,
}

/// A meet that is open or being opened.
type Slot = OnceCell<Arc<LiveMeet>>;

/// What a meet is created from.
#[derive(Debug)]
pub struct MeetSpec {
    /// A name for people; empty for none.
    pub meet_name: String,
    /// What joining will take.
    pub password: PasswordHash,
    /// Everyone who may write.
    pub locations: Vec<Location>,
    /// Conflicts and privacy.
    pub settings: Settings,
}

impl Registry {
    /// The meets of a store, chained with `key`.
    pub fn new(store: Arc<dyn Store>, key: ServerKey, clock: Clock) -> Registry {
        Registry { store, key, clock, meets: Mutex::default() }
    }

    /// The clock of all meets.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether a small write to the store would succeed.
    pub async fn is_writable(&self) -> bool {
        let store = Arc::clone(&self.store);
        let probed = tokio::task::spawn_blocking(move || store.probe()).await;
        match probed {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                warn!(%error, "the data folder cannot be written");
                false
            }
            Err(_) => false,
        }
    }

    /// Makes a meet under a random id that no current or finished meet has.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn create(&self, spec: MeetSpec) -> Result<Arc<LiveMeet>, Fault> {
        let (store, key, clock) = (Arc::clone(&self.store), self.key.clone(), self.clock.clone());
        let made = tokio::task::spawn_blocking(move || make(store, key, clock, &spec)).await.map_err(|_| Fault::Internal)?;
        let parts = made.map_err(|error| {
            error!(%error, "a meet could not be created");
            Fault::StorageFailed
        })?;
        let id = parts.id;
        let live = Arc::new(LiveMeet::start(parts));
        info!(meet = %id, "meet created");
        let slot = OnceCell::new_with(Some(Arc::clone(&live)));
        self.meets().insert(id, Arc::new(slot));
        Ok(live)
    }

    /// The meet with this id, opened if it is not; `None` where there is none.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`] where it cannot be read.
    pub async fn open(&self, id: MeetId) -> Result<Option<Arc<LiveMeet>>, Fault> {
        let slot = Arc::clone(self.meets().entry(id).or_default());
        if let Some(live) = slot.get() {
            return Ok(Some(Arc::clone(live)));
        }
        let opened = self.start_opening(id, Arc::clone(&slot)).await;
        let mut meets = self.meets();
        // While somebody else still tries, the slot must stay: two slots would be two writers.
        if !slot.initialized() && Arc::strong_count(&slot) == 2 {
            meets.remove(&id);
        }
        opened
    }

    /// Opens in a task of its own: opening may cut a torn tail, so a caller that gives up must
    /// not let another one open the same log beside it.
    async fn start_opening(&self, id: MeetId, slot: Arc<Slot>) -> Result<Option<Arc<LiveMeet>>, Fault> {
        let (store, key, clock) = (Arc::clone(&self.store), self.key.clone(), self.clock.clone());
        let opening = tokio::spawn(async move {
            let opened = slot.get_or_try_init(|| read(id, store, key, clock)).await;
            match opened {
                Ok(live) => Ok(Some(Arc::clone(live))),
                Err(None) => Ok(None),
                Err(Some(fault)) => Err(fault),
            }
        });
        opening.await.unwrap_or(Err(Fault::Internal))
    }

    /// Takes a meet away from its readers and deletes it.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`]
    pub async fn remove(&self, id: MeetId) -> Result<(), Fault> {
        let slot = self.meets().remove(&id);
        if let Some(live) = slot.as_ref().and_then(|slot| slot.get()) {
            live.ended.cancel();
        }
        let store = Arc::clone(&self.store);
        let removed = tokio::task::spawn_blocking(move || store.remove(id)).await.map_err(|_| Fault::Internal)?;
        removed.map_err(|error| {
            warn!(meet = %id, %error, "the meet could not be deleted");
            Fault::StorageFailed
        })
    }

    /// Closes meets that nobody holds or has touched for a while, for ever.
    pub async fn close_idle(&self) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            self.close_idle_now(IDLE_CLOSE);
        }
    }

    pub(super) fn close_idle_now(&self, idle: Duration) {
        let now = self.clock.now();
        let is_used = |live: &Arc<LiveMeet>| Arc::strong_count(live) > 1 || live.is_writing() || now.since(live.touched()) < idle;
        self.meets().retain(|_, slot| Arc::strong_count(slot) > 1 || slot.get().is_some_and(is_used));
    }

    /// How many meets are open.
    pub fn open_meets(&self) -> usize {
        self.meets().len()
    }

    fn meets(&self) -> MutexGuard<'_, HashMap<MeetId, Arc<Slot>>> {
        self.meets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads and replays a meet. An error of `None` means that there is no such meet.
async fn read(id: MeetId, store: Arc<dyn Store>, key: ServerKey, clock: Clock) -> Result<Arc<LiveMeet>, Option<Fault>> {
    let read = tokio::task::spawn_blocking(move || {
        let stored = store.open(id)?;
        stored.map(|stored| replay(id, stored, store, key, clock)).transpose()
    });
    match read.await {
        Ok(Ok(Some(parts))) => Ok(Arc::new(LiveMeet::start(parts))),
        Ok(Ok(None)) => Err(None),
        Ok(Err(error)) => {
            error!(meet = %id, %error, "the meet cannot be opened");
            Err(Some(Fault::StorageFailed))
        }
        Err(_) => Err(Some(Fault::Internal)),
    }
}

fn make(store: Arc<dyn Store>, key: ServerKey, clock: Clock, spec: &MeetSpec) -> Result<Parts, StoreError> {
    for _ in 0..ID_TRIES {
        let id = MeetId::from_random(u64::from_be_bytes(random_bytes()));
        let nonce = random_bytes();
        let chain = key.chain_start(id, &nonce);
        let created_at = clock.now();
        let roster = Roster::new(AuthFile {
            version: VERSION,
            meet_id: id.digits(),
            meet_name: spec.meet_name.clone(),
            created_at,
            chain,
            password: spec.password.clone(),
            locations: spec.locations.clone(),
            settings: spec.settings.clone(),
            view_keys: Vec::new(),
            clients: Vec::new(),
            ticket_version: 1,
        });
        let mut encoder = Encoder::default();
        let mut header = Vec::new();
        encoder.header(&Header::new(id, chain, nonce, created_at), &mut header);
        let new = NewMeet { header, auth: roster.auth_document(), sessions: roster.sessions_document() };
        match store.create(id, &new) {
            Ok(journal) => {
                let meet = Meet::new(key.clone(), chain, spec.settings.tie_break);
                let log = Some(LogWriter::new(journal, encoder, 0));
                return Ok(Parts { id, meet, roster, log, store, key, clock });
            }
            Err(StoreError::Exists) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Exists)
}

/// Brings a stored meet back to where it was.
fn replay(id: MeetId, stored: StoredMeet, store: Arc<dyn Store>, key: ServerKey, clock: Clock) -> Result<Parts, StoreError> {
    let StoredMeet { scan, journal, auth, sessions } = stored;
    let unreadable = |error: &dyn std::fmt::Display| StoreError::Unreadable(error.to_string());
    let roster = Roster::read(&auth, sessions.as_deref()).map_err(|error| unreadable(&error))?;
    if scan.header.meet_id != id.digits() {
        return Err(unreadable(&format!("the log says that it belongs to meet {}", scan.header.meet_id)));
    }
    if key.chain_start(id, &scan.header.nonce) != scan.header.chain {
        return Err(unreadable(&"the log was written with another server key; start with the --server-key-file that made it"));
    }
    let (meet, log) = replay_log(id, scan, journal, &key, &roster);
    Ok(Parts { id, meet, roster, log, store, key, clock })
}

/// Replays as far as the log is sound; only a wholly sound one goes on.
fn replay_log(id: MeetId, scan: Scan, journal: Option<Box<dyn Journal>>, key: &ServerKey, roster: &Roster) -> (Meet, Option<LogWriter>) {
    let mut meet = Meet::new(key.clone(), scan.header.chain, roster.auth().settings.tie_break);
    if let Rest::Damage(damage) = &scan.rest {
        error!(meet = %id, %damage, "the log is damaged: the meet is read-only and the file is left as it is");
    }
    for record in scan.records {
        match record {
            StoredRecord::Entry { fields, text, chain, .. } => {
                if let Err(broken) = meet.replay(fields, text, chain) {
                    error!(meet = %id, %broken, "the log is damaged: the meet is read-only and the file is left as it is");
                    return (meet, None);
                }
            }
            StoredRecord::Answer(remembered) => meet.replay_answer(&remembered),
        }
    }
    let durable = meet.log().head();
    let log = journal.map(|journal| LogWriter::new(journal, scan.end, durable));
    info!(meet = %id, entries = durable, "meet opened");
    (meet, log)
}
