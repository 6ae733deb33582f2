//! Readers that take nothing: what the others feel, what the server holds for them, and whether they catch up.

use super::Measured;
use super::crowd::{Crowd, Seats, Way};
use super::http::Http;
use super::plan::Plan;
use super::product::Product;
use super::relay::Relay;
use super::table::Target::AtMost;
use super::table::{Row, Table, median, percentile};

const READERS: usize = 150;
const STALLED: usize = 50;
/// Bytes that fill every buffer between the server and a reader who has stalled: 16 MB, in events of this size.
const FLOOD: usize = 160;
const LARGE: usize = 100_000;
/// Small events behind the flood, whose latencies count.
const SMALL: usize = 100;
/// Bytes of a small event's value.
const LITTLE: usize = 10;
/// What the ring of a meet may hold, in MB.
const RING: f64 = 1.0;

/// What was seen with or without stalled readers.
struct Seen {
    /// Microseconds below which 99 of 100 small events came to those who read.
    p99: f64,
    /// What the server's memory grew by, in MB, before anyone caught up.
    growth: f64,
}

pub fn measure(plan: &Plan, table: &mut Table) -> Measured<()> {
    let (mut p99, mut growth, mut details) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds().min(5) {
        let (all, some) = (Hall::fill(false)?.events()?, Hall::fill(true)?.events()?);
        p99.push(some.p99 / all.p99);
        growth.push(some.growth - all.growth);
        details.push((all, some));
    }
    let of = |of: fn(&(Seen, Seen)) -> f64| median(details.iter().map(of));
    let all = READERS + STALLED;
    let detail = format!("{:.1} → {:.1} ms; the stalled ones then caught up without a gap", of(|d| d.0.p99) / 1e3, of(|d| d.1.p99) / 1e3);
    table.add(&Row::new(format!("{STALLED} stalled readers among {all}: p99 of the others"), median(p99), "×", AtMost(1.5), detail));
    let detail =
        format!("growth {:.1} → {:.1} MB over a flood of {} MB", of(|d| d.0.growth), of(|d| d.1.growth), FLOOD * LARGE / 1_000_000);
    table.add(&Row::new(format!("{STALLED} stalled readers among {all}: memory for them"), median(growth), "MB", AtMost(RING), detail));
    Ok(())
}

/// A server, those who read, and those who may not.
struct Hall {
    server: Product,
    readers: Crowd,
    others: Others,
    head: u64,
}

enum Others {
    Reading(Crowd),
    Stalled(Seats),
}

impl Hall {
    fn fill(stalled: bool) -> Measured<Hall> {
        let server = Product::start(READERS + STALLED, "")?;
        let readers = Crowd::open(&server, Way::Stream, READERS, 0)?;
        let seats = Seats::take(&server, Way::Stream, STALLED, 0)?;
        let others = if stalled { Others::Stalled(seats) } else { Others::Reading(seats.listen(0)?) };
        Ok(Hall { server, readers, others, head: 0 })
    }

    fn events(mut self) -> Measured<Seen> {
        let before = self.server.process().memory()?;
        let mut pusher = Http::connect(self.server.address())?;
        for _ in 0..FLOOD {
            self.push(&mut pusher, LARGE)?;
        }
        let mut latencies = Vec::new();
        for _ in 0..SMALL {
            latencies.extend(self.push(&mut pusher, LITTLE)?);
        }
        let growth = (self.server.process().memory()? as f64 - before as f64) / 1e6;
        if let Others::Stalled(seats) = self.others {
            seats.listen(self.head)?.arrived()?;
        }
        Ok(Seen { p99: percentile(latencies.into_iter().map(f64::from), 0.99), growth })
    }

    /// Pushes an event and waits until it has come to all who read.
    fn push(&mut self, pusher: &mut Http, bytes: usize) -> Measured<Vec<f32>> {
        self.head += 1;
        let reading = match &self.others {
            Others::Reading(crowd) => Some(crowd),
            Others::Stalled(_) => None,
        };
        self.readers.expect(self.head);
        reading.inspect(|crowd| crowd.expect(self.head));
        self.readers.started(self.head);
        pusher.send(&self.server.push_of(self.head, bytes))?.granted()?;
        let latencies = self.readers.arrived()?;
        reading.map(Crowd::arrived).transpose()?;
        Ok(latencies)
    }
}
