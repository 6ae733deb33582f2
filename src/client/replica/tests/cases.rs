//! The cases in which systems of this kind are known to fail, each by name.

use std::time::Duration;

use super::hall::{Authority, Member};
use crate::client::channel::{Answer, Push};
use crate::client::replica::{ConflictFree, Edit, EditError, Need, Record};
use crate::client::store::ReplicaStore;
use crate::meet::key::Key;
use crate::meet::outcome::UpdateCode;

fn hall() -> (Authority, Member, Member) {
    (Authority::new(), Member::new("platform 1", 2), Member::new("desk", 1))
}

/// A pull of a few entries.
fn pull(member: &mut Member, authority: &mut Authority, limit: u64) -> Answer {
    let mut pull = member.replica.pull(Duration::ZERO);
    pull.limit = Some(limit);
    authority.sync(member, &Push::default(), Some(pull))
}

#[test]
fn edits_made_before_the_first_sync_merge() {
    let (mut authority, mut left, mut desk) = hall();
    left.set("a.x", "1");
    left.sync_until_quiet(&mut authority);
    desk.set("a.y", "2");
    desk.set("b", "3");
    desk.sync_until_quiet(&mut authority);
    left.sync_until_quiet(&mut authority);
    assert_eq!(desk.shows(), r#"{"a":{"x":1,"y":2},"b":3}"#);
    assert_eq!((left.shows(), authority.meet.state().canonical()), (desk.shows(), desk.shows()));
    assert!(desk.replica.set_aside().is_empty());
}

#[test]
fn one_page_behind_with_one_pending_edit() {
    let (mut authority, mut left, mut desk) = hall();
    for number in 0..5 {
        left.set(&format!("k{number}"), "1");
        left.sync(&mut authority);
    }
    desk.set("mine", "1");
    let answer = pull(&mut desk, &mut authority, 2);
    desk.hear(answer).unwrap();
    assert_eq!(desk.shows(), r#"{"k0":1,"k1":1,"mine":1}"#);
    desk.sync_until_quiet(&mut authority);
    left.sync_until_quiet(&mut authority);
    assert_eq!(left.shows(), desk.shows());
}

#[test]
fn a_lost_reply_to_a_push_doubles_nothing() {
    let (mut authority, mut left, _) = hall();
    left.set("a", "1");
    for _ in 0..3 {
        let push = left.batch();
        authority.sync(&left, &push, None);
        left.restart();
    }
    left.sync_until_quiet(&mut authority);
    assert_eq!(authority.meet.log().head(), 1);
}

#[test]
fn a_lost_reply_to_a_create_is_no_refusal() {
    let (mut authority, mut left, _) = hall();
    left.edit(Edit::create("entries[5003]", "{\"name\":\"A\"}").unwrap());
    let push = left.batch();
    authority.sync(&left, &push, None);
    // The entry comes before the answer does: it settles the edit.
    let answer = pull(&mut left, &mut authority, 10);
    assert_eq!(left.hear(answer).unwrap().0.settled, [1]);
    assert!(left.replica.push().is_none());
    let again = authority.sync(&left, &push, None);
    left.hear(again).unwrap();
    assert!(left.replica.set_aside().is_empty());
    assert_eq!(authority.meet.log().head(), 1);
}

#[test]
fn a_pull_cut_in_the_middle_loses_no_offline_work() {
    let (mut authority, mut left, mut desk) = hall();
    for number in 0..6 {
        left.set(&format!("k{number}"), "1");
        left.sync(&mut authority);
    }
    desk.set("k3", "3");
    desk.set("mine", "1");
    let whole = pull(&mut desk, &mut authority, 6);
    let (first, second) = (pull(&mut desk, &mut authority, 2), pull(&mut desk, &mut authority, 4));
    for answer in [first.clone(), second, first, whole.clone(), whole] {
        desk.hear(answer).unwrap();
        desk.restart();
    }
    assert_eq!((desk.replica.status().last_number, desk.replica.status().pending), (6, 2));
    desk.sync_until_quiet(&mut authority);
    assert_eq!(desk.replica.set_aside().keys().collect::<Vec<_>>(), [&1], "only what was overruled");
    assert_eq!(desk.shows(), authority.meet.state().canonical());
}

#[test]
fn a_poisoned_update_among_ten_leaves_nine() {
    let (mut authority, mut left, mut desk) = hall();
    left.set("k4", "\"theirs\"");
    left.sync(&mut authority);
    for number in 0..10 {
        desk.set(&format!("k{number}"), "\"mine\"");
    }
    let news = desk.sync(&mut authority);
    assert_eq!((news.settled.len(), news.refused.as_slice()), (9, &[5][..]));
    let aside = &desk.replica.set_aside()[&5];
    let standing = aside.refused.standing.as_ref().unwrap();
    assert_eq!((aside.refused.code, &*standing.location_name), (Some(UpdateCode::Overruled), "platform 1"));
    assert_eq!(
        (standing.value.as_ref().unwrap().get(), aside.edit.value.as_ref().unwrap().canonical().as_str()),
        ("\"theirs\"", "\"mine\"")
    );
    assert_eq!(desk.shows(), authority.meet.state().canonical());

    let retry = desk.replica.retry(5).unwrap();
    desk.keep(&retry);
    desk.restart();
    desk.sync_until_quiet(&mut authority);
    assert!(desk.replica.set_aside().is_empty());
    assert!(desk.shows().contains("\"k4\":\"mine\""), "seen, so no conflict any more");
    let news = left.sync(&mut authority);
    assert_eq!(news.keys.len(), 10);
}

#[test]
fn a_refused_start_can_be_resent() {
    let (mut authority, mut left, mut desk) = hall();
    left.set("a", "1");
    left.sync(&mut authority);
    desk.set("a", "2");
    let push = desk.batch();
    for _ in 0..3 {
        let answer = authority.sync(&desk, &push, None);
        desk.hear(answer).unwrap();
    }
    assert_eq!(desk.replica.set_aside().len(), 1);
    desk.set("b", "2");
    desk.sync_until_quiet(&mut authority);
    let drop = desk.replica.drop_refused(1).unwrap();
    desk.keep(&drop);
    assert_eq!(desk.shows(), r#"{"a":1,"b":2}"#);
    assert!(desk.replica.set_aside().is_empty());
}

#[test]
fn an_ack_before_its_entry_neither_resends_nor_flickers() {
    let (mut authority, mut left, _) = hall();
    left.set("a", "1");
    let push = left.batch();
    let answer = authority.sync(&left, &push, None);
    left.hear(answer).unwrap();
    assert!(left.replica.push().is_none());
    assert_eq!((left.shows().as_str(), left.replica.status().pending), ("{\"a\":1}", 1));
    let news = left.sync(&mut authority);
    assert_eq!((news.settled, news.keys.len()), (vec![1], 0), "what was shown goes on being shown");
}

#[test]
fn a_value_set_again_before_it_was_sent_is_sent_once() {
    let (mut authority, mut left, _) = hall();
    left.set("a", "1");
    left.set("b", "1");
    left.set("a", "2");
    assert_eq!(left.replica.pending().count(), 2);
    left.batch();
    left.set("a", "3");
    assert_eq!(left.replica.pending().count(), 3, "what may have been sent is never replaced");
    left.set("o.x", "1");
    left.set("o", "{}");
    left.set("o.x", "2");
    assert_eq!(left.replica.pending().count(), 6, "another edit between concerns it");
    left.sync_until_quiet(&mut authority);
    assert_eq!(left.shows(), r#"{"a":3,"b":1,"o":{"x":2}}"#);
}

#[test]
fn edits_made_in_one_go_are_one_commit() {
    let (mut authority, mut left, _) = hall();
    let edits = [Edit::create("o", "{}"), Edit::set("o.x", "1"), Edit::set("o.y", "2")].map(Result::unwrap);
    let record = left.replica.edit_all(edits.into()).unwrap();
    left.keep(&record);
    left.set("o.x", "3");
    left.sync_until_quiet(&mut authority);
    assert_eq!(left.replica.log().len(), 4);
    assert_eq!(left.shows(), r#"{"o":{"x":3,"y":2}}"#);
}

#[test]
fn a_field_of_what_was_removed_meanwhile_shows_no_ghost() {
    let (mut authority, mut left, mut desk) = hall();
    left.edit(Edit::create("e[5]", "{\"x\":1,\"y\":2}").unwrap());
    left.sync(&mut authority);
    desk.sync(&mut authority);
    desk.set("e[5].x", "7");
    left.edit(Edit::remove("e[5]").unwrap());
    left.sync(&mut authority);
    let answer = pull(&mut desk, &mut authority, 10);
    let (news, _) = desk.hear(answer).unwrap();
    assert_eq!((desk.shows().as_str(), desk.replica.status().pending), (r#"{"e":{}}"#, 1));
    assert_eq!(news.keys.iter().map(Key::as_str).collect::<Vec<_>>(), ["e[5]", "e[5].x"]);
    desk.sync_until_quiet(&mut authority);
    assert_eq!(desk.replica.set_aside()[&1].refused.code, Some(UpdateCode::Removed));
}

#[test]
fn who_is_overruled_later_is_told_both_values() {
    let (mut authority, mut left, mut desk) = hall();
    left.sync(&mut authority);
    desk.set("a", "1");
    desk.sync(&mut authority);
    left.set("a", "2");
    left.sync(&mut authority);
    let news = desk.sync(&mut authority);
    let [told] = news.overruled.as_slice() else { panic!("{news:?}") };
    assert_eq!((told.old.get(), told.new.get(), &*told.location_name, told.number), ("1", "2", "platform 1", Some(1)));
}

#[test]
fn a_server_that_lost_the_end_of_its_log_gets_it_back() {
    let (mut authority, mut left, mut desk) = hall();
    for number in 0..5 {
        left.set(&format!("k{number}"), "1");
        left.sync(&mut authority);
    }
    let mut older = Authority::new();
    for entry in &authority.meet.log().after(0)[..2] {
        older.meet.replay(entry.fields.clone(), entry.text.clone(), entry.chain).unwrap();
    }
    left.set("more", "1");
    let push = left.batch();
    let pull = left.replica.pull(Duration::ZERO);
    let answer = older.sync(&left, &push, Some(pull));
    let Need::Restore { after } = left.hear(answer).unwrap().1 else { panic!("the server is behind") };
    restore(&left, &mut older, after);
    left.sync_until_quiet(&mut older);
    desk.sync_until_quiet(&mut older);
    assert_eq!(older.meet.log().head(), 6);
    assert_eq!(desk.shows(), left.shows());
}

#[test]
fn an_acked_edit_whose_number_the_log_gave_to_another_is_sent_again() {
    let (mut authority, mut left, mut desk) = hall();
    left.set("a", "1");
    let push = left.batch();
    let answer = authority.sync(&left, &push, None);
    left.hear(answer).unwrap();
    // The server comes back without the only entry, and its number goes to somebody else.
    let mut older = Authority::new();
    desk.set("b", "2");
    desk.sync_until_quiet(&mut older);
    left.sync_until_quiet(&mut older);
    desk.sync_until_quiet(&mut older);
    assert_eq!(left.replica.status().pending, 0);
    assert_eq!((left.shows().as_str(), desk.shows()), (r#"{"a":1,"b":2}"#, left.shows()));
}

fn restore(member: &Member, authority: &mut Authority, mut after: u64) {
    use crate::client::replica::Server;
    use crate::meet::restore::{Handed, Restored};
    let mut upload = None;
    while let Some(page) = member.replica.restore_page(after, Server::Knows) {
        let (more, place) = (page.more, page.cursor.seq);
        let handed = Handed { entries: page.updates, place, chain: page.chain, more };
        let now = crate::meet::time::Timestamp::from_millis(1_777_627_900_000);
        let Restored::Taken { upload: next, .. } = authority.meet.restore(upload, handed, now) else { panic!("it is genuine") };
        (upload, after) = (next, place);
        if !more {
            return;
        }
    }
}

#[test]
fn another_history_takes_the_old_ones_place_in_one_step_and_loses_no_edit() {
    let (mut authority, mut left, mut desk) = hall();
    left.set("a", "1");
    left.sync(&mut authority);
    let mut other = Authority::new();
    let first = &authority.meet.log().after(0)[0];
    other.meet.replay(first.fields.clone(), first.text.clone(), first.chain).unwrap();
    for key in ["b", "c", "d"] {
        left.set(key, "1");
        left.sync(&mut authority);
    }
    for key in ["c", "x", "y", "z"] {
        desk.sync_until_quiet(&mut other);
        desk.set(key, "2");
        desk.sync_until_quiet(&mut other);
    }
    left.set("e", "1");
    let push = left.batch();
    let pull_now = left.replica.pull(Duration::ZERO);
    let answer = other.sync(&left, &push, Some(pull_now));
    assert!(matches!(left.hear(answer).unwrap().1, Need::Reset));
    let shown = left.shows();
    left.keep(&Record::Reset);
    let answer = pull(&mut left, &mut other, 2);
    left.hear(answer).unwrap();
    left.restart();
    assert_eq!((left.shows(), left.replica.push().is_none()), (shown, true), "the old history until the new one is whole");
    left.sync_until_quiet(&mut other);
    desk.sync_until_quiet(&mut other);
    assert_eq!(left.shows(), r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"x":2,"y":2,"z":2}"#, "priority 2 wins over 1 at c");
    assert_eq!((desk.shows(), other.meet.state().canonical()), (left.shows(), left.shows()));
}

#[test]
fn what_a_finished_meet_did_not_take_is_set_aside() {
    let (mut authority, mut left, _) = hall();
    left.set("a", "1");
    let push = left.batch();
    authority.sync(&left, &push, None);
    left.set("b", "1");
    authority.meet.finish();
    authority.is_finished = true;
    left.sync(&mut authority);
    assert_eq!(left.replica.set_aside().keys().collect::<Vec<_>>(), [&2]);
    let answer = pull(&mut left, &mut authority, 10);
    left.hear(answer).unwrap();
    assert_eq!(left.shows(), r#"{"a":1}"#);
    assert_eq!(left.replica.edit(Edit::set("c", "1").unwrap()).unwrap_err(), EditError::Finished);
}

#[test]
fn what_waited_when_the_meet_was_finished_is_sent_once_more_and_set_aside() {
    let (mut authority, mut left, _) = hall();
    left.set("a", "1");
    authority.meet.finish();
    authority.is_finished = true;
    let answer = pull(&mut left, &mut authority, 10);
    left.hear(answer).unwrap();
    left.sync(&mut authority);
    assert_eq!((left.replica.set_aside().len(), left.replica.status().pending), (1, 0));
}

#[test]
fn conflict_free_mode_leaves_only_own_new_objects_free_while_the_server_is_away() {
    let (mut authority, mut left, _) = hall();
    left.set("e[1].x", "1");
    left.sync_until_quiet(&mut authority);
    left.replica.set_conflict_free(ConflictFree::Offline);
    let refused = left.replica.edit(Edit::set("e[1].x", "2").unwrap()).unwrap_err();
    assert!(refused.to_string().contains("read-only until the server is back"), "{refused}");
    assert!(matches!(left.replica.edit(Edit::remove("e").unwrap()), Err(EditError::ReadOnly(_))));
    left.edit(Edit::create("e[2]", "{}").unwrap());
    left.set("e[2].x", "2");
    assert!(left.replica.is_editable(&Key::parse("e[2].y").unwrap()) && !left.replica.is_editable(&Key::parse("e[1]").unwrap()));
    let both = [Edit::create("e[3]", "{}"), Edit::set("e[3].x", "1")].map(Result::unwrap);
    assert!(left.replica.edit_all(both.into()).is_ok());
    left.sync_until_quiet(&mut authority);
    assert!(matches!(left.replica.edit(Edit::set("e[2].x", "3").unwrap()), Err(EditError::ReadOnly(_))), "it exists now");
    left.replica.set_conflict_free(ConflictFree::Online);
    left.set("e[2].x", "3");
}

#[test]
fn every_record_survives_its_text() {
    let (mut authority, mut left, mut desk) = hall();
    left.set("a", "{\"x\":null}");
    left.sync(&mut authority);
    desk.set("a", "2");
    desk.edit(Edit::create("n", "null").unwrap());
    desk.sync_until_quiet(&mut authority);
    desk.edit(Edit::remove("n").unwrap());
    let text = serde_json::to_string(&desk.store.load().unwrap()).unwrap();
    let again = crate::client::replica::Replica::open(serde_json::from_str::<Vec<Record>>(&text).unwrap());
    assert_eq!((again.state(), again.status()), (desk.replica.state(), desk.replica.status()));
    assert_eq!(again.pending().last().unwrap().edit, Edit::remove("n").unwrap());
}
