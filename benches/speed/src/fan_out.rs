//! One event to many: bare loop, server and nchan take turns at the same pushes.
//!
//! Against the bare loop stands what the deliveries cost: what the same pushes cost where nobody follows is taken off on both sides,
//! for a durable push has rows of its own. Against nchan stands everything.

use super::Measured;
use super::bare::Bare;
use super::nginx::Nginx;
use super::plan::Plan;
use super::product::{Product, folder};
use super::relay::{Contestant, Round, Work};
use super::table::Target::AtMost;
use super::table::{Row, Table, median, percentile};

/// Subscribers, and what the server may cost: × the bare loop, × nchan.
const SIZES: [(usize, f64, Option<f64>); 5] =
    [(20, 1.9, None), (100, 1.25, Some(0.65)), (1_000, 1.10, Some(0.55)), (5_000, 1.10, Some(0.55)), (10_000, 1.10, Some(0.55))];
/// Deliveries of a round, so that its processor time is far above what a clock can miss.
const DELIVERIES: usize = 100_000;
/// Fewest pushes of a round, for the latencies.
const PUSHES_MIN: usize = 20;
/// Most pushes of a round: each waits for the disk.
const PUSHES_MAX: usize = 500;
/// The crowd whose latencies have a target.
const HALL: usize = 1_000;
/// The largest crowd.
const STADIUM: usize = 10_000;

pub fn measure(plan: &Plan, table: &mut Table) -> Measured<()> {
    for (size, of_bare, of_nchan) in SIZES {
        let seen = Seen::measure(plan, size)?;
        table.add(&seen.against_bare(of_bare));
        of_nchan.iter().for_each(|limit| table.add(&seen.against_nchan(*limit)));
        seen.other_rows().iter().for_each(|row| table.add(row));
    }
    Ok(())
}

/// What the rounds with one size of crowd have shown, and one append to the disk beside each.
struct Seen {
    size: usize,
    bare: Vec<Round>,
    product: Vec<Round>,
    nchan: Result<Vec<Round>, String>,
    memory: f64,
}

impl Seen {
    fn measure(plan: &Plan, size: usize) -> Measured<Seen> {
        let folder = folder()?;
        let server = Product::start(size, "")?;
        let length = server.event_length()?;
        let mut bare = Contestant::new(Bare::start(length)?, size)?;
        let mut nchan = match Nginx::start(length) {
            Ok(nginx) => Ok(Contestant::new(nginx, size)?),
            Err(why) => Err(why.to_string()),
        };
        let mut product = Contestant::new(server, size)?.beside(folder.path())?;
        let pushes = (plan.share(DELIVERIES) / size).clamp(plan.share(PUSHES_MIN), plan.share(PUSHES_MAX));
        let work = Work { bursts: pushes, burst: 1 };
        let mut seen = Seen { size, bare: vec![], product: vec![], nchan: Ok(vec![]), memory: product.memory };
        for _ in 0..plan.rounds() {
            seen.bare.push(bare.round(work)?);
            seen.product.push(product.round(work)?);
            match (&mut nchan, &mut seen.nchan) {
                (Ok(nchan), Ok(rounds)) => rounds.push(nchan.round(work)?),
                (Err(why), nchan) => *nchan = Err(why.clone()),
                _ => {}
            }
        }
        Ok(seen)
    }
}

impl Seen {
    fn against_bare(&self, limit: f64) -> Row {
        let total = ratio(&self.product, &self.bare, |round| round.cpu);
        let alone = ratio(&self.product, &self.bare, |round| round.cpu_alone);
        let detail = format!(
            "{total:.2} × with its durable pushes: liftrelay {:.2} µs, bare {:.2} µs",
            microseconds(&self.product),
            microseconds(&self.bare)
        );
        Row::new(format!("SSE fan-out, N = {}, CPU per delivery", self.size), alone, "× bare", AtMost(limit), detail)
    }

    fn against_nchan(&self, limit: f64) -> Row {
        let work = format!("SSE fan-out, N = {}, CPU per delivery", self.size);
        match &self.nchan {
            Ok(nchan) => {
                let detail = format!("nchan {:.2} µs, {:.2} × bare", microseconds(nchan), ratio(nchan, &self.bare, |round| round.cpu));
                Row::new(work, ratio(&self.product, nchan, |round| round.cpu), "× nchan", AtMost(limit), detail)
            }
            Err(why) => Row::missing(work, "× nchan", AtMost(limit), why),
        }
    }

    fn other_rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.size == HALL {
            rows.extend([(0.5, "p50", 0.8), (0.99, "p99", 0.75)].map(|(share, name, limit)| self.latency(share, name, limit)));
        }
        if let Some(limit) = [(HALL, 0.5), (STADIUM, 1.0)].iter().find(|(size, _)| *size == self.size).map(|(_, limit)| *limit) {
            let fsync = self.append();
            let answer = median(self.product.iter().flat_map(|round| round.answers.iter().copied())) / 1e3;
            let work = format!("answer to a push while N = {} are served, p50 above one fdatasync", self.size);
            rows.push(Row::new(work, answer - fsync, "ms", AtMost(limit), format!("answer {answer:.2} ms, fdatasync {fsync:.2} ms")));
        }
        let idle = format!("{:.1} MB in all", self.memory * self.size as f64 / 1e6);
        rows.push(Row::new(format!("memory per idle SSE subscriber, N = {}", self.size), self.memory / 1024.0, "KB", AtMost(1.0), idle));
        rows
    }

    /// Milliseconds of a bare append.
    fn append(&self) -> f64 {
        median(self.product.iter().flat_map(|round| round.appends.iter().copied())) / 1e3
    }

    fn latency(&self, share: f64, name: &str, limit: f64) -> Row {
        let work = format!("push → delivered, N = {}, {name} less one fdatasync", self.size);
        let Ok(nchan) = &self.nchan else { return Row::missing(work, "× nchan", AtMost(limit), "nchan is missing") };
        let of =
            |rounds: &[Round]| median(rounds.iter().map(|round| percentile(round.latencies.iter().map(|at| f64::from(*at)), share))) / 1e3;
        let fsync = self.append();
        let (ours, theirs) = (of(&self.product), of(nchan));
        let detail = format!("liftrelay {ours:.2} ms, fdatasync {fsync:.2} ms, nchan {theirs:.2} ms without durability");
        Row::new(work, (ours - fsync) / theirs, "× nchan", AtMost(limit), detail)
    }
}

/// The median of the ratios of rounds that came one after the other.
fn ratio(ours: &[Round], theirs: &[Round], of: fn(&Round) -> f64) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| of(ours) / of(theirs)))
}

fn microseconds(rounds: &[Round]) -> f64 {
    median(rounds.iter().map(|round| round.cpu)) / 1e3
}
