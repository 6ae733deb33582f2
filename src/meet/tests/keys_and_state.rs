//! Rules about keys, containers and values (wire contract, section 4) as whole updates show them.

use super::hall::hall;
use super::request::{DESK, DIRECTOR, create, remove, set};

#[test]
fn missing_parents_become_objects_and_ids_stay_ids() {
    let mut hall = hall([]);
    assert_eq!(hall.says(&DESK.sends([set("registration.entries[5003].squatKg", "[100]")])), "ack 1");
    assert_eq!(hall.state(), "{\"registration\":{\"entries\":{\"5003\":{\"squatKg\":[100]}}}}");
}

#[test]
fn digits_index_an_array_that_stands_and_append_at_its_length() {
    let mut hall = hall([("a", "[1,2]")]);
    assert_eq!(
        hall.says(&DESK.sends([set("a[0]", "9"), set("a.2", "3"), set("a[\"3\"].x", "4"), set("a[5]", "6")])),
        "ack 2; ack 3; ack 4; out-of-range"
    );
    assert_eq!(hall.state(), "{\"a\":[9,2,3,{\"x\":4}]}");
}

#[test]
fn nothing_stands_below_scalars_and_names_do_not_index_arrays() {
    let mut hall = hall([("n", "null"), ("s", "\"x\""), ("a", "[]")]);
    let changes = [set("n.x", "1"), set("s.x.y", "1"), remove("s.x"), set("a.x", "1"), set("a[007]", "1")];
    assert_eq!(hall.says(&DIRECTOR.sends(changes)), ["not-a-container"; 5].join("; "));
}

#[test]
fn elements_are_set_but_neither_created_nor_removed() {
    let mut hall = hall([("a", "[1,{\"x\":1}]")]);
    assert_eq!(hall.says(&DESK.sends([create("a[2]", "1"), remove("a[0]"), create("a[0]", "1")])), ["array-element"; 3].join("; "));
    assert_eq!(hall.says(&DESK.sends([remove("a[1].x"), create("a[1].y", "2")])), "ack 2; ack 3", "members of an element are");
    assert_eq!(hall.state(), "{\"a\":[1,{\"y\":2}]}");
}

#[test]
fn null_is_a_value_and_only_remove_removes() {
    let mut hall = hall([]);
    assert_eq!(hall.says(&DESK.sends([set("a.x", "null"), remove("a.x")])), "ack 1; ack 2");
    assert_eq!(hall.state(), "{\"a\":{}}");
}

#[test]
fn one_spelling_is_relayed_and_all_of_them_meet() {
    let mut hall = hall([("a[\"x\"].7", "1")]);
    assert_eq!(&*hall.meet.log().get(1).unwrap().fields.update_key, "a.x[7]");
    assert_eq!(hall.says(&DESK.sends([set("a.x[\"7\"]", "2")]).seen(0)), "overruled by 1");
}

#[test]
fn a_removals_value_is_ignored_and_relayed_as_null() {
    let mut hall = hall([("a", "1")]);
    let change = super::request::Change { value: "{\"__proto__\":1}".into(), ..remove("a") };
    assert_eq!(hall.says(&DESK.sends([change])), "ack 2");
    assert_eq!(hall.meet.log().get(2).unwrap().fields.update_value.get(), "null");
}

#[test]
fn a_key_that_is_too_long_or_a_value_that_is_too_deep_refuses_only_its_update() {
    let long: &'static str = Box::leak("k".repeat(513).into_boxed_str());
    let deep: &'static str = Box::leak(("[".repeat(65) + &"]".repeat(65)).into_boxed_str());
    let mut meet = super::hall::empty_meet(super::super::settings::TieBreak::Incumbent);
    let (reply, _) = DESK.sends([set(long, "1"), set("a", deep), set("a", "1")]).apply(&mut meet);
    assert_eq!(reply.to_string(), "invalid-key; invalid-value; ack 1");
}
