//! Logs that a crash has left. What a page cache shows of them may never have reached the disk, and a
//! later sync may say nothing about it: the kernel reports a failed write-back once, to whoever asked then.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::meet::id::MeetId;

use super::StoreError;
use super::durable::{Fsync, at, sync_folder, write_file};

/// Lies in the data folder while a server runs, and after one that did not come to its end.
const MARKER: &str = "running";
const TEXT: &[u8] = b"A liftrelay server runs on this folder, or the last one did not come to its end.\n";

/// The meets whose logs nobody has written anew since the last crash.
#[derive(Debug)]
pub(super) struct Unclean {
    marker: PathBuf,
    fsync: Fsync,
    meets: Mutex<HashSet<MeetId>>,
}

impl Unclean {
    /// Marks the folder as running. Where it was so already, every one of the `current` meets is in doubt.
    pub(super) fn mark(
        root: &Path,
        fsync: Fsync,
        current: impl FnOnce() -> Result<Vec<MeetId>, StoreError>,
    ) -> Result<Unclean, StoreError> {
        let marker = root.join(MARKER);
        let meets = if fs::symlink_metadata(&marker).is_ok() { current()?.into_iter().collect() } else { HashSet::new() };
        write_file(&marker, TEXT, fsync)?;
        sync_folder(root, fsync)?;
        Ok(Unclean { marker, fsync, meets: Mutex::new(meets) })
    }

    /// Whether what the log of a meet shows may not be on the disk.
    pub(super) fn is_in_doubt(&self, id: MeetId) -> bool {
        self.meets().contains(&id)
    }

    /// The log of a meet stands in a new file.
    pub(super) fn settle(&self, id: MeetId) {
        self.meets().remove(&id);
    }

    /// The server comes to its end. Where a meet is still in doubt, the next one doubts all of them again.
    pub(super) fn close(&self, root: &Path) -> Result<(), StoreError> {
        if !self.meets().is_empty() {
            return Ok(());
        }
        match fs::remove_file(&self.marker) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(at("removing", &self.marker)(error)),
            _ => sync_folder(root, self.fsync),
        }
    }

    fn meets(&self) -> MutexGuard<'_, HashSet<MeetId>> {
        self.meets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
