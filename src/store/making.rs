//! Folders of meets that are made, taken away, or put in the place of another one: whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::meet::id::MeetId;

use super::durable::{Fsync, at, make_folder, sync_folder, write_file};
use super::files::LOG_FILE;
use super::journal::cut_reserve;
use super::{Document, NewMeet, StoreError};

/// Starts the name of a folder whose meet is being made or removed; digits cannot collide with it.
const NEW_PREFIX: &str = ".new-";
/// Starts the name of a folder whose meet is to take the place of another one.
const NEXT_PREFIX: &str = ".next-";
/// What a meet has in its folder of the one whose place it took.
const SUPERSEDED: &str = "superseded";

/// Where a meet among `meets` is while it is made or removed; the next start clears what a crash left there.
pub(super) fn unfinished(meets: &Path, id: MeetId) -> PathBuf {
    meets.join(format!("{NEW_PREFIX}{}", id.digits()))
}

/// Writes the files of a new meet.
pub(super) fn write_new(folder: &Path, new: &NewMeet, fsync: Fsync) -> Result<(), StoreError> {
    make_folder(folder)?;
    write_file(&folder.join(LOG_FILE), &new.header, fsync)?;
    let documents =
        [(Document::Auth, Some(&new.auth)), (Document::Sessions, Some(&new.sessions)), (Document::Recovery, new.recovery.as_ref())];
    for (document, content) in documents {
        if let Some(content) = content {
            write_file(&folder.join(&*document.file_name()), content, fsync)?;
        }
    }
    sync_folder(folder, fsync)
}

/// Puts a new meet in the place of the one with this id among `meets`. Until that is moved, a crash leaves it as it was;
/// from then on the next start ends what was begun.
pub(super) fn supersede(meets: &Path, id: MeetId, new: &NewMeet, fsync: Fsync) -> Result<(), StoreError> {
    let (current, next) = (meets.join(id.digits()), meets.join(format!("{NEXT_PREFIX}{}", id.digits())));
    remove(&next)?;
    write_new(&next, new, fsync)?;
    let inside = next.join(SUPERSEDED);
    cut_reserve(&current.join(LOG_FILE));
    fs::rename(&current, &inside).map_err(at("moving", &current))?;
    let ended = sync_folder(&next, fsync).and_then(|()| take_place(meets, &next, &current, fsync));
    if ended.is_err() && !current.exists() {
        let _ = fs::rename(&inside, &current);
    }
    ended?;
    warn!(kept = %current.join(SUPERSEDED).display(), "a meet was superseded by a proven one, and is kept whole inside it");
    Ok(())
}

/// What was published stays published: it belongs to the meet, whoever made its log.
fn take_place(meets: &Path, next: &Path, current: &Path, fsync: Fsync) -> Result<(), StoreError> {
    for name in ["publishes", "publishes.json"] {
        let from = next.join(SUPERSEDED).join(name);
        if from.exists() {
            fs::rename(&from, next.join(name)).map_err(at("moving", &from))?;
        }
    }
    sync_folder(next, fsync)?;
    fs::rename(next, current).map_err(at("making", current))?;
    sync_folder(meets, fsync)
}

/// What a crash has cut off: meets that were made are forgotten, for nobody was told of them, and those that had
/// begun to take another one's place take it.
pub(super) fn settle_unfinished(meets: &Path, fsync: Fsync) -> Result<(), StoreError> {
    for item in fs::read_dir(meets).map_err(at("reading", meets))? {
        let path = item.map_err(at("reading", meets))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(NEW_PREFIX) {
            remove(&path)?;
        } else if let Some(digits) = name.strip_prefix(NEXT_PREFIX) {
            let current = meets.join(digits);
            if current.exists() { remove(&path)? } else { take_place(meets, &path, &current, fsync)? }
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), StoreError> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(at("removing", folder)) } else { Ok(()) }
}
