//! Real meets, shared by three locations whose lines fail at random.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::sleep;

use super::cable::Cable;
use super::member::{Member, agreed};
use crate::dice::Dice;
use crate::support::{TestServer, traces};

/// Whose change it is: the desk keeps the meet's own data, and each location a third of the lifters.
fn location(key: &str) -> usize {
    let id = key.strip_prefix("registration.entries[").and_then(|rest| rest.split_once(']'));
    id.map_or(0, |(id, _)| id.parse::<usize>().unwrap() % 3)
}

/// Makes a location's changes one after the other, whether the line works or not.
async fn write(member: &Member, updates: &[(String, Value)], seed: u64) {
    let mut dice = Dice(seed);
    for (key, value) in updates {
        member.set(key, value).await;
        sleep(Duration::from_millis(dice.below(30))).await;
    }
}

/// Cuts the line at any moment and mends it, until it is dropped.
async fn disturb(cable: &Cable, server: &str, seed: u64) {
    let mut dice = Dice(seed);
    loop {
        sleep(Duration::from_millis(100 + dice.below(1_500))).await;
        cable.cut();
        sleep(Duration::from_millis(dice.below(1_500))).await;
        cable.plug_into(server);
    }
}

/// Three locations share a meet; gives what came of it.
async fn shared(trace: &str, seed: u64) -> Value {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let clients = [desk.clone(), desk.join("platform 1").await, desk.join("platform 2").await];
    let updates = traces::updates(trace);
    let mut all = Vec::new();
    for (at, client) in clients.iter().enumerate() {
        let cable = Cable::to(&server.url).await;
        let own: Vec<_> = updates.iter().filter(|(key, _)| location(key) == at).cloned().collect();
        assert!(own.len() > 200, "every location has something to do");
        all.push((Member::new(client, &cable.url), cable, own));
    }
    let one = async |at: usize| {
        let (member, cable, own) = &all[at];
        let seed = seed + 10 * at as u64;
        tokio::select! {
            () = write(member, own, seed) => {}
            () = disturb(cable, &server.url, seed + 1) => {}
        }
        cable.plug_into(&server.url);
    };
    tokio::join!(one(0), one(1), one(2));
    let members: Vec<_> = all.iter().map(|(member, ..)| member).collect();
    agreed(&desk, &members).await.0
}

/// What is synced of a save file, with its lifters by their ids, as far as it was ever changed.
fn assert_saved(state: &Value, save_file: &str) {
    let saved: Value = serde_json::from_str(save_file).unwrap();
    let entries = saved["registration"]["entries"].as_array().unwrap().iter();
    let by_id: Map<_, _> = entries.map(|entry| (entry["id"].to_string(), entry.clone())).collect();
    assert_eq!(state["registration"]["entries"], Value::Object(by_id));
    let meet = state["meet"].as_object().unwrap();
    assert!(meet.len() >= 9, "{meet:?}");
    for (name, value) in meet {
        assert_eq!(*value, saved["meet"][name], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meet_of_many_divisions_comes_out_as_it_was_saved() {
    let state = shared(traces::KG_MULTIDIV_36, 1).await;
    assert_saved(&state, traces::KG_MULTIDIV_36_SAVED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meet_in_pounds_comes_out_as_it_was_saved() {
    let state = shared(traces::LBS_25, 2).await;
    assert_saved(&state, traces::LBS_25_SAVED);
}
