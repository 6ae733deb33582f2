//! What holds for every script of requests.

use proptest::prelude::*;

use super::hall::{Hall, empty_meet, face};
use super::request::{Reply, Request};
use super::script::Script;
use super::scripts::script;

fn played(script: &Script) -> (Hall, Vec<(Request, Reply)>) {
    let mut hall = Hall::new(script.tie_break);
    let mut told = Vec::new();
    script.play(|request| {
        told.push((request.clone(), hall.send(request)));
        hall.meet.log().head()
    });
    (hall, told)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// `Hall::send` compares every reply and every state with the oracle's.
    #[test]
    fn replies_and_states_are_the_oracles(script in script()) {
        let (hall, _) = played(&script);
        hall.assert_commits_are_whole();
    }

    #[test]
    fn the_same_requests_give_the_same_meet(script in script()) {
        let ((one, told), (two, again)) = (played(&script), played(&script));
        prop_assert_eq!(face(&one.meet), face(&two.meet));
        prop_assert_eq!(told, again);
    }

    #[test]
    fn a_replayed_meet_is_the_same_and_answers_resends_alike(script in script()) {
        let (mut hall, told) = played(&script);
        let mut meet = hall.restarted();
        prop_assert_eq!(face(&meet), face(&hall.meet));
        for (request, _) in &told {
            let again = Request { if_head: None, ..request.clone() };
            prop_assert_eq!(again.apply(&mut meet).0, hall.send(&again));
        }
        prop_assert_eq!(face(&meet), face(&hall.meet));
    }

    /// A numbered request sent twice in a row has no second effect and tells the same.
    #[test]
    fn resends_commit_nothing(script in script()) {
        let mut hall = Hall::new(script.tie_break);
        script.play(|request| {
            let numbered = request.changes.iter().all(|change| change.number.is_some());
            let first = hall.send(request);
            if let (true, Reply::Applied(first)) = (numbered, first) {
                let head = hall.meet.log().head();
                let Reply::Applied(again) = hall.send(request) else { panic!("a known request is always answered") };
                assert_eq!(hall.meet.log().head(), head);
                assert!(first.iter().zip(&again).all(|(first, again)| first.is_told_by(again)));
            }
            hall.meet.log().head()
        });
    }

    /// A twin that never heard of the requests without effect stays the same in all it does.
    #[test]
    fn what_was_taken_back_leaves_no_trace(script in script()) {
        let (mut meet, mut twin) = (empty_meet(script.tie_break), empty_meet(script.tie_break));
        script.play(|request| {
            let before = face(&meet);
            let (reply, records) = request.apply(&mut meet);
            if let Reply::Applied(_) = reply {
                assert_eq!(request.apply(&mut twin).0, reply);
            } else {
                assert!(records.is_empty());
                assert_eq!(face(&meet), before);
            }
            assert_eq!(face(&meet), face(&twin));
            meet.log().head()
        });
    }

    #[test]
    fn folding_the_log_anew_gives_the_state(script in script()) {
        let (hall, _) = played(&script);
        let mut state = super::super::state::State::default();
        for entry in hall.meet.log().after(0) {
            let key = super::super::key::Key::parse(&entry.fields.update_key).unwrap();
            prop_assert!(state.check(&key, entry.fields.op).is_ok());
            match entry.value() {
                Some(value) => state.set(&key, value),
                None => state.remove(&key),
            };
        }
        prop_assert_eq!(state.hash(), hall.meet.state().hash());
    }
}
