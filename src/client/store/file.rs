//! A replica in a file that only grows.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{ReplicaStore, StoreError, line};
use crate::client::replica::Record;

/// Lines of JSON in a file of mode 0600, for it holds the recovery ticket. Each append is one line and one fsync.
///
/// A last line that is not whole is what a crash left of an append that nobody was told of; it is cut. The file is
/// locked while the store is open.
///
/// ```
/// use liftrelay::client::replica::{Edit, Replica};
/// use liftrelay::client::store::{FileStore, ReplicaStore};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("platform-1.replica");
/// let record = Replica::default().edit(Edit::set("meet.name", "\"Spring Open\"")?)?;
/// FileStore::open(&path)?.append(&[record])?;
///
/// let replica = Replica::open(FileStore::open(&path)?.load()?);
/// assert_eq!(replica.status().pending, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines, behind which the next one goes.
    end: u64,
    sum: u32,
    has_failed: bool,
}

impl FileStore {
    /// Opens the file, or makes it, and locks it.
    ///
    /// # Errors
    /// Another process has it, the medium fails, or a line in the middle is damaged.
    pub fn open(path: &Path) -> Result<FileStore, StoreError> {
        let file = open_locked(path)?;
        let mut store = FileStore { path: path.to_owned(), file, end: 0, sum: 0, has_failed: false };
        store.load()?;
        store.cut_tail().map_err(store.failed("cutting the torn end of"))?;
        Ok(store)
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(io::Error) -> StoreError + use<> {
        medium(what, &self.path)
    }

    fn read_all(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn cut_tail(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.end {
            self.file.set_len(self.end)?;
            self.file.sync_all()?;
        }
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(line)?;
        self.file.sync_data()
    }
}

impl ReplicaStore for FileStore {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        if self.has_failed {
            return Err(StoreError::Failed);
        }
        let bytes = self.read_all().map_err(self.failed("reading"))?;
        let (mut records, mut sum, mut end) = (Vec::new(), 0, 0);
        for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let whole = line.strip_suffix(b"\n").and_then(|line| line::read(sum, line));
            let Some((read, next)) = whole else {
                if end + line.len() < bytes.len() {
                    return Err(StoreError::Damaged { path: self.path.clone(), line: at + 1 });
                }
                break;
            };
            records.extend(read);
            (sum, end) = (next, end + line.len());
        }
        (self.sum, self.end) = (sum, end as u64);
        Ok(records)
    }

    fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        if self.has_failed {
            return Err(StoreError::Failed);
        }
        let (line, sum) = line::write(self.sum, records).map_err(|error| self.failed("writing a line of")(error.into()))?;
        // Until this has gone well it is not known what the medium holds.
        self.has_failed = true;
        self.write(&line).map_err(self.failed("appending to"))?;
        (self.end, self.sum, self.has_failed) = (self.end + line.len() as u64, sum, false);
        Ok(())
    }
}

fn open_locked(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).map_err(medium("opening", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(medium("locking", path)(error)),
    }
    let private = || {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    private().map_err(medium("making", path))?;
    Ok(file)
}

fn medium(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |error| StoreError::Medium { what, path, error }
}
