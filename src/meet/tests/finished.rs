//! A finished meet: nothing new is committed, and nobody loses an answer.

use super::super::Meet;
use super::hall::{Hall, hall};
use super::request::{DESK, DIRECTOR, LEFT, Request, create, remove, set};

/// A hall in which the desk has had every kind of answer, finished.
fn finished_hall() -> Hall {
    let mut hall = hall([("a", "1"), ("b", "1")]);
    let sent = hall.says(&answered());
    assert_eq!(sent, "ack 3; overruled by 1; absent; ack 2 merged; invalid-key");
    hall.meet.finish();
    hall
}

fn answered() -> Request {
    let updates = [
        set("c", "1").number(1),
        set("a", "2").number(2),
        remove("never").number(3),
        create("b", "1").number(4),
        set("x..y", "1").number(5),
    ];
    DESK.sends(updates).seen(0)
}

/// The oracle knows of no end, so the meet is asked alone; nothing may have changed in it.
fn says(meet: &mut Meet, request: &Request) -> String {
    let before = (meet.log().head(), meet.state().canonical());
    let (reply, records) = request.apply(meet);
    assert!(records.is_empty(), "a finished meet writes nothing");
    assert_eq!(before, (meet.log().head(), meet.state().canonical()));
    reply.to_string()
}

#[test]
fn a_resend_gets_its_old_answers() {
    let mut meet = finished_hall().meet;
    let told = "ack 3 duplicate; overruled by 1; absent; ack 2 merged duplicate; invalid-key";
    assert_eq!(says(&mut meet, &answered()), told);
    assert_eq!(says(&mut meet, &answered().if_head(1)), told, "whatever has happened to the head");
    assert_eq!(says(&mut meet, &DESK.sends([set("c", "1").number(1)]).atomic()), "ack 3 duplicate");
    assert_eq!(says(&mut meet, &DESK.sends([set("c", "2").number(1)])), "id-reuse");
}

#[test]
fn nothing_new_is_taken_and_what_is_known_is_told() {
    let mut meet = finished_hall().meet;
    for new in [DESK.sends([set("d", "1").number(9)]), DIRECTOR.sends([remove("a")]), LEFT.sends([set("c", "1").number(1)])] {
        assert_eq!(says(&mut meet, &new), "finished: ");
        assert_eq!(says(&mut meet, &new.atomic().if_head(3)), "finished: ");
    }
    let mixed = DESK.sends([set("d", "1").number(9), set("c", "1").number(1), set("e", "1"), set("a", "2").number(2)]).seen(0);
    assert_eq!(says(&mut meet, &mixed), "finished: ack 3 duplicate; overruled by 1");
    assert_eq!(says(&mut meet, &mixed.atomic()), "finished: ack 3 duplicate; overruled by 1");
}

#[test]
fn cursors_come_first_and_an_empty_batch_asks_for_nothing() {
    let mut meet = finished_hall().meet;
    assert_eq!(says(&mut meet, &DESK.sends([set("d", "1")]).seen(4)), "lost");
    assert_eq!(says(&mut meet, &DESK.sends([])), "");
    assert_eq!(says(&mut meet, &DESK.sends([]).if_head(2)), "stale since 2");
}
