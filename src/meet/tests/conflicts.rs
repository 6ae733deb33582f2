//! The conflict table of the wire contract (section 5), row by row. `Hall` checks every line with the oracle too.

use super::super::settings::TieBreak;
use super::hall::{hall, hall_with};
use super::request::{DESK, DIRECTOR, LEFT, LEFT_SPARE, RIGHT, create, remove, set};

// ---- What conflicts ----------------------------------------------------------------------

#[test]
fn what_was_seen_does_not_conflict() {
    let mut hall = hall([("a", "1")]);
    assert_eq!(hall.says(&DESK.sends([set("a", "2")]).seen(1)), "ack 2");
    assert_eq!(hall.says(&DESK.sends([set("b", "2")]).seen(0)), "ack 3");
}

#[test]
fn without_a_cursor_everything_was_seen() {
    let mut hall = hall([("a", "1")]);
    assert_eq!(hall.says(&DESK.sends([set("a", "2"), remove("a")])), "ack 2; ack 3");
}

#[test]
fn an_updates_own_cursor_counts_before_the_requests() {
    let mut hall = hall([("a", "1")]);
    assert_eq!(hall.says(&DESK.sends([set("a", "2").seen(0), set("a", "2").seen(1)]).seen(0)), "overruled by 1; ack 2");
}

#[test]
fn nobody_conflicts_with_themselves() {
    let mut hall = hall([]);
    assert_eq!(hall.says(&DESK.sends([set("a", "1"), set("a", "2"), remove("a"), set("a", "3")]).seen(0)), "ack 1; ack 2; ack 3; ack 4");
}

#[test]
fn two_clients_of_one_location_are_others_of_equal_priority() {
    let mut hall = hall([]);
    assert_eq!(hall.says(&LEFT.sends([set("a", "1")])), "ack 1");
    assert_eq!(hall.says(&LEFT_SPARE.sends([set("a", "2")]).seen(0)), "overruled by 1");
}

#[test]
fn equal_values_agree() {
    let mut hall = hall([("a", "180"), ("o", "{\"x\":[1,{\"y\":null}]}")]);
    assert_eq!(
        hall.says(&DESK.sends([set("a", "180.0"), set("o.x[1].y", "null"), set("o.x", "[1,{\"y\":null}]")]).seen(0)),
        "ack 3; ack 4; ack 5"
    );
}

#[test]
fn a_value_is_compared_at_the_deeper_key() {
    let mut hall = hall([("a", "{\"x\":1,\"y\":{\"z\":2}}"), ("b.x", "1")]);
    let below = [set("a.x", "2"), set("a.y.z", "2"), set("a.new", "2"), set("b.y", "2")];
    assert_eq!(hall.says(&DESK.sends(below).seen(0)), "overruled by 1; ack 3; overruled by 1; ack 4");
    let above = [set("b", "{\"x\":1,\"z\":3}"), set("b", "{\"x\":2}"), set("b", "{}"), set("b", "5")];
    assert_eq!(hall.says(&RIGHT.sends(above).seen(3)), "ack 5 over [4]; ack 6; ack 7; ack 8", "6 to 8 go over one's own 5");
}

#[test]
fn absent_removed_and_hidden_by_a_scalar_differ_from_everything() {
    let mut hall = hall([("a", "5"), ("o.x", "1"), ("gone", "1")]);
    hall.says(&DIRECTOR.sends([remove("gone")]));
    let changes = [set("a", "{\"x\":1}"), set("o", "{\"y\":1}"), set("o", "5"), set("gone", "1"), set("gone", "null")];
    assert_eq!(hall.says(&DESK.sends(changes).seen(0)), "overruled by 1; overruled by 2; overruled by 2; overruled by 4; overruled by 4");
}

#[test]
fn only_the_newest_above_is_met_and_everything_below() {
    let mut hall = hall([]);
    hall.says(&DIRECTOR.sends([set("a", "{}")]));
    hall.says(&DESK.sends([set("a.x", "{}")]));
    hall.says(&LEFT.sends([set("a.x.p", "1"), set("a.x.q", "1"), set("a.z", "1")]));
    assert_eq!(hall.says(&RIGHT.sends([set("a.x.new", "1")]).seen(0)), "ack 6 over [2]", "2 is newer there than 1");
    assert_eq!(hall.says(&DIRECTOR.sends([set("a.x", "{\"p\":1}")]).seen(0)), "ack 7 over [2, 4, 6]", "3 agrees, 5 is elsewhere");
}

#[test]
fn what_was_replaced_from_above_no_longer_stands() {
    let mut hall = hall([("a.x", "1")]);
    assert_eq!(hall.says(&DESK.sends([set("a", "{}")])), "ack 2");
    assert_eq!(hall.says(&RIGHT.sends([set("a.x", "2")]).seen(0)), "ack 3 over [2]", "the director's 1 is gone");
}

// ---- Priorities --------------------------------------------------------------------------

#[test]
fn a_higher_priority_commits_and_says_what_it_went_over() {
    let mut hall = hall([]);
    hall.says(&DESK.sends([set("a", "{\"x\":1}")]));
    assert_eq!(hall.says(&DIRECTOR.sends([set("a.x", "2")]).seen(0)), "ack 2 over [1]");
    let entry = hall.meet.log().get(2).unwrap();
    assert_eq!(&*entry.fields.overrules, [1]);
    assert!(entry.editor_text().contains("\"overrules\":[1],\"previousValue\":1,"), "{}", entry.editor_text());
    assert!(!entry.text.contains("previousValue"), "the chain leaves it out");
}

#[test]
fn a_lower_priority_is_overruled_and_shown_what_stands() {
    let mut hall = hall([("a", "{\"x\":1}")]);
    assert_eq!(
        hall.says(&DESK.sends([set("a.x", "2"), remove("a.x"), set("a", "1"), remove("a")]).seen(0)),
        ["overruled by 1"; 4].join("; ")
    );
    assert_eq!(hall.state(), "{\"a\":{\"x\":1}}");
}

#[test]
fn the_highest_of_several_decides_and_all_are_listed() {
    let mut hall = hall([]);
    hall.says(&DESK.sends([set("a.x", "1")]));
    hall.says(&RIGHT.sends([set("a.y", "1")]));
    assert_eq!(hall.says(&LEFT.sends([set("a", "{}")]).seen(0)), "overruled by 2");
    assert_eq!(hall.says(&LEFT.sends([remove("a")]).seen(0)), "ack 3 over [1, 2]", "equals and lower ones");
}

#[test]
fn the_incumbent_wins_a_tie_by_default() {
    let mut hall = hall([]);
    hall.says(&LEFT.sends([set("a", "1")]));
    assert_eq!(hall.says(&RIGHT.sends([set("a", "2")]).seen(0)), "overruled by 1");
}

#[test]
fn the_latest_wins_a_tie_where_the_meet_says_so() {
    let mut hall = hall_with(TieBreak::Latest, []);
    hall.says(&LEFT.sends([set("a", "1")]));
    assert_eq!(hall.says(&RIGHT.sends([set("a", "2")]).seen(0)), "ack 2 over [1]");
    assert_eq!(hall.says(&DESK.sends([set("a", "3")]).seen(0)), "overruled by 2", "it is a tie-break and no more");
}

// ---- Removals ----------------------------------------------------------------------------

#[test]
fn remove_beats_update_in_both_orders() {
    for tie_break in [TieBreak::Incumbent, TieBreak::Latest] {
        let mut hall = hall_with(tie_break, [("a", "1"), ("b", "1")]);
        hall.says(&LEFT.sends([set("a", "2"), remove("b")]));
        assert_eq!(hall.says(&RIGHT.sends([remove("a"), set("b", "2")]).seen(2)), "ack 5 over [3]; overruled by 4");
        assert_eq!(hall.state(), "{}");
    }
}

#[test]
fn a_second_removal_is_merged_with_the_first() {
    let mut hall = hall([("a", "1")]);
    assert_eq!(hall.says(&LEFT.sends([remove("a"), remove("a")])), "ack 2; ack 2 merged");
    assert_eq!(hall.says(&DESK.sends([remove("a")]).seen(0)), "ack 2 merged", "whatever was seen and whoever asks");
    assert_eq!(hall.meet.log().head(), 2);
}

#[test]
fn what_never_stood_is_absent() {
    let mut hall = hall([("a", "{}")]);
    assert_eq!(hall.says(&DESK.sends([remove("b"), remove("a.x"), remove("a.x.y")])), "absent; absent; absent");
    assert_eq!(
        hall.says(&DESK.sends([set("a", "{\"x\":1}"), set("a", "{}"), remove("a.x")])),
        "ack 2; ack 3; absent",
        "replaced, not removed"
    );
}

#[test]
fn nothing_is_set_below_a_removed_object() {
    let mut hall = hall([("a.x", "1")]);
    hall.says(&DESK.sends([remove("a")]));
    let below = [set("a.x", "2"), create("a.y", "2"), set("a.x.y.z", "2")];
    assert_eq!(hall.says(&DIRECTOR.sends(below.clone()).seen(0)), ["removed by 2"; 3].join("; "), "whatever its priority");
    assert_eq!(hall.says(&DIRECTOR.sends(below).seen(2)), ["removed by 2"; 3].join("; "), "and once seen");
    assert_eq!(hall.says(&DESK.sends([remove("a.x"), remove("a.never")]).seen(0)), "ack 2 merged; ack 2 merged");
}

#[test]
fn only_a_higher_priority_brings_a_removed_object_back() {
    for tie_break in [TieBreak::Incumbent, TieBreak::Latest] {
        let mut hall = hall_with(tie_break, [("a", "1")]);
        hall.says(&LEFT.sends([remove("a")]));
        for who in [DESK, RIGHT] {
            assert_eq!(hall.says(&who.sends([set("a", "{}"), create("a", "{}")]).seen(1)), "overruled by 2; overruled by 2");
        }
        assert_eq!(hall.says(&DIRECTOR.sends([create("a", "{}")]).seen(1)), "ack 3 over [2]");
    }
}

#[test]
fn a_removed_member_comes_back_with_its_parent_only_by_higher_priority() {
    let mut hall = hall_with(TieBreak::Latest, [("a", "{\"x\":1}")]);
    hall.says(&LEFT.sends([remove("a.x")]));
    assert_eq!(hall.says(&RIGHT.sends([set("a", "{\"x\":2}")]).seen(1)), "overruled by 2");
    assert_eq!(hall.says(&RIGHT.sends([set("a", "{\"y\":2}")]).seen(1)), "ack 3 over [2]", "a.x stays removed, so the tie-break decides");
}

#[test]
fn a_removal_once_seen_is_plain_history() {
    let mut hall = hall([("a.x", "1"), ("b.x", "1")]);
    hall.says(&DIRECTOR.sends([remove("a"), remove("b")]));
    assert_eq!(
        hall.says(&DESK.sends([set("a.x", "2"), set("a", "{}"), set("a.x", "2"), create("b", "{}")]).seen(4)),
        "removed by 3; ack 5; ack 6; ack 7"
    );
}

// ---- Create ------------------------------------------------------------------------------

#[test]
fn create_of_what_stands_is_refused_or_merged() {
    let mut hall = hall([("a", "{\"x\":1}"), ("b.deep", "1"), ("n", "null")]);
    assert_eq!(
        hall.says(&DIRECTOR.sends([create("a", "{}"), create("a.x", "2"), create("b", "5"), create("n", "0")])),
        "exists by 1; exists by 1; exists by 2; exists by 3"
    );
    let equal = [create("a", "{\"x\":1.0}"), create("a.x", "1"), create("b", "{\"deep\":1}"), create("n", "null")];
    assert_eq!(hall.says(&DESK.sends(equal).seen(0)), "ack 1 merged; ack 1 merged; ack 2 merged; ack 3 merged");
    assert_eq!(hall.meet.log().head(), 3);
}

#[test]
fn create_of_what_does_not_stand_commits() {
    let mut hall = hall([("a", "{}")]);
    assert_eq!(
        hall.says(&DESK.sends([create("a.x", "null"), create("new.deep.key", "1"), remove("a.x"), create("a.x", "2")])),
        "ack 2; ack 3; ack 4; ack 5"
    );
    assert_eq!(hall.state(), "{\"a\":{\"x\":2},\"new\":{\"deep\":{\"key\":1}}}");
}

#[test]
fn two_concurrent_creates_of_one_key_meet_as_exists_whatever_their_priority() {
    let mut hall = hall([]);
    hall.says(&DESK.sends([create("a", "1")]));
    assert_eq!(hall.says(&DIRECTOR.sends([create("a", "2"), create("a", "1")]).seen(0)), "exists by 1; ack 1 merged");
}

// ---- The order of judgement, and neighbours ------------------------------------------------

#[test]
fn one_update_is_judged_in_the_contracts_order() {
    let mut hall = hall([("gone", "{}"), ("s", "5"), ("l", "[1]")]);
    hall.says(&DIRECTOR.sends([remove("gone")]));
    hall.says(&DESK.sends([set("known", "1").number(1)]));
    let changes = [
        set("a..b", "1").number(1),
        set("gone.x", "{\"__proto__\":1}").number(1),
        set("gone.x", "1").number(1),
        create("gone.x", "1").number(2).seen(0),
        create("s.x", "1").seen(0),
        create("l[0]", "2").seen(0),
        remove("l[0].x.y").seen(0),
        create("l", "[2]").seen(0),
        remove("never").seen(0),
        set("l", "[2]").seen(0),
    ];
    let answers = "invalid-key; invalid-value; id-reuse; removed by 4; not-a-container; array-element; not-a-container; exists by 3; absent; overruled by 3";
    assert_eq!(hall.says(&DESK.sends(changes)), answers);
}

#[test]
fn one_poisoned_update_of_ten_leaves_nine() {
    let mut hall = hall([("a", "{}")]);
    let changes = [2, 3, 4, 5, 6, 7, 8, 9, 10].map(|_| set("a.x", "1"));
    let [first, second, rest @ ..] = changes;
    let [c, d, e, f, g, h, i] = rest;
    hall.says(&DESK.sends([first, second, remove("a.never"), c, d, e, f, g, h, i]));
    assert_eq!(hall.meet.log().head(), 10);
    assert!(hall.meet.log().after(1).iter().all(|entry| entry.fields.commit == 2), "one commit, without gaps");
}
