//! Many subscribers in one thread, cheap enough to share two cores with what they measure.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};

use super::Measured;
use super::http::head_end;
use super::reader::Reader;
use super::relay::Relay;

/// Events that may be under way at once, their starts remembered.
pub const UNDER_WAY: usize = 64;
const BUFFER: usize = 64 * 1024;
const STOP: Token = Token(usize::MAX);
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// Subscribes so many times. Their streams start behind `head`.
    pub fn open(relay: &dyn Relay, size: usize, head: u64) -> Measured<Crowd> {
        let poll = Poll::new()?;
        let stop = Waker::new(poll.registry(), STOP)?;
        let mut subscribers = Vec::with_capacity(size);
        for nth in 0..size {
            let mut subscriber =
                Subscriber::open(relay, nth, head).map_err(|fault| format!("subscriber {nth} of {}: {fault}", relay.name()))?;
            poll.registry().register(&mut subscriber.stream, Token(nth), Interest::READABLE)?;
            subscribers.push(subscriber);
        }
        let shared = Shared { born: Instant::now(), starts: std::array::from_fn(|_| AtomicU64::new(0)), goal: AtomicU64::new(0) };
        let (shared, (told, arrivals)) = (Arc::new(shared), channel());
        let mut watch = Watch { subscribers, shared: Arc::clone(&shared), told, arrived: 0, latencies: Vec::new() };
        let thread = std::thread::spawn(move || {
            if let Err(fault) = watch.run(poll) {
                let _ = watch.told.send(Err(fault));
            }
        });
        Ok(Crowd { shared, stop, arrivals, thread: Some(thread) })
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

#[derive(Debug)]
struct Subscriber {
    stream: mio::net::TcpStream,
    reader: Reader,
}

impl Subscriber {
    fn open(relay: &dyn Relay, nth: usize, head: u64) -> Measured<Subscriber> {
        let mut stream = TcpStream::connect(relay.address())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(relay.subscription(nth).as_bytes())?;
        let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
        let end = loop {
            match stream.read(&mut piece)? {
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
        stream.set_nonblocking(true)?;
        Ok(Subscriber { stream: mio::net::TcpStream::from_std(stream), reader })
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
    fn run(&mut self, mut poll: Poll) -> Measured<()> {
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
        let Subscriber { stream, reader } = &mut subscribers[nth];
        let mut length = buffer.len();
        while length == buffer.len() {
            length = match stream.read(buffer) {
                Ok(0) => return Err("the stream ended".into()),
                Ok(length) => length,
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(fault) => return Err(fault.into()),
            };
            let (now, goal) = (shared.now(), shared.goal.load(Ordering::Acquire));
            reader.take(&buffer[..length], |number| {
                latencies.push(now.saturating_sub(shared.start_of(number).load(Ordering::Acquire)) as f32 / 1e3);
                *arrived += usize::from(number == goal);
            })?;
        }
        Ok(())
    }
}
