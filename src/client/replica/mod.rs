//! A meet as one client holds it: the canonical log, and the client's own edits on top.
//!
//! A replica does no I/O and knows no time. Its methods *look* at it and say what should happen as a [`Record`];
//! the caller makes the record durable ([`ReplicaStore::append`](crate::client::store::ReplicaStore::append)) and
//! then hands it to [`Replica::apply`], which is the only thing that changes a replica. Whoever is killed in between
//! replays what was stored and is where it was: no edit is lost, and what may have been sent is sent again under
//! the same `localSeqNum`, which the server answers once.
//!
//! ```
//! use liftrelay::client::replica::{Edit, Replica};
//!
//! let mut replica = Replica::default();
//! let record = replica.edit(Edit::set("meet.name", "\"Spring Open\"")?)?;
//! // A program stores the record here.
//! replica.apply(&record);
//! assert_eq!(replica.state().canonical(), r#"{"meet":{"name":"Spring Open"}}"#);
//! assert_eq!(replica.status().pending, 1);
//!
//! let again = Replica::open([record]);
//! assert_eq!(again.state(), replica.state());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod canonical;
mod carrying;
pub mod chain;
mod edit;
mod handing_back;
mod news;
mod pending;
mod push;
mod rebuild;
pub mod record;
mod set_aside;
mod status;
#[cfg(test)]
mod tests;

pub use answer::{Heard, Need, Unfit};
pub use carrying::Carried;
pub use edit::{EditError, Stranger};
pub use handing_back::Server;
pub use news::{News, Overruled};
pub use pending::Pending;
pub use push::Outgoing;
pub use record::{Credentials, Edit, Identity, Record};
pub use set_aside::SetAside;
pub use status::ReplicaStatus;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::meet::chain::Cursor;
use crate::meet::entry::EntryFields;
use crate::meet::state::State;
use crate::wire::message::Status;

use canonical::{Canonical, content};
use news::Watch;
use pending::PendingLog;
use record::{Acked, Answered, Decided, Edited, Page};

/// A meet as one client holds it. See the [module](self).
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Channel, memory::MemoryServer};
/// use liftrelay::client::replica::Edit;
///
/// let (server, mut replica) = (MemoryServer::new(), hall::member("desk"));
/// let record = replica.edit(Edit::set("lot", "7")?)?;
/// replica.apply(&record); // Each of these records is stored first.
///
/// let outgoing = replica.push().ok_or("an edit waits")?;
/// outgoing.record.iter().for_each(|record| drop(replica.apply(record)));
/// let answer = server.channel("desk", "laptop", 1).sync(outgoing.push, replica.pull(Duration::ZERO)).await?;
/// let heard = replica.answered(answer)?;
/// let news = heard.record.map(|record| replica.apply(&record)).unwrap_or_default();
/// assert_eq!((news.settled, replica.status().pending), (vec![1], 0));
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct Replica {
    identity: Option<Identity>,
    credentials: Option<Credentials>,
    canonical: Canonical,
    /// The shown state: canonical, and pending on top.
    state: State,
    pending: PendingLog,
    set_aside: BTreeMap<u64, SetAside>,
    /// The highest `localSeqNum` that was ever used.
    last_number: u64,
    /// Edits up to here may have been sent.
    sent: u64,
    /// The server's head, as last heard.
    head: u64,
    meet: Option<Status>,
    /// The server's other history, while it is read.
    rebuild: Option<Canonical>,
    conflict_free: ConflictFree,
}

/// Whether an editor may change what existed before while the server is out of reach.
///
/// ```
/// use liftrelay::client::replica::{ConflictFree, Edit, EditError, Replica};
///
/// let mut replica = Replica::default();
/// replica.set_conflict_free(ConflictFree::Offline);
/// assert!(matches!(replica.edit(Edit::set("meet.name", "\"Spring Open\"")?), Err(EditError::ReadOnly(_))));
/// let record = replica.edit(Edit::create("registration.entries[9]", r#"{"name":"Erin"}"#)?)?;
/// replica.apply(&record);
/// assert!(replica.edit(Edit::set("registration.entries[9].lot", "4")?).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConflictFree {
    /// The mode is off: everything may be changed at any time.
    #[default]
    Off,
    /// The mode is on, and the server is in reach.
    Online,
    /// The mode is on, and the server is out of reach: what existed before is read-only, own new objects are free.
    Offline,
}

impl Replica {
    /// The replica to which all this has happened.
    pub fn open(records: impl IntoIterator<Item = Record>) -> Replica {
        let mut replica = Replica::default();
        for record in records {
            replica.apply(&record);
        }
        replica
    }

    /// What is shown: the canonical state, and pending edits on top.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The log as far as it is known, from entry 1 on.
    pub fn log(&self) -> &[Arc<EntryFields>] {
        self.canonical.entries()
    }

    /// Edits that the log does not have yet, in the order in which they were made.
    pub fn pending(&self) -> impl DoubleEndedIterator<Item = &Pending> {
        self.pending.iter()
    }

    /// Refused edits that the user has not decided about, by `localSeqNum`.
    pub fn set_aside(&self) -> &BTreeMap<u64, SetAside> {
        &self.set_aside
    }

    /// Who this replica is; `None` until it has joined a meet.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// With what it opens the meet.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Switches conflict-free mode and says whether the server is in reach. This is of the moment, so it is not stored.
    pub fn set_conflict_free(&mut self, mode: ConflictFree) {
        self.conflict_free = mode;
    }

    /// Carries out a record, which must be durable. The only thing that changes a replica; whoever watches sees one change.
    pub fn apply(&mut self, record: &Record) -> News {
        match record {
            Record::Joined(identity) => self.identity = Some(identity.clone()),
            Record::Renewed(credentials) => self.credentials = Some(credentials.clone()),
            Record::Sent { up_to } => self.sent = self.sent.max(*up_to),
            Record::Reset => self.reset(),
            Record::Edited(edited) => return self.edited(edited),
            Record::Answered(answered) => return self.heard(answered),
            Record::Decided(decided) => return self.decided(decided),
        }
        News::default()
    }

    fn edited(&mut self, edited: &Edited) -> News {
        let keys = edited.edits.iter().map(|edit| edit.key.clone());
        self.last_number = self.last_number.max(edited.first + edited.edits.len() as u64 - 1);
        edited.instead_of.iter().for_each(|number| drop(self.set_aside.remove(number)));
        let mut watch = Watch::new(keys, &self.state);
        if edited.instead_of.iter().any(|&number| self.pending.get(number).is_some()) {
            self.pending.hide_all(&mut self.state);
            edited.instead_of.iter().for_each(|&number| drop(self.pending.remove(number)));
            self.pending.show_all(&mut self.state);
        }
        self.pending.add(edited, &mut self.state);
        watch.news.keys = watch.changed(&self.state);
        watch.news
    }

    fn decided(&mut self, decided: &Decided) -> News {
        let mut watch = Watch::new(self.pending.iter().map(|pending| pending.edit.key.clone()), &self.state);
        self.pending.hide_all(&mut self.state);
        for number in &decided.dropped {
            self.pending.remove(*number);
            self.set_aside.remove(number);
        }
        let seen = self.canonical.cursor();
        for &number in &decided.kept {
            if let Some(pending) = self.pending.get_mut(number) {
                pending.after = seen;
            }
        }
        self.pending.show_all(&mut self.state);
        watch.news.keys = watch.changed(&self.state);
        watch.news
    }

    /// Rebase in one step: pending edits off, answers and news in, what is still pending on again.
    fn heard(&mut self, answered: &Answered) -> News {
        let entries = answered.page.iter().flat_map(|page| &page.entries).filter_map(|entry| content(entry));
        let keys = entries.map(|(key, _)| key).chain(self.pending.iter().map(|pending| pending.edit.key.clone()));
        let mut watch = Watch::new(keys, &self.state);
        self.meet = answered.meet.or(self.meet);
        self.pending.hide_all(&mut self.state);
        for acked in &answered.acked {
            self.acked(*acked);
        }
        for refused in &answered.refused {
            if let Some(pending) = self.pending.remove(refused.number) {
                watch.news.refused.push(refused.number);
                self.set_aside.insert(refused.number, SetAside::new(pending.edit, refused.clone()));
            }
        }
        if let Some(page) = &answered.page {
            self.page(page, &mut watch.news);
        }
        self.settle(&mut watch.news);
        self.pending.show_all(&mut self.state);
        watch.news.keys = watch.changed(&self.state);
        watch.news
    }

    fn acked(&mut self, acked: Acked) {
        // An answer of the history that is being replaced says nothing about the new one.
        if let Some(pending) = self.pending.get_mut(acked.number).filter(|_| self.rebuild.is_none()) {
            pending.acked = Some(acked);
        }
    }

    fn page(&mut self, page: &Page, news: &mut News) {
        self.head = page.head;
        if self.rebuild.is_some() {
            return self.rebuild_page(page, news);
        }
        for entry in &page.entries {
            if self.canonical.push(entry, self.identity.as_ref()) {
                fold(&mut self.state, entry);
                self.tell_overruled(entry, news);
            }
        }
        self.canonical.end_page(page);
        if page.tells_the_head() {
            self.forget_lost_acks(page.head);
        }
    }

    /// What the log has now is not pending any more.
    fn settle(&mut self, news: &mut News) {
        let head = self.canonical.head();
        let is_there = |pending: &Pending| {
            let merged = pending.acked.is_some_and(|acked| acked.merged && acked.seq <= head);
            merged || self.canonical.own(pending.number).is_some()
        };
        let settled: Vec<u64> = self.pending.iter().filter(|pending| is_there(pending)).map(|pending| pending.number).collect();
        for number in settled {
            self.pending.remove(number);
            news.settled.push(number);
        }
    }

    /// An ack whose entry the log does not have is of a history that the server has lost: the edit is sent again.
    fn forget_lost_acks(&mut self, head: u64) {
        let canonical = &self.canonical;
        for pending in self.pending.iter_mut() {
            pending.acked = pending.acked.filter(|acked| !canonical.has_lost(acked, head));
        }
    }

    /// Tells which of this client's entries a new one went over.
    fn tell_overruled(&self, entry: &EntryFields, news: &mut News) {
        for &seq in &entry.overrules {
            let Some(own) = self.canonical.get(seq) else { continue };
            if self.identity.as_ref().is_some_and(|identity| identity.wrote(own)) {
                news.overruled.push(Overruled::new(own, entry));
            }
        }
    }

    /// Where the next pull goes on.
    pub fn cursor(&self) -> Cursor {
        self.rebuild.as_ref().unwrap_or(&self.canonical).cursor()
    }
}

fn fold(state: &mut State, entry: &EntryFields) {
    if let Some((key, value)) = content(entry) {
        state.fold(&key, value);
    }
}
