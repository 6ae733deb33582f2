//! What the core's work costs: updates as a meet grows, what they are encoded as, and reading a log back.

use std::hint::black_box;
use std::sync::Arc;

use liftrelay::meet::chain::Cursor;
use liftrelay::meet::entry::Entry;
use liftrelay::meet::outcome::Record;
use liftrelay::meet::settings::Settings;
use liftrelay::store::line::{Durable, Encoder};
use liftrelay::wire::audience::{Audience, Relayed};
use liftrelay::wire::message::{Message, Page, Position, Status};
use liftrelay::wire::stream::Format;

use super::callgrind::{self, Cost};
use super::{Count, Unit};
use crate::Measured;
use crate::core::{Bench, log_of, open, records};
use crate::product::folder;

/// The argument that makes this program do one work once, for callgrind to watch.
const CHILD: &str = "--count";
/// How often each work is done; and twice that, for what more of it costs.
const TIMES: usize = 500;

/// A work that is prepared the same however often it is then done.
type Work = fn(usize) -> Measured<()>;

const WORKS: &[(&str, Work)] = &[
    ("apply, log of 1000", |times| apply(times, Bench::with(1_000, 10, 500))),
    ("apply, log of 20000", |times| apply(times, Bench::with(20_000, 10, 500))),
    ("apply, 5000 clients", |times| apply(times, Bench::with(5_000, 5_000, 500))),
    ("apply, 10000 keys", |times| apply(times, Bench::with(10_000, 10, 10_000))),
    ("apply, a resend", |times| resend(times, Bench::with(1_000, 10, 500))),
    ("encode a line of the log", lines),
    ("encode an event for editors", |times| events(times, &Audience::Editor)),
    ("encode an event for viewers", |times| events(times, &Audience::Viewer(Arc::new(Settings::default().private_paths)))),
    ("replay an entry", replay),
];

/// Does the work that the arguments name, where they make this program a child of callgrind.
pub fn run_as_child(arguments: &[String]) -> Option<Measured<()>> {
    let [argument, name, times] = arguments else { return None };
    let (_, work) = WORKS.iter().find(|(known, _)| argument == CHILD && known == name)?;
    Some(times.parse().map_err(Into::into).and_then(work))
}

/// What it costs to do each of them once more.
pub(super) fn counts() -> Measured<Vec<Count>> {
    let mut counts = Vec::new();
    for (name, _) in WORKS {
        let cost = watched(name, 2 * TIMES)?.above(watched(name, TIMES)?, TIMES);
        counts.push(Count::new(*name, Unit::Instructions, cost.instructions));
        counts.push(Count::new(*name, Unit::Allocations, cost.allocations));
    }
    Ok(counts)
}

/// A process that does it so many times.
fn watched(name: &str, times: usize) -> Measured<Cost> {
    let folder = folder()?;
    let out = folder.path().join("callgrind");
    let mut command = callgrind::command(&out, Some("inside_what_counts"));
    command.arg(std::env::current_exe()?).args([CHILD, name, &times.to_string()]);
    let ended = command.status().map_err(|fault| format!("valgrind: {fault}"))?;
    if ended.success() { callgrind::read(&out) } else { Err(format!("valgrind, {name}: {ended}").into()) }
}

/// Callgrind counts the instructions in here, by its name: those of the preparation differ more than those that count.
#[inline(never)]
fn inside_what_counts(work: &mut dyn FnMut()) {
    work();
}

fn apply(times: usize, mut bench: Bench) -> Measured<()> {
    inside_what_counts(&mut || (0..times).for_each(|_| drop(black_box(bench.push()))));
    Ok(())
}

fn resend(times: usize, mut bench: Bench) -> Measured<()> {
    inside_what_counts(&mut || (0..times as u64).for_each(|number| drop(black_box(bench.send(number, None)))));
    Ok(())
}

fn lines(times: usize) -> Measured<()> {
    let (records, mut encoder, mut out) = (records(2 * TIMES), Encoder::default(), Vec::new());
    inside_what_counts(&mut || records[..times].iter().for_each(|record| encoder.record(record, Durable::default(), &mut out)));
    Ok(())
}

fn events(times: usize, audience: &Audience) -> Measured<()> {
    let entries: Vec<Arc<Entry>> = records(2 * TIMES).into_iter().filter_map(entry).collect();
    inside_what_counts(&mut || entries[..times].iter().for_each(|entry| drop(black_box(event(entry, audience)))));
    Ok(())
}

fn entry(record: Record) -> Option<Arc<Entry>> {
    match record {
        Record::Entry { entry, .. } => Some(entry),
        Record::Answer(_) => None,
    }
}

/// As a frame of one commit is encoded.
fn event(entry: &Arc<Entry>, audience: &Audience) -> impl Sized + use<> {
    let (seq, cursor) = (entry.seq(), Cursor::at(entry.seq(), &entry.chain));
    let position = Position { server_seq_num: seq, cursor, chain: audience.is_editor().then_some(entry.chain) };
    let updates_relayed = Relayed { entries: vec![Arc::clone(entry)], audience: audience.clone() };
    let page = Page { updates_relayed, position, head_seq_num: seq, more: false, status: Status::Live };
    Format::Sse.encode(&Message::UpdateRelay(page), cursor, None)
}

fn replay(times: usize) -> Measured<()> {
    let (all, _) = log_of(&records(2 * TIMES));
    let end = all.split_inclusive(|byte| *byte == b'\n').take(1 + times).map(<[u8]>::len).sum();
    let mut opened = Err("nothing was opened".into());
    inside_what_counts(&mut || opened = open(&all[..end]));
    opened.map(drop)
}
