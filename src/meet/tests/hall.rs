//! A meet and the oracle side by side.

use super::super::Meet;
use super::super::chain::ServerKey;
use super::super::id::MeetId;
use super::super::outcome::Record;
use super::super::settings::TieBreak;
use super::oracle::Oracle;
use super::request::{DIRECTOR, Reply, Request, set};

pub(super) fn empty_meet(tie_break: TieBreak) -> Meet {
    let key = ServerKey::new([7; 32]);
    let start = key.chain_start(MeetId::from_random(123_456_789), &[9; 16]);
    Meet::new(key, start, tie_break)
}

/// A meet and the oracle side by side: whatever is sent goes to both, and they must agree.
pub(super) struct Hall {
    pub(super) meet: Meet,
    pub(super) oracle: Oracle,
    pub(super) records: Vec<Record>,
}

impl Hall {
    pub(super) fn new(tie_break: TieBreak) -> Hall {
        Hall { meet: empty_meet(tie_break), oracle: Oracle::new(tie_break), records: Vec::new() }
    }

    pub(super) fn send(&mut self, request: &Request) -> Reply {
        let (reply, records) = request.apply(&mut self.meet);
        self.records.extend(records);
        assert_eq!(reply, self.oracle.answer(request), "{request:#?}");
        assert_eq!(self.meet.state().canonical(), self.oracle.canonical_state(), "{request:#?}");
        reply
    }

    /// Sends a request and puts the reply into words.
    pub(super) fn says(&mut self, request: &Request) -> String {
        self.send(request).to_string()
    }

    pub(super) fn state(&self) -> String {
        self.meet.state().canonical()
    }
}

/// A hall with the default settings in which the director has set some keys as numbers 1, 2, 3 …
pub(super) fn hall<const N: usize>(sets: [(&'static str, &'static str); N]) -> Hall {
    hall_with(TieBreak::Incumbent, sets)
}

pub(super) fn hall_with<const N: usize>(tie_break: TieBreak, sets: [(&'static str, &'static str); N]) -> Hall {
    let mut hall = Hall::new(tie_break);
    hall.send(&DIRECTOR.sends(sets.map(|(key, value)| set(key, value))));
    assert_eq!(hall.meet.log().head(), N as u64);
    hall
}
