//! The demo: a real meet, replayed lap after lap at a pace that can be watched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{info, warn};

use crate::auth::password::PasswordHash;
use crate::auth::random_bytes;
use crate::auth::roster::Location;
use crate::http::{App, DemoLap};
use crate::meet::id::MeetId;
use crate::meet::settings::Settings;
use crate::meet::update::{Batch, Mode, Op, Proposal, Writer};
use crate::relay::live::{Fault, LiveMeet};
use crate::relay::registry::MeetSpec;
use crate::store::files::{Fsync, replace_file};

/// The trace of a meet of 34 lifters; their names are invented, the lifting is real
/// (data of the OpenPowerlifting project, <https://www.openpowerlifting.org>).
const TRACE: &str = include_str!("demo/kg-single-34.updates.jsonl");
const MEET_NAME: &str = "Demo meet";
const DESK: &str = "weigh-in desk";
const PLATFORM: &str = "platform 1";
/// Pause between actions at the weigh-in desk.
const DESK_PAUSE: Duration = Duration::from_millis(40);
/// Pause between actions on the platform: about seven minutes for the whole meet.
const PLATFORM_PAUSE: Duration = Duration::from_millis(800);
/// How long the results stand before the next lap.
const RESULTS_PAUSE: Duration = Duration::from_secs(20);
/// Pause after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Replays the demo for ever.
pub(super) struct Demo {
    app: Arc<App>,
    /// Remembers this lap's meet, so that the next start can clear it away.
    note: PathBuf,
    speed: u32,
    actions: Vec<Action>,
}

/// One line of the trace.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TraceLine {
    a: u64,
    action: String,
    update_key: String,
    update_value: Box<RawValue>,
}

/// What somebody did: updates that belong together.
struct Action {
    number: u64,
    is_lifting: bool,
    updates: Vec<(String, Box<RawValue>)>,
}

/// Meets of the demo that may be there: this lap's, and the last one's until it is gone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    meet_ids: Vec<String>,
}

impl Demo {
    pub(super) fn new(app: Arc<App>, data_dir: &Path, speed: u32) -> Demo {
        Demo { app, note: data_dir.join("demo.json"), speed, actions: actions(TRACE) }
    }

    /// Laps until the server stops; the last one is cleared away.
    pub(super) async fn run(self) {
        let stopping = self.app.stopping.clone();
        self.clear().await;
        let laps = async {
            let mut before = None;
            for lap in 1.. {
                match self.lap(lap, before).await {
                    Ok(meet) => before = Some(meet),
                    Err(fault) => {
                        warn!(?fault, "the demo failed; it starts again in a moment");
                        before = None;
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stopping.cancelled() => self.clear().await,
            () = laps => {}
        }
    }

    /// Removes the meets that the note names: this start's, or those of a start that was killed.
    async fn clear(&self) {
        let note = std::fs::read(&self.note).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        for meet in note.iter().flat_map(|note| &note.meet_ids).filter_map(|id| id.parse().ok()) {
            let live = self.app.registry.open(meet).await;
            // An id is noted before its meet is made, so it might be somebody's after all.
            if live.is_ok_and(|live| live.is_some_and(|live| live.roster().auth().meet_name == MEET_NAME)) {
                let _ = self.app.registry.remove(meet).await;
            }
        }
        let _ = std::fs::remove_file(&self.note);
    }

    /// One lap in a meet of its own; the one before goes when this one has a name.
    async fn lap(&self, lap: u64, before: Option<MeetId>) -> Result<MeetId, Fault> {
        let live = self.create(before).await?;
        let (id, now) = (live.id, live.now());
        let key = live.edit_roster(move |roster| roster.create_view_key(id, "demo".to_owned(), None, now)).await?;
        let Ok((view_key, _)) = key else { return Err(Fault::Internal) };
        self.app.demo.send_replace(Some(DemoLap { lap, view_key, meet_name: MEET_NAME.to_owned() }));
        info!(meet = %id, lap, "a demo lap starts");
        if let Some(before) = before {
            self.app.registry.remove(before).await?;
            self.remember([id]);
        }
        self.replay(&live).await?;
        tokio::time::sleep(RESULTS_PAUSE / self.speed).await;
        Ok(id)
    }

    async fn create(&self, before: Option<MeetId>) -> Result<Arc<LiveMeet>, Fault> {
        // Nobody joins the demo, so nobody learns this.
        let password = hex::encode(random_bytes::<16>());
        let password = tokio::task::spawn_blocking(move || PasswordHash::new(&password)).await.map_err(|_| Fault::Internal)?;
        let location = |name: &str, priority| Location { location_name: name.into(), priority };
        let locations = vec![location(DESK, 10), location(PLATFORM, 20)];
        let spec = Arc::new(MeetSpec { meet_name: MEET_NAME.to_owned(), password, locations, settings: Settings::default() });
        loop {
            let id = MeetId::from_random(u64::from_be_bytes(random_bytes()));
            self.remember(before.into_iter().chain([id]));
            if let Some(live) = self.app.registry.create_as(id, Arc::clone(&spec)).await? {
                return Ok(live);
            }
        }
    }

    fn remember(&self, meets: impl IntoIterator<Item = MeetId>) {
        let meet_ids = meets.into_iter().map(MeetId::digits).collect();
        let note = serde_json::to_vec(&Note { meet_ids }).unwrap_or_default();
        // Whole, for a crash that cut it would leave a meet that nobody clears away.
        if let Err(error) = replace_file(&self.note, &note, Fsync::Always) {
            warn!(%error, "the demo's note could not be written");
        }
    }

    async fn replay(&self, live: &LiveMeet) -> Result<(), Fault> {
        let first_lift = self.actions.iter().position(|action| action.is_lifting).unwrap_or(self.actions.len());
        for (place, action) in self.actions.iter().enumerate() {
            let (location, priority, pause) = if place < first_lift { (DESK, 10, DESK_PAUSE) } else { (PLATFORM, 20, PLATFORM_PAUSE) };
            let proposal = |(key, value): &(String, Box<RawValue>)| Proposal::read(key, Some(value), Op::Set, None, None);
            live.push(Batch {
                writer: Writer { location_name: location.into(), client_id: "demo".into() },
                priority,
                updates: action.updates.iter().map(proposal).collect(),
                mode: Mode::Each,
                if_head: None,
                after: None,
            })
            .await?;
            tokio::time::sleep(pause / self.speed).await;
        }
        Ok(())
    }
}

/// The actions of a trace: what OpenLifter would sync, with names as they were typed in the end.
fn actions(trace: &str) -> Vec<Action> {
    let lines = trace.lines().filter_map(|line| serde_json::from_str::<TraceLine>(line).ok());
    let is_synced = |line: &TraceLine| !line.update_key.starts_with("lifting.") && line.update_key != "registration.nextEntryId";
    let mut actions: Vec<Action> = Vec::new();
    for line in lines.filter(is_synced) {
        let update = (line.update_key, line.update_value);
        match actions.last_mut() {
            Some(last) if last.number == line.a => last.updates.push(update),
            Some(last) if matches!(&*last.updates, [(key, _)] if *key == update.0) => {
                *last = Action { number: line.a, is_lifting: line.action == "MARK_LIFT", updates: vec![update] };
            }
            _ => actions.push(Action { number: line.a, is_lifting: line.action == "MARK_LIFT", updates: vec![update] }),
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_is_a_whole_meet() {
        let actions = actions(TRACE);
        let lifts = actions.iter().filter(|action| action.is_lifting).count();
        assert_eq!(lifts, 304);
        assert!(actions.iter().flat_map(|action| &action.updates).all(|(key, _)| !key.starts_with("lifting")));
        let names = actions.iter().flat_map(|action| &action.updates).filter(|(key, _)| key == "registration.entries[5000].name");
        assert_eq!(names.count(), 1, "a name is shown when it is whole");
    }
}
