//! What all that relay have in common, and a round of work for one of them.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Measured;
use super::crowd::{Crowd, Way};
use super::fsync::Disk;
use super::http::Http;
use super::poller::Polls;
use super::process::Process;
use super::wire::Wire;

/// Where an event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The one that the crowd follows.
    Crowd,
    /// One that nobody follows: what a push costs by itself.
    Nobody,
}

/// How long a server may be busy with what it has answered.
const SETTLING: Duration = Duration::from_millis(200);

/// How long a server may be busy with a crowd that has left.
const LEAVING: Duration = Duration::from_secs(1);

/// Something that passes on what is pushed to it.
pub trait Relay {
    fn name(&self) -> &'static str;
    fn address(&self) -> SocketAddr;
    fn process(&self) -> &Process;
    /// A new connection.
    fn wire(&self) -> Measured<Wire> {
        Wire::plain(self.address())
    }
    /// A new connection of HTTP/2, where subscribers speak that.
    fn http2_wire(&self) -> Measured<Option<Wire>> {
        Ok(None)
    }
    /// The request by which somebody subscribes; `nth` tells whose token it is.
    fn subscription(&self, nth: usize) -> String;
    /// The requests of somebody who polls, where that is possible.
    fn polls(&self, _nth: usize) -> Option<Polls> {
        None
    }
    /// The request that pushes an event, which is relayed under that number.
    fn publication(&self, channel: Channel, number: u64) -> String;
}

/// A relay and its crowd.
pub struct Contestant<R> {
    pub relay: R,
    way: Way,
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
    pub fn new(relay: R, way: Way, size: usize) -> Measured<Contestant<R>> {
        let before = relay.process().memory()?;
        let crowd = Crowd::open(&relay, way, size, 0)?;
        // What is done behind the last answer belongs to it.
        sleep(SETTLING);
        let memory = (relay.process().memory()? as f64 - before as f64) / size as f64;
        let mut contestant = Contestant { relay, way, size, crowd: None, disk: None, heads: [0, 0], memory };
        contestant.keep(crowd);
        Ok(contestant)
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
            None => Crowd::open(&self.relay, self.way, self.size, self.heads[Channel::Crowd as usize])?,
        };
        let alone = self.pushes(None, work)?;
        let seen = self.pushes(Some(&crowd), work)?;
        self.keep(crowd);
        let deliveries = (work.bursts * work.burst * self.size) as f64;
        let each = |cpu: Duration| cpu.as_nanos() as f64 / deliveries;
        let cpu_alone = each(seen.cpu.saturating_sub(alone.cpu));
        Ok(Round { cpu: each(seen.cpu), cpu_alone, latencies: seen.latencies, answers: seen.answers, appends: seen.appends })
    }

    /// Keeps a crowd for the next round, where crowds of three contestants may be there at once.
    fn keep(&mut self, crowd: Crowd) {
        let (allowed, _) = rlimit::Resource::NOFILE.get().unwrap_or_default();
        if allowed > 4 * self.size as u64 {
            self.crowd = Some(crowd);
        } else {
            drop(crowd);
            sleep(LEAVING);
        }
    }

    /// Pushes to the crowd, or where nobody follows.
    fn pushes(&mut self, crowd: Option<&Crowd>, work: Work) -> Measured<Pushes> {
        let mut pusher = Http::over(self.relay.wire()?)?;
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
        sleep(SETTLING);
        seen.cpu = self.relay.process().cpu()? - before;
        Ok(seen)
    }
}
