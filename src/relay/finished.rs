//! Finished meets: what is written down about the end of one, and how long they are kept.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::meet::id::MeetId;
use crate::meet::limits::FINISHED_SWEEP;
use crate::meet::time::Timestamp;
use crate::meet::update::Writer;
use crate::store::{Document, Stage, Store, StoreError};

use super::registry::Registry;

/// Version of the document.
const VERSION: u32 = 1;

/// `finished.json`: when a meet was finished, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FinishFile {
    version: u32,
    pub(super) finished_at: Timestamp,
    location_name: Arc<str>,
    client_id: Arc<str>,
}

impl FinishFile {
    pub(super) fn new(finished_at: Timestamp, writer: Writer) -> FinishFile {
        let Writer { location_name, client_id } = writer;
        FinishFile { version: VERSION, finished_at, location_name, client_id }
    }

    #[expect(clippy::expect_used, reason = "strings and numbers always serialise")]
    pub(super) fn document(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("plain members");
        text.push(b'\n');
        text
    }
}

/// When a finished meet was finished. A meet that somebody moved by hand has no document, or one from an
/// attempt that a crash cut off; then it counts from the last change of its folder.
pub(super) fn finished_at(store: &dyn Store, id: MeetId) -> Result<Timestamp, StoreError> {
    let document = store.load(id, Document::Finish)?;
    if let Some(file) = document.and_then(|bytes| serde_json::from_slice::<FinishFile>(&bytes).ok()) {
        return Ok(file.finished_at);
    }
    warn!(meet = %id, "finished.json is missing or cannot be read; the age of the folder counts");
    Ok(store.changed_at(id)?.unwrap_or_default())
}

impl Registry {
    /// Removes finished meets that are older than `keep`, now and every hour, for ever. Those that are `needed` stay.
    pub async fn keep_finished(&self, keep: Duration, needed: impl Fn(MeetId) -> bool) {
        loop {
            self.clear_finished(keep, &needed).await;
            tokio::time::sleep(FINISHED_SWEEP).await;
        }
    }

    /// Removes finished meets that are older than `keep`, once; tells how many. Those that are `needed` stay.
    pub async fn clear_finished(&self, keep: Duration, needed: impl Fn(MeetId) -> bool) -> usize {
        let now = self.clock().now();
        let old = move |store: &dyn Store, id| older_than(store, id, keep, now);
        let Ok(old) = self.survey(Stage::Finished, old).await else { return 0 };
        let mut removed = 0;
        for (id, finished_at) in old {
            if needed(id) {
                info!(meet = %id, "the finished meet stays until its results are handed over");
            } else if self.remove(id).await.is_ok() {
                info!(meet = %id, %finished_at, "the finished meet was removed: it was older than --keep-finished");
                removed += 1;
            }
        }
        removed
    }
}

/// The meet and when it was finished, where that is longer ago than `keep`.
fn older_than(store: &dyn Store, id: MeetId, keep: Duration, now: Timestamp) -> Option<(MeetId, Timestamp)> {
    match finished_at(store, id) {
        Ok(finished_at) => (now.since(finished_at) > keep).then_some((id, finished_at)),
        Err(error) => {
            warn!(meet = %id, %error, "it cannot be told how old the finished meet is, so it stays");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_opens_in_a_text_editor() {
        let writer = Writer { location_name: "director".into(), client_id: "laptop".into() };
        let file = FinishFile::new(Timestamp::from_millis(1_777_627_800_120), writer);
        let text = String::from_utf8(file.document()).unwrap();
        assert_eq!(
            text,
            "{\n  \"version\": 1,\n  \"finishedAt\": \"2026-05-01T09:30:00.120Z\",\n  \"locationName\": \"director\",\n  \"clientId\": \"laptop\"\n}\n"
        );
        assert_eq!(serde_json::from_str::<FinishFile>(&text).unwrap(), file);
    }
}
