use super::*;

const HOLD: Duration = Duration::from_secs(20);

fn at(seconds: f64) -> Option<Duration> {
    Some(Duration::from_secs_f64(seconds))
}

/// An answer that was proven and ended at these times.
fn sight(probe: Probe, status: u16, proven: Option<Duration>, ended: f64) -> Sight {
    let asked = if matches!(probe, Probe::Health | Probe::Rung(Transport::ShortPoll)) { Duration::ZERO } else { HOLD };
    let ended = Duration::from_secs_f64(ended);
    Sight { status: Some(status), http_version: Some("HTTP/1.1".to_owned()), proven, ended, end: End::Whole, ..Sight::new(probe, asked) }
}

fn unanswered(probe: Probe) -> Sight {
    Sight { ended: HOLD, ..Sight::new(probe, HOLD) }
}

fn rung(transport: Transport) -> Probe {
    Probe::Rung(transport)
}

/// A way with nothing in between, except for what these sights tell.
fn way(others: Vec<Sight>) -> Evidence {
    let usual = [
        sight(Probe::Health, 200, at(0.01), 0.01),
        sight(rung(Transport::ShortPoll), 200, at(0.01), 0.01),
        sight(rung(Transport::LongPoll), 200, at(20.0), 20.0),
        sight(rung(Transport::Ndjson), 200, at(0.02), 20.0),
        sight(rung(Transport::Sse), 200, at(0.02), 20.0),
        Sight { end: End::GivenUp, ..sight(rung(Transport::Socket), 101, at(0.02), 20.0) },
    ];
    let replaced = |usual: &Sight| others.iter().any(|other| other.probe == usual.probe);
    let mut sights: Vec<_> = usual.into_iter().filter(|usual| !replaced(usual)).collect();
    sights.extend(others);
    Evidence { server: "http://hall.example".to_owned(), proxy: None, meet_was_read: true, sights }
}

fn found(diagnosis: &Diagnosis) -> Vec<Symptom> {
    diagnosis.findings.iter().map(|finding| finding.symptom).collect()
}

#[test]
fn a_clear_way_takes_the_socket() {
    let diagnosis = diagnose(&way(vec![]));
    assert_eq!((found(&diagnosis), diagnosis.using), (vec![Symptom::Clear], Some(Transport::Socket)));
    assert_eq!(diagnosis.summary, "nothing in between shows itself; using WebSocket");
}

#[test]
fn a_filter_that_holds_answers_until_they_end_leaves_long_polls() {
    let held = |transport| sight(rung(transport), 200, at(20.0), 20.0);
    let refused = sight(rung(Transport::Socket), 400, None, 0.01);
    let diagnosis = diagnose(&way(vec![held(Transport::Ndjson), held(Transport::Sse), refused]));
    assert_eq!((found(&diagnosis), diagnosis.using), (vec![Symptom::HeldUntilEnd, Symptom::Refused], Some(Transport::LongPoll)));
    assert_eq!(diagnosis.summary, "responses are held until they end: a filter buffers (SSE, NDJSON); using long-poll");
}

#[test]
fn a_buffer_is_told_by_the_padding_that_overflows_it() {
    let held = |transport| sight(rung(transport), 200, at(20.0), 20.0);
    let padded = |kib, proven| sight(Probe::Padded { kib }, 200, at(proven), 5.0);
    let evidence = way(vec![held(Transport::Ndjson), held(Transport::Sse), padded(16, 5.0), padded(64, 0.1), padded(32, 0.1)]);
    let diagnosis = diagnose(&evidence);
    assert_eq!(found(&diagnosis), [Symptom::HeldUntilSize]);
    assert!(diagnosis.findings[0].words.contains("up to 32 KiB"), "{}", diagnosis.summary);
}

#[test]
fn a_black_hole_leaves_long_polls() {
    let holes = [Transport::Ndjson, Transport::Sse, Transport::Socket].map(|transport| unanswered(rung(transport)));
    let diagnosis = diagnose(&way(holes.to_vec()));
    assert_eq!((found(&diagnosis), diagnosis.using), (vec![Symptom::Swallowed], Some(Transport::LongPoll)));
}

#[test]
fn idle_limits_are_told_with_their_age_and_leave_shorter_waits() {
    let cut = |transport, status, proven| Sight { end: End::Cut, ..sight(rung(transport), status, proven, 5.1) };
    let poll = sight(rung(Transport::LongPoll), 504, None, 5.0);
    let streams = [cut(Transport::Ndjson, 200, at(0.1)), cut(Transport::Sse, 200, at(0.1)), cut(Transport::Socket, 101, at(0.1)), poll];
    let diagnosis = diagnose(&way(streams.to_vec()));
    assert_eq!((found(&diagnosis), diagnosis.using), (vec![Symptom::CutWhenIdle], Some(Transport::LongPoll)));
    assert!(diagnosis.summary.contains("cut after 5 s"), "{}", diagnosis.summary);
}

#[test]
fn only_the_rung_that_is_refused_is_given_up() {
    let diagnosis = diagnose(&way(vec![sight(rung(Transport::Socket), 426, None, 0.01)]));
    assert_eq!((found(&diagnosis), diagnosis.using), (vec![Symptom::Refused], Some(Transport::Sse)));
    assert!(diagnosis.summary.contains("drops the Upgrade"), "{}", diagnosis.summary);
}

#[test]
fn a_gateway_that_fails_at_once_is_no_idle_limit() {
    let diagnosis = diagnose(&way(vec![sight(rung(Transport::LongPoll), 502, None, 0.02)]));
    assert_eq!(found(&diagnosis), [Symptom::Refused]);
}

#[test]
fn those_who_name_themselves_are_named_once() {
    let mut health = sight(Probe::Health, 200, at(0.01), 0.01);
    health.http_version = Some("HTTP/1.0".to_owned());
    health.headers.insert("via".to_owned(), "1.0 hall".to_owned());
    let mut poll = sight(rung(Transport::ShortPoll), 200, at(0.01), 0.01);
    poll.headers = health.headers.clone();
    let diagnosis = diagnose(&way(vec![health, poll]));
    assert_eq!(found(&diagnosis), [Symptom::OldHttp, Symptom::InBetween]);
    assert_eq!(diagnosis.findings[1].words, "in between: 1.0 hall (via)");
}

#[test]
fn compression_of_streams_is_told_though_our_own_are_left_alone() {
    let mut packed = sight(Probe::Packed, 200, None, 20.0);
    packed.headers.insert("content-encoding".to_owned(), "gzip".to_owned());
    packed.first_byte = at(20.0);
    let diagnosis = diagnose(&way(vec![packed]));
    assert_eq!((found(&diagnosis), diagnosis.using), (vec![Symptom::Compressed], Some(Transport::Socket)));
    assert!(diagnosis.summary.contains("which holds them back"), "{}", diagnosis.summary);
}

/// What the health alone tells.
fn blocked_by(health: Sight) -> Diagnosis {
    let evidence = Evidence { server: "http://hall.example".to_owned(), proxy: None, meet_was_read: false, sights: vec![health] };
    diagnose(&evidence)
}

#[test]
fn a_way_that_is_blocked_says_by_whom() {
    let portal = {
        let mut portal = sight(Probe::Health, 302, None, 0.01);
        portal.headers.insert("location".to_owned(), "http://login.hall/".to_owned());
        portal
    };
    let dead = Sight { end: End::Failed, fault: Some("connection refused".to_owned()), ..Sight::new(Probe::Health, Duration::ZERO) };
    let cases = [
        (dead, Outcome::Unreachable, "connection refused"),
        (sight(Probe::Health, 502, None, 0.01), Outcome::Unreachable, "does not reach the server"),
        (portal, Outcome::SomethingElse, "sends us to http://login.hall/"),
        (sight(Probe::Health, 200, None, 0.01), Outcome::SomethingElse, "where a liftrelay would"),
        (sight(Probe::Health, 407, None, 0.01), Outcome::NotAuthorised, "wants a login"),
    ];
    for (health, outcome, words) in cases {
        let diagnosis = blocked_by(health);
        assert_eq!((diagnosis.outcome, diagnosis.using), (outcome, None));
        assert!(diagnosis.summary.contains(words), "{}", diagnosis.summary);
    }
}

#[test]
fn a_token_that_opens_nothing_is_no_fault_of_the_way() {
    let mut evidence = way(vec![sight(rung(Transport::ShortPoll), 401, None, 0.01)]);
    evidence.meet_was_read = false;
    assert_eq!(diagnose(&evidence).outcome, Outcome::NotAuthorised);
}

#[test]
fn without_a_meet_nothing_is_promised() {
    let socket = sight(rung(Transport::Socket), 101, at(0.01), 0.01);
    let sights = vec![sight(Probe::Health, 200, at(0.01), 0.01), Sight { asked: Duration::ZERO, ..socket }];
    let evidence = Evidence { server: "http://hall.example".to_owned(), proxy: None, meet_was_read: false, sights };
    let diagnosis = diagnose(&evidence);
    assert_eq!((diagnosis.outcome, diagnosis.using), (Outcome::Carries, None));
    assert_eq!(found(&diagnosis), [Symptom::Clear, Symptom::NoMeet]);
}
