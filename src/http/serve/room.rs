//! Room for connections: a cap that may be moved while it is used.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::Version;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::warn;

use crate::meet::limits::{CONNECTIONS_MAX, DESCRIPTORS_RESERVED};
use crate::metrics::OpenConnection;

/// Below this the operator should know that the system allows little: a hall has some hundreds of connections.
const FEW: usize = CONNECTIONS_MAX.get() / 4;

/// How many connections there may be at once.
#[derive(Debug)]
pub struct Room {
    places: Arc<Semaphore>,
    size: Mutex<usize>,
}

impl Room {
    /// Room for as many connections as wanted, or as the system gives descriptors for, some kept back so that disks go on working.
    pub fn new(wanted: usize) -> Room {
        let size = allowed(wanted);
        Room { places: Arc::new(Semaphore::new(size)), size: Mutex::new(size) }
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

    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.places).acquire_owned().await
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
}

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit, tracked: TaskTrackerToken, counted: OpenConnection) -> Place {
        Place { held: Arc::new(Held { _permit: permit, _tracked: tracked, counted }) }
    }

    /// A request came in this version of HTTP.
    pub(super) fn speaks(&self, version: Version) {
        self.held.counted.speaks(version);
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
