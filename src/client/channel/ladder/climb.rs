//! Which rung to stand on: evidence in, choice out. No clock and no network.
//!
//! Requests always work where anything works, so a client starts with them; streams are proven beside them, one at a
//! time, the best first. What a proxy does is told by what came through, never by its name.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::client::channel::Transport;
use crate::meet::limits::WAIT_MAX;

/// Streams, best first.
const STREAMS: [Transport; 3] = [Transport::Socket, Transport::Sse, Transport::Ndjson];
/// Below this a held request is no better than one that is answered at once.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// A request that broke sooner than this was not cut for its age.
const TOO_SHORT_FOR_AGE: Duration = Duration::from_millis(500);
/// Pauses before a rung that failed is probed again: the first, and the longest.
const PROBE_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// A stream that lived this long and delivered is closed for its age, not because it does not work.
const LIVED: Duration = Duration::from_secs(4);
/// Where requests were held for nothing at all, so many short ones come before the next that is held.
const SHORT_POLLS: u32 = 20;

/// What is known of the way to a server.
///
/// ```
/// use liftrelay::client::channel::{Transport, ladder::climb::Climb};
/// use tokio::time::Instant;
///
/// let (mut climb, now) = (Climb::default(), Instant::now());
/// assert_eq!((climb.transport(), climb.probe(now)), (Transport::LongPoll, Some(Transport::Socket)));
/// climb.failed(Transport::Socket, "the upgrade was ignored".to_owned(), now);
/// assert_eq!(climb.probe(now), Some(Transport::Sse));
/// climb.proven(Transport::Sse);
/// assert_eq!((climb.transport(), climb.probe(now)), (Transport::Sse, None));
/// ```
#[derive(Clone, Debug)]
pub struct Climb {
    /// How long the server may hold a request.
    wait: Duration,
    /// Requests answered at once since holding them was given up.
    short_polls: u32,
    rungs: [Rung; STREAMS.len()],
    current: Option<Transport>,
}

/// What is known of one kind of stream.
#[derive(Clone, Debug, Default)]
struct Rung {
    failures: u32,
    /// Not to be probed before.
    not_before: Option<Instant>,
    why: Option<String>,
}

/// What is known of one rung, for people.
///
/// ```
/// use liftrelay::client::channel::{Transport, ladder::climb::Climb};
/// use tokio::time::Instant;
///
/// let mut climb = Climb::default();
/// climb.failed(Transport::Socket, "the upgrade was ignored".to_owned(), Instant::now());
/// let socket = &climb.report()[0];
/// assert_eq!((socket.transport, socket.failures, socket.why.as_deref()), (Transport::Socket, 1, Some("the upgrade was ignored")));
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RungReport {
    /// Which.
    pub transport: Transport,
    /// Failures in a row.
    pub failures: u32,
    /// What the last one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Default for Climb {
    fn default() -> Climb {
        Climb { wait: WAIT_MAX, short_polls: 0, rungs: Default::default(), current: None }
    }
}

impl Climb {
    /// A climb by a client that stood on `remembered` the last time: that rung is probed first.
    pub fn from_memory(remembered: Transport, now: Instant) -> Climb {
        let mut climb = Climb::default();
        for (stream, rung) in STREAMS.iter().zip(&mut climb.rungs) {
            if *stream > remembered && remembered > Transport::LongPoll {
                rung.not_before = Some(now + PROBE_AGAIN.0);
            }
        }
        climb
    }

    /// How it is carried now.
    pub fn transport(&self) -> Transport {
        match self.current {
            Some(stream) => stream,
            None if self.wait < WAIT_MIN => Transport::ShortPoll,
            None => Transport::LongPoll,
        }
    }

    /// How long the server may hold a request; zero where holding does not get through.
    pub fn wait(&self) -> Duration {
        if self.wait < WAIT_MIN { Duration::ZERO } else { self.wait }
    }

    /// The better rung that is worth a probe now.
    pub fn probe(&self, now: Instant) -> Option<Transport> {
        let better = STREAMS.iter().zip(&self.rungs).take_while(|(stream, _)| Some(**stream) != self.current);
        better.into_iter().find(|(_, rung)| rung.not_before.is_none_or(|at| at <= now)).map(|(stream, _)| *stream)
    }

    /// A probe's HELLO has arrived: this rung carries from now on.
    pub fn proven(&mut self, stream: Transport) {
        self.current = Some(stream);
    }

    /// A probe came to nothing.
    pub fn failed(&mut self, stream: Transport, why: String, now: Instant) {
        let Some(rung) = self.rung(stream) else { return };
        rung.failures = rung.failures.saturating_add(1);
        let pause = PROBE_AGAIN.0.saturating_mul(1 << (rung.failures - 1).min(10)).min(PROBE_AGAIN.1);
        (rung.not_before, rung.why) = (Some(now + pause), Some(why));
    }

    /// The stream that carried has ended. One that had delivered for a while is opened again at once.
    pub fn ended(&mut self, stream: Transport, lived: Duration, why: String, now: Instant) {
        self.current = None;
        if lived < LIVED {
            return self.failed(stream, why, now);
        }
        if let Some(rung) = self.rung(stream) {
            *rung = Rung { why: Some(why), ..Rung::default() };
        }
    }

    /// The stream that carried was later than requests.
    pub fn held_back(&mut self, stream: Transport, now: Instant) {
        self.current = None;
        self.failed(stream, "entries come later than by requests: something holds them back".to_owned(), now);
    }

    /// A request that might be held for `asked` was answered after `took`.
    pub fn answered(&mut self, asked: Duration, took: Duration) {
        if asked.is_zero() {
            self.short_polls += 1;
            if self.wait < WAIT_MIN && self.short_polls >= SHORT_POLLS {
                (self.wait, self.short_polls) = (WAIT_MIN, 0);
            }
        } else if took >= asked {
            // It was held all the time, so a little more may get through.
            self.wait = (self.wait + self.wait / 4 + Duration::from_millis(250)).min(WAIT_MAX);
        }
    }

    /// A request that might be held for `asked` was cut after `took`. Tells whether its age is the likely reason,
    /// so that nothing is wrong but the wait.
    pub fn cut(&mut self, asked: Duration, took: Duration) -> bool {
        let is_for_age = !asked.is_zero() && took >= TOO_SHORT_FOR_AGE;
        if is_for_age {
            self.wait = took.min(asked).min(self.wait) / 2;
            self.short_polls = 0;
        }
        is_for_age
    }

    /// What is known of each kind of stream, best first.
    pub fn report(&self) -> Vec<RungReport> {
        let report =
            |(transport, rung): (&Transport, &Rung)| RungReport { transport: *transport, failures: rung.failures, why: rung.why.clone() };
        STREAMS.iter().zip(&self.rungs).map(report).collect()
    }

    fn rung(&mut self, stream: Transport) -> Option<&mut Rung> {
        STREAMS.iter().position(|other| *other == stream).map(|place| &mut self.rungs[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn requests_are_held_at_once_and_the_best_stream_is_probed_first() {
        let (climb, now) = (Climb::default(), Instant::now());
        assert_eq!((climb.transport(), climb.wait(), climb.probe(now)), (Transport::LongPoll, WAIT_MAX, Some(Transport::Socket)));
    }

    #[test]
    fn what_fails_is_left_alone_for_longer_each_time_while_the_next_one_is_probed() {
        let (mut climb, start) = (Climb::default(), Instant::now());
        climb.failed(Transport::Socket, "no upgrade".to_owned(), start);
        assert_eq!(climb.probe(start), Some(Transport::Sse));
        climb.proven(Transport::Sse);
        assert_eq!((climb.transport(), climb.probe(start)), (Transport::Sse, None));
        assert_eq!(climb.probe(start + 5 * SECOND), Some(Transport::Socket), "a better one is probed beside it");
        climb.failed(Transport::Socket, "no upgrade".to_owned(), start + 5 * SECOND);
        assert_eq!((climb.probe(start + 14 * SECOND), climb.probe(start + 15 * SECOND)), (None, Some(Transport::Socket)));
        assert_eq!(climb.transport(), Transport::Sse, "a probe that fails costs nothing");
        for _ in 0..40 {
            climb.failed(Transport::Socket, String::new(), start);
        }
        assert_eq!(climb.probe(start + PROBE_AGAIN.1), Some(Transport::Socket));
    }

    #[test]
    fn a_stream_that_had_delivered_is_opened_again_at_once_and_one_that_had_not_is_not() {
        let (mut climb, now) = (Climb::default(), Instant::now());
        climb.proven(Transport::Socket);
        climb.ended(Transport::Socket, 60 * SECOND, "closed".to_owned(), now);
        assert_eq!((climb.transport(), climb.probe(now)), (Transport::LongPoll, Some(Transport::Socket)));
        climb.proven(Transport::Socket);
        climb.ended(Transport::Socket, SECOND, "closed".to_owned(), now);
        assert_eq!(climb.probe(now), Some(Transport::Sse));
    }

    #[test]
    fn a_cut_at_a_steady_age_shortens_the_wait_until_it_gets_through() {
        let mut climb = Climb::default();
        climb.cut(climb.wait(), 5 * SECOND);
        assert_eq!(climb.wait(), Duration::from_millis(2_500));
        for _ in 0..3 {
            climb.answered(climb.wait(), climb.wait());
        }
        assert!(climb.wait() > 4 * SECOND, "it creeps up again");
        climb.cut(climb.wait(), Duration::from_millis(10));
        assert!(climb.wait() > 4 * SECOND, "a server that was just killed says nothing about age");
    }

    #[test]
    fn where_nothing_may_be_held_requests_are_short_and_holding_is_tried_again() {
        let mut climb = Climb::default();
        climb.cut(climb.wait(), SECOND);
        assert_eq!((climb.transport(), climb.wait()), (Transport::ShortPoll, Duration::ZERO));
        for _ in 0..SHORT_POLLS {
            climb.answered(Duration::ZERO, Duration::ZERO);
        }
        assert_eq!((climb.transport(), climb.wait()), (Transport::LongPoll, WAIT_MIN));
    }

    #[test]
    fn what_worked_the_last_time_is_probed_first() {
        let now = Instant::now();
        let climb = Climb::from_memory(Transport::Ndjson, now);
        assert_eq!((climb.probe(now), climb.probe(now + 5 * SECOND)), (Some(Transport::Ndjson), Some(Transport::Socket)));
        assert_eq!(Climb::from_memory(Transport::LongPoll, now).probe(now), Some(Transport::Socket));
    }
}
