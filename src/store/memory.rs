//! The store in memory: the twin that tests tell to fail.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::meet::id::MeetId;
use crate::meet::time::Timestamp;

use super::scan::Rest;
use super::{Closed, Document, Journal, NewMeet, Stage, Store, StoreError, StoredMeet, doing, scan_log};

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
    fault: Option<Fault>,
    documents_fail: bool,
    appends: usize,
}

#[derive(Debug)]
struct StoredFiles {
    stage: Stage,
    log: Vec<u8>,
    documents: HashMap<Document, Vec<u8>>,
    /// What was damaged.
    put_aside: Vec<Vec<u8>>,
    changed_at: SystemTime,
}

impl Disk {
    /// Fails like a disk on which nothing can be written, where it was told to.
    fn check(&self, what: &str) -> Result<(), StoreError> {
        if self.documents_fail { Err(doing(what)(io::Error::other("told to fail"))) } else { Ok(()) }
    }

    fn files(&mut self, id: MeetId) -> Result<&mut StoredFiles, StoreError> {
        self.meets.get_mut(&id).ok_or_else(|| doing("looking for the meet")(io::ErrorKind::NotFound.into()))
    }
}

impl StoredFiles {
    fn save(&mut self, document: Document, content: &[u8]) {
        self.documents.insert(document, content.to_vec());
        self.changed_at = SystemTime::now();
    }
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

    /// What was put aside of a meet because it was damaged.
    pub fn put_aside(&self, id: MeetId) -> Vec<Vec<u8>> {
        self.disk().meets.get(&id).map(|files| files.put_aside.clone()).unwrap_or_default()
    }

    /// A document of a meet, changed behind the server's back; `None` takes it away.
    pub fn set_document(&self, id: MeetId, document: Document, content: Option<&[u8]>) {
        let mut disk = self.disk();
        let Some(files) = disk.meets.get_mut(&id) else { return };
        match content {
            Some(content) => files.save(document, content),
            None => drop(files.documents.remove(&document)),
        }
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
        if disk.meets.contains_key(&id) {
            return Err(StoreError::Exists);
        }
        let mut documents = HashMap::from([(Document::Auth, new.auth.clone()), (Document::Sessions, new.sessions.clone())]);
        documents.extend(new.recovery.clone().map(|recovery| (Document::Recovery, recovery)));
        let files =
            StoredFiles { stage: Stage::Current, log: new.header.clone(), documents, put_aside: Vec::new(), changed_at: SystemTime::now() };
        disk.meets.insert(id, files);
        Ok(Box::new(MemoryJournal { store: self.clone(), id }))
    }

    fn supersede(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError> {
        let mut disk = self.disk();
        disk.check("superseding a meet")?;
        let files = disk.files(id)?;
        let old = std::mem::replace(&mut files.log, new.header.clone());
        files.save(Document::SupersededLog, &old);
        if let Some(auth) = files.documents.insert(Document::Auth, new.auth.clone()) {
            files.save(Document::SupersededAuth, &auth);
        }
        files.save(Document::Sessions, &new.sessions);
        files.documents.remove(&Document::Recovery);
        files.documents.extend(new.recovery.clone().map(|recovery| (Document::Recovery, recovery)));
        Ok(Box::new(MemoryJournal { store: self.clone(), id }))
    }

    fn open(&self, id: MeetId) -> Result<Option<StoredMeet>, StoreError> {
        let mut disk = self.disk();
        let Some(files) = disk.meets.get_mut(&id) else { return Ok(None) };
        let scan = scan_log(&files.log, || "the log".to_owned())?;
        let damaged = matches!(scan.rest, Rest::Damage(_));
        if !damaged {
            files.log.truncate(scan.sound_bytes);
        }
        let journal: Option<Box<dyn Journal>> = match files.stage {
            _ if damaged => None,
            Stage::Current => Some(Box::new(MemoryJournal { store: self.clone(), id })),
            Stage::Finished => Some(Box::new(Closed)),
        };
        let document = |document| files.documents.get(&document).cloned();
        let auth = document(Document::Auth).unwrap_or_default();
        Ok(Some(StoredMeet { scan, stage: files.stage, journal, auth, sessions: document(Document::Sessions) }))
    }

    fn log_end(&self, id: MeetId, from: u64, upto: u64) -> Result<Option<(Stage, Vec<u8>)>, StoreError> {
        let disk = self.disk();
        let files = disk.meets.get(&id).filter(|files| files.log.len() as u64 == upto);
        let end = |files: &StoredFiles| Some((files.stage, files.log.get(usize::try_from(from).ok()?..)?.to_vec()));
        Ok(files.and_then(end))
    }

    fn renew(&self, id: MeetId) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check("renewing a log")?;
        let files = disk.files(id)?;
        let scan = scan_log(&files.log, || "the log".to_owned())?;
        match scan.rest {
            Rest::Damage(damage) => Err(StoreError::Unreadable(damage.to_string())),
            Rest::Nothing | Rest::TornTail { .. } => {
                files.log.truncate(scan.sound_bytes);
                Ok(())
            }
        }
    }

    fn rebuild(&self, id: MeetId, log: &[u8]) -> Result<Box<dyn Journal>, StoreError> {
        let mut disk = self.disk();
        disk.check("rebuilding a log")?;
        let files = disk.files(id)?;
        files.put_aside.push(std::mem::replace(&mut files.log, log.to_vec()));
        Ok(match files.stage {
            Stage::Current => Box::new(MemoryJournal { store: self.clone(), id }),
            Stage::Finished => Box::new(Closed),
        })
    }

    fn set_aside(&self, id: MeetId, document: Document) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check("putting a document aside")?;
        let files = disk.files(id)?;
        let document = files.documents.remove(&document).ok_or_else(|| doing("putting aside")(io::ErrorKind::NotFound.into()))?;
        files.put_aside.push(document);
        Ok(())
    }

    fn save(&self, id: MeetId, document: Document, content: &[u8]) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check("saving a document")?;
        disk.files(id)?.save(document, content);
        Ok(())
    }

    fn load(&self, id: MeetId, document: Document) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.disk().meets.get(&id).and_then(|files| files.documents.get(&document).cloned()))
    }

    fn discard(&self, id: MeetId, document: Document) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check("removing a document")?;
        disk.files(id)?.documents.remove(&document);
        Ok(())
    }

    fn finish(&self, id: MeetId, finish: &[u8]) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check("moving a meet")?;
        let files = disk.files(id)?;
        files.save(Document::Finish, finish);
        files.stage = Stage::Finished;
        Ok(())
    }

    fn meets(&self, stage: Stage) -> Result<Vec<MeetId>, StoreError> {
        Ok(self.disk().meets.iter().filter(|(_, files)| files.stage == stage).map(|(id, _)| *id).collect())
    }

    fn changed_at(&self, id: MeetId) -> Result<Option<Timestamp>, StoreError> {
        let millis = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let timestamp = |at| Timestamp::from_millis(i64::try_from(millis(at)).unwrap_or(i64::MAX));
        Ok(self.disk().meets.get(&id).map(|files| timestamp(files.changed_at)))
    }

    fn remove(&self, id: MeetId) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check("removing a meet")?;
        disk.meets.remove(&id);
        Ok(())
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.disk().check("probing")
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
