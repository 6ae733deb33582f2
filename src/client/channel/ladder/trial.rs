//! Whether a stream carries in time. HELLO alone does not prove it: a buffer lets it through where the entries behind it
//! fill the buffer, and holds back what comes alone later. So requests go on beside a new stream and tell.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::channel::{Answer, Reply};
use crate::wire::reply::ReceivedEntry;

/// Entries in a row that a stream has to bring in time before it is left alone.
const ROW: u32 = 5;
/// A stream that is so far behind a request is not in time: more than the jitter of a busy machine, less than users notice.
const IN_TIME: Duration = Duration::from_millis(250);
/// A stream that is so far behind a request is held back.
const HELD_BACK: Duration = Duration::from_secs(1);

/// What is known of a stream since its HELLO.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// The head of the log at HELLO: up to there it had all at once, which proves nothing.
    head: u64,
    row: u32,
    /// The entry that a request was the first to bring, and when.
    owed: Option<(u64, Instant)>,
    /// The last entry that a request was the first to bring.
    newest: u64,
}

impl Trial {
    /// A trial of a stream whose HELLO named this head.
    pub(super) fn since(head: u64) -> Trial {
        Trial { head, ..Trial::default() }
    }

    /// Whether the stream needs no requests beside it.
    pub(super) fn is_over(&self) -> bool {
        self.row >= ROW
    }

    /// A request has brought entries up to this one, which the stream had not.
    pub(super) fn request_came(&mut self, seq: u64, now: Instant) {
        self.newest = seq;
        self.owed.get_or_insert((seq, now));
    }

    /// The stream has come to this entry.
    pub(super) fn stream_came(&mut self, seq: u64, now: Instant) {
        match self.owed {
            Some((owed, _)) if seq < owed => {}
            Some((_, since)) => {
                let is_news = u32::from(seq > self.head);
                self.row = if now - since > IN_TIME { 0 } else { self.row + is_news };
                self.owed = (seq < self.newest).then_some((self.newest, now));
            }
            None if seq > self.head => self.row += 1,
            None => {}
        }
    }

    /// When it is held back, unless it brings what it owes before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.owed.map(|(_, since)| since + HELD_BACK)
    }
}

/// The last entry that an answer brings, if it brings any.
pub(super) fn brought(answer: &Answer) -> Option<u64> {
    let Answer::Done(Reply { page: Some(page), .. }) = answer else { return None };
    page.updates_relayed.last().map(ReceivedEntry::seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    #[test]
    fn a_stream_that_brings_entries_in_time_is_soon_left_alone() {
        let (mut trial, now) = (Trial::default(), Instant::now());
        for seq in 1..=3 {
            trial.stream_came(seq, now);
        }
        assert!(!trial.is_over());
        trial.request_came(4, now);
        trial.stream_came(4, now + TICK);
        trial.stream_came(5, now + TICK);
        assert!(trial.is_over() && trial.deadline().is_none(), "a request that is ahead by a hair says nothing");
    }

    #[test]
    fn a_backlog_proves_nothing() {
        let (mut trial, now) = (Trial::since(100), Instant::now());
        for seq in 1..=100 {
            trial.stream_came(seq, now);
        }
        assert!(!trial.is_over());
    }

    #[test]
    fn one_that_comes_in_lumps_is_not() {
        let (mut trial, mut now) = (Trial::default(), Instant::now());
        for lump in 1..20 {
            trial.request_came(lump * 10, now);
            now += 50 * TICK;
            trial.stream_came(lump * 10, now);
            trial.stream_came(lump * 10 + 1, now);
        }
        assert!(!trial.is_over());
    }

    #[test]
    fn what_it_owes_falls_due_whatever_else_requests_bring() {
        let (mut trial, now) = (Trial::default(), Instant::now());
        trial.request_came(1, now);
        trial.request_came(2, now + 50 * TICK);
        assert_eq!(trial.deadline(), Some(now + HELD_BACK));
        trial.stream_came(1, now + 60 * TICK);
        assert_eq!(trial.deadline(), Some(now + 60 * TICK + HELD_BACK), "the second one is owed still");
        trial.stream_came(2, now + 70 * TICK);
        assert_eq!(trial.deadline(), None);
    }
}
