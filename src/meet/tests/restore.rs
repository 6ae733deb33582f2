//! Logs that clients hand back: behind, forked, forged.

use proptest::prelude::*;

use super::super::Meet;
use super::super::chain::{ChainValue, ServerKey};
use super::super::entry::{Entry, EntryFields};
use super::super::id::MeetId;
use super::super::outcome::{Decision, Outcome, Record};
use super::super::restore::{Handed, Restored, Upload};
use super::super::settings::TieBreak;
use super::super::time::Timestamp;
use super::super::update::{Batch, Mode, Proposal};
use super::hall::{Hall, empty_meet, hall};
use super::request::{Change, DESK, DIRECTOR, LEFT, RIGHT, Request, create, remove, set};
use super::script::Script;
use super::scripts::script;

const NOW: Timestamp = Timestamp::from_const(1_777_700_000_000);

/// Everything above `after` as a client has it.
fn fields(meet: &Meet, after: u64) -> Vec<EntryFields> {
    meet.log().after(after).iter().map(|entry| entry.fields.clone()).collect()
}

/// The page that ends at `upto`.
fn page(meet: &Meet, after: u64, upto: u64, more: bool) -> Handed {
    let mut entries = fields(meet, after);
    entries.truncate(usize::try_from(upto - after).unwrap());
    Handed { entries, place: upto, chain: meet.log().chain(upto).unwrap(), more }
}

/// What a page comes to, in words.
fn told(restored: Restored) -> (String, Option<Upload>, Vec<Record>) {
    match restored {
        Restored::Taken { records, lost, upload, .. } => (format!("{} records, {lost} lost", records.len()), upload, records),
        Restored::Apart => ("apart".to_owned(), None, Vec::new()),
        Restored::Finished => ("finished".to_owned(), None, Vec::new()),
        Restored::Forged => ("forged".to_owned(), None, Vec::new()),
    }
}

/// Hands everything above `after` back in pages of `size`.
fn hand_back(to: &mut Meet, from: &Meet, after: u64, size: usize) -> Result<(usize, Vec<Record>), String> {
    let head = from.log().head();
    let (mut upload, mut all_lost, mut all) = (None, 0, Vec::new());
    let mut at = after;
    loop {
        let upto = head.min(at + size as u64);
        match to.restore(upload.take(), page(from, at, upto, upto < head), NOW) {
            Restored::Taken { records, lost, upload: next, .. } => {
                all.extend(records);
                all_lost += lost;
                upload = next;
            }
            other => return Err(told(other).0),
        }
        at = upto;
        if at == head {
            assert!(upload.is_none());
            return Ok((all_lost, all));
        }
    }
}

/// A copy of a meet as it was at a number where a commit ends.
fn older(hall: &Hall, tie_break: TieBreak, upto: u64) -> Meet {
    let mut meet = empty_meet(tie_break);
    for record in &hall.records {
        match record {
            Record::Entry { entry, .. } if entry.seq() > upto => break,
            Record::Entry { entry, .. } => drop(meet.replay(entry.fields.clone(), entry.text.clone(), entry.chain).unwrap()),
            Record::Answer(remembered) => meet.replay_answer(remembered),
        }
    }
    meet
}

fn commit_ends(meet: &Meet) -> Vec<u64> {
    let log = meet.log();
    let ends = log.after(0).windows(2).filter(|pair| pair[0].fields.commit != pair[1].fields.commit).map(|pair| pair[0].seq());
    [0].into_iter().chain(ends).chain([log.head()]).collect()
}

fn face(meet: &Meet) -> (String, Vec<String>) {
    let line = |entry: &std::sync::Arc<Entry>| format!("{} {}", entry.editor_text(), entry.chain);
    (meet.state().canonical(), meet.log().after(0).iter().map(line).collect())
}

fn played(script: &Script) -> Hall {
    let mut hall = Hall::new(script.tie_break);
    script.play(|request| {
        hall.send(request);
        hall.meet.log().head()
    });
    hall
}

/// What its author would send again.
fn resend(entry: &Entry) -> Batch {
    let EntryFields { update_key, update_value, op, local_seq_num, priority, .. } = &entry.fields;
    let update = Proposal::read(update_key, Some(update_value), *op, *local_seq_num, None);
    Batch { writer: entry.writer(), priority: *priority, updates: vec![update], mode: Mode::Each, if_head: None, after: None }
}

fn values(meet: &Meet) -> Vec<String> {
    let entry =
        |entry: &std::sync::Arc<Entry>| format!("{} {} {}", entry.fields.client_id, entry.fields.update_key, entry.fields.update_value);
    meet.log().after(0).iter().map(entry).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was lost comes back byte for byte, however it is cut into pages, and resends get their old acks.
    #[test]
    fn a_server_that_is_behind_gets_its_log_back(script in script(), cut in any::<prop::sample::Index>(), from_start in any::<bool>(), size in 1_usize..9) {
        let hall = played(&script);
        let ends = commit_ends(&hall.meet);
        let upto = ends[cut.index(ends.len())];
        let mut meet = older(&hall, script.tie_break, upto);
        let after = if from_start { 0 } else { upto };
        let (lost, records) = hand_back(&mut meet, &hall.meet, after, size).unwrap();
        prop_assert_eq!(lost, 0);
        prop_assert_eq!(records.len() as u64, hall.meet.log().head() - upto);
        prop_assert_eq!(face(&meet), face(&hall.meet));
        // The records make the same meet again, commit by commit.
        let mut again = older(&hall, script.tie_break, upto);
        for record in &records {
            let Record::Entry { entry, commit_end } = record else { panic!("an answer is no entry") };
            prop_assert!(*commit_end >= entry.seq() && entry.fields.commit <= entry.seq());
            again.replay(entry.fields.clone(), entry.text.clone(), entry.chain).unwrap();
        }
        prop_assert_eq!(face(&again), face(&hall.meet));
        for entry in hall.meet.log().after(0).iter().filter(|entry| entry.fields.local_seq_num.is_some()) {
            let Decision::Applied { outcomes, .. } = meet.apply(&resend(entry), NOW) else { panic!("a resend is answered") };
            let same = matches!(&outcomes[..], [Outcome::Acked(ack)] if ack.duplicate && ack.server_seq_num == entry.seq());
            prop_assert!(same, "{:?}", outcomes);
        }
    }

    /// A changed page changes nothing.
    #[test]
    fn an_edited_log_is_refused(script in script(), at in any::<prop::sample::Index>(), edit in 0..5_u8) {
        let hall = played(&script);
        let head = hall.meet.log().head();
        prop_assume!(head > 1);
        let mut handed = page(&hall.meet, 0, head, false);
        let place = at.index(handed.entries.len());
        let entry = &mut handed.entries[place];
        match edit {
            0 => entry.priority += 1,
            1 => entry.client_id = "somebody else".into(),
            2 => entry.at = entry.at.plus(std::time::Duration::from_secs(1)),
            3 => entry.update_value = serde_json::value::RawValue::from_string("\"forged\"".to_owned()).unwrap(),
            _ => drop(handed.entries.remove(place)),
        }
        let mut meet = empty_meet(script.tie_break);
        let restored = told(meet.restore(None, handed, NOW)).0;
        prop_assert!(restored == "forged" || restored == "apart", "{}", restored);
        prop_assert_eq!(meet.log().head(), 0);
    }

    /// The log keeps its numbers, and every update of the other branch ends up in it or is told that it lost.
    #[test]
    fn a_branch_is_carried_over_and_nothing_goes_missing(one in script(), other in script(), cut in any::<prop::sample::Index>(), size in 1_usize..9) {
        let hall = played(&one);
        let ends = commit_ends(&hall.meet);
        let fork = ends[cut.index(ends.len())];
        let mut live = older(&hall, one.tie_break, fork);
        other.play(|request| {
            let renumbered = request.changes.iter().map(|change| Change { number: change.number.map(|number| number + 1_000), ..change.clone() });
            Request { changes: renumbered.collect(), ..request.clone() }.apply(&mut live);
            live.log().head()
        });
        let before = values(&live);
        let start = live.log().head();
        let is_branch = start > fork;
        let (lost, records) = hand_back(&mut live, &hall.meet, 0, size).unwrap();
        prop_assert_eq!(&values(&live)[..before.len()], &before[..], "the live branch keeps its numbers");
        let given = usize::try_from(hall.meet.log().head() - fork).unwrap();
        let carried = usize::try_from(live.log().head() - start).unwrap();
        prop_assert!(carried + lost <= given);
        if !is_branch {
            prop_assert_eq!((carried, lost), (given, 0));
        }
        let noted = records.iter().filter(|record| matches!(record, Record::Answer(_))).count();
        prop_assert!(carried + noted <= given);
        // A second time everything is known already.
        let head = live.log().head();
        let numbered = hall.meet.log().after(fork).iter().all(|entry| entry.fields.local_seq_num.is_some());
        if numbered {
            hand_back(&mut live, &hall.meet, 0, size).unwrap();
            prop_assert_eq!(live.log().head(), head);
        }
    }
}

/// Two halls that were one up to number 1.
fn forked() -> (Hall, Hall) {
    let start = || hall([("a", "{\"x\":0,\"y\":0}")]);
    (start(), start())
}

#[test]
fn only_real_losers_of_a_branch_are_told_so() {
    let (mut live, mut lost) = forked();
    live.send(&LEFT.sends([set("a.x", "1").number(1), set("new.live", "1").number(2)]));
    // In the branch the desk lost to nobody: it saw what the platform did before.
    lost.send(&RIGHT.sends([set("a.y", "5").number(1)]));
    lost.send(&DESK.sends([set("a.y", "6").number(1), set("a.x", "7").number(2)]).seen(2));
    lost.send(&DIRECTOR.sends([set("a.x", "9").number(9)]).seen(4));
    let (missed, records) = hand_back(&mut live.meet, &lost.meet, 1, 2).unwrap();
    assert_eq!(missed, 1, "{:?}", values(&live.meet));
    assert_eq!(live.meet.state().canonical(), r#"{"a":{"x":9,"y":6},"new":{"live":1}}"#);
    assert_eq!(records.len(), 4);
    // Resends are told what became of them.
    let resend = |who: super::request::Who, change: Change, meet: &mut Meet| who.sends([change]).apply(meet).0.to_string();
    assert_eq!(resend(DESK, set("a.x", "7").number(2), &mut live.meet), "recovered-over by 2");
    assert_eq!(resend(DESK, set("a.y", "6").number(1), &mut live.meet), "ack 5 duplicate");
    assert_eq!(resend(DIRECTOR, set("a.x", "9").number(9), &mut live.meet), "ack 6 duplicate over [2]");
}

#[test]
fn removals_and_creations_of_a_branch_are_judged_as_ever() {
    let (mut live, mut lost) = forked();
    live.send(&LEFT.sends([remove("a")]));
    live.send(&LEFT.sends([create("b", "1")]));
    lost.send(&DIRECTOR.sends([set("a.x", "1").number(1), create("b", "2").number(2), create("c", "3").number(3)]));
    let (missed, _) = hand_back(&mut live.meet, &lost.meet, 0, 10).unwrap();
    assert_eq!((missed, live.meet.state().canonical().as_str()), (2, r#"{"b":1,"c":3}"#));
}

/// Others go on while a client is still handing back its pages.
#[test]
fn a_log_that_moves_on_between_two_pages_becomes_a_fork() {
    let mut lost = hall([("a", "0")]);
    lost.send(&LEFT.sends([set("b", "1"), set("c", "1"), set("d", "1")]));
    lost.send(&LEFT.sends([set("e", "1")]));
    let mut meet = older(&lost, TieBreak::Incumbent, 1);
    let (said, upload, _) = told(meet.restore(None, page(&lost.meet, 1, 3, true), NOW));
    assert_eq!(said, "0 records, 0 lost", "a commit takes effect whole");
    RIGHT.sends([set("z", "1")]).apply(&mut meet);
    let (said, upload, _) = told(meet.restore(upload, page(&lost.meet, 3, 5, false), NOW));
    assert_eq!((said.as_str(), upload.is_none()), ("4 records, 0 lost", true));
    assert_eq!(meet.state().canonical(), r#"{"a":0,"b":1,"c":1,"d":1,"e":1,"z":1}"#);
    assert_eq!(meet.log().get(3).unwrap().fields.commit, 3, "the commit has new numbers");
}

#[test]
fn what_does_not_join_is_apart_and_what_is_foreign_is_forged() {
    let (mut live, mut lost) = forked();
    for value in ["1", "2", "3"] {
        lost.send(&LEFT.sends([set("a.x", value)]));
    }
    live.send(&RIGHT.sends([set("a.y", "8")]));
    let mut restore = |handed| told(live.meet.restore(None, handed, NOW)).0;
    assert_eq!(restore(page(&lost.meet, 3, 4, false)), "apart", "a gap");
    assert_eq!(restore(page(&lost.meet, 2, 4, false)), "apart", "number 2 is another one here");
    assert_eq!(restore(page(&lost.meet, 4, 4, false)), "apart", "nothing to give, from another history");
    assert_eq!(restore(page(&lost.meet, 1, 1, false)), "0 records, 0 lost", "nothing to give, from this one");
    let foreign_key = ServerKey::new([8; 32]);
    let start: ChainValue = foreign_key.chain_start(MeetId::from_random(123_456_789), &[9; 16]);
    let mut foreign = Meet::new(foreign_key, start, TieBreak::Incumbent);
    LEFT.sends([set("a", "1")]).apply(&mut foreign);
    assert_eq!(restore(page(&foreign, 0, 1, false)), "forged");
    let mut gap = page(&lost.meet, 0, 4, false);
    gap.entries.remove(2);
    assert_eq!(restore(gap), "forged");
    assert_eq!(live.meet.log().head(), 2);
}

#[test]
fn a_page_sent_again_changes_nothing() {
    let (mut live, mut lost) = forked();
    for value in ["1", "2", "3"] {
        lost.send(&LEFT.sends([set("a.x", value)]));
    }
    live.send(&RIGHT.sends([set("a.y", "8")]));
    let (said, upload, _) = told(live.meet.restore(None, page(&lost.meet, 0, 3, true), NOW));
    assert_eq!(said, "1 records, 0 lost");
    let (said, upload, _) = told(live.meet.restore(upload, page(&lost.meet, 1, 3, true), NOW));
    assert_eq!(said, "0 records, 0 lost");
    let (said, upload, _) = told(live.meet.restore(upload, page(&lost.meet, 3, 4, false), NOW));
    assert_eq!((said.as_str(), upload.is_none()), ("2 records, 0 lost", true));
}

#[test]
fn a_finished_meet_takes_what_it_has_and_nothing_new() {
    let mut whole = empty_meet(TieBreak::Incumbent);
    let mut meet = empty_meet(TieBreak::Incumbent);
    for value in ["1", "2"] {
        LEFT.sends([set("a", value)]).apply(&mut whole);
    }
    assert_eq!(told(meet.restore(None, page(&whole, 0, 1, false), NOW)).0, "1 records, 0 lost");
    meet.finish();
    assert_eq!(told(meet.restore(None, page(&whole, 0, 1, false), NOW)).0, "0 records, 0 lost");
    assert_eq!(told(meet.restore(None, page(&whole, 0, 2, false), NOW)).0, "finished");
    assert_eq!(meet.log().head(), 1);
}

#[test]
fn an_empty_page_behind_the_others_ends_the_last_commit() {
    let mut whole = empty_meet(TieBreak::Incumbent);
    let mut meet = empty_meet(TieBreak::Incumbent);
    for value in ["1", "2"] {
        LEFT.sends([set("a", value)]).apply(&mut whole);
    }
    let (said, upload, _) = told(meet.restore(None, page(&whole, 0, 2, true), NOW));
    assert_eq!(said, "1 records, 0 lost");
    let (said, upload, _) = told(meet.restore(upload, page(&whole, 2, 2, false), NOW));
    assert_eq!((said.as_str(), upload.is_none()), ("1 records, 0 lost", true));
    assert_eq!(meet.log().head(), 2);
}
