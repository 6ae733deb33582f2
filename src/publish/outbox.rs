//! `publishes.json`: everything that a meet has published, and how far it has got.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::meet::id::MeetId;
use crate::meet::limits::PUBLISHES_MAX;
use crate::meet::time::Timestamp;
use crate::meet::update::Writer;
use crate::store::{Document, Store, StoreError};
use crate::wire::publish::{PublishInfo, PublishStatus};

use super::mail::mail;
use super::opl_csv::Results;

/// Version of the document; a higher one is refused.
const VERSION: u32 = 1;

/// Names a publish: the same results for the same address are the same publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublishId(#[serde(with = "hex::serde")] [u8; 16]);

impl PublishId {
    /// The id of these results for this address, which holds no zero byte.
    pub fn of(return_email: &str, opl_csv: &str) -> PublishId {
        let digest = Sha256::new().chain_update(return_email).chain_update([0]).chain_update(opl_csv).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        PublishId(id)
    }

    /// Where the results are stored.
    pub fn document(self) -> Document {
        Document::Results(self.0)
    }
}

impl fmt::Display for PublishId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// One publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// Its name.
    pub publish_id: PublishId,
    /// How far it has got.
    pub status: PublishStatus,
    /// Why the last attempt failed, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was published.
    pub at: Timestamp,
    /// When it was last put into the queue.
    pub queued_at: Timestamp,
    /// When it was handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over_at: Option<Timestamp>,
    /// The location that published it.
    pub location_name: Arc<str>,
    /// The client that published it.
    pub client_id: Arc<str>,
    /// Where answers go.
    pub return_email: String,
    /// Lower-case hex SHA-256 of the results.
    pub sha256: String,
    /// Their length.
    pub bytes: usize,
    /// How often handing over was tried since it was last queued.
    pub attempts: u32,
    /// What the results are about.
    pub results: Results,
}

impl Publish {
    /// A publish that waits to be handed over.
    pub fn new(by: Writer, return_email: &str, opl_csv: &str, results: Results, now: Timestamp) -> Publish {
        Publish {
            publish_id: PublishId::of(return_email, opl_csv),
            status: PublishStatus::Queued,
            reason: None,
            at: now,
            queued_at: now,
            handed_over_at: None,
            location_name: by.location_name,
            client_id: by.client_id,
            return_email: return_email.to_owned(),
            sha256: hex::encode(Sha256::digest(opl_csv)),
            bytes: opl_csv.len(),
            attempts: 0,
            results,
        }
    }

    /// Whether it waits to be handed over.
    pub fn is_queued(&self) -> bool {
        self.status == PublishStatus::Queued
    }

    /// Begins again.
    pub fn queue_again(&mut self, now: Timestamp) {
        (self.status, self.reason, self.queued_at, self.attempts) = (PublishStatus::Queued, None, now, 0);
    }

    /// It is where the operator wants it.
    pub fn handed_over(&mut self, now: Timestamp) {
        (self.status, self.reason, self.handed_over_at) = (PublishStatus::HandedOver, None, Some(now));
    }

    /// It is given up.
    pub fn failed(&mut self, reason: String) {
        (self.status, self.reason) = (PublishStatus::Failed, Some(reason));
    }

    /// What an editor is told of it.
    pub fn info(&self) -> PublishInfo {
        PublishInfo {
            publish_id: self.publish_id.to_string(),
            status: self.status,
            reason: self.reason.clone(),
            at: self.at,
            handed_over_at: self.handed_over_at,
            location_name: self.location_name.clone(),
            client_id: self.client_id.clone(),
            return_email: self.return_email.clone(),
            sha256: self.sha256.clone(),
            bytes: self.bytes,
            lifters: self.results.lifters,
            attempts: self.attempts,
            mail: mail(self),
        }
    }
}

/// All publishes of a meet.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    version: u32,
    /// Oldest first.
    publishes: Vec<Publish>,
}

/// The meet has as many publishes as it can have, and all of them wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the meet has {PUBLISHES_MAX} publishes that wait to be handed over, which is the most it can have; once one is handed over or given up there is room"
)]
pub struct Full;

impl Outbox {
    /// What is stored with a meet; empty where nothing was published.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn load(store: &dyn Store, id: MeetId) -> Result<Outbox, StoreError> {
        let Some(bytes) = store.load(id, Document::Publishes)? else {
            return Ok(Outbox { version: VERSION, publishes: Vec::new() });
        };
        let unreadable = |problem: String| StoreError::Unreadable(format!("{} of meet {id}: {problem}", Document::Publishes.file_name()));
        let outbox: Outbox = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if outbox.version > VERSION {
            return Err(unreadable(format!("it has version {}, and this program reads up to {VERSION}", outbox.version)));
        }
        Ok(outbox)
    }

    /// Stores it. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; what was stored before stands then.
    #[expect(clippy::expect_used, reason = "strings and numbers always serialise")]
    pub fn save(&self, store: &dyn Store, id: MeetId) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec_pretty(self).expect("plain members");
        text.push(b'\n');
        store.save(id, Document::Publishes, &text)
    }

    /// Every publish, oldest first.
    pub fn publishes(&self) -> &[Publish] {
        &self.publishes
    }

    /// The publish of this id.
    pub fn get_mut(&mut self, id: PublishId) -> Option<&mut Publish> {
        self.publishes.iter_mut().find(|publish| publish.publish_id == id)
    }

    /// Those that wait to be handed over, oldest first.
    pub fn queued_mut(&mut self) -> impl Iterator<Item = &mut Publish> {
        self.publishes.iter_mut().filter(|publish| publish.is_queued())
    }

    /// Makes room for one more: the oldest that is handed over or given up goes, where one must. Gives its id.
    ///
    /// # Errors
    /// [`Full`]
    pub fn make_room(&mut self) -> Result<Option<PublishId>, Full> {
        if self.publishes.len() < PUBLISHES_MAX {
            return Ok(None);
        }
        let oldest = self.publishes.iter().position(|publish| !publish.is_queued()).ok_or(Full)?;
        Ok(Some(self.publishes.remove(oldest).publish_id))
    }

    /// Adds a new one.
    pub fn push(&mut self, publish: Publish) {
        self.publishes.push(publish);
    }
}
