//! A meet that comes back from its clients, on a disk that fails.

use std::sync::Arc;

use tokio::time::Instant;

use crate::auth::roster::Holder;
use crate::auth::ticket::Ticket;
use crate::meet::id::MeetId;
use crate::meet::limits::{RECOVERY_WAIT, RENEW_EVERY, UPLOADS_MAX};
use crate::meet::restore::Handed;
use crate::meet::update::Writer;
use crate::relay::live::{Fault, LiveMeet};
use crate::relay::orders::Restoration;
use crate::relay::recovery::Recovered;
use crate::store::memory::Fault as DiskFault;
use crate::wire::audience::Audience;
use crate::wire::message::Status;

use super::{Disk, Registry, acked, outcome, registry, send, spec, state};

const TAKEN: Result<Restoration, Fault> = Ok(Restoration::Taken { forked: false });

fn desk() -> Writer {
    Writer { location_name: "desk".into(), client_id: "laptop".into() }
}

/// A meet of three updates, the desk's ticket, and its log in one page.
async fn lost() -> (MeetId, Ticket, Handed) {
    let registry = registry(&Disk::default());
    let live = registry.create(spec()).await.unwrap();
    let id = live.id;
    live.edit_roster(move |roster| roster.join(id, desk(), live_now()).map(drop)).await.unwrap().unwrap();
    for number in 1..=3 {
        acked(outcome(send(&live, number).await).await);
    }
    let (text, _) = live.ticket(&Holder::Editor { writer: desk(), priority: 10, slot: 0 }).unwrap();
    let page = live.committed.page(0, 100, &Audience::Editor);
    let entries = page.updates_relayed.entries.iter().map(|entry| entry.fields.clone()).collect();
    (id, registry.ticket(&text).unwrap(), Handed { entries, place: 3, chain: page.position.chain.unwrap(), more: false })
}

fn live_now() -> crate::meet::time::Timestamp {
    super::Clock::default().now()
}

async fn recovered(registry: &Registry, id: MeetId, ticket: &Ticket, page: &Handed) -> Arc<LiveMeet> {
    match registry.recover(id, ticket, page).await.unwrap() {
        Recovered::Meet(live) => live,
        _ => panic!("the ticket opens nothing"),
    }
}

async fn until_live(live: &LiveMeet) {
    while live.committed.status() != Status::Live {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_written_down_comes_later() {
    let (id, ticket, page) = lost().await;
    let disk = Disk::default();
    let live = recovered(&registry(&disk), id, &ticket, &page).await;
    disk.memory.fail_documents(true);
    assert_eq!(live.restore(desk(), page).await, TAKEN);
    assert_eq!((live.committed.status(), live.committed.head()), (Status::Recovering, 3));
    assert!(matches!(outcome(send(&live, 4).await).await, Err(Fault::Recovering)));
    disk.memory.fail_documents(false);
    let start = Instant::now();
    until_live(&live).await;
    assert!(start.elapsed() <= RENEW_EVERY * 2);
    assert_eq!(acked(outcome(send(&live, 4).await).await), (4, false));
    let again = registry(&disk).open(id).await.unwrap().unwrap();
    assert_eq!((again.committed.status(), state(&again)), (Status::Live, state(&live)));
}

#[tokio::test(start_paused = true)]
async fn an_empty_meet_waits_until_somebody_has_brought_something() {
    let (id, ticket, page) = lost().await;
    let disk = Disk::default();
    let live = recovered(&registry(&disk), id, &ticket, &page).await;
    disk.memory.fail_next_append(DiskFault::Write);
    assert_eq!(live.restore(desk(), page.clone()).await, Err(Fault::StorageFailed));
    tokio::time::sleep(RECOVERY_WAIT * 5).await;
    assert_eq!((live.committed.status(), live.committed.head(), live.has_failed()), (Status::Recovering, 0, false));
    let restarted = registry(&disk).open(id).await.unwrap().unwrap();
    tokio::time::sleep(RECOVERY_WAIT * 5).await;
    assert_eq!(restarted.committed.status(), Status::Recovering);
    assert_eq!(restarted.restore(desk(), page).await, TAKEN);
    assert_eq!((restarted.committed.status(), restarted.committed.head()), (Status::Live, 3), "the only location has answered");
}

#[tokio::test(start_paused = true)]
async fn what_was_brought_before_a_restart_is_enough_in_the_end() {
    let (id, ticket, page) = lost().await;
    let disk = Disk::default();
    let live = recovered(&registry(&disk), id, &ticket, &page).await;
    assert_eq!(live.restore(desk(), Handed { more: true, ..page }).await, TAKEN);
    let restarted = registry(&disk).open(id).await.unwrap().unwrap();
    assert_eq!((restarted.committed.status(), restarted.committed.head()), (Status::Recovering, 2));
    let start = Instant::now();
    until_live(&restarted).await;
    assert!(start.elapsed() >= RECOVERY_WAIT - std::time::Duration::from_millis(20), "{:?}", start.elapsed());
}

/// Of too many clients in the middle of their logs the one that was silent longest starts again.
#[tokio::test(start_paused = true)]
async fn no_more_clients_are_remembered_than_there_is_room_for() {
    let (id, ticket, page) = lost().await;
    let disk = Disk::default();
    let live = recovered(&registry(&disk), id, &ticket, &page).await;
    let client = |n: usize| Writer { location_name: "desk".into(), client_id: format!("laptop {n}").into() };
    let held = Handed { more: true, ..page.clone() };
    for n in 0..=UPLOADS_MAX {
        assert_eq!(live.restore(client(n), held.clone()).await, TAKEN);
    }
    let rest = Handed { entries: Vec::new(), ..page.clone() };
    assert_eq!(live.committed.head(), 2, "the last commit waits for its end");
    assert_eq!(live.restore(client(0), rest.clone()).await, Ok(Restoration::Apart));
    assert_eq!(live.restore(client(1), rest).await, TAKEN);
    assert_eq!(live.committed.head(), 3);
    assert_eq!(live.restore(client(0), page).await, TAKEN);
}
