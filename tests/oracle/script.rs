//! Scripts: requests of several clients over few keys, so that they meet often. Whoever uses them draws the moves.

use liftrelay::meet::settings::TieBreak;
use liftrelay::meet::update::Mode;

use super::request::{Change, DESK, DIRECTOR, LEFT, LEFT_SPARE, RIGHT, Request, Who, set};

/// A sequence of requests, some of them not yet tied to a head.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) tie_break: TieBreak,
    pub(crate) moves: Vec<Move>,
}

#[derive(Clone, Debug)]
pub(crate) enum Move {
    /// A new request.
    New(Plan),
    /// The request so many before, once more.
    Again(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) who: Who,
    pub(crate) mode: Mode,
    pub(crate) changes: Vec<(Change, Seen)>,
    pub(crate) after: Seen,
    pub(crate) if_head: Seen,
}

/// A cursor in words.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    Unsaid,
    /// So many below the head.
    Behind(u64),
    AboveHead,
}

impl Seen {
    fn at(self, head: u64) -> Option<u64> {
        match self {
            Seen::Unsaid => None,
            Seen::Behind(by) => Some(head.saturating_sub(by)),
            Seen::AboveHead => Some(head + 1),
        }
    }
}

impl Script {
    /// Sends every request; `send` gives the head behind it.
    pub(crate) fn play(&self, mut send: impl FnMut(&Request) -> u64) {
        let mut sent: Vec<Request> = Vec::new();
        let mut head = 0;
        for step in &self.moves {
            let request = match step {
                Move::New(plan) => plan.at(head),
                Move::Again(back) => match sent.iter().rev().nth(*back) {
                    Some(request) => request.clone(),
                    None => continue,
                },
            };
            head = send(&request);
            sent.push(request);
        }
    }
}

impl Plan {
    /// Something at most keys, so that not everything starts as absent.
    pub(crate) fn furniture() -> Plan {
        let all = set("a", "{\"list\":[{\"y\":1},{\"y\":2},3],\"x\":{\"y\":1,\"z\":2}}");
        Plan { who: DESK, mode: Mode::Each, changes: vec![(all, Seen::Unsaid)], after: Seen::Unsaid, if_head: Seen::Unsaid }
    }

    fn at(&self, head: u64) -> Request {
        let changes = self.changes.iter().map(|(change, seen)| Change { after: seen.at(head), ..change.clone() });
        Request { who: self.who, changes: changes.collect(), mode: self.mode, after: self.after.at(head), if_head: self.if_head.at(head) }
    }
}

/// Clients of every priority, and two of one location.
pub(crate) const CLIENTS: [Who; 5] = [DESK, LEFT, LEFT_SPARE, RIGHT, DIRECTOR];

/// Most keys overlap; some are spelled twice and one cannot be read.
pub(crate) const KEYS: [&str; 20] = [
    "a",
    "a",
    "a",
    "a.x",
    "a.x",
    "a.x",
    "a[\"x\"]",
    "a.x.y",
    "a.x.y",
    "a.x.z",
    "a.x.z",
    "a.list",
    "a.list[0]",
    "a.list[1].y",
    "a.list[1]",
    "a.list[3]",
    "a.list.0.y",
    "b",
    "b.x",
    "a..b",
];

/// Many have members at those keys; one cannot be taken.
pub(crate) const VALUES: [&str; 20] = [
    "1",
    "2",
    "null",
    "{}",
    "{}",
    "{}",
    "{\"x\":1}",
    "{\"x\":{}}",
    "{\"x\":{\"y\":1}}",
    "{\"x\":{\"y\":1,\"z\":2}}",
    "{\"y\":1}",
    "{\"y\":1}",
    "{\"z\":1}",
    "{\"y\":2,\"z\":2}",
    "{\"list\":[{\"y\":1}],\"x\":{}}",
    "{\"list\":[{\"y\":1},1],\"x\":{\"y\":1}}",
    "[1,2]",
    "[{\"y\":1}]",
    "\"text\"",
    "{\"x\":{\"__proto__\":1}}",
];
