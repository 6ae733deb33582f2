//! Who is connected, and how well readers keep up.

use std::sync::OnceLock;

use http::Version;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::wire::message::{EndReason, Message};
use crate::wire::stream::Format;

use super::histogram::Histogram;
use super::label::{Each, Protocol, Restart, Role, Transport};

/// Connections of the listeners.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    open: Each<Protocol, Gauge>,
    accepted: Counter,
    stalled: Counter,
    sent_away: Counter,
}

impl Connections {
    pub(super) fn register(registry: &mut Registry) -> Connections {
        let connections = Connections::default();
        let Connections { open, accepted, stalled, sent_away } = &connections;
        registry.register("connections", "Open connections", open.clone());
        registry.register("connections_accepted", "Connections accepted", accepted.clone());
        registry.register("connections_stalled", "Connections cut because the other end accepted nothing for too long", stalled.clone());
        let help = "Connections without a token cut because there was no room for new ones";
        registry.register("connections_sent_away", help, sent_away.clone());
        connections
    }

    /// A connection was accepted; it counts as open until what is returned is dropped.
    pub fn accept(&self) -> OpenConnection {
        self.accepted.inc();
        self.open.of(Protocol::Silent).inc();
        OpenConnection { open: self.open.clone(), protocol: OnceLock::new(), sent_away: self.sent_away.clone() }
    }

    /// A connection was cut because its other end accepted nothing.
    pub fn stalled(&self) {
        self.stalled.inc();
    }
}

/// A connection that is open.
#[derive(Debug)]
pub struct OpenConnection {
    open: Each<Protocol, Gauge>,
    /// Known from the first request on.
    protocol: OnceLock<Protocol>,
    sent_away: Counter,
}

impl OpenConnection {
    /// A request came in this version of HTTP.
    pub fn speaks(&self, version: Version) {
        self.protocol.get_or_init(|| {
            let protocol = if version == Version::HTTP_2 { Protocol::Http2 } else { Protocol::Http1 };
            self.open.of(Protocol::Silent).dec();
            self.open.of(protocol).inc();
            protocol
        });
    }

    /// It has to make room for another.
    pub fn sent_away(&self) {
        self.sent_away.inc();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.open.of(self.protocol.get().copied().unwrap_or(Protocol::Silent)).dec();
    }
}

/// Streams and long-polls.
#[derive(Clone, Debug)]
pub struct Streams {
    open: Each<(Transport, Role), Gauge>,
    opened: Each<(Transport, Role), Counter>,
    restarts: Each<Restart, Counter>,
    events: Each<Transport, Counter>,
    bytes: Each<Transport, Counter>,
    lag: Histogram,
}

impl Streams {
    pub(super) fn register(registry: &mut Registry) -> Streams {
        let streams = Streams {
            open: Each::default(),
            opened: Each::default(),
            restarts: Each::default(),
            events: Each::default(),
            bytes: Each::default(),
            lag: Histogram::counts(),
        };
        let Streams { open, opened, restarts, events, bytes, lag } = &streams;
        registry.register("streams", "Open streams, and long-polls that wait", open.clone());
        registry.register("streams_opened", "Streams opened, and long-polls that had to wait", opened.clone());
        registry.register("stream_restarts", "Reasons for which streams ended or had to start over", restarts.clone());
        registry.register("stream_events", "Events that streams were given to send, heartbeats included", events.clone());
        registry.register_with_unit("stream_sent", "Bytes that streams were given to send", Unit::Bytes, bytes.clone());
        let help = "Entries that a stream still lacked after each event that it was given to send";
        registry.register_with_unit("stream_lag", help, Unit::Other("entries".to_owned()), lag.clone());
        streams
    }

    /// A reader is served from now on, until what is returned is dropped.
    pub fn open(&self, transport: Transport, role: Role) -> Reader {
        let (open, opened) = (self.open.of((transport, role)), self.opened.of((transport, role)));
        open.inc();
        opened.inc();
        Reader(open.clone())
    }

    /// So many streams were given the same event of so many bytes to send, and lack so many entries after that.
    pub fn sent(&self, transport: Transport, streams: u64, bytes: usize, lag: u64) {
        self.events.of(transport).inc_by(streams);
        self.bytes.of(transport).inc_by(streams * bytes as u64);
        self.lag.observe_all(lag, streams);
    }

    /// The same for a stream, which sends events and may have to start over.
    pub fn open_stream(&self, transport: Transport, role: Role) -> Stream {
        Stream {
            _reader: self.open(transport, role),
            events: self.events.of(transport).clone(),
            bytes: self.bytes.of(transport).clone(),
            lag: self.lag.clone(),
            restarts: self.restarts.clone(),
            end: Restart::Gone,
        }
    }
}

/// A reader that is being served.
#[derive(Debug)]
pub struct Reader(Gauge);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// An open stream. Everything that it counts by is looked up once, so that an event costs some atomic additions.
#[derive(Debug)]
pub struct Stream {
    _reader: Reader,
    events: Counter,
    bytes: Counter,
    lag: Histogram,
    restarts: Each<Restart, Counter>,
    /// Why it ends, as far as is known.
    end: Restart,
}

impl Stream {
    /// It was given an event of so many bytes to send, and lacks so many entries after that.
    pub fn sent(&self, bytes: usize, lag: u64) {
        self.events.inc();
        self.bytes.inc_by(bytes as u64);
        self.lag.observe(lag);
    }

    /// Its reader is told that the meet is finished, and stays.
    pub fn finished(&self) {
        self.restarts.of(Restart::Finished).inc();
    }

    /// Its reader is told that it cannot just go on; other messages do not count.
    pub fn starts_over(&self, notice: &Message) {
        let why = match notice {
            Message::ServerPull(_) => Restart::ServerPull,
            Message::Reset(_) => Restart::Reset,
            _ => return,
        };
        self.restarts.of(why).inc();
    }

    /// It ends for this reason; one that is dropped without any was left by its reader.
    pub fn ends(&mut self, why: Restart) {
        self.end = why;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.restarts.of(self.end).inc();
    }
}

impl From<EndReason> for Restart {
    fn from(reason: EndReason) -> Restart {
        match reason {
            EndReason::Finished => Restart::Finished,
            EndReason::Expired => Restart::Expired,
            EndReason::Revoked => Restart::Revoked,
            EndReason::Shutdown => Restart::Shutdown,
        }
    }
}

impl From<Format> for Transport {
    fn from(format: Format) -> Transport {
        match format {
            Format::Sse => Transport::Sse,
            Format::Ndjson => Transport::Ndjson,
        }
    }
}
