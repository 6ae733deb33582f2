//! The pure core: what one update costs as a meet grows, and what it takes to read a log back.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::Duration;

use liftrelay::meet::Meet;
use liftrelay::meet::chain::{ChainValue, Cursor, ServerKey};
use liftrelay::meet::entry::EntryFields;
use liftrelay::meet::id::MeetId;
use liftrelay::meet::outcome::{Decision, Record};
use liftrelay::meet::settings::TieBreak;
use liftrelay::meet::time::Timestamp;
use liftrelay::meet::update::{Batch, Mode, Op, Proposal, Writer};
use liftrelay::store::line::{Header, whole_log};
use liftrelay::store::scan::{StoredRecord, scan};
use nix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Measured;
use super::plan::Plan;
use super::table::Target::{AtLeast, AtMost};
use super::table::{Row, Table, median};

/// Updates that a round times.
const UPDATES: u64 = 2_000;
const KEY: [u8; 32] = [1; 32];
const NONCE: [u8; 16] = [2; 16];
const NOW: i64 = 1_777_627_800_000;

/// A meet, and what has been sent to it.
pub struct Bench {
    meet: Meet,
    sent: u64,
    clients: u64,
    keys: u64,
}

impl Bench {
    /// A meet with so many entries by so many clients on so many keys.
    pub fn with(entries: u64, clients: u64, keys: u64) -> Bench {
        let key = ServerKey::new(KEY);
        let start = key.chain_start(MeetId::from_random(1), &NONCE);
        let mut bench = Bench { meet: Meet::new(key, start, TieBreak::Incumbent), sent: 0, clients, keys };
        (0..entries).for_each(|_| drop(bench.push()));
        bench
    }

    /// One update by the next client at the next key, by someone who has seen everything but the last ten.
    pub fn push(&mut self) -> Decision {
        let number = self.sent;
        self.sent += 1;
        let seen = Cursor { seq: self.meet.log().head().saturating_sub(10), tag: None };
        self.send(number, Some(seen))
    }

    pub fn send(&mut self, number: u64, seen: Option<Cursor>) -> Decision {
        let value = RawValue::from_string(format!("{}", number % 400)).ok();
        // Strides without common factors, so that neighbours in time are not neighbours in the tree. All keys are as long.
        let key = format!("registration.entries[{}].squatKg", 100_000 + (number * 7_919) % self.keys);
        let client = format!("client-{}", (number * 104_729) % self.clients);
        let update = Proposal::read(&key, value.as_deref(), Op::Set, Some(number), seen);
        let writer = Writer { location_name: "platform 1".into(), client_id: client.into() };
        let batch = Batch { writer, priority: 10, updates: vec![update], mode: Mode::Each, if_head: None, after: None };
        self.meet.apply(&batch, Timestamp::from_millis(NOW))
    }

    /// Nanoseconds per new update.
    fn pushes(&mut self) -> f64 {
        let took = cpu_of(|| (0..UPDATES).for_each(|_| drop(black_box(self.push()))));
        took.as_nanos() as f64 / UPDATES as f64
    }

    /// Nanoseconds per update that was answered long ago.
    fn resends(&mut self) -> f64 {
        let took = cpu_of(|| (0..UPDATES).for_each(|number| drop(black_box(self.send(number % self.sent, None)))));
        took.as_nanos() as f64 / UPDATES as f64
    }
}

/// A map that is ordered by keys and one that hashes them: what a meet needs at least to find what stands at a key, and who put it there.
struct Maps {
    ordered: BTreeMap<String, u64>,
    hashed: HashMap<String, u64>,
    sent: u64,
}

impl Maps {
    fn with(keys: u64) -> Maps {
        let all = || (0..keys).map(|key| (key.to_string(), 0));
        Maps { ordered: all().collect(), hashed: all().collect(), sent: 0 }
    }

    /// Nanoseconds to set a number at the next key in both.
    fn sets(&mut self) -> f64 {
        let keys = self.ordered.len() as u64;
        let took = cpu_of(|| {
            for _ in 0..UPDATES {
                self.sent += 1;
                let key = ((self.sent * 7_919) % keys).to_string();
                for found in [self.ordered.get_mut(&key), self.hashed.get_mut(&key)].into_iter().flatten() {
                    *black_box(found) = self.sent;
                }
            }
        });
        took.as_nanos() as f64 / UPDATES as f64
    }

    /// What it takes at least where there are more keys.
    fn floor(keys: [u64; 2]) -> String {
        let times = keys.map(|keys| {
            let mut maps = Maps::with(keys);
            median((0..5).map(|_| maps.sets()))
        });
        format!("; a bare BTreeMap and a HashMap alone: {:.0} → {:.0} ns", times[0], times[1])
    }
}

pub fn flat(plan: &Plan, table: &mut Table) -> Measured<()> {
    let long = plan.share(1_000_000) as u64;
    let mut row = |what: &str, mut small: Bench, mut large: Bench, time: fn(&mut Bench) -> f64, floor: &str| {
        let rounds: Vec<(f64, f64)> = (0..plan.rounds() + 2).map(|_| (time(&mut small), time(&mut large))).collect();
        let ratio = median(rounds.iter().map(|(small, large)| large / small));
        let (small, large) = (median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1)));
        table.add(&Row::new(format!("one update, {what}"), ratio, "×", AtMost(1.2), format!("{small:.0} → {large:.0} ns{floor}")));
    };
    row(&format!("log of 1000 → {long}"), Bench::with(1_000, 10, 500), Bench::with(long, 10, 500), Bench::pushes, "");
    row("1 → 10000 clients ever seen", Bench::with(20_000, 1, 500), Bench::with(20_000, 10_000, 500), Bench::pushes, "");
    row(
        "key tree 10 → 100000 wide",
        Bench::with(200_000, 10, 10),
        Bench::with(200_000, 10, 100_000),
        Bench::pushes,
        &Maps::floor([10, 100_000]),
    );
    row(&format!("a resend, log of 1000 → {long}"), Bench::with(1_000, 10, 500), Bench::with(long, 10, 500), Bench::resends, "");
    Ok(())
}

/// A line of a log, as far as it takes to check its chain.
#[derive(Deserialize)]
struct Line<'a> {
    chain: ChainValue,
    #[serde(borrow)]
    entry: &'a RawValue,
}

/// Opening a log, checked and applied, against parsing the same bytes and one HMAC an entry.
pub fn replay(plan: &Plan, table: &mut Table) -> Measured<()> {
    let records = records(plan.share(100_000));
    let key = ServerKey::new(KEY);
    let (bytes, start) = log_of(&records);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds() {
        let mut parsed = Ok(0);
        let mut opened = Err("nothing was opened".into());
        theirs.push(cpu_of(|| parsed = parse(&bytes, &key, start)).as_secs_f64());
        ours.push(cpu_of(|| opened = open(&bytes)).as_secs_f64());
        // What was opened is put away behind the measurement.
        let (parsed, opened) = (parsed?, opened?.log().head());
        if parsed != records.len() as u64 || opened != parsed {
            return Err(format!("of {} entries {parsed} were parsed and {opened} opened", records.len()).into());
        }
    }
    let share = median(theirs.iter().zip(&ours).map(|(theirs, ours)| theirs / ours));
    let speed = |times: &[f64]| bytes.len() as f64 / 1e6 / median(times.iter().copied());
    let detail = format!("{} entries; liftrelay {:.0} MB/s, parsing and HMAC {:.0} MB/s", records.len(), speed(&ours), speed(&theirs));
    table.add(&Row::new("open a meet: replay, checked and applied", share, "× parsing and HMAC", AtLeast(0.8), detail));
    Ok(())
}

/// What so many updates leave in a log.
pub fn records(updates: usize) -> Vec<Record> {
    let mut bench = Bench::with(0, 10, 500);
    let made = (0..updates).map(|_| match bench.push() {
        Decision::Applied { records, .. } => records,
        _ => Vec::new(),
    });
    made.flatten().collect()
}

/// A log of them, and its first chain value.
pub fn log_of(records: &[Record]) -> (Vec<u8>, ChainValue) {
    let id = MeetId::from_random(1);
    let start = ServerKey::new(KEY).chain_start(id, &NONCE);
    let (bytes, _) = whole_log(&Header::new(id, start, NONCE, Timestamp::from_millis(NOW)), records);
    (bytes, start)
}

fn parse(bytes: &[u8], key: &ServerKey, start: ChainValue) -> Measured<u64> {
    let (mut chain, mut entries) = (start, 0);
    for line in bytes.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty()) {
        let line: Line = serde_json::from_slice(line)?;
        black_box(serde_json::from_str::<EntryFields>(line.entry.get())?);
        chain = key.chain_next(&chain, line.entry.get());
        if chain != line.chain {
            return Err("a chain does not fit".into());
        }
        entries += 1;
    }
    Ok(entries)
}

/// Opens a log.
pub fn open(bytes: &[u8]) -> Measured<Meet> {
    let scan = scan(bytes)?;
    let mut meet = Meet::new(ServerKey::new(KEY), scan.header.chain, TieBreak::Incumbent);
    for record in scan.records {
        match record {
            StoredRecord::Entry { fields, text, chain, .. } => drop(meet.replay(fields, text, chain)?),
            StoredRecord::Answer(answer) => meet.replay_answer(&answer),
        }
    }
    Ok(meet)
}

/// Processor time that this thread spends on it.
fn cpu_of(work: impl FnOnce()) -> Duration {
    let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default();
    let before = now();
    work();
    now().saturating_sub(before)
}
