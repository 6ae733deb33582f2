//! Every committed update reaches a client once, in order and in time, whatever is in between.

use std::time::{Duration, Instant};

use liftrelay::client::api::{Options, Server, Session};
use liftrelay::client::channel::Transport::{LongPoll, Ndjson, Socket, Sse};
use liftrelay::client::channel::ladder::Ladder;
use liftrelay::client::channel::{Answer, Channel, Fault, Pull, Transport};
use liftrelay::meet::chain::Cursor;
use serde_json::json;
use tokio::time::sleep;

use crate::{Hall, ways};

/// How long an update may take on its way to a client that has only just begun.
const COLD: Duration = Duration::from_secs(3);
/// How long one may take later.
const SETTLED: Duration = Duration::from_secs(1);
/// Longer than every idle limit here, and than a buffer's patience.
const SILENCE: Duration = Duration::from_secs(6);
/// What a client waits before it asks again after a fault, at least.
const AFTER_FAULT: Duration = Duration::from_millis(250);
/// How long all of it may take: a way that is gone for good would be asked for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was committed and when: before, the client had only begun.
struct Written {
    cold: Vec<Instant>,
    settled: Vec<Instant>,
}

/// Commits updates one after the other, and gives the time of each.
async fn write(hall: &Hall, updates: u64, pause: Duration) -> Vec<Instant> {
    let mut committed = Vec::new();
    for lot in 0..updates {
        hall.desk.set("meet.lot", json!(lot)).await;
        committed.push(Instant::now());
        sleep(pause).await;
    }
    committed
}

/// A meet as it goes: at once, then nothing for a while, then much.
async fn write_all(hall: &Hall) -> Written {
    let cold = write(hall, COLD_UPDATES, Duration::from_millis(200)).await;
    sleep(SILENCE).await;
    let mut settled = write(hall, BUSY_UPDATES, Duration::from_millis(150)).await;
    sleep(SILENCE).await;
    settled.extend(write(hall, LAST_UPDATES, Duration::from_millis(700)).await);
    Written { cold, settled }
}

/// What is there before a client begins: more than a buffer holds, so that it lets a stream's HELLO through.
const BACKLOG: u64 = 40;
const COLD_UPDATES: u64 = 10;
const BUSY_UPDATES: u64 = 40;
const LAST_UPDATES: u64 = 6;

/// What reached the client: when each update was there, and what went wrong meanwhile.
#[derive(Default)]
struct Read {
    came: Vec<Instant>,
    faults: Vec<Fault>,
}

async fn read_all(ladder: &Ladder) -> Read {
    let mut read = Read::default();
    let mut after = Cursor::START;
    while after.seq < BACKLOG + COLD_UPDATES + BUSY_UPDATES + LAST_UPDATES {
        match ladder.pull(Pull { after, wait: Duration::from_secs(25), limit: None }).await {
            Ok(Answer::Done(reply)) => {
                let Some(page) = reply.page else { continue };
                // A stream that takes over may begin with what requests have brought already; the cursor tells.
                for entry in page.updates_relayed.iter().filter(|entry| entry.seq() > after.seq) {
                    assert_eq!(entry.seq(), read.came.len() as u64 + 1, "once and in order");
                    read.came.push(Instant::now());
                }
                after = page.cursor;
            }
            Ok(other) => panic!("{other:?}"),
            Err(fault) => {
                read.faults.push(fault);
                sleep(AFTER_FAULT).await;
            }
        }
    }
    read
}

fn session(hall: &Hall) -> Session {
    let options = Options {
        root_certificate: hall.trusted.as_ref().map(|file| std::fs::read(file).unwrap()),
        proxy: hall.forward.as_ref().map(|forward| forward.parse().unwrap()),
    };
    let server = Server::new(hall.url.parse().unwrap(), options).unwrap();
    Session::new(server, hall.desk.meet.parse().unwrap(), hall.desk.token.clone())
}

/// The longest way of these updates.
fn longest(committed: &[Instant], came: &[Instant]) -> Duration {
    let ways = committed.iter().zip(came).map(|(committed, came)| came.saturating_duration_since(*committed));
    ways.max().unwrap_or_default()
}

/// `rungs` are those on which a client may stand in the end.
async fn rides_on(hall: Hall, rungs: &[Transport]) {
    write(&hall, BACKLOG, Duration::ZERO).await;
    let ladder = Ladder::new(session(&hall));
    let all = tokio::time::timeout(PATIENCE, async { tokio::join!(write_all(&hall), read_all(&ladder)) }).await;
    let (written, read) = all.unwrap_or_else(|_| panic!("not all came through: {:?}, {}", ladder.report(), hall.log()));
    let (cold, settled) = read.came[BACKLOG as usize..].split_at(written.cold.len());
    let (cold, settled) = (longest(&written.cold, cold), longest(&written.settled, settled));
    let carried = ladder.link().transport;
    let report = ladder.report();
    println!("{carried:?}, cold {} ms, settled {} ms, faults {:?}, {report:?}", cold.as_millis(), settled.as_millis(), read.faults);
    assert!(cold < COLD, "{cold:?} from cold over {carried:?}: {report:?}, {:?}", read.faults);
    assert!(settled < SETTLED, "{settled:?} once settled over {carried:?}: {report:?}, {:?}", read.faults);
    assert!(rungs.contains(&carried), "{carried:?}: {report:?}");
}

macro_rules! cases {
    ($($name:ident: $hall:expr => $rungs:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            rides_on($hall.await, &$rungs).await;
        })*
    };
}

/// Streams carry, too, from one cut to the next.
const BETWEEN_CUTS: [Transport; 4] = [Socket, Sse, Ndjson, LongPoll];
/// A buffer that overflows lets a stream seem good for a second, in which requests go on beside it.
const ON_TRIAL: [Transport; 3] = [LongPoll, Sse, Ndjson];

cases! {
    nothing: Hall::plain() => [Socket];
    a_black_hole: Hall::behind_a_hole() => [LongPoll];
    nginx_stock: Hall::behind(ways::NGINX_STOCK) => [Sse];
    nginx_with_gzip_that_ignores_hints: Hall::behind(ways::NGINX_GZIP) => ON_TRIAL;
    nginx_tls: Hall::behind(ways::NGINX_TLS) => [Socket];
    nginx_with_an_idle_limit: Hall::behind(ways::NGINX_IDLE) => BETWEEN_CUTS;
    haproxy_stock: Hall::behind(ways::HAPROXY_STOCK) => [Socket];
    haproxy_with_an_idle_limit: Hall::behind(ways::HAPROXY_IDLE) => BETWEEN_CUTS;
    squid: Hall::behind(ways::SQUID) => [Sse];
    tinyproxy: Hall::behind(ways::TINYPROXY) => [Sse];
    privoxy_with_a_filter: Hall::behind(ways::PRIVOXY) => [LongPoll];
    lighttpd: Hall::behind(ways::LIGHTTPD) => [LongPoll];
    apache_as_http_1_0: Hall::behind(ways::APACHE_OLD) => [Sse];
    varnish_without_streaming: Hall::behind(ways::VARNISH) => [LongPoll];
    caddy: Hall::behind(ways::CADDY) => [Socket];
    mitmproxy: Hall::behind(ways::MITMPROXY) => [Socket];
}
