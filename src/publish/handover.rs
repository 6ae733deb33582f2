//! One attempt at handing results over, and what comes of it.

use std::time::Duration;

use serde::Serialize;

use crate::auth::random_bytes;
use crate::meet::id::MeetId;
use crate::meet::limits::{HANDOVER_HOURS, HANDOVER_PAUSE_MAX, HANDOVER_PAUSE_MIN};
use crate::meet::time::Timestamp;

use super::destination::Destination;
use super::folder::Folder;
use super::outbox::{Publish, PublishId};
use super::webhook::Webhook;

/// What is handed over.
pub(super) struct Parcel {
    pub(super) meet_id: MeetId,
    pub(super) meet_name: String,
    pub(super) publish: Publish,
    pub(super) opl_csv: String,
}

/// What the other end is told besides the results themselves.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Facts<'a> {
    meet_id: String,
    meet_name: &'a str,
    publish_id: PublishId,
    published_at: Timestamp,
    location_name: &'a str,
    return_email: &'a str,
    lifters: usize,
    sha256: &'a str,
}

impl Parcel {
    pub(super) fn facts(&self) -> Facts<'_> {
        let Publish { publish_id, at, location_name, return_email, sha256, results, .. } = &self.publish;
        Facts {
            meet_id: self.meet_id.to_string(),
            meet_name: &self.meet_name,
            publish_id: *publish_id,
            published_at: *at,
            location_name,
            return_email,
            lifters: results.lifters,
            sha256,
        }
    }
}

/// What came of an attempt. Reasons are for editors, so they name no paths and no addresses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    HandedOver,
    /// It may succeed later; the other end may ask for a longer pause than the usual one.
    Later {
        reason: String,
        after: Option<Duration>,
    },
    /// It will not succeed.
    Refused(String),
}

impl Attempt {
    /// Writes the attempt down with its publish. The pause before the next one, where there is to be one.
    pub(super) fn note(self, publish: &mut Publish, now: Timestamp) -> Option<Duration> {
        publish.attempts = publish.attempts.saturating_add(1);
        let left = Duration::from_secs(HANDOVER_HOURS * 3_600).saturating_sub(now.since(publish.queued_at));
        match self {
            Attempt::HandedOver => publish.handed_over(now),
            Attempt::Refused(reason) => publish.failed(reason),
            Attempt::Later { reason, .. } if left.is_zero() => {
                publish.failed(format!("given up after {HANDOVER_HOURS} hours (attempts: {}): {reason}", publish.attempts));
            }
            Attempt::Later { reason, after } => {
                publish.reason = Some(reason);
                // Who says "at once" must not be asked at once for ever.
                return Some(after.unwrap_or_default().max(pause(publish.attempts)).min(left));
            }
        }
        None
    }
}

/// The pause after so many attempts that failed: twice as long each time, and never the same for two.
fn pause(attempts: u32) -> Duration {
    let longest = HANDOVER_PAUSE_MIN.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(HANDOVER_PAUSE_MAX);
    let jitter = f64::from(u16::from_be_bytes(random_bytes())) / f64::from(u16::MAX);
    longest.mul_f64(0.5 + jitter / 2.0)
}

/// The other end.
pub(super) enum Recipient {
    Folder(Folder),
    Webhook(Webhook),
}

impl Recipient {
    /// `None` for the meet's own folder, in which results are already.
    pub(super) fn new(destination: &Destination) -> Result<Option<Recipient>, String> {
        Ok(match destination {
            Destination::MeetFolder => None,
            Destination::Folder(path) => Some(Recipient::Folder(Folder::new(path)?)),
            Destination::Webhook(url) => Some(Recipient::Webhook(Webhook::new(url)?)),
        })
    }

    pub(super) async fn hand_over(&self, parcel: Parcel) -> Attempt {
        match self {
            Recipient::Folder(folder) => folder.put(parcel).await,
            Recipient::Webhook(webhook) => webhook.send(&parcel).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::opl_csv::Results;
    use super::*;
    use crate::meet::update::Writer;
    use crate::wire::publish::PublishStatus;

    const HOUR: i64 = 3_600_000;

    /// What becomes of a publish of hour 0 after an attempt.
    fn noted(hour: i64, after: Option<u64>) -> (PublishStatus, Option<String>, Option<Duration>) {
        let by = Writer { location_name: "director".into(), client_id: "laptop".into() };
        let mut publish = Publish::new(by, "director@example.org", "results", Results::default(), Timestamp::from_millis(0));
        let later = Attempt::Later { reason: "it is away".to_owned(), after: after.map(Duration::from_secs) };
        let pause = later.note(&mut publish, Timestamp::from_millis(hour * HOUR));
        (publish.status, publish.reason, pause)
    }

    #[test]
    fn pauses_grow_and_differ_and_have_an_end() {
        for (attempts, seconds) in [(1, 2.0), (2, 4.0), (5, 32.0), (10, 900.0), (u32::MAX, 900.0)] {
            let pauses: Vec<f64> = (0..20).map(|_| pause(attempts).as_secs_f64()).collect();
            assert!(pauses.iter().all(|pause| (seconds / 2.0..=seconds).contains(pause)), "{attempts}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }

    #[test]
    fn who_wants_it_at_once_waits_like_everybody() {
        for after in [0, 1] {
            let (_, _, pause) = noted(0, Some(after));
            assert!(pause >= Some(HANDOVER_PAUSE_MIN / 2), "{pause:?}");
        }
    }

    #[test]
    fn the_other_end_says_when_but_not_for_ever() {
        let (status, reason, pause) = noted(0, Some(7_200));
        assert_eq!((status, reason.as_deref(), pause), (PublishStatus::Queued, Some("it is away"), Some(Duration::from_secs(7_200))));
        assert_eq!(noted(71, Some(1_000_000)).2, Some(Duration::from_secs(3_600)), "there is one last attempt at the end");
        let (status, reason, pause) = noted(72, Some(1));
        assert_eq!((status, pause), (PublishStatus::Failed, None));
        assert_eq!(reason.as_deref(), Some("given up after 72 hours (attempts: 1): it is away"));
    }
}
