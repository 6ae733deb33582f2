//! Updates spread over many meets, each of which has a log of its own to sync, against all of them in one.

use std::net::SocketAddr;
use std::time::Duration;

use super::Measured;
use super::bare_log::updates;
use super::http::{Http, get, post};
use super::plan::Plan;
use super::product::{folder, serve};
use super::pushers::{Ledger, Pushers};
use super::pushes::all_kept;
use super::seed::{self, Meeting};
use super::table::Target::AtLeast;
use super::table::{Row, Table, median};

const MEETS: u64 = 1_000;
const CLIENTS: usize = 64;
/// Counts the syncs of all logs.
const SYNCS: &str = "liftrelay_log_sync_seconds_count";

/// Some of the meets, which take turns.
struct Spread<'a> {
    address: SocketAddr,
    meets: &'a [Meeting],
}

impl Ledger for Spread<'_> {
    fn name(&self) -> &'static str {
        "liftrelay"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn request(&self, client: usize, first: u64, batch: usize) -> String {
        let meet = &self.meets[first as usize % self.meets.len()];
        post(&format!("{}/updates", meet.path), Some(&meet.token), &updates(client, first, batch))
    }

    fn kept(&self, body: &[u8], batch: usize) -> bool {
        all_kept(body, batch)
    }
}

/// What a while of pushing came to, a second.
struct Rates {
    updates: f64,
    syncs: f64,
}

impl Spread<'_> {
    fn push(&self, next: &mut u64, time: Duration) -> Measured<Rates> {
        let before = self.syncs()?;
        let (updates, unused) = Pushers::connect(self, CLIENTS, 1, *next)?.push(self, time)?;
        let kept = (unused - *next) as f64;
        *next = unused;
        Ok(Rates { updates, syncs: (self.syncs()? - before) * updates / kept })
    }

    fn syncs(&self) -> Measured<f64> {
        let told = Http::connect(self.address)?.send(&get("/metrics", ""))?;
        let text = String::from_utf8(told.body)?;
        let line = text.lines().find_map(|line| line.strip_prefix(SYNCS)).ok_or("no count of syncs in /metrics")?;
        Ok(line.trim().parse()?)
    }
}

/// What is spread cannot share syncs: an update of its own meet takes one of its own.
pub fn measure(plan: &Plan, table: &mut Table) -> Measured<()> {
    let time = Duration::from_millis(if plan.quick { 1_000 } else { 3_000 });
    let folder = folder()?;
    let meets = seed::meets(folder.path(), MEETS, 1, 10)?;
    let (_process, address) = serve(&folder)?;
    let (one, all) = (Spread { address, meets: &meets[..1] }, Spread { address, meets: &meets });
    // Behind the numbers of the seed, which stand as answered.
    let (mut next, mut rounds) = (1_000, Vec::new());
    all.push(&mut next, time)?;
    for _ in 0..plan.rounds() {
        rounds.push((one.push(&mut next, time)?, all.push(&mut next, time)?));
    }
    let share = median(rounds.iter().map(|(one, all)| all.updates / one.updates));
    let of = |of: fn(&(Rates, Rates)) -> f64| median(rounds.iter().map(of));
    let detail = format!(
        "{MEETS} meets: {:.0} updates/s in {:.0} fsyncs/s; one meet: {:.0} in {:.0}; {CLIENTS} clients",
        of(|round| round.1.updates),
        of(|round| round.1.syncs),
        of(|round| round.0.updates),
        of(|round| round.0.syncs)
    );
    table.add(&Row::new(format!("updates spread over {MEETS} meets at once, updates/s"), share, "× one meet", AtLeast(0.5), detail));
    Ok(())
}
