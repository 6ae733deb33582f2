//! Random scripts.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::settings::TieBreak;
use super::super::update::{Mode, Op};
use super::request::{Change, DESK, DIRECTOR, LEFT, RIGHT, Request, Who};
use super::script::{CLIENTS, KEYS, Move, Plan, Script, Seen, VALUES};

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
        key: key.into(),
        value: value.into(),
        number,
        after: None,
    })
}

fn who() -> impl Strategy<Value = Who> {
    select(&CLIENTS[..])
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
            moves.insert(0, Move::New(Plan::furniture()));
        }
        Script { tie_break, moves }
    })
}

/// Requests of one change each by different clients who had all seen nothing.
pub(super) fn concurrent_changes() -> impl Strategy<Value = Vec<Request>> {
    let readable = change().prop_filter("can be read", |change| change.key != "a..b" && !change.value.contains("__proto__"));
    let change = readable.prop_map(|change| Change { number: None, ..change });
    (Just([DESK, LEFT, RIGHT, DIRECTOR]).prop_shuffle(), prop::collection::vec(change, 2..=4))
        .prop_map(|(clients, changes)| clients.iter().zip(changes).map(|(who, change)| who.sends([change])).collect())
}
