//! The ladder behind what halls have between a browser and the server.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use liftrelay::client::channel::ladder::Ladder;
use liftrelay::client::channel::{Channel, Fault, Transport};
use liftrelay::meet::chain::Cursor;
use serde_json::json;

use super::channels::{done, follow, pull, session};
use super::hall::{Hall, Manners};
use crate::support::{Client, TestServer};

/// What users wait for at most.
const SETTLED: Duration = Duration::from_secs(1);
const COLD: Duration = Duration::from_secs(3);

/// Follows a meet in which something happens every 100 ms; gives the longest way of an update, and of the first one.
async fn ride(ladder: &Ladder, desk: &Client, updates: u64) -> (Duration, Duration) {
    let writing = async {
        let mut sent = Vec::new();
        for lot in 0..updates {
            sent.push(Instant::now());
            desk.set("lot", json!(lot)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        sent
    };
    let reading = async {
        let (mut after, mut came) = (Cursor::START, Vec::new());
        while after.seq < updates {
            let reply = match ladder.pull(pull(after, 25)).await {
                Err(Fault::Busy { .. } | Fault::Cut(_) | Fault::Unreadable(_)) => continue,
                answer => done(answer),
            };
            let Some(page) = reply.page else { continue };
            for entry in page.updates_relayed.iter().filter(|entry| entry.seq() > after.seq) {
                assert_eq!(entry.seq(), came.len() as u64 + 1, "once and in order");
                came.push(Instant::now());
            }
            after = page.cursor;
        }
        came
    };
    let (sent, came) = tokio::join!(writing, reading);
    let ways: Vec<_> = sent.iter().zip(&came).map(|(sent, came)| came.saturating_duration_since(*sent)).collect();
    (ways[0], ways[1..].iter().max().copied().unwrap_or_default())
}

#[tokio::test]
async fn without_obstacles_it_climbs_to_the_socket_and_loses_nothing_on_the_way() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let ladder = Ladder::new(session(&desk, &server.url));
    assert_eq!(ladder.link().transport, Transport::LongPoll, "requests come first");
    let (first, longest) = ride(&ladder, &desk, 15).await;
    assert!(first < COLD && longest < SETTLED, "{first:?} {longest:?}");
    assert_eq!(ladder.link().transport, Transport::Socket);
}

#[tokio::test]
async fn behind_a_proxy_that_holds_responses_requests_go_on() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let hall = Hall::before(&server.url, Manners::default()).await;
    let ladder = Ladder::new(session(&desk, &hall.url));
    let (first, longest) = ride(&ladder, &desk, 60).await;
    assert!(first < COLD && longest < SETTLED, "{first:?} {longest:?}");
    assert_eq!(ladder.link().transport, Transport::LongPoll);
    let report = ladder.report();
    assert!(report.iter().any(|rung| rung.transport == Transport::Sse && rung.failures > 0 && rung.why.is_some()), "{report:?}");
}

#[tokio::test]
async fn a_black_hole_for_streams_holds_no_update_up() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let hall = Hall::before(&server.url, Manners { swallows_streams: true, ..Manners::default() }).await;
    let ladder = Ladder::new(session(&desk, &hall.url));
    let (first, longest) = ride(&ladder, &desk, 50).await;
    assert!(first < COLD && longest < SETTLED, "{first:?} {longest:?}");
}

#[tokio::test]
async fn where_long_requests_are_cut_it_waits_for_less() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let manners = Manners { gives_up_after: Some(Duration::from_secs(2)), ..Manners::default() };
    let hall = Hall::before(&server.url, manners).await;
    let ladder = Ladder::new(session(&desk, &hall.url));
    // Nothing happens for a while: a cut request is no fault, and after the first the wait fits.
    for _ in 0..4 {
        done(ladder.pull(pull(Cursor::START, 25)).await);
    }
    let (first, longest) = ride(&ladder, &desk, 10).await;
    assert!(first < COLD && longest < SETTLED, "{first:?} {longest:?}");
}

#[tokio::test]
async fn one_page_of_the_proxys_own_ends_nothing() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let hall = Hall::before(&server.url, Manners { refuses_first: 3, ..Manners::default() }).await;
    let ladder = Ladder::new(session(&desk, &hall.url));
    assert!(matches!(ladder.pull(pull(Cursor::START, 1)).await, Err(Fault::Cut(_))));
    ride(&ladder, &desk, 5).await;
    assert!(hall.passed.load(Ordering::SeqCst) > 3);
}

#[tokio::test]
async fn a_server_that_comes_back_is_followed_again() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let ladder = Ladder::new(session(&desk, &server.url));
    desk.set("lot", json!(1)).await;
    let (_, after) = follow(&ladder, Cursor::START, 1).await;
    while ladder.link().transport != Transport::Socket {
        done(ladder.pull(pull(after, 1)).await);
    }
    let url = server.url.clone();
    drop(server);
    let fault = loop {
        match ladder.pull(pull(after, 1)).await {
            Ok(_) => {}
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault, Fault::Busy { .. } | Fault::Cut(_) | Fault::Unreachable(_)), "{fault:?} from {url}");
}
