//! Meets that come back from their clients, after a server has lost everything but its key.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::auth::roster::{AuthFile, Roster};
use crate::auth::ticket::{Life, Ticket};
use crate::meet::Meet;
use crate::meet::id::MeetId;
use crate::meet::limits::{RECOVERY_WAIT, RENEW_EVERY};
use crate::meet::restore::{Handed, Restored};
use crate::meet::time::Timestamp;
use crate::store::line::Header;
use crate::store::{Document, Store, StoreError};

use super::live::{Fault, LiveMeet};
use super::making::Plan;
use super::orders::Restoration;
use super::registry::Registry;
use super::writer::Desk;

/// Version of the document.
const VERSION: u32 = 1;

/// `recovery.json`: when a meet was made anew, and when that was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecoveryFile {
    version: u32,
    recovered_at: Timestamp,
    /// Tickets that were sealed since then say so.
    pub(super) life: Life,
    /// `None` while clients hand back what they have.
    live_since: Option<Timestamp>,
    /// Whether nothing but their word vouches for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unproven: bool,
    /// Whether such a meet was lost once more, and came back by a ticket that it had sealed itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sealed: bool,
    /// What became of the meet whose place it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) superseded: Option<Superseded>,
}

/// What became of a meet that came back at its clients' word, and gave way to one that its log proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Superseded {
    /// Nobody has shown yet that its people are those of the meet.
    Aside,
    /// They are: it is carried over as soon as the meet takes updates.
    Vouched,
    /// It was carried over.
    Carried,
    /// It had another password, so nothing says whose it was. It stays aside.
    Foreign,
}

impl RecoveryFile {
    pub(super) fn new(recovered_at: Timestamp) -> RecoveryFile {
        let life = Life::random();
        RecoveryFile { version: VERSION, recovered_at, life, live_since: None, unproven: false, sealed: false, superseded: None }
    }

    /// Of a meet that comes back by a ticket.
    fn by_ticket(recovered_at: Timestamp, ticket: &Ticket) -> RecoveryFile {
        RecoveryFile { unproven: ticket.unproven, sealed: ticket.unproven, ..RecoveryFile::new(recovered_at) }
    }

    /// Of a meet that nothing but its clients' word vouches for.
    pub(super) fn unproven(recovered_at: Timestamp) -> RecoveryFile {
        RecoveryFile { unproven: true, ..RecoveryFile::new(recovered_at) }
    }

    /// The same of a meet that takes the place of one without proof.
    pub(super) fn superseding(self) -> RecoveryFile {
        RecoveryFile { superseded: Some(Superseded::Aside), ..self }
    }

    /// Whether the superseded meet may still have to be carried over.
    pub(super) fn is_in_question(&self) -> bool {
        matches!(self.superseded, Some(Superseded::Aside | Superseded::Vouched))
    }

    /// Whether logs without proof are taken for it, all at once when everybody has brought theirs.
    pub(super) fn collects(&self) -> bool {
        self.unproven && !self.sealed
    }

    /// What is known about a stored meet's recovery; `None` for one that was never lost.
    pub(super) fn load(store: &dyn Store, id: MeetId) -> Result<Option<RecoveryFile>, StoreError> {
        let Some(document) = store.load(id, Document::Recovery)? else { return Ok(None) };
        let file = serde_json::from_slice(&document);
        Ok(file.inspect_err(|error| warn!(meet = %id, %error, "recovery.json cannot be read; the meet takes updates")).ok())
    }

    /// Whether clients still hand back what they have.
    pub(super) fn is_going_on(&self) -> bool {
        self.live_since.is_none()
    }

    #[expect(clippy::expect_used, reason = "numbers always serialise")]
    pub(super) fn document(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("plain members");
        text.push(b'\n');
        text
    }
}

/// A recovery that is going on. It is over when everybody has answered, or some time after the first who did;
/// where nobody ever does, as after a crash, some time after the last page. An empty log waits for somebody to answer.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    /// Locations that have handed back a whole log.
    answered: HashSet<Arc<str>>,
    deadline: Instant,
}

impl Recovery {
    pub(super) fn new() -> Recovery {
        Recovery { answered: HashSet::new(), deadline: Instant::now() + RECOVERY_WAIT }
    }

    /// Of a meet that was opened again with this many entries. What no key vouches for comes into the log all at once, so then nobody is waited for.
    pub(super) fn resumed(file: &RecoveryFile, head: u64) -> Recovery {
        let is_applied = file.collects() && head > 0;
        let recovery = Recovery::new();
        if is_applied { Recovery { deadline: Instant::now(), ..recovery } } else { recovery }
    }

    /// When it is over at the latest.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Somebody has handed back a page. Tells whether everybody has answered.
    fn handed_back(&mut self, location: Arc<str>, more: bool, expected: &[Arc<str>]) -> bool {
        if self.answered.is_empty() {
            self.deadline = Instant::now() + RECOVERY_WAIT;
        }
        if !more {
            self.answered.insert(location);
        }
        expected.iter().all(|location| self.answered.contains(location))
    }
}

impl Desk {
    /// A page was taken. Tells whether it was the last one of the last location.
    pub(super) fn handed_back(&mut self, location: Arc<str>, more: bool, expected: &[Arc<str>]) -> bool {
        self.recovery.as_mut().is_some_and(|recovery| recovery.handed_back(location, more, expected))
    }

    /// Nobody is waited for any longer, unless nobody has brought anything yet. Tells whether the recovery is over.
    pub(super) fn time_is_up(&mut self) -> bool {
        let is_empty = self.committed.head() == 0;
        match &mut self.recovery {
            Some(recovery) if is_empty && recovery.answered.is_empty() => {
                recovery.deadline = Instant::now() + RECOVERY_WAIT;
                false
            }
            _ => true,
        }
    }

    /// The disk works again: clients that could hand nothing back get their time.
    pub(super) fn wait_again(&mut self) {
        if let Some(recovery) = &mut self.recovery {
            recovery.deadline = Instant::now() + RECOVERY_WAIT;
            if self.file.as_ref().is_some_and(RecoveryFile::collects) {
                // What was collected is gone with the writer's memory.
                recovery.answered.clear();
            }
        }
    }

    /// From now on the meet takes updates. Where that cannot be written down it stays as it is, and tries again soon.
    pub(super) async fn go_live(&mut self) {
        let Some(recovery) = &mut self.recovery else { return };
        recovery.deadline = Instant::now() + RENEW_EVERY;
        let answered = recovery.answered.clone();
        let live_since = Some(self.clock.now());
        if self.write_down(|file| file.live_since = live_since).await {
            info!(meet = %self.id, ?answered, head = self.committed.head(), "the meet is recovered and takes updates");
            self.recovery = None;
            self.committed.set_recovering(false);
        }
    }

    /// Changes what is known about the meet's recovery. Tells whether that is durable; nothing has changed otherwise.
    pub(super) async fn write_down(&mut self, change: impl FnOnce(&mut RecoveryFile)) -> bool {
        let Some(mut file) = self.file.clone() else { return false };
        change(&mut file);
        let Ok(turn) = Arc::clone(&self.documents).acquire_owned().await else { return false };
        let (id, store, document) = (self.id, Arc::clone(&self.store), file.document());
        let saved = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            store.save(id, Document::Recovery, &document)
        });
        match saved.await {
            Ok(Ok(())) => {
                self.file = Some(file);
                return true;
            }
            Ok(Err(error)) => error!(meet = %id, %error, "what became of the recovery could not be written down"),
            Err(error) => error!(meet = %id, %error, "what became of the recovery could not be written down"),
        }
        false
    }
}

/// What a ticket opens.
pub enum Recovered {
    /// A meet that was lost, for handing back a log.
    Meet(Arc<LiveMeet>),
    /// The meet is here and was not lost since the ticket was made, so the ticket opens nothing.
    NotLost,
    /// The meet is gone, and the page is no start of its log.
    Refused(Restoration),
}

impl Registry {
    /// The ticket with this text, if this server has sealed it.
    pub fn ticket(&self, text: &str) -> Option<Ticket> {
        Ticket::open(self.key(), text).ok()
    }

    /// Opens the meet that a ticket belongs to. Where it is gone it is made anew under its own id, unless `page` is no start of its log;
    /// so it is where a meet without proof stands in its place.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn recover(&self, id: MeetId, ticket: &Ticket, page: &Handed) -> Result<Recovered, Fault> {
        if let Some(refused) = self.supersede(id, ticket, page).await? {
            return Ok(Recovered::Refused(refused));
        }
        let found = match self.open(id).await? {
            Some(live) => Some(live),
            None => match self.try_out(&ticket.auth, page).await? {
                Restoration::Taken { .. } => self.make(id, self.plan_recovery(id, ticket)).await?,
                refused => return Ok(Recovered::Refused(refused)),
            },
        };
        // Another client may have been faster.
        let live = if found.is_some() { found } else { self.open(id).await? };
        Ok(live.filter(|live| live.was_lost_after(ticket)).map_or(Recovered::NotLost, Recovered::Meet))
    }

    /// Makes `auth.json` anew from a ticket where it is missing or cannot be read, so that the meet opens again.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`]
    pub async fn mend_roster(&self, id: MeetId, ticket: &Ticket) -> Result<(), Fault> {
        let auth = Roster::new((*ticket.auth).clone()).auth_document();
        let mended = self.with_store(move |store| match store.load(id, Document::Auth) {
            Ok(Some(found)) if Roster::read(&found, None).err().is_none_or(|error| error.is_newer) => Ok(false),
            Ok(found) => {
                found.map_or(Ok(()), |_| store.set_aside(id, Document::Auth))?;
                store.save(id, Document::Auth, &auth).map(|()| true)
            }
            Err(error) => Err(error),
        });
        if mended.await? {
            warn!(meet = %id, version = ticket.auth.ticket_version, location = ?ticket.writer.location_name, "auth.json could not be read and was made anew from a client's recovery ticket");
        }
        Ok(())
    }

    /// What would become of a page as the start of a log: nobody makes a meet with what is not its.
    pub(super) async fn try_out(&self, auth: &AuthFile, page: &Handed) -> Result<Restoration, Fault> {
        let mut meet = Meet::new(self.key().clone(), auth.chain, auth.settings.tie_break);
        let (page, now) = (page.clone(), self.clock().now());
        let tried = tokio::task::spawn_blocking(move || meet.restore(None, page, now)).await.map_err(|_| Fault::Internal)?;
        Ok(match tried {
            Restored::Taken { forked, .. } => Restoration::Taken { forked },
            Restored::Forged => Restoration::Forged,
            Restored::Apart | Restored::Finished => Restoration::Apart,
        })
    }

    pub(super) fn plan_recovery(&self, id: MeetId, ticket: &Ticket) -> Plan {
        let auth = AuthFile::clone(&ticket.auth);
        let header = Header::recovered(id, auth.chain, auth.created_at, self.key());
        Plan { auth, header, recovery: Some(RecoveryFile::by_ticket(self.clock().now(), ticket)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(recovery: &Recovery, from: Instant) -> std::time::Duration {
        recovery.deadline() - from
    }

    #[tokio::test(start_paused = true)]
    async fn a_recovery_waits_for_everybody_but_not_for_ever() {
        let mut recovery = Recovery::new();
        let expected = ["desk", "platform"].map(Arc::from);
        let start = Instant::now();
        let second = std::time::Duration::from_secs(1);
        tokio::time::advance(second * 8).await;
        assert!(!recovery.handed_back("desk".into(), true, &expected));
        assert_eq!(after(&recovery, start), second * 18, "nobody is cut off in the middle of the first log");
        tokio::time::advance(second * 8).await;
        assert!(!recovery.handed_back("desk".into(), false, &expected));
        assert_eq!(after(&recovery, start), second * 26);
        tokio::time::advance(second * 5).await;
        assert!(!recovery.handed_back("platform".into(), true, &expected));
        assert_eq!(after(&recovery, start), second * 26, "from the first who answered on");
        assert!(recovery.handed_back("platform".into(), false, &expected));
    }

    #[test]
    fn the_document_opens_in_a_text_editor() {
        let file = RecoveryFile::new(Timestamp::from_millis(1_777_627_800_120));
        let text = String::from_utf8(file.document()).unwrap();
        let life = serde_json::to_string(&file.life).unwrap();
        let expected = format!(
            "{{\n  \"version\": 1,\n  \"recoveredAt\": \"2026-05-01T09:30:00.120Z\",\n  \"life\": {life},\n  \"liveSince\": null\n}}\n"
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<RecoveryFile>(&text).unwrap(), file);
    }
}
