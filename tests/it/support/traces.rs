//! Real meets as traces of updates (data of the OpenPowerlifting project; names are invented).

use serde_json::{Value, json};

pub const KG_LARGE_310: &str = include_str!("../../data/kg-large-310.updates.jsonl");
pub const KG_MULTIDIV_36: &str = include_str!("../../data/kg-multidiv-36.updates.jsonl");
pub const LBS_25: &str = include_str!("../../data/lbs-25.updates.jsonl");

/// The save files of the same meets.
pub const KG_MULTIDIV_36_SAVED: &str = include_str!("../../data/kg-multidiv-36.openlifter");
pub const LBS_25_SAVED: &str = include_str!("../../data/lbs-25.openlifter");

/// The updates of a trace that OpenLifter syncs, in order: `(key, value)`.
pub fn updates(trace: &str) -> Vec<(String, Value)> {
    let lines = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let update = |line: Value| (line["updateKey"].as_str().unwrap().to_owned(), line["updateValue"].clone());
    lines.map(update).filter(|(key, _)| !key.starts_with("lifting.") && key != "registration.nextEntryId").collect()
}

/// The wire form of updates, numbered from `first` on.
pub fn numbered(updates: &[(String, Value)], first: u64) -> Vec<Value> {
    let update = |((key, value), number): (&(String, Value), u64)| json!({"updateKey": key, "updateValue": value, "localSeqNum": number});
    updates.iter().zip(first..).map(update).collect()
}
