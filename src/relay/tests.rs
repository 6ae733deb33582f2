//! The writer and the registry over a store that can be told to wait and to fail.

mod checkpoints;
mod disk;
mod failures;
mod finishing;
mod groups;
mod mending;
mod recovering;
mod registry;

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::task::JoinHandle;

use crate::auth::roster::Location;
use crate::meet::chain::ServerKey;
use crate::meet::outcome::{Decision, Outcome};
use crate::meet::settings::Settings;
use crate::meet::update::{Batch, Mode, Op, Proposal, Writer};
use crate::wire::audience::Audience;

use super::clock::Clock;
use super::follower::Follower;
use super::live::{Fault, LiveMeet};
use super::registry::{MeetSpec, Registry};
use disk::Disk;

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn registry(disk: &Disk) -> Arc<Registry> {
    Arc::new(Registry::new(Arc::new(disk.clone()), ServerKey::new([7; 32]), Clock::default()))
}

/// A meet that nobody can join: making a real hash takes long.
fn spec() -> MeetSpec {
    let password = format!(r#"{{"algorithm":"scrypt","logN":14,"r":8,"p":5,"salt":"{}","hash":"{}"}}"#, "00".repeat(16), "00".repeat(32));
    MeetSpec {
        meet_name: "Test Open".to_owned(),
        password: serde_json::from_str(&password).unwrap(),
        locations: vec![Location { location_name: "desk".into(), priority: 10 }],
        settings: Settings::default(),
    }
}

fn batch(key: &str, value: u64, number: u64) -> Batch {
    let value = RawValue::from_string(value.to_string()).unwrap();
    Batch {
        writer: Writer { location_name: "desk".into(), client_id: "laptop".into() },
        priority: 10,
        updates: vec![Proposal::read(key, Some(&value), Op::Set, Some(number), None)],
        mode: Mode::Each,
        if_head: None,
        after: None,
    }
}

/// The number that an update of its own was acked with, and whether it had been before.
fn acked(pushed: Result<Decision, Fault>) -> (u64, bool) {
    match pushed {
        Ok(Decision::Applied { outcomes, .. }) => match &outcomes[..] {
            [Outcome::Acked(ack)] => (ack.server_seq_num, ack.duplicate),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Sends an update on its way. It has reached the mailbox when this returns.
async fn send(live: &Arc<LiveMeet>, number: u64) -> JoinHandle<Result<Decision, Fault>> {
    let live = Arc::clone(live);
    let pushing = tokio::spawn(async move { live.push(batch(&format!("k{number}"), number, number)).await });
    tokio::task::yield_now().await;
    pushing
}

async fn outcome(pushing: JoinHandle<Result<Decision, Fault>>) -> Result<Decision, Fault> {
    tokio::time::timeout(PATIENCE, pushing).await.expect("no answer came").unwrap()
}

fn follower(live: &LiveMeet) -> Follower {
    Follower::new(Arc::clone(&live.committed), Audience::Editor, 0)
}

fn state(live: &LiveMeet) -> String {
    live.committed.state(&Audience::Editor).0.text.get().to_owned()
}
