//! The scheduler that a user never has to think about.

use std::time::Duration;

use super::{Choice, Measured, Scheduler, Why};
use crate::client::channel::Transport;
use crate::meet::limits::{
    CLIENT_BURST_BYTES, CLIENT_IDLE_PAUSE_MAX, CLIENT_RETRY_MAX, CLIENT_RETRY_MIN, CLIENT_STAYS_ACTIVE, CLIENT_WINDOW_MAX, WAIT_MAX,
};

/// Chooses from the measurements alone.
///
/// - An edit by itself goes out at once. Where they come faster than the way takes them, they are collected for one
///   round trip: then the last value of each key is all that travels. Large edits, and others' news that compete for the
///   way, stretch that; it never passes a bound that a person would notice.
/// - After a failure it pauses with full jitter; what the server asks for wins.
/// - Held requests follow each other back to back. Where requests are answered at once, pauses grow with the quiet.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::schedule::{Measured, Scheduler, SmartScheduler};
///
/// let mut scheduler = SmartScheduler;
/// let slow_way = Measured { round_trip: Some(Duration::from_millis(300)), edits_per_second: 20.0, unsent: 1, ..Measured::default() };
/// assert!(scheduler.choose(&slow_way).window >= Duration::from_millis(300));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SmartScheduler;

impl Scheduler for SmartScheduler {
    fn choose(&mut self, measured: &Measured) -> Choice {
        let (pause, why) = pause(measured);
        Choice { window: window(measured), wait: wait(measured), pause, why }
    }
}

fn window(measured: &Measured) -> Duration {
    let Some(round_trip) = measured.round_trip else { return Duration::ZERO };
    let together = measured.edits_per_second * round_trip.as_secs_f64();
    // Less than one edit in a round trip: nothing would be collected, only delayed.
    if together < 1.0 {
        return Duration::ZERO;
    }
    let large = together * measured.update_bytes as f64 / CLIENT_BURST_BYTES as f64;
    let crowded = measured.news_per_second / (measured.news_per_second + measured.edits_per_second);
    let window = round_trip.as_secs_f64() * (1.0 + large + crowded);
    Duration::try_from_secs_f64(window).map_or(CLIENT_WINDOW_MAX, |window| window.min(CLIENT_WINDOW_MAX))
}

fn wait(measured: &Measured) -> Duration {
    match measured.transport {
        Transport::ShortPoll => Duration::ZERO,
        _ => measured.longest_wait.map_or(WAIT_MAX, |longest| longest.min(WAIT_MAX)),
    }
}

fn pause(measured: &Measured) -> (Duration, Why) {
    if let Some(asked) = measured.retry_after {
        return (asked, Why::Asked);
    }
    if measured.failures > 0 {
        let doublings = (measured.failures - 1).min(16);
        let longest = CLIENT_RETRY_MIN.saturating_mul(1 << doublings).min(CLIENT_RETRY_MAX);
        // Full jitter, so that a hall does not come back in one instant; the first failure gets some as well.
        let above = CLIENT_RETRY_MAX.min(longest * 2) - CLIENT_RETRY_MIN;
        return (CLIENT_RETRY_MIN + above.mul_f64(measured.random.clamp(0.0, 1.0)), Why::Failed);
    }
    if measured.more || measured.unsent > 0 {
        return (Duration::ZERO, Why::Active);
    }
    match measured.transport {
        Transport::ShortPoll if measured.idle < CLIENT_STAYS_ACTIVE => (CLIENT_RETRY_MIN, Why::Active),
        Transport::ShortPoll => ((measured.idle / 2).clamp(CLIENT_RETRY_MIN, CLIENT_IDLE_PAUSE_MAX), Why::Idle),
        _ => (Duration::ZERO, Why::Waiting),
    }
}
