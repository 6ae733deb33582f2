//! Many subscribers in one thread, cheap enough to share two cores with what they measure.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Token, Waker};

use super::Measured;
use super::http::head_end;
use super::http2::{self, Http2};
use super::poller::Poller;
use super::reader::Reader;
use super::relay::Relay;
use super::wire::Wire;

/// Events that may be under way at once, their starts remembered.
pub const UNDER_WAY: usize = 64;
const BUFFER: usize = 64 * 1024;
const STOP: Token = Token(usize::MAX);
const PATIENCE: Duration = Duration::from_secs(60);

/// How a subscriber gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Stream,
    Poll,
}

/// What a subscriber makes of what it is sent.
pub trait Ear: Send {
    /// Hears a piece, and tells of each number in it. Gives what is to be asked next, where something is.
    fn hear(&mut self, piece: &[u8], each: &mut dyn FnMut(u64)) -> Measured<Option<Vec<u8>>>;
}

/// What the pusher tells the crowd.
#[derive(Debug)]
struct Shared {
    born: Instant,
    /// When each event was pushed, in nanoseconds of the crowd's life, by its number.
    starts: [AtomicU64; UNDER_WAY],
    /// The number that all of them wait for.
    goal: AtomicU64,
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn start_of(&self, number: u64) -> &AtomicU64 {
        &self.starts[number as usize % UNDER_WAY]
    }
}

/// Subscribers of one meet, each with a connection of its own; gone when dropped.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    stop: Waker,
    arrivals: Receiver<Measured<Vec<f32>>>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// Seats so many subscribers and listens. Their streams start behind `head`.
    pub fn open(relay: &dyn Relay, way: Way, size: usize, head: u64) -> Measured<Crowd> {
        Seats::take(relay, way, size, head)?.listen(0)
    }

    /// Says that what ends with this number is about to be pushed.
    pub fn expect(&self, last: u64) {
        self.shared.goal.store(last, Ordering::Release);
    }

    /// Says that an event is being pushed now.
    pub fn started(&self, number: u64) {
        self.shared.start_of(number).store(self.shared.now(), Ordering::Release);
    }

    /// Waits until everyone has what was expected; gives the microseconds from each push to each subscriber.
    pub fn arrived(&self) -> Measured<Vec<f32>> {
        self.arrivals.recv_timeout(PATIENCE).map_err(|_| "an event did not come to everyone")?
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.stop.wake();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Subscribers that do not listen yet.
pub struct Seats(Vec<Subscriber>);

impl Seats {
    pub fn take(relay: &dyn Relay, way: Way, size: usize, head: u64) -> Measured<Seats> {
        let seat = |nth| match way {
            Way::Stream => Subscriber::follow(relay, nth, head),
            Way::Poll => Subscriber::poll(relay, nth, head),
        };
        let named = |nth| seat(nth).map_err(|fault| format!("subscriber {nth} of {}: {fault}", relay.name()).into());
        Ok(Seats((0..size).map(named).collect::<Measured<_>>()?))
    }

    /// Reads what there is and what comes, in a thread of its own. `goal` is the number of the last event that is under way.
    pub fn listen(self, goal: u64) -> Measured<Crowd> {
        let Seats(subscribers) = self;
        let poll = mio::Poll::new()?;
        let stop = Waker::new(poll.registry(), STOP)?;
        for (nth, subscriber) in subscribers.iter().enumerate() {
            poll.registry().register(&mut SourceFd(&subscriber.wire.socket().as_raw_fd()), Token(nth), Interest::READABLE)?;
        }
        let shared = Shared { born: Instant::now(), starts: std::array::from_fn(|_| AtomicU64::new(0)), goal: AtomicU64::new(goal) };
        let (shared, (told, arrivals)) = (Arc::new(shared), channel());
        let mut watch = Watch { subscribers, shared: Arc::clone(&shared), told, arrived: 0, latencies: Vec::new() };
        let thread = std::thread::spawn(move || {
            if let Err(fault) = watch.run(poll) {
                let _ = watch.told.send(Err(fault));
            }
        });
        Ok(Crowd { shared, stop, arrivals, thread: Some(thread) })
    }
}

struct Subscriber {
    wire: Wire,
    ear: Box<dyn Ear>,
}

impl Subscriber {
    fn follow(relay: &dyn Relay, nth: usize, head: u64) -> Measured<Subscriber> {
        if let Some(wire) = relay.http2_wire()? {
            return Subscriber::follow_by_http2(wire, &relay.subscription(nth), head);
        }
        let mut wire = relay.wire()?;
        wire.socket().set_read_timeout(Some(PATIENCE))?;
        wire.write_all(relay.subscription(nth).as_bytes())?;
        let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
        let end = loop {
            match wire.read(&mut piece)? {
                0 => return Err("the connection was closed before an answer".into()),
                length => seen.extend_from_slice(&piece[..length]),
            }
            if let Some(end) = head_end(&seen) {
                break end;
            }
        };
        if !seen.starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&seen).into());
        }
        let mut reader = Reader::new(head + 1);
        reader.take(&seen[end..], |_| {})?;
        Subscriber::new(wire, Box::new(reader))
    }

    fn follow_by_http2(mut wire: Wire, request: &str, head: u64) -> Measured<Subscriber> {
        wire.socket().set_read_timeout(Some(PATIENCE))?;
        wire.write_all(&http2::opening(request)?)?;
        let (mut ear, mut piece) = (Http2::new(Reader::new(head + 1)), [0; 4096]);
        while !ear.is_answered() {
            match wire.read(&mut piece)? {
                0 => return Err("the connection was closed before an answer".into()),
                length => {
                    let said = ear.hear(&piece[..length], &mut |_| {})?;
                    said.map(|said| wire.write_all(&said)).transpose()?;
                }
            }
        }
        Subscriber::new(wire, Box::new(ear))
    }

    fn poll(relay: &dyn Relay, nth: usize, head: u64) -> Measured<Subscriber> {
        let mut wire = relay.wire()?;
        let poller = Poller::new(relay.polls(nth).ok_or("nobody polls there")?, head);
        wire.write_all(poller.next_request("").as_bytes())?;
        Subscriber::new(wire, Box::new(poller))
    }

    fn new(wire: Wire, ear: Box<dyn Ear>) -> Measured<Subscriber> {
        wire.socket().set_nonblocking(true)?;
        Ok(Subscriber { wire, ear })
    }
}

/// The thread's own.
struct Watch {
    subscribers: Vec<Subscriber>,
    shared: Arc<Shared>,
    told: Sender<Measured<Vec<f32>>>,
    /// Subscribers that have what everyone waits for.
    arrived: usize,
    latencies: Vec<f32>,
}

impl Watch {
    fn run(&mut self, mut poll: mio::Poll) -> Measured<()> {
        let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; BUFFER]);
        loop {
            match poll.poll(&mut events, None) {
                Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                if event.token() == STOP {
                    return Ok(());
                }
                self.read(event.token().0, &mut buffer).map_err(|fault| format!("subscriber {}: {fault}", event.token().0))?;
            }
            if self.arrived == self.subscribers.len() && self.arrived > 0 {
                self.arrived = 0;
                let _ = self.told.send(Ok(std::mem::take(&mut self.latencies)));
            }
        }
    }

    /// Reads all that there is. A short read has emptied the socket, so nobody asks it twice.
    fn read(&mut self, nth: usize, buffer: &mut [u8]) -> Measured<()> {
        let Watch { subscribers, shared, arrived, latencies, .. } = self;
        let Subscriber { wire, ear } = &mut subscribers[nth];
        let mut length = buffer.len();
        while length == buffer.len() || wire.keeps_records() {
            length = match wire.read(buffer) {
                Ok(0) => return Err("the stream ended".into()),
                Ok(length) => length,
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(fault) => return Err(fault.into()),
            };
            let (now, goal) = (shared.now(), shared.goal.load(Ordering::Acquire));
            let next = ear.hear(&buffer[..length], &mut |number| {
                latencies.push(now.saturating_sub(shared.start_of(number).load(Ordering::Acquire)) as f32 / 1e3);
                *arrived += usize::from(number == goal);
            })?;
            if let Some(next) = next {
                wire.write_all(&next)?;
            }
        }
        Ok(())
    }
}
