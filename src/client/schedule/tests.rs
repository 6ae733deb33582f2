//! What a user may expect of the scheduler, measurement by measurement.

use std::time::Duration;

use super::*;
use crate::meet::limits::{CLIENT_IDLE_PAUSE_MAX, CLIENT_RETRY_MAX, CLIENT_RETRY_MIN, CLIENT_WINDOW_MAX};

#[expect(clippy::needless_pass_by_value, reason = "measurements are written where they are used")]
fn choice(measured: Measured) -> Choice {
    SmartScheduler.choose(&measured)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A user who types fast on a way of so many milliseconds.
fn typing(round_trip: u64) -> Measured {
    Measured { round_trip: Some(millis(round_trip)), edits_per_second: 10.0, unsent: 1, ..Measured::default() }
}

#[test]
fn a_single_edit_is_never_held_back() {
    for round_trip in [None, Some(millis(2)), Some(millis(900))] {
        let alone = Measured { round_trip, edits_per_second: 0.2, unsent: 1, ..Measured::default() };
        assert_eq!((choice(alone.clone()).window, choice(alone).why), (Duration::ZERO, Why::Active));
    }
    assert_eq!(choice(typing(20)).window, Duration::ZERO, "a fast way needs no collecting");
}

#[test]
fn edits_faster_than_the_way_are_collected_for_a_round_trip_and_no_longer_than_anyone_notices() {
    assert_eq!(choice(typing(200)).window, millis(200));
    let large = Measured { update_bytes: 16 * 1024, ..typing(200) };
    let crowded = Measured { news_per_second: 30.0, ..typing(200) };
    assert!(choice(large).window > millis(200) && choice(crowded).window > millis(200));
    let extreme = Measured { update_bytes: usize::MAX, edits_per_second: 1e300, ..typing(60_000) };
    assert_eq!(choice(extreme).window, CLIENT_WINDOW_MAX);
}

#[test]
fn held_requests_follow_back_to_back_and_wait_as_long_as_the_way_bears() {
    for transport in [Transport::LongPoll, Transport::Ndjson, Transport::Sse, Transport::Socket, Transport::Memory] {
        let quiet = Measured { transport, idle: Duration::from_secs(3_600), ..Measured::default() };
        let choice = choice(quiet);
        assert_eq!((choice.pause, choice.wait, choice.why), (Duration::ZERO, WAIT_MAX, Why::Waiting));
    }
    assert_eq!(choice(Measured { longest_wait: Some(millis(4_000)), ..Measured::default() }).wait, millis(4_000));
    assert_eq!(choice(Measured { longest_wait: Some(millis(90_000)), ..Measured::default() }).wait, WAIT_MAX);
}

#[test]
fn short_polls_slow_down_with_the_quiet_and_are_brisk_again_at_once() {
    let after = |seconds| choice(Measured { transport: Transport::ShortPoll, idle: Duration::from_secs(seconds), ..Measured::default() });
    let pauses: Vec<_> = [0, 5, 20, 60, 300, 86_400].map(|seconds| after(seconds).pause).into();
    assert!(pauses.is_sorted() && pauses[0] < Duration::from_secs(1), "{pauses:?}");
    assert_eq!((pauses[5], after(0).wait, after(86_400).why), (CLIENT_IDLE_PAUSE_MAX, Duration::ZERO, Why::Idle));
    let more = Measured { transport: Transport::ShortPoll, idle: Duration::from_secs(300), more: true, ..Measured::default() };
    assert_eq!((choice(more.clone()).pause, choice(more).why), (Duration::ZERO, Why::Active));
}

#[test]
fn failures_pause_with_jitter_within_bounds_and_the_server_has_the_last_word() {
    for failures in [1, 2, 5, 100, u32::MAX] {
        let pause = |random| choice(Measured { failures, random, unsent: 3, ..Measured::default() }).pause;
        assert_eq!(pause(0.0), CLIENT_RETRY_MIN);
        assert!(pause(1.0) > pause(0.5) && pause(1.0) <= CLIENT_RETRY_MAX, "{failures}");
    }
    let asked = Measured { failures: 3, retry_after: Some(Duration::from_secs(17)), ..Measured::default() };
    assert_eq!((choice(asked.clone()).pause, choice(asked).why), (Duration::from_secs(17), Why::Asked));
}
