//! From evidence to a diagnosis: pure, so that it can be asked again with what somebody sends in.

use std::time::Duration;

use serde::Serialize;

use crate::client::channel::Transport;

use super::evidence::{End, Evidence, Probe, Sight};
use super::words;

/// A stream whose HELLO takes longer is taken for held back.
const HELLO_PATIENCE: Duration = Duration::from_secs(3);

/// What ends so much before it should have was cut; what ends sooner than this after its start was refused.
const SLACK: Duration = Duration::from_secs(1);

/// What is in between, and which way gets through.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::doctor::{Evidence, Probe, Sight, diagnose};
///
/// let health = Sight { fault: Some("no route to host".to_owned()), ..Sight::new(Probe::Health, Duration::ZERO) };
/// let evidence = Evidence { server: "https://sync.example.org".to_owned(), proxy: None, meet_was_read: false, sights: vec![health] };
/// let diagnosis = diagnose(&evidence);
/// assert_eq!(diagnosis.summary, "https://sync.example.org cannot be reached: no route to host");
/// assert_eq!(diagnosis.using, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// What it comes to.
    pub outcome: Outcome,
    /// The best rung that carries; `None` where none does, or none could be tried.
    pub using: Option<Transport>,
    /// In one line.
    pub summary: String,
    /// What was found, what matters most first.
    pub findings: Vec<Finding>,
}

/// What a diagnosis comes to.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::doctor::{Evidence, Outcome, Probe, Sight, diagnose};
///
/// let health = Sight { status: Some(407), ..Sight::new(Probe::Health, Duration::ZERO) };
/// let evidence = Evidence { server: "https://sync.example.org".to_owned(), proxy: None, meet_was_read: false, sights: vec![health] };
/// let exit = match diagnose(&evidence).outcome {
///     Outcome::Carries => 0,
///     Outcome::Unreachable | Outcome::SomethingElse => 1,
///     Outcome::NotAuthorised => 2, // A person can do something about that.
/// };
/// assert_eq!(exit, 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A way carries, or all that could be tried without a meet does.
    Carries,
    /// Nothing gets through.
    Unreachable,
    /// Something answers, and it is no liftrelay.
    SomethingElse,
    /// The token opens no meet, or a proxy wants a login.
    NotAuthorised,
}

/// One thing that was found.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::client::doctor::{Evidence, Finding, Probe, Sight, Symptom, diagnose};
///
/// let health = Sight { status: Some(502), ..Sight::new(Probe::Health, Duration::ZERO) };
/// let evidence = Evidence { server: "https://sync.example.org".to_owned(), proxy: None, meet_was_read: false, sights: vec![health] };
/// let Finding { symptom, rungs, words } = &diagnose(&evidence).findings[0];
/// assert_eq!((*symptom, rungs.len()), (Symptom::GatewayFails, 0));
/// assert!(words.starts_with("a proxy answers 502"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which.
    pub symptom: Symptom,
    /// The rungs that show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<Transport>,
    /// For a person.
    pub words: String,
}

/// Kinds of findings, what matters most first.
///
/// ```
/// use liftrelay::client::doctor::Symptom;
///
/// assert!(Symptom::Unreachable < Symptom::InBetween, "what matters most comes first");
/// assert_eq!(serde_json::to_string(&Symptom::HeldUntilEnd)?, "\"held-until-end\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symptom {
    /// No connection.
    Unreachable,
    /// A forward proxy wants a login (407).
    ProxyLogin,
    /// A proxy answers, and does not reach the server.
    GatewayFails,
    /// What answers is not a liftrelay.
    SomethingElse,
    /// The token opens no meet here.
    NotAuthorised,
    /// Answers are held until they end.
    HeldUntilEnd,
    /// Answers are held until there is enough of them.
    HeldUntilSize,
    /// Requests are taken, and never answered.
    Swallowed,
    /// What is silent for some seconds is cut.
    CutWhenIdle,
    /// A rung is refused.
    Refused,
    /// A rung breaks for another reason.
    Breaks,
    /// Streams are compressed on the way.
    Compressed,
    /// Answers come as HTTP/1.0.
    OldHttp,
    /// A proxy names itself.
    InBetween,
    /// Nothing in between shows.
    Clear,
    /// There was no meet to read.
    NoMeet,
}

/// What became of one rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Carries,
    /// Let through, and not at once.
    Held,
    /// Given up by somebody in between at this age.
    Cut(Duration),
    Swallowed,
    Refused(u16),
    Breaks,
}

/// Makes a diagnosis of what was seen.
pub fn diagnose(evidence: &Evidence) -> Diagnosis {
    let mut findings = blocked(evidence).map(|finding| vec![finding]).unwrap_or_default();
    let outcome = findings.first().map_or(Outcome::Carries, |finding| outcome_of(finding.symptom));
    let fates = fates(evidence);
    let using = best(&fates).filter(|_| outcome == Outcome::Carries && evidence.meet_was_read);
    if outcome == Outcome::Carries {
        findings.extend(troubles(evidence, &fates));
        findings.extend(compressed(evidence));
        if evidence.of(Probe::Health).is_some_and(|sight| sight.http_version.as_deref() == Some("HTTP/1.0")) {
            findings.push(finding(Symptom::OldHttp, Vec::new(), words::OLD_HTTP.to_owned()));
        }
    }
    let names = words::names(evidence);
    if !names.is_empty() {
        findings.push(finding(Symptom::InBetween, Vec::new(), words::in_between(&names)));
    } else if findings.is_empty() {
        findings.push(finding(Symptom::Clear, Vec::new(), words::CLEAR.to_owned()));
    }
    if outcome == Outcome::Carries && !evidence.meet_was_read {
        findings.push(finding(Symptom::NoMeet, Vec::new(), words::NO_MEET.to_owned()));
    }
    findings.sort_by_key(|finding| finding.symptom);
    let summary = words::summary(&findings, using);
    Diagnosis { outcome, using, summary, findings }
}

/// Whether a stream was let through, but not at once.
pub(super) fn is_late(sight: &Sight) -> bool {
    fate(sight) == Fate::Held
}

fn finding(symptom: Symptom, rungs: Vec<Transport>, words: String) -> Finding {
    Finding { symptom, rungs, words }
}

fn outcome_of(symptom: Symptom) -> Outcome {
    match symptom {
        Symptom::ProxyLogin | Symptom::NotAuthorised => Outcome::NotAuthorised,
        Symptom::SomethingElse => Outcome::SomethingElse,
        _ => Outcome::Unreachable,
    }
}

/// Why nothing can be tried at all.
fn blocked(evidence: &Evidence) -> Option<Finding> {
    let health = evidence.of(Probe::Health)?;
    let (symptom, words) = match health.status {
        Some(200) if health.proven.is_some() => return refused_reader(evidence),
        Some(407) => (Symptom::ProxyLogin, words::PROXY_LOGIN.to_owned()),
        Some(status @ (502..=504)) => (Symptom::GatewayFails, words::gateway_fails(status)),
        Some(status) => (Symptom::SomethingElse, words::something_else(status, health)),
        None => (Symptom::Unreachable, words::unreachable(evidence, health)),
    };
    Some(finding(symptom, Vec::new(), words))
}

fn refused_reader(evidence: &Evidence) -> Option<Finding> {
    let poll = evidence.of(Probe::Rung(Transport::ShortPoll)).filter(|poll| matches!(poll.status, Some(401 | 403)))?;
    Some(finding(Symptom::NotAuthorised, Vec::new(), words::not_authorised(poll.status.unwrap_or(401))))
}

fn fates(evidence: &Evidence) -> Vec<(Transport, Fate)> {
    let rung = |sight: &Sight| match sight.probe {
        Probe::Rung(transport) => Some((transport, fate(sight))),
        _ => None,
    };
    let mut fates: Vec<_> = evidence.sights.iter().filter_map(rung).collect();
    fates.sort_by_key(|(transport, _)| std::cmp::Reverse(*transport));
    fates
}

fn fate(sight: &Sight) -> Fate {
    let is_socket = sight.probe == Probe::Rung(Transport::Socket);
    let is_poll = matches!(sight.probe, Probe::Rung(Transport::LongPoll | Transport::ShortPoll));
    let was_long = sight.ended >= SLACK;
    match sight.status {
        None if sight.end == End::Unanswered => Fate::Swallowed,
        None if was_long => Fate::Cut(sight.ended),
        None => Fate::Breaks,
        // Who holds a page back for want of an end still gives it when it ends.
        Some(200) if is_poll && sight.proven.is_some() => Fate::Carries,
        Some(200) if is_poll && sight.end == End::Cut => Fate::Cut(sight.ended),
        Some(200) if is_poll => Fate::Breaks,
        Some(status) if status == if is_socket { 101 } else { 200 } => fate_of_stream(sight),
        Some(408 | 500 | 502..=504) if was_long => Fate::Cut(sight.ended),
        Some(status) => Fate::Refused(status),
    }
}

fn fate_of_stream(sight: &Sight) -> Fate {
    // A socket without a meet is over with its first answer.
    let ended_early = sight.ended + SLACK < sight.asked && matches!(sight.end, End::Cut | End::Whole);
    match sight.proven {
        Some(proven) if proven > HELLO_PATIENCE => Fate::Held,
        Some(_) if ended_early => Fate::Cut(sight.ended),
        Some(_) => Fate::Carries,
        None if sight.end == End::Cut && sight.ended < SLACK => Fate::Breaks,
        None if sight.end == End::Cut => Fate::Cut(sight.ended),
        None => Fate::Held,
    }
}

/// The best rung that carries. Long-polls that are cut carry with a shorter wait; streams would be cut again and again.
fn best(fates: &[(Transport, Fate)]) -> Option<Transport> {
    let carries = |(transport, fate): &&(Transport, Fate)| match fate {
        Fate::Carries => true,
        Fate::Cut(_) => *transport == Transport::LongPoll,
        _ => false,
    };
    fates.iter().find(carries).map(|(transport, _)| *transport)
}

/// What is the matter with rungs, those with the same trouble together.
fn troubles(evidence: &Evidence, fates: &[(Transport, Fate)]) -> Vec<Finding> {
    let of = |wanted: fn(&Fate) -> bool| -> Vec<Transport> {
        fates.iter().filter(|(_, fate)| wanted(fate)).map(|(transport, _)| *transport).collect()
    };
    let mut found = Vec::new();
    let held = of(|fate| *fate == Fate::Held);
    if !held.is_empty() {
        let (symptom, words) = match passing_size(evidence) {
            Some(kib) => (Symptom::HeldUntilSize, words::held_until_size(&held, kib)),
            None => (Symptom::HeldUntilEnd, words::held_until_end(&held)),
        };
        found.push(finding(symptom, held, words));
    }
    let swallowed = of(|fate| *fate == Fate::Swallowed);
    if !swallowed.is_empty() {
        let words = words::swallowed(&swallowed);
        found.push(finding(Symptom::Swallowed, swallowed, words));
    }
    let ages: Vec<_> = fates.iter().filter_map(|(_, fate)| if let Fate::Cut(age) = fate { Some(*age) } else { None }).collect();
    if let (Some(least), Some(most)) = (ages.iter().min(), ages.iter().max()) {
        let cut = of(|fate| matches!(fate, Fate::Cut(_)));
        let words = words::cut_when_idle(&cut, *least, *most);
        found.push(finding(Symptom::CutWhenIdle, cut, words));
    }
    for (transport, fate) in fates {
        match fate {
            Fate::Refused(status) => found.push(finding(Symptom::Refused, vec![*transport], words::refused(*transport, *status))),
            Fate::Breaks => {
                let fault = evidence.of(Probe::Rung(*transport)).and_then(|sight| sight.fault.as_deref());
                found.push(finding(Symptom::Breaks, vec![*transport], words::breaks(*transport, fault)));
            }
            _ => {}
        }
    }
    found
}

/// The smallest padding with which a HELLO came at once.
fn passing_size(evidence: &Evidence) -> Option<u64> {
    let passed = evidence.padded().filter(|(_, sight)| sight.proven.is_some_and(|proven| proven <= HELLO_PATIENCE));
    passed.map(|(kib, _)| kib).min()
}

fn compressed(evidence: &Evidence) -> Option<Finding> {
    let sight = evidence.of(Probe::Packed)?;
    let encoding = sight.headers.get("content-encoding").filter(|encoding| *encoding != "identity")?;
    let is_held = sight.first_byte.is_none_or(|first| first > HELLO_PATIENCE);
    Some(finding(Symptom::Compressed, vec![Transport::Sse], words::compressed(encoding, is_held)))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
