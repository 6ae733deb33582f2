//! The registry: which meets are open. They open on first touch and close when idle.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use tracing::{error, warn};

use crate::auth::password::PasswordHash;
use crate::auth::random_bytes;
use crate::auth::roster::{AuthFile, Location, VERSION};
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::limits::IDLE_CLOSE;
use crate::meet::settings::Settings;
use crate::metrics::{Metrics, Overview};
use crate::store::line::Header;
use crate::store::{Stage, Store, StoreError};

use super::clock::Clock;
use super::live::{Fault, LiveMeet, Shared};
use super::making::{Maker, Plan};
use super::recovery::RecoveryFile;
use super::replay::replay;
use super::resuming::{read_whole, resume};

/// Ids to try before giving up: with a million meets on disk each try fails once in a thousand.
const ID_TRIES: usize = 20;
/// How often idle meets are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long a probe of the store counts.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// All meets of a server.
pub struct Registry {
    store: Arc<dyn Store>,
    key: ServerKey,
    clock: Clock,
    shared: Shared,
    meets: Meets,
    /// One meet at a time gives way to a proven one.
    pub(super) superseding: Arc<tokio::sync::Mutex<()>>,
    unsound: Unsound,
    /// When the store was last probed, and what came of it.
    probed: Arc<Mutex<Option<(Instant, bool)>>>,
}

/// Meets that were damaged, or could not be opened, when they were last read.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsound(Arc<Mutex<HashSet<MeetId>>>);

impl Unsound {
    /// What came of reading a meet.
    pub(super) fn note(&self, id: MeetId, is_sound: bool) {
        let mut meets = self.meets();
        if is_sound {
            meets.remove(&id)
        } else {
            meets.insert(id)
        };
    }

    fn meets(&self) -> MutexGuard<'_, HashSet<MeetId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A meet that is open or being opened.
pub(super) type Slot = OnceCell<Arc<LiveMeet>>;
pub(super) type Meets = Arc<Mutex<HashMap<MeetId, Arc<Slot>>>>;

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
        Registry {
            store,
            key,
            clock,
            shared: Shared::default(),
            meets: Arc::default(),
            superseding: Arc::default(),
            unsound: Unsound::default(),
            probed: Arc::default(),
        }
    }

    /// The clock of all meets.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn key(&self) -> &ServerKey {
        &self.key
    }

    /// What is counted about these meets, and about whoever serves them.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Whether a small write to the store would succeed, as of a second ago at most:
    /// whoever asks often must not keep the disk busy.
    pub async fn is_writable(&self) -> bool {
        let (store, probed) = (Arc::clone(&self.store), Arc::clone(&self.probed));
        let probe = move || {
            let mut probed = probed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, result)) = probed.filter(|(at, _)| at.elapsed() < PROBE_EVERY) {
                return result;
            }
            let result = store.probe();
            if let Err(error) = &result {
                warn!(%error, "the data folder cannot be written");
            }
            *probed = Some((Instant::now(), result.is_ok()));
            result.is_ok()
        };
        tokio::task::spawn_blocking(probe).await.unwrap_or(false)
    }

    /// Makes a meet under a random id that no current or finished meet has.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn create(&self, spec: MeetSpec) -> Result<Arc<LiveMeet>, Fault> {
        let spec = Arc::new(spec);
        for _ in 0..ID_TRIES {
            let id = MeetId::from_random(u64::from_be_bytes(random_bytes()));
            if let Some(live) = self.create_as(id, Arc::clone(&spec)).await? {
                return Ok(live);
            }
        }
        error!("no free meet id was found");
        Err(Fault::Internal)
    }

    /// Makes a meet under this id; `None` where the id is taken.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn create_as(&self, id: MeetId, spec: Arc<MeetSpec>) -> Result<Option<Arc<LiveMeet>>, Fault> {
        let made = self.make(id, self.plan(id, &spec, None)).await?;
        if made.is_some() {
            self.shared.metrics.meets.created();
        }
        Ok(made)
    }

    /// Makes a meet anew, for clients that bring it back without any proof; `None` where the id is taken.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn create_unproven(&self, id: MeetId, spec: &MeetSpec) -> Result<Option<Arc<LiveMeet>>, Fault> {
        let recovery = RecoveryFile::unproven(self.clock.now());
        self.make(id, self.plan(id, spec, Some(recovery))).await
    }

    fn plan(&self, id: MeetId, spec: &MeetSpec, recovery: Option<RecoveryFile>) -> Plan {
        let (nonce, created_at) = (random_bytes(), self.clock.now());
        let chain = self.key.chain_start(id, &nonce);
        let auth = AuthFile {
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
        };
        Plan { auth, header: Header::new(id, chain, nonce, created_at), recovery }
    }

    /// Makes a meet under this id; `None` where the id is taken.
    pub(super) async fn make(&self, id: MeetId, plan: Plan) -> Result<Option<Arc<LiveMeet>>, Fault> {
        // The slot comes first: whoever guesses the id meanwhile finds this meet, and no second writer.
        let slot = Arc::clone(self.meets().entry(id).or_default());
        if slot.initialized() {
            return Ok(None);
        }
        let maker = self.maker(id);
        let making = tokio::spawn(async move { slot.get_or_try_init(|| maker.make(plan)).await.cloned() });
        match making.await.unwrap_or(Err(Some(Fault::Internal))) {
            Ok(live) => Ok(Some(live)),
            Err(Some(fault)) => Err(fault),
            Err(None) => Ok(None),
        }
    }

    pub(super) fn maker(&self, id: MeetId) -> Maker {
        let (store, key, clock) = (Arc::clone(&self.store), self.key.clone(), self.clock.clone());
        Maker { id, store, key, clock, shared: self.shared.clone() }
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
        let (shared, unsound, meets) = (self.shared.clone(), self.unsound.clone(), self.all());
        let opening = tokio::spawn(async move {
            let opened = slot.get_or_try_init(|| read(id, store, key, clock, shared, unsound, meets)).await;
            match opened {
                Ok(live) => Ok(Some(Arc::clone(live))),
                Err(None) => Ok(None),
                Err(Some(fault)) => Err(fault),
            }
        });
        opening.await.unwrap_or(Err(Fault::Internal))
    }

    /// Looks at every stored meet of one stage without opening it; `look` runs on a thread that may block.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`] where the meets cannot be listed.
    pub async fn survey<T: Send + 'static>(
        &self,
        stage: Stage,
        look: impl Fn(&dyn Store, MeetId) -> Option<T> + Send + 'static,
    ) -> Result<Vec<T>, Fault> {
        self.with_store(move |store| Ok(store.meets(stage)?.into_iter().filter_map(|id| look(store, id)).collect())).await
    }

    /// Works on the store, on a thread that may block.
    pub(super) async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let store = Arc::clone(&self.store);
        let worked = tokio::task::spawn_blocking(move || work(&*store)).await.map_err(|_| Fault::Internal)?;
        worked.map_err(|error| {
            error!(%error, "the data folder could not be read or written");
            Fault::StorageFailed
        })
    }

    /// Takes a meet away from its readers and deletes it.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`]
    pub async fn remove(&self, id: MeetId) -> Result<(), Fault> {
        self.take_away(id);
        let store = Arc::clone(&self.store);
        let removed = tokio::task::spawn_blocking(move || store.remove(id)).await.map_err(|_| Fault::Internal)?;
        // Somebody may have opened it once more meanwhile.
        self.take_away(id);
        self.unsound.meets().remove(&id);
        removed.map_err(|error| {
            warn!(meet = %id, %error, "the meet could not be deleted");
            Fault::StorageFailed
        })
    }

    fn take_away(&self, id: MeetId) {
        let slot = self.meets().remove(&id);
        if let Some(live) = slot.as_ref().and_then(|slot| slot.get()) {
            live.ended.cancel();
        }
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

    /// Closes a meet that nobody has used since it was opened.
    pub(super) fn close_unused(&self, id: MeetId) {
        let mut meets = self.meets();
        let is_used = |live: &Arc<LiveMeet>| Arc::strong_count(live) > 1 || live.is_writing() || live.was_used();
        if meets.get(&id).is_some_and(|slot| Arc::strong_count(slot) == 1 && !slot.get().is_some_and(is_used)) {
            meets.remove(&id);
        }
    }

    /// How many meets are open.
    pub fn open_meets(&self) -> usize {
        self.meets().len()
    }

    /// Whether nothing is on its way to a log.
    pub fn is_quiet(&self) -> bool {
        !self.meets().values().filter_map(|slot| slot.get()).any(|live| live.is_writing())
    }

    /// How the open meets are at this moment.
    pub fn overview(&self) -> Overview {
        // Collected first, so that nobody who opens a meet waits for a look at all of them.
        let open = self.open_now();
        let is_mended = |id: &&MeetId| open.iter().any(|live| live.id == **id && live.needed().is_none());
        let unsound = self.unsound.meets();
        Overview {
            open: open.len(),
            failed: open.iter().filter(|live| live.has_failed() && live.needed().is_none()).count(),
            damaged: unsound.iter().filter(|id| !is_mended(id)).count(),
            largest_lag: open.iter().map(|live| live.largest_lag()).max().unwrap_or(0),
        }
    }

    pub(super) fn open_now(&self) -> Vec<Arc<LiveMeet>> {
        self.meets().values().filter_map(|slot| slot.get().cloned()).collect()
    }

    /// The open meets, for what must end though nobody waits for it any more.
    pub(super) fn all(&self) -> Meets {
        Arc::clone(&self.meets)
    }

    fn meets(&self) -> MutexGuard<'_, HashMap<MeetId, Arc<Slot>>> {
        self.meets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a meet: by its checkpoint, with its log behind it, or by its log. An error of `None` means that there is no such meet.
async fn read(
    id: MeetId,
    store: Arc<dyn Store>,
    key: ServerKey,
    clock: Clock,
    shared: Shared,
    unsound: Unsound,
    meets: Meets,
) -> Result<Arc<LiveMeet>, Option<Fault>> {
    let reading = {
        let (store, key, clock) = (Arc::clone(&store), key.clone(), clock.clone());
        move || replay(id, store, key, clock)
    };
    let opened = tokio::task::spawn_blocking(move || match resume(id, &store, &key, &clock) {
        Some((parts, whole)) => Ok(Some((parts, Some(whole)))),
        None => replay(id, store, key, clock).map(|parts| parts.map(|parts| (parts, None))),
    });
    let opened = opened.await.map_err(|_| Some(Fault::Internal))?;
    match opened {
        Ok(Some((parts, whole))) => {
            let needed = parts.needed();
            let live = Arc::new(LiveMeet::start(parts, shared));
            match whole {
                Some(whole) => drop(tokio::spawn(read_whole(Arc::clone(&live), whole, meets, unsound, reading))),
                None => unsound.note(id, needed.is_none()),
            }
            Ok(live)
        }
        Ok(None) => {
            unsound.note(id, true);
            Err(None)
        }
        Err(error) => {
            error!(meet = %id, %error, "the meet cannot be opened");
            unsound.note(id, error.may_pass());
            Err(Some(Fault::StorageFailed))
        }
    }
}
