//! Publishing, from the editor's request to the end of the hand-over.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::meet::id::MeetId;
use crate::meet::limits::{HANDOVER_PAUSE_MAX, HANDOVERS_AT_ONCE};
use crate::meet::time::Timestamp;
use crate::meet::update::Writer;
use crate::metrics::HandOver;
use crate::relay::live::{Fault, LiveMeet};
use crate::relay::registry::Registry;
use crate::store::{Stage, Store, StoreError};
use crate::wire::publish::{PublishAck, PublishInfo, PublishStatus};

use super::destination::Destination;
use super::handover::{Attempt, Parcel, Recipient};
use super::opl_csv::Results;
use super::outbox::{Full, Outbox, Publish, PublishId};

/// Why a publish waits without a recipient.
const NOBODY: &str = "the server no longer hands results over to anybody; publish the same again to leave them with the meet, or ask the operator to start it with --publish-to";

/// Takes results and hands them over, however long that takes.
pub struct Publisher {
    registry: Arc<Registry>,
    /// `None` where results stay in the folders of their meets.
    recipient: Option<Recipient>,
    turns: Semaphore,
    /// Every queued publish. A task takes care of each, unless there is no recipient. It changes only while the meet's
    /// documents are held, so that no publish ever has two tasks, or is queued without one.
    underway: Mutex<HashSet<(MeetId, PublishId)>>,
}

/// What an editor publishes; checked already.
#[derive(Debug)]
pub struct Submission {
    /// Who.
    pub by: Writer,
    /// Where answers go.
    pub return_email: String,
    /// The results as they were sent.
    pub opl_csv: String,
    /// What they are about.
    pub results: Results,
}

impl Publisher {
    /// A publisher of a registry's meets.
    ///
    /// # Errors
    /// Why nothing can be handed over there, for a person.
    pub fn new(registry: Arc<Registry>, destination: &Destination) -> Result<Arc<Publisher>, String> {
        Recipient::new(destination).map(|recipient| Publisher::to(registry, recipient))
    }

    /// A publisher that leaves results in the folders of their meets.
    pub fn in_place(registry: Arc<Registry>) -> Arc<Publisher> {
        Publisher::to(registry, None)
    }

    fn to(registry: Arc<Registry>, recipient: Option<Recipient>) -> Arc<Publisher> {
        Arc::new(Publisher { registry, recipient, turns: Semaphore::new(HANDOVERS_AT_ONCE), underway: Mutex::default() })
    }

    /// Stores results with their meet and starts to hand them over. They are durable when this returns.
    /// The same results for the same address are the same publish; one that has failed begins again.
    ///
    /// # Errors
    /// [`Fault`], and [`Full`] inside.
    pub async fn publish(self: &Arc<Self>, live: &LiveMeet, submission: Submission) -> Result<Result<PublishAck, Full>, Fault> {
        let (publisher, id, now) = (Arc::clone(self), live.id, live.now());
        live.with_documents(move |store| publisher.accept(store, id, submission, now)).await
    }

    /// All publishes of a meet, newest first.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn publishes(&self, live: &LiveMeet) -> Result<Vec<PublishInfo>, Fault> {
        let id = live.id;
        live.with_documents(move |store| Ok(Outbox::load(store, id)?.publishes().iter().rev().map(Publish::info).collect())).await
    }

    /// Goes on with what is queued in any meet, as after a start. What was queued for a recipient that this run does
    /// not have stays queued and says so: it has reached nobody.
    pub async fn resume(self: &Arc<Self>) {
        let mut left = 0;
        // Current meets first: one that is finished meanwhile is seen twice rather than never.
        for stage in [Stage::Current, Stage::Finished] {
            for (id, publishes) in self.registry.survey(stage, queued).await.unwrap_or_default() {
                if self.recipient.is_some() {
                    publishes.into_iter().for_each(|publish| self.start(id, publish));
                } else {
                    left += self.leave(id).await;
                }
            }
        }
        if left > 0 {
            warn!(
                left,
                "results that an earlier run had queued are handed over to nobody: start with --publish-to again, or publish the same again to leave them with their meet"
            );
        }
    }

    /// Leaves queued what has no recipient; tells how much that is.
    async fn leave(self: &Arc<Self>, id: MeetId) -> usize {
        let Ok(Some(live)) = self.registry.open(id).await else { return 0 };
        let publisher = Arc::clone(self);
        let leave = move |store: &dyn Store| {
            let mut outbox = Outbox::load(store, id)?;
            let mut left = 0;
            for publish in outbox.queued_mut() {
                publish.reason = Some(NOBODY.to_owned());
                // A meet that was seen at both stages counts once.
                left += usize::from(publisher.underway().insert((id, publish.publish_id)));
            }
            outbox.save(store, id)?;
            Ok(left)
        };
        live.with_documents(leave).await.unwrap_or(0)
    }

    /// Whether results of this meet are on their way, or wait for somebody to take them.
    pub fn is_busy_with(&self, id: MeetId) -> bool {
        self.underway().iter().any(|(meet, _)| *meet == id)
    }

    fn accept(
        self: &Arc<Self>,
        store: &dyn Store,
        id: MeetId,
        submission: Submission,
        now: Timestamp,
    ) -> Result<Result<PublishAck, Full>, StoreError> {
        let mut outbox = Outbox::load(store, id)?;
        let publish_id = PublishId::of(&submission.return_email, &submission.opl_csv);
        let known = outbox.get_mut(publish_id).map(|publish| publish.status);
        let mut gone = None;
        if known.is_none() {
            match outbox.make_room() {
                Ok(oldest) => gone = oldest,
                Err(full) => return Ok(Err(full)),
            }
            outbox.push(keep(store, id, submission, now)?);
        }
        let status = match known {
            None | Some(PublishStatus::Failed) => self.queue(outbox, store, id, publish_id, now)?,
            Some(PublishStatus::Queued) if self.recipient.is_none() => self.queue(outbox, store, id, publish_id, now)?,
            Some(status) => status,
        };
        // Only now does no list name it any more.
        gone.into_iter().for_each(|gone| discard(store, id, gone));
        Ok(Ok(PublishAck { publish_id: publish_id.to_string(), status, duplicate: known.is_some() }))
    }

    /// Writes down that a publish is to be handed over, and begins with it; tells how far it is then.
    fn queue(
        self: &Arc<Self>,
        mut outbox: Outbox,
        store: &dyn Store,
        id: MeetId,
        publish_id: PublishId,
        now: Timestamp,
    ) -> Result<PublishStatus, StoreError> {
        let stays = self.recipient.is_none();
        if let Some(publish) = outbox.get_mut(publish_id) {
            publish.queue_again(now);
            if stays {
                publish.handed_over(now);
            }
        }
        outbox.save(store, id)?;
        if stays {
            self.forget(id, publish_id);
            self.count(PublishStatus::HandedOver);
            return Ok(PublishStatus::HandedOver);
        }
        self.start(id, publish_id);
        Ok(PublishStatus::Queued)
    }

    /// Hands over in a task of its own, unless one does already.
    fn start(self: &Arc<Self>, id: MeetId, publish: PublishId) {
        if self.underway().insert((id, publish)) {
            let publisher = Arc::clone(self);
            tokio::spawn(async move {
                while let Some(pause) = publisher.attempt(id, publish).await {
                    tokio::time::sleep(pause).await;
                }
            });
        }
    }

    /// One attempt; the pause before the next one, where there is to be one.
    async fn attempt(self: &Arc<Self>, id: MeetId, publish: PublishId) -> Option<Duration> {
        let attempt = {
            // First a turn, then the results: those that wait take no memory.
            let _turn = self.turns.acquire().await.ok()?;
            match self.parcel(id, publish).await {
                Ok(Some(parcel)) => self.recipient.as_ref()?.hand_over(parcel).await,
                Ok(None) => return None,
                Err(_) => return Some(HANDOVER_PAUSE_MAX),
            }
        };
        let noted = match self.registry.open(id).await {
            Ok(Some(live)) => {
                let (publisher, now) = (Arc::clone(self), live.now());
                live.with_documents(move |store| publisher.note(store, id, publish, attempt, now)).await
            }
            Ok(None) => {
                self.forget(id, publish);
                Ok(None)
            }
            Err(fault) => Err(fault),
        };
        // What could not be noted is handed over once more; the other end knows it by its id.
        noted.unwrap_or(Some(HANDOVER_PAUSE_MAX))
    }

    /// What is to be handed over; `None` where that has been done or the meet is gone.
    async fn parcel(self: &Arc<Self>, id: MeetId, publish: PublishId) -> Result<Option<Parcel>, Fault> {
        let Some(live) = self.registry.open(id).await? else {
            self.forget(id, publish);
            return Ok(None);
        };
        let (publisher, meet_name) = (Arc::clone(self), live.roster().auth().meet_name.clone());
        let load = move |store: &dyn Store| {
            let mut outbox = Outbox::load(store, id)?;
            let publish_id = publish;
            let publish = outbox.get_mut(publish_id).filter(|publish| publish.is_queued()).cloned();
            let opl_csv = store.load(id, publish_id.document())?.and_then(|bytes| String::from_utf8(bytes).ok());
            let (Some(publish), Some(opl_csv)) = (publish, opl_csv) else {
                publisher.forget(id, publish_id);
                return Ok(None);
            };
            Ok(Some(Parcel { meet_id: id, meet_name, publish, opl_csv }))
        };
        live.with_documents(load).await
    }

    /// Writes down what came of an attempt; the pause before the next one, where there is to be one.
    fn note(
        &self,
        store: &dyn Store,
        id: MeetId,
        publish_id: PublishId,
        attempt: Attempt,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        let mut outbox = Outbox::load(store, id)?;
        let mut pause = None;
        if let Some(publish) = outbox.get_mut(publish_id) {
            pause = attempt.note(publish, now);
            let Publish { status, attempts, reason, .. } = publish;
            match status {
                PublishStatus::HandedOver => info!(meet = %id, publish = %publish_id, attempts, "results handed over"),
                PublishStatus::Queued => info!(meet = %id, publish = %publish_id, reason, ?pause, "results will be handed over later"),
                PublishStatus::Failed => warn!(meet = %id, publish = %publish_id, reason, "results could not be handed over"),
            }
            self.count(*status);
            outbox.save(store, id)?;
        }
        if pause.is_none() {
            self.forget(id, publish_id);
        }
        Ok(pause)
    }

    /// Counts an attempt by what it came to.
    fn count(&self, status: PublishStatus) {
        self.registry.metrics().meets.hand_over(match status {
            PublishStatus::HandedOver => HandOver::HandedOver,
            PublishStatus::Queued => HandOver::Retried,
            PublishStatus::Failed => HandOver::Failed,
        });
    }

    /// No task takes care of this any more.
    fn forget(&self, id: MeetId, publish: PublishId) {
        self.underway().remove(&(id, publish));
    }

    fn underway(&self) -> MutexGuard<'_, HashSet<(MeetId, PublishId)>> {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores results with their meet.
fn keep(store: &dyn Store, id: MeetId, submission: Submission, now: Timestamp) -> Result<Publish, StoreError> {
    let Submission { by, return_email, opl_csv, results } = submission;
    let publish = Publish::new(by, &return_email, &opl_csv, results, now);
    store.save(id, publish.publish_id.document(), opl_csv.as_bytes())?;
    let Publish { publish_id, location_name, results: Results { lifters, .. }, .. } = &publish;
    info!(meet = %id, publish = %publish_id, location = ?location_name, lifters, "results published");
    Ok(publish)
}

/// Removes the results of a publish that made room for a newer one.
fn discard(store: &dyn Store, id: MeetId, publish: PublishId) {
    match store.discard(id, publish.document()) {
        Ok(()) => info!(meet = %id, %publish, "the oldest publish made room for a new one"),
        Err(error) => warn!(meet = %id, %publish, %error, "the oldest publish made room for a new one, but its file is still there"),
    }
}

/// The queued publishes of a stored meet, where there are any.
fn queued(store: &dyn Store, id: MeetId) -> Option<(MeetId, Vec<PublishId>)> {
    let outbox = Outbox::load(store, id).inspect_err(|error| warn!(meet = %id, %error, "the publishes of the meet cannot be read")).ok()?;
    let queued: Vec<_> = outbox.publishes().iter().filter(|publish| publish.is_queued()).map(|publish| publish.publish_id).collect();
    (!queued.is_empty()).then_some((id, queued))
}
