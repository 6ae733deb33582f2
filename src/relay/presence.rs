//! Who is there: which clients are connected, when they were last heard, how far they have got.
//! Kept in memory only; it says nothing about what is stored.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::roster::{Holder, Location};
use crate::meet::limits::ONLINE_FOR;
use crate::meet::time::Timestamp;
use crate::meet::update::Writer;
use crate::wire::message::LocationInfo;

/// The readers and writers of one meet.
#[derive(Debug, Default)]
pub struct Presence {
    clients: Mutex<HashMap<Writer, Seen>>,
    viewers: AtomicUsize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    at: Timestamp,
    /// The number up to which the client has everything, as far as is known.
    cursor: Option<u64>,
    streams: usize,
}

impl Seen {
    fn is_online(&self, now: Timestamp) -> bool {
        self.streams > 0 || now.since(self.at) < ONLINE_FOR
    }
}

impl Presence {
    /// Somebody made a request at `now`, and has the log up to `cursor` where that is known.
    pub fn saw(&self, holder: &Holder, cursor: Option<u64>, now: Timestamp) {
        if let Holder::Editor { writer, .. } = holder {
            let mut clients = self.clients();
            let seen = clients.entry(writer.clone()).or_default();
            seen.at = now;
            seen.cursor = cursor.or(seen.cursor);
        }
    }

    /// Somebody opened a stream, which lasts as long as what is returned.
    pub fn connect(self: &Arc<Self>, holder: &Holder) -> Connection {
        let writer = match holder {
            Holder::Editor { writer, .. } => {
                self.clients().entry(writer.clone()).or_default().streams += 1;
                Some(writer.clone())
            }
            Holder::Viewer { .. } => {
                self.viewers.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        Connection { presence: Arc::clone(self), writer }
    }

    /// Viewers with an open stream.
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
                last_seen_at: here().map(|seen| seen.at).max(),
                behind_by: counted.filter_map(|seen| seen.cursor).min().map(|cursor| head.saturating_sub(cursor)),
            }
        };
        locations.iter().map(info).collect()
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Writer, Seen>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open stream.
#[derive(Debug)]
pub struct Connection {
    presence: Arc<Presence>,
    /// `None` for a viewer.
    writer: Option<Writer>,
}

impl Connection {
    /// The stream has been sent everything up to `cursor`.
    pub fn sent(&self, cursor: u64, now: Timestamp) {
        let Some(writer) = &self.writer else { return };
        if let Some(seen) = self.presence.clients().get_mut(writer) {
            seen.at = now;
            seen.cursor = Some(cursor);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        match &self.writer {
            None => {
                self.presence.viewers.fetch_sub(1, Ordering::Relaxed);
            }
            Some(writer) => {
                if let Some(seen) = self.presence.clients().get_mut(writer) {
                    seen.streams = seen.streams.saturating_sub(1);
                }
            }
        }
    }
}
