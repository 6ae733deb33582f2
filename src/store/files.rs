//! The store in plain files:
//! `current-meets/<9 digits>/{updates.json.log, auth.json, sessions.json}`, moved whole to
//! `finished-meets/` at the end. Folders 0700, files 0600, whatever the umask.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use crate::meet::id::MeetId;

use super::line::Header;
use super::scan::{Rest, scan, scan_header};
use super::{Document, Journal, NewMeet, Store, StoreError, StoredMeet, doing};

const LOG_FILE: &str = "updates.json.log";
const CURRENT: &str = "current-meets";
const FINISHED: &str = "finished-meets";
/// More than any first line of a log takes.
const HEADER_MAX_BYTES: u64 = 4_096;
/// Starts the name of a folder whose meet is being made; digits cannot collide with it.
const NEW_PREFIX: &str = ".new-";

/// Whether appends and documents are synced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Always.
    Always,
    /// Never: for benchmarks, since a power cut loses what was acked.
    Never,
}

/// Meets in a folder that this process has locked.
#[derive(Debug)]
pub struct FileStore {
    root: PathBuf,
    fsync: Fsync,
    /// Held as long as the store lives.
    _lock: File,
}

impl FileStore {
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
        let store = FileStore { root: root.to_owned(), fsync, _lock: lock };
        store.clear_unfinished()?;
        Ok(store)
    }

    /// Ids of all meets in a data folder.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn all_meets(root: &Path) -> io::Result<Vec<MeetId>> {
        let (mut current, finished) = (meets_in(&root.join(CURRENT))?, meets_in(&root.join(FINISHED))?);
        current.extend(finished);
        Ok(current)
    }

    /// The first line of some current meet's log, where there is one that can be read.
    pub fn any_header(root: &Path) -> Option<(MeetId, Header)> {
        let mut names = fs::read_dir(root.join(CURRENT)).ok()?.filter_map(|item| Some(item.ok()?.file_name()));
        let id: MeetId = names.find_map(|name| name.to_str()?.parse().ok())?;
        let mut start = Vec::new();
        File::open(Self::log_path(root, id)?).ok()?.take(HEADER_MAX_BYTES).read_to_end(&mut start).ok()?;
        Some((id, scan_header(&start).ok()?))
    }

    /// Where the log of a meet in a data folder is, or should be; `None` where there is no such meet.
    pub fn log_path(root: &Path, id: MeetId) -> Option<PathBuf> {
        let folders = [CURRENT, FINISHED].map(|folder| root.join(folder).join(id.digits()));
        folders.into_iter().find(|folder| folder.exists()).map(|folder| folder.join(LOG_FILE))
    }

    fn current(&self, id: MeetId) -> PathBuf {
        self.root.join(CURRENT).join(id.digits())
    }

    fn finished(&self, id: MeetId) -> PathBuf {
        self.root.join(FINISHED).join(id.digits())
    }

    /// Folders of meets whose making a crash cut off: nobody was told of them.
    fn clear_unfinished(&self) -> Result<(), StoreError> {
        let folder = self.root.join(CURRENT);
        for item in fs::read_dir(&folder).map_err(at("reading", &folder))? {
            let path = item.map_err(at("reading", &folder))?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NEW_PREFIX)) {
                fs::remove_dir_all(&path).map_err(at("removing", &path))?;
            }
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), StoreError> {
        sync_folder(folder, self.fsync)
    }

    fn write_file(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        write_file(path, content, self.fsync)
    }

    /// Where a meet is while it is made or removed; the next start clears what a crash left there.
    fn unfinished(&self, id: MeetId) -> PathBuf {
        self.root.join(CURRENT).join(format!("{NEW_PREFIX}{}", id.digits()))
    }

    /// Puts what a crash left behind the sound lines into a file of its own, then cuts it off.
    fn cut_tail(&self, log: &Path, bytes: &[u8], sound: usize) -> Result<(), StoreError> {
        let folder = log.parent().unwrap_or(&self.root);
        let aside = (0..).map(|n| folder.join(format!("{LOG_FILE}.tail-{sound}-{n}"))).find(|path| !path.exists());
        let aside = aside.unwrap_or_else(|| folder.join(format!("{LOG_FILE}.tail")));
        self.write_file(&aside, &bytes[sound..])?;
        self.sync_folder(folder)?;
        warn!(log = %log.display(), aside = %aside.display(), bytes = bytes.len() - sound, "a torn tail was cut from the log and kept aside");
        let cut = || {
            let file = OpenOptions::new().write(true).open(log)?;
            file.set_len(sound as u64)?;
            file.sync_all()
        };
        cut().map_err(at("cutting the torn tail of", log))
    }

    fn journal(&self, log: &Path) -> Result<Box<dyn Journal>, StoreError> {
        let file = OpenOptions::new().append(true).open(log).map_err(at("opening", log))?;
        if self.fsync == Fsync::Always {
            // What a killed server wrote but did not sync is about to be shown, so it must be durable first.
            file.sync_data().map_err(at("syncing", log))?;
        }
        Ok(Box::new(FileJournal { file, fsync: self.fsync }))
    }
}

impl Store for FileStore {
    fn create(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError> {
        let (current, finished) = (self.current(id), self.finished(id));
        if current.exists() || finished.exists() {
            return Err(StoreError::Exists);
        }
        let making = self.unfinished(id);
        make_folder(&making)?;
        self.write_file(&making.join(LOG_FILE), &new.header)?;
        self.write_file(&making.join(Document::Auth.file_name()), &new.auth)?;
        self.write_file(&making.join(Document::Sessions.file_name()), &new.sessions)?;
        self.sync_folder(&making)?;
        fs::rename(&making, &current).map_err(at("making", &current))?;
        self.sync_folder(&self.root.join(CURRENT))?;
        self.journal(&current.join(LOG_FILE))
    }

    fn open(&self, id: MeetId) -> Result<Option<StoredMeet>, StoreError> {
        let current = self.current(id);
        let log = current.join(LOG_FILE);
        let bytes = match fs::read(&log) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && !current.exists() => return Ok(None),
            Err(error) => return Err(at("reading", &log)(error)),
        };
        let scan = scan(&bytes).map_err(|error| StoreError::Unreadable(format!("{}: {error}", log.display())))?;
        let journal = match &scan.rest {
            Rest::Nothing => self.journal(&log).map(Some),
            Rest::TornTail { .. } => self.cut_tail(&log, &bytes, scan.sound_bytes).and_then(|()| self.journal(&log)).map(Some),
            Rest::Damage(_) => Ok(None),
        };
        let journal = journal.unwrap_or_else(|error| {
            error!(%error, "the meet can be read but not written");
            None
        });
        let auth = current.join(Document::Auth.file_name());
        let auth = fs::read(&auth).map_err(at("reading", &auth))?;
        let sessions = current.join(Document::Sessions.file_name());
        let sessions = match fs::read(&sessions) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(at("reading", &sessions)(error)),
        };
        Ok(Some(StoredMeet { scan, journal, auth, sessions }))
    }

    fn renew(&self, id: MeetId) -> Result<(), StoreError> {
        let log = self.current(id).join(LOG_FILE);
        let bytes = fs::read(&log).map_err(at("reading", &log))?;
        let scan = scan(&bytes).map_err(|error| StoreError::Unreadable(format!("{}: {error}", log.display())))?;
        if let Rest::Damage(damage) = scan.rest {
            return Err(StoreError::Unreadable(format!("{}: {damage}", log.display())));
        }
        replace_file(&log, &bytes[..scan.sound_bytes], self.fsync)
    }

    fn save(&self, id: MeetId, document: Document, content: &[u8]) -> Result<(), StoreError> {
        replace_file(&self.current(id).join(document.file_name()), content, self.fsync)
    }

    fn finish(&self, id: MeetId) -> Result<(), StoreError> {
        let (current, finished) = (self.current(id), self.finished(id));
        fs::rename(&current, &finished).map_err(at("moving", &current))?;
        self.sync_folder(&self.root.join(FINISHED))?;
        self.sync_folder(&self.root.join(CURRENT))
    }

    fn remove(&self, id: MeetId) -> Result<(), StoreError> {
        let folder = self.current(id);
        // Renamed first, so that no half of it is ever taken for a meet.
        let going = self.unfinished(id);
        fs::rename(&folder, &going).map_err(at("removing", &folder))?;
        fs::remove_dir_all(&going).map_err(at("removing", &going))
    }

    fn probe(&self) -> Result<(), StoreError> {
        let path = self.root.join(".probe");
        self.write_file(&path, b"liftrelay\n")?;
        fs::remove_file(&path).map_err(at("removing", &path))
    }
}

struct FileJournal {
    file: File,
    fsync: Fsync,
}

impl Journal for FileJournal {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)?;
        match self.fsync {
            Fsync::Always => self.file.sync_data(),
            Fsync::Never => Ok(()),
        }
    }
}

fn at(what: &str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    doing(format!("{what} {}", path.display()))
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

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = private_file(path, OpenOptions::new().write(true).create(true)).map_err(at("opening", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            let message =
                format!("another liftrelay uses this data folder ({} is locked); stop it or choose another --data-dir", path.display());
            Err(StoreError::Unreadable(message))
        }
        Err(fs::TryLockError::Error(error)) => Err(at("locking", path)(error)),
    }
}

/// Makes a folder that only its owner can enter. One that is there already keeps its mode: it may be anybody's.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    let make = || match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(ErrorKind::NotADirectory.into()),
        Err(error) => Err(error),
        Ok(()) => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
            File::open(folder_of(path))?.sync_all()
        }
    };
    make().map_err(at("making the folder", path))
}

/// Replaces a file whole: a crash leaves the old content or the new one.
pub(crate) fn replace_file(path: &Path, content: &[u8], fsync: Fsync) -> Result<(), StoreError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    write_file(&fresh, content, fsync)?;
    fs::rename(&fresh, path).map_err(at("replacing", path))?;
    sync_folder(folder_of(path), fsync)
}

fn write_file(path: &Path, content: &[u8], fsync: Fsync) -> Result<(), StoreError> {
    let write = || {
        let mut file = private_file(path, OpenOptions::new().write(true).create(true).truncate(true))?;
        file.write_all(content)?;
        if fsync == Fsync::Always { file.sync_all() } else { Ok(()) }
    };
    write().map_err(at("writing", path))
}

fn sync_folder(folder: &Path, fsync: Fsync) -> Result<(), StoreError> {
    match fsync {
        Fsync::Always => File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("syncing", folder)),
        Fsync::Never => Ok(()),
    }
}

/// The folder that a path's last part is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a file that only its owner can read; the umask can only take bits away, so they are set again.
pub(crate) fn private_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}
