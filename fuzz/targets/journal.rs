//! A journal of any bytes: never a panic; the sound part is sound by itself, reads the same when written anew, and can be
//! continued. Where the first byte is odd every line gets the sum that belongs to it, so that what lies behind the sums is
//! reached as well.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use liftrelay::meet::entry::Entry;
use liftrelay::meet::outcome::Record;
use liftrelay::store::line::{Durable, whole_log};
use liftrelay::store::scan::{Rest, Scan, StoredRecord, had, scan, scan_header};

/// Lines with right sums: CRC-32 over the sum before and the line without its own.
fn with_sums(text: &[u8]) -> Vec<u8> {
    let (mut log, mut sum) = (Vec::new(), 0_u32);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&sum.to_be_bytes());
        hasher.update(body);
        sum = hasher.finalize();
        log.extend_from_slice(body);
        log.extend_from_slice(format!(",\"sum\":\"{sum:08x}\"}}").as_bytes());
        log.extend_from_slice(&line[body.len()..]);
    }
    log
}

fn told(scan: &Scan) -> String {
    format!("{:?} {:?}", scan.header, scan.records)
}

fn again(stored: &StoredRecord) -> Record {
    match stored {
        StoredRecord::Entry { fields, text, chain, commit_end } => {
            let entry = Arc::new(Entry { fields: fields.clone(), chain: *chain, text: text.clone().into() });
            Record::Entry { entry, commit_end: *commit_end }
        }
        StoredRecord::Answer(remembered) => Record::Answer(remembered.clone()),
    }
}

fn assert_numbers_run_on(found: &Scan) -> u64 {
    let seqs: Vec<u64> = found.records.iter().filter_map(StoredRecord::seq).collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64));
    let last = found.records.iter().rev().find(|record| record.seq().is_some());
    assert!(last.is_none_or(|record| matches!(record, StoredRecord::Entry { commit_end, .. } if *commit_end == seqs.len() as u64)));
    seqs.len() as u64
}

fn assert_rest_fits(found: &Scan, log: &[u8], last_good: u64) {
    let length = log.len() - log.iter().rev().take_while(|&&byte| byte == b' ').count();
    match &found.rest {
        Rest::Nothing => assert_eq!(found.sound_bytes, length),
        Rest::TornTail { bytes } => assert!(*bytes > 0 && found.sound_bytes + bytes == length),
        Rest::Damage(damage) => {
            assert_eq!(damage.last_good, last_good);
            assert!(damage.durable > last_good || damage.durable_lines > found.end.lines());
            assert!(damage.had.upto >= damage.durable);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&mode, text)) = input.split_first() else { return };
    let log = if mode % 2 == 1 { with_sums(text) } else { text.to_vec() };
    had(&log);
    let found = scan(&log);
    assert_eq!(scan_header(&log).err(), found.as_ref().err().cloned());
    let Ok(found) = found else { return };
    let last_good = assert_numbers_run_on(&found);
    assert_rest_fits(&found, &log, last_good);

    let sound = &log[..found.sound_bytes];
    let alone = scan(sound).expect("a sound part");
    assert_eq!((told(&alone), &alone.rest, alone.end), (told(&found), &Rest::Nothing, found.end));

    let records: Vec<Record> = found.records.iter().map(again).collect();
    let (anew, _) = whole_log(&found.header, &records);
    assert_eq!(told(&scan(&anew).expect("a log written anew")), told(&found));

    if let Some(answer) = records.iter().find(|record| matches!(record, Record::Answer(_))) {
        let (mut longer, mut end) = (sound.to_vec(), found.end);
        end.record(answer, Durable { seq: last_good, lines: end.lines() }, &mut longer);
        let longer = scan(&longer).expect("a log that goes on");
        assert_eq!((longer.records.len(), &longer.rest, longer.end), (found.records.len() + 1, &Rest::Nothing, end));
    }
});
