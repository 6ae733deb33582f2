//! Requests and replies in their plainest form, shared by the core, the oracle and their readers.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use liftrelay::meet::Meet;
use liftrelay::meet::chain::Cursor;
use liftrelay::meet::outcome::{Decision, LostCursor, Outcome, Record, UpdateCode};
use liftrelay::meet::time::Timestamp;
use liftrelay::meet::update::{Batch, Mode, Op, Proposal, Writer};

/// A client at a location.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Who {
    pub(crate) location: &'static str,
    pub(crate) client: &'static str,
    pub(crate) priority: i64,
}

pub(crate) const DESK: Who = Who { location: "weigh-in desk", client: "desk", priority: 1 };
pub(crate) const LEFT: Who = Who { location: "platform 1", client: "left", priority: 2 };
pub(crate) const LEFT_SPARE: Who = Who { location: "platform 1", client: "spare", priority: 2 };
pub(crate) const RIGHT: Who = Who { location: "platform 2", client: "right", priority: 2 };
pub(crate) const DIRECTOR: Who = Who { location: "director", client: "director", priority: 3 };

/// One proposed update.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) op: Op,
    pub(crate) key: Cow<'static, str>,
    /// JSON text; ignored for a removal.
    pub(crate) value: Cow<'static, str>,
    pub(crate) number: Option<u64>,
    pub(crate) after: Option<u64>,
}

pub(crate) fn set(key: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Change {
    Change { op: Op::Set, key: key.into(), value: value.into(), number: None, after: None }
}

pub(crate) fn create(key: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Change {
    Change { op: Op::Create, ..set(key, value) }
}

pub(crate) fn remove(key: impl Into<Cow<'static, str>>) -> Change {
    Change { op: Op::Remove, ..set(key, "null") }
}

impl Change {
    /// Its `localSeqNum`.
    pub(crate) fn number(self, number: u64) -> Change {
        Change { number: Some(number), ..self }
    }

    /// Its `afterServerSeqNum`.
    pub(crate) fn seen(self, after: u64) -> Change {
        Change { after: Some(after), ..self }
    }
}

/// One batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) who: Who,
    pub(crate) changes: Vec<Change>,
    pub(crate) mode: Mode,
    pub(crate) after: Option<u64>,
    pub(crate) if_head: Option<u64>,
}

impl Who {
    pub(crate) fn sends<const N: usize>(self, changes: [Change; N]) -> Request {
        Request { who: self, changes: changes.into(), mode: Mode::Each, after: None, if_head: None }
    }
}

impl Request {
    pub(crate) fn atomic(self) -> Request {
        Request { mode: Mode::Atomic, ..self }
    }

    pub(crate) fn seen(self, after: u64) -> Request {
        Request { after: Some(after), ..self }
    }

    pub(crate) fn if_head(self, head: u64) -> Request {
        Request { if_head: Some(head), ..self }
    }

    /// The batch as the core takes it.
    pub(crate) fn batch(&self) -> Batch {
        let cursor = |seq| Cursor { seq, tag: None };
        let read = |change: &Change| {
            let value = RawValue::from_string(change.value.clone().into_owned()).expect("JSON");
            Proposal::read(&change.key, Some(&value), change.op, change.number, change.after.map(cursor))
        };
        Batch {
            writer: Writer { location_name: self.who.location.into(), client_id: self.who.client.into() },
            priority: self.who.priority,
            updates: self.changes.iter().map(read).collect(),
            mode: self.mode,
            if_head: self.if_head.map(cursor),
            after: self.after.map(cursor),
        }
    }

    /// Sends it to a meet.
    pub(crate) fn apply(&self, meet: &mut Meet) -> (Reply, Vec<Record>) {
        let now = Timestamp::from_millis(1_777_627_800_000 + i64::try_from(meet.log().head()).unwrap());
        match meet.apply(&self.batch(), now) {
            Decision::Applied { outcomes, records } => {
                assert_eq!(outcomes.len(), self.changes.len(), "one answer per update");
                let answers = outcomes.iter().enumerate().map(|(index, outcome)| self.answer(index, outcome));
                (Reply::Applied(answers.collect()), records)
            }
            Decision::Conflict { processed, problem, remaining, since } => {
                let problem = self.answer(problem.index.unwrap_or(processed.len()), &Outcome::Refused(*problem));
                (Reply::Conflict { processed, problem, remaining, since }, Vec::new())
            }
            Decision::Stale { since } => (Reply::Stale { since }, Vec::new()),
            Decision::Finished { known } => {
                (Reply::Finished(known.iter().map(|outcome| self.answer(usize::MAX, outcome)).collect()), Vec::new())
            }
            Decision::Lost(LostCursor::AboveHead(_) | LostCursor::Foreign(_)) => (Reply::Lost, Vec::new()),
        }
    }

    /// An outcome without its place, which must be right.
    fn answer(&self, index: usize, outcome: &Outcome) -> Answer {
        let (place, answer) = match outcome {
            Outcome::Acked(ack) => {
                let (seq, duplicate, merged) = (ack.server_seq_num, ack.duplicate, ack.merged);
                ((ack.local_seq_num, ack.index), Answer::Acked { seq, duplicate, merged, overrules: ack.overrules.to_vec() })
            }
            Outcome::Refused(rejection) => {
                let standing = rejection.standing.as_ref().map(|standing| standing.entry.seq());
                assert_eq!(rejection.conflict, rejection.code.is_conflict());
                assert!(!rejection.reason.is_empty());
                ((rejection.local_seq_num, rejection.index), Answer::Refused { code: rejection.code, standing })
            }
        };
        if let Some(change) = self.changes.get(index) {
            assert_eq!(place.0.is_none(), place.1.is_some(), "a number or else an index");
            assert!(place.0 == change.number || self.mode == Mode::Atomic, "{place:?} for {change:?}");
        }
        answer
    }
}

/// The answer to one update.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Acked { seq: u64, duplicate: bool, merged: bool, overrules: Vec<u64> },
    Refused { code: UpdateCode, standing: Option<u64> },
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Applied(Vec<Answer>),
    Conflict { processed: Vec<u64>, problem: Answer, remaining: Vec<u64>, since: u64 },
    Stale { since: u64 },
    Finished(Vec<Answer>),
    Lost,
}

impl Answer {
    /// Whether a resend was told the same: the ack marked as a duplicate, the refusal as it was.
    /// (Within one request a number can come twice, so the first answer may be a duplicate already.)
    pub(crate) fn is_told_by(&self, again: &Answer) -> bool {
        match (self.clone(), again) {
            (Answer::Acked { seq, merged, overrules, .. }, again) => *again == Answer::Acked { seq, merged, overrules, duplicate: true },
            (refusal, again) => refusal == *again,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Answer::Acked { seq, duplicate, merged, overrules } => {
                write!(f, "ack {seq}")?;
                f.write_str(if *merged { " merged" } else { "" })?;
                f.write_str(if *duplicate { " duplicate" } else { "" })?;
                if overrules.is_empty() { Ok(()) } else { write!(f, " over {overrules:?}") }
            }
            Answer::Refused { code, standing } => {
                f.write_str(serde_json::to_value(code).unwrap().as_str().unwrap())?;
                standing.map_or(Ok(()), |seq| write!(f, " by {seq}"))
            }
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Reply::Applied(answers) => f.write_str(&in_words(answers)),
            Reply::Finished(known) => write!(f, "finished: {}", in_words(known)),
            Reply::Conflict { processed, problem, remaining, since } => {
                write!(f, "conflict: {problem}; processed {processed:?}, remaining {remaining:?}, since {since}")
            }
            Reply::Stale { since } => write!(f, "stale since {since}"),
            Reply::Lost => f.write_str("lost"),
        }
    }
}

fn in_words(answers: &[Answer]) -> String {
    answers.iter().map(Answer::to_string).collect::<Vec<_>>().join("; ")
}
