//! `localSeqNum`s: the same update again gets the same answer, and another one under its number none.

use super::super::entry::{EntryFields, raw};
use super::super::outcome::Record;
use super::super::settings::TieBreak;
use super::hall::{empty_meet, hall};
use super::request::{DESK, DIRECTOR, LEFT, LEFT_SPARE, create, remove, set};

#[test]
fn a_commit_is_acked_again_with_its_number_and_what_it_overruled() {
    let mut hall = hall([]);
    hall.says(&DESK.sends([set("a", "1")]));
    let request = DIRECTOR.sends([set("a", "2").number(7)]).seen(0);
    assert_eq!(hall.says(&request), "ack 2 over [1]");
    hall.says(&DESK.sends([set("a", "3")]));
    assert_eq!(hall.says(&request), "ack 2 duplicate over [1]");
    assert_eq!(
        hall.says(&DIRECTOR.sends([set("[\"a\"]", "2.0").number(7)]).seen(3)),
        "ack 2 duplicate over [1]",
        "other spelling, other cursor"
    );
    assert_eq!(hall.meet.log().head(), 3);
}

#[test]
fn refusals_and_merged_acks_are_remembered() {
    let mut hall = hall([("a", "1"), ("b", "1")]);
    hall.says(&DIRECTOR.sends([remove("b")]));
    let request = DESK.sends([set("a", "2").number(1), remove("b").number(2), remove("c").number(3), set("x..y", "1").number(4)]).seen(0);
    assert_eq!(hall.says(&request), "overruled by 1; ack 3 merged; absent; invalid-key");
    hall.says(&DIRECTOR.sends([set("c", "1"), set("b", "1")]));
    assert_eq!(hall.says(&request), "overruled by 1; ack 3 merged duplicate; absent; invalid-key", "though all would go otherwise now");
    assert_eq!(hall.says(&DESK.sends([set("a", "2").number(1)])), "overruled by 1", "with the head as its cursor too");
    assert_eq!(hall.meet.log().head(), 5);
}

#[test]
fn another_key_value_or_op_under_a_known_number_is_refused() {
    let mut hall = hall([("n", "1")]);
    hall.says(&DESK.sends([set("a", "1").number(1), remove("never").number(2), set("b", "null").number(3)]));
    let altered =
        [set("b", "1").number(1), set("a", "2").number(1), create("a", "1").number(1), remove("n").number(2), remove("b").number(3)];
    assert_eq!(hall.says(&DESK.sends(altered)), ["id-reuse"; 5].join("; "));
    assert_eq!(
        hall.says(&DESK.sends([set("a", "1").number(1), remove("never").number(2)])),
        "ack 2 duplicate; absent",
        "the first answers stay"
    );
}

#[test]
fn a_number_taken_by_an_unreadable_update_is_taken() {
    let mut hall = hall([]);
    assert_eq!(hall.says(&DESK.sends([set("a..b", "1").number(1), set("a.b", "1").number(1)])), "invalid-key; id-reuse");
    assert_eq!(
        hall.says(&DESK.sends([set("a", "1").number(2), set("a..b", "1").number(2), set("a", "1").number(2)])),
        "ack 1; invalid-key; ack 1 duplicate"
    );
}

#[test]
fn numbers_belong_to_a_client_at_a_location() {
    let mut hall = hall([]);
    for (at, who) in [LEFT, LEFT_SPARE, DESK].into_iter().enumerate() {
        assert_eq!(hall.says(&who.sends([set("a", "1").number(0)])), format!("ack {}", at + 1));
    }
}

#[test]
fn without_a_number_every_update_is_a_new_one() {
    let mut hall = hall([]);
    assert_eq!(hall.says(&DESK.sends([set("a", "1"), set("a", "1")])), "ack 1; ack 2");
}

#[test]
fn one_number_twice_in_a_batch_counts_once() {
    let mut hall = hall([]);
    let twice = DESK.sends([set("a", "1").number(1), set("a", "1").number(1), set("a", "2").number(1)]);
    assert_eq!(hall.says(&twice), "ack 1; ack 1 duplicate; id-reuse");
}

#[test]
fn answers_survive_a_restart() {
    let mut hall = hall([("a", "1")]);
    let request = DESK.sends([set("b", "1").number(1), set("a", "2").number(2), create("a", "1").number(3)]).seen(0);
    assert_eq!(hall.says(&request), "ack 2; overruled by 1; ack 1 merged");
    let mut meet = empty_meet(TieBreak::Incumbent);
    for record in &hall.records {
        match record {
            Record::Entry { entry, .. } => drop(meet.replay(entry.fields.clone(), entry.text.clone(), entry.chain).unwrap()),
            Record::Answer(remembered) => meet.replay_answer(remembered),
        }
    }
    assert_eq!(request.apply(&mut meet).0.to_string(), "ack 2 duplicate; overruled by 1; ack 1 merged duplicate");
}

#[test]
fn a_changed_entry_does_not_replay() {
    let hall = hall([("a", "1"), ("b", "2")]);
    let mut meet = empty_meet(TieBreak::Incumbent);
    let [first, second] = [1, 2].map(|seq| hall.meet.log().get(seq).unwrap());
    assert!(meet.replay(second.fields.clone(), second.text.clone(), second.chain).is_err(), "a gap");
    assert!(meet.replay(first.fields.clone(), second.text.clone(), first.chain).is_err(), "another text");
    assert!(meet.replay(first.fields.clone(), first.text.clone(), second.chain).is_err(), "another chain");
    assert_eq!(meet.log().head(), 0);
    assert!(meet.replay(first.fields.clone(), first.text.clone(), first.chain).is_ok());
}

#[test]
fn a_previous_value_is_found_anew_whatever_came_with_a_replayed_entry() {
    let mut hall = hall([]);
    hall.says(&DESK.sends([set("a", "1")]));
    hall.says(&DIRECTOR.sends([set("a", "2")]).seen(0));
    let mut meet = empty_meet(TieBreak::Incumbent);
    for entry in hall.meet.log().after(0) {
        let forged = EntryFields { previous_value: Some(raw("\"forged\"".to_owned())), ..entry.fields.clone() };
        let replayed = meet.replay(forged, entry.text.clone(), entry.chain).unwrap();
        assert_eq!(replayed.editor_text(), entry.editor_text());
    }
}
