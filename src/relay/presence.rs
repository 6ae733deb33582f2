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
    /// Places of some streams each; [`UNKNOWN`] where there is none.
    rows: Vec<Arc<Row>>,
    free: Vec<usize>,
}

type Row = [AtomicU64; ROW];

/// Places of a row: few enough for a meet with one reader, and many enough that the row costs each of a crowd next to nothing.
const ROW: usize = 16;

impl Streams {
    /// A place for one more.
    fn take(&mut self) -> (Arc<Row>, usize) {
        let place = self.free.pop().unwrap_or_else(|| {
            let first = self.rows.len() * ROW;
            self.rows.push(Arc::new([const { AtomicU64::new(UNKNOWN) }; ROW]));
            self.free.extend(first + 1..first + ROW);
            first
        });
        (Arc::clone(&self.rows[place / ROW]), place)
    }

    fn give_back(&mut self, place: usize) {
        self.free.push(place);
    }
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
        let (row, place) = self.streams().take();
        let stream = Stream { connection: self.connect(holder), row, place };
        stream.reached().store(cursor, Ordering::Relaxed);
        stream
    }

    /// The cursor of the stream that is furthest behind, where there are any.
    pub fn slowest(&self) -> Option<u64> {
        let streams = self.streams();
        let cursors = streams.rows.iter().flat_map(|row| row.iter()).map(|cursor| cursor.load(Ordering::Relaxed));
        cursors.min().filter(|cursor| *cursor != UNKNOWN)
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
    row: Arc<Row>,
    place: usize,
}

impl Stream {
    fn reached(&self) -> &AtomicU64 {
        &self.row[self.place % ROW]
    }

    /// It has been sent everything up to `cursor`.
    pub fn sent(&self, cursor: u64, now: Timestamp) {
        self.reached().store(cursor, Ordering::Relaxed);
        if let Some(client) = &self.connection.client {
            client.saw(Some(cursor), now);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reached().store(UNKNOWN, Ordering::Relaxed);
        self.connection.presence.streams().give_back(self.place);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_is_among_those_who_are_there() {
        let (presence, viewer) = (Arc::new(Presence::default()), Holder::Viewer { key_id: String::new() });
        let now = Timestamp::from_millis(0);
        assert_eq!(presence.slowest(), None);
        let mut streams: Vec<Stream> = (0..3 * ROW as u64).map(|nth| presence.stream(&viewer, 100 + nth)).collect();
        assert_eq!((presence.slowest(), presence.viewers()), (Some(100), 3 * ROW));
        streams[0].sent(200, now);
        assert_eq!(presence.slowest(), Some(101));
        streams.drain(..2 * ROW);
        assert_eq!((presence.slowest(), presence.viewers()), (Some(100 + 2 * ROW as u64), ROW));
        // Whoever comes sits where somebody left.
        let rows = presence.streams().rows.len();
        streams.extend((0..2 * ROW as u64).map(|nth| presence.stream(&viewer, 7 + nth)));
        assert_eq!((presence.slowest(), presence.streams().rows.len()), (Some(7), rows));
        drop(streams);
        assert_eq!((presence.slowest(), presence.viewers()), (None, 0));
    }
}
