//! Meets that are in both folders: the backup was taken while the meet was finished, and then put back.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tracing::error;

use crate::meet::id::MeetId;

use super::files::LOG_FILE;
use super::scan::scan;
use super::{Document, Stage};

/// Which of its two folders counts for each such meet. It stays so for as long as the meet is open.
#[derive(Debug, Default)]
pub(super) struct Doubles(Mutex<HashMap<MeetId, Stage>>);

impl Doubles {
    /// The folder that counts; says so where it was not known.
    pub(super) fn stage(&self, id: MeetId, current: &Path, finished: &Path) -> Stage {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(id).or_insert_with(|| {
            let stage = which_counts(current, finished);
            let (taken, other) = if stage == Stage::Finished { (finished, current) } else { (current, finished) };
            error!(
                meet = %id, taken = %taken.display(), other = %other.display(),
                "the meet is in both folders, and the one with the longer log is taken; stop the server, look at both with liftrelay verify, and move the other one away"
            );
            stage
        })
    }

    /// The meet is opened anew, so it is looked at anew.
    pub(super) fn forget(&self, id: MeetId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// The finished one, unless that lacks something that the current one has.
pub(super) fn which_counts(current: &Path, finished: &Path) -> Stage {
    if sound_records(finished) >= sound_records(current) { Stage::Finished } else { Stage::Current }
}

/// How long the sound part of a log is; `None` where the folder makes no meet.
fn sound_records(folder: &Path) -> Option<usize> {
    fs::metadata(folder.join(&*Document::Auth.file_name())).ok()?;
    let scan = scan(&fs::read(folder.join(LOG_FILE)).ok()?).ok()?;
    Some(scan.records.len())
}
