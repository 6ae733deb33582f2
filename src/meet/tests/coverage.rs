//! That the random scripts reach every row of the conflict table, and reach it often.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::super::Meet;
use super::super::outcome::UpdateCode;
use super::super::settings::TieBreak;
use super::super::update::{Mode, Op};
use super::hall::Hall;
use super::request::{Answer, Change, Reply, Request};
use super::script::Script;
use super::scripts::script;

/// Rows beside the update codes; each is reached in `count_answer` or `count`.
const ROWS: [&str; 21] = [
    "committed without conflict",
    "higher priority overrules",
    "one of equal priority among the overruled",
    "remove beats update of equal priority",
    "tieBreak latest replaces an equal",
    "tieBreak latest never brings back",
    "tieBreak latest goes over a removal that stays",
    "tieBreak incumbent keeps an equal",
    "lower priority than what stands",
    "higher priority brings a removed one back",
    "an entry above is overruled",
    "several below are overruled",
    "remove of what is removed is merged",
    "remove below a removed object is merged",
    "create of what stands with an equal value is merged",
    "duplicate of a commit",
    "duplicate of a merged ack",
    "conflict of an atomic batch",
    "an atomic batch of several commits",
    "stale",
    "lost",
];

type Counts = BTreeMap<String, usize>;

fn add(counts: &mut Counts, row: &str, reached: bool) {
    *counts.entry(row.to_owned()).or_default() += usize::from(reached);
}

fn count(counts: &mut Counts, meet: &Meet, tie_break: TieBreak, request: &Request, reply: &Reply) {
    add(counts, "conflict of an atomic batch", matches!(reply, Reply::Conflict { .. }));
    add(counts, "stale", matches!(reply, Reply::Stale { .. }));
    add(counts, "lost", *reply == Reply::Lost);
    if let Reply::Applied(answers) = reply {
        let commits = answers.iter().filter(|answer| matches!(answer, Answer::Acked { merged: false, duplicate: false, .. })).count();
        add(counts, "an atomic batch of several commits", request.mode == Mode::Atomic && commits > 1);
        for (change, answer) in request.changes.iter().zip(answers) {
            match answer {
                Answer::Acked { duplicate: true, merged, .. } => {
                    add(counts, if *merged { "duplicate of a merged ack" } else { "duplicate of a commit" }, true);
                }
                Answer::Acked { merged: true, seq, .. } => count_merged(counts, meet, change, *seq),
                Answer::Acked { seq, overrules, .. } => count_commit(counts, meet, *seq, overrules),
                Answer::Refused { code, standing } => count_refusal(counts, meet, tie_break, request, *code, *standing),
            }
        }
    }
}

fn count_merged(counts: &mut Counts, meet: &Meet, change: &Change, seq: u64) {
    let removal = meet.log().get(seq).unwrap();
    let same = super::super::key::Key::parse(&change.key).unwrap().as_str() == &*removal.fields.update_key;
    add(counts, "remove of what is removed is merged", change.op == Op::Remove && same);
    add(counts, "remove below a removed object is merged", change.op == Op::Remove && !same);
    add(counts, "create of what stands with an equal value is merged", change.op == Op::Create);
}

fn count_commit(counts: &mut Counts, meet: &Meet, seq: u64, overrules: &[u64]) {
    let entry = &meet.log().get(seq).unwrap().fields;
    let over: Vec<_> = overrules.iter().map(|&seq| &meet.log().get(seq).unwrap().fields).collect();
    let equal = over.iter().any(|other| other.priority == entry.priority);
    let lower = over.iter().any(|other| other.priority < entry.priority);
    let removal = |of_equal: bool| over.iter().any(|other| other.op == Op::Remove && (other.priority == entry.priority) == of_equal);
    let brought_back = over.iter().any(|other| other.op == Op::Remove && other.update_key == entry.update_key);
    add(counts, "committed without conflict", over.is_empty());
    add(counts, "higher priority overrules", lower && !equal);
    add(counts, "one of equal priority among the overruled", lower && equal);
    add(counts, "remove beats update of equal priority", equal && entry.op == Op::Remove);
    add(counts, "tieBreak latest replaces an equal", equal && entry.op == Op::Set && !removal(true));
    add(counts, "tieBreak latest goes over a removal that stays", equal && entry.op == Op::Set && removal(true));
    add(counts, "higher priority brings a removed one back", entry.op != Op::Remove && brought_back);
    add(counts, "an entry above is overruled", over.iter().any(|other| other.update_key.len() < entry.update_key.len()));
    add(counts, "several below are overruled", over.len() > 1);
}

fn count_refusal(counts: &mut Counts, meet: &Meet, tie_break: TieBreak, request: &Request, code: UpdateCode, standing: Option<u64>) {
    add(counts, serde_json::to_value(code).unwrap().as_str().unwrap(), true);
    if code == UpdateCode::Overruled {
        let standing = &meet.log().get(standing.unwrap()).unwrap().fields;
        let equal = standing.priority == request.who.priority;
        add(counts, "lower priority than what stands", !equal);
        add(counts, "tieBreak incumbent keeps an equal", equal && tie_break == TieBreak::Incumbent);
        add(counts, "tieBreak latest never brings back", equal && tie_break == TieBreak::Latest);
    }
}

fn count_script(counts: &mut Counts, script: &Script) {
    let mut hall = Hall::new(script.tie_break);
    script.play(|request| {
        let reply = hall.send(request);
        count(counts, &hall.meet, script.tie_break, request, &reply);
        hall.meet.log().head()
    });
}

#[test]
fn random_scripts_reach_every_row_of_the_conflict_table() {
    let mut runner = TestRunner::deterministic();
    let mut counts = Counts::new();
    for _ in 0..1_500 {
        count_script(&mut counts, &script().new_tree(&mut runner).unwrap().current());
    }
    let codes = UpdateCode::ALL.into_iter().filter(|code| *code != UpdateCode::RecoveredOver);
    let codes = codes.map(|code| serde_json::to_value(code).unwrap().as_str().unwrap().to_owned());
    for row in ROWS.map(str::to_owned).into_iter().chain(codes) {
        let count = counts.get(&row).copied().unwrap_or(0);
        assert!(count >= 10, "{row}: reached {count} times; all: {counts:#?}");
    }
}
