//! Exchanges that come to nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::channel::Fault;
use crate::client::replica::record::{Answered, Refused};
use crate::client::replica::{Outgoing, Record};
use crate::meet::limits::{BATCH_MAX_UPDATES, CLIENT_RETRY_MIN};
use crate::wire::problem::Code;

use super::LiveError;
use super::driver::Driver;
use super::status::Link;

/// A session that has ended is tried again so often: somebody may have let it in again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// Exchanges and streams of a session that was replaced are refused only now, which is no word about the new one: probes take seconds.
const SESSION_SETTLES: Duration = Duration::from_secs(10);

impl Driver {
    pub(super) async fn failed(&mut self, sent: Option<Outgoing>, fault: Fault) -> Result<(), LiveError> {
        match &fault {
            Fault::NotAuthorised(_) if self.renewed.is_some_and(|at| at.elapsed() < SESSION_SETTLES) => {
                self.not_before = Some(Instant::now() + CLIENT_RETRY_MIN);
                return Ok(());
            }
            Fault::NotAuthorised(_) | Fault::Refused { code: Some(Code::ReadOnly | Code::JoinRejected), .. } => {
                return self.let_in_again().await;
            }
            Fault::Refused { code, .. } => match sent {
                Some(sent) if code.is_some() || self.gets_through() => return self.refused(sent, &fault).await,
                _ => self.failures += 1,
            },
            _ => self.failures += 1,
        }
        if let Fault::Busy { retry_after, .. } = &fault {
            self.retry_after = *retry_after;
        }
        self.core.set_link(Link::Down { why: fault.to_string() });
        self.pause();
        self.retry_after = None;
        Ok(())
    }

    /// A page that asks to log in to the hall's network refuses everything, and passes; a filter that dislikes what is in an
    /// edit refuses that alone. Which of them it is shows where the server was heard since the first refusal.
    fn gets_through(&mut self) -> bool {
        self.refused_at.get_or_insert_with(Instant::now);
        !self.is_in_doubt()
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.refused_at.is_some_and(|first| self.core.status.borrow().heard_at.is_none_or(|heard| heard <= first))
    }

    /// A batch was refused as a whole: its parts go by themselves, until the one that is wrong is alone. That one is set aside.
    async fn refused(&mut self, sent: Outgoing, fault: &Fault) -> Result<(), LiveError> {
        if sent.push.updates.len() > 1 {
            self.batch_max = sent.push.updates.len() / 2;
            return Ok(());
        }
        (self.batch_max, self.refused_at) = (BATCH_MAX_UPDATES, None);
        let refused: Vec<_> = sent.push.updates.iter().map(|update| update.local_seq_num).collect();
        let reason = fault.to_string();
        let refuse = move |number| Refused { number, reason: reason.clone(), code: None, standing: None };
        let refused = refused.into_iter().map(refuse).collect();
        self.core.change(move |_| Ok::<_, LiveError>(vec![Record::Answered(Answered { refused, ..Answered::default() })])).await?;
        self.came_through();
        Ok(())
    }

    /// Being let in again did not come through.
    pub(super) fn locked_out_for_now(&mut self, fault: &Fault) {
        self.failures += 1;
        self.core.set_link(Link::Down { why: fault.to_string() });
        self.pause();
    }

    /// Nothing lets this client in any more: it says so, and looks again now and then.
    pub(super) fn locked_out(&mut self) {
        self.core.set_link(Link::NotAuthorised);
        self.failures += 1;
        self.not_before = Some(Instant::now() + REFUSED_PAUSE);
    }
}
