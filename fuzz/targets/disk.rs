//! A log that the core wrote, and what a bad disk may make of it: what is read back is an exact prefix, and never ends silently
//! before what some line that survived says had been durable. The input says what is done to the log.
#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

use std::collections::HashMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use liftrelay::meet::id::MeetId;
use liftrelay::meet::settings::TieBreak;
use liftrelay::meet::time::Timestamp;
use liftrelay::store::line::{Durable, Encoder, Header};
use liftrelay::store::scan::{Rest, scan};
use oracle::hall::Hall;
use oracle::request::{Request, create, set};
use oracle::script::CLIENTS;

/// What disks write at once; smaller than real ones, as the log is.
const SECTOR: usize = 64;

struct Written {
    bytes: Vec<u8>,
    /// How many lines each line says were durable.
    marks: HashMap<Vec<u8>, u64>,
    /// Every record in words.
    told: Vec<String>,
}

/// Requests of several clients, one append and one sync for each, as a server does it.
static LOG: LazyLock<Written> = LazyLock::new(|| {
    let mut hall = Hall::new(TieBreak::Incumbent);
    let header = Header::new(MeetId::from_random(1), hall.meet.log().head_chain(), [9; 16], Timestamp::from_millis(0));
    let (mut bytes, mut encoder, mut marks) = (Vec::new(), Encoder::default(), HashMap::new());
    encoder.header(&header, &mut bytes);
    for number in 0..24 {
        let (durable, from) = (Durable { seq: hall.meet.log().head(), lines: encoder.lines() }, hall.records.len());
        hall.send(&request(number));
        for record in &hall.records[from..] {
            let start = bytes.len();
            encoder.record(record, durable, &mut bytes);
            marks.insert(bytes[start..].to_vec(), durable.lines);
        }
    }
    let told: Vec<String> = scan(&bytes).expect("a sound log").records.iter().map(|record| format!("{record:?}")).collect();
    let entries = hall.meet.log().head();
    assert!(entries > 24 && told.len() as u64 > entries + 8, "entries and answers: {entries} of {}", told.len());
    Written { bytes, marks, told }
});

/// One commit of up to three updates, and often a refusal.
fn request(number: u64) -> Request {
    let key = |n: u64| format!("lifters[\"{}\"].best", n % 5);
    let changes = [set(key(number), number.to_string()), create(key(number + 1), "true"), set("name", "\"spring\"")];
    let numbered = changes.into_iter().zip(number * 3..).map(|(change, n)| change.number(n));
    let who = CLIENTS[number as usize % CLIENTS.len()];
    Request { changes: numbered.take(number as usize % 3 + 1).collect(), ..who.sends([]) }
}

/// Does one thing to the log.
fn harm(log: &mut Vec<u8>, step: &[u8; 6]) {
    let (a, b) = (place(step[1], step[2], log.len()), place(step[3], step[4], log.len()));
    let (start, end) = (a.min(b), a.max(b));
    let length = log.len();
    let sector = |at: usize| at / SECTOR * SECTOR..(at / SECTOR * SECTOR + SECTOR).min(length);
    match step[0] % 9 {
        0 => log.truncate(a),
        1 => log[sector(a)].fill(0),
        2 if sector(end).len() == SECTOR => log.copy_within(sector(start), sector(end).start),
        3 if a < length => log[a] ^= 1 << (step[5] % 8),
        4 => drop(log.drain(start..end)),
        5 => {
            let copy = log[start..end].to_vec();
            log.splice(end..end, copy);
        }
        6 => lines(log, step, |lines, one, _| drop(lines.remove(one))),
        7 => lines(log, step, |lines, one, other| lines.insert(one, lines[other].clone())),
        8 => lines(log, step, |lines, one, other| lines.swap(one, other)),
        _ => {}
    }
}

/// Changes the log as a list of lines; `change` is given two of their numbers.
fn lines(log: &mut Vec<u8>, step: &[u8; 6], change: impl FnOnce(&mut Vec<Vec<u8>>, usize, usize)) {
    let mut lines: Vec<Vec<u8>> = log.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    if !lines.is_empty() {
        let (one, other) = (place(step[1], step[2], lines.len()), place(step[3], step[4], lines.len()));
        change(&mut lines, one, other);
    }
    *log = lines.concat();
}

/// One of so many places, as a part of 65,536.
fn place(high: u8, low: u8, of: usize) -> usize {
    usize::from(u16::from_be_bytes([high, low])) * of / 0x1_0000
}

fuzz_target!(|input: &[u8]| {
    let mut image = LOG.bytes.clone();
    let (steps, _) = input.as_chunks::<6>();
    steps.iter().take(8).for_each(|step| harm(&mut image, step));
    let Ok(found) = scan(&image) else { return };
    let told: Vec<String> = found.records.iter().map(|record| format!("{record:?}")).collect();
    assert_eq!(told[..], LOG.told[..told.len()], "an exact prefix");
    let durable = image.split_inclusive(|&byte| byte == b'\n').filter_map(|line| LOG.marks.get(line)).max();
    let named = matches!(found.rest, Rest::Damage(_));
    assert!(named || durable.is_none_or(|&lines| lines <= found.end.lines()), "durable lines are cut without a word");
    assert!(!named || !LOG.bytes.starts_with(&image), "what a crash can leave is refused");
});
