//! What a person is told.

use std::time::Duration;

use crate::client::channel::Transport;

use super::diagnosis::Finding;
use super::evidence::{End, Evidence, Probe, Sight};

pub(super) const CLEAR: &str = "nothing in between shows itself";
pub(super) const NO_MEET: &str =
    "without a meet only the WebSocket could be tried; give --meet, and a session token or view key in LIFTRELAY_TOKEN, for the rest";
pub(super) const OLD_HTTP: &str =
    "answers come as HTTP/1.0: something in between is old, or set so; each answer takes a connection of its own";
pub(super) const PROXY_LOGIN: &str = "a proxy wants a login (407): put name and password into its address, as in --proxy http://NAME:PASSWORD@HOST:PORT, best by the environment";

/// How a person calls a rung.
fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::ShortPoll => "short polling",
        Transport::LongPoll => "long-poll",
        Transport::Ndjson => "NDJSON",
        Transport::Sse => "SSE",
        Transport::Socket => "WebSocket",
        Transport::Memory => "memory",
    }
}

fn list(transports: &[Transport]) -> String {
    transports.iter().map(|transport| name(*transport)).collect::<Vec<_>>().join(", ")
}

/// What matters most, and what to use.
pub(super) fn summary(findings: &[Finding], using: Option<Transport>) -> String {
    let first = findings.first().map_or(CLEAR, |finding| finding.words.as_str());
    match using {
        Some(transport) => format!("{first}; using {}", name(transport)),
        None => first.to_owned(),
    }
}

/// How those in between call themselves.
pub(super) fn names(evidence: &Evidence) -> Vec<String> {
    let mut names = Vec::new();
    for header in ["via", "server", "proxy-agent", "x-varnish", "x-cache", "x-squid-error"] {
        for value in evidence.sights.iter().filter_map(|sight| sight.headers.get(header)) {
            // A number of Varnish differs from answer to answer.
            let shown = if header == "x-varnish" { format!("({header})") } else { format!("{value} ({header})") };
            if !names.contains(&shown) {
                names.push(shown);
            }
        }
    }
    names
}

pub(super) fn in_between(names: &[String]) -> String {
    format!("in between: {}", names.join(", "))
}

pub(super) fn held_until_end(rungs: &[Transport]) -> String {
    format!("responses are held until they end: a filter buffers ({})", list(rungs))
}

pub(super) fn held_until_size(rungs: &[Transport], kib: u64) -> String {
    format!("responses are held until there are up to {kib} KiB of them: a proxy buffers ({})", list(rungs))
}

pub(super) fn swallowed(rungs: &[Transport]) -> String {
    format!("requests are taken and never answered: something in between swallows them ({})", list(rungs))
}

pub(super) fn cut_when_idle(rungs: &[Transport], least: Duration, most: Duration) -> String {
    let seconds = |age: Duration| age.as_secs_f64().round();
    let age =
        if seconds(least) < seconds(most) { format!("{} to {} s", seconds(least), seconds(most)) } else { format!("{} s", seconds(least)) };
    format!("what is silent is cut after {age}: an idle limit in between is too short, so waits are kept below it ({})", list(rungs))
}

pub(super) fn refused(rung: Transport, status: u16) -> String {
    let why = match (rung, status) {
        (Transport::Socket, 400 | 422 | 426 | 501) => ": something in between drops the Upgrade",
        (_, 403) => ": something in between, or the server, forbids it",
        (_, 404) => ": is the address right, and the meet still there?",
        _ => "",
    };
    format!("{} is refused with status {status}{why}", name(rung))
}

pub(super) fn breaks(rung: Transport, fault: Option<&str>) -> String {
    match fault {
        Some(fault) => format!("{} breaks: {fault}", name(rung)),
        None => format!("{} breaks: the answer is not the server's", name(rung)),
    }
}

pub(super) fn compressed(encoding: &str, is_held: bool) -> String {
    let effect = if is_held { ", which holds them back" } else { ", so far without holding them back" };
    format!("streams to browsers are compressed on the way ({encoding}) although they say no-transform{effect}")
}

pub(super) fn gateway_fails(status: u16) -> String {
    format!("a proxy answers {status}: it does not reach the server behind it")
}

pub(super) fn something_else(status: u16, health: &Sight) -> String {
    let what = match health.headers.get("location") {
        Some(location) => format!("sends us to {location}"),
        None => {
            let kind = health.headers.get("content-type").map_or("something", String::as_str);
            format!("gives {kind} with status {status}")
        }
    };
    format!("what answers {what} where a liftrelay would tell its health: a login page of the network, or another address")
}

pub(super) fn unreachable(evidence: &Evidence, health: &Sight) -> String {
    let through = evidence.proxy.as_ref().map(|proxy| format!(" through {proxy}")).unwrap_or_default();
    let why = match (&health.fault, health.end) {
        (Some(fault), _) => fault.clone(),
        (None, End::Unanswered) => format!("no answer within {} s", health.ended.as_secs()),
        (None, _) => "the connection broke".to_owned(),
    };
    format!("{}{through} cannot be reached: {why}", evidence.server)
}

pub(super) fn not_authorised(status: u16) -> String {
    format!("the token opens no meet here (status {status}): join again, or ask an editor for a view key")
}

/// What one probe saw, in one line.
#[must_use]
pub fn told(sight: &Sight) -> String {
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let mut parts = vec![name_of(sight.probe)];
    parts.extend(sight.status.map(|status| format!("status {status}")));
    parts.extend(sight.proven.map(|proven| format!("there after {}", seconds(proven))));
    parts.extend(sight.heartbeat.map(|heartbeat| format!("heartbeat after {}", seconds(heartbeat))));
    let end = match sight.end {
        End::Whole => "whole",
        End::Cut => "cut",
        End::GivenUp => "given up",
        End::Unanswered => "no answer",
        End::Failed => "failed",
    };
    parts.push(format!("{end} after {}", seconds(sight.ended)));
    parts.extend(sight.fault.clone());
    parts.join(", ")
}

fn name_of(probe: Probe) -> String {
    match probe {
        Probe::Health => "health".to_owned(),
        Probe::Rung(transport) => name(transport).to_owned(),
        Probe::Packed => "SSE as browsers ask for it".to_owned(),
        Probe::Padded { kib } => format!("SSE with {kib} KiB in front"),
    }
}
