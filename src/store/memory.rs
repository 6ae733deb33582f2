//! The store in memory: the twin that tests tell to fail.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::meet::id::MeetId;

use super::scan::{Rest, scan};
use super::{Document, Journal, NewMeet, Store, StoreError, StoredMeet, doing};

/// Meets in memory. Clones share them, so a clone outlives a server that "crashed".
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
}

/// How the next append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written.
    Write,
    /// The first half is written.
    ShortWrite,
    /// Everything is written, then the sync fails: a crash may lose it or keep it.
    Sync,
}

#[derive(Debug, Default)]
struct Disk {
    meets: HashMap<MeetId, StoredFiles>,
    finished: HashMap<MeetId, StoredFiles>,
    fault: Option<Fault>,
    documents_fail: bool,
    appends: usize,
}

#[derive(Clone, Debug, Default)]
struct StoredFiles {
    log: Vec<u8>,
    auth: Vec<u8>,
    sessions: Vec<u8>,
}

impl MemoryStore {
    /// The next append fails so.
    pub fn fail_next_append(&self, fault: Fault) {
        self.disk().fault = Some(fault);
    }

    /// Whether saving documents fails from now on.
    pub fn fail_documents(&self, fail: bool) {
        self.disk().documents_fail = fail;
    }

    /// How often something was appended, failures included.
    pub fn appends(&self) -> usize {
        self.disk().appends
    }

    /// The log of a meet as it is on the disk.
    pub fn log(&self, id: MeetId) -> Vec<u8> {
        self.disk().meets.get(&id).map(|files| files.log.clone()).unwrap_or_default()
    }

    /// Changes the log of a meet behind the server's back.
    pub fn set_log(&self, id: MeetId, log: Vec<u8>) {
        if let Some(files) = self.disk().meets.get_mut(&id) {
            files.log = log;
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn create(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError> {
        let mut disk = self.disk();
        if disk.meets.contains_key(&id) || disk.finished.contains_key(&id) {
            return Err(StoreError::Exists);
        }
        let files = StoredFiles { log: new.header.clone(), auth: new.auth.clone(), sessions: new.sessions.clone() };
        disk.meets.insert(id, files);
        Ok(Box::new(MemoryJournal { store: self.clone(), id }))
    }

    fn open(&self, id: MeetId) -> Result<Option<StoredMeet>, StoreError> {
        let mut disk = self.disk();
        let Some(files) = disk.meets.get_mut(&id) else { return Ok(None) };
        let scan = scan(&files.log).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let damaged = matches!(scan.rest, Rest::Damage(_));
        if !damaged {
            files.log.truncate(scan.sound_bytes);
        }
        let journal = (!damaged).then(|| Box::new(MemoryJournal { store: self.clone(), id }) as Box<dyn Journal>);
        Ok(Some(StoredMeet { scan, journal, auth: files.auth.clone(), sessions: Some(files.sessions.clone()) }))
    }

    fn renew(&self, id: MeetId) -> Result<(), StoreError> {
        let mut disk = self.disk();
        if disk.documents_fail {
            return Err(doing("renewing a log")(io::Error::other("told to fail")));
        }
        let Some(files) = disk.meets.get_mut(&id) else { return Ok(()) };
        let scan = scan(&files.log).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        match scan.rest {
            Rest::Damage(damage) => Err(StoreError::Unreadable(damage.to_string())),
            Rest::Nothing | Rest::TornTail { .. } => {
                files.log.truncate(scan.sound_bytes);
                Ok(())
            }
        }
    }

    fn save(&self, id: MeetId, document: Document, content: &[u8]) -> Result<(), StoreError> {
        let mut disk = self.disk();
        if disk.documents_fail {
            return Err(doing("saving a document")(io::Error::other("told to fail")));
        }
        if let Some(files) = disk.meets.get_mut(&id) {
            match document {
                Document::Auth => files.auth = content.to_vec(),
                Document::Sessions => files.sessions = content.to_vec(),
            }
        }
        Ok(())
    }

    fn finish(&self, id: MeetId) -> Result<(), StoreError> {
        let mut disk = self.disk();
        if let Some(files) = disk.meets.remove(&id) {
            disk.finished.insert(id, files);
        }
        Ok(())
    }

    fn remove(&self, id: MeetId) -> Result<(), StoreError> {
        self.disk().meets.remove(&id);
        Ok(())
    }

    fn probe(&self) -> Result<(), StoreError> {
        if self.disk().documents_fail {
            return Err(doing("probing")(io::Error::other("told to fail")));
        }
        Ok(())
    }
}

struct MemoryJournal {
    store: MemoryStore,
    id: MeetId,
}

impl Journal for MemoryJournal {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut disk = self.store.disk();
        disk.appends += 1;
        let fault = disk.fault.take();
        let written = match fault {
            None | Some(Fault::Sync) => lines,
            Some(Fault::ShortWrite) => &lines[..lines.len() / 2],
            Some(Fault::Write) => &[],
        };
        if let Some(files) = disk.meets.get_mut(&self.id) {
            files.log.extend_from_slice(written);
        }
        fault.map_or(Ok(()), |fault| Err(io::Error::other(format!("told to fail: {fault:?}"))))
    }
}
