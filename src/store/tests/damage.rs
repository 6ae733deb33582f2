//! What a crash or a bad disk may do to a log, byte by byte and bit by bit.

use std::fs;
use std::path::PathBuf;

use crate::store::files::{FileStore, Fsync};
use crate::store::journal::without_reserve;
use crate::store::line::Durable;
use crate::store::memory::MemoryStore;
use crate::store::scan::{BadHeader, Rest, scan};
use crate::store::{Store, StoreError};

use super::{DAY, Script, WrittenLog, all_told, append_one_more, id, new_meet, written};

/// A store on files that holds one meet.
struct OneMeet {
    store: FileStore,
    folder: tempfile::TempDir,
}

impl OneMeet {
    fn new() -> OneMeet {
        // Tens of thousands of opens: what is on the disk after a power cut is not the question here.
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path(), Fsync::Never).unwrap();
        drop(store.create(id(), &new_meet(id())).unwrap());
        OneMeet { store, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("current-meets").join(id().digits()).join("updates.json.log")
    }

    fn put(&self, log: &[u8]) {
        fs::write(self.path(), log).unwrap();
    }

    /// Takes away what was put aside; gives it.
    fn take_tail(&self) -> Option<Vec<u8>> {
        let tails = fs::read_dir(self.path().parent().unwrap()).unwrap().map(|item| item.unwrap().path());
        let tails: Vec<_> = tails.filter(|path| path.display().to_string().contains(".tail-")).collect();
        assert!(tails.len() <= 1, "{tails:?}");
        let tail = tails.first()?;
        let bytes = fs::read(tail).unwrap();
        fs::remove_file(tail).unwrap();
        Some(bytes)
    }
}

/// Checks what a store makes of the first `length` bytes of a log, and that it goes on soundly.
fn check_cut(store: &dyn Store, log: &WrittenLog, all: &[String], length: usize) {
    let stored = store.open(id()).unwrap().unwrap();
    let (records, bytes) = log.whole_within(length);
    assert_eq!(all_told(&stored.scan), all[..records], "cut at {length}");
    let torn = without_reserve(&log.bytes[..length]).len() - bytes;
    let rest = if torn == 0 { Rest::Nothing } else { Rest::TornTail { bytes: torn } };
    assert_eq!((stored.scan.rest.clone(), stored.scan.sound_bytes), (rest, bytes), "cut at {length}");
    let end = stored.scan.end;
    append_one_more(&mut Script::replayed(stored.scan), &mut *stored.journal.unwrap(), end);
    let again = store.open(id()).unwrap().unwrap().scan;
    assert_eq!((&again.rest, again.records.len()), (&Rest::Nothing, records + 1), "cut at {length}");
    assert_eq!(all_told(&again)[..records], all[..records], "cut at {length}");
    Script::replayed(again);
}

#[test]
fn a_log_cut_at_any_byte_opens_as_whole_commits_and_goes_on() {
    let log = written(DAY);
    assert!(log.lines.len() >= 18, "{}", log.lines.len());
    let all = all_told(&scan(&log.bytes).unwrap());
    assert_eq!(all.len(), log.lines.len());
    let (memory, files) = (MemoryStore::default(), OneMeet::new());
    drop(memory.create(id(), &new_meet(id())).unwrap());
    for length in log.header_end()..=log.bytes.len() {
        memory.set_log(id(), log.bytes[..length].to_vec());
        check_cut(&memory, &log, &all, length);
        // The first and last bytes of lines are where files differ from memory, if they do.
        let near = |line: &super::WrittenLine| length.abs_diff(line.end) <= 2;
        if length % 41 == 0 || log.lines.iter().any(near) {
            files.put(&log.bytes[..length]);
            check_cut(&files.store, &log, &all, length);
            let (_, sound) = log.whole_within(length);
            let tail = (length > sound).then(|| without_reserve(&log.bytes[sound..length]).to_vec());
            assert_eq!(files.take_tail(), tail, "what is cut at {length} is kept aside");
        }
    }
}

#[test]
fn a_second_torn_tail_does_not_replace_the_first() {
    let (log, files) = (written(DAY), OneMeet::new());
    let (_, sound) = log.whole_within(log.bytes.len() - 1);
    for tail in ["first", "second"] {
        files.put(&[&log.bytes[..sound], tail.as_bytes()].concat());
        assert!(files.store.open(id()).unwrap().is_some());
    }
    let folder = files.path().parent().unwrap().to_owned();
    let aside = |n: u32| fs::read_to_string(folder.join(format!("updates.json.log.tail-{sound}-{n}"))).unwrap();
    assert_eq!((aside(0), aside(1)), ("first".to_owned(), "second".to_owned()));
}

#[test]
fn a_log_cut_within_its_first_line_is_refused_and_left_alone() {
    let (log, files) = (written(&DAY[..1]), OneMeet::new());
    for length in 0..log.header_end() {
        assert!(matches!(scan(&log.bytes[..length]), Err(BadHeader::Unreadable(_))), "cut at {length}");
    }
    files.put(&log.bytes[..20]);
    assert!(matches!(files.store.open(id()), Err(StoreError::Headless { .. })));
    assert_eq!(fs::read(files.path()).unwrap(), log.bytes[..20]);
}

/// A short log in which refusals stand between entries, and values look like parts of lines.
fn short_log() -> WrittenLog {
    written(&[DAY[0], DAY[2], DAY[1], DAY[3], &[("b", "{\"sum\":\"01234567\"}")]])
}

#[test]
fn no_flipped_bit_goes_unnoticed_and_none_cuts_what_was_durable() {
    for log in [short_log(), written(&DAY[7..])] {
        let all = all_told(&scan(&log.bytes).unwrap());
        for bit in 0..log.bytes.len() * 8 {
            check_flip(&log, &all, bit);
        }
    }
}

fn check_flip(log: &WrittenLog, all: &[String], bit: usize) {
    let (at, place) = (bit / 8, format!("byte {}, bit {}", bit / 8, bit % 8));
    let mut bytes = log.bytes.clone();
    bytes[at] ^= 1 << (bit % 8);
    let Ok(found) = scan(&bytes) else {
        assert!(at < log.header_end(), "{place}");
        return;
    };
    assert!(at >= log.header_end(), "the first line is read in spite of {place}");
    let (records, sound) = log.whole_within(at);
    assert_eq!(all_told(&found), all[..records], "{place}");
    assert_eq!(found.sound_bytes, sound, "{place}");
    let last_good = if records == 0 { 0 } else { log.lines[records - 1].head };
    match found.rest {
        Rest::Nothing => panic!("{place} goes unnoticed"),
        Rest::TornTail { bytes } => {
            assert_eq!(bytes, log.bytes.len() - sound, "{place}");
            assert!(!cuts(records, last_good, log.durable()), "{place} cuts at {last_good}, but {:?} had been durable", log.durable());
        }
        Rest::Damage(damage) => {
            // A flipped digit of the last line's mark may raise it.
            let said = Durable { seq: damage.durable, lines: damage.durable_lines };
            assert!(damage.last_good == last_good && said.max(log.durable()) == said, "{place}: {damage:?}");
            assert!(cuts(records, last_good, said), "{place}");
        }
    }
}

/// Whether a log that ends behind so many records lacks something that had been durable.
fn cuts(records: usize, last_good: u64, durable: Durable) -> bool {
    last_good < durable.seq || records as u64 + 1 < durable.lines
}

#[test]
fn damage_below_the_durable_mark_is_never_cut() {
    let (log, files) = (short_log(), OneMeet::new());
    let memory = MemoryStore::default();
    drop(memory.create(id(), &new_meet(id())).unwrap());
    for line in &log.lines[..4] {
        let mut bytes = log.bytes.clone();
        bytes[line.end - 40] ^= 1;
        files.put(&bytes);
        memory.set_log(id(), bytes.clone());
        for store in [&files.store as &dyn Store, &memory] {
            let stored = store.open(id()).unwrap().unwrap();
            assert!(matches!(stored.scan.rest, Rest::Damage(_)), "{:?}", stored.scan.rest);
            assert!(stored.journal.is_none(), "nobody may append to it");
        }
        assert_eq!(fs::read(files.path()).unwrap(), bytes, "the file is left as it was found");
        assert_eq!(memory.log(id()), bytes);
        assert_eq!(files.take_tail(), None);
    }
}

/// What a disk may also do: lose, double or swap whole lines.
#[test]
fn missing_doubled_and_swapped_lines_show() {
    let log = short_log();
    let line = |n: usize| {
        let from = if n == 0 { log.header_end() } else { log.lines[n - 1].end };
        log.bytes[from..log.lines[n].end].to_vec()
    };
    let lines: Vec<Vec<u8>> = (0..log.lines.len()).map(line).collect();
    let with = |lines: &[&Vec<u8>]| {
        let bytes: Vec<u8> = lines.iter().flat_map(|line| line.iter().copied()).collect();
        scan(&[&log.bytes[..log.header_end()], &bytes].concat()).unwrap()
    };
    let all: Vec<&Vec<u8>> = lines.iter().collect();
    assert_eq!(with(&all).rest, Rest::Nothing);
    for n in 0..lines.len() - 1 {
        let durable = log.lines.iter().enumerate().filter(|(at, _)| *at != n).map(|(_, line)| line.durable);
        let durable = durable.fold(Durable::default(), Durable::max);
        let (mut missing, mut doubled, mut swapped) = (all.clone(), all.clone(), all.clone());
        missing.remove(n);
        doubled.insert(n, &lines[n]);
        swapped.swap(n, n + 1);
        for (what, lines) in [("missing", missing), ("doubled", doubled), ("swapped", swapped)] {
            let found = with(&lines);
            assert_ne!(found.rest, Rest::Nothing, "line {n} {what}");
            assert!(found.records.len() <= n + 1, "line {n} {what}: {} records", found.records.len());
            let last_good = if found.records.is_empty() { 0 } else { log.lines[found.records.len() - 1].head };
            assert_eq!(
                matches!(found.rest, Rest::Damage(_)),
                cuts(found.records.len(), last_good, durable),
                "line {n} {what}: {:?}",
                found.rest
            );
        }
    }
}

#[test]
fn a_log_of_a_later_version_is_refused_by_name() {
    let files = OneMeet::new();
    let later = fs::read_to_string(files.path()).unwrap().replace("\"version\":1", "\"version\":2");
    files.put(later.as_bytes());
    let Err(StoreError::Unreadable(text)) = files.store.open(id()) else { panic!("it was opened") };
    assert!(text.contains("format version 2") && text.contains("newer liftrelay"), "{text}");
    assert!(text.contains("updates.json.log"), "{text}");
    assert_eq!(fs::read_to_string(files.path()).unwrap(), later);
}

/// Whatever a file holds instead, nothing panics and nothing is cut.
#[test]
fn other_files_are_no_logs() {
    let files = OneMeet::new();
    let foreign =
        ["", " ", "\n", "{}", "{}\n", "[]\n", "null\n", "\u{0}\u{0}\u{0}", "{\"version\":1,\"sum\":\"00000000\"}\n", "\u{feff}{}\n"];
    for text in foreign {
        files.put(text.as_bytes());
        assert!(matches!(files.store.open(id()), Err(StoreError::Headless { .. })), "{text:?}");
        assert_eq!(fs::read_to_string(files.path()).unwrap(), text);
    }
    files.put(&[0xff; 64]);
    assert!(files.store.open(id()).is_err());
}

/// A log that is gone is not the same as a meet without entries.
#[test]
fn a_folder_without_a_log_is_an_error_and_one_without_sessions_is_not() {
    let files = OneMeet::new();
    let folder = files.path().parent().unwrap().to_owned();
    fs::remove_file(folder.join("sessions.json")).unwrap();
    assert!(files.store.open(id()).unwrap().unwrap().sessions.is_none());
    fs::remove_file(files.path()).unwrap();
    assert!(matches!(files.store.open(id()), Err(StoreError::Io { .. })));
}
