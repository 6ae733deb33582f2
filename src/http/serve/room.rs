//! Room for connections: a cap that may be moved while it is used, and of which some is kept for editors.
//!
//! Who asks is known only after a connection was accepted. So everybody comes in, as a **stranger**; where the room is full the stranger
//! who came first leaves for the next one, and whoever has shown a session's token is never sent away. Viewers stay as well, but take no
//! more than their share.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use axum::http::Version;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::warn;

use crate::meet::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_KEPT, DESCRIPTORS_RESERVED};
use crate::metrics::{OpenConnection, Role};
use crate::wire::problem::{Code, Problem};

/// Below this the operator should know that the system allows little: a hall has some hundreds of connections.
const FEW: usize = CONNECTIONS_MAX.get() / 4;

/// Time for somebody who was sent away to leave, before the next one is.
const LEAVING: Duration = Duration::from_millis(100);

/// How many connections there may be at once.
#[derive(Debug)]
pub struct Room {
    places: Arc<Semaphore>,
    size: Mutex<usize>,
    guests: Mutex<Guests>,
}

/// Who is in the room and no editor.
#[derive(Debug, Default)]
struct Guests {
    /// Everybody gets a number; a smaller one has been here longer.
    came: u64,
    /// Those who have shown no token, with what sends them away.
    strangers: BTreeMap<u64, CancellationToken>,
    viewers: usize,
}

impl Room {
    /// Room for as many connections as wanted, or as the system gives descriptors for, some kept back so that disks go on working.
    pub fn new(wanted: usize) -> Room {
        let size = allowed(wanted);
        Room { places: Arc::new(Semaphore::new(size)), size: Mutex::new(size), guests: Mutex::default() }
    }

    /// Makes more or less room. Where there is less than is taken nobody is sent away; nobody is let in until enough have left.
    pub fn resize(&self, wanted: usize) {
        let wanted = allowed(wanted);
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *size, wanted);
        if wanted >= before {
            self.places.add_permits(wanted - before);
            return;
        }
        let surplus = before - wanted;
        let taken = u32::try_from(surplus - self.places.forget_permits(surplus)).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.places);
        if taken > 0 {
            tokio::spawn(async move {
                if let Ok(left) = places.acquire_many(taken).await {
                    left.forget();
                }
            });
        }
    }

    /// How many connections there may be at once.
    pub fn size(&self) -> usize {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place for a newcomer. Where there is none, strangers leave until there is.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        let mut permit = pin!(Arc::clone(&self.places).acquire_owned());
        loop {
            let is_free = self.places.available_permits() > 0;
            if !is_free && !self.send_a_stranger_away() {
                return permit.await;
            }
            if let Ok(permit) = tokio::time::timeout(LEAVING, permit.as_mut()).await {
                return permit;
            }
        }
    }

    /// Tells the stranger who came first to leave, where there is one.
    fn send_a_stranger_away(&self) -> bool {
        let first = self.guests().strangers.pop_first();
        first.is_some_and(|(_, sent_away)| {
            sent_away.cancel();
            true
        })
    }

    /// How many viewers there may be.
    fn viewers_max(&self) -> usize {
        let size = self.size();
        size - size / CONNECTIONS_PER_KEPT
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many as wanted, where the system gives so many descriptors.
fn allowed(wanted: usize) -> usize {
    let descriptors = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(DESCRIPTORS_RESERVED);
    // Where the limit may not be raised, what there is must do.
    let given = rlimit::increase_nofile_limit(descriptors).or_else(|_| rlimit::Resource::NOFILE.get_soft());
    let given = given.unwrap_or(DESCRIPTORS_RESERVED * 2).saturating_sub(DESCRIPTORS_RESERVED);
    let room = usize::try_from(given).unwrap_or(usize::MAX).clamp(1, wanted.clamp(1, Semaphore::MAX_PERMITS));
    if room < wanted.min(FEW) {
        warn!(connections = room, "the system's limit on open files (ulimit -n) allows fewer connections than liftrelay would take");
    }
    room
}

/// A connection's place in the room. Whoever holds it, as a socket after an upgrade does, counts as a connection, and is
/// waited for when the server stops. Every request carries it in its extensions.
#[derive(Clone)]
pub(in crate::http) struct Place {
    held: Arc<Held>,
}

/// What is given back when the connection is over.
struct Held {
    _permit: OwnedSemaphorePermit,
    _tracked: TaskTrackerToken,
    counted: OpenConnection,
    room: Arc<Room>,
    number: u64,
    known: Mutex<Known>,
}

/// What a connection has shown of itself.
enum Known {
    /// No token yet; this sends it away.
    Stranger(CancellationToken),
    /// Whose token came last. Nobody sends it away any more.
    Holder(Role),
}

impl Place {
    pub(super) fn new(room: Arc<Room>, permit: OwnedSemaphorePermit, tracked: TaskTrackerToken, counted: OpenConnection) -> Place {
        let sent_away = CancellationToken::new();
        let number = {
            let mut guests = room.guests();
            let number = guests.came;
            guests.came += 1;
            guests.strangers.insert(number, sent_away.clone());
            number
        };
        let known = Mutex::new(Known::Stranger(sent_away));
        Place { held: Arc::new(Held { _permit: permit, _tracked: tracked, counted, room, number, known }) }
    }

    /// A request came in this version of HTTP.
    pub(super) fn speaks(&self, version: Version) {
        self.held.counted.speaks(version);
    }

    /// Waits until this connection has to make room for another.
    pub(in crate::http) async fn sent_away(&self) {
        let stranger = match &*self.known() {
            Known::Stranger(sent_away) => Some(sent_away.clone()),
            Known::Holder(_) => None,
        };
        match stranger {
            Some(sent_away) => sent_away.cancelled().await,
            None => std::future::pending().await,
        }
        self.held.counted.sent_away();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.held.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody showed a token that opens a meet. A proxy's connection carries one client after the other, so the last one counts.
    pub(in crate::http) fn shows(&self, role: Role) -> Result<(), Problem> {
        let Held { room, number, .. } = &*self.held;
        let mut known = self.known();
        if matches!(*known, Known::Holder(before) if before == role) {
            return Ok(());
        }
        let max = room.viewers_max();
        let mut guests = room.guests();
        match role {
            Role::Viewer if guests.viewers >= max => return Err(full(max)),
            Role::Viewer => guests.viewers += 1,
            Role::Editor if matches!(*known, Known::Holder(_)) => guests.viewers -= 1,
            Role::Editor => {}
        }
        guests.strangers.remove(number);
        *known = Known::Holder(role);
        Ok(())
    }
}

/// Not for long: displays come back by themselves.
fn full(max: usize) -> Problem {
    let detail = format!("{max} viewers are connected, and the other connections are kept for editors; try again in a moment");
    Problem::new(Code::Overloaded, detail).retry_after(10)
}

impl Drop for Held {
    fn drop(&mut self) {
        let known = self.known.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut guests = self.room.guests();
        match known {
            Known::Stranger(_) => drop(guests.strangers.remove(&self.number)),
            Known::Holder(Role::Viewer) => guests.viewers -= 1,
            Known::Holder(Role::Editor) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_grows_at_once_and_shrinks_as_connections_leave() {
        let room = Room::new(2);
        let (first, second) = (room.permit().await.unwrap(), room.permit().await.unwrap());
        room.resize(1);
        tokio::task::yield_now().await;
        assert_eq!(room.size(), 1);
        drop(first);
        tokio::task::yield_now().await;
        assert!(room.places.try_acquire().is_err(), "one is still taken, and there is room for one");
        room.resize(2);
        let third = room.places.try_acquire().unwrap();
        assert!(room.places.try_acquire().is_err());
        drop((second, third));
        room.resize(1);
        let only = room.places.try_acquire().unwrap();
        assert!(room.places.try_acquire().is_err());
        drop(only);
    }

    #[test]
    fn there_is_always_room_for_one() {
        assert_eq!(Room::new(0).size(), 1);
        assert!(Room::new(usize::MAX).size() >= 1);
    }
}
