//! Stored meets back to life.

use std::sync::Arc;

use tracing::{error, info};

use crate::auth::roster::Roster;
use crate::meet::Meet;
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::settings::TieBreak;
use crate::store::log_writer::LogWriter;
use crate::store::scan::{Rest, Scan, StoredRecord};
use crate::store::{Journal, Stage, Store, StoreError, StoredMeet};

use super::clock::Clock;
use super::finished::finished_at;
use super::live::Parts;
use super::recovery::RecoveryFile;

/// Brings a stored meet back to where it was.
pub(super) fn replay(id: MeetId, stored: StoredMeet, store: Arc<dyn Store>, key: ServerKey, clock: Clock) -> Result<Parts, StoreError> {
    let StoredMeet { scan, stage, journal, auth, sessions } = stored;
    let unreadable = |error: &dyn std::fmt::Display| StoreError::Unreadable(error.to_string());
    let roster = Roster::read(&auth, sessions.as_deref()).map_err(|error| unreadable(&error))?;
    if scan.header.meet_id != id.digits() {
        return Err(unreadable(&format!("the log says that it belongs to meet {}", scan.header.meet_id)));
    }
    if !scan.header.is_of(&key, id) {
        return Err(unreadable(&"the log was written with another server key; start with the --server-key-file that made it"));
    }
    let (mut meet, log) = replay_log(id, scan, journal, &key, roster.auth().settings.tie_break);
    let finished_at = match stage {
        Stage::Current => None,
        Stage::Finished => {
            meet.finish();
            Some(finished_at(&*store, id)?)
        }
    };
    let recovery = RecoveryFile::load(&*store, id)?;
    info!(meet = %id, entries = meet.log().head(), finished = finished_at.is_some(), "meet opened");
    Ok(Parts { id, meet, roster, finished_at, recovery, log, store, key, clock })
}

/// Replays as far as the log is sound; only a wholly sound one goes on.
pub(super) fn replay_log(
    id: MeetId,
    scan: Scan,
    journal: Option<Box<dyn Journal>>,
    key: &ServerKey,
    tie_break: TieBreak,
) -> (Meet, Option<LogWriter>) {
    let mut meet = Meet::new(key.clone(), scan.header.chain, tie_break);
    if let Rest::Damage(damage) = &scan.rest {
        error!(meet = %id, %damage, "the log is damaged: the meet is read-only and the file is left as it is");
    }
    for record in scan.records {
        match record {
            StoredRecord::Entry { fields, text, chain, .. } => {
                if let Err(broken) = meet.replay(fields, text, chain) {
                    error!(meet = %id, %broken, "the log is damaged: the meet is read-only and the file is left as it is");
                    return (meet, None);
                }
            }
            StoredRecord::Answer(remembered) => meet.replay_answer(&remembered),
        }
    }
    let durable = meet.log().head();
    let log = journal.map(|journal| LogWriter::new(journal, scan.end, durable));
    (meet, log)
}
