//! Bells: who of many readers wants to be looked at, at the price of one small allocation each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use tokio::sync::Notify;

/// The bells of a lane's seats.
#[derive(Default)]
pub(super) struct Bells {
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    /// Where bells have rung. One of a reader that has left means nothing, and whoever sits there now is looked at in vain.
    places: Mutex<Vec<usize>>,
    rung: Notify,
}

impl Desk {
    fn places(&self) -> MutexGuard<'_, Vec<usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Bell {
    place: usize,
    desk: Arc<Desk>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.desk.places().push(self.place);
        self.desk.rung.notify_one();
    }
}

impl Bells {
    /// What rings for a place.
    pub(super) fn bell(&self, place: usize) -> Waker {
        Waker::from(Arc::new(Bell { place, desk: Arc::clone(&self.desk) }))
    }

    /// Waits for a bell.
    pub(super) async fn rung(&self) {
        self.desk.rung.notified().await;
    }

    /// Where bells have rung since this was last asked.
    pub(super) fn answer(&self) -> Vec<usize> {
        std::mem::take(&mut *self.desk.places())
    }
}
