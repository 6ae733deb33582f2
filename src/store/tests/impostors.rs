//! Whatever is no plain file is neither read nor written through.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::store::files::{FileStore, Fsync};
use crate::store::{Document, Store, StoreError};

use super::{id, new_meet};

struct Folder {
    _dir: tempfile::TempDir,
    meet: PathBuf,
    store: FileStore,
    elsewhere: PathBuf,
}

fn folder() -> Folder {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(&dir.path().join("data"), Fsync::Always).unwrap();
    drop(store.create(id(), &new_meet(id())).unwrap());
    let meet = dir.path().join("data/current-meets").join(id().digits());
    let elsewhere = dir.path().join("elsewhere");
    Folder { _dir: dir, meet, store, elsewhere }
}

#[track_caller]
fn assert_refused(store: &FileStore, what: &str) {
    let Err(error) = store.open(id()) else { panic!("it was opened") };
    assert!(matches!(error, StoreError::Io { .. }) && !error.may_pass(), "{error:?}");
    assert!(error.to_string().contains(what) && error.to_string().contains("belongs there"), "{error}");
}

fn lead_elsewhere(path: &Path, elsewhere: &Path) {
    fs::rename(path, elsewhere).unwrap();
    symlink(elsewhere, path).unwrap();
}

#[test]
fn links_in_place_of_files_and_folders_are_refused() {
    for name in ["updates.json.log", "auth.json", "sessions.json", "."] {
        let Folder { _dir, meet, store, elsewhere } = folder();
        lead_elsewhere(&if name == "." { meet } else { meet.join(name) }, &elsewhere);
        assert_refused(&store, "a symbolic link");
    }
}

#[test]
fn pipes_and_folders_in_place_of_files_keep_nobody_waiting() {
    for name in ["updates.json.log", "auth.json", "sessions.json"] {
        let Folder { _dir, meet, store, .. } = folder();
        fs::remove_file(meet.join(name)).unwrap();
        assert!(Command::new("mkfifo").arg(meet.join(name)).status().unwrap().success());
        assert_refused(&store, "a pipe");
        fs::remove_file(meet.join(name)).unwrap();
        fs::create_dir(meet.join(name)).unwrap();
        assert_refused(&store, "a folder");
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let Folder { _dir, meet, store, elsewhere } = folder();
    fs::write(&elsewhere, "mine").unwrap();
    for name in ["auth.json", "auth.json.new"] {
        let _ = fs::remove_file(meet.join(name));
        symlink(&elsewhere, meet.join(name)).unwrap();
        store.save(id(), Document::Auth, b"new").unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"mine", "{name}");
        assert_eq!(store.load(id(), Document::Auth).unwrap().unwrap(), b"new", "{name}");
    }
}
