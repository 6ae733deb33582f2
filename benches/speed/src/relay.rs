//! What all that relay have in common, and a round of work for one of them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Measured;
use super::crowd::Crowd;
use super::fsync::Disk;
use super::http::Http;
use super::process::Process;

/// Where an event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The one that the crowd follows.
    Crowd,
    /// One that nobody follows: what a push costs by itself.
    Nobody,
}

/// Something that passes on what is pushed to it.
pub trait Relay {
    fn name(&self) -> &'static str;
    fn address(&self) -> SocketAddr;
    fn process(&self) -> &Process;
    /// The request by which somebody subscribes; `nth` tells whose token it is.
    fn subscription(&self, nth: usize) -> String;
    /// The request that pushes an event, which is relayed under that number.
    fn publication(&self, channel: Channel, number: u64) -> String;
}

/// A relay and its crowd.
pub struct Contestant<R> {
    pub relay: R,
    size: usize,
    /// Stays from round to round, where there are descriptors enough for the crowds of all contestants.
    crowd: Option<Crowd>,
    /// Asked to keep a line after each burst: what a durable answer cannot do without, at the same time on the same disk.
    disk: Option<Disk>,
    heads: [u64; 2],
    /// Memory that each subscriber has cost, in bytes.
    pub memory: f64,
}

/// What a round has shown.
#[derive(Debug)]
pub struct Round {
    /// Nanoseconds of the server's processor time for each delivery.
    pub cpu: f64,
    /// The same without what the pushes cost where nobody follows.
    pub cpu_alone: f64,
    /// Microseconds from each push to each subscriber.
    pub latencies: Vec<f32>,
    /// How long each push waited for its answer, in microseconds.
    pub answers: Vec<f64>,
    /// How long a bare append took beside each burst, in microseconds.
    pub appends: Vec<f64>,
}

/// How much a round does.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub bursts: usize,
    /// Pushes of a burst, back to back; the next one waits until everyone has it.
    pub burst: usize,
}

/// What some pushes have shown.
#[derive(Default)]
struct Pushes {
    cpu: Duration,
    latencies: Vec<f32>,
    answers: Vec<f64>,
    appends: Vec<f64>,
}

impl<R: Relay> Contestant<R> {
    /// Brings so many subscribers.
    pub fn new(relay: R, size: usize) -> Measured<Contestant<R>> {
        let before = relay.process().memory()?;
        let crowd = Crowd::open(&relay, size, 0)?;
        let memory = (relay.process().memory()? as f64 - before as f64) / size as f64;
        let crowd = keeps(size).then_some(crowd);
        Ok(Contestant { relay, size, crowd, disk: None, heads: [0, 0], memory })
    }

    /// Measures a bare append in that folder beside each burst.
    pub fn beside(self, folder: &Path) -> Measured<Contestant<R>> {
        Ok(Contestant { disk: Some(Disk::new(folder)?), ..self })
    }

    pub fn round(&mut self, work: Work) -> Measured<Round> {
        self.round_of(work).map_err(|fault| format!("{}: {fault}", self.relay.name()).into())
    }

    fn round_of(&mut self, work: Work) -> Measured<Round> {
        let crowd = match self.crowd.take() {
            Some(crowd) => crowd,
            None => Crowd::open(&self.relay, self.size, self.heads[Channel::Crowd as usize])?,
        };
        let alone = self.pushes(None, work)?;
        let seen = self.pushes(Some(&crowd), work)?;
        self.crowd = keeps(self.size).then_some(crowd);
        let deliveries = (work.bursts * work.burst * self.size) as f64;
        let each = |cpu: Duration| cpu.as_nanos() as f64 / deliveries;
        let cpu_alone = each(seen.cpu.saturating_sub(alone.cpu));
        Ok(Round { cpu: each(seen.cpu), cpu_alone, latencies: seen.latencies, answers: seen.answers, appends: seen.appends })
    }

    /// Pushes to the crowd, or where nobody follows.
    fn pushes(&mut self, crowd: Option<&Crowd>, work: Work) -> Measured<Pushes> {
        let mut pusher = Http::connect(self.relay.address())?;
        let channel = if crowd.is_some() { Channel::Crowd } else { Channel::Nobody };
        let mut seen = Pushes::default();
        let before = self.relay.process().cpu()?;
        for _ in 0..work.bursts {
            let head = &mut self.heads[channel as usize];
            let numbers = *head + 1..=*head + work.burst as u64;
            *head += work.burst as u64;
            crowd.inspect(|crowd| crowd.expect(*head));
            for number in numbers {
                let request = self.relay.publication(channel, number);
                crowd.inspect(|crowd| crowd.started(number));
                let started = Instant::now();
                pusher.send(&request)?.granted()?;
                seen.answers.push(started.elapsed().as_nanos() as f64 / 1e3);
            }
            if let Some(crowd) = crowd {
                seen.latencies.extend(crowd.arrived()?);
                seen.appends.extend(self.disk.as_mut().map(Disk::append).transpose()?);
            }
        }
        seen.cpu = self.relay.process().cpu()? - before;
        Ok(seen)
    }
}

/// Whether the crowds of three contestants may stay open at once.
fn keeps(size: usize) -> bool {
    let (allowed, _) = rlimit::Resource::NOFILE.get().unwrap_or_default();
    allowed > 4 * size as u64
}
