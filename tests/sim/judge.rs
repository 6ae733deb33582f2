//! Conflicts judged once more, by the naive oracle.

use liftrelay::meet::settings::TieBreak;
use liftrelay::meet::update::{Mode, Op};

use crate::editor::{self, Change};
use crate::oracle::Oracle;
use crate::oracle::request::{self, Reply, Request, Who};

/// Judges updates in the order in which the server did.
pub struct Judge(Oracle);

impl Judge {
    pub fn new(tie_break: TieBreak) -> Judge {
        Judge(Oracle::new(tie_break))
    }

    /// What an editor's update should be answered.
    pub fn judge(&mut self, (location, client, priority): (&'static str, &'static str, i64), change: &Change) -> editor::Answer {
        let op = match change.op {
            "create" => Op::Create,
            "remove" => Op::Remove,
            _ => Op::Set,
        };
        let (number, after) = (Some(change.number), Some(change.after));
        let change = request::Change { op, key: change.key.into(), value: change.value.into(), number, after };
        let who = Who { location, client, priority };
        let asked = Request { who, changes: vec![change], mode: Mode::Each, after: None, if_head: None };
        let Reply::Applied(answers) = self.0.answer(&asked) else { panic!("the oracle does not take {asked:?}") };
        match &answers[0] {
            request::Answer::Acked { seq, duplicate: false, merged, overrules } => {
                editor::Answer::Acked { seq: *seq, merged: *merged, overrules: overrules.clone() }
            }
            request::Answer::Acked { duplicate: true, .. } => panic!("{asked:?} is in the log twice"),
            request::Answer::Refused { code, standing } => editor::Answer::Refused { code: code.as_str().to_owned(), standing: *standing },
        }
    }

    /// The state as canonical text.
    pub fn state(&self) -> String {
        self.0.canonical_state()
    }
}
