//! Who is there: which clients are connected, when they were last heard, how far they have got.
//! Kept in memory only; it says nothing about what is stored.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::roster::{Holder, Location};
use crate::meet::limits::ONLINE_FOR;
use crate::meet::time::Timestamp;
use crate::meet::update::Writer;
use crate::wire::message::LocationInfo;

/// The readers and writers of one meet.
#[derive(Debug, Default)]
pub struct Presence {
    clients: Mutex<HashMap<Writer, Arc<Seen>>>,
    viewers: AtomicUsize,
    streams: Mutex<Streams>,
}

/// How far each open stream has got. A stream whose reader takes nothing is not asked for anything, so it
/// cannot say itself that it falls behind.
#[derive(Debug, Default)]
struct Streams {
    opened: u64,
    cursors: HashMap<u64, Arc<AtomicU64>>,
}

/// Shared with the streams of its client, so that an event costs them no look at the others.
#[derive(Debug)]
struct Seen {
    /// In milliseconds, as a [`Timestamp`] has them.
    at: AtomicI64,
    /// The number up to which the client has everything; [`UNKNOWN`] where nobody knows.
    cursor: AtomicU64,
    streams: AtomicUsize,
}

/// Above every sequence number.
const UNKNOWN: u64 = u64::MAX;

impl Default for Seen {
    fn default() -> Seen {
        Seen { at: AtomicI64::default(), cursor: AtomicU64::new(UNKNOWN), streams: AtomicUsize::default() }
    }
}

impl Seen {
    fn saw(&self, cursor: Option<u64>, now: Timestamp) {
        self.at.store(now.millis(), Ordering::Relaxed);
        if let Some(cursor) = cursor {
            self.cursor.store(cursor, Ordering::Relaxed);
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.at.load(Ordering::Relaxed))
    }

    fn cursor(&self) -> Option<u64> {
        Some(self.cursor.load(Ordering::Relaxed)).filter(|cursor| *cursor != UNKNOWN)
    }

    fn is_online(&self, now: Timestamp) -> bool {
        self.streams.load(Ordering::Relaxed) > 0 || now.since(self.at()) < ONLINE_FOR
    }
}

impl Presence {
    /// Somebody made a request at `now`, and has the log up to `cursor` where that is known.
    pub fn saw(&self, holder: &Holder, cursor: Option<u64>, now: Timestamp) {
        if let Holder::Editor { writer, .. } = holder {
            let mut clients = self.clients();
            match clients.get(writer) {
                Some(seen) => seen.saw(cursor, now),
                None => clients.entry(writer.clone()).or_default().saw(cursor, now),
            }
        }
    }

    /// Somebody opened a stream that starts at `cursor`, and that lasts as long as what is returned.
    pub fn stream(self: &Arc<Self>, holder: &Holder, cursor: u64) -> Stream {
        let reached = Arc::new(AtomicU64::new(cursor));
        let mut streams = self.streams();
        let number = streams.opened;
        streams.opened += 1;
        streams.cursors.insert(number, Arc::clone(&reached));
        Stream { connection: self.connect(holder), number, reached }
    }

    /// The cursor of the stream that is furthest behind, where there are any.
    pub fn slowest(&self) -> Option<u64> {
        self.streams().cursors.values().map(|cursor| cursor.load(Ordering::Relaxed)).min()
    }

    /// Somebody waits for news, as long as what is returned lasts.
    pub fn connect(self: &Arc<Self>, holder: &Holder) -> Connection {
        let client = match holder {
            Holder::Editor { writer, .. } => {
                let client = Arc::clone(self.clients().entry(writer.clone()).or_default());
                client.streams.fetch_add(1, Ordering::Relaxed);
                Some(client)
            }
            Holder::Viewer { .. } => {
                self.viewers.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        Connection { presence: Arc::clone(self), client }
    }

    /// Viewers with an open stream or a long-poll that waits. Who tries a stream beside a long-poll counts twice for as long: a view key
    /// may be on many screens, so the two could as well be two of them.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Every location with who is there now, seen from the head `head`.
    pub fn locations(&self, locations: &[Location], head: u64, now: Timestamp) -> Vec<LocationInfo> {
        let clients = self.clients();
        let info = |location: &Location| {
            let here = || clients.iter().filter(|(writer, _)| writer.location_name == location.location_name).map(|(_, seen)| seen);
            let online = here().any(|seen| seen.is_online(now));
            let counted = here().filter(|seen| !online || seen.is_online(now));
            LocationInfo {
                location_name: location.location_name.to_string(),
                priority: location.priority,
                online,
                last_seen_at: here().map(|seen| seen.at()).max(),
                behind_by: counted.filter_map(|seen| seen.cursor()).min().map(|cursor| head.saturating_sub(cursor)),
            }
        };
        locations.iter().map(info).collect()
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Writer, Arc<Seen>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who is there.
#[derive(Debug)]
pub struct Connection {
    presence: Arc<Presence>,
    /// `None` for a viewer.
    client: Option<Arc<Seen>>,
}

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    connection: Connection,
    number: u64,
    reached: Arc<AtomicU64>,
}

impl Stream {
    /// It has been sent everything up to `cursor`.
    pub fn sent(&self, cursor: u64, now: Timestamp) {
        self.reached.store(cursor, Ordering::Relaxed);
        if let Some(client) = &self.connection.client {
            client.saw(Some(cursor), now);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.presence.streams().cursors.remove(&self.number);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        match &self.client {
            None => self.presence.viewers.fetch_sub(1, Ordering::Relaxed),
            Some(client) => client.streams.fetch_sub(1, Ordering::Relaxed),
        };
    }
}
