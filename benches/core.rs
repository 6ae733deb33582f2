//! What one update costs the core, and whether that stays flat as a meet grows.
//!
//! `cargo bench --bench core` prints a table: nanoseconds per update in a small and a large meet, and
//! the ratio of the two from interleaved rounds, which a noisy machine disturbs less than the times.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use liftrelay::meet::Meet;
use liftrelay::meet::chain::{Cursor, ServerKey};
use liftrelay::meet::id::MeetId;
use liftrelay::meet::settings::TieBreak;
use liftrelay::meet::time::Timestamp;
use liftrelay::meet::update::{Batch, Mode, Op, Proposal, Writer};
use serde_json::value::RawValue;

/// Rounds per row; the median counts.
const ROUNDS: usize = 9;
/// Updates that a round times.
const UPDATES: u64 = 2_000;

/// A meet, and what has been sent to it.
struct Bench {
    meet: Meet,
    sent: u64,
    clients: u64,
    keys: u64,
}

impl Bench {
    /// A meet with so many entries by so many clients on so many keys.
    fn with(entries: u64, clients: u64, keys: u64) -> Bench {
        let key = ServerKey::new([1; 32]);
        let start = key.chain_start(MeetId::from_random(1), &[2; 16]);
        let mut bench = Bench { meet: Meet::new(key, start, TieBreak::Incumbent), sent: 0, clients, keys };
        (0..entries).for_each(|_| bench.push());
        bench
    }

    /// One update by the next client at the next key, by someone who has seen everything but the last ten.
    fn push(&mut self) {
        let number = self.sent;
        self.sent += 1;
        let seen = Cursor { seq: self.meet.log().head().saturating_sub(10), tag: None };
        self.send(number, Some(seen));
    }

    fn send(&mut self, number: u64, seen: Option<Cursor>) {
        let value = RawValue::from_string(format!("{}", number % 400)).unwrap();
        // Strides without common factors, so that neighbours in time are not neighbours in the tree.
        let key = format!("registration.entries[{}].squatKg", (number * 7_919) % self.keys);
        let client = format!("client-{}", (number * 104_729) % self.clients);
        let update = Proposal::read(&key, Some(&value), Op::Set, Some(number), seen);
        let writer = Writer { location_name: "platform 1".into(), client_id: client.into() };
        let batch = Batch { writer, priority: 10, updates: vec![update], mode: Mode::Each, if_head: None, after: None };
        black_box(self.meet.apply(&batch, Timestamp::from_millis(1_777_627_800_000)));
    }

    /// Nanoseconds per new update.
    fn time_pushes(&mut self) -> f64 {
        let start = Instant::now();
        (0..UPDATES).for_each(|_| self.push());
        start.elapsed().as_nanos() as f64 / UPDATES as f64
    }

    /// Nanoseconds per update that was answered long ago.
    fn time_resends(&mut self) -> f64 {
        let start = Instant::now();
        (0..UPDATES).for_each(|number| self.send(number % self.sent, None));
        start.elapsed().as_nanos() as f64 / UPDATES as f64
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn row(what: &str, mut small: Bench, mut large: Bench, time: fn(&mut Bench) -> f64) {
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (time(&mut small), time(&mut large))).collect();
    let (small, large) = (median(rounds.iter().map(|round| round.0).collect()), median(rounds.iter().map(|round| round.1).collect()));
    let ratio = median(rounds.iter().map(|(small, large)| large / small).collect());
    println!("{what:<52} {small:>8.0} {large:>8.0} {ratio:>7.2}");
}

fn main() {
    println!("{:<52} {:>8} {:>8} {:>7}", "one update, ns", "small", "large", "ratio");
    row("log of 1,000 -> 1,000,000 entries", Bench::with(1_000, 10, 500), Bench::with(1_000_000, 10, 500), Bench::time_pushes);
    row("1 -> 10,000 clients ever seen", Bench::with(20_000, 1, 500), Bench::with(20_000, 10_000, 500), Bench::time_pushes);
    row("key tree 10 -> 100,000 wide", Bench::with(200_000, 10, 10), Bench::with(200_000, 10, 100_000), Bench::time_pushes);
    row("resend in a log of 1,000 -> 1,000,000", Bench::with(1_000, 10, 500), Bench::with(1_000_000, 10, 500), Bench::time_resends);
}
