//! Finishing a meet: behind everything that waits, whole or not at all, and for everyone alike.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::meet::limits::MAILBOX;
use crate::meet::outcome::Decision;
use crate::meet::time::Timestamp;
use crate::meet::update::Writer;
use crate::relay::live::{Fault, LiveMeet};
use crate::store::memory::Fault as DiskFault;
use crate::store::{Document, Stage, Store};
use crate::wire::audience::Audience;
use crate::wire::message::Status;
use crate::wire::stream::Format;

use super::{Disk, PATIENCE, acked, follower, outcome, registry, send, spec, state};

/// Asks for the end. It has reached the mailbox when this returns.
async fn finish(live: &Arc<LiveMeet>) -> JoinHandle<Result<Timestamp, Fault>> {
    let live = Arc::clone(live);
    let director = Writer { location_name: "director".into(), client_id: "laptop".into() };
    let finishing = tokio::spawn(async move { live.finish(director).await });
    tokio::task::yield_now().await;
    finishing
}

async fn finished(finishing: JoinHandle<Result<Timestamp, Fault>>) -> Result<Timestamp, Fault> {
    tokio::time::timeout(PATIENCE, finishing).await.expect("no answer came").unwrap()
}

#[track_caller]
fn is_refused(pushed: &Result<Decision, Fault>) {
    assert!(matches!(pushed, Ok(Decision::Finished { known }) if known.is_empty()), "{pushed:?}");
}

#[tokio::test]
async fn the_end_comes_behind_what_waits_and_before_what_comes_later() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    disk.hold();
    let mut before = vec![send(&live, 1).await];
    disk.arrived(1).await;
    for number in 2..=20 {
        before.push(send(&live, number).await);
    }
    let (end, again) = (finish(&live).await, finish(&live).await);
    let later = send(&live, 21).await;
    assert_eq!(live.committed.status(), Status::Live);
    disk.release();
    for (number, pushing) in (1..).zip(before) {
        assert_eq!(acked(outcome(pushing).await), (number, false));
    }
    let finished_at = finished(end).await.unwrap();
    assert_eq!(finished(again).await, Ok(finished_at), "the first one decides when it was");
    is_refused(&outcome(later).await);
    assert_eq!((live.committed.head(), live.committed.finished_at()), (20, Some(finished_at)));
    assert_eq!(acked(outcome(send(&live, 7).await).await), (7, true), "a resend gets its old answer");
    assert_eq!(finished(finish(&live).await).await, Ok(finished_at));
}

#[tokio::test]
async fn a_finished_meet_opens_as_it_was() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    for number in 1..=3 {
        acked(outcome(send(&live, number).await).await);
    }
    let finished_at = finished(finish(&live).await).await.unwrap();
    let again = registry(&disk).open(live.id).await.unwrap().unwrap();
    assert_eq!((again.committed.finished_at(), again.committed.head(), state(&again)), (Some(finished_at), 3, state(&live)));
    assert!(!again.has_failed());
    assert_eq!(acked(outcome(send(&again, 2).await).await), (2, true));
    is_refused(&outcome(send(&again, 4).await).await);
    assert_eq!(finished(finish(&again).await).await, Ok(finished_at));
    let (id, now) = (again.id, again.now());
    let made = again.edit_roster(move |roster| roster.create_view_key(id, "OBS".to_owned(), None, now)).await;
    let (token, _) = made.unwrap().unwrap();
    assert!(registry(&disk).open(id).await.unwrap().unwrap().grant(&token).is_some(), "view keys are made and kept");
}

#[tokio::test]
async fn whatever_is_read_later_says_that_the_meet_is_finished() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    acked(outcome(send(&live, 1).await).await);
    let text = |format| String::from_utf8(follower(&live).next_event(format).unwrap().to_vec()).unwrap();
    for format in [Format::Sse, Format::Ndjson] {
        assert!(text(format).contains("\"status\":\"live\""));
    }
    finished(finish(&live).await).await.unwrap();
    for format in [Format::Sse, Format::Ndjson] {
        assert!(text(format).contains("\"status\":\"finished\""), "what was encoded before is not sent again");
    }
    assert_eq!(live.committed.page(0, 10, &Audience::Editor).status, Status::Finished);
}

#[tokio::test]
async fn a_disk_that_fails_leaves_the_meet_live() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    disk.memory.fail_documents(true);
    assert_eq!(finished(finish(&live).await).await, Err(Fault::StorageFailed));
    assert_eq!((live.committed.status(), live.has_failed()), (Status::Live, false));
    assert_eq!(acked(outcome(send(&live, 1).await).await), (1, false), "updates go on");
    disk.memory.fail_documents(false);
    assert!(finished(finish(&live).await).await.is_ok());
    is_refused(&outcome(send(&live, 2).await).await);
}

#[tokio::test]
async fn a_meet_whose_log_failed_is_finished_once_the_disk_works_again() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    disk.hold();
    disk.memory.fail_next_append(DiskFault::Write);
    let failing = send(&live, 1).await;
    disk.arrived(1).await;
    let end = finish(&live).await;
    disk.release();
    assert_eq!(outcome(failing).await.unwrap_err(), Fault::StorageFailed);
    assert_eq!(finished(end).await, Err(Fault::StorageFailed));
    while live.has_failed() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(acked(outcome(send(&live, 1).await).await), (1, false));
    assert!(finished(finish(&live).await).await.is_ok());
}

#[tokio::test]
async fn a_caller_that_gives_up_stops_nothing_and_a_flood_is_told() {
    let disk = Disk::default();
    let registry = registry(&disk);
    let live = registry.create(spec()).await.unwrap();
    disk.hold();
    let held = send(&live, 1).await;
    disk.arrived(1).await;
    let given_up = finish(&live).await;
    given_up.abort();
    // The writer takes it in while the disk is busy, and nothing that comes behind it.
    tokio::task::yield_now().await;
    let waiting: Vec<_> = futures_util::future::join_all((2..MAILBOX as u64 + 2).map(|number| send(&live, number))).await;
    assert_eq!(finished(finish(&live).await).await, Err(Fault::Overloaded));
    let id = live.id;
    drop(live);
    registry.close_idle_now(Duration::ZERO);
    assert_eq!(registry.open_meets(), 1, "it does not close under its writer");
    disk.release();
    assert_eq!(acked(outcome(held).await), (1, false));
    for pushing in waiting {
        is_refused(&outcome(pushing).await);
    }
    assert_eq!(registry.open(id).await.unwrap().unwrap().committed.status(), Status::Finished);
}

/// A document that is saved while the folder moves must not be lost, nor fail.
#[tokio::test]
async fn documents_are_changed_before_or_after_the_move() {
    let disk = Disk::default();
    let live = registry(&disk).create(spec()).await.unwrap();
    disk.hold();
    let end = finish(&live).await;
    disk.arrived(1).await;
    let (id, now) = (live.id, live.now());
    let editing = tokio::spawn({
        let live = Arc::clone(&live);
        async move { live.edit_roster(move |roster| roster.create_view_key(id, "OBS".to_owned(), None, now)).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!editing.is_finished());
    disk.release();
    assert!(finished(end).await.is_ok());
    let (token, _) = editing.await.unwrap().unwrap().unwrap();
    assert!(live.grant(&token).is_some());
}

#[tokio::test]
async fn finished_meets_go_when_they_are_old_enough_and_nobody_needs_them() {
    let disk = Disk::default();
    let registry = registry(&disk);
    let (keep, day) = (Duration::from_secs(7 * 86_400), 86_400_000);
    let meets = [registry.create(spec()).await.unwrap(), registry.create(spec()).await.unwrap(), registry.create(spec()).await.unwrap()];
    finished(finish(&meets[0]).await).await.unwrap();
    registry.clock().set_ahead(3 * day);
    finished(finish(&meets[1]).await).await.unwrap();
    assert_eq!(registry.clear_finished(keep, |_| false).await, 0);
    registry.clock().set_ahead(8 * day);
    let first = meets[0].id;
    assert_eq!(registry.clear_finished(keep, |id| id == first).await, 0, "somebody needs it");
    assert!(!meets[0].ended.is_cancelled());
    assert_eq!(registry.clear_finished(keep, |_| false).await, 1);
    assert!(meets[0].ended.is_cancelled() && !meets[1].ended.is_cancelled(), "its readers are told");
    assert!(registry.open(first).await.unwrap().is_none());
    registry.clock().set_ahead(400 * day);
    assert_eq!(registry.clear_finished(keep, |_| false).await, 1);
    assert_eq!(disk.memory.open(meets[2].id).unwrap().unwrap().stage, Stage::Current, "a meet that goes on stays, however old it is");
}

/// A meet that somebody moved by hand has no date but that of its folder.
#[tokio::test]
async fn without_a_readable_date_the_age_of_the_folder_counts() {
    let disk = Disk::default();
    let registry = registry(&disk);
    let live = registry.create(spec()).await.unwrap();
    finished(finish(&live).await).await.unwrap();
    disk.memory.save(live.id, Document::Finish, b"no JSON").unwrap();
    let again = super::registry(&disk).open(live.id).await.unwrap().unwrap();
    let told = again.committed.finished_at().expect("it is finished by where it is");
    assert!(live.now().since(told) < Duration::from_secs(60), "{told}");
    let keep = Duration::from_secs(86_400);
    assert_eq!(registry.clear_finished(keep, |_| false).await, 0);
    registry.clock().set_ahead(2 * 86_400_000);
    assert_eq!(registry.clear_finished(keep, |_| false).await, 1);
}
