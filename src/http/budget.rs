//! Room in memory for bodies and messages that have not arrived whole, shared by all connections: whoever sends half of
//! something large, many times over, must not fill the server.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::meet::limits::{UNFINISHED_FREE_BYTES, UNFINISHED_MAX_BYTES};
use crate::wire::problem::{Code, Problem};

const KIB: usize = 1024;

/// What is left of the room.
#[derive(Clone, Debug)]
pub struct Budget {
    kib: Arc<Semaphore>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { kib: Arc::new(Semaphore::new(UNFINISHED_MAX_BYTES / KIB)) }
    }
}

impl Budget {
    /// The share of one body or message, of which nothing has come yet.
    pub(super) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0, since: None, taken: None }
    }
}

/// What one body or message takes of the room.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
    /// When it grew beyond what everybody may hold.
    since: Option<Instant>,
    taken: Option<OwnedSemaphorePermit>,
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many large requests are arriving at once")]
pub(super) struct Full;

impl Share {
    /// More has come. A little is free; beyond that there must be room.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.bytes += bytes;
        let wanted = self.bytes.saturating_sub(UNFINISHED_FREE_BYTES).div_ceil(KIB);
        let more = wanted.saturating_sub(self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if more == 0 {
            return Ok(());
        }
        let permits = u32::try_from(more).map_err(|_| Full)?;
        let permit = Arc::clone(&self.budget.kib).try_acquire_many_owned(permits).map_err(|_| Full)?;
        self.since.get_or_insert_with(Instant::now);
        match &mut self.taken {
            Some(taken) => taken.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }

    /// Whole: the next one starts from nothing.
    pub(super) fn finish(&mut self) {
        *self = self.budget.share();
    }

    /// So much of what came belonged to something small in between.
    pub(super) fn shrink(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Since when it has been large and not whole.
    pub(super) fn large_since(&self) -> Option<Instant> {
        self.since
    }
}

impl From<Full> for Problem {
    fn from(full: Full) -> Problem {
        Problem::new(Code::Overloaded, format!("{full}; send this one again, or in smaller batches")).retry_after(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_free_and_the_rest_is_given_back() {
        let budget = Budget::default();
        let mut share = budget.share();
        share.grow(UNFINISHED_FREE_BYTES).unwrap();
        assert_eq!((budget.kib.available_permits(), share.large_since()), (UNFINISHED_MAX_BYTES / KIB, None));
        share.grow(1).unwrap();
        share.grow(KIB).unwrap();
        assert_eq!(budget.kib.available_permits(), UNFINISHED_MAX_BYTES / KIB - 2);
        assert!(share.large_since().is_some());
        let mut greedy = budget.share();
        assert_eq!(greedy.grow(UNFINISHED_MAX_BYTES + UNFINISHED_FREE_BYTES), Err(Full));
        share.finish();
        assert_eq!(budget.kib.available_permits(), UNFINISHED_MAX_BYTES / KIB);
        assert_eq!(budget.share().grow(UNFINISHED_MAX_BYTES + UNFINISHED_FREE_BYTES), Ok(()));
        assert_eq!(budget.kib.available_permits(), UNFINISHED_MAX_BYTES / KIB, "what is dropped is given back");
    }
}
