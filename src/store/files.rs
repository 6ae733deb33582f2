//! The store in plain files:
//! `current-meets/<9 digits>/{updates.json.log, auth.json, sessions.json}` and, once something was published,
//! `publishes.json` and `publishes/`; moved whole to `finished-meets/` at the end, with a `finished.json`.
//! A meet that was recovered from clients has a `recovery.json`, and in `superseded/` the one whose place it took.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use tracing::{error, warn};

use crate::meet::id::MeetId;
use crate::meet::limits::RESERVE_MAX_BYTES;
use crate::meet::time::Timestamp;
use crate::mutant::{Mutant, planted};

use super::doubles::{Doubles, which_counts};
use super::durable::{at, check_folder, free_name, lock, make_folder, read_file, read_from, set_aside, sync_folder, write_file};
use super::journal::{FileJournal, cut_reserve, without_reserve};
use super::line::Header;
use super::making::{settle_unfinished, supersede, unfinished, write_new};
use super::scan::{Rest, scan_header};
use super::unclean::Unclean;
use super::{Closed, Document, Journal, NewMeet, Stage, Store, StoreError, StoredMeet, scan_log};

pub use super::durable::Fsync;
pub(crate) use super::durable::{private_file, replace_file};

pub(super) const LOG_FILE: &str = "updates.json.log";
const CURRENT: &str = "current-meets";
const FINISHED: &str = "finished-meets";
/// More than any first line of a log takes.
const HEADER_MAX_BYTES: u64 = 4_096;

/// Meets in a folder that this process has locked.
#[derive(Debug)]
pub struct FileStore {
    root: PathBuf,
    fsync: Fsync,
    doubles: Doubles,
    unclean: Unclean,
    /// Held as long as the store lives.
    _lock: File,
}

impl FileStore {
    /// Name of the log in a meet's folder.
    pub const LOG_FILE: &str = LOG_FILE;

    /// Opens a data folder, and makes it where it is missing.
    ///
    /// # Errors
    /// Where another server uses it, or it cannot be made or written.
    pub fn open(root: &Path, fsync: Fsync) -> Result<FileStore, StoreError> {
        if let Some(parent) = root.parent() {
            fs::create_dir_all(parent).map_err(at("making the folder", root))?;
        }
        for folder in [root.to_owned(), root.join(CURRENT), root.join(FINISHED)] {
            make_folder(&folder)?;
        }
        let lock = lock(&root.join("lock"))?;
        let current = root.join(CURRENT);
        settle_unfinished(&current, fsync)?;
        let unclean = Unclean::mark(root, fsync, || meets_in(&current).map_err(at("reading", &current)))?;
        Ok(FileStore { root: root.to_owned(), fsync, doubles: Doubles::default(), unclean, _lock: lock })
    }

    /// Comes to its end in order: nothing is being written, so the next start doubts no log.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the next start rewrites every log at first touch then, which loses nothing.
    pub fn close(&self) -> Result<(), StoreError> {
        self.unclean.close(&self.root)
    }

    /// Ids of all meets in a data folder, in order.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn all_meets(root: &Path) -> io::Result<Vec<MeetId>> {
        let (mut current, finished) = (meets_in(&root.join(CURRENT))?, meets_in(&root.join(FINISHED))?);
        current.extend(finished);
        current.sort_unstable();
        current.dedup();
        Ok(current)
    }

    /// The first line of some meet's log, a current one's rather than a finished one's, where there is one that can be read.
    pub fn any_header(root: &Path) -> Option<(MeetId, Header)> {
        let mut folders = [CURRENT, FINISHED].into_iter().filter_map(|folder| fs::read_dir(root.join(folder)).ok());
        let id: MeetId = folders.find_map(|mut items| items.find_map(|item| item.ok()?.file_name().to_str()?.parse().ok()))?;
        let mut start = Vec::new();
        File::open(Self::log_path(root, id)?).ok()?.take(HEADER_MAX_BYTES).read_to_end(&mut start).ok()?;
        Some((id, scan_header(&start).ok()?))
    }

    /// Where the log of a meet in a data folder is, or should be; `None` where there is no such meet.
    pub fn log_path(root: &Path, id: MeetId) -> Option<PathBuf> {
        FileStore::logs(root, id).into_iter().next().map(|(_, log)| log)
    }

    /// Where the logs of a meet in a data folder are, or should be: two where it is in both folders, the one that counts first.
    pub fn logs(root: &Path, id: MeetId) -> Vec<(Stage, PathBuf)> {
        let [current, finished] = [CURRENT, FINISHED].map(|folder| root.join(folder).join(id.digits()));
        let mut places = vec![(Stage::Current, &current), (Stage::Finished, &finished)];
        places.retain(|(_, folder)| folder.exists());
        if places.len() == 2 && which_counts(&current, &finished) == Stage::Finished {
            places.reverse();
        }
        places.into_iter().map(|(stage, folder)| (stage, folder.join(LOG_FILE))).collect()
    }

    /// Where a meet is, or would be.
    fn folder_at(&self, stage: Stage, id: MeetId) -> PathBuf {
        self.root.join(name_of(stage)).join(id.digits())
    }

    /// Where a meet is.
    fn folder(&self, id: MeetId) -> Option<(Stage, PathBuf)> {
        let [current, finished] = [Stage::Current, Stage::Finished].map(|stage| self.folder_at(stage, id));
        // A meet that moves between two looks would seem to be in both, hence the third.
        let stage = match (current.exists(), finished.exists()) {
            (true, true) if current.exists() => self.doubles.stage(id, &current, &finished),
            (_, true) => Stage::Finished,
            (true, false) => Stage::Current,
            (false, false) => return None,
        };
        Some((stage, self.folder_at(stage, id)))
    }

    fn existing(&self, id: MeetId) -> Result<PathBuf, StoreError> {
        self.existing_at(id).map(|(_, folder)| folder)
    }

    fn existing_at(&self, id: MeetId) -> Result<(Stage, PathBuf), StoreError> {
        let missing = || at("looking for", &self.folder_at(Stage::Current, id))(ErrorKind::NotFound.into());
        self.folder(id).ok_or_else(missing)
    }

    /// Whatever was moved or removed would uncover the other one, or lie upon it.
    fn check_is_once(&self, id: MeetId) -> Result<(), StoreError> {
        let [current, finished] = [Stage::Current, Stage::Finished].map(|stage| self.folder_at(stage, id));
        if current.exists() && finished.exists() { Err(StoreError::InBoth { current, finished }) } else { Ok(()) }
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), StoreError> {
        sync_folder(folder, self.fsync)
    }

    fn write_file(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        write_file(path, content, self.fsync)
    }

    /// Puts what a crash left behind the sound lines into a file of its own, then cuts it off.
    fn cut_tail(&self, log: &Path, bytes: &[u8], sound: usize) -> Result<(), StoreError> {
        let aside = free_name(log, &format!("tail-{sound}"));
        self.write_file(&aside, &bytes[sound..])?;
        self.sync_folder(log.parent().unwrap_or(&self.root))?;
        warn!(log = %log.display(), aside = %aside.display(), bytes = bytes.len() - sound, "a torn tail was cut from the log and kept aside");
        let cut = || {
            let file = OpenOptions::new().write(true).open(log)?;
            file.set_len(sound as u64)?;
            file.sync_all()
        };
        cut().map_err(at("cutting the torn tail of", log))
    }

    /// Opens the sound log of a current meet for appending. After a crash it stands in a new file first.
    fn continued(&self, id: MeetId, log: &Path, sound: &[u8]) -> Result<Box<dyn Journal>, StoreError> {
        if self.unclean.is_in_doubt(id) && !planted(Mutant::DoubtIgnored) {
            replace_file(log, sound, self.fsync)?;
            self.unclean.settle(id);
        }
        self.journal(log, sound.len())
    }

    /// Opens a log of so many bytes for appending.
    fn journal(&self, log: &Path, bytes: usize) -> Result<Box<dyn Journal>, StoreError> {
        let journal = FileJournal::open(log, bytes as u64, self.fsync).map_err(at("opening", log))?;
        Ok(Box::new(journal))
    }
}

impl Store for FileStore {
    fn create(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError> {
        if self.folder(id).is_some() {
            return Err(StoreError::Exists);
        }
        let current = self.folder_at(Stage::Current, id);
        let making = unfinished(&self.root.join(CURRENT), id);
        write_new(&making, new, self.fsync)?;
        fs::rename(&making, &current).map_err(at("making", &current))?;
        self.sync_folder(&self.root.join(CURRENT))?;
        self.journal(&current.join(LOG_FILE), new.header.len())
    }

    fn supersede(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError> {
        self.check_is_once(id)?;
        supersede(&self.root.join(CURRENT), id, new, self.fsync)?;
        self.unclean.settle(id);
        self.journal(&self.folder_at(Stage::Current, id).join(LOG_FILE), new.header.len())
    }

    fn open(&self, id: MeetId) -> Result<Option<StoredMeet>, StoreError> {
        self.doubles.forget(id);
        let Some((stage, folder)) = self.folder(id) else { return Ok(None) };
        check_folder(&folder).map_err(at("reading", &folder))?;
        let log = folder.join(LOG_FILE);
        let bytes = read_file(&log).map_err(at("reading", &log))?;
        let scan = scan_log(&bytes, || log.display().to_string())?;
        let cut = || match &scan.rest {
            Rest::Nothing => Ok(true),
            Rest::TornTail { .. } if planted(Mutant::TailKept) => Ok(true),
            Rest::TornTail { bytes: torn } => self.cut_tail(&log, &bytes[..scan.sound_bytes + torn], scan.sound_bytes).map(|()| true),
            Rest::Damage(_) => Ok(false),
        };
        let journal = cut().and_then(|sound| match stage {
            _ if !sound => Ok(None),
            Stage::Current => self.continued(id, &log, &bytes[..scan.sound_bytes]).map(Some),
            Stage::Finished => Ok(Some(Box::new(Closed) as Box<dyn Journal>)),
        });
        let journal = journal.unwrap_or_else(|error| {
            error!(%error, "the meet can be read but not written");
            None
        });
        let auth = read_if_there(&file_of(&folder, Document::Auth))?.unwrap_or_default();
        let sessions = read_if_there(&file_of(&folder, Document::Sessions))?;
        Ok(Some(StoredMeet { scan, stage, journal, auth, sessions }))
    }

    fn log_end(&self, id: MeetId, from: u64, upto: u64) -> Result<Option<(Stage, Vec<u8>)>, StoreError> {
        let Some((stage, folder)) = self.folder(id).filter(|_| !self.unclean.is_in_doubt(id)) else { return Ok(None) };
        let log = folder.join(LOG_FILE);
        let bytes = upto.saturating_sub(from);
        let read = || {
            check_folder(&folder)?;
            // One byte more would show that it goes on.
            read_from(&log, from, bytes + RESERVE_MAX_BYTES + 1)
        };
        let mut end = read().map_err(at("reading the end of", &log))?;
        end.truncate(without_reserve(&end).len());
        let is_there = end.len() as u64 == bytes && self.check_is_once(id).is_ok();
        Ok(is_there.then_some((stage, end)))
    }

    fn renew(&self, id: MeetId) -> Result<(), StoreError> {
        let log = self.existing(id)?.join(LOG_FILE);
        let bytes = read_file(&log).map_err(at("reading", &log))?;
        let scan = scan_log(&bytes, || log.display().to_string())?;
        if let Rest::Damage(damage) = scan.rest {
            return Err(StoreError::Unreadable(format!("{}: {damage}", log.display())));
        }
        replace_file(&log, &bytes[..scan.sound_bytes], self.fsync)?;
        self.unclean.settle(id);
        Ok(())
    }

    fn rebuild(&self, id: MeetId, log: &[u8]) -> Result<Box<dyn Journal>, StoreError> {
        let (stage, folder) = self.existing_at(id)?;
        let path = folder.join(LOG_FILE);
        let aside = free_name(&path, "damaged");
        // A second name rather than another one: at no time is the meet without a log.
        fs::hard_link(&path, &aside).map_err(at("putting aside", &path))?;
        replace_file(&path, log, self.fsync)?;
        self.unclean.settle(id);
        warn!(log = %path.display(), aside = %aside.display(), "the damaged log was put aside, and a whole one stands in its place");
        match stage {
            Stage::Current => self.journal(&path, log.len()),
            Stage::Finished => Ok(Box::new(Closed)),
        }
    }

    fn set_aside(&self, id: MeetId, document: Document) -> Result<(), StoreError> {
        let path = file_of(&self.existing(id)?, document);
        let aside = set_aside(&path, self.fsync)?;
        warn!(file = %path.display(), aside = %aside.display(), "a file that cannot be read was put aside");
        Ok(())
    }

    fn save(&self, id: MeetId, document: Document, content: &[u8]) -> Result<(), StoreError> {
        let folder = self.existing(id)?;
        let path = file_of(&folder, document);
        if let Some(inner) = path.parent().filter(|inner| *inner != folder && !inner.exists()) {
            make_folder(inner)?;
        }
        replace_file(&path, content, self.fsync)
    }

    fn load(&self, id: MeetId, document: Document) -> Result<Option<Vec<u8>>, StoreError> {
        self.folder(id).map_or(Ok(None), |(_, folder)| read_if_there(&file_of(&folder, document)))
    }

    fn discard(&self, id: MeetId, document: Document) -> Result<(), StoreError> {
        let path = file_of(&self.existing(id)?, document);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(at("removing", &path)(error)),
            _ => Ok(()),
        }
    }

    fn finish(&self, id: MeetId, finish: &[u8]) -> Result<(), StoreError> {
        let (current, finished) = (self.folder_at(Stage::Current, id), self.folder_at(Stage::Finished, id));
        self.check_is_once(id)?;
        let (stage, folder) = self.existing_at(id)?;
        replace_file(&file_of(&folder, Document::Finish), finish, self.fsync)?;
        if stage == Stage::Current {
            cut_reserve(&current.join(LOG_FILE));
            fs::rename(&current, &finished).map_err(at("moving", &current))?;
        }
        let [from, to] = [CURRENT, FINISHED].map(|folder| self.root.join(folder));
        let synced = self.sync_folder(&to).and_then(|()| self.sync_folder(&from));
        if synced.is_err() && stage == Stage::Current {
            // Nobody knows which of the two a crash would leave, so the meet stays what it is told to be.
            let _ = fs::rename(&finished, &current);
        }
        synced
    }

    fn meets(&self, stage: Stage) -> Result<Vec<MeetId>, StoreError> {
        let folder = self.root.join(name_of(stage));
        let mut meets = meets_in(&folder).map_err(at("reading", &folder))?;
        meets.retain(|id| self.folder(*id).is_none_or(|(at, _)| at == stage));
        Ok(meets)
    }

    fn changed_at(&self, id: MeetId) -> Result<Option<Timestamp>, StoreError> {
        let Some((_, folder)) = self.folder(id) else { return Ok(None) };
        let changed = fs::metadata(&folder).and_then(|facts| facts.modified()).map_err(at("looking at", &folder))?;
        let millis = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Ok(Some(Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))))
    }

    fn remove(&self, id: MeetId) -> Result<(), StoreError> {
        self.check_is_once(id)?;
        let folder = self.existing(id)?;
        // Renamed first, so that no half of it is ever taken for a meet.
        let going = unfinished(&self.root.join(CURRENT), id);
        fs::rename(&folder, &going).map_err(at("removing", &folder))?;
        fs::remove_dir_all(&going).map_err(at("removing", &going))
    }

    fn probe(&self) -> Result<(), StoreError> {
        let path = self.root.join(".probe");
        self.write_file(&path, b"liftrelay\n")?;
        fs::remove_file(&path).map_err(at("removing", &path))
    }
}

/// The folder of all meets at one stage.
pub(crate) fn name_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Current => CURRENT,
        Stage::Finished => FINISHED,
    }
}

fn file_of(folder: &Path, document: Document) -> PathBuf {
    folder.join(&*document.file_name())
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match read_file(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("reading", path)(error)),
    }
}

/// A copy may lack a folder in which there was nothing.
fn meets_in(folder: &Path) -> io::Result<Vec<MeetId>> {
    let items = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound && folder.parent().is_some_and(Path::is_dir) => return Ok(Vec::new()),
        items => items?,
    };
    let names = items.map(|item| item.map(|item| item.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}
