//! Durable pushes: the server against a bare log, Redis and PostgreSQL.

use std::net::SocketAddr;
use std::time::Duration;

use super::Measured;
use super::bare_log::{BareLog, updates};
use super::http::post;
use super::plan::Plan;
use super::postgresql::Postgresql;
use super::product::{Product, folder};
use super::pushers::{Ledger, Pushers};
use super::redis::Redis;
use super::relay::Relay;
use super::table::Target::AtLeast;
use super::table::{Row, Table, median};

/// Clients, updates of a batch, and the share of the bare log's rate.
const LOADS: [(usize, usize, f64); 4] = [(1, 1, 0.8), (16, 1, 0.95), (16, 10, 0.9), (64, 10, 0.5)];
const CLIENTS_MAX: usize = 64;
/// The load at which databases are met.
const HEAVY: (usize, usize) = (64, 10);

impl Ledger for Product {
    fn name(&self) -> &'static str {
        "liftrelay"
    }

    fn address(&self) -> SocketAddr {
        Relay::address(self)
    }

    fn request(&self, client: usize, first: u64, batch: usize) -> String {
        let (path, token) = self.editor();
        post(&format!("{path}/updates"), Some(token), &updates(client, first, batch))
    }

    fn kept(&self, body: &[u8], batch: usize) -> bool {
        all_kept(body, batch)
    }
}

/// Whether the server has taken all of a batch.
pub fn all_kept(body: &[u8], batch: usize) -> bool {
    let acks = memchr::memmem::find_iter(body, br#"{"localSeqNum":"#).count();
    acks == batch && memchr::memmem::find(body, br#""updatesRejected":[]"#).is_some()
}

/// One of them, and the numbers that it has not used.
struct Turn<'a> {
    ledger: &'a dyn Ledger,
    next: u64,
    rates: Vec<f64>,
}

impl Turn<'_> {
    fn of(ledger: &dyn Ledger) -> Turn<'_> {
        Turn { ledger, next: 1, rates: Vec::new() }
    }

    fn take(&mut self, clients: usize, batch: usize, time: Duration) -> Measured<()> {
        let pushers = Pushers::connect(self.ledger, clients, batch, self.next)?;
        let (rate, next) = pushers.push(self.ledger, time)?;
        self.next = next;
        self.rates.push(rate);
        Ok(())
    }

    /// The median of the shares of what another one did at the same time.
    fn share_of(&self, other: &[f64]) -> f64 {
        median(self.rates.iter().zip(other).map(|(ours, theirs)| ours / theirs))
    }
}

pub fn measure(plan: &Plan, table: &mut Table) -> Measured<()> {
    let time = Duration::from_millis(if plan.quick { 500 } else { 2_000 });
    let folder = folder()?;
    let (server, bare) = (Product::start(CLIENTS_MAX, "")?, BareLog::start(folder.path())?);
    let (mut ours, mut theirs) = (Turn::of(&server), Turn::of(&bare));
    for (clients, batch, limit) in LOADS {
        (ours.rates, theirs.rates) = Default::default();
        for _ in 0..plan.rounds() {
            theirs.take(clients, batch, time)?;
            ours.take(clients, batch, time)?;
        }
        let detail =
            format!("liftrelay {:.0} updates/s, bare {:.0}", median(ours.rates.iter().copied()), median(theirs.rates.iter().copied()));
        let work = format!("durable push, {clients} clients × {batch}, updates/s");
        table.add(&Row::new(work, ours.share_of(&theirs.rates), "× bare", AtLeast(limit), detail));
    }
    against_databases(plan, table, &mut ours, time)
}

/// Pushes for a while; gives updates a second.
type Push = Box<dyn FnMut(Duration) -> Measured<f64>>;

fn against_databases(plan: &Plan, table: &mut Table, ours: &mut Turn, time: Duration) -> Measured<()> {
    let (clients, batch) = HEAVY;
    let peers = [("Redis", "× Redis, appendfsync always", 1.5, redis()), ("PostgreSQL", "× PostgreSQL", 2.5, postgresql())];
    for (name, unit, limit, peer) in peers {
        let work = format!("durable push, {clients} clients × {batch}, updates/s");
        let mut theirs = Vec::new();
        ours.rates.clear();
        let mut against = |mut push: Push| {
            (0..plan.rounds()).try_for_each(|_| {
                theirs.push(push(time)?);
                ours.take(clients, batch, time)
            })
        };
        if let Err(why) = peer.and_then(&mut against) {
            table.add(&Row::missing(work, unit, AtLeast(limit), why.to_string()));
            continue;
        }
        let detail = format!("liftrelay {:.0} updates/s, {name} {:.0}", median(ours.rates.iter().copied()), median(theirs.iter().copied()));
        table.add(&Row::new(work, ours.share_of(&theirs), unit, AtLeast(limit), detail));
    }
    Ok(())
}

fn redis() -> Measured<Push> {
    let (redis, mut next) = (Redis::start()?, 1);
    Ok(Box::new(move |time| {
        let (rate, unused) = Pushers::connect(&redis, HEAVY.0, HEAVY.1, next)?.push(&redis, time)?;
        next = unused;
        Ok(rate)
    }))
}

fn postgresql() -> Measured<Push> {
    let postgresql = Postgresql::start()?;
    Ok(Box::new(move |time| postgresql.push(HEAVY.0, HEAVY.1, time)))
}
