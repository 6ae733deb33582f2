//! `mode:"atomic"`, `ifHead`, and cursors that cannot be served.

use super::super::chain::{ChainValue, Cursor};
use super::super::outcome::{Decision, LostCursor};
use super::super::settings::TieBreak;
use super::super::time::Timestamp;
use super::super::update::Batch;
use super::hall::{Hall, hall, hall_with};
use super::request::{DESK, DIRECTOR, Request, create, remove, set};

#[test]
fn all_commit_together() {
    let mut hall = hall([]);
    assert_eq!(
        hall.says(&DESK.sends([set("a", "{}").number(1), set("a.x", "1").number(2), create("a", "{\"x\":1}").number(3)]).atomic()),
        "ack 1; ack 2; ack 1 merged"
    );
    assert!(hall.meet.log().after(0).iter().all(|entry| entry.fields.commit == 1));
}

#[test]
fn the_first_refusal_of_any_kind_stops_everything() {
    let start = || hall([("a", "1"), ("l", "[]")]);
    let before = start().state();
    for (bad, problem) in [
        (set("a", "2").seen(0), "overruled by 1"),
        (remove("never"), "absent"),
        (create("a", "2"), "exists by 1"),
        (set("a.x", "2"), "not-a-container"),
        (set("l[1]", "2"), "out-of-range"),
        (create("l[0]", "2"), "array-element"),
        (set("a..b", "2"), "invalid-key"),
    ] {
        let mut hall = start();
        let request = DESK.sends([set("b", "1").number(1), bad.number(2), set("c", "1").number(3), set("d", "1")]).atomic();
        assert_eq!(
            hall.says(&request),
            format!("conflict: {problem}; processed [1], remaining [3], since {}", if problem.starts_with("over") { 0 } else { 2 })
        );
        assert_eq!((hall.state(), hall.meet.log().head()), (before.clone(), 2));
        assert!(hall.records.iter().all(|record| matches!(record, super::super::outcome::Record::Entry { entry, .. } if entry.seq() <= 2)));
    }
}

#[test]
fn nothing_is_remembered_of_a_batch_that_did_not_commit() {
    let mut hall = hall([("a", "1")]);
    let request = DESK.sends([set("b", "1").number(1), set("a", "2").number(2), set("c", "1").number(3)]).atomic().seen(0);
    assert_eq!(hall.says(&request), "conflict: overruled by 1; processed [1], remaining [3], since 0");
    let rest = DESK.sends([set("other", "1").number(1), set("a", "3").number(2)]).atomic().seen(1);
    assert_eq!(hall.says(&rest), "ack 2; ack 3", "the same numbers serve again, with other content too");
}

#[test]
fn a_known_refusal_stops_an_atomic_batch_too() {
    let mut hall = hall([("a", "1")]);
    assert_eq!(hall.says(&DESK.sends([set("a", "2").number(2)]).seen(0)), "overruled by 1");
    assert_eq!(
        hall.says(&DESK.sends([set("b", "1").number(1), set("a", "2").number(2)]).atomic()),
        "conflict: overruled by 1; processed [1], remaining [], since 1"
    );
    assert_eq!(hall.says(&DESK.sends([set("a", "3").number(2)]).atomic()), "conflict: id-reuse; processed [], remaining [], since 1");
}

#[test]
fn news_begin_at_after_or_at_the_lowest_cursor_of_an_update() {
    let news = |request: Request| match hall([("a", "1"), ("b", "1"), ("c", "1")]).send(&request.atomic()) {
        super::request::Reply::Conflict { since, .. } => since,
        other => panic!("{other}"),
    };
    assert_eq!(news(DESK.sends([set("d", "1").seen(2), remove("x").seen(1)]).seen(3)), 3);
    assert_eq!(news(DESK.sends([set("d", "1").seen(2), remove("x").seen(1)])), 1);
    assert_eq!(news(DESK.sends([remove("x")])), 3);
}

#[test]
fn if_head_commits_only_at_that_head() {
    let mut hall = hall([("a", "1")]);
    assert_eq!(hall.says(&DESK.sends([set("b", "1")]).if_head(0)), "stale since 0");
    assert_eq!(hall.says(&DESK.sends([set("b", "1")]).if_head(0).seen(1)), "stale since 1", "news since after, where it is said");
    assert_eq!(hall.says(&DESK.sends([set("b", "1")]).if_head(1)), "ack 2");
    assert_eq!(hall.says(&DESK.sends([set("b", "2")]).atomic().if_head(1)), "stale since 1");
}

#[test]
fn a_resend_is_answered_from_memory_before_if_head_is_compared() {
    let mut hall = hall([]);
    let request = DESK.sends([set("a", "1").number(1), set("b", "1").number(2)]).atomic().if_head(0);
    assert_eq!(hall.says(&request), "ack 1; ack 2");
    hall.says(&DIRECTOR.sends([set("a", "9")]));
    assert_eq!(hall.says(&request), "ack 1 duplicate; ack 2 duplicate");
    assert_eq!(
        hall.says(&DESK.sends([set("a", "1").number(1), set("c", "1").number(3)]).atomic().if_head(0)),
        "stale since 0",
        "with something new"
    );
}

#[test]
fn a_cursor_above_the_head_has_no_effect() {
    let mut hall = hall([("a", "1")]);
    for request in [
        DESK.sends([set("b", "1"), set("c", "1").seen(2)]),
        DESK.sends([set("b", "1")]).seen(2),
        DESK.sends([set("b", "1")]).if_head(2),
        DESK.sends([]).seen(2),
    ] {
        assert_eq!(hall.says(&request), "lost");
    }
    assert_eq!(hall.meet.log().head(), 1);
}

fn told(hall: &mut Hall, batch: &Batch) -> Option<LostCursor> {
    match hall.meet.apply(batch, Timestamp::default()) {
        Decision::Lost(lost) => Some(lost),
        _ => None,
    }
}

#[test]
fn a_cursor_of_another_history_has_no_effect() {
    let mut hall = hall_with(TieBreak::Incumbent, [("a", "1")]);
    let foreign = Cursor::at(1, &chain_of_another_meet());
    let own = hall.meet.log().head_cursor();
    let mut batch = DESK.sends([set("b", "1")]).batch();
    batch.after = Some(foreign);
    assert_eq!(told(&mut hall, &batch), Some(LostCursor::Foreign(foreign)));
    batch.after = Some(own);
    batch.updates[0].after = Some(foreign);
    assert_eq!(told(&mut hall, &batch), Some(LostCursor::Foreign(foreign)));
    batch.updates[0].after = None;
    batch.if_head = Some(foreign);
    assert_eq!(told(&mut hall, &batch), Some(LostCursor::Foreign(foreign)));
    assert_eq!(hall.meet.log().head(), 1);
    batch.if_head = Some(own);
    assert_eq!(told(&mut hall, &batch), None);
    assert_eq!(hall.meet.log().head(), 2);
}

fn chain_of_another_meet() -> ChainValue {
    hall([("a", "2")]).meet.log().head_chain()
}
