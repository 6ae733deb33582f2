//! A look at every meet, so that a damaged one is named before anybody needs it.

use std::sync::Arc;

use tracing::{error, info};

use crate::meet::id::MeetId;
use crate::store::Stage;

use super::live::{Fault, LiveMeet};
use super::registry::Registry;

/// What a look at all meets found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many were looked at.
    pub meets: usize,
    /// How many of them are damaged or cannot be opened.
    pub unsound: usize,
}

impl Registry {
    /// Opens every meet once, current ones first, one after the other; those that nobody has used are closed at once.
    /// Whatever is wrong is named in the log and counted. After a crash every log of a current meet stands in a new file then.
    pub async fn look_at_all(&self) -> Survey {
        let mut survey = Survey::default();
        for stage in [Stage::Current, Stage::Finished] {
            let Ok(mut ids) = self.survey(stage, |_, id| Some(id)).await else { continue };
            ids.sort_unstable();
            for id in ids {
                survey.meets += 1;
                survey.unsound += usize::from(!self.look_at(id).await);
            }
        }
        let Survey { meets, unsound } = survey;
        if unsound == 0 {
            info!(meets, "all stored meets were looked at and are sound");
        } else {
            error!(meets, unsound, "stored meets are damaged or cannot be opened; liftrelay verify says what is wrong");
        }
        survey
    }

    /// Opens a meet and waits until its whole log was read. Where that tells something else than its checkpoint, it is opened once more.
    async fn open_whole(&self, id: MeetId) -> Result<Option<Arc<LiveMeet>>, Fault> {
        for _ in 0..2 {
            match self.open(id).await? {
                Some(live) if live.reach(0).await.is_err() => {}
                opened => return Ok(opened),
            }
        }
        Err(Fault::StorageFailed)
    }

    /// Whether a meet is sound, as far as opening it tells. One that is gone again is no fault.
    async fn look_at(&self, id: MeetId) -> bool {
        let is_sound = match self.open_whole(id).await {
            Ok(live) => live.is_none_or(|live| live.needed().is_none()),
            Err(_) => false,
        };
        self.close_unused(id);
        is_sound
    }
}
