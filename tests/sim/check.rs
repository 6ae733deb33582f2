//! What must be true at the end of every history.

use std::collections::BTreeMap;
use std::sync::Arc;

use liftrelay::meet::key::Key;
use liftrelay::meet::outcome::{Note, Remembered};
use liftrelay::meet::settings::TieBreak;
use liftrelay::meet::state::State;
use liftrelay::meet::value::Value as Held;
use liftrelay::store::scan::{StoredRecord, scan};
use serde_json::Value;

use crate::editor::{Answer, Editor};
use crate::history::EDITORS;
use crate::judge::Judge;
use crate::view::View;

/// Keys that the view key must not show, and those above which they lie.
const PRIVATE: &str = "registration.entries[1].notes";

/// Everything that is known in the end.
pub struct Ending<'a> {
    pub editors: &'a [Editor],
    pub viewer: &'a View,
    /// What the next server shows.
    pub again: &'a View,
    /// The log's bytes.
    pub log: &'a [u8],
    /// Hashes of the state as the last server and the next one tell it.
    pub states: [String; 2],
    pub tie_break: TieBreak,
}

pub fn all(ending: &Ending) {
    readers_saw_the_log(ending);
    answers_are_in_the_log(ending);
    one_commit_for_each_update(ending);
    let state = states_are_folds(ending);
    the_oracle_agrees(ending, &state);
}

/// Numbers are gapless, and every reader has seen the same.
fn readers_saw_the_log(Ending { editors, viewer, again, .. }: &Ending) {
    for editor in *editors {
        assert_eq!(editor.view.entries, again.entries, "{} has seen another log than is there", editor.client_id);
    }
    assert_eq!(viewer.entries.len(), again.entries.len());
    for (shown, entry) in viewer.entries.iter().zip(&again.entries) {
        let is_private = entry["updateKey"] == PRIVATE;
        assert_eq!(shown["opaque"] == true, is_private, "a viewer sees {shown} of {entry}");
        assert_eq!((&shown["serverSeqNum"], &shown["commit"]), (&entry["serverSeqNum"], &entry["commit"]));
        assert!(is_private || shown["updateKey"] == entry["updateKey"], "a viewer sees {shown} of {entry}");
        assert!(!shown["updateValue"].to_string().contains("notes"), "a viewer sees {shown}");
    }
}

/// What was acked is at its number, what was merged or refused is nowhere.
fn answers_are_in_the_log(Ending { editors, again, .. }: &Ending) {
    for editor in *editors {
        for (number, answer) in &editor.answers {
            let change = &editor.changes[number];
            match answer {
                Answer::Acked { seq, merged: false, overrules } => {
                    let entry =
                        again.entries.get(*seq as usize - 1).unwrap_or_else(|| panic!("{change:?} was acked with {seq} and is lost"));
                    assert_eq!(entry["clientId"], editor.client_id, "{change:?} was acked with {seq}");
                    assert_eq!(entry["locationName"], editor.location);
                    assert_eq!(entry["localSeqNum"], *number, "{change:?} was acked with {seq}");
                    assert_eq!(entry["updateKey"], change.key);
                    let overruled = entry["overrules"].as_array().cloned().unwrap_or_default();
                    assert_eq!(overruled, overrules.iter().map(|seq| Value::from(*seq)).collect::<Vec<_>>());
                }
                Answer::Acked { merged: true, .. } | Answer::Refused { .. } => {
                    let is_there = |entry: &&Value| entry["clientId"] == editor.client_id && entry["localSeqNum"] == *number;
                    assert_eq!(again.entries.iter().find(is_there), None, "{change:?} was answered {answer:?}");
                }
            }
        }
    }
}

fn one_commit_for_each_update(Ending { again, .. }: &Ending) {
    let mut seen = BTreeMap::new();
    for entry in &again.entries {
        let update = (entry["locationName"].to_string(), entry["clientId"].to_string(), entry["localSeqNum"].as_u64().unwrap());
        if let Some(before) = seen.insert(update, entry) {
            panic!("committed twice: {before} and {entry}");
        }
    }
}

/// Whatever the servers told of the state is the fold of the log up to there. Gives the last one.
fn states_are_folds(Ending { editors, again, states, .. }: &Ending) -> String {
    let mut state = State::default();
    let mut hashes = vec![state.hash()];
    for entry in &again.entries {
        let key = Key::parse(entry["updateKey"].as_str().unwrap()).unwrap();
        let value = (entry["op"] != "remove").then(|| Held::parse_unbounded(&entry["updateValue"].to_string()).unwrap());
        state.fold(&key, value);
        hashes.push(state.hash());
    }
    for (head, told) in editors.iter().flat_map(|editor| &editor.view.hashes) {
        assert_eq!(*told, hashes[*head as usize], "the state at {head}");
    }
    for told in states {
        assert_eq!(Some(told), hashes.last(), "the state in the end");
    }
    state.canonical()
}

/// The log tells every update that was judged, in order, with what became of it; the oracle says the same of each.
fn the_oracle_agrees(Ending { editors, log, tie_break, .. }: &Ending, state: &str) {
    let mut judge = Judge::new(*tie_break);
    for record in scan(log).unwrap().records {
        let (client_id, number, found) = read(record);
        let editor = editors.iter().find(|editor| *editor.client_id == *client_id).unwrap();
        let change = &editor.changes[&number];
        let priority = EDITORS.iter().find(|(_, client_id, _)| *client_id == editor.client_id).unwrap().2;
        let judged = judge.judge((editor.location, editor.client_id, priority), change);
        assert_eq!(found, judged, "{change:?} of {client_id}: left the server, right the oracle");
        if let Some(told) = editor.answers.get(&number) {
            assert_eq!(*told, judged, "{change:?} of {client_id}: left what it was told, right the oracle");
        }
    }
    assert_eq!(judge.state(), state, "left the oracle's state, right the fold of the log");
}

/// Whose update a record is about, and what became of it.
fn read(record: StoredRecord) -> (Arc<str>, u64, Answer) {
    match record {
        StoredRecord::Entry { fields, .. } => {
            let acked = Answer::Acked { seq: fields.server_seq_num, merged: false, overrules: fields.overrules.to_vec() };
            (fields.client_id, fields.local_seq_num.unwrap(), acked)
        }
        StoredRecord::Answer(Remembered { writer, local_seq_num, note, .. }) => {
            let answer = match note {
                Note::Merged(seq) => Answer::Acked { seq, merged: true, overrules: Vec::new() },
                Note::Refused(refusal) => Answer::Refused { code: refusal.code.as_str().to_owned(), standing: refusal.because },
            };
            (writer.client_id, local_seq_num, answer)
        }
    }
}
