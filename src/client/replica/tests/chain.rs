//! Chains: all or nothing, and the user decides.

use std::time::Duration;

use super::hall::{Authority, Member};
use crate::client::replica::chain::{Decision, STALES_MAX, SyncChain};
use crate::client::replica::{Edit, Need};
use crate::meet::update::Mode;

/// Drives a chain until it is through; `decide` answers each conflict, `meanwhile` happens before each request.
fn drive(
    member: &mut Member,
    authority: &mut Authority,
    mut decide: impl FnMut(u64) -> Decision,
    mut meanwhile: impl FnMut(&mut Authority),
) -> Vec<Mode> {
    let (mut chain, mut modes) = (SyncChain::start(&member.replica), Vec::new());
    while let Some(outgoing) = chain.push(&member.replica) {
        assert!(modes.len() < 20, "it comes to an end");
        outgoing.record.iter().for_each(|record| drop(member.keep(record)));
        meanwhile(authority);
        modes.push(outgoing.push.mode);
        let pull = member.replica.pull(Duration::ZERO);
        let answer = authority.sync(member, &outgoing.push, Some(pull));
        match member.hear(answer).unwrap().1 {
            Need::Decision(conflict) => {
                let decision = decide(conflict.problem.local_seq_num.unwrap());
                for record in chain.decide(&member.replica, &conflict, &decision) {
                    member.keep(&record);
                }
                // The program may die here: what was decided holds.
                member.restart();
            }
            Need::Again => chain.stale(&member.replica),
            _ => {}
        }
    }
    modes
}

/// A desk that has made edits 1 to 4 offline, the second of which a platform overrules.
fn desk_in_conflict() -> (Authority, Member, Member) {
    let (mut authority, mut left, mut desk) = (Authority::new(), Member::new("platform 1", 2), Member::new("desk", 1));
    left.set("b", "\"theirs\"");
    left.sync(&mut authority);
    for key in ["a", "b", "c", "d"] {
        desk.set(key, "\"mine\"");
    }
    (authority, left, desk)
}

fn agreed(mut authority: Authority, mut left: Member, desk: &mut Member) -> String {
    left.sync_until_quiet(&mut authority);
    desk.sync_until_quiet(&mut authority);
    assert_eq!(left.shows(), desk.shows());
    assert_eq!(left.replica.log().len(), desk.replica.log().len());
    assert_eq!(desk.shows(), authority.meet.state().canonical());
    desk.shows()
}

#[test]
fn one_of_a_chain_is_dropped_and_the_rest_is_committed_as_one() {
    let (mut authority, left, mut desk) = desk_in_conflict();
    let mut asked = Vec::new();
    let decide = |number| {
        asked.push(number);
        Decision::DropThis
    };
    drive(&mut desk, &mut authority, decide, |_| {});
    assert_eq!(asked, [2]);
    assert!(authority.meet.log().after(1).iter().all(|entry| entry.fields.commit == 2));
    assert_eq!(agreed(authority, left, &mut desk), r#"{"a":"mine","b":"theirs","c":"mine","d":"mine"}"#);
    assert!(desk.replica.set_aside().is_empty());
}

#[test]
fn the_rest_is_dropped_while_another_commits_and_nothing_of_the_others_is_touched() {
    let (mut authority, mut left, mut desk) = desk_in_conflict();
    let mut keys = ["x", "y"].iter();
    let meanwhile = |authority: &mut Authority| {
        if let Some(key) = keys.next() {
            left.set(key, "\"theirs\"");
            left.sync(authority);
        }
    };
    drive(&mut desk, &mut authority, |_| Decision::DropRest, meanwhile);
    assert_eq!(agreed(authority, left, &mut desk), r#"{"a":"mine","b":"theirs","x":"theirs","y":"theirs"}"#);
}

#[test]
fn what_is_kept_goes_over_what_was_seen_and_the_decision_holds_when_others_are_faster() {
    let (mut authority, mut left, mut desk) = desk_in_conflict();
    let (mut asked, mut times) = (0, 0);
    let decide = |_| {
        asked += 1;
        Decision::Keep(vec![2, 4])
    };
    // The third request carries the decision, and comes too late by one.
    let meanwhile = |authority: &mut Authority| {
        times += 1;
        if times == 3 {
            left.set("z", "1");
            left.sync(authority);
        }
    };
    let modes = drive(&mut desk, &mut authority, decide, meanwhile);
    assert_eq!((asked, modes.len()), (1, 4));
    assert_eq!(agreed(authority, left, &mut desk), r#"{"a":"mine","b":"mine","d":"mine","z":1}"#);
}

#[test]
fn what_no_knowledge_can_help_is_set_aside_though_it_was_kept() {
    let (mut authority, mut left, mut desk) = desk_in_conflict();
    left.sync_until_quiet(&mut authority);
    desk.edit(Edit::create("n", "1").unwrap());
    left.set("n", "2");
    left.sync(&mut authority);
    drive(&mut desk, &mut authority, |number| if number == 2 { Decision::DropThis } else { Decision::Keep(vec![number]) }, |_| {});
    assert_eq!(desk.replica.set_aside().keys().collect::<Vec<_>>(), [&5]);
    assert_eq!(agreed(authority, left, &mut desk), r#"{"a":"mine","b":"theirs","c":"mine","d":"mine","n":2}"#);
}

#[test]
fn what_was_refused_by_itself_before_is_asked_about_once_and_then_set_aside() {
    let (mut authority, left, mut desk) = desk_in_conflict();
    let push = desk.batch();
    // Its reply is lost; the server keeps the refusal under the edit's number.
    authority.sync(&desk, &push, None);
    let mut asked = 0;
    let decide = |number| {
        asked += 1;
        Decision::Keep(vec![number])
    };
    drive(&mut desk, &mut authority, decide, |_| {});
    assert!(asked <= 2 && desk.replica.set_aside().keys().eq([&2]), "{asked}");
    assert_eq!(agreed(authority, left, &mut desk), r#"{"a":"mine","b":"theirs","c":"mine","d":"mine"}"#);
}

#[test]
fn after_three_stales_each_edit_goes_by_itself() {
    let (mut authority, mut left, mut desk) = desk_in_conflict();
    let mut count = 0;
    let meanwhile = |authority: &mut Authority| {
        count += 1;
        left.set("x", &count.to_string());
        left.sync(authority);
    };
    let modes = drive(&mut desk, &mut authority, |_| panic!("each by itself asks nobody"), meanwhile);
    assert_eq!(modes, [&[Mode::Atomic; STALES_MAX as usize][..], &[Mode::Each]].concat());
    assert_eq!(desk.replica.set_aside().keys().collect::<Vec<_>>(), [&2]);
    let shown = agreed(authority, left, &mut desk);
    assert!(shown.contains("\"d\":\"mine\"") && shown.contains("\"b\":\"theirs\""), "{shown}");
}

#[test]
fn coming_up_to_the_head_is_no_stale() {
    let (mut authority, mut left, mut desk) = desk_in_conflict();
    left.set("x", "1");
    left.sync_until_quiet(&mut authority);
    let mut chain = SyncChain::start(&desk.replica);
    let page = authority.page(0, 1);
    desk.hear(crate::client::channel::Answer::Stale(page)).unwrap();
    for _ in 0..STALES_MAX {
        chain.stale(&desk.replica);
    }
    assert_eq!(chain.mode(), Mode::Atomic);
}
