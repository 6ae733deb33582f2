//! What is particular to plain files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::store::files::{FileStore, Fsync};
use crate::store::{Document, NewMeet, Stage, Store, StoreError};

use super::{id, new_meet, written};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every file and folder below a folder.
fn below(folder: &Path) -> Vec<std::path::PathBuf> {
    let items = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    items.flat_map(|path| if path.is_dir() { [below(&path), vec![path]].concat() } else { vec![path] }).collect()
}

#[test]
fn only_the_owner_reads_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = FileStore::open(&data, Fsync::Always).unwrap();
    drop(store.create(id(), &new_meet(id())).unwrap());
    store.save(id(), Document::Auth, b"new").unwrap();
    store.save(id(), Document::Results([1; 16]), b"results").unwrap();
    store.finish(id(), b"{}").unwrap();
    assert_eq!(mode(&data), 0o700);
    let found = below(&data);
    assert!(found.len() >= 10, "{found:?}");
    for path in found {
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

#[test]
fn a_folder_that_was_open_to_others_stays_so_and_the_meets_in_it_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let _store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    assert_eq!(mode(folder.path()), 0o755);
    assert_eq!(mode(&folder.path().join("current-meets")), 0o700);
    assert_eq!(mode(&folder.path().join("finished-meets")), 0o700);
}

#[test]
fn a_second_store_on_the_same_folder_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = FileStore::open(folder.path(), Fsync::Always).unwrap();
    let Err(StoreError::Unreadable(text)) = FileStore::open(folder.path(), Fsync::Always) else { panic!("opened twice") };
    assert!(text.contains("another liftrelay") && text.contains("--data-dir"), "{text}");
    drop(first);
    assert!(FileStore::open(folder.path(), Fsync::Always).is_ok(), "a lock ends with its holder, not with its file");
}

#[test]
fn what_a_crash_left_of_a_creation_is_cleared_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let current = folder.path().join("current-meets");
    drop(FileStore::open(folder.path(), Fsync::Always).unwrap().create(id(), &new_meet(id())).unwrap());
    let half_made = current.join(".new-000000001");
    fs::create_dir(&half_made).unwrap();
    fs::write(half_made.join("updates.json.log"), "half").unwrap();
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    assert!(!half_made.exists());
    assert!(store.open(id()).unwrap().is_some(), "whole meets stay");
}

/// Before the old meet is moved it stays; from then on the next start ends what was begun.
#[test]
fn a_crash_while_a_meet_is_superseded_leaves_one_or_the_other() {
    for is_moved in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
        drop(store.create(id(), &new_meet(id())).unwrap());
        store.save(id(), Document::Publishes, b"outbox").unwrap();
        drop(store.supersede(id(), &NewMeet { auth: b"proven".to_vec(), ..new_meet(id()) }).unwrap());
        drop(store);
        let meets = folder.path().join("current-meets");
        let (current, next) = (meets.join(id().digits()), meets.join(format!(".next-{}", id().digits())));
        fs::rename(&current, &next).unwrap();
        fs::rename(next.join("publishes.json"), next.join("superseded/publishes.json")).unwrap();
        if !is_moved {
            fs::rename(next.join("superseded"), &current).unwrap();
        }
        let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
        let auth: &[u8] = if is_moved { b"proven" } else { b"{\"auth\":1}\n" };
        assert_eq!(store.open(id()).unwrap().unwrap().auth, auth);
        assert_eq!(store.load(id(), Document::Publishes).unwrap().as_deref(), Some(&b"outbox"[..]));
        assert_eq!(store.load(id(), Document::SupersededAuth).unwrap().is_some(), is_moved);
        assert!(!next.exists());
    }
}

#[test]
fn what_a_crash_left_of_a_replacement_is_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    drop(store.create(id(), &new_meet(id())).unwrap());
    let meet = folder.path().join("current-meets").join(id().digits());
    fs::write(meet.join("auth.json.new"), "a half-written document that is longer than the next one").unwrap();
    assert_eq!(store.open(id()).unwrap().unwrap().auth, new_meet(id()).auth);
    store.save(id(), Document::Auth, b"whole").unwrap();
    assert_eq!(store.open(id()).unwrap().unwrap().auth, b"whole");
    assert!(!meet.join("auth.json.new").exists());
}

#[test]
fn meets_are_listed_and_other_names_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    drop(store.create(id(), &new_meet(id())).unwrap());
    fs::create_dir(folder.path().join("current-meets/notes of the operator")).unwrap();
    assert_eq!(FileStore::all_meets(folder.path()).unwrap(), [id()]);
    assert!(FileStore::log_path(folder.path(), id()).unwrap().starts_with(folder.path().join("current-meets")));
    store.finish(id(), b"{}").unwrap();
    assert_eq!(FileStore::all_meets(folder.path()).unwrap(), [id()]);
    assert!(FileStore::log_path(folder.path(), id()).unwrap().starts_with(folder.path().join("finished-meets")));
}

/// A full or read-only disk is told by the medium's own words, with the path.
#[test]
fn a_failure_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    drop(store.create(id(), &new_meet(id())).unwrap());
    let meet = folder.path().join("current-meets").join(id().digits());
    fs::create_dir(meet.join("auth.json.new")).unwrap();
    let text = store.save(id(), Document::Auth, b"x").unwrap_err().to_string();
    assert!(text.contains("auth.json.new"), "{text}");
    assert_eq!(store.open(id()).unwrap().unwrap().auth, new_meet(id()).auth, "the old document stands");
}

/// Nobody may find half a meet in either place, or be told that it moved when it did not.
#[test]
fn a_meet_that_cannot_move_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    drop(store.create(id(), &new_meet(id())).unwrap());
    let in_the_way = folder.path().join("finished-meets").join(id().digits());
    fs::create_dir(&in_the_way).unwrap();
    fs::write(in_the_way.join("something"), "of somebody").unwrap();
    let text = store.finish(id(), b"{}").unwrap_err().to_string();
    assert!(text.contains("current-meets") && text.contains("finished-meets") && text.contains("move one of them away"), "{text}");
    assert!(!folder.path().join("current-meets").join(id().digits()).join("finished.json").exists(), "nothing was begun");
    assert_eq!(store.open(id()).unwrap().unwrap().stage, Stage::Current);
    fs::remove_dir_all(&in_the_way).unwrap();
    store.finish(id(), b"{}").unwrap();
    assert_eq!(store.open(id()).unwrap().unwrap().stage, Stage::Finished);
}

#[test]
fn everything_of_a_meet_moves_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    drop(store.create(id(), &new_meet(id())).unwrap());
    store.save(id(), Document::Publishes, b"[]").unwrap();
    store.save(id(), Document::Results([0xab; 16]), b"results").unwrap();
    let [current, finished] = ["current-meets", "finished-meets"].map(|name| folder.path().join(name).join(id().digits()));
    fs::write(current.join("notes of the operator.txt"), "kept").unwrap();
    store.finish(id(), b"{}").unwrap();
    assert!(!current.exists());
    let mut names: Vec<_> = below(&finished).iter().map(|path| path.strip_prefix(&finished).unwrap().display().to_string()).collect();
    names.sort_unstable();
    let results = format!("publishes/{}.opl.csv", "ab".repeat(16));
    let expected = [
        "auth.json",
        "finished.json",
        "notes of the operator.txt",
        "publishes",
        "publishes.json",
        &results,
        "sessions.json",
        "updates.json.log",
    ];
    assert_eq!(names, expected);
}

/// A data folder in which the meet is in both places, as after a backup in the middle of a finish: each log with so many entries.
fn in_both(current: usize, finished: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (stage, entries) in [("finished-meets", finished), ("current-meets", current)] {
        let one = tempfile::tempdir().unwrap();
        let store = FileStore::open(one.path(), Fsync::Always).unwrap();
        drop(store.create(id(), &new_meet(id())).unwrap());
        drop(store);
        let batches: Vec<&[(&str, &str)]> = vec![&[("a", "1")]; entries];
        let made = one.path().join("current-meets").join(id().digits());
        fs::write(made.join("updates.json.log"), written(&batches).bytes).unwrap();
        let place = folder.path().join(stage);
        fs::create_dir_all(&place).unwrap();
        fs::rename(made, place.join(id().digits())).unwrap();
    }
    folder
}

#[test]
fn of_a_meet_in_both_folders_the_longer_log_counts() {
    for (current, finished, stage) in [(2, 2, Stage::Finished), (2, 3, Stage::Finished), (3, 2, Stage::Current)] {
        let folder = in_both(current, finished);
        let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
        let stored = store.open(id()).unwrap().unwrap();
        assert_eq!((stored.stage, stored.scan.records.len()), (stage, current.max(finished)));
        let other = if stage == Stage::Current { Stage::Finished } else { Stage::Current };
        assert_eq!((store.meets(stage).unwrap(), store.meets(other).unwrap()), (vec![id()], vec![]), "it is listed once");
        assert!(matches!(store.finish(id(), b"{}"), Err(StoreError::InBoth { .. })));
        assert!(matches!(store.remove(id()), Err(StoreError::InBoth { .. })), "the other one would come to light");
        store.save(id(), Document::Auth, b"new").unwrap();
        let [of_current, of_finished] = ["current-meets", "finished-meets"].map(|place| folder.path().join(place).join(id().digits()));
        let (counts, idle) = if stage == Stage::Current { (of_current, of_finished) } else { (of_finished, of_current) };
        assert_eq!(fs::read(counts.join("auth.json")).unwrap(), b"new");
        assert_eq!(fs::read(idle.join("auth.json")).unwrap(), new_meet(id()).auth);
        assert_eq!(FileStore::all_meets(folder.path()).unwrap(), [id()]);
        assert_eq!(FileStore::logs(folder.path(), id()).iter().map(|(stage, _)| *stage).collect::<Vec<_>>(), [stage, other]);
        fs::remove_dir_all(idle).unwrap();
        store.remove(id()).unwrap();
    }
}

#[test]
fn a_finished_folder_that_makes_no_meet_does_not_count() {
    for missing in ["auth.json", "updates.json.log"] {
        let folder = in_both(1, 2);
        fs::remove_file(folder.path().join("finished-meets").join(id().digits()).join(missing)).unwrap();
        let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
        assert_eq!(store.open(id()).unwrap().unwrap().stage, Stage::Current, "{missing}");
    }
}
