//! What a driver measures for its scheduler.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How far back a rate looks.
const LATELY: Duration = Duration::from_secs(10);
/// More is counted no better.
const KEPT: usize = 1_000;

/// How often something happens.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<Instant>);

impl Rate {
    /// It happened so many times at once.
    pub(super) fn add(&mut self, times: usize, now: Instant) {
        for _ in 0..times.min(KEPT) {
            if self.0.len() == KEPT {
                self.0.pop_front();
            }
            self.0.push_back(now);
        }
    }

    /// Times a second, lately.
    pub(super) fn per_second(&self, now: Instant) -> f64 {
        let lately: Vec<_> = self.0.iter().filter(|at| now.duration_since(**at) <= LATELY).collect();
        match lately[..] {
            [] | [_] => 0.0,
            // At least a second: two at once are no flood.
            [first, ..] => lately.len() as f64 / now.duration_since(*first).max(Duration::from_secs(1)).as_secs_f64(),
        }
    }

    /// When it last happened.
    pub(super) fn last(&self) -> Option<Instant> {
        self.0.back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_looks_back_for_a_while_and_forgets() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(Instant::now()), 0.0);
        for _ in 0..50 {
            rate.add(1, Instant::now());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!((9.0..=11.0).contains(&rate.per_second(Instant::now())));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(rate.per_second(Instant::now()), 0.0);
    }
}
