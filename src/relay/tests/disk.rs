//! The store in memory with a hand on it: appends wait, opens are counted and can fail.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::meet::id::MeetId;
use crate::meet::time::Timestamp;
use crate::store::memory::MemoryStore;
use crate::store::{Document, Journal, NewMeet, Stage, Store, StoreError, StoredMeet, doing};

#[derive(Clone, Default)]
pub(super) struct Disk {
    pub(super) memory: MemoryStore,
    hand: Arc<Hand>,
}

#[derive(Default)]
struct Hand {
    gate: Mutex<Gate>,
    moved: Condvar,
    opens: AtomicUsize,
    failing_opens: AtomicUsize,
}

#[derive(Default)]
struct Gate {
    closed: bool,
    /// Appends that go through all the same.
    passes: usize,
    /// Appends that have come to the gate.
    arrived: usize,
}

impl Disk {
    /// From now on appends, or opens where they are slow, wait.
    pub(super) fn hold(&self) {
        self.gate().closed = true;
    }

    /// Lets one of those that wait go on.
    pub(super) fn release_one(&self) {
        self.gate().passes += 1;
        self.hand.moved.notify_all();
    }

    pub(super) fn release(&self) {
        self.gate().closed = false;
        self.hand.moved.notify_all();
    }

    /// Waits until so many appends and opens have come, in all.
    pub(super) async fn arrived(&self, count: usize) {
        let disk = self.clone();
        let wait = tokio::task::spawn_blocking(move || {
            let waiting = disk.hand.moved.wait_timeout_while(disk.gate(), super::PATIENCE, |gate| gate.arrived < count);
            assert!(!waiting.unwrap().1.timed_out(), "nothing came to the disk");
        });
        wait.await.unwrap();
    }

    /// How often a meet was read.
    pub(super) fn opens(&self) -> usize {
        self.hand.opens.load(Ordering::SeqCst)
    }

    /// The next opens fail, as where descriptors have run out.
    pub(super) fn fail_opens(&self, count: usize) {
        self.hand.failing_opens.store(count, Ordering::SeqCst);
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.hand.gate.lock().unwrap()
    }

    fn pass(&self) {
        let mut gate = self.gate();
        gate.arrived += 1;
        self.hand.moved.notify_all();
        // Not for ever, so that a test that failed ends.
        let waiting = self.hand.moved.wait_timeout_while(gate, super::PATIENCE, |gate| gate.closed && gate.passes == 0);
        let mut gate = waiting.unwrap().0;
        gate.passes = gate.passes.saturating_sub(1);
    }

    fn watched(&self, journal: Box<dyn Journal>) -> Box<dyn Journal> {
        Box::new(WatchedJournal { disk: self.clone(), journal })
    }
}

impl Store for Disk {
    fn create(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError> {
        self.memory.create(id, new).map(|journal| self.watched(journal))
    }

    fn supersede(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError> {
        self.memory.supersede(id, new).map(|journal| self.watched(journal))
    }

    fn open(&self, id: MeetId) -> Result<Option<StoredMeet>, StoreError> {
        self.hand.opens.fetch_add(1, Ordering::SeqCst);
        self.pass();
        let fails = |count: usize| count.checked_sub(1);
        if self.hand.failing_opens.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(doing("opening")(io::Error::other("told to fail")));
        }
        let stored = self.memory.open(id)?;
        Ok(stored.map(|stored| StoredMeet { journal: stored.journal.map(|journal| self.watched(journal)), ..stored }))
    }

    fn log_end(&self, id: MeetId, from: u64, upto: u64) -> Result<Option<(Stage, Vec<u8>)>, StoreError> {
        self.memory.log_end(id, from, upto)
    }

    fn renew(&self, id: MeetId) -> Result<(), StoreError> {
        self.memory.renew(id)
    }

    fn rebuild(&self, id: MeetId, log: &[u8]) -> Result<Box<dyn Journal>, StoreError> {
        self.memory.rebuild(id, log).map(|journal| self.watched(journal))
    }

    fn set_aside(&self, id: MeetId, document: Document) -> Result<(), StoreError> {
        self.memory.set_aside(id, document)
    }

    fn save(&self, id: MeetId, document: Document, content: &[u8]) -> Result<(), StoreError> {
        self.memory.save(id, document, content)
    }

    fn load(&self, id: MeetId, document: Document) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.load(id, document)
    }

    fn discard(&self, id: MeetId, document: Document) -> Result<(), StoreError> {
        self.memory.discard(id, document)
    }

    fn finish(&self, id: MeetId, finish: &[u8]) -> Result<(), StoreError> {
        self.pass();
        self.memory.finish(id, finish)
    }

    fn meets(&self, stage: Stage) -> Result<Vec<MeetId>, StoreError> {
        self.memory.meets(stage)
    }

    fn changed_at(&self, id: MeetId) -> Result<Option<Timestamp>, StoreError> {
        self.memory.changed_at(id)
    }

    fn remove(&self, id: MeetId) -> Result<(), StoreError> {
        self.memory.remove(id)
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.memory.probe()
    }
}

struct WatchedJournal {
    disk: Disk,
    journal: Box<dyn Journal>,
}

impl Journal for WatchedJournal {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.disk.pass();
        self.journal.append(lines)
    }
}
