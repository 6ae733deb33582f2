//! Conflicts judged once more, by the oracle.

#[path = "../../../src/meet/tests/oracle.rs"]
mod oracle;
#[allow(dead_code)]
#[path = "../../../src/meet/tests/request.rs"]
mod request;
#[path = "../../../src/meet/tests/tree.rs"]
mod tree;

use super::settings::TieBreak;
use super::update::{Mode, Op};
use crate::editor;

/// Judges updates in the order in which the server did.
pub struct Judge(oracle::Oracle);

impl Judge {
    pub fn new(tie_break: TieBreak) -> Judge {
        Judge(oracle::Oracle::new(tie_break))
    }

    /// What an editor's update should be answered.
    pub fn judge(&mut self, (location, client, priority): (&'static str, &'static str, i64), change: &editor::Change) -> editor::Answer {
        let op = match change.op {
            "create" => Op::Create,
            "remove" => Op::Remove,
            _ => Op::Set,
        };
        let (key, value, number, after) = (change.key, change.value, Some(change.number), Some(change.after));
        let change = request::Change { op, key, value, number, after };
        let who = request::Who { location, client, priority };
        let asked = request::Request { who, changes: vec![change], mode: Mode::Each, after: None, if_head: None };
        let request::Reply::Applied(answers) = self.0.answer(&asked) else { panic!("the oracle does not take {asked:?}") };
        match &answers[0] {
            request::Answer::Acked { seq, duplicate: false, merged, overrules } => {
                editor::Answer::Acked { seq: *seq, merged: *merged, overrules: overrules.clone() }
            }
            request::Answer::Acked { duplicate: true, .. } => panic!("{asked:?} stands in the log twice"),
            request::Answer::Refused { code, standing } => editor::Answer::Refused { code: code.as_str().to_owned(), standing: *standing },
        }
    }

    /// The state as canonical text.
    pub fn state(&self) -> String {
        self.0.canonical_state()
    }
}
