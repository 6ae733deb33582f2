//! Nothing is shown or acked before it is durable, and waiting pushes share an append.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::meet::limits::{GROUP_MAX, MAILBOX};
use crate::meet::outcome::Decision;
use crate::relay::live::{Fault, LiveMeet};
use crate::relay::orders::Order;
use crate::wire::stream::Format;

use super::{Disk, acked, follower, outcome, registry, send, spec, state, writer};

/// Sends update 1, and holds it where the disk has it and is not done.
async fn first_at_the_disk(disk: &Disk, live: &Arc<LiveMeet>) -> JoinHandle<Result<Decision, Fault>> {
    disk.hold();
    let first = send(live, 1).await;
    disk.arrived(1).await;
    first
}

#[tokio::test]
async fn nobody_sees_an_update_before_it_is_on_the_disk() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let mut reader = follower(&live);
    let pushing = first_at_the_disk(&disk, &live).await;
    assert_eq!((live.committed.head(), state(&live).as_str()), (0, "{}"));
    assert!(reader.next_event(Format::Sse).is_none() && reader.is_at_head());
    assert!(!pushing.is_finished(), "it was acked before it was durable");
    disk.release();
    assert_eq!(acked(outcome(pushing).await), (1, false));
    assert_eq!((live.committed.head(), state(&live).as_str()), (1, "{\"k1\":1}"));
    assert!(reader.next_event(Format::Sse).is_some());
}

#[tokio::test]
async fn pushes_that_wait_for_the_disk_share_the_next_append() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let mut pushing = vec![first_at_the_disk(&disk, &live).await];
    for number in 2..=100 {
        pushing.push(send(&live, number).await);
    }
    disk.release();
    for (number, pushing) in (1..).zip(pushing) {
        assert_eq!(acked(outcome(pushing).await), (number, false), "they are numbered as they came");
    }
    assert_eq!(disk.memory.appends(), 2, "one for the first, one for all that came meanwhile");
}

#[tokio::test]
async fn a_flood_is_told_at_once_and_what_was_taken_is_carried_out() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let mut pushing = vec![first_at_the_disk(&disk, &live).await];
    // One is at the disk, a group is applied behind it, the rest waits.
    let room = (1 + GROUP_MAX + MAILBOX) as u64;
    for number in 2..=room {
        pushing.push(send(&live, number).await);
    }
    let surplus = outcome(send(&live, room + 1).await).await;
    assert_eq!(surplus.unwrap_err(), Fault::Overloaded);
    disk.release();
    for pushing in pushing {
        acked(outcome(pushing).await);
    }
    assert_eq!(live.committed.head(), room);
    // The disk takes what there is whenever it has time, so only most groups are full.
    assert!(disk.memory.appends() < room as usize / 16, "{}", disk.memory.appends());
    assert_eq!(acked(outcome(send(&live, room + 1).await).await), (room + 1, false), "the surplus goes through later");
}

#[tokio::test]
async fn a_client_that_went_away_loses_its_answer_and_not_its_update() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let pushing = first_at_the_disk(&disk, &live).await;
    pushing.abort();
    disk.release();
    assert_eq!(acked(outcome(send(&live, 1).await).await), (1, true));
}

#[tokio::test]
async fn a_group_is_shown_and_acked_while_the_disk_has_the_next_one() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let first = first_at_the_disk(&disk, &live).await;
    let ahead = [send(&live, 2).await, send(&live, 3).await];
    disk.release_one();
    assert_eq!(acked(outcome(first).await), (1, false));
    disk.arrived(2).await;
    assert_eq!((live.committed.head(), state(&live).as_str()), (1, "{\"k1\":1}"));
    assert!(ahead.iter().all(|pushing| !pushing.is_finished()), "they were acked before they were durable");
    disk.release();
    for (number, pushing) in (2..).zip(ahead) {
        assert_eq!(acked(outcome(pushing).await), (number, false));
    }
    assert_eq!((live.committed.head(), state(&live).as_str()), (3, "{\"k1\":1,\"k2\":2,\"k3\":3}"));
}

#[tokio::test]
async fn a_resend_of_what_is_on_its_way_to_the_disk_is_answered_behind_it() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let first = first_at_the_disk(&disk, &live).await;
    let again = send(&live, 1).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let was_answered = again.is_finished();
    disk.release();
    assert!(!was_answered, "the core knows it, the disk does not");
    assert_eq!((acked(outcome(first).await), acked(outcome(again).await)), ((1, false), (1, true)));
}

#[tokio::test]
async fn orders_that_share_no_append_are_carried_out_in_their_turn() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let mut before = vec![first_at_the_disk(&disk, &live).await];
    before.push(send(&live, 2).await);
    let finishing = {
        let live = Arc::clone(&live);
        tokio::spawn(async move { live.finish(writer()).await })
    };
    tokio::task::yield_now().await;
    let behind = send(&live, 3).await;
    assert!(!finishing.is_finished());
    disk.release();
    for (number, pushing) in (1..).zip(before) {
        assert_eq!(acked(outcome(pushing).await), (number, false), "it came before the end");
    }
    finishing.await.unwrap().unwrap();
    assert!(matches!(outcome(behind).await, Ok(Decision::Finished { .. })));
    assert_eq!(live.committed.head(), 2);
}

#[tokio::test]
async fn a_meet_retires_behind_the_pushes_that_came_before() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let mut before = vec![first_at_the_disk(&disk, &live).await];
    before.push(send(&live, 2).await);
    let (reply, retired) = tokio::sync::oneshot::channel();
    live.order(Order::Retire(reply)).unwrap();
    let behind = send(&live, 3).await;
    disk.release();
    for (number, pushing) in (1..).zip(before) {
        assert_eq!(acked(outcome(pushing).await), (number, false));
    }
    retired.await.unwrap();
    assert_eq!(outcome(behind).await.unwrap_err(), Fault::Recovering);
}
