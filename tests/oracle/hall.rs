//! A meet and the oracle side by side.

use std::sync::Arc;

use liftrelay::meet::Meet;
use liftrelay::meet::chain::ServerKey;
use liftrelay::meet::entry::Entry;
use liftrelay::meet::id::MeetId;
use liftrelay::meet::outcome::Record;
use liftrelay::meet::settings::TieBreak;

use super::Oracle;
use super::request::{DIRECTOR, Reply, Request, set};

pub(crate) fn empty_meet(tie_break: TieBreak) -> Meet {
    let key = ServerKey::new([7; 32]);
    let start = key.chain_start(MeetId::from_random(123_456_789), &[9; 16]);
    Meet::new(key, start, tie_break)
}

/// Everything that readers of a meet can see.
pub(crate) fn face(meet: &Meet) -> (String, Vec<String>) {
    let line = |entry: &Arc<Entry>| format!("{} {}", entry.editor_text(), entry.chain);
    (meet.state().canonical(), meet.log().after(0).iter().map(line).collect())
}

/// A meet and the oracle side by side: whatever is sent goes to both, and they must agree.
pub(crate) struct Hall {
    pub(crate) meet: Meet,
    pub(crate) oracle: Oracle,
    pub(crate) records: Vec<Record>,
    tie_break: TieBreak,
}

impl Hall {
    pub(crate) fn new(tie_break: TieBreak) -> Hall {
        Hall { meet: empty_meet(tie_break), oracle: Oracle::new(tie_break), records: Vec::new(), tie_break }
    }

    pub(crate) fn send(&mut self, request: &Request) -> Reply {
        let (reply, records) = request.apply(&mut self.meet);
        self.records.extend(records);
        assert_eq!(reply, self.oracle.answer(request), "{request:#?}");
        assert_eq!(self.meet.state().canonical(), self.oracle.canonical_state(), "{request:#?}");
        reply
    }

    /// Sends a request and puts the reply into words.
    pub(crate) fn says(&mut self, request: &Request) -> String {
        self.send(request).to_string()
    }

    pub(crate) fn state(&self) -> String {
        self.meet.state().canonical()
    }

    /// The meet as it comes back from its records.
    pub(crate) fn restarted(&self) -> Meet {
        let mut meet = empty_meet(self.tie_break);
        for record in &self.records {
            match record {
                Record::Entry { entry, .. } => {
                    let copy = meet.replay(entry.fields.clone(), entry.text.clone(), entry.chain).unwrap();
                    assert_eq!(copy.editor_text(), entry.editor_text());
                }
                Record::Answer(remembered) => meet.replay_answer(remembered),
            }
        }
        meet
    }

    /// Numbers run without gaps, a commit's entries share its first number, and records tell its last.
    pub(crate) fn assert_commits_are_whole(&self) {
        let log = self.meet.log();
        let mut ends = self.records.iter().filter_map(|record| match record {
            Record::Entry { entry, commit_end } => Some((entry.seq(), *commit_end)),
            Record::Answer(_) => None,
        });
        for (at, entry) in log.after(0).iter().enumerate() {
            let (seq, end) = ends.next().expect("every entry is recorded");
            assert_eq!((entry.seq(), seq), (at as u64 + 1, at as u64 + 1));
            let commit = entry.fields.commit;
            assert!((commit..=end).contains(&seq));
            assert!((commit..=end).all(|seq| log.get(seq).is_some_and(|other| other.fields.commit == commit)));
            assert!(log.get(end + 1).is_none_or(|next| next.fields.commit == end + 1));
        }
        assert!(ends.next().is_none(), "nothing is recorded twice");
    }
}

/// A hall with the default settings in which the director has set some keys as numbers 1, 2, 3 …
pub(crate) fn hall<const N: usize>(sets: [(&'static str, &'static str); N]) -> Hall {
    hall_with(TieBreak::Incumbent, sets)
}

pub(crate) fn hall_with<const N: usize>(tie_break: TieBreak, sets: [(&'static str, &'static str); N]) -> Hall {
    let mut hall = Hall::new(tie_break);
    hall.send(&DIRECTOR.sends(sets.map(|(key, value)| set(key, value))));
    assert_eq!(hall.meet.log().head(), N as u64);
    hall
}
