//! What a crash left stands in new files before anybody builds on it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::Store;
use crate::store::files::{FileStore, Fsync};
use crate::store::journal::without_reserve;

use super::{Script, append_one_more, id, new_meet};

fn log_of(data: &Path) -> PathBuf {
    data.join("current-meets").join(id().digits()).join("updates.json.log")
}

/// Which file it is: another one under the same name has another number.
fn inode(data: &Path) -> u64 {
    fs::metadata(log_of(data)).unwrap().ino()
}

fn open(data: &Path) -> FileStore {
    FileStore::open(data, Fsync::Always).unwrap()
}

/// A data folder with a meet of two entries, left by a server that crashed.
fn crashed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    drop(store.create(id(), &new_meet(id())).unwrap());
    for _ in 0..2 {
        let stored = store.open(id()).unwrap().unwrap();
        let end = stored.scan.end;
        append_one_more(&mut Script::replayed(stored.scan), &mut *stored.journal.unwrap(), end);
    }
    folder
}

#[test]
fn after_a_crash_the_sound_part_is_written_anew_once() {
    let folder = crashed();
    let (data, left) = (folder.path(), fs::read(log_of(folder.path())).unwrap());
    let left = without_reserve(&left);
    fs::write(log_of(data), [left, b"{\"torn"].concat()).unwrap();
    let (before, store) = (inode(data), open(data));
    assert_eq!(store.open(id()).unwrap().unwrap().scan.records.len(), 2);
    let after = inode(data);
    assert_ne!(after, before, "what the page cache shows may not be on the disk");
    assert_eq!(fs::read(log_of(data)).unwrap(), left);
    assert!(log_of(data).with_file_name(format!("updates.json.log.tail-{}-0", left.len())).exists());
    drop(store.open(id()).unwrap().unwrap());
    assert_eq!(inode(data), after, "it was settled");
}

#[test]
fn after_an_orderly_end_a_log_is_continued_as_it_is() {
    let folder = crashed();
    let store = open(folder.path());
    drop(store.open(id()).unwrap().unwrap());
    store.close().unwrap();
    drop(store);
    let before = inode(folder.path());
    drop(open(folder.path()).open(id()).unwrap().unwrap());
    assert_eq!(inode(folder.path()), before);
}

#[test]
fn a_meet_that_nobody_touched_since_the_crash_is_still_in_doubt_at_the_next_start() {
    let folder = crashed();
    let store = open(folder.path());
    store.close().unwrap();
    drop(store);
    let before = inode(folder.path());
    drop(open(folder.path()).open(id()).unwrap().unwrap());
    assert_ne!(inode(folder.path()), before);
}

/// `kill -9` before anything was touched.
#[test]
fn a_second_crash_at_the_start_takes_no_doubt_away() {
    let folder = crashed();
    drop(open(folder.path()));
    let before = inode(folder.path());
    drop(open(folder.path()).open(id()).unwrap().unwrap());
    assert_ne!(inode(folder.path()), before);
}

/// What a checkpoint says of a log would be believed for what the page cache shows.
#[test]
fn after_a_crash_the_end_of_a_log_is_told_to_nobody_until_it_stands_in_a_new_file() {
    let folder = crashed();
    let length = without_reserve(&fs::read(log_of(folder.path())).unwrap()).len() as u64;
    let store = open(folder.path());
    assert_eq!(store.log_end(id(), 0, length).unwrap(), None);
    drop(store.open(id()).unwrap().unwrap());
    assert!(store.log_end(id(), 0, length).unwrap().is_some());
}
