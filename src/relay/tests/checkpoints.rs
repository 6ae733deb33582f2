//! A meet that comes back from its checkpoint is the meet that its log tells, or it is opened by its log.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::meet::chain::{Cursor, ServerKey};
use crate::meet::id::MeetId;
use crate::meet::limits::{CHECKPOINT_MIN_ENTRIES, CHECKPOINT_TAIL_BYTES, PAGE_DEFAULT_ENTRIES};
use crate::meet::settings::TieBreak;
use crate::meet::update::{Batch, Mode, Op, Proposal, Writer};
use crate::relay::checkpoint::document;
use crate::relay::replay::replay_log;
use crate::relay::resuming::resume;
use crate::store::scan::{StoredRecord, scan};
use crate::store::tests::dice::Dice;
use crate::store::{Document, Stage, Store};
use crate::wire::audience::Audience;
use crate::wire::message::Message;

use super::{Clock, Disk, Fault, LiveMeet, PATIENCE, Registry, acked, batch, outcome, registry, send, spec, state};

const KEYS: &[&str] = &["a", "a.b", "a.b.c", "a.b[\"x y\"]", "a.d", "e[1]", "e[1].age", "e[1].squatKg[0]", "e[2]", "f"];
const VALUES: &[&str] = &["1", "2", "\"ü\"", "{}", "{\"b\":{\"c\":5}}", "[1,2]", "null", "{\"name\":\"Erin\",\"age\":33}"];
const CLIENTS: &[(&str, i64)] = &[("desk", 10), ("platform", 20), ("director", 20)];

fn key() -> ServerKey {
    ServerKey::new([7; 32])
}

/// Something that some client might send: whatever it had seen, new or sent before, together or by itself.
fn anything(dice: &mut Dice, head: u64) -> Batch {
    let (name, priority) = CLIENTS[dice.below(3) as usize];
    let update = |dice: &mut Dice| {
        let op = [Op::Set, Op::Set, Op::Set, Op::Create, Op::Remove][dice.below(5) as usize];
        let value = RawValue::from_string(VALUES[dice.below(VALUES.len() as u64) as usize].to_owned()).unwrap();
        let after = Cursor { seq: head.saturating_sub(dice.below(6)), tag: None };
        let number = Some(dice.below(200)).filter(|_| dice.below(4) > 0);
        let value = (op != Op::Remove).then_some(&*value);
        Proposal::read(KEYS[dice.below(KEYS.len() as u64) as usize], value, op, number, Some(after))
    };
    Batch {
        writer: Writer { location_name: name.into(), client_id: "laptop".into() },
        priority,
        updates: (0..1 + dice.below(3)).map(|_| update(dice)).collect(),
        mode: if dice.below(3) == 0 { Mode::Atomic } else { Mode::Each },
        if_head: None,
        after: None,
    }
}

/// Leaves the checkpoint that a meet of this log would leave, however short that is.
fn leave_checkpoint(disk: &Disk, id: MeetId) -> Vec<u8> {
    let scan = scan(&disk.memory.log(id)).unwrap();
    let end = scan.end.end();
    let replayed = replay_log(id, scan, None, &key(), TieBreak::default());
    let document = document(id, &replayed.meet, end, &key()).unwrap();
    disk.memory.set_document(id, Document::Checkpoint, Some(&document));
    document
}

fn is_resumed(disk: &Disk, id: MeetId) -> bool {
    resume(id, &(Arc::new(disk.clone()) as _), &key(), &Clock::default()).is_some()
}

/// Everything that readers are told.
fn told(live: &LiveMeet) -> Vec<String> {
    let head = live.committed.head();
    let mut told = Vec::new();
    for audience in [Audience::Editor, live.committed.viewers()] {
        let (text, position) = live.committed.state(&audience);
        told.push(format!("{} {} {}", text.text, text.hash, position.cursor));
        told.extend((0..=head).map(|after| Message::UpdateRelay(live.committed.page(after, 3, &audience)).to_json()));
    }
    told
}

/// The same as far as a reader is told who was away for a moment.
fn told_at_the_end(live: &LiveMeet) -> Vec<String> {
    let head = live.committed.head();
    let first = (0..=head).find(|after| live.committed.has_from(*after)).unwrap();
    (first..=head).map(|after| Message::UpdateRelay(live.committed.page(after, 3, &Audience::Editor)).to_json()).collect()
}

/// A stored meet that many clients have written to for a while.
async fn a_busy_meet(disk: &Disk, dice: &mut Dice, batches: u64) -> MeetId {
    let live = registry(disk).create(spec()).await.unwrap();
    for _ in 0..batches {
        live.push(anything(dice, live.committed.head())).await.unwrap();
    }
    live.id
}

/// A stored meet that is long enough for a checkpoint, and is closed.
async fn a_long_meet(disk: &Disk) -> MeetId {
    let registry = registry(disk);
    let live = registry.create(spec()).await.unwrap();
    for first in (0..CHECKPOINT_MIN_ENTRIES + 200).step_by(100) {
        let mut hundred = batch("k", 0, 0);
        hundred.updates = (first..first + 100).flat_map(|n| batch(&format!("k[{}]", n % 50), n, n).updates).collect();
        live.push(hundred).await.unwrap();
    }
    registry.rest().await;
    live.id
}

fn checkpoint(disk: &Disk, id: MeetId) -> Option<Vec<u8>> {
    disk.load(id, Document::Checkpoint).unwrap()
}

#[tokio::test]
async fn a_meet_is_the_same_from_its_checkpoint_as_from_its_log() {
    for seed in 0..40 {
        let (disk, mut dice) = (Disk::default(), Dice(seed));
        let id = a_busy_meet(&disk, &mut dice, 10 + 6 * seed).await;
        let log = disk.memory.log(id);
        let head = scan(&log).unwrap().records.iter().rev().find_map(StoredRecord::seq).unwrap_or(0);
        let mut runs = Vec::new();
        for resumes in [true, false] {
            disk.memory.set_log(id, log.clone());
            disk.memory.set_document(id, Document::Checkpoint, None);
            if resumes {
                leave_checkpoint(&disk, id);
            }
            assert_eq!(is_resumed(&disk, id), resumes, "seed {seed}");
            let live = timeless(&disk).open(id).await.unwrap().unwrap();
            let (state, end) = (state(&live), told_at_the_end(&live));
            live.reach(0).await.unwrap();
            let all = told(&live);
            assert!(end.iter().all(|page| all.contains(page)), "seed {seed}");
            let mut answers = Vec::new();
            let mut later = Dice(!seed);
            for _ in 0..40 {
                answers.push(format!("{:?}", live.push(anything(&mut later, head)).await));
            }
            runs.push((state, all, answers, told(&live), disk.memory.log(id)));
        }
        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
}

/// A server for which time stands still at the end of what a timestamp can tell, so that two of them write the same.
fn timeless(disk: &Disk) -> Registry {
    let clock = Clock::default();
    clock.set_ahead(i64::MAX);
    Registry::new(Arc::new(disk.clone()), key(), clock)
}

#[tokio::test]
async fn readers_at_the_head_do_not_wait_for_the_log_and_everybody_else_does() {
    let disk = Disk::default();
    let id = a_long_meet(&disk).await;
    let (registry, head) = (registry(&disk), CHECKPOINT_MIN_ENTRIES + 200);
    disk.hold();
    let live = tokio::time::timeout(PATIENCE, registry.open(id)).await.expect("it waits for its log").unwrap().unwrap();
    assert_eq!((live.committed.head(), live.committed.is_whole()), (head, false));
    assert!(state(&live).contains(&format!(":{}", head - 1)));
    live.reach(head).await.unwrap();
    tokio::time::timeout(PATIENCE / 4, live.reach(head - 110)).await.expect("it is there").unwrap();
    let page = live.committed.page(head - 110, PAGE_DEFAULT_ENTRIES, &Audience::Editor);
    assert_eq!((page.updates_relayed.entries.len(), page.position.server_seq_num), (110, head));
    assert!(tokio::time::timeout(Duration::from_millis(50), live.reach(0)).await.is_err(), "the first entries are on the disk");
    let pushing = send(&live, 9_999).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!pushing.is_finished(), "nothing is appended to a log that nobody has read");
    disk.release();
    assert_eq!(acked(outcome(pushing).await), (head + 1, false));
    live.reach(0).await.unwrap();
    assert_eq!(live.committed.page(0, 1, &Audience::Editor).updates_relayed.entries.len(), 100, "a page never splits a commit");
    assert_eq!(acked(live.push(batch("k[7]", 7, 7)).await), (8, true), "a resend is known");
}

#[tokio::test]
async fn a_checkpoint_with_any_bit_changed_or_byte_missing_is_none() {
    let disk = Disk::default();
    let id = a_busy_meet(&disk, &mut Dice(1), 20).await;
    let whole = leave_checkpoint(&disk, id);
    assert!(is_resumed(&disk, id));
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            disk.memory.set_document(id, Document::Checkpoint, Some(&changed));
            assert!(!is_resumed(&disk, id), "bit {bit} of byte {at}");
        }
        let without = [&whole[..at], &whole[at + 1..]].concat();
        for changed in [&whole[..at], &whole[at + 1..], &without, &[&whole[..], b"\n"].concat()] {
            disk.memory.set_document(id, Document::Checkpoint, Some(changed));
            assert!(!is_resumed(&disk, id), "cut at byte {at}");
        }
    }
}

#[tokio::test]
async fn a_checkpoint_is_nothing_for_another_log_meet_or_key() {
    let disk = Disk::default();
    let id = a_busy_meet(&disk, &mut Dice(2), 30).await;
    let (old, short) = (leave_checkpoint(&disk, id), disk.memory.log(id));
    let live = registry(&disk).open(id).await.unwrap().unwrap();
    live.push(batch("more", 1, 1_000)).await.unwrap();
    let long = disk.memory.log(id);
    assert!(!is_resumed(&disk, id), "an old checkpoint of a log that has grown");
    leave_checkpoint(&disk, id);
    disk.memory.set_log(id, short.clone());
    assert!(!is_resumed(&disk, id), "a log that has become shorter");
    disk.memory.set_document(id, Document::Checkpoint, Some(&old));
    assert!(is_resumed(&disk, id));
    assert!(resume(id, &(Arc::new(disk.clone()) as _), &ServerKey::new([8; 32]), &Clock::default()).is_none(), "another key");

    let other = a_busy_meet(&disk, &mut Dice(2), 30).await;
    disk.memory.set_document(other, Document::Checkpoint, Some(&old));
    disk.memory.set_log(other, short);
    assert!(!is_resumed(&disk, other), "another meet");
    drop((live, long));
}

/// Each bit of its log, whether or not it is read with the checkpoint.
#[tokio::test]
async fn a_changed_log_is_found_whatever_its_checkpoint_says() {
    let disk = Disk::default();
    let id = a_busy_meet(&disk, &mut Dice(3), 8).await;
    let log = disk.memory.log(id);
    for at in (0..log.len() - 1).step_by(3) {
        let mut changed = log.clone();
        changed[at] ^= 1 << (at % 7);
        let mut seen = Vec::new();
        for resumes in [true, false] {
            disk.memory.set_log(id, log.clone());
            leave_checkpoint(&disk, id);
            disk.memory.set_document(id, Document::Checkpoint, checkpoint(&disk, id).filter(|_| resumes).as_deref());
            disk.memory.set_log(id, changed.clone());
            let registry = registry(&disk);
            let survey = registry.look_at_all().await;
            let live = registry.open(id).await.unwrap();
            let live = live.unwrap();
            live.reach(0).await.unwrap();
            seen.push((survey.unsound, live.needed(), live.committed.head(), state(&live), disk.memory.log(id)));
        }
        assert_eq!(seen[0], seen[1], "byte {at}");
    }
}

#[tokio::test]
async fn a_log_that_is_damaged_where_nobody_looks_first_closes_its_meet() {
    let disk = Disk::default();
    let id = a_long_meet(&disk).await;
    let mut log = disk.memory.log(id);
    assert!(log.len() as u64 > CHECKPOINT_TAIL_BYTES + 20_000, "{}", log.len());
    log[10_000] ^= 1;
    disk.memory.set_log(id, log.clone());
    let registry = registry(&disk);
    disk.hold();
    let live = registry.open(id).await.unwrap().unwrap();
    assert_eq!(live.committed.head(), CHECKPOINT_MIN_ENTRIES + 200);
    let pushing = send(&live, 9_999).await;
    disk.release();
    assert_eq!(outcome(pushing).await.err(), Some(Fault::Recovering), "it is to come again");
    assert_eq!(live.reach(0).await, Err(Fault::Recovering));
    live.ended.cancelled().await;
    assert!(live.is_opened_again());
    let again = registry.open(id).await.unwrap().unwrap();
    assert!(!Arc::ptr_eq(&live, &again) && again.committed.is_whole());
    assert_eq!((again.committed.head(), again.needed()), (0, Some(CHECKPOINT_MIN_ENTRIES + 200)), "the first commit is damaged");
    assert_eq!(outcome(send(&again, 9_999).await).await.err(), Some(Fault::StorageFailed));
    assert_eq!((registry.overview().damaged, checkpoint(&disk, id), disk.memory.log(id)), (1, None, log));
    drop((live, again));
    registry.rest().await;
    assert_eq!(checkpoint(&disk, id), None, "a damaged log leaves none");
}

#[tokio::test]
async fn a_meet_leaves_one_checkpoint_for_what_it_has_become() {
    let disk = Disk::default();
    let id = a_long_meet(&disk).await;
    let first = checkpoint(&disk, id).expect("it was closed");
    let registry = registry(&disk);
    let live = registry.open(id).await.unwrap().unwrap();
    live.reach(0).await.unwrap();
    disk.memory.set_document(id, Document::Checkpoint, None);
    registry.rest().await;
    assert_eq!(checkpoint(&disk, id), None, "nothing new has happened, so nothing is written");
    live.push(batch("more", 1, 9_999)).await.unwrap();
    registry.rest().await;
    let second = checkpoint(&disk, id).unwrap();
    assert!(second != first && is_resumed(&disk, id));
    // Closing it does the same as stopping.
    live.push(batch("more", 2, 10_000)).await.unwrap();
    drop(live);
    registry.close_idle_now(Duration::ZERO);
    let started = std::time::Instant::now();
    while !is_resumed(&disk, id) {
        assert!(started.elapsed() < PATIENCE, "it is not left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_short_meet_leaves_none_and_a_disk_that_fails_holds_nothing_up() {
    let disk = Disk::default();
    let open = registry(&disk);
    let live = open.create(spec()).await.unwrap();
    live.push(batch("a", 1, 1)).await.unwrap();
    open.rest().await;
    assert_eq!(checkpoint(&disk, live.id), None);

    let id = a_long_meet(&disk).await;
    let again = registry(&disk);
    let live = again.open(id).await.unwrap().unwrap();
    assert_eq!(acked(live.push(batch("more", 1, 9_999)).await).0, CHECKPOINT_MIN_ENTRIES + 201);
    disk.memory.fail_documents(true);
    tokio::time::timeout(PATIENCE, again.rest()).await.expect("it is held up");
    assert_eq!(acked(live.push(batch("more", 2, 10_000)).await).0, CHECKPOINT_MIN_ENTRIES + 202, "the meet goes on");
    drop((live, again));
    let live = registry(&disk).open(id).await.unwrap().unwrap();
    assert_eq!((live.committed.is_whole(), live.committed.head()), (true, CHECKPOINT_MIN_ENTRIES + 202), "the old one is nothing");
}

#[tokio::test]
async fn a_finished_meet_comes_back_finished_and_grows_no_younger() {
    let disk = Disk::default();
    let id = a_long_meet(&disk).await;
    let open = registry(&disk);
    let live = open.open(id).await.unwrap().unwrap();
    let finished_at = live.finish(Writer { location_name: "desk".into(), client_id: "laptop".into() }).await.unwrap();
    open.rest().await;
    drop((live, open));
    assert!(is_resumed(&disk, id));
    let live = registry(&disk).open(id).await.unwrap().unwrap();
    assert_eq!(live.committed.finished_at(), Some(finished_at));
    let known = live.push(batch("k[7]", 7, 7)).await;
    assert_eq!(acked(known), (8, true));
    assert!(matches!(live.push(batch("k", 1, 9_999)).await, Ok(crate::meet::outcome::Decision::Finished { .. })));
    assert_eq!(disk.meets(Stage::Finished).unwrap(), [id]);

    // Moved by hand: the age of its folder counts.
    disk.memory.set_document(id, Document::Checkpoint, None);
    disk.memory.set_document(id, Document::Finish, None);
    let open = registry(&disk);
    let live = open.open(id).await.unwrap().unwrap();
    open.rest().await;
    assert_eq!(checkpoint(&disk, id), None);
    drop(live);
}
