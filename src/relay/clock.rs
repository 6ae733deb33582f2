//! The wall clock, which tests can move.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::meet::time::Timestamp;

/// Tells the time. Only timestamps and expiry depend on it, never the order of a log.
#[derive(Clone, Default)]
pub struct Clock {
    /// Milliseconds by which this clock is ahead of the system's.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// The instant now.
    pub fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let millis = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis.saturating_add(self.ahead.load(Ordering::Relaxed)))
    }

    /// Moves this clock, and all its clones, ahead of the system's; a negative number sets it back.
    pub fn set_ahead(&self, millis: i64) {
        self.ahead.store(millis, Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
