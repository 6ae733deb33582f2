//! Bare loop, server and nchan with the same crowd, taking turns at the same pushes.

use tempfile::TempDir;

use super::Measured;
use super::bare::Bare;
use super::crowd::Way;
use super::nginx::Nginx;
use super::plan::Plan;
use super::product::{Product, folder};
use super::relay::{Contestant, Round, Work};
use super::table::{Row, Target, median, percentile};

pub struct Contest {
    pub product: Contestant<Product>,
    /// Where there is something to compare with: it knows streams only.
    bare: Option<Contestant<Bare>>,
    nchan: Result<Contestant<Nginx>, String>,
    _folder: TempDir,
}

/// What the rounds have shown, in their order.
#[derive(Default)]
pub struct Seen {
    pub product: Vec<Round>,
    pub bare: Vec<Round>,
    pub nchan: Vec<Round>,
    /// Why there is nothing of nchan's.
    missing: Option<String>,
}

impl Contest {
    /// Everyone with a crowd of its own. Subscribers of the server ask for their stream with `query`.
    pub fn open(way: Way, size: usize, query: &'static str) -> Measured<Contest> {
        Contest::of(Product::start(size, query)?, way, size)
    }

    /// The same with a server that is there.
    pub fn of(product: Product, way: Way, size: usize) -> Measured<Contest> {
        let folder = folder()?;
        let length = product.event_length()?;
        let bare = (way == Way::Stream).then(|| Contestant::new(Bare::start(length)?, way, size)).transpose()?;
        let nchan = match Nginx::start(length) {
            Ok(nginx) => Ok(Contestant::new(nginx, way, size)?),
            Err(why) => Err(why.to_string()),
        };
        let product = Contestant::new(product, way, size)?.beside(folder.path())?;
        Ok(Contest { product, bare, nchan, _folder: folder })
    }

    pub fn rounds(&mut self, plan: &Plan, work: Work) -> Measured<Seen> {
        let mut seen = Seen { missing: self.nchan.as_ref().err().cloned(), ..Seen::default() };
        for _ in 0..plan.rounds() {
            if let Some(bare) = &mut self.bare {
                seen.bare.push(bare.round(work)?);
            }
            seen.product.push(self.product.round(work)?);
            if let Ok(nchan) = &mut self.nchan {
                seen.nchan.push(nchan.round(work)?);
            }
        }
        Ok(seen)
    }
}

impl Seen {
    /// Processor time of the deliveries against the bare loop. What the same pushes cost where nobody follows is taken off on both
    /// sides, for a durable push has rows of its own.
    pub fn against_bare(&self, work: String, limit: f64) -> Row {
        let total = ratio(&self.product, &self.bare, |round| round.cpu);
        let alone = ratio(&self.product, &self.bare, |round| round.cpu_alone);
        let (ours, theirs) = (cpu(&self.product), cpu(&self.bare));
        let detail = format!("{total:.2} × with its durable pushes: liftrelay {ours:.2} µs, bare {theirs:.2} µs");
        Row::new(work, alone, "× bare", Target::AtMost(limit), detail)
    }

    /// All processor time against nchan.
    pub fn against_nchan(&self, work: String, limit: f64) -> Row {
        if let Some(why) = &self.missing {
            return Row::missing(work, "× nchan", Target::AtMost(limit), why);
        }
        let detail = format!("liftrelay {:.2} µs, nchan {:.2} µs", cpu(&self.product), cpu(&self.nchan));
        Row::new(work, ratio(&self.product, &self.nchan, |round| round.cpu), "× nchan", Target::AtMost(limit), detail)
    }

    /// From push to subscriber, less what the disk takes to keep a line, against nchan, which keeps nothing.
    pub fn latency(&self, work: String, share: f64, limit: f64) -> Row {
        if let Some(why) = &self.missing {
            return Row::missing(work, "× nchan", Target::AtMost(limit), why);
        }
        let of =
            |rounds: &[Round]| median(rounds.iter().map(|round| percentile(round.latencies.iter().copied().map(f64::from), share))) / 1e3;
        let (ours, theirs, append) = (of(&self.product), of(&self.nchan), self.append());
        let detail = format!("liftrelay {ours:.2} ms, fdatasync {append:.2} ms, nchan {theirs:.2} ms and nothing durable");
        Row::new(work, (ours - append) / theirs, "× nchan", Target::AtMost(limit), detail)
    }

    /// Milliseconds until a push is answered, above what the disk takes to keep a line.
    pub fn answer(&self, work: String, limit: f64) -> Row {
        let (answer, append) = (median(self.product.iter().flat_map(|round| round.answers.iter().copied())) / 1e3, self.append());
        Row::new(work, answer - append, "ms", Target::AtMost(limit), format!("answer {answer:.2} ms, fdatasync {append:.2} ms"))
    }

    /// Milliseconds of a bare append.
    fn append(&self) -> f64 {
        median(self.product.iter().flat_map(|round| round.appends.iter().copied())) / 1e3
    }
}

/// The median of the ratios of rounds that came one after the other.
fn ratio(ours: &[Round], theirs: &[Round], of: fn(&Round) -> f64) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| of(ours) / of(theirs)))
}

/// Microseconds of processor time for a delivery.
fn cpu(rounds: &[Round]) -> f64 {
    median(rounds.iter().map(|round| round.cpu)) / 1e3
}
