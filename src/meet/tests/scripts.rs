//! Random scripts: requests of several clients over few keys, so that they meet often.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::settings::TieBreak;
use super::super::update::{Mode, Op};
use super::request::{Change, DESK, DIRECTOR, LEFT, LEFT_SPARE, RIGHT, Request, Who, set};

/// A sequence of requests, some of them not yet tied to a head.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) tie_break: TieBreak,
    moves: Vec<Move>,
}

#[derive(Clone, Debug)]
enum Move {
    /// A new request.
    New(Plan),
    /// The request so many before, once more.
    Again(usize),
}

#[derive(Clone, Debug)]
struct Plan {
    who: Who,
    mode: Mode,
    changes: Vec<(Change, Seen)>,
    after: Seen,
    if_head: Seen,
}

/// A cursor in words.
#[derive(Clone, Copy, Debug)]
enum Seen {
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
    pub(super) fn play(&self, mut send: impl FnMut(&Request) -> u64) {
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
    fn at(&self, head: u64) -> Request {
        let changes = self.changes.iter().map(|(change, seen)| Change { after: seen.at(head), ..change.clone() });
        Request { who: self.who, changes: changes.collect(), mode: self.mode, after: self.after.at(head), if_head: self.if_head.at(head) }
    }
}

/// Most keys overlap; some are spelled twice and one cannot be read.
const KEYS: [&str; 20] = [
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
const VALUES: [&str; 20] = [
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

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![5 => Just(Op::Set), 2 => Just(Op::Create), 3 => Just(Op::Remove)]
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![20 => Just(Seen::Unsaid), 80 => (0..8_u64).prop_map(Seen::Behind), 1 => Just(Seen::AboveHead)]
}

fn change() -> impl Strategy<Value = Change> {
    let number = prop_oneof![1 => Just(None), 3 => (0..60_u64).prop_map(Some)];
    (op(), select(&KEYS[..]), select(&VALUES[..]), number).prop_map(|(op, key, value, number)| Change {
        op,
        key,
        value,
        number,
        after: None,
    })
}

fn who() -> impl Strategy<Value = Who> {
    select(&[DESK, LEFT, LEFT_SPARE, RIGHT, DIRECTOR][..])
}

fn plan() -> impl Strategy<Value = Plan> {
    let mode = prop_oneof![2 => Just(Mode::Each), 1 => Just(Mode::Atomic)];
    let if_head = prop_oneof![8 => Just(Seen::Unsaid), 2 => (0..2_u64).prop_map(Seen::Behind)];
    (who(), mode, prop::collection::vec((change(), seen()), 0..4), seen(), if_head).prop_map(|(who, mode, changes, after, if_head)| Plan {
        who,
        mode,
        changes,
        after,
        if_head,
    })
}

pub(super) fn tie_break() -> impl Strategy<Value = TieBreak> {
    select(&[TieBreak::Incumbent, TieBreak::Latest][..])
}

pub(super) fn script() -> impl Strategy<Value = Script> {
    let step = prop_oneof![5 => plan().prop_map(Move::New), 1 => (0..5_usize).prop_map(Move::Again)];
    (tie_break(), any::<bool>(), prop::collection::vec(step, 1..30)).prop_map(|(tie_break, furnished, mut moves)| {
        if furnished {
            moves.insert(0, Move::New(furniture()));
        }
        Script { tie_break, moves }
    })
}

/// Something at most keys, so that not everything starts as absent.
fn furniture() -> Plan {
    let all = set("a", "{\"list\":[{\"y\":1},{\"y\":2},3],\"x\":{\"y\":1,\"z\":2}}");
    Plan { who: DESK, mode: Mode::Each, changes: vec![(all, Seen::Unsaid)], after: Seen::Unsaid, if_head: Seen::Unsaid }
}

/// Requests of one change each by different clients who had all seen nothing.
pub(super) fn concurrent_changes() -> impl Strategy<Value = Vec<Request>> {
    let readable = change().prop_filter("can be read", |change| change.key != "a..b" && !change.value.contains("__proto__"));
    let change = readable.prop_map(|change| Change { number: None, ..change });
    (Just([DESK, LEFT, RIGHT, DIRECTOR]).prop_shuffle(), prop::collection::vec(change, 2..=4))
        .prop_map(|(clients, changes)| clients.iter().zip(changes).map(|(who, change)| who.sends([change])).collect())
}
