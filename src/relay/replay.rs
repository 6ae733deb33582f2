//! Stored meets back to life.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tracing::{error, info};

use crate::auth::roster::Roster;
use crate::meet::Meet;
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::outcome::Record;
use crate::meet::settings::TieBreak;
use crate::store::line::{Encoder, Header};
use crate::store::log_writer::LogWriter;
use crate::store::scan::{Had, Rest, Scan, StoredRecord};
use crate::store::{Closed, Document, Journal, Stage, Store, StoreError, StoredMeet};

use super::clock::Clock;
use super::finished::finished_at;
use super::live::Parts;
use super::mending::Mending;
use super::orders::Order;
use super::recovery::RecoveryFile;
use super::resuming::{Opened, Source};
use super::writer::{Desk, Writer};

/// A meet as its log tells it.
pub(super) struct Replayed {
    pub(super) meet: Meet,
    pub(super) tail: Tail,
}

/// Whether a log goes on.
pub(super) enum Tail {
    /// It does.
    Sound(LogWriter),
    /// It would, but the disk does not let it.
    Unwritable,
    /// It lacks something that it had.
    Damaged(Mending),
}

impl Tail {
    /// The number that a damaged log must reach again.
    pub(super) fn needed(&self) -> Option<u64> {
        if let Tail::Damaged(mending) = self { Some(mending.needed) } else { None }
    }
}

/// Brings a stored meet back to where it was.
pub(super) fn replay(id: MeetId, store: Arc<dyn Store>, key: ServerKey, clock: Clock) -> Result<Option<Parts>, StoreError> {
    let (mut replayed, roster, stage) = match store.open(id) {
        Ok(None) => return Ok(None),
        Ok(Some(stored)) => with_log(id, stored, &*store, &key)?,
        Err(StoreError::Headless { log, header, had }) => headless(id, &*store, &key, &format!("{log}: {header}"), had)?,
        Err(error) => return Err(error),
    };
    let finished_at = match stage {
        Stage::Current => None,
        Stage::Finished => Some(finished_at(&*store, id)?),
    };
    if finished_at.is_some() && replayed.tail.needed().is_none() {
        replayed.meet.finish();
    }
    let recovery = RecoveryFile::load(&*store, id)?;
    info!(meet = %id, entries = replayed.meet.log().head(), finished = finished_at.is_some(), "meet opened");
    let opened = Opened::Whole(Box::new(replayed));
    Ok(Some(Parts { id, opened, roster, finished_at, recovery, store, key, clock }))
}

fn with_log(id: MeetId, stored: StoredMeet, store: &dyn Store, key: &ServerKey) -> Result<(Replayed, Roster, Stage), StoreError> {
    let StoredMeet { scan, stage, journal, auth, sessions } = stored;
    let roster = read_roster(id, store, &auth, sessions.as_deref())?;
    if scan.header.meet_id != id.digits() {
        return Err(StoreError::Unreadable(format!("the log says that it belongs to meet {}", scan.header.meet_id)));
    }
    if !scan.header.is_of(key, id) {
        let problem = "the log was written with another server key; start with the --server-key-file that made it";
        return Err(StoreError::Unreadable(problem.to_owned()));
    }
    let replayed = replay_log(id, scan, journal, key, roster.auth().settings.tie_break);
    Ok((replayed, roster, stage))
}

/// A meet whose log lost its first line. `auth.json` knows where the chain starts, so clients can bring all of it back.
fn headless(id: MeetId, store: &dyn Store, key: &ServerKey, problem: &str, had: Had) -> Result<(Replayed, Roster, Stage), StoreError> {
    error!(meet = %id, problem, needed = had.upto, "the log is damaged at its start: the meet is read-only and the file is left as it is");
    let [auth, sessions] = [Document::Auth, Document::Sessions].map(|document| store.load(id, document));
    let roster = read_roster(id, store, &auth?.unwrap_or_default(), sessions?.as_deref())?;
    let header = Header::recovered(id, roster.auth().chain, roster.auth().created_at, key);
    let mut meet = Meet::new(key.clone(), roster.auth().chain, roster.auth().settings.tie_break);
    meet.set_missing(had.chains);
    let stage = if store.meets(Stage::Finished)?.contains(&id) { Stage::Finished } else { Stage::Current };
    Ok((Replayed { meet, tail: Tail::Damaged(Mending::new(header, Vec::new(), had.upto)) }, roster, stage))
}

/// Sessions that cannot be read are as good as none: everybody joins again.
pub(super) fn read_roster(id: MeetId, store: &dyn Store, auth: &[u8], sessions: Option<&[u8]>) -> Result<Roster, StoreError> {
    let error = match Roster::read(auth, sessions) {
        Ok(roster) => return Ok(roster),
        Err(error) => error,
    };
    match Roster::read(auth, None) {
        Ok(roster) if !error.is_newer => {
            error!(meet = %id, %error, "the sessions cannot be read: everybody joins again");
            if let Err(error) = store.set_aside(id, Document::Sessions) {
                error!(meet = %id, %error, "the next login replaces them");
            }
            Ok(roster)
        }
        _ => Err(StoreError::Unreadable(error.to_string())),
    }
}

/// Replays as far as the log is sound; only a wholly sound one goes on.
pub(super) fn replay_log(id: MeetId, scan: Scan, journal: Option<Box<dyn Journal>>, key: &ServerKey, tie_break: TieBreak) -> Replayed {
    let mut meet = Meet::new(key.clone(), scan.header.chain, tie_break);
    let last = scan.records.iter().rev().find_map(StoredRecord::seq).unwrap_or(0);
    let (mut problem, had) = match scan.rest {
        Rest::Damage(damage) => (Some(damage.to_string()), damage.had),
        Rest::Nothing | Rest::TornTail { .. } => (None, Had { upto: last, ..Had::default() }),
    };
    let mut records = Vec::new();
    for record in scan.records {
        match replay_record(&mut meet, record) {
            Ok(record) => records.push(record),
            Err(broken) => {
                problem = Some(broken.to_string());
                break;
            }
        }
    }
    let tail = match (problem, journal) {
        (Some(problem), _) => {
            let (head, needed) = (meet.log().head(), had.upto.max(last));
            error!(meet = %id, problem, head, needed, "the log is damaged: the meet is read-only and the file is left as it is");
            meet.set_missing(had.chains);
            Tail::Damaged(Mending::new(scan.header, records, needed))
        }
        (None, Some(journal)) => Tail::Sound(LogWriter::new(journal, scan.end, meet.log().head())),
        (None, None) => Tail::Unwritable,
    };
    Replayed { meet, tail }
}

fn replay_record(meet: &mut Meet, record: StoredRecord) -> Result<Record, crate::meet::BrokenLog> {
    match record {
        StoredRecord::Entry { fields, text, chain, commit_end } => {
            meet.replay(fields, text, chain).map(|entry| Record::Entry { entry, commit_end })
        }
        StoredRecord::Answer(remembered) => {
            meet.replay_answer(&remembered);
            Ok(Record::Answer(remembered))
        }
    }
}

/// The task of a meet's writer. Orders wait while its log is being read.
pub(super) async fn write(desk: Desk, source: Source, mut mailbox: mpsc::Receiver<Order>) {
    let (replayed, is_resumed) = match source {
        Source::Read(replayed) => (replayed, false),
        Source::BeingRead(whole) => match whole.await {
            Ok(replayed) => (replayed, true),
            Err(_) => return desk.retire(Vec::new(), mailbox).await,
        },
    };
    let Replayed { meet, tail } = *replayed;
    desk.failed.store(!matches!(tail, Tail::Sound(_)), Ordering::Release);
    let writer = match tail {
        Tail::Sound(log) => Writer { rested_at: is_resumed.then_some(log.end()), ..Writer::new(meet, log, desk) },
        Tail::Damaged(mending) => {
            let log = LogWriter::new(Box::new(Closed), Encoder::default(), meet.log().head());
            Writer { mending: Some(mending), ..Writer::new(meet, log, desk) }
        }
        Tail::Unwritable => match desk.wait_for_the_disk(Vec::new(), &mut mailbox).await {
            Some(writer) => writer,
            None => return,
        },
    };
    // On the heap: a task for each open meet is small while it waits.
    Box::pin(writer.run(mailbox)).await;
}
