//! How long to pause before trying again.

use std::time::Duration;

use crate::meet::limits::{CLIENT_RETRY_MAX, CLIENT_RETRY_MIN};

use super::channel::Fault;

/// Counts failed attempts in a row and chooses pauses with full jitter: a hall that comes back must not come back all at once.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::{channel::Fault, retry::{Retry, random}};
///
/// let (mut retry, fault) = (Retry::default(), Fault::Unreachable("the cable is out".to_owned()));
/// assert!(retry.pause(&fault, random()) <= Duration::from_millis(500));
/// assert!(retry.pause(&fault, random()) <= Duration::from_secs(1));
/// retry.succeeded();
/// assert!(retry.pause(&fault, random()) <= Duration::from_millis(500));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Retry {
    failed: u32,
}

impl Retry {
    /// The pause before the next attempt; `random` is uniform between 0 and 1. What the server asks for wins.
    pub fn pause(&mut self, fault: &Fault, random: f64) -> Duration {
        self.failed = self.failed.saturating_add(1);
        if let Fault::Busy { retry_after: Some(asked), .. } = fault {
            return *asked;
        }
        let ceiling = CLIENT_RETRY_MIN.saturating_mul(1 << self.failed.min(16)).min(CLIENT_RETRY_MAX);
        CLIENT_RETRY_MIN + (ceiling - CLIENT_RETRY_MIN).mul_f64(random.clamp(0.0, 1.0))
    }

    /// An attempt has come through.
    pub fn succeeded(&mut self) {
        self.failed = 0;
    }
}

/// Whether the same call may succeed later without anything being done about it.
pub fn may_succeed_later(fault: &Fault) -> bool {
    match fault {
        Fault::Unreachable(_) | Fault::Cut(_) | Fault::Busy { .. } | Fault::Unreadable(_) => true,
        Fault::NotAuthorised(_) | Fault::Refused { .. } => false,
    }
}

/// A number for [`Retry::pause`], uniform between 0 and 1.
pub fn random() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_their_bounds_and_start_over() {
        let fault = Fault::Unreachable(String::new());
        let mut retry = Retry::default();
        let most: Vec<_> = (0..8).map(|_| retry.pause(&fault, 1.0).as_millis()).collect();
        assert_eq!(most, [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000]);
        assert_eq!(retry.pause(&fault, 0.0), CLIENT_RETRY_MIN);
        retry.succeeded();
        assert_eq!(retry.pause(&fault, 1.0), Duration::from_millis(500));
    }

    #[test]
    fn what_the_server_asks_for_wins() {
        let fault = Fault::Busy { retry_after: Some(Duration::from_secs(30)), status: 429, detail: String::new() };
        assert_eq!(Retry::default().pause(&fault, 0.3), Duration::from_secs(30));
    }
}
