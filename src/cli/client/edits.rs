//! Updates as people and scripts write them.

use std::io::Read;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::{Exit, print, tell};
use crate::client::channel::{Answer, Reply};
use crate::meet::limits::BATCH_MAX_UPDATES;

use super::{Ended, usage};

/// What to change.
#[derive(Debug, Args)]
pub(in crate::cli) struct EditArgs {
    /// A key and the value to put there, as JSON; what is no JSON is a text. May be repeated
    #[arg(long, num_args = 2, value_names = ["KEY", "VALUE"], help_heading = "Changes")]
    set: Vec<String>,

    /// As --set, where nothing stands yet. May be repeated
    #[arg(long, num_args = 2, value_names = ["KEY", "VALUE"], help_heading = "Changes")]
    create: Vec<String>,

    /// A key at which to remove what stands. May be repeated
    #[arg(long, value_name = "KEY", help_heading = "Changes")]
    remove: Vec<String>,

    /// Read updates as the contract has them from a file, one JSON object a line or one array; `-` is stdin
    #[arg(long, value_name = "FILE", help_heading = "Changes")]
    file: Option<PathBuf>,

    /// All or nothing
    #[arg(long, help_heading = "Changes")]
    atomic: bool,
}

/// A body of updates.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    updates: Vec<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
}

impl EditArgs {
    /// The body. Each update that has no number gets one, so that sending it again does no harm.
    pub(super) fn body(&self) -> Result<Body, Ended> {
        let mut updates = Vec::new();
        for (op, pairs) in [(None, &self.set), (Some("create"), &self.create)] {
            for pair in pairs.chunks_exact(2) {
                updates.push(update(op, &pair[0], Some(value(&pair[1]))));
            }
        }
        updates.extend(self.remove.iter().map(|key| update(Some("remove"), key, None)));
        if let Some(path) = &self.file {
            updates.extend(read(path)?);
        }
        if updates.len() > BATCH_MAX_UPDATES {
            return Err(usage(format!("{} updates are too many for one batch; {BATCH_MAX_UPDATES} are the most", updates.len())));
        }
        let first = first_number();
        for (number, update) in (first..).zip(&mut updates) {
            update.entry("localSeqNum").or_insert_with(|| number.into());
        }
        Ok(Body { updates, mode: self.atomic.then_some("atomic") })
    }
}

impl Body {
    pub(super) fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// The key of an update by its number.
    fn key(&self, number: Option<u64>) -> &str {
        let is_it = |update: &&Map<String, Value>| update.get("localSeqNum").and_then(Value::as_u64) == number;
        self.updates.iter().find(is_it).and_then(|update| update.get("updateKey")).and_then(Value::as_str).unwrap_or("?")
    }

    /// Tells what came of each update.
    pub(super) fn tell(&self, answer: &Answer, as_json: bool) -> Exit {
        match answer {
            Answer::Done(reply) => self.tell_reply(reply, as_json),
            Answer::Finished(reply) => {
                tell("liftrelay: the meet is finished and takes no more updates");
                self.tell_reply(reply, as_json);
                Exit::Refused
            }
            Answer::Conflict(conflict, _) => {
                tell(&format!(
                    "refused {}: {}; nothing of the batch was changed",
                    self.key(conflict.problem.local_seq_num),
                    conflict.problem.reason
                ));
                Exit::Refused
            }
            Answer::Stale(_) | Answer::ServerBehind { .. } | Answer::HistoryChanged { .. } => {
                tell("liftrelay: what this was made on is not what the server has; nothing was changed");
                Exit::Refused
            }
        }
    }

    fn tell_reply(&self, reply: &Reply, as_json: bool) -> Exit {
        for ack in &reply.acks {
            let line = serde_json::json!({"updateKey": self.key(ack.local_seq_num), "serverSeqNum": ack.server_seq_num});
            print(&if as_json { line.to_string() } else { format!("{} {}", ack.server_seq_num, self.key(ack.local_seq_num)) });
        }
        for rejection in &reply.rejections {
            let key = self.key(rejection.local_seq_num);
            if as_json {
                let code = rejection.code.as_str();
                print(
                    &serde_json::json!({"updateKey": key, "code": code, "reason": rejection.reason, "conflict": rejection.conflict})
                        .to_string(),
                );
            } else {
                tell(&format!("refused {key}: {}", rejection.reason));
            }
        }
        match (reply.acks.is_empty(), reply.rejections.is_empty()) {
            (_, true) => Exit::Done,
            (true, false) => Exit::Refused,
            (false, false) => Exit::Partly,
        }
    }
}

fn update(op: Option<&str>, key: &str, value: Option<Value>) -> Map<String, Value> {
    let mut update = Map::new();
    update.insert("updateKey".to_owned(), key.into());
    update.extend(value.map(|value| ("updateValue".to_owned(), value)));
    update.extend(op.map(|op| ("op".to_owned(), op.into())));
    update
}

/// JSON, or a text that needs no quotes in the shell.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn read(path: &PathBuf) -> Result<Vec<Map<String, Value>>, Ended> {
    let named = |error: std::io::Error| usage(format!("{}: {error}", path.display()));
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(named)?
    } else {
        std::fs::read_to_string(path).map_err(named)?
    };
    let wrong = |error: serde_json::Error| {
        usage(format!("{}: {error}; updates look like {{\"updateKey\":\"a.b\",\"updateValue\":1}}", path.display()))
    };
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(&text).map_err(wrong);
    }
    serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().map_err(wrong)
}

/// A number that this client has not used before: microseconds since 1970 fit below 2^53 for two centuries more.
fn first_number() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

/// One entry of a log as a line.
pub(super) fn line(entry: &crate::wire::reply::ReceivedEntry) -> String {
    serde_json::to_string(entry).unwrap_or_default()
}
