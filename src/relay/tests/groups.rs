//! Nothing is shown or acked before it is durable, and waiting pushes share an append.

use crate::meet::limits::{GROUP_MAX, MAILBOX};
use crate::relay::live::Fault;
use crate::wire::stream::Format;

use super::{Disk, acked, follower, outcome, registry, send, spec, state};

#[tokio::test]
async fn nobody_sees_an_update_before_it_is_on_the_disk() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let mut reader = follower(&live);
    disk.hold();
    let pushing = send(&live, 1).await;
    disk.arrived(1).await;
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
    disk.hold();
    let mut pushing = vec![send(&live, 1).await];
    disk.arrived(1).await;
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
    disk.hold();
    let mut pushing = vec![send(&live, 1).await];
    disk.arrived(1).await;
    let room = MAILBOX as u64;
    for number in 2..=room + 1 {
        pushing.push(send(&live, number).await);
    }
    let surplus = outcome(send(&live, room + 2).await).await;
    assert_eq!(surplus.unwrap_err(), Fault::Overloaded);
    disk.release();
    for pushing in pushing {
        acked(outcome(pushing).await);
    }
    assert_eq!(live.committed.head(), room + 1);
    assert!(disk.memory.appends() <= 2 + MAILBOX.div_ceil(GROUP_MAX), "{}", disk.memory.appends());
    assert_eq!(acked(outcome(send(&live, room + 2).await).await), (room + 2, false), "the surplus goes through later");
}

#[tokio::test]
async fn a_client_that_went_away_loses_its_answer_and_not_its_update() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    disk.hold();
    let pushing = send(&live, 1).await;
    disk.arrived(1).await;
    pushing.abort();
    disk.release();
    assert_eq!(acked(outcome(send(&live, 1).await).await), (1, true));
}
