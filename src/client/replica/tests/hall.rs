//! An authority and members that talk to it by calls.

use std::time::Duration;

use crate::client::channel::{Answer, Pull, Push, Reply};
use crate::client::replica::{Edit, Heard, Identity, Need, News, Record, Replica, Unfit};
use crate::client::store::{MemoryStore, ReplicaStore};
use crate::meet::Meet;
use crate::meet::chain::{Cursor, ServerKey};
use crate::meet::id::MeetId;
use crate::meet::outcome::{Decision, LostCursor, Outcome, Rejection};
use crate::meet::settings::TieBreak;
use crate::meet::time::Timestamp;
use crate::meet::update::{Batch, Proposal, Writer};
use crate::wire::message::Status;
use crate::wire::reply::{ReceivedConflict, ReceivedPage};

/// The server, as far as it decides.
pub(super) struct Authority {
    pub(super) meet: Meet,
    pub(super) is_finished: bool,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let key = ServerKey::new([7; 32]);
        let start = key.chain_start(MeetId::from_random(123_456_789), &[9; 16]);
        Authority { meet: Meet::new(key, start, TieBreak::Incumbent), is_finished: false }
    }

    /// A push inside a pull.
    pub(super) fn sync(&mut self, member: &Member, push: &Push, pull: Option<Pull>) -> Answer {
        let now = Timestamp::from_millis(1_777_627_800_000 + i64::try_from(self.meet.log().head()).unwrap());
        let read = |update: &crate::client::channel::Update| {
            let value = update.update_value.as_deref();
            Proposal::read(&update.update_key, value, update.op, Some(update.local_seq_num), Some(update.after_server_seq_num))
        };
        let batch = Batch {
            writer: Writer { location_name: member.location.into(), client_id: member.location.into() },
            priority: member.priority,
            updates: push.updates.iter().map(read).collect(),
            mode: push.mode,
            if_head: push.if_head,
            after: pull.map(|pull| pull.after),
        };
        let page = |meet: &Authority, since| pull.map(|pull| meet.page(since, pull.limit.unwrap_or(1_000)));
        match self.meet.apply(&batch, now) {
            Decision::Applied { outcomes, .. } => Answer::Done(reply(&outcomes, pull.and_then(|pull| page(self, pull.after.seq)))),
            Decision::Conflict { processed, problem, remaining, since } => {
                Answer::Conflict(Box::new(ReceivedConflict { processed, problem: told(&problem), remaining }), self.page(since, 1_000))
            }
            Decision::Stale { since } => Answer::Stale(self.page(since, 1_000)),
            Decision::Finished { known } => Answer::Finished(reply(&known, None)),
            Decision::Lost(LostCursor::AboveHead(_)) => Answer::ServerBehind { head: self.meet.log().head_cursor() },
            Decision::Lost(LostCursor::Foreign(_)) => Answer::HistoryChanged { head: self.meet.log().head_cursor() },
        }
    }

    /// A page of about `limit` entries that splits no commit.
    pub(super) fn page(&self, after: u64, limit: u64) -> ReceivedPage {
        let log = self.meet.log();
        let mut end = after;
        for entry in log.after(after) {
            if entry.seq() > after + limit && entry.fields.commit > end {
                break;
            }
            end = entry.seq();
        }
        let shown = log.after(after).iter().take_while(|entry| entry.seq() <= end);
        ReceivedPage {
            updates_relayed: shown.map(|entry| serde_json::from_str(&entry.editor_text()).unwrap()).collect(),
            server_seq_num: end,
            cursor: Cursor::at(end, &log.chain(end).unwrap()),
            chain: log.chain(end),
            head_seq_num: log.head(),
            more: end < log.head(),
            status: Some(if self.is_finished { Status::Finished } else { Status::Live }),
        }
    }
}

fn reply(outcomes: &[Outcome], page: Option<ReceivedPage>) -> Reply {
    let mut reply = Reply { page, ..Reply::default() };
    for outcome in outcomes {
        match outcome {
            Outcome::Acked(ack) => reply.acks.push(ack.clone()),
            Outcome::Refused(rejection) => reply.rejections.push(told(rejection)),
        }
    }
    reply
}

/// A refusal as it comes out of the wire.
fn told(rejection: &Rejection) -> crate::wire::reply::ReceivedRejection {
    serde_json::from_str(&serde_json::to_string(rejection).unwrap()).unwrap()
}

/// A client: a replica, and what it has stored.
pub(super) struct Member {
    pub(super) location: &'static str,
    pub(super) priority: i64,
    pub(super) replica: Replica,
    pub(super) store: MemoryStore,
}

impl Member {
    pub(super) fn new(location: &'static str, priority: i64) -> Member {
        let mut member = Member { location, priority, replica: Replica::default(), store: MemoryStore::default() };
        let identity = Identity { meet_id: "123456789".to_owned(), location_name: location.into(), client_id: location.into() };
        member.keep(&Record::Joined(identity));
        member
    }

    /// Stores a record, then applies it.
    pub(super) fn keep(&mut self, record: &Record) -> News {
        self.store.append(std::slice::from_ref(record)).unwrap();
        self.replica.apply(record)
    }

    pub(super) fn set(&mut self, key: &str, value: &str) -> u64 {
        self.edit(Edit::set(key, value).unwrap())
    }

    pub(super) fn edit(&mut self, edit: Edit) -> u64 {
        let record = self.replica.edit(edit).unwrap();
        self.keep(&record);
        self.replica.pending().last().unwrap().number
    }

    /// Killed and started again from what was stored.
    pub(super) fn restart(&mut self) {
        let before = serde_json::to_string(&self.replica.pending().map(|pending| pending.number).collect::<Vec<_>>()).unwrap();
        self.replica = Replica::open(self.store.load().unwrap());
        let after = serde_json::to_string(&self.replica.pending().map(|pending| pending.number).collect::<Vec<_>>()).unwrap();
        assert_eq!(before, after);
    }

    /// The next batch, marked as sent; an empty one where nothing is to be sent.
    pub(super) fn batch(&mut self) -> Push {
        let Some(outgoing) = self.replica.push() else { return Push::default() };
        if let Some(record) = outgoing.record {
            self.keep(&record);
        }
        outgoing.push
    }

    pub(super) fn hear(&mut self, answer: Answer) -> Result<(News, Need), Unfit> {
        let Heard { record, need } = self.replica.answered(answer)?;
        Ok((record.map(|record| self.keep(&record)).unwrap_or_default(), need))
    }

    /// One round trip, as the loop would make it.
    pub(super) fn sync(&mut self, authority: &mut Authority) -> News {
        let push = self.batch();
        let pull = self.replica.pull(Duration::ZERO);
        let answer = authority.sync(self, &push, Some(pull));
        self.hear(answer).unwrap().0
    }

    pub(super) fn sync_until_quiet(&mut self, authority: &mut Authority) {
        for _ in 0..50 {
            self.sync(authority);
            let status = self.replica.status();
            if status.pending == 0 && status.last_number == authority.meet.log().head() {
                return;
            }
        }
        panic!("{} does not come to rest: {:?}", self.location, self.replica.status());
    }

    pub(super) fn shows(&self) -> String {
        self.replica.state().canonical()
    }
}
