//! One suite for every store, and what a crash or a bad disk may do to a log.

mod damage;
#[path = "../../tests/shared/dice.rs"]
pub(crate) mod dice;
mod duties;
mod folders;
mod images;
mod impostors;
mod reserve;
mod unclean;

use serde_json::value::RawValue;

use crate::meet::Meet;
use crate::meet::chain::{ChainValue, Cursor, ServerKey};
use crate::meet::id::MeetId;
use crate::meet::outcome::{Decision, Record};
use crate::meet::settings::TieBreak;
use crate::meet::time::Timestamp;
use crate::meet::update::{Batch, Mode, Op, Proposal, Writer};

use super::line::{Durable, Encoder, Header};
use super::scan::{Scan, StoredRecord};
use super::{Journal, NewMeet};

const NONCE: [u8; 16] = [3; 16];

fn key() -> ServerKey {
    ServerKey::new([7; 32])
}

fn id() -> MeetId {
    MeetId::from_random(123_456_789)
}

fn start() -> ChainValue {
    key().chain_start(id(), &NONCE)
}

/// A meet's first line and documents.
fn new_meet(id: MeetId) -> NewMeet {
    let mut header = Vec::new();
    Encoder::default().header(&Header::new(id, start(), NONCE, Timestamp::from_millis(0)), &mut header);
    NewMeet { header, auth: b"{\"auth\":1}\n".to_vec(), sessions: b"{\"sessions\":1}\n".to_vec(), recovery: None }
}

/// Where the first record goes on.
fn end_of(header: &[u8]) -> Encoder {
    super::scan::scan(header).unwrap().end
}

/// A meet in memory that says what its journal must hold.
struct Script {
    meet: Meet,
    /// Each batch makes its own numbers.
    next: u64,
}

impl Script {
    fn new() -> Script {
        Script { meet: Meet::new(key(), start(), TieBreak::Incumbent), next: 0 }
    }

    /// The meet as far as a log tells it. Every chain value is checked on the way.
    fn replayed(scan: Scan) -> Script {
        let mut script = Script::new();
        for record in scan.records {
            match record {
                StoredRecord::Entry { fields, text, chain, .. } => {
                    script.next = script.next.max(fields.local_seq_num.unwrap_or(0) + 1);
                    script.meet.replay(fields, text, chain).unwrap();
                }
                StoredRecord::Answer(remembered) => {
                    script.next = script.next.max(remembered.local_seq_num + 1);
                    script.meet.replay_answer(&remembered);
                }
            }
        }
        script
    }

    /// One batch: keys that begin with `?` stand for what nobody can read, so they are refused.
    fn batch(&mut self, updates: &[(&str, &str)]) -> Vec<Record> {
        let proposal = |(key, value): &(&str, &str)| {
            let value = RawValue::from_string((*value).to_owned()).unwrap();
            self.next += 1;
            Proposal::read(key, Some(&value), Op::Set, Some(self.next), None::<Cursor>)
        };
        let batch = Batch {
            writer: Writer { location_name: "desk".into(), client_id: "laptop".into() },
            priority: 10,
            updates: updates.iter().map(proposal).collect(),
            mode: Mode::Each,
            if_head: None,
            after: None,
        };
        match self.meet.apply(&batch, Timestamp::from_millis(1_777_627_800_000)) {
            Decision::Applied { records, .. } => records,
            other => panic!("{other:?}"),
        }
    }
}

/// Batches as they come on a meet day: alone, together, with refusals before, between and behind.
const DAY: &[&[(&str, &str)]] = &[
    &[("meet.name", "\"Test Open\"")],
    &[("entries[1]", "{\"name\":\"Ann\"}"), ("entries[2]", "{\"name\":\"Bö\"}"), ("entries[3]", "{\"durable\":99,\"sum\":\"01234567\"}")],
    &[("?", "1")],
    &[("entries[1].squatKg[0]", "180"), ("?", "2")],
    &[("?", "3"), ("entries[2].notes", "\"},\\\"sum\\\":\\\"01234567\\\"}\"")],
    &[("entries[1].name", "\"Anna\""), ("?", "4"), ("entries[2].name", "null")],
    &[("?", "5"), ("?", "6")],
    &[("a", "1")],
    &[("b", "2"), ("c", "3")],
    &[("d", "4")],
];

/// A log as it stands on the disk, and what is known about each of its lines.
struct WrittenLog {
    bytes: Vec<u8>,
    lines: Vec<WrittenLine>,
}

/// A line behind the first.
struct WrittenLine {
    /// Where it ends, line feed included.
    end: usize,
    /// Whether everything up to here is whole commits.
    whole: bool,
    /// The highest number up to here.
    head: u64,
    /// What it says was durable.
    durable: Durable,
}

/// Each batch in an append of its own.
fn written(batches: &[&[(&str, &str)]]) -> WrittenLog {
    let header = new_meet(id()).header;
    let mut encoder = end_of(&header);
    let mut log = WrittenLog { bytes: header, lines: Vec::new() };
    let (mut script, mut head) = (Script::new(), 0);
    for batch in batches {
        let (records, durable) = (script.batch(batch), Durable { seq: head, lines: encoder.lines() });
        let last = script.meet.log().head();
        for record in &records {
            encoder.record(record, durable, &mut log.bytes);
            if let Record::Entry { entry, .. } = record {
                head = entry.seq();
            }
            log.lines.push(WrittenLine { end: log.bytes.len(), whole: head == durable.seq || head == last, head, durable });
        }
    }
    log
}

impl WrittenLog {
    fn header_end(&self) -> usize {
        self.bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1
    }

    /// How many records stand whole in the first `length` bytes, and where the last of them ends.
    fn whole_within(&self, length: usize) -> (usize, usize) {
        let mut whole = self.lines.iter().enumerate().rev().filter(|(_, line)| line.whole && line.end <= length);
        whole.next().map_or((0, self.header_end()), |(index, line)| (index + 1, line.end))
    }

    /// What some line says is durable.
    fn durable(&self) -> Durable {
        self.lines.iter().map(|line| line.durable).fold(Durable::default(), Durable::max)
    }
}

/// A record as a line tells it, for comparison.
fn told(record: &StoredRecord) -> String {
    match record {
        StoredRecord::Entry { text, chain, commit_end, .. } => format!("{text} {chain} {commit_end}"),
        StoredRecord::Answer(remembered) => serde_json::to_string(remembered).unwrap(),
    }
}

fn all_told(scan: &Scan) -> Vec<String> {
    scan.records.iter().map(told).collect()
}

/// Appends what follows from the log as it was opened.
fn append_one_more(script: &mut Script, journal: &mut dyn Journal, mut encoder: Encoder) {
    let durable = Durable { seq: script.meet.log().head(), lines: encoder.lines() };
    let mut lines = Vec::new();
    for record in &script.batch(&[("more", "true")]) {
        encoder.record(record, durable, &mut lines);
    }
    journal.append(&lines).unwrap();
}
