//! What the server says about publishes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::meet::time::Timestamp;

/// How far a publish has got. Nothing here says that anybody accepted the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublishStatus {
    /// Stored, and on its way.
    Queued,
    /// Where the operator wants published results to be.
    HandedOver,
    /// Given up.
    Failed,
}

/// `PUBLISH_ACK`: the results are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishAck {
    /// Names the publish: the same results for the same address have the same id.
    pub publish_id: String,
    /// How far it has got.
    pub status: PublishStatus,
    /// The same had been published before, and this is that publish.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// `PUBLISHES`: all publishes of a meet.
#[derive(Debug, Serialize)]
pub struct Publishes {
    /// Newest first.
    pub publishes: Vec<PublishInfo>,
}

/// One publish of [`Publishes`].
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishInfo {
    /// Its id.
    pub publish_id: String,
    /// How far it has got.
    pub status: PublishStatus,
    /// Why it failed, or why the last attempt did; for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was published.
    pub at: Timestamp,
    /// When it was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handed_over_at: Option<Timestamp>,
    /// The location that published it.
    pub location_name: Arc<str>,
    /// The client that published it.
    pub client_id: Arc<str>,
    /// Where answers go.
    pub return_email: String,
    /// Lower-case hex SHA-256 of the results as they were sent.
    pub sha256: String,
    /// Their length.
    pub bytes: usize,
    /// Different names in the results.
    pub lifters: usize,
    /// How often handing over was tried.
    pub attempts: u32,
    /// A mail that sends these results to OpenPowerlifting by hand.
    pub mail: Mail,
}

/// A mail, ready but for its attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// To whom.
    pub to: &'static str,
    /// One line.
    pub subject: String,
    /// Plain text, lines ended by line feeds.
    pub body: String,
}
