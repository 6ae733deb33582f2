//! When to talk to the server: how long edits are collected before they are sent, how long a server may hold a request,
//! and how long to pause before the next one.
//!
//! A scheduler is a pure function of what was measured, so that both its inputs and its choice can be read, logged and
//! tested. Whoever drives it wakes up early where a user edits something.
//!
//! ```
//! use liftrelay::client::schedule::{Measured, Scheduler, SmartScheduler, Why};
//!
//! let choice = SmartScheduler.choose(&Measured::default());
//! assert_eq!((choice.why, choice.pause.as_secs()), (Why::Waiting, 0));
//! ```

mod smart;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::channel::Transport;
use crate::meet::limits::WAIT_MAX;

pub use smart::SmartScheduler;

/// Chooses from what was measured.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::schedule::{Choice, Measured, Scheduler, SmartScheduler};
///
/// /// Whatever is best, but edits of a whole second go together: for a line that is paid by the request.
/// struct Frugal;
///
/// impl Scheduler for Frugal {
///     fn choose(&mut self, measured: &Measured) -> Choice {
///         Choice { window: Duration::from_secs(1), ..SmartScheduler.choose(measured) }
///     }
/// }
/// assert_eq!(Frugal.choose(&Measured::default()).window.as_secs(), 1);
/// ```
pub trait Scheduler: Send + Sync {
    /// What to do next.
    fn choose(&mut self, measured: &Measured) -> Choice;
}

/// What was measured.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::schedule::{Measured, Scheduler, SmartScheduler, Why};
///
/// let after_two_failures = Measured { failures: 2, ..Measured::default() };
/// let choice = SmartScheduler.choose(&after_two_failures);
/// assert_eq!(choice.why, Why::Failed);
/// assert!(choice.pause <= Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The transport in use.
    pub transport: Transport,
    /// Median round trip; `None` before the first.
    pub round_trip: Option<Duration>,
    /// Edits that wait to be sent.
    pub unsent: usize,
    /// Mean bytes of an edit.
    pub update_bytes: usize,
    /// Own edits a second, lately.
    pub edits_per_second: f64,
    /// Others' entries a second, lately: what peers just pushed.
    pub news_per_second: f64,
    /// Time since anything happened here or at others'.
    pub idle: Duration,
    /// Whether the last answer said that there is more.
    pub more: bool,
    /// Requests that failed in a row.
    pub failures: u32,
    /// What the server asked for (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The longest wait that came back whole on this way; `None` where nothing shortens it.
    pub longest_wait: Option<Duration>,
    /// A random number from 0 to 1, for jitter.
    pub random: f64,
}

impl Default for Measured {
    /// A long-poll on which nothing has happened yet.
    fn default() -> Self {
        Measured {
            transport: Transport::LongPoll,
            round_trip: None,
            unsent: 0,
            update_bytes: 0,
            edits_per_second: 0.0,
            news_per_second: 0.0,
            idle: Duration::ZERO,
            more: false,
            failures: 0,
            retry_after: None,
            longest_wait: None,
            random: 0.5,
        }
    }
}

/// What to do next.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::schedule::{Choice, Measured, Scheduler, SmartScheduler, Why};
///
/// let at_rest = SmartScheduler.choose(&Measured::default());
/// let expected = Choice { window: Duration::ZERO, wait: at_rest.wait, pause: Duration::ZERO, why: Why::Waiting };
/// assert_eq!(at_rest, expected);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// How long edits are collected before they are sent, counted from the first of them.
    pub window: Duration,
    /// How long the server may hold the next pull.
    pub wait: Duration,
    /// Pause before the next request. A local edit ends it, unless a failure is the reason.
    pub pause: Duration,
    /// Why.
    pub why: Why,
}

/// Why a choice is as it is.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::channel::Transport;
/// use liftrelay::client::schedule::{Measured, Scheduler, SmartScheduler, Why};
///
/// let mut quiet = Measured { transport: Transport::ShortPoll, idle: Duration::from_secs(60), ..Measured::default() };
/// assert_eq!(SmartScheduler.choose(&quiet).why, Why::Idle);
/// quiet.unsent = 1;
/// assert_eq!(SmartScheduler.choose(&quiet).why, Why::Active);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Something just happened, or more is there: again at once.
    Active,
    /// Requests are held until there is news: back to back.
    Waiting,
    /// Requests are answered at once and nothing happens: pauses grow.
    Idle,
    /// The last request failed.
    Failed,
    /// The server asked for the pause.
    Asked,
    /// A script said so.
    Manual,
}

/// Does what a script says, whatever was measured. Clones share one choice.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::schedule::{ManualScheduler, Measured, Scheduler};
///
/// let mut scheduler = ManualScheduler::default();
/// let script = scheduler.clone();
/// script.set(|choice| choice.window = Duration::from_secs(2));
/// assert_eq!(scheduler.choose(&Measured::default()).window.as_secs(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct ManualScheduler(Arc<Mutex<Choice>>);

impl Default for ManualScheduler {
    /// Sends at once, lets the server hold, never pauses.
    fn default() -> Self {
        let choice = Choice { window: Duration::ZERO, wait: WAIT_MAX, pause: Duration::ZERO, why: Why::Manual };
        ManualScheduler(Arc::new(Mutex::new(choice)))
    }
}

impl ManualScheduler {
    /// Changes the choice from now on.
    pub fn set(&self, change: impl FnOnce(&mut Choice)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Scheduler for ManualScheduler {
    fn choose(&mut self, _: &Measured) -> Choice {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
