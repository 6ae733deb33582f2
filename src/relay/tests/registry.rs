//! Meets open on first touch, once, and close when nobody needs them.

use std::sync::Arc;
use std::time::Duration;

use crate::meet::id::MeetId;
use crate::relay::live::Fault;

use super::{Disk, PATIENCE, Registry, acked, outcome, registry, send, spec};

/// A store that holds a meet with one update; nobody has opened it.
async fn one_stored_meet(disk: &Disk) -> MeetId {
    let live = registry(disk).create(spec()).await.unwrap();
    acked(outcome(send(&live, 1).await).await);
    live.id
}

#[tokio::test]
async fn a_whole_hall_that_comes_at_once_opens_a_meet_once() {
    let disk = Disk::default();
    let id = one_stored_meet(&disk).await;
    let registry = registry(&disk);
    disk.hold();
    let opening: Vec<_> = (0..50)
        .map(|_| {
            let registry = Arc::clone(&registry);
            tokio::spawn(async move { registry.open(id).await.unwrap().unwrap() })
        })
        .collect();
    tokio::task::yield_now().await;
    disk.arrived(2).await;
    disk.release();
    let mut opened = Vec::new();
    for opening in opening {
        opened.push(opening.await.unwrap());
    }
    assert_eq!(disk.opens(), 1);
    assert!(opened.iter().all(|live| Arc::ptr_eq(live, &opened[0])), "two writers on one log would tear it");
}

/// The first of two opens fails; the second one must not end up beside what the third makes.
#[tokio::test]
async fn a_failed_open_leaves_no_second_writer_behind() {
    let disk = Disk::default();
    let id = one_stored_meet(&disk).await;
    let registry = registry(&disk);
    disk.fail_opens(1);
    disk.hold();
    let open = || {
        let registry = Arc::clone(&registry);
        tokio::spawn(async move { registry.open(id).await })
    };
    let (first, second) = (open(), open());
    disk.arrived(2).await;
    disk.release();
    assert_eq!(first.await.unwrap().err(), Some(Fault::StorageFailed));
    let second = second.await.unwrap().unwrap().unwrap();
    let third = registry.open(id).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&second, &third), "two writers on one log would tear it");
    assert_eq!(disk.opens(), 2);
}

/// What the first reading does about a torn tail would cut what the second one has appended meanwhile.
#[tokio::test]
async fn a_reading_that_was_given_up_ends_before_the_next_begins() {
    let disk = Disk::default();
    let id = one_stored_meet(&disk).await;
    let registry = registry(&disk);
    let open = || {
        let registry = Arc::clone(&registry);
        tokio::spawn(async move { registry.open(id).await })
    };
    disk.hold();
    let given_up = open();
    disk.arrived(2).await;
    given_up.abort();
    assert!(given_up.await.is_err());
    let second = open();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(disk.opens(), 1);
    disk.release();
    assert_eq!(second.await.unwrap().unwrap().unwrap().committed.head(), 1);
}

#[tokio::test]
async fn ids_that_do_not_exist_cost_nothing() {
    let disk = Disk::default();
    let registry = registry(&disk);
    for id in 0..100 {
        assert!(registry.open(MeetId::from_random(id)).await.unwrap().is_none());
    }
    assert_eq!(registry.open_meets(), 0);
    disk.hold();
    let given_up = tokio::spawn({
        let registry = Arc::clone(&registry);
        async move { registry.open(MeetId::from_random(7)).await }
    });
    disk.arrived(101).await;
    given_up.abort();
    assert!(given_up.await.is_err());
    disk.release();
    all_close(&registry).await;
}

#[tokio::test]
async fn idle_meets_close_and_open_again_as_they_were() {
    let disk = Disk::default();
    let registry = registry(&disk);
    let live = registry.create(spec()).await.unwrap();
    let id = live.id;
    acked(outcome(send(&live, 1).await).await);
    registry.close_idle_now(Duration::ZERO);
    assert_eq!(registry.open_meets(), 1, "somebody holds it");
    drop(live);
    registry.close_idle_now(Duration::from_secs(600));
    assert_eq!(registry.open_meets(), 1, "it was touched a moment ago");
    registry.close_idle_now(Duration::ZERO);
    assert_eq!((registry.open_meets(), disk.opens()), (0, 0));
    let live = registry.open(id).await.unwrap().unwrap();
    assert_eq!((live.committed.head(), disk.opens()), (1, 1));
    assert_eq!(acked(outcome(send(&live, 1).await).await), (1, true));
    assert_eq!(acked(outcome(send(&live, 2).await).await), (2, false));
}

/// A push whose sender went away is still being written: opening the meet again now would cut it as a torn tail.
#[tokio::test]
async fn a_meet_does_not_close_under_its_writer() {
    let disk = Disk::default();
    let registry = registry(&disk);
    let live = registry.create(spec()).await.unwrap();
    let id = live.id;
    disk.hold();
    let pushing = send(&live, 1).await;
    disk.arrived(1).await;
    pushing.abort();
    assert!(pushing.await.is_err());
    drop(live);
    registry.close_idle_now(Duration::ZERO);
    assert_eq!(registry.open_meets(), 1);
    disk.release();
    all_close(&registry).await;
    assert_eq!(registry.open(id).await.unwrap().unwrap().committed.head(), 1);
}

async fn all_close(registry: &Registry) {
    let closed = async {
        while registry.open_meets() > 0 {
            registry.close_idle_now(Duration::ZERO);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("a meet stays open that nobody uses");
}

#[tokio::test]
async fn a_removed_meet_ends_for_its_readers_and_is_gone() {
    let disk = Disk::default();
    let registry = registry(&disk);
    let live = registry.create(spec()).await.unwrap();
    registry.remove(live.id).await.unwrap();
    assert!(live.ended.is_cancelled());
    assert!(registry.open(live.id).await.unwrap().is_none());
    assert_eq!(registry.open_meets(), 0);
}

#[tokio::test]
async fn a_log_under_another_id_or_of_another_key_is_not_opened() {
    let disk = Disk::default();
    let id = one_stored_meet(&disk).await;
    let other = registry(&disk).create(spec()).await.unwrap().id;
    disk.memory.set_log(other, disk.memory.log(id));
    assert_eq!(registry(&disk).open(other).await.err(), Some(Fault::StorageFailed));
    let foreign = Registry::new(Arc::new(disk.clone()), super::ServerKey::new([8; 32]), super::Clock::default());
    assert_eq!(foreign.open(id).await.err(), Some(Fault::StorageFailed));
    assert!(registry(&disk).open(id).await.unwrap().is_some());
}
