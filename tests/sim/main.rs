//! Histories of a server, its clients, its disk and its network, each of which follows from a seed. `README.md`
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod check;
mod dice;
mod disk;
mod editor;
mod history;
mod judge;
mod keys;
mod net;
#[path = "../oracle/mod.rs"]
mod oracle;
mod server;
mod time;
mod view;
mod web;
mod world;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;

use world::{Told, World, play_here};

/// Histories of one run.
const SEEDS: u64 = 1_000;

/// Plays histories and checks each.
#[derive(Parser)]
struct Args {
    /// How many histories; 1,000 where neither this nor a seed is given.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed; alone, the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints what happened in each history.
    #[arg(long)]
    trace: bool,
    /// Plays one history in this process.
    #[arg(long, hide = true)]
    one: bool,
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
    if args.one {
        return if play_here(args.seed.unwrap()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if !args.filter.is_empty() && !args.filter.iter().any(|wanted| "sim".contains(wanted.as_str())) {
        println!("test result: ok. 0 passed; 0 failed");
        return ExitCode::SUCCESS;
    }
    let first = args.seed.unwrap_or(1);
    let seeds = first..first + args.seeds.unwrap_or(if args.seed.is_some() { 1 } else { SEEDS });
    let jobs = args.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (world, started, next) = (World::new(args.trace), Instant::now(), AtomicU64::new(seeds.start));
    let (tally, failed) = (Mutex::new(Tally::default()), AtomicU64::new(0));
    println!("histories from seed {} to {}", seeds.start, seeds.end - 1);
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds.end) {
                    match play_and_compare(&world, seed) {
                        Ok(told) => tally.lock().unwrap().add(&told),
                        Err(why) => {
                            println!("seed {seed} FAILED: {why}\n    once more: cargo test --test sim -- --seed {seed} --trace");
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    report(&tally.into_inner().unwrap(), failed.into_inner(), started)
}

/// Plays a history; every twentieth twice, and both times must be the same to the letter.
fn play_and_compare(world: &World, seed: u64) -> Result<Told, String> {
    let told = world.play(seed)?;
    if seed % 20 == 1 && world.play(seed)? != told {
        return Err("the same seed gave another history; compare what --trace says twice".to_owned());
    }
    Ok(told)
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

fn report(tally: &Tally, failed: u64, started: Instant) -> ExitCode {
    let Tally { histories, entries, crashes } = tally;
    println!("{histories} histories, {crashes} crashes, {entries} entries in {:.1?}", started.elapsed());
    let (word, code) = if failed == 0 { ("ok", ExitCode::SUCCESS) } else { ("FAILED", ExitCode::FAILURE) };
    println!("test result: {word}. {histories} passed; {failed} failed");
    code
}
