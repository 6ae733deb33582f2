//! The duties that `store/mod.rs` names, for every store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::time::Timestamp;
use crate::store::files::{FileStore, Fsync};
use crate::store::line::{Encoder, Header};
use crate::store::memory::MemoryStore;
use crate::store::scan::Rest;
use crate::store::{Document, NewMeet, Stage, Store, StoreError};

use super::{DAY, Script, append_one_more, end_of, id, key, new_meet, start, told, written};

/// A store that can be closed and opened again, as by a restart.
trait Medium {
    fn open(&self) -> Arc<dyn Store>;
}

impl Medium for MemoryStore {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

struct Folder(PathBuf);

impl Medium for Folder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(FileStore::open(&self.0, Fsync::Always).unwrap())
    }
}

/// Holds both stores to a duty.
fn every_store(duty: impl Fn(&dyn Medium)) {
    duty(&MemoryStore::default());
    let folder = tempfile::tempdir().unwrap();
    duty(&Folder(folder.path().join("data")));
}

#[test]
fn a_meet_is_there_from_its_creation_on() {
    every_store(|medium| {
        let store = medium.open();
        assert!(store.open(id()).unwrap().is_none());
        let new = new_meet(id());
        drop(store.create(id(), &new).unwrap());
        drop(store);
        let stored = medium.open().open(id()).unwrap().unwrap();
        assert_eq!((stored.scan.header.meet_id, stored.scan.rest), (id().digits(), Rest::Nothing));
        assert_eq!((stored.scan.sound_bytes, stored.scan.end), (new.header.len(), end_of(&new.header)));
        assert_eq!((stored.auth, stored.sessions), (new.auth, Some(new.sessions)));
        assert!(stored.scan.records.is_empty() && stored.journal.is_some());
    });
}

#[test]
fn a_meet_that_is_superseded_is_kept_whole_and_what_was_published_stays() {
    every_store(|medium| {
        let store = medium.open();
        let old = new_meet(id());
        store.create(id(), &old).unwrap().append(b"more\n").unwrap();
        store.save(id(), Document::Publishes, b"outbox").unwrap();
        store.save(id(), Document::Results([1; 16]), b"results").unwrap();
        let new = NewMeet { auth: b"proven".to_vec(), recovery: Some(b"{}\n".to_vec()), ..new_meet(id()) };
        drop(store.supersede(id(), &new).unwrap());
        drop(store);
        let store = medium.open();
        let load = |document| store.load(id(), document).unwrap();
        assert_eq!(load(Document::SupersededLog).unwrap(), [&old.header[..], b"more\n"].concat());
        assert_eq!((load(Document::SupersededAuth), load(Document::Auth)), (Some(old.auth), Some(new.auth.clone())));
        assert_eq!((load(Document::Publishes), load(Document::Results([1; 16]))), (Some(b"outbox".to_vec()), Some(b"results".to_vec())));
        assert_eq!((load(Document::Recovery), load(Document::Sessions)), (new.recovery, Some(new.sessions)));
        let stored = store.open(id()).unwrap().unwrap();
        assert_eq!((stored.scan.sound_bytes, stored.stage), (new.header.len(), Stage::Current));
        assert_eq!(store.meets(Stage::Current).unwrap(), [id()]);
        assert!(store.supersede(MeetId::from_random(1), &new_meet(id())).is_err(), "there is nothing to supersede");
        assert!(store.open(MeetId::from_random(1)).unwrap().is_none());
    });
}

/// What a meet comes back with is there before anything that it brings.
#[test]
fn a_recovered_meet_is_made_with_its_recovery() {
    every_store(|medium| {
        let store = medium.open();
        let header = Header::recovered(id(), start(), Timestamp::from_millis(0), &key());
        let mut line = Vec::new();
        Encoder::default().header(&header, &mut line);
        let new = NewMeet { header: line, recovery: Some(b"{}\n".to_vec()), ..new_meet(id()) };
        drop(store.create(id(), &new).unwrap());
        drop(store);
        let store = medium.open();
        assert_eq!(store.load(id(), Document::Recovery).unwrap(), new.recovery);
        let read = store.open(id()).unwrap().unwrap().scan.header;
        assert_eq!((&read, read.is_of(&key(), id())), (&header, true));
        assert!(!read.is_of(&ServerKey::new([8; 32]), id()) && !read.is_of(&key(), MeetId::from_random(1)));
        assert!(!Header { vouched: None, ..read }.is_of(&key(), id()), "nothing vouches for it");
    });
}

#[test]
fn no_meet_is_made_over_another_one() {
    every_store(|medium| {
        let store = medium.open();
        let mut journal = store.create(id(), &new_meet(id())).unwrap();
        append_one_more(&mut Script::new(), &mut *journal, end_of(&new_meet(id()).header));
        assert!(matches!(store.create(id(), &new_meet(id())), Err(StoreError::Exists)));
        assert_eq!(store.open(id()).unwrap().unwrap().scan.records.len(), 1);
        store.finish(id(), FINISH).unwrap();
        assert!(matches!(store.create(id(), &new_meet(id())), Err(StoreError::Exists)), "the id of a finished meet is taken");
    });
}

#[test]
fn what_was_appended_is_there_after_a_restart() {
    every_store(|medium| {
        let log = written(DAY);
        let store = medium.open();
        let mut journal = store.create(id(), &new_meet(id())).unwrap();
        let mut from = log.header_end();
        for line in log.lines.iter().filter(|line| line.whole) {
            journal.append(&log.bytes[from..line.end]).unwrap();
            from = line.end;
        }
        drop((journal, store));
        let store = medium.open();
        let stored = store.open(id()).unwrap().unwrap();
        assert_eq!((&stored.scan.rest, stored.scan.sound_bytes), (&Rest::Nothing, log.bytes.len()));
        assert_eq!(stored.scan.records.len(), log.lines.len());
        let (before, end): (Vec<String>, _) = (stored.scan.records.iter().map(told).collect(), stored.scan.end);
        append_one_more(&mut Script::replayed(stored.scan), &mut *stored.journal.unwrap(), end);
        let again = store.open(id()).unwrap().unwrap().scan;
        assert_eq!((&again.rest, again.records.len()), (&Rest::Nothing, before.len() + 1));
        assert!(again.records.iter().map(told).take(before.len()).eq(before));
    });
}

#[test]
fn documents_are_replaced_whole_and_one_by_one() {
    every_store(|medium| {
        let store = medium.open();
        let new = new_meet(id());
        drop(store.create(id(), &new).unwrap());
        store.save(id(), Document::Auth, b"short").unwrap();
        let stored = store.open(id()).unwrap().unwrap();
        assert_eq!((stored.auth, stored.sessions), (b"short".to_vec(), Some(new.sessions)));
        store.save(id(), Document::Sessions, b"much longer than before, and with a second line\n").unwrap();
        drop(store);
        let stored = medium.open().open(id()).unwrap().unwrap();
        assert_eq!(stored.auth, b"short");
        assert_eq!(stored.sessions.unwrap(), b"much longer than before, and with a second line\n");
    });
}

const FINISH: &[u8] = b"{\"finish\":1}\n";
const EVERY: [Document; 6] =
    [Document::Auth, Document::Sessions, Document::Finish, Document::Recovery, Document::Publishes, Document::Results([0xab; 16])];

#[test]
fn every_document_is_there_once_it_was_saved() {
    every_store(|medium| {
        let store = medium.open();
        let new = new_meet(id());
        drop(store.create(id(), &new).unwrap());
        let first = EVERY.map(|document| store.load(id(), document).unwrap());
        assert_eq!(first, [Some(new.auth), Some(new.sessions), None, None, None, None]);
        for (content, document) in ["a", "b", "c", "d", "e", "f"].iter().zip(EVERY) {
            store.save(id(), document, content.as_bytes()).unwrap();
        }
        assert!(store.load(id(), Document::Results([0xcd; 16])).unwrap().is_none(), "results are told apart by their id");
        drop(store);
        let saved = EVERY.map(|document| medium.open().load(id(), document).unwrap().unwrap());
        assert_eq!(saved, ["a", "b", "c", "d", "e", "f"].map(|content| content.as_bytes().to_vec()));
        let nobody = MeetId::from_random(1);
        let store = medium.open();
        assert!(store.load(nobody, Document::Auth).unwrap().is_none());
        assert!(store.save(nobody, Document::Auth, b"x").is_err());
        assert!(store.open(nobody).unwrap().is_none(), "a document alone is no meet");
    });
}

#[test]
fn a_finished_meet_is_there_whole_and_its_log_does_not_grow() {
    every_store(|medium| {
        let store = medium.open();
        let new = new_meet(id());
        let mut journal = store.create(id(), &new).unwrap();
        append_one_more(&mut Script::new(), &mut *journal, end_of(&new.header));
        store.save(id(), Document::Results([0xab; 16]), b"results").unwrap();
        assert_eq!(store.open(id()).unwrap().unwrap().stage, Stage::Current);
        store.finish(id(), FINISH).unwrap();
        let check = |store: &dyn Store| {
            let stored = store.open(id()).unwrap().unwrap();
            assert_eq!((stored.stage, stored.scan.records.len()), (Stage::Finished, 1));
            assert_eq!((stored.auth, stored.sessions), (new.auth.clone(), Some(new.sessions.clone())));
            assert!(stored.journal.unwrap().append(b"more\n").is_err());
            assert_eq!(store.load(id(), Document::Finish).unwrap().unwrap(), FINISH);
            assert_eq!(store.load(id(), Document::Results([0xab; 16])).unwrap().unwrap(), b"results");
        };
        check(&*store);
        drop(store);
        check(&*medium.open());
    });
}

#[test]
fn finishing_again_changes_nothing_but_the_document() {
    every_store(|medium| {
        let store = medium.open();
        drop(store.create(id(), &new_meet(id())).unwrap());
        store.save(id(), Document::Finish, b"from an attempt that a crash cut off").unwrap();
        assert_eq!(store.open(id()).unwrap().unwrap().stage, Stage::Current, "the document alone decides nothing");
        store.finish(id(), b"first").unwrap();
        store.finish(id(), b"second").unwrap();
        assert_eq!(store.open(id()).unwrap().unwrap().stage, Stage::Finished);
        assert_eq!(store.load(id(), Document::Finish).unwrap().unwrap(), b"second");
        assert!(store.finish(MeetId::from_random(1), FINISH).is_err(), "there is no such meet");
    });
}

#[test]
fn a_finished_meet_takes_documents_and_can_be_removed() {
    every_store(|medium| {
        let store = medium.open();
        drop(store.create(id(), &new_meet(id())).unwrap());
        store.finish(id(), FINISH).unwrap();
        for document in EVERY {
            store.save(id(), document, b"new").unwrap();
        }
        let stored = store.open(id()).unwrap().unwrap();
        assert_eq!((stored.stage, stored.auth, stored.sessions), (Stage::Finished, b"new".to_vec(), Some(b"new".to_vec())));
        store.remove(id()).unwrap();
        assert!(store.open(id()).unwrap().is_none());
        assert!(store.create(id(), &new_meet(id())).is_ok(), "its id is free");
    });
}

#[test]
fn meets_are_listed_by_their_stage_and_dated() {
    every_store(|medium| {
        let store = medium.open();
        let others = [1, 2].map(MeetId::from_random);
        for meet in [id(), others[0], others[1]] {
            drop(store.create(meet, &new_meet(meet)).unwrap());
        }
        store.finish(id(), FINISH).unwrap();
        let mut current = store.meets(Stage::Current).unwrap();
        current.sort_unstable();
        assert_eq!((current, store.meets(Stage::Finished).unwrap()), (others.to_vec(), vec![id()]));
        let changed = store.changed_at(id()).unwrap().unwrap();
        let now = Timestamp::from_millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64);
        assert!(now.since(changed) < Duration::from_secs(60) && changed.since(now) < Duration::from_secs(60), "{changed}");
        assert!(store.changed_at(MeetId::from_random(3)).unwrap().is_none());
    });
}

#[test]
fn a_removed_meet_leaves_nothing_and_its_id_is_free() {
    every_store(|medium| {
        let other = MeetId::from_random(1);
        let store = medium.open();
        drop(store.create(id(), &new_meet(id())).unwrap());
        drop(store.create(other, &new_meet(other)).unwrap());
        store.remove(id()).unwrap();
        assert!(store.open(id()).unwrap().is_none());
        assert!(store.open(other).unwrap().is_some(), "others stay");
        assert!(store.create(id(), &new_meet(id())).is_ok());
        assert!(store.probe().is_ok());
    });
}

/// The last line of defence against a folder that somebody copied under another name is the caller, who knows the id.
#[test]
fn the_log_says_whose_it_is() {
    every_store(|medium| {
        let store = medium.open();
        let other = MeetId::from_random(1);
        drop(store.create(other, &new_meet(id())).unwrap());
        assert_eq!(store.open(other).unwrap().unwrap().scan.header.meet_id, id().digits());
    });
}

#[test]
fn a_document_can_be_discarded_and_the_others_stay() {
    every_store(|medium| {
        let store = medium.open();
        drop(store.create(id(), &new_meet(id())).unwrap());
        for results in [[1; 16], [2; 16]] {
            store.save(id(), Document::Results(results), b"results").unwrap();
        }
        for _ in 0..2 {
            store.discard(id(), Document::Results([1; 16])).unwrap();
        }
        drop(store);
        let store = medium.open();
        assert_eq!(store.load(id(), Document::Results([1; 16])).unwrap(), None);
        assert_eq!(store.load(id(), Document::Results([2; 16])).unwrap().as_deref(), Some(&b"results"[..]));
    });
}

#[test]
fn the_end_of_a_log_is_given_to_who_knows_where_that_is() {
    every_store(|medium| {
        let store = medium.open();
        let new = new_meet(id());
        let end = |from: usize, upto: usize| store.log_end(id(), from as u64, upto as u64).unwrap();
        assert!(end(0, 0).is_none(), "there is no meet");
        store.create(id(), &new).unwrap().append(b"more\n").unwrap();
        let length = new.header.len() + 5;
        assert_eq!(end(length - 5, length), Some((Stage::Current, b"more\n".to_vec())));
        assert_eq!(end(length, length), Some((Stage::Current, Vec::new())));
        assert_eq!((end(0, length - 1), end(0, length + 1)), (None, None));
        assert!(end(length + 1, length).is_none_or(|(_, end)| end.is_empty()));
        store.finish(id(), b"{}\n").unwrap();
        assert_eq!(end(0, length), Some((Stage::Finished, [&new.header[..], b"more\n"].concat())));
    });
}
