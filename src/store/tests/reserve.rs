//! The spaces behind a log that is being written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::meet::limits::{RESERVE_MAX_BYTES, RESERVE_MIN_BYTES};
use crate::store::files::{FileStore, Fsync};
use crate::store::scan::{Rest, scan};
use crate::store::{Journal, Store};

use super::{DAY, Script, WrittenLog, all_told, append_one_more, end_of, id, new_meet, written};

fn log_of(data: &Path) -> PathBuf {
    data.join("current-meets").join(id().digits()).join("updates.json.log")
}

fn append_all(journal: &mut dyn Journal, log: &WrittenLog) {
    journal.append(&log.bytes[log.header_end()..]).unwrap();
}

#[test]
fn a_log_has_a_reserve_of_spaces_until_its_meet_is_finished() {
    let (folder, log) = (tempfile::tempdir().unwrap(), written(DAY));
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    let mut journal = store.create(id(), &new_meet(id())).unwrap();
    append_all(&mut *journal, &log);
    let open = fs::read(log_of(folder.path())).unwrap();
    assert!(open.starts_with(&log.bytes) && (open.len() as u64).is_multiple_of(RESERVE_MIN_BYTES), "{}", open.len());
    assert!(open[log.bytes.len()..].iter().all(|&byte| byte == b' '));
    assert_eq!(store.log_end(id(), 0, log.bytes.len() as u64).unwrap().unwrap().1, log.bytes, "it does not count");
    let journal = [journal, store.open(id()).unwrap().unwrap().journal.unwrap()];
    assert_eq!(fs::read(log_of(folder.path())).unwrap(), open, "it may be open once more");
    store.finish(id(), b"{}\n").unwrap();
    let finished = folder.path().join("finished-meets").join(id().digits()).join("updates.json.log");
    assert_eq!(fs::read(&finished).unwrap(), log.bytes);
    drop(journal);
    assert_eq!(fs::read(&finished).unwrap(), log.bytes);
}

/// Whoever appends within the reserve does not make the file grow, which is what makes a sync cheap.
#[test]
fn a_log_grows_a_reserve_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    let mut journal = store.create(id(), &new_meet(id())).unwrap();
    let mut lengths = vec![];
    for _ in 0..400 {
        journal.append(&[b'x'; 499]).unwrap();
        lengths.push(fs::metadata(log_of(folder.path())).unwrap().len());
    }
    lengths.dedup();
    let kib: Vec<u64> = lengths.iter().map(|length| length / 1024).collect();
    assert_eq!(kib, [4, 8, 16, 32, 64, 128, 192, 256]);
    assert_eq!((RESERVE_MIN_BYTES, RESERVE_MAX_BYTES), (4 * 1024, 64 * 1024));
}

#[test]
fn what_was_appended_into_a_reserve_is_there_after_a_crash() {
    for crashes in [1, 3] {
        let (folder, log) = (tempfile::tempdir().unwrap(), written(DAY));
        let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
        let mut journal = store.create(id(), &new_meet(id())).unwrap();
        append_all(&mut *journal, &log);
        drop((journal, store));
        for crash in 1..=crashes {
            let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
            let stored = store.open(id()).unwrap().unwrap();
            let records = log.lines.len() + crash - 1;
            assert_eq!((&stored.scan.rest, stored.scan.records.len()), (&Rest::Nothing, records));
            let mut journal = stored.journal.unwrap();
            let end = stored.scan.end;
            append_one_more(&mut Script::replayed(stored.scan), &mut *journal, end);
        }
        let names = fs::read_dir(log_of(folder.path()).parent().unwrap()).unwrap();
        let names: Vec<_> = names.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        assert!(!names.iter().any(|name| name.contains(".tail-")), "a reserve is no torn tail: {names:?}");
    }
}

/// A power cut leaves any front part of an append, and spaces where the rest belonged; or any stretch in the middle of it.
#[test]
fn an_append_cut_anywhere_in_a_reserve_is_a_torn_tail() {
    let log = written(DAY);
    let all = all_told(&scan(&log.bytes).unwrap());
    let reserve = [b' '; 700];
    for length in log.header_end()..=log.bytes.len() {
        let spaces = vec![b' '; log.bytes.len() - length];
        let found = scan(&[&log.bytes[..length], &spaces, &reserve].concat()).unwrap();
        let (records, sound) = log.whole_within(length);
        assert_eq!((all_told(&found), found.sound_bytes), (all[..records].to_vec(), sound), "cut at {length}");
        let written = log.bytes[..length].iter().rposition(|&byte| byte != b' ').unwrap() + 1;
        let rest = if written == sound { Rest::Nothing } else { Rest::TornTail { bytes: written - sound } };
        assert_eq!(found.rest, rest, "cut at {length}");
    }
    // The last commit had not been durable to anybody's knowledge; of it only the end has reached the disk.
    let (_, before) = log.whole_within(log.bytes.len() - 1);
    for gap in before + 1..log.bytes.len() {
        let mut bytes = [&log.bytes[..], &reserve].concat();
        bytes[before..gap].fill(b' ');
        let found = scan(&bytes).unwrap();
        assert_eq!((found.sound_bytes, found.rest), (before, Rest::TornTail { bytes: log.bytes.len() - before }), "gap up to {gap}");
    }
}

#[test]
fn a_torn_tail_is_kept_aside_without_the_reserve_behind_it() {
    let (folder, log) = (tempfile::tempdir().unwrap(), written(DAY));
    let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
    drop(store.create(id(), &new_meet(id())).unwrap());
    fs::write(log_of(folder.path()), [&log.bytes[..], b"{\"torn ", &[b' '; 900]].concat()).unwrap();
    assert_eq!(store.open(id()).unwrap().unwrap().scan.rest, Rest::TornTail { bytes: 6 });
    let aside = log_of(folder.path()).with_file_name(format!("updates.json.log.tail-{}-0", log.bytes.len()));
    assert_eq!(fs::read(aside).unwrap(), b"{\"torn");
    assert_eq!(fs::read(log_of(folder.path())).unwrap(), log.bytes);
}

/// A copy that read the end of a log, was held up, and read on. It lacks what was durable, and nobody can tell it from a disk that
/// has lost it; the words can.
#[test]
fn a_copy_with_a_gap_says_what_helps() {
    let log = written(DAY);
    let (_, before) = log.whole_within(log.lines[2].end);
    let mut bytes = log.bytes.clone();
    bytes[before..log.lines[5].end - 20].fill(b' ');
    let Rest::Damage(damage) = scan(&bytes).unwrap().rest else { panic!("nothing is missed") };
    assert!(damage.to_string().contains("copy the log once more"), "{damage}");
}

/// What had been durable and is spaces now is damage.
#[test]
fn a_reserve_hides_no_loss() {
    let log = written(DAY);
    for line in log.lines.iter().filter(|line| line.head > 0 && line.head < log.durable().seq) {
        let mut bytes = [&log.bytes[..], &[b' '; 512]].concat();
        bytes[line.end - 30..line.end].fill(b' ');
        assert!(matches!(scan(&bytes).unwrap().rest, Rest::Damage(_)), "number {}", line.head);
    }
}

/// A text editor ends a file with a line feed, and some take spaces at the end of lines away.
#[test]
fn who_saves_a_log_from_a_text_editor_harms_nothing() {
    let log = written(DAY);
    assert_eq!(scan(&log.bytes).unwrap().rest, Rest::Nothing);
    let text = String::from_utf8([&log.bytes[..], &[b' '; 512]].concat()).unwrap();
    assert!(serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>().all(|line| line.is_ok()));
    assert_eq!(end_of(&log.bytes), end_of(text.as_bytes()));
}
