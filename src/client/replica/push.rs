//! What goes to the server next.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::client::channel::{Pull, Push, Update};
use crate::meet::limits::{BATCH_MAX_UPDATES, BODY_MAX_BYTES, PAGE_DEFAULT_ENTRIES};
use crate::meet::update::Mode;
use crate::meet::value::Value;

use super::record::{Edit, Record};
use super::{Pending, Replica};

/// Bytes of an entry besides its key and value: names, times and numbers. Batches are counted as the entries that they
/// become, so that what was committed together can be handed back in one body.
const ENTRY_BYTES: usize = 512;

/// A batch to send.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut desk = hall::member("desk");
/// # hall::set(&mut desk, "lot", "7")?;
/// // An edit was made and not sent yet.
/// let outgoing = desk.push().ok_or("an edit waits")?;
/// let record = outgoing.record.ok_or("it is sent for the first time")?;
/// desk.apply(&record); // Stored first: from now on the edit is sent as it is or not at all.
/// assert!(desk.push().is_some_and(|again| again.record.is_none() && again.push.updates.len() == 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What to send.
    pub push: Push,
    /// To be stored and applied before the first byte leaves; `None` where it was.
    pub record: Option<Record>,
}

impl Replica {
    /// The next batch: edits without an answer, oldest first, as many as one request takes. The same edits come again
    /// until they are answered. Nothing while the replica has not joined, and while the server's other history is read.
    pub fn push(&self) -> Option<Outgoing> {
        self.outgoing(self.next_batch())
    }

    /// What to ask for.
    pub fn pull(&self, wait: Duration) -> Pull {
        Pull { after: self.cursor(), wait, limit: Some(PAGE_DEFAULT_ENTRIES as u64) }
    }

    /// A batch of the given edits, as far as they are pending without an answer.
    pub(super) fn outgoing(&self, batch: Vec<&Pending>) -> Option<Outgoing> {
        let up_to = batch.last()?.number;
        let record = (up_to > self.sent).then_some(Record::Sent { up_to });
        let updates = batch.into_iter().map(update).collect();
        Some(Outgoing { push: Push { updates, mode: Mode::Each, if_head: None }, record })
    }

    pub(super) fn unanswered(&self) -> impl Iterator<Item = &Pending> {
        let can_be_sent = self.identity.is_some() && self.rebuild.is_none();
        self.pending.iter().filter(move |pending| can_be_sent && pending.acked.is_none())
    }

    fn next_batch(&self) -> Vec<&Pending> {
        let all: Vec<_> = self.unanswered().collect();
        let mut size = 0;
        let mut end = 0;
        for group in all.chunk_by(|one, two| one.group == two.group) {
            size += group.iter().map(|pending| bytes(&pending.edit)).sum::<usize>();
            if end > 0 && (end + group.len() > BATCH_MAX_UPDATES || size > BODY_MAX_BYTES) {
                break;
            }
            end += group.len();
        }
        all[..end].to_vec()
    }
}

fn update(pending: &Pending) -> Update {
    let Edit { op, key, value } = &pending.edit;
    Update {
        update_key: key.as_str().into(),
        update_value: value.as_ref().and_then(|value| RawValue::from_string(value.canonical()).ok()),
        op: *op,
        local_seq_num: pending.number,
        after_server_seq_num: pending.after,
    }
}

/// What an edit takes in a body, at most.
pub(super) fn bytes(edit: &Edit) -> usize {
    // Quotes in a key are escaped once more.
    ENTRY_BYTES + 2 * edit.key.as_str().len() + edit.value.as_ref().map_or(4, |value| Value::canonical(value).len())
}
