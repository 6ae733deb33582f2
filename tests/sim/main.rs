//! Histories of a server, its clients, its disk and its network, each of which follows from a seed. `README.md`
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod check;
mod dice;
mod disk;
mod editor;
mod history;
mod meet;
mod net;
mod server;
mod time;
mod view;
mod web;
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;

use history::Told;
use time::Played;
use world::World;

/// Plays histories and checks each.
#[derive(Parser)]
struct Args {
    /// How many histories.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed; alone, the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints what happened in each history.
    #[arg(long)]
    trace: bool,
    /// Histories at once; as many as there are cores where it is left out.
    #[arg(long)]
    jobs: Option<usize>,
    /// Only tests whose name contains this are run; the histories are called `sim`.
    filter: Vec<String>,
    /// Taken from the test runner and without meaning here.
    #[arg(long, hide = true)]
    nocapture: bool,
    /// The filter is the whole name.
    #[arg(long, hide = true)]
    exact: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.filter.is_empty() && !args.filter.iter().any(|wanted| "sim".contains(wanted.as_str())) {
        println!("test result: ok. 0 passed; 0 failed");
        return ExitCode::SUCCESS;
    }
    let world = World::enter();
    let seeds = match args.seed {
        Some(seed) if !std::env::args().any(|arg| arg.starts_with("--seeds")) => seed..seed + 1,
        first => first.unwrap_or(1)..first.unwrap_or(1) + args.seeds,
    };
    let jobs = args.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (started, next) = (Instant::now(), AtomicU64::new(seeds.start));
    let (tally, failed) = (Mutex::new(Tally::default()), Mutex::new(BTreeMap::new()));
    println!("histories from seed {} to {}", seeds.start, seeds.end - 1);
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds.end) {
                    match play_and_compare(&world, seed, args.trace) {
                        Ok(told) => tally.lock().unwrap().add(&told),
                        Err(why) => drop(failed.lock().unwrap().insert(seed, why)),
                    }
                }
            });
        }
    });
    report(&tally.into_inner().unwrap(), &failed.into_inner().unwrap(), started)
}

/// Plays a history; every hundredth twice, and both times must be the same to the letter.
fn play_and_compare(world: &World, seed: u64, trace: bool) -> Result<Told, String> {
    let Played { result, trace: lines } = world.play(seed);
    if trace {
        lines.iter().for_each(|line| println!("{line}"));
    }
    if seed % 100 == 1 || trace {
        let again = world.play(seed).trace;
        let differ = lines.iter().zip(&again).find(|(one, other)| one != other);
        if differ.is_some() || lines.len() != again.len() {
            return Err(format!("the same seed gave another history: {differ:?}"));
        }
    }
    result
}

#[derive(Default)]
struct Tally {
    histories: u64,
    entries: u64,
    crashes: u64,
}

impl Tally {
    fn add(&mut self, told: &Told) {
        self.histories += 1;
        self.entries += told.entries;
        self.crashes += told.crashes;
    }
}

fn report(tally: &Tally, failed: &BTreeMap<u64, String>, started: Instant) -> ExitCode {
    for (seed, why) in failed {
        println!("seed {seed} FAILED: {why}\n    once more: cargo test --test sim -- --seed {seed} --trace");
    }
    let Tally { histories, entries, crashes } = tally;
    println!("{histories} histories, {crashes} crashes, {entries} entries in {:.1?}", started.elapsed());
    let (word, code) = if failed.is_empty() { ("ok", ExitCode::SUCCESS) } else { ("FAILED", ExitCode::FAILURE) };
    println!("test result: {word}. {histories} passed; {} failed", failed.len());
    code
}
