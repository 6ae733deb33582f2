//! A disk that fails: nobody is told what may be lost, and nothing is written behind a gap.

use std::sync::Arc;
use std::time::Duration;

use crate::meet::limits::RENEW_EVERY;
use crate::meet::outcome::Decision;
use crate::relay::live::{Fault, LiveMeet};
use crate::relay::registry::Registry;
use crate::store::memory::Fault as DiskFault;
use crate::wire::audience::Audience;
use crate::wire::stream::Format;

use super::{Disk, acked, follower, outcome, registry, send, spec, state};

const FAULTS: [DiskFault; 3] = [DiskFault::Write, DiskFault::ShortWrite, DiskFault::Sync];

/// A meet with two durable updates, then a third on which the disk fails while others wait.
async fn fail_on_the_third(disk: &Disk, registry: &Arc<Registry>, fault: DiskFault) -> Arc<LiveMeet> {
    let live = registry.create(spec()).await.unwrap();
    for number in 1..=2 {
        acked(outcome(send(&live, number).await).await);
    }
    disk.hold();
    disk.memory.fail_next_append(fault);
    let mut pushing = vec![send(&live, 3).await];
    disk.arrived(3).await;
    for number in 4..=20 {
        pushing.push(send(&live, number).await);
    }
    disk.release();
    for pushing in pushing {
        assert_eq!(outcome(pushing).await.unwrap_err(), Fault::StorageFailed, "{fault:?}");
    }
    live
}

#[tokio::test]
async fn everyone_who_waits_is_told_and_nobody_sees_what_failed() {
    for fault in FAULTS {
        let disk = Disk::default();
        let registry = registry(&disk);
        let live = fail_on_the_third(&disk, &registry, fault).await;
        assert!(live.has_failed());
        assert_eq!(state(&live), "{\"k1\":1,\"k2\":2}", "{fault:?}");
        let page = live.committed.page(0, 100, &Audience::Editor);
        assert_eq!((page.updates_relayed.entries.len(), page.position.server_seq_num, page.head_seq_num), (2, 2, 2));
        let mut reader = follower(&live);
        while reader.next_event(Format::Sse).is_some() {}
        assert_eq!(reader.cursor(), 2, "{fault:?}");
    }
}

/// The core had applied the first one and knows the second as its resend: none of that is durable.
#[tokio::test]
async fn what_the_core_knows_of_a_group_that_failed_is_nobodys_answer() {
    for fault in FAULTS {
        let disk = Disk::default();
        let live = registry(&disk).create(spec()).await.unwrap();
        disk.hold();
        disk.memory.fail_next_append(fault);
        let first = send(&live, 1).await;
        disk.arrived(1).await;
        let again = send(&live, 1).await;
        disk.release();
        for pushing in [first, again] {
            assert_eq!(outcome(pushing).await.unwrap_err(), Fault::StorageFailed, "{fault:?}");
        }
        assert_eq!((live.committed.head(), disk.memory.appends()), (0, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn nothing_is_ever_written_behind_a_failure() {
    for fault in FAULTS {
        let disk = Disk::default();
        let registry = registry(&disk);
        let live = fail_on_the_third(&disk, &registry, fault).await;
        let (appends, log) = (disk.memory.appends(), disk.memory.log(live.id));
        assert_eq!(appends, 3, "{fault:?}: the failed append was the last one");
        for number in [3, 1, 21] {
            assert_eq!(outcome(send(&live, number).await).await.unwrap_err(), Fault::StorageFailed, "{fault:?}");
        }
        assert_eq!((disk.memory.appends(), disk.memory.log(live.id)), (appends, log), "{fault:?}");
    }
}

#[tokio::test]
async fn after_reopening_what_was_acked_is_there_and_resends_are_answered() {
    for fault in FAULTS {
        let disk = Disk::default();
        let id = fail_on_the_third(&disk, &registry(&disk), fault).await.id;
        let live = registry(&disk).open(id).await.unwrap().unwrap();
        assert!(!live.has_failed());
        // A failed sync may have kept its update: then it is there for everyone, its sender too.
        let kept = if fault == DiskFault::Sync { 3 } else { 2 };
        assert_eq!(live.committed.head(), kept, "{fault:?}");
        for number in 1..=5 {
            assert_eq!(acked(outcome(send(&live, number).await).await), (number, number <= kept), "{fault:?}");
        }
        assert_eq!(state(&live), "{\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5}", "{fault:?}");
    }
}

/// Waits until the meet takes updates again. The pause between attempts is real.
async fn renewed(live: &LiveMeet) {
    while live.has_failed() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_disk_that_works_again_is_written_again_and_no_number_is_lost_or_doubled() {
    let cases = FAULTS.map(|fault| async move {
        let disk = Disk::default();
        let live = fail_on_the_third(&disk, &registry(&disk), fault).await;
        let mut reader = follower(&live);
        renewed(&live).await;
        // A failed sync may have kept its update: then it is there for everyone, its sender too.
        let kept = if fault == DiskFault::Sync { 3 } else { 2 };
        assert_eq!(live.committed.head(), kept, "{fault:?}");
        for number in 1..=5 {
            assert_eq!(acked(outcome(send(&live, number).await).await), (number, number <= kept), "{fault:?}");
        }
        while reader.next_event(Format::Sse).is_some() {}
        assert_eq!(reader.cursor(), 5, "{fault:?}: who was there follows on");
        let again = registry(&disk).open(live.id).await.unwrap().unwrap();
        assert_eq!((again.committed.head(), state(&again)), (5, state(&live)), "{fault:?}");
        assert!(!again.has_failed(), "{fault:?}");
    });
    let [write, short_write, sync] = cases;
    tokio::join!(write, short_write, sync);
}

#[tokio::test]
async fn a_disk_that_goes_on_failing_is_tried_again_later() {
    let disk = Disk::default();
    let live = fail_on_the_third(&disk, &registry(&disk), DiskFault::Write).await;
    disk.memory.fail_documents(true);
    tokio::time::sleep(RENEW_EVERY + Duration::from_millis(500)).await;
    assert!(live.has_failed());
    assert_eq!(outcome(send(&live, 3).await).await.unwrap_err(), Fault::StorageFailed);
    disk.memory.fail_documents(false);
    renewed(&live).await;
    assert_eq!(acked(outcome(send(&live, 3).await).await), (3, false));
}

#[tokio::test]
async fn other_meets_go_on_where_one_failed() {
    let disk = Disk::default();
    let registry = registry(&disk);
    fail_on_the_third(&disk, &registry, DiskFault::Sync).await;
    let other = registry.create(spec()).await.unwrap();
    assert_eq!(acked(outcome(send(&other, 1).await).await), (1, false));
    assert!(!other.has_failed());
}

#[tokio::test]
async fn a_roster_that_cannot_be_written_does_not_change() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    let (id, now) = (live.id, live.now());
    disk.memory.fail_documents(true);
    let made = live.edit_roster(move |roster| roster.create_view_key(id, "OBS".to_owned(), None, now)).await;
    assert_eq!(made.err(), Some(Fault::StorageFailed));
    assert!(live.roster().auth().view_keys.is_empty());
    disk.memory.fail_documents(false);
    let made = live.edit_roster(move |roster| roster.create_view_key(id, "OBS".to_owned(), None, now)).await;
    let (token, _) = made.unwrap().unwrap();
    assert!(live.grant(&token).is_some());
}

#[tokio::test]
async fn nobody_is_told_of_what_is_not_durable_yet() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    disk.hold();
    let pushing = send(&live, 1).await;
    disk.arrived(1).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let (was_answered, shown) = (pushing.is_finished(), live.committed.head());
    disk.release();
    assert!(!was_answered);
    assert_eq!(shown, 0);
    assert_eq!((acked(outcome(pushing).await), live.committed.head()), ((1, false), 1));
}

/// What a damaged log still tells is told; the rest is nobody's to write.
#[tokio::test]
async fn a_damaged_meet_reads_up_to_the_last_good_number_and_takes_nothing() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    for number in 1..=5 {
        acked(outcome(send(&live, number).await).await);
    }
    let mut log = disk.memory.log(live.id);
    let third = log.split_inclusive(|&byte| byte == b'\n').take(3).map(<[u8]>::len).sum::<usize>();
    log[third + 100] ^= 1;
    disk.memory.set_log(live.id, log.clone());
    let damaged = registry(&disk).open(live.id).await.unwrap().unwrap();
    assert!(damaged.has_failed());
    assert_eq!(state(&damaged), "{\"k1\":1,\"k2\":2}");
    let refused: Result<Decision, Fault> = outcome(send(&damaged, 6).await).await;
    assert_eq!(refused.unwrap_err(), Fault::StorageFailed);
    assert_eq!(disk.memory.log(live.id), log, "it is left as it was found");
}
