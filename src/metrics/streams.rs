//! Who is connected, and how well readers keep up.

use std::sync::{Arc, OnceLock};

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
pub struct Connections(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: Each<Protocol, Gauge>,
    accepted: Counter,
    stalled: Counter,
    sent_away: Counter,
}

impl Connections {
    pub(super) fn register(registry: &mut Registry) -> Connections {
        let connections = Connections::default();
        let Counts { open, accepted, stalled, sent_away } = &*connections.0;
        registry.register("connections", "Open connections", open.clone());
        registry.register("connections_accepted", "Connections accepted", accepted.clone());
        registry.register("connections_stalled", "Connections cut because the other end accepted nothing for too long", stalled.clone());
        let help = "Connections without a token cut because there was no room for new ones";
        registry.register("connections_sent_away", help, sent_away.clone());
        connections
    }

    /// A connection was accepted; it counts as open until what is returned is dropped.
    pub fn accept(&self) -> OpenConnection {
        self.0.accepted.inc();
        self.0.open.of(Protocol::Silent).inc();
        OpenConnection { counts: Arc::clone(&self.0), protocol: OnceLock::new() }
    }

    /// A connection was cut because its other end accepted nothing.
    pub fn stalled(&self) {
        self.0.stalled.inc();
    }
}

/// A connection that is open.
#[derive(Debug)]
pub struct OpenConnection {
    counts: Arc<Counts>,
    /// Known from the first request on.
    protocol: OnceLock<Protocol>,
}

impl OpenConnection {
    /// A request came in this version of HTTP.
    pub fn speaks(&self, version: Version) {
        self.protocol.get_or_init(|| {
            let protocol = if version == Version::HTTP_2 { Protocol::Http2 } else { Protocol::Http1 };
            self.counts.open.of(Protocol::Silent).dec();
            self.counts.open.of(protocol).inc();
            protocol
        });
    }

    /// It has to make room for another.
    pub fn sent_away(&self) {
        self.counts.sent_away.inc();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counts.open.of(self.protocol.get().copied().unwrap_or(Protocol::Silent)).dec();
    }
}

/// Streams and long-polls.
#[derive(Clone, Debug)]
pub struct Streams(Arc<Series>);

#[derive(Debug)]
struct Series {
    open: Each<(Transport, Role), Gauge>,
    opened: Each<(Transport, Role), Counter>,
    restarts: Each<Restart, Counter>,
    events: Each<Transport, Counter>,
    bytes: Each<Transport, Counter>,
    lag: Histogram,
}

impl Streams {
    pub(super) fn register(registry: &mut Registry) -> Streams {
        let series = Series {
            open: Each::default(),
            opened: Each::default(),
            restarts: Each::default(),
            events: Each::default(),
            bytes: Each::default(),
            lag: Histogram::counts(),
        };
        let Series { open, opened, restarts, events, bytes, lag } = &series;
        registry.register("streams", "Open streams, and long-polls that wait", open.clone());
        registry.register("streams_opened", "Streams opened, and long-polls that had to wait", opened.clone());
        registry.register("stream_restarts", "Reasons for which streams ended or had to start over", restarts.clone());
        registry.register("stream_events", "Events that streams were given to send, heartbeats included", events.clone());
        registry.register_with_unit("stream_sent", "Bytes that streams were given to send", Unit::Bytes, bytes.clone());
        let help = "Entries that a stream still lacked after each event that it was given to send";
        registry.register_with_unit("stream_lag", help, Unit::Other("entries".to_owned()), lag.clone());
        Streams(Arc::new(series))
    }

    /// A reader is served from now on, until what is returned is dropped.
    pub fn open(&self, transport: Transport, role: Role) -> Reader {
        let open = self.0.open.of((transport, role));
        open.inc();
        self.0.opened.of((transport, role)).inc();
        Reader(open.clone())
    }

    /// So many streams were given the same event of so many bytes to send, and lack so many entries after that.
    pub fn sent(&self, transport: Transport, streams: u64, bytes: usize, lag: u64) {
        let Series { events, bytes: sent, lag: lags, .. } = &*self.0;
        events.of(transport).inc_by(streams);
        sent.of(transport).inc_by(streams * bytes as u64);
        lags.observe_all(lag, streams);
    }

    /// The same for a stream, which sends events and may have to start over.
    pub fn open_stream(&self, transport: Transport, role: Role) -> Stream {
        Stream { _reader: self.open(transport, role), streams: self.clone(), transport, end: Restart::Gone }
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

/// An open stream. Everything that it counts by is a place in a table, so that an event costs some atomic additions.
#[derive(Debug)]
pub struct Stream {
    _reader: Reader,
    streams: Streams,
    transport: Transport,
    /// Why it ends, as far as is known.
    end: Restart,
}

impl Stream {
    /// It was given an event of so many bytes to send, and lacks so many entries after that.
    pub fn sent(&self, bytes: usize, lag: u64) {
        self.streams.sent(self.transport, 1, bytes, lag);
    }

    /// Its reader is told that the meet is finished, and stays.
    pub fn finished(&self) {
        self.streams.0.restarts.of(Restart::Finished).inc();
    }

    /// Its reader is told that it cannot just go on; other messages do not count.
    pub fn starts_over(&self, notice: &Message) {
        let why = match notice {
            Message::ServerPull(_) => Restart::ServerPull,
            Message::Reset(_) => Restart::Reset,
            _ => return,
        };
        self.streams.0.restarts.of(why).inc();
    }

    /// It ends for this reason; one that is dropped without any was left by its reader.
    pub fn ends(&mut self, why: Restart) {
        self.end = why;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.0.restarts.of(self.end).inc();
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
