//! Whatever is lost, doubled, late or killed: in the end all hold the same, and every edit was taken once or set aside.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::hall::{Authority, Member};
use crate::client::channel::{Answer, Push};
use crate::client::replica::{Edit, Record, Replica};
use crate::client::store::ReplicaStore;

#[derive(Clone, Debug)]
enum Step {
    /// A user changes something; where the replica refuses it at once, nothing happens.
    Edit(&'static str, &'static str, &'static str),
    /// Several changes in one go.
    Group(&'static str, &'static str),
    /// A whole round trip.
    Sync,
    /// A pull of a small page.
    Pull(u64),
    /// The request is lost.
    LoseRequest,
    /// The request arrives, its reply is lost, and it may arrive once more later.
    LoseReply,
    /// An old request arrives once more.
    Duplicate(usize),
    /// The reply arrives, and then an older one.
    OldReply(usize),
    /// Killed between the store's append and what follows.
    KillAfterStore,
    /// Killed at any other time.
    Restart,
    /// Wants a refused edit again, or drops it.
    Retry,
    Drop,
}

fn step() -> impl Strategy<Value = Step> {
    let keys = select(&["a", "a.x", "a.x.y", "a.z", "b", "b[0]", "c", "d"][..]);
    let values = select(&["1", "2", "{}", "null", "[1]", "{\"x\":{\"y\":1}}"][..]);
    let ops = select(&["set", "set", "set", "create", "remove"][..]);
    prop_oneof![
        8 => (ops, keys.clone(), values).prop_map(|(op, key, value)| Step::Edit(op, key, value)),
        1 => (keys.clone(), keys).prop_map(|(one, two)| Step::Group(one, two)),
        3 => Just(Step::Sync),
        2 => (1..4_u64).prop_map(Step::Pull),
        1 => Just(Step::LoseRequest),
        2 => Just(Step::LoseReply),
        1 => (0..8_usize).prop_map(Step::Duplicate),
        1 => (0..8_usize).prop_map(Step::OldReply),
        1 => Just(Step::KillAfterStore),
        1 => Just(Step::Restart),
        1 => Just(Step::Retry),
        1 => Just(Step::Drop),
    ]
}

const PLACES: [(&str, i64); 5] = [("one", 1), ("two", 2), ("three", 2), ("four", 3), ("five", 1)];

/// A member, and what the network still holds of it.
struct Seat {
    member: Member,
    requests: Vec<Push>,
    replies: Vec<Answer>,
}

impl Seat {
    fn request(&mut self, authority: &mut Authority, limit: Option<u64>) -> Answer {
        let push = self.member.batch();
        let mut pull = self.member.replica.pull(Duration::ZERO);
        pull.limit = limit.or(pull.limit);
        let answer = authority.sync(&self.member, &push, Some(pull));
        self.requests.push(push);
        self.replies.push(answer.clone());
        answer
    }

    fn edit(&mut self, edits: Vec<Edit>) {
        if let Ok(record) = self.member.replica.edit_all(edits) {
            self.member.keep(&record);
        }
    }

    fn play(&mut self, authority: &mut Authority, step: &Step) {
        match *step {
            Step::Edit("create", key, value) => self.edit(vec![Edit::create(key, value).unwrap()]),
            Step::Edit("remove", key, _) => self.edit(vec![Edit::remove(key).unwrap()]),
            Step::Edit(_, key, value) => self.edit(vec![Edit::set(key, value).unwrap()]),
            Step::Group(one, two) => self.edit(vec![Edit::set(one, "{\"z\":1}").unwrap(), Edit::set(two, "3").unwrap()]),
            Step::Sync => {
                let answer = self.request(authority, None);
                self.member.hear(answer).unwrap();
            }
            Step::Pull(limit) => {
                let answer = self.request(authority, Some(limit));
                self.member.hear(answer).unwrap();
            }
            Step::LoseRequest => drop(self.member.batch()),
            Step::LoseReply => drop(self.request(authority, None)),
            Step::Duplicate(back) => {
                if let Some(push) = self.requests.iter().rev().nth(back) {
                    authority.sync(&self.member, push, None);
                }
            }
            Step::OldReply(back) => {
                if let Some(answer) = self.replies.iter().rev().nth(back).cloned() {
                    self.member.hear(answer).unwrap();
                }
            }
            Step::KillAfterStore => self.kill_after_store(authority),
            Step::Restart => self.member.restart(),
            Step::Retry => {
                let first = self.member.replica.set_aside().keys().next().copied();
                if let Some(record) = first.and_then(|number| self.member.replica.retry(number).ok()) {
                    self.member.keep(&record);
                }
            }
            Step::Drop => {
                if let Some(number) = self.member.replica.set_aside().keys().next().copied() {
                    let record = self.member.replica.drop_refused(number).unwrap();
                    self.member.keep(&record);
                }
            }
        }
    }

    /// The answer is stored and not applied; then the program starts again.
    fn kill_after_store(&mut self, authority: &mut Authority) {
        let answer = self.request(authority, None);
        if let Some(record) = self.member.replica.answered(answer).unwrap().record {
            self.member.store.append(&[record]).unwrap();
        }
        self.member.replica = Replica::open(self.member.store.load().unwrap());
    }

    /// Every number that was sent is in the log once, was merged, or was refused; none of it twice.
    fn account(&mut self, authority: &Authority) {
        let mut entries: HashMap<u64, usize> = HashMap::new();
        for entry in authority.meet.log().after(0).iter().filter(|entry| &*entry.fields.client_id == self.member.location) {
            *entries.entry(entry.fields.local_seq_num.unwrap()).or_default() += 1;
        }
        assert!(entries.values().all(|&count| count == 1), "doubled: {entries:?}");
        let (mut sent, mut merged, mut refused) = (0, Vec::new(), Vec::new());
        for record in self.member.store.load().unwrap() {
            match record {
                Record::Sent { up_to } => sent = up_to,
                Record::Answered(answered) => {
                    merged.extend(answered.acked.iter().filter(|acked| acked.merged).map(|acked| acked.number));
                    refused.extend(answered.refused.iter().map(|refused| refused.number));
                }
                _ => {}
            }
        }
        let replaced = replaced(&self.member.store.load().unwrap());
        for number in 1..=sent {
            let ends = [entries.contains_key(&number), merged.contains(&number), refused.contains(&number), replaced.contains(&number)];
            assert_eq!(ends.iter().filter(|end| **end).count(), 1, "{number} of {}: {ends:?}", self.member.location);
        }
        assert!(refused.iter().all(|number| !entries.contains_key(number)));
    }
}

/// Numbers that a later edit replaced before they were sent.
fn replaced(records: &[Record]) -> Vec<u64> {
    let refused: Vec<u64> = records
        .iter()
        .filter_map(|record| if let Record::Answered(answered) = record { Some(&answered.refused) } else { None })
        .flatten()
        .map(|refused| refused.number)
        .collect();
    let edited = records.iter().filter_map(|record| if let Record::Edited(edited) = record { Some(&edited.instead_of) } else { None });
    edited.flatten().copied().filter(|number| !refused.contains(number)).collect()
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_agree_in_the_end_and_every_edit_was_taken_once_or_set_aside(
        count in 2..=PLACES.len(),
        script in prop::collection::vec((0..PLACES.len(), step()), 1..80),
    ) {
        let mut authority = Authority::new();
        let seat = |(location, priority)| Seat { member: Member::new(location, priority), requests: vec![], replies: vec![] };
        let mut seats: Vec<Seat> = PLACES[..count].iter().copied().map(seat).collect();
        for (who, step) in &script {
            seats[who % count].play(&mut authority, step);
        }
        for seat in &mut seats {
            seat.member.sync_until_quiet(&mut authority);
        }
        for seat in &mut seats {
            seat.member.sync_until_quiet(&mut authority);
            let (replica, meet) = (&seat.member.replica, &authority.meet);
            prop_assert_eq!(replica.state().hash(), meet.state().hash());
            prop_assert_eq!(replica.cursor(), meet.log().head_cursor());
            let opened = Replica::open(seat.member.store.load().unwrap());
            prop_assert_eq!((opened.state(), opened.status()), (replica.state(), replica.status()));
            seat.account(&authority);
        }
    }
}
