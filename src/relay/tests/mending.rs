//! Damaged logs, and clients that have what is missing.

use std::sync::Arc;

use crate::meet::restore::Handed;
use crate::meet::update::Writer;
use crate::relay::live::{Fault, LiveMeet};
use crate::relay::orders::Restoration;
use crate::relay::survey::Survey;
use crate::store::{Document, Store};
use crate::wire::audience::Audience;

use super::{Disk, Registry, acked, outcome, registry, send, spec, state};

const TAKEN: Result<Restoration, Fault> = Ok(Restoration::Taken { forked: false });

fn desk() -> Writer {
    Writer { location_name: "desk".into(), client_id: "laptop".into() }
}

async fn meet_of(registry: &Registry, updates: u64) -> Arc<LiveMeet> {
    let live = registry.create(spec()).await.unwrap();
    for number in 1..=updates {
        acked(outcome(send(&live, number).await).await);
    }
    live
}

/// What a client has that has read numbers `from` to `upto`.
fn page(live: &LiveMeet, from: u64, upto: u64, more: bool) -> Handed {
    let page = live.committed.page(from - 1, usize::try_from(upto - from + 1).unwrap(), &Audience::Editor);
    let entries = page.updates_relayed.entries.iter().map(|entry| entry.fields.clone()).collect();
    Handed { entries, place: upto, chain: page.position.chain.unwrap(), more }
}

/// Changes a byte in the middle of a line, counted from the header's 0.
fn damage(disk: &Disk, live: &LiveMeet, line: usize) -> Vec<u8> {
    let mut log = disk.memory.log(live.id);
    let start = log.split_inclusive(|&byte| byte == b'\n').take(line).map(<[u8]>::len).sum::<usize>();
    log[start + 30] ^= 1;
    disk.memory.set_log(live.id, log.clone());
    log
}

#[tokio::test]
async fn a_damaged_log_is_whole_again_once_clients_have_brought_all_that_it_had() {
    let disk = Disk::default();
    let whole = meet_of(&registry(&disk), 6).await;
    let left = damage(&disk, &whole, 3);
    let again = registry(&disk);
    let live = again.open(whole.id).await.unwrap().unwrap();
    assert_eq!((live.committed.head(), live.needed(), again.overview().damaged), (2, Some(6), 1));
    assert_eq!(live.restore(desk(), page(&whole, 3, 5, true)).await, TAKEN);
    assert_eq!((live.committed.head(), disk.memory.log(live.id)), (2, left.clone()), "a part of it is neither shown nor written");
    assert_eq!(outcome(send(&live, 7).await).await.unwrap_err(), Fault::StorageFailed);
    assert_eq!(live.restore(desk(), page(&whole, 6, 6, false)).await, TAKEN);
    assert_eq!((live.needed(), live.has_failed(), again.overview().damaged), (None, false, 0));
    assert_eq!((state(&live), disk.memory.put_aside(live.id)), (state(&whole), vec![left]));
    assert_eq!(acked(outcome(send(&live, 6).await).await), (6, true));
    assert_eq!(acked(outcome(send(&live, 7).await).await), (7, false));
    let reopened = registry(&disk).open(live.id).await.unwrap().unwrap();
    assert_eq!((state(&reopened), reopened.needed()), (state(&live), None));
}

/// The last line is not known to be durable by any other, but it was acked.
#[tokio::test]
async fn what_can_still_be_read_behind_the_damage_is_needed_too() {
    let disk = Disk::default();
    let whole = meet_of(&registry(&disk), 6).await;
    damage(&disk, &whole, 5);
    let live = registry(&disk).open(whole.id).await.unwrap().unwrap();
    assert_eq!((live.committed.head(), live.needed()), (4, Some(6)));
    assert_eq!(live.restore(desk(), page(&whole, 1, 5, false)).await, TAKEN);
    assert_eq!((live.committed.head(), live.needed()), (4, Some(6)));
}

#[tokio::test]
async fn no_other_history_takes_the_numbers_of_what_is_missing() {
    let disk = Disk::default();
    let first = registry(&disk);
    let whole = meet_of(&first, 3).await;
    let short = disk.memory.log(whole.id);
    acked(outcome(send(&whole, 4).await).await);
    acked(outcome(send(&whole, 5).await).await);
    let other = Disk::default();
    // The same meet as it went on elsewhere.
    let auth = disk.memory.load(whole.id, Document::Auth).unwrap().unwrap();
    let new = crate::store::NewMeet { header: short, auth, sessions: b"{\"version\":1,\"sessions\":[]}".to_vec(), recovery: None };
    drop(other.memory.create(whole.id, &new).unwrap());
    let branch = registry(&other).open(whole.id).await.unwrap().unwrap();
    for number in 7..=12 {
        acked(outcome(send(&branch, number).await).await);
    }
    let left = damage(&disk, &whole, 4);
    let live = registry(&disk).open(whole.id).await.unwrap().unwrap();
    for lacking in 0..2 {
        assert_eq!((live.committed.head(), live.needed()), (3, Some(5)));
        assert_eq!(live.restore(desk(), page(&branch, 4 - lacking, 9, false)).await, Ok(Restoration::Apart));
        assert_eq!(disk.memory.log(live.id), left);
    }
    assert_eq!(live.restore(desk(), page(&whole, 4, 5, false)).await, TAKEN);
    assert_eq!(state(&live), state(&whole));
}

#[tokio::test]
async fn a_log_without_its_first_line_comes_back_whole() {
    let disk = Disk::default();
    let whole = meet_of(&registry(&disk), 3).await;
    let left = damage(&disk, &whole, 0);
    let live = registry(&disk).open(whole.id).await.unwrap().unwrap();
    assert_eq!((live.committed.head(), live.needed()), (0, Some(3)));
    assert_eq!(live.restore(desk(), page(&whole, 1, 3, false)).await, TAKEN);
    assert_eq!((state(&live), disk.memory.put_aside(live.id)), (state(&whole), vec![left]));
    let reopened = registry(&disk).open(live.id).await.unwrap().unwrap();
    assert_eq!((state(&reopened), reopened.needed()), (state(&whole), None));
}

#[tokio::test]
async fn a_finished_meet_is_mended_and_stays_finished() {
    let disk = Disk::default();
    let whole = meet_of(&registry(&disk), 4).await;
    whole.finish(desk()).await.unwrap();
    damage(&disk, &whole, 2);
    let live = registry(&disk).open(whole.id).await.unwrap().unwrap();
    assert_eq!((live.committed.head(), live.needed()), (1, Some(4)));
    assert_eq!(live.restore(desk(), page(&whole, 1, 4, false)).await, TAKEN);
    assert_eq!((state(&live), live.needed()), (state(&whole), None));
    assert!(live.committed.finished_at().is_some());
    assert!(matches!(outcome(send(&live, 9).await).await, Ok(crate::meet::outcome::Decision::Finished { .. })));
}

#[tokio::test]
async fn a_whole_log_that_cannot_be_written_comes_later() {
    let disk = Disk::default();
    let whole = meet_of(&registry(&disk), 3).await;
    let left = damage(&disk, &whole, 2);
    let live = registry(&disk).open(whole.id).await.unwrap().unwrap();
    disk.memory.fail_documents(true);
    assert_eq!(live.restore(desk(), page(&whole, 1, 3, false)).await, Err(Fault::StorageFailed));
    assert_eq!((live.committed.head(), disk.memory.log(live.id)), (1, left));
    disk.memory.fail_documents(false);
    assert_eq!(live.restore(desk(), page(&whole, 1, 3, false)).await, TAKEN);
    assert_eq!(state(&live), state(&whole));
}

/// Named before anybody needs them, and nothing is kept open for it.
#[tokio::test]
async fn a_look_at_all_meets_names_those_that_are_damaged() {
    let disk = Disk::default();
    let (first, mut meets) = (registry(&disk), Vec::new());
    for _ in 0..4 {
        meets.push(meet_of(&first, 3).await);
    }
    damage(&disk, &meets[1], 2);
    disk.memory.set_document(meets[2].id, Document::Auth, Some(b"{"));
    meets[3].finish(desk()).await.unwrap();
    damage(&disk, &meets[3], 2);
    let again = registry(&disk);
    assert_eq!(again.look_at_all().await, Survey { meets: 4, unsound: 3 });
    let overview = again.overview();
    assert_eq!((overview.damaged, overview.open), (3, 0));
    again.remove(meets[3].id).await.unwrap();
    assert_eq!(again.overview().damaged, 2);
}

/// It may come between two pages.
#[tokio::test]
async fn a_look_at_all_meets_leaves_alone_what_a_client_is_bringing() {
    let disk = Disk::default();
    let whole = meet_of(&registry(&disk), 6).await;
    damage(&disk, &whole, 3);
    let again = registry(&disk);
    let live = again.open(whole.id).await.unwrap().unwrap();
    assert_eq!(live.restore(desk(), page(&whole, 3, 5, true)).await, TAKEN);
    drop(live);
    again.look_at_all().await;
    let live = again.open(whole.id).await.unwrap().unwrap();
    assert_eq!(live.restore(desk(), page(&whole, 6, 6, false)).await, TAKEN);
    assert_eq!(state(&live), state(&whole));
}

#[tokio::test]
async fn sessions_that_cannot_be_read_are_put_aside_and_everybody_joins_again() {
    let disk = Disk::default();
    let live = meet_of(&registry(&disk), 1).await;
    let (id, now) = (live.id, live.now());
    let joined = live.edit_roster(move |roster| roster.join(id, desk(), now)).await.unwrap().unwrap();
    disk.memory.set_document(id, Document::Sessions, Some(b"{\"version\":1,"));
    let again = registry(&disk).open(id).await.unwrap().unwrap();
    assert!(again.grant(&joined.token).is_none());
    assert_eq!(disk.memory.put_aside(id), [b"{\"version\":1,".to_vec()]);
    let joined = again.edit_roster(move |roster| roster.join(id, desk(), now)).await.unwrap().unwrap();
    assert!(registry(&disk).open(id).await.unwrap().unwrap().grant(&joined.token).is_some());
}

/// Nothing is wrong with it: an older program was started by mistake.
#[tokio::test]
async fn documents_of_a_later_version_are_left_alone() {
    let disk = Disk::default();
    let live = meet_of(&registry(&disk), 1).await;
    for document in [Document::Sessions, Document::Auth] {
        disk.memory.set_document(live.id, document, Some(b"{\"version\":2}"));
        assert_eq!(registry(&disk).open(live.id).await.err(), Some(Fault::StorageFailed));
        assert_eq!(disk.memory.load(live.id, document).unwrap().unwrap(), b"{\"version\":2}");
    }
}
