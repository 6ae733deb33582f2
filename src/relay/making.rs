//! Meets that are made: new, or anew from what clients have.

use std::sync::Arc;

use tracing::{error, info};

use crate::auth::roster::{AuthFile, Roster};
use crate::meet::Meet;
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::store::line::{Encoder, Header};
use crate::store::log_writer::LogWriter;
use crate::store::{NewMeet, Store, StoreError};

use super::clock::Clock;
use super::live::{Fault, LiveMeet, Parts, Shared};
use super::recovery::RecoveryFile;
use super::replay::{Replayed, Tail};
use super::resuming::Opened;

/// What a meet is made of at its start.
pub(super) struct Plan {
    pub(super) auth: AuthFile,
    pub(super) header: Header,
    /// Of a meet that comes back from its clients.
    pub(super) recovery: Option<RecoveryFile>,
}

/// Everything that it takes to make a meet, apart from the registry: it is made though nobody waits for it any more.
pub(super) struct Maker {
    pub(super) id: MeetId,
    pub(super) store: Arc<dyn Store>,
    pub(super) key: ServerKey,
    pub(super) clock: Clock,
    pub(super) shared: Shared,
}

impl Maker {
    /// Makes a meet. An error of `None` means that the id is taken.
    pub(super) async fn make(self, plan: Plan) -> Result<Arc<LiveMeet>, Option<Fault>> {
        let (id, shared, recovered) = (self.id, self.shared.clone(), plan.recovery.is_some());
        match tokio::task::spawn_blocking(move || self.make_now(plan)).await {
            Ok(Ok(parts)) => {
                info!(meet = %id, recovered, "meet created");
                Ok(Arc::new(LiveMeet::start(parts, shared)))
            }
            Ok(Err(StoreError::Exists)) => Err(None),
            Ok(Err(error)) => {
                error!(meet = %id, %error, "a meet could not be created");
                Err(Some(Fault::StorageFailed))
            }
            Err(_) => Err(Some(Fault::Internal)),
        }
    }

    fn make_now(self, plan: Plan) -> Result<Parts, StoreError> {
        let Maker { id, store, key, clock, .. } = self;
        let Plan { auth, header, recovery } = plan;
        let meet = Meet::new(key.clone(), auth.chain, auth.settings.tie_break);
        let roster = Roster::new(auth);
        let mut encoder = Encoder::default();
        let mut line = Vec::new();
        encoder.header(&header, &mut line);
        let new = NewMeet {
            header: line,
            auth: roster.auth_document(),
            sessions: roster.sessions_document(),
            recovery: recovery.as_ref().map(RecoveryFile::document),
        };
        let supersedes = recovery.as_ref().is_some_and(|file| file.superseded.is_some());
        let journal = if supersedes { store.supersede(id, &new)? } else { store.create(id, &new)? };
        let opened = Opened::Whole(Box::new(Replayed { meet, tail: Tail::Sound(LogWriter::new(journal, encoder, 0)) }));
        Ok(Parts { id, opened, roster, finished_at: None, recovery, store, key, clock })
    }
}
