//! Requests against a meet, one after another.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::super::super::Meet;
use super::super::super::chain::{Cursor, ServerKey};
use super::super::super::outcome::{Decision, LostCursor, Outcome, Record, Rejection};
use super::super::super::settings::Settings;
use super::super::super::time::Timestamp;
use super::super::super::update::{Batch, Mode, Op, Proposal, Writer};
use super::super::super::value::Value;
use super::{File, load, path};

/// A meet and what is sent to it, one request after another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    #[serde(with = "hex::serde")]
    server_key: [u8; 32],
    meet_id: String,
    #[serde(with = "hex::serde")]
    nonce: [u8; 16],
    settings: Box<RawValue>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    request: Box<RawValue>,
    #[serde(default)]
    expect: Json,
}

#[derive(Deserialize)]
struct Request {
    writer: Writer,
    priority: i64,
    at: Timestamp,
    updates: Vec<Update>,
    #[serde(default)]
    mode: Mode,
    #[serde(default, rename = "ifHead")]
    if_head: Option<Json>,
    #[serde(default)]
    after: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    update_key: String,
    update_value: Option<Box<RawValue>>,
    #[serde(default)]
    op: Op,
    local_seq_num: Option<u64>,
    after_server_seq_num: Option<Json>,
}

/// A cursor is a number or a string.
fn cursor(json: &Json) -> Cursor {
    json.as_str().map_or_else(|| json.to_string().parse(), str::parse).unwrap()
}

impl Request {
    fn batch(&self) -> Batch {
        let read = |update: &Update| {
            let value = update.update_value.as_deref().unwrap_or(RawValue::NULL);
            let after = update.after_server_seq_num.as_ref().map(cursor);
            Proposal::read(&update.update_key, Some(value), update.op, update.local_seq_num, after)
        };
        Batch {
            writer: self.writer.clone(),
            priority: self.priority,
            updates: self.updates.iter().map(read).collect(),
            mode: self.mode,
            if_head: self.if_head.as_ref().map(cursor),
            after: self.after.as_ref().map(cursor),
        }
    }
}

impl Case {
    fn meet(&self) -> Meet {
        let settings: Settings = serde_json::from_str(self.settings.get()).unwrap();
        let key = ServerKey::new(self.server_key);
        let start = key.chain_start(self.meet_id.parse().unwrap(), &self.nonce);
        Meet::new(key, start, settings.tie_break)
    }

    /// Sends every request and collects what is to be expected.
    fn run(&self) -> Vec<Json> {
        let mut meet = self.meet();
        self.steps.iter().map(|step| step.run(&mut meet)).collect()
    }
}

impl Step {
    fn run(&self, meet: &mut Meet) -> Json {
        let request: Request = serde_json::from_str(self.request.get()).unwrap();
        let mut seen = decision(&meet.apply(&request.batch(), request.at));
        seen["chain"] = json!(meet.log().head_chain());
        seen["state"] = serde_json::from_str(&meet.state().canonical()).unwrap();
        seen["stateHash"] = json!(meet.state().hash());
        seen
    }
}

fn decision(decision: &Decision) -> Json {
    match decision {
        Decision::Applied { outcomes, records } => {
            let acks = outcomes.iter().filter_map(|outcome| if let Outcome::Acked(ack) = outcome { Some(json!(ack)) } else { None });
            let refused =
                outcomes.iter().filter_map(|outcome| if let Outcome::Refused(refused) = outcome { Some(rejection(refused)) } else { None });
            let entries = records.iter().filter_map(|record| {
                if let Record::Entry { entry, .. } = record { serde_json::from_str::<Json>(&entry.editor_text()).ok() } else { None }
            });
            json!({"acks": acks.collect::<Vec<_>>(), "rejections": refused.collect::<Vec<_>>(), "entries": entries.collect::<Vec<_>>()})
        }
        Decision::Conflict { processed, problem, remaining, since } => {
            json!({"conflict": {"processed": processed, "problem": rejection(problem), "remaining": remaining, "since": since}, "entries": []})
        }
        Decision::Stale { since } => json!({"stale": {"since": since}, "entries": []}),
        Decision::Finished { .. } => unreachable!("no step finishes a meet"),
        Decision::Lost(LostCursor::AboveHead(_)) => json!({"lost": "server-behind", "entries": []}),
        Decision::Lost(LostCursor::Foreign(_)) => json!({"lost": "history-changed", "entries": []}),
    }
}

/// A rejection without its text, which is for people and may change.
fn rejection(rejection: &Rejection) -> Json {
    let mut json = json!(rejection);
    json.as_object_mut().unwrap().remove("reason");
    json
}

fn check(name: &str) {
    let file: File<Case> = load(name);
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(path(name), file.written()).unwrap();
        return;
    }
    for case in &file.cases {
        for (at, (step, seen)) in case.steps.iter().zip(case.run()).enumerate() {
            assert_eq!(canonical(&seen), canonical(&step.expect), "{name}, {:?}, step {}", case.name, at + 1);
        }
    }
}

fn canonical(json: &Json) -> String {
    Value::parse_unbounded(&json.to_string()).unwrap().canonical()
}

impl File<Case> {
    /// The file's text with the expectations as the core meets them; requests stay as they were written.
    fn written(&self) -> String {
        let cases = self.cases.iter().map(Case::written).collect::<Vec<_>>().join(",\n");
        format!("{{\n  \"description\": {},\n  \"cases\": [\n{cases}\n  ]\n}}\n", json!(self.description))
    }
}

impl Case {
    fn written(&self) -> String {
        let mut out = format!("    {{\n      \"name\": {},\n", json!(self.name));
        let key = hex::encode(self.server_key);
        let nonce = hex::encode(self.nonce);
        let _ = writeln!(out, "      \"serverKey\": \"{key}\",\n      \"meetId\": {}, \"nonce\": \"{nonce}\",", json!(self.meet_id));
        let _ = writeln!(out, "      \"settings\": {},\n      \"steps\": [", self.settings);
        let steps = self.steps.iter().zip(self.run()).map(|(step, expect)| {
            let expect = expectation(&expect);
            format!("        {{\n          \"request\": {},\n          \"expect\": {expect}\n        }}", step.request)
        });
        out + &steps.collect::<Vec<_>>().join(",\n") + "\n      ]\n    }"
    }
}

/// One member a line, and one line for each item of a list.
fn expectation(expect: &Json) -> String {
    const ORDER: [&str; 9] = ["acks", "rejections", "conflict", "stale", "lost", "entries", "chain", "state", "stateHash"];
    let members = ORDER.iter().filter_map(|name| {
        let text = match expect.get(name)? {
            Json::Array(items) if !items.is_empty() => {
                let items = items.iter().map(|item| format!("\n              {}", canonical(item)));
                format!("[{}\n            ]", items.collect::<Vec<_>>().join(","))
            }
            other => canonical(other),
        };
        Some(format!("\n            \"{name}\": {text}"))
    });
    format!("{{{}\n          }}", members.collect::<Vec<_>>().join(","))
}

#[test]
fn conflicts() {
    check("conflicts.json");
}

#[test]
fn resends() {
    check("resend.json");
}

#[test]
fn atomic_batches() {
    check("atomic.json");
}

#[test]
fn folds() {
    check("fold.json");
}
