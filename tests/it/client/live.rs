//! Replicas that the library keeps in step with real servers.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use liftrelay::client::live::Link;
use serde_json::json;
use tempfile::tempdir;
use tokio::time::{interval, sleep};

use super::cable::Cable;
use super::member::{Member, agreed, object};
use crate::support::TestServer;
use crate::support::process::Process;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_at_ten_a_second_are_never_refused() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    let (one, two) = (Member::new(&desk, &server.url), Member::new(&platform, &server.url));
    let mut beat = interval(Duration::from_millis(100));
    for number in 0..100 {
        beat.tick().await;
        one.set(&format!("registration.entries[{number}].bodyweightKg"), &json!(number)).await;
        two.set(&format!("registration.entries[{number}].squatKg"), &json!([number, 0, 0])).await;
    }
    let (state, log) = agreed(&desk, &[&one, &two]).await;
    assert_eq!(log.len(), 200);
    let entry = |number| (format!("{number}"), json!({"bodyweightKg": number, "squatKg": [number, 0, 0]}));
    assert_eq!(state["registration"]["entries"], object((0..100).map(entry)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_offline_takes_one_round_trip_for_each_batch() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let member = Member::new(&desk, "http://127.0.0.1:1");
    for number in 0..1_000 {
        member.set(&format!("attempts[{number}]"), &json!(number)).await;
    }
    member.wait_for(|status| matches!(status.link, Link::Down { .. })).await;
    let started = Instant::now();
    let member = member.restart(&server.url).await;
    member.settled().await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(member.counts.pushes.load(Ordering::SeqCst), 1, "they fit one batch");
    let (state, log) = agreed(&desk, &[&member]).await;
    assert_eq!(log.len(), 1_000);
    assert_eq!(state["attempts"], object((0..1_000).map(|number| (format!("{number}"), json!(number)))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_and_doubles_nothing() {
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    let platform = desk.join("platform 1").await;
    let cable = Cable::to(&process.url).await;
    let (one, two) = (Member::new(&desk, &cable.url), Member::new(&platform, &cable.url));
    for number in 0..200 {
        one.set(&format!("a[{number}]"), &json!(number)).await;
        two.set(&format!("b[{number}]"), &json!(number)).await;
        if number % 60 == 30 {
            process = process.crash_and_restart();
            cable.plug_into(&process.url);
        }
        sleep(Duration::from_millis(20)).await;
    }
    let (state, log) = agreed(&desk.at(&process.url), &[&one, &two]).await;
    assert_eq!(log.len(), 400);
    let all = object((0..200).map(|number| (format!("{number}"), json!(number))));
    assert_eq!(state, json!({"a": all, "b": all}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meet_that_the_server_has_lost_comes_back_by_itself() {
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    let cable = Cable::to(&process.url).await;
    let member = Member::new(&desk, &cable.url);
    for number in 0..50 {
        member.set(&format!("a[{number}]"), &json!(number)).await;
    }
    member.settled().await;

    process.child.kill().unwrap();
    process.child.wait().unwrap();
    cable.cut();
    fs::remove_dir_all(home.path().join("data")).unwrap();
    member.set("a[50]", &json!(50)).await;
    process = Process::start(home.path());
    cable.plug_into(&process.url);
    member.wait_for(|status| status.is_settled() && status.replica.last_number == 51).await;
    assert!(member.counts.restores.load(Ordering::SeqCst) >= 1);
    assert_eq!(member.counts.logins.load(Ordering::SeqCst), 0, "the ticket was enough");
    member.set("a[51]", &json!(51)).await;
    let again = desk.at(&process.url).rejoin().await;
    let (state, log) = agreed(&again, &[&member]).await;
    assert_eq!(log.len(), 52);
    assert_eq!(state["a"], object((0..52).map(|number| (format!("{number}"), json!(number)))));
}
