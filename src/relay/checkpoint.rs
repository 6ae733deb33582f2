//! Checkpoints: what a log had come to when its meet was closed, so that the next opening need not read all of it first.
//!
//! One is never the only copy of anything. It is believed for the server key's seal, and only for the very log that it names:
//! whatever does not fit it in any way is read whole, as if there were none.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::meet::Meet;
use crate::meet::chain::{ChainValue, ServerKey};
use crate::meet::entry::Entry;
use crate::meet::id::MeetId;
use crate::meet::limits::{CHECKPOINT_MAX_BYTES, CHECKPOINT_TAIL_BYTES};
use crate::meet::log::Log;
use crate::meet::state::State;
use crate::meet::value::Value;
use crate::mutant::{Mutant, planted};
use crate::store::line::LogEnd;
use crate::store::log_end::read_end;
use crate::store::scan::StoredRecord;

/// Version of the document; one of another version is not read.
const VERSION: u32 = 1;
const FORMAT: &str = "liftrelay-checkpoint";
const SEAL_MEMBER: &str = ",\"seal\":\"";
/// Bytes of `,"seal":"…"}` and a line feed at the end.
const SEAL_BYTES: usize = SEAL_MEMBER.len() + 64 + 3;

/// `checkpoint.json`, its seal aside.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckpointFile<'a> {
    chain: ChainValue,
    format: &'a str,
    head: u64,
    log: LogEnd,
    /// Of the last entries that overruled, by number: no line of the log has them.
    #[serde(borrow)]
    previous_values: BTreeMap<u64, &'a RawValue>,
    #[serde(borrow)]
    state: &'a RawValue,
    version: u32,
}

/// What a log had come to at its end.
#[derive(Debug)]
pub(super) struct Checkpoint {
    head: u64,
    chain: ChainValue,
    log: LogEnd,
    previous_values: BTreeMap<u64, Box<RawValue>>,
    pub(super) state: State,
}

/// The document for a meet whose log ends so; `None` where it would be too large.
#[expect(clippy::expect_used, reason = "numbers, strings and raw JSON always serialise, and canonical JSON is JSON")]
pub(super) fn document(id: MeetId, meet: &Meet, log: LogEnd, key: &ServerKey) -> Option<Vec<u8>> {
    let state = RawValue::from_string(meet.state().canonical()).expect("canonical JSON");
    let file = CheckpointFile {
        chain: meet.log().head_chain(),
        format: FORMAT,
        head: meet.log().head(),
        log,
        previous_values: previous_values(meet.log()),
        state: &state,
        version: VERSION,
    };
    let mut text = serde_json::to_vec(&file).expect("plain members");
    text.pop();
    let seal = key.seal(id, &text);
    text.extend_from_slice(format!("{SEAL_MEMBER}{seal}\"}}\n").as_bytes());
    (text.len() <= CHECKPOINT_MAX_BYTES).then_some(text)
}

/// Of entries that may be read at the end of the log: their lines are longer than their texts.
fn previous_values(log: &Log) -> BTreeMap<u64, &RawValue> {
    let mut bytes = 0;
    let newest = log.after(log.first()).iter().rev().take_while(|entry| {
        bytes += entry.text.len() as u64;
        bytes <= CHECKPOINT_TAIL_BYTES
    });
    newest.filter_map(|entry| Some((entry.seq(), entry.fields.previous_value.as_deref()?))).collect()
}

impl Checkpoint {
    /// Reads the document; `None` where this server did not make it for this meet, or another version did.
    pub(super) fn read(document: &[u8], id: MeetId, key: &ServerKey) -> Option<Checkpoint> {
        let (text, seal) = document.split_at_checked(document.len().checked_sub(SEAL_BYTES)?)?;
        let is_sealed = seal == format!("{SEAL_MEMBER}{}\"}}\n", key.seal(id, text)).as_bytes();
        if document.len() > CHECKPOINT_MAX_BYTES || !(is_sealed || planted(Mutant::CheckpointUnsealed)) {
            return None;
        }
        let text = [text, b"}"].concat();
        let file: CheckpointFile = serde_json::from_slice(&text).ok().filter(is_known)?;
        let Value::Object(root) = Value::parse_unbounded(file.state.get()).ok()? else { return None };
        let previous_values = file.previous_values.into_iter().map(|(seq, value)| (seq, value.to_owned())).collect();
        let CheckpointFile { head, chain, log, .. } = file;
        Some(Checkpoint { head, chain, log, previous_values, state: State::of(root) })
    }

    /// From which byte on its log is read with it, and up to which.
    pub(super) fn tail(&self) -> (u64, u64) {
        (self.log.bytes.saturating_sub(CHECKPOINT_TAIL_BYTES), self.log.bytes)
    }

    /// Its log, as far as those bytes hold it; `None` where they are not the end of that very log. Their chain ends
    /// where the checkpoint says, so nothing of it was changed.
    pub(super) fn log(&self, tail: &[u8], key: &ServerKey) -> Option<Log> {
        let end = read_end(tail, self.log.sum)?;
        let mut log = Log::behind(end.seq, end.chain);
        for record in end.records {
            let StoredRecord::Entry { mut fields, text, chain, .. } = record else { continue };
            if key.chain_next(&log.head_chain(), text.get()) != chain {
                return None;
            }
            fields.previous_value = self.previous_values.get(&fields.server_seq_num).cloned();
            log.push(Arc::new(Entry { fields, chain, text: text.into() }));
        }
        (log.head() == self.head && log.head_chain() == self.chain).then_some(log)
    }
}

fn is_known(file: &CheckpointFile) -> bool {
    file.format == FORMAT && file.version == VERSION
}
