//! A meet that came back at its clients' word gives way to one that its log proves.
//!
//! It is kept whole, aside. Who made it is shown by its password: where that is the meet's, its people are the meet's people,
//! and what they did is carried over under the rules for conflicts, once. Otherwise it stays aside, and the log names it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::{OnceCell, mpsc, oneshot};
use tracing::{error, info, warn};

use crate::auth::password::PasswordHash;
use crate::auth::roster::Roster;
use crate::auth::ticket::Ticket;
use crate::meet::entry::EntryFields;
use crate::meet::id::MeetId;
use crate::meet::restore::Handed;
use crate::meet::unproven;
use crate::store::scan::{StoredRecord, scan};
use crate::store::{Document, Stage};

use super::live::{Fault, LiveMeet};
use super::making::{Maker, Plan};
use super::orders::{Carry, Order, Restoration};
use super::recovery::{RecoveryFile, Superseded};
use super::registry::{Meets, Registry};
use super::writer::{Desk, Writer};

impl Registry {
    /// Whether what is stored under this id gives way to what a ticket proves: it came back at its clients' word, and the ticket did not.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`]
    pub async fn gives_way(&self, id: MeetId, ticket: &Ticket) -> Result<bool, Fault> {
        if ticket.unproven {
            return Ok(false);
        }
        self.with_store(move |store| {
            let is_unproven = RecoveryFile::load(store, id)?.is_some_and(|file| file.unproven);
            Ok(is_unproven && !store.meets(Stage::Finished)?.contains(&id))
        })
        .await
    }

    /// Puts the meet that a ticket proves in the place of one without proof, where there is such a one.
    /// Gives what is wrong with `page` where it is no start of the proven log: nothing changes then.
    pub(super) async fn supersede(&self, id: MeetId, ticket: &Ticket, page: &Handed) -> Result<Option<Restoration>, Fault> {
        let turn = Arc::clone(&self.superseding).lock_owned().await;
        if !self.gives_way(id, ticket).await? {
            return Ok(None);
        }
        match self.try_out(&ticket.auth, page).await? {
            Restoration::Taken { .. } => {}
            refused => return Ok(Some(refused)),
        }
        let mut plan = self.plan_recovery(id, ticket);
        plan.recovery = plan.recovery.map(|file| file.superseding());
        // A log that this key does not open has no writer. Whoever opens it meanwhile waits for the slot.
        let standing = match self.open(id).await {
            Err(Fault::StorageFailed) => None,
            opened => opened?,
        };
        let (maker, meets) = (self.maker(id), self.all());
        let change = tokio::spawn(async move {
            let _turn = turn;
            change_places(maker, meets, standing, plan).await
        });
        change.await.unwrap_or(Err(Fault::Internal)).map(|()| None)
    }
}

async fn change_places(maker: Maker, meets: Meets, standing: Option<Arc<LiveMeet>>, plan: Plan) -> Result<(), Fault> {
    let id = maker.id;
    let all = || meets.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(standing) = standing else {
        let slot = Arc::clone(all().entry(id).or_default());
        let made = slot.get_or_try_init(|| maker.make(plan)).await.map_err(|fault| fault.unwrap_or(Fault::Internal))?;
        return if made.is_unproven() { Err(Fault::StorageFailed) } else { Ok(()) };
    };
    standing.retire().await?;
    let made = maker.make(plan).await;
    match &made {
        Ok(proven) => drop(all().insert(id, Arc::new(OnceCell::from(Arc::clone(proven))))),
        // Its writer has stopped, so it is opened once more.
        Err(_) => drop(all().remove(&id)),
    }
    standing.ended.cancel();
    made.map(drop).map_err(|fault| fault.unwrap_or(Fault::Internal))
}

impl LiveMeet {
    /// Stops what changes this meet. Everything that was acked before is durable, and nothing is afterwards.
    async fn retire(&self) -> Result<(), Fault> {
        let (reply, retired) = oneshot::channel();
        self.order(Order::Retire(reply))?;
        retired.await.map_err(|_| Fault::StorageFailed)
    }

    /// Whether it took the place of a meet of which nobody knows yet whose it was.
    pub fn has_superseded(&self) -> bool {
        self.has_aside.load(Ordering::Acquire)
    }

    /// The password of the meet whose place this one took, as long as nobody knows whose it was.
    ///
    /// # Errors
    /// [`Fault::StorageFailed`]
    pub async fn superseded_password(&self) -> Result<Option<PasswordHash>, Fault> {
        if !self.has_superseded() {
            return Ok(None);
        }
        let id = self.id;
        let auth = self.with_documents(move |store| store.load(id, Document::SupersededAuth)).await?;
        let roster = auth.map(|auth| Roster::read(&auth, None)).transpose();
        let roster = roster.inspect_err(|error| error!(meet = %id, %error, "the superseded meet stays aside"));
        Ok(roster.ok().flatten().map(|roster| roster.auth().password.clone()))
    }

    /// Tells whether a password of this meet was the superseded one's as well. Where it was, what was done there is carried over,
    /// at once or when this meet takes updates.
    ///
    /// # Errors
    /// [`Fault`]; the next one who shows the password tries it again then.
    pub async fn carry(&self, is_same: bool) -> Result<(), Fault> {
        let (reply, carried) = oneshot::channel();
        self.order(Order::Carry(Carry { is_same, reply, _pending: self.pending() }))?;
        carried.await.unwrap_or(Err(Fault::Internal))?;
        self.has_aside.store(false, Ordering::Release);
        Ok(())
    }
}

impl Desk {
    /// Whoever waits or comes is told to come again: it finds the meet that takes this one's place.
    pub(super) async fn retire(self, waiting: Vec<Order>, mut mailbox: mpsc::Receiver<Order>) {
        // Who changes a document now has done so before this returns, and nobody does afterwards.
        let turn = self.documents.acquire().await;
        self.documents.close();
        drop(turn);
        mailbox.close();
        let mut orders = waiting;
        while let Some(order) = mailbox.recv().await {
            orders.push(order);
        }
        for order in orders {
            match order {
                Order::Retire(reply) => drop(reply.send(())),
                order => order.refuse(Fault::Recovering),
            }
        }
    }
}

impl Writer {
    /// Carries the superseded meet over, or says that it stays aside. `None` when the disk failed.
    pub(super) async fn carry(mut self, order: Carry) -> Option<Writer> {
        let Carry { is_same, reply, _pending } = order;
        let is_open = self.desk.file.as_ref().is_some_and(RecoveryFile::is_in_question);
        if !is_open {
            let _ = reply.send(Ok(()));
            return Some(self);
        }
        let known = if is_same { Superseded::Vouched } else { Superseded::Foreign };
        let is_written = self.desk.write_down(|file| file.superseded = Some(known)).await;
        if !is_same {
            warn!(meet = %self.desk.id, "the superseded meet had another password, so it stays aside: see superseded/ in the meet's folder");
        }
        let goes_on = is_written && is_same && self.desk.recovery.is_none() && self.desk.committed.finished_at().is_none();
        let settled = if goes_on { self.settle().await } else { Some(self) };
        let result = if is_written && settled.is_some() { Ok(()) } else { Err(Fault::StorageFailed) };
        let _ = reply.send(result);
        settled
    }

    /// Pushes the log of the superseded meet onto this one, where its people have shown that they are this one's.
    /// Tells whether it did.
    pub(super) fn carry_vouched(&mut self) -> io::Result<bool> {
        if self.desk.file.as_ref().is_none_or(|file| file.superseded != Some(Superseded::Vouched)) {
            return Ok(false);
        }
        let (id, load) = (self.desk.id, |document| self.desk.store.load(self.desk.id, document).map_err(io::Error::other));
        let log = entries_of(&load(Document::SupersededLog)?.unwrap_or_default());
        let roster = Roster::read(&load(Document::Auth)?.unwrap_or_default(), None).map_err(io::Error::other)?;
        let priorities: HashMap<Arc<str>, i64> =
            roster.auth().locations.iter().map(|location| (location.location_name.clone(), location.priority)).collect();
        let brought = log.len();
        let (records, lost) = unproven::carry(&mut self.meet, log, &priorities, self.desk.clock.now());
        if !records.is_empty() {
            self.take_down(&records)?;
        }
        info!(meet = %id, brought, records = records.len(), lost, head = self.meet.log().head(), "the superseded meet was carried over");
        Ok(true)
    }
}

/// Every entry of a log as far as it is sound, whoever's key chained it.
fn entries_of(log: &[u8]) -> Vec<EntryFields> {
    let records = scan(log).map(|scan| scan.records).unwrap_or_default();
    let entry = |record| if let StoredRecord::Entry { fields, .. } = record { Some(fields) } else { None };
    records.into_iter().filter_map(entry).collect()
}
