//! One event to many, by streams and by long-polls.

use std::time::Duration;

use super::Measured;
use super::contest::Contest;
use super::crowd::{Crowd, Way};
use super::plan::Plan;
use super::product::Product;
use super::relay::{Relay, Work};
use super::table::Target::AtMost;
use super::table::{Row, Table};

/// Subscribers, and what the server may cost: × the bare loop, × nchan.
const SIZES: [(usize, f64, Option<f64>); 5] =
    [(20, 1.9, None), (100, 1.25, Some(0.65)), (1_000, 1.10, Some(0.55)), (5_000, 1.10, Some(0.55)), (10_000, 1.10, Some(0.55))];
/// Deliveries of a round, so that its processor time is far above what a clock can miss.
const DELIVERIES: usize = 100_000;
/// Fewest pushes of a round, for the latencies.
const PUSHES_MIN: usize = 20;
/// Most pushes of a round: each waits for the disk.
const PUSHES_MAX: usize = 500;
/// The crowd whose latencies have a target.
const HALL: usize = 1_000;
/// The largest crowd.
const STADIUM: usize = 10_000;
/// Pushes of a burst.
const BURST: usize = 20;
/// From one heartbeat of a stream to the next.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub fn streams(plan: &Plan, table: &mut Table) -> Measured<()> {
    for (size, of_bare, of_nchan) in SIZES {
        let mut contest = Contest::open(Way::Stream, size, "")?;
        let work = format!("SSE fan-out, N = {size}, CPU per delivery");
        let seen = contest.rounds(plan, single(plan, size))?;
        table.add(&seen.against_bare(work.clone(), of_bare));
        of_nchan.iter().for_each(|limit| table.add(&seen.against_nchan(work.clone(), *limit)));
        if size == HALL {
            let latency = |name| format!("push → delivered, N = {size}, {name} less one fdatasync");
            table.add(&seen.latency(latency("p50"), 0.5, 0.8));
            table.add(&seen.latency(latency("p99"), 0.99, 0.75));
        }
        let answer = format!("answer to a push while N = {size} are served, p50 above one fdatasync");
        [(HALL, 0.5), (STADIUM, 1.0)]
            .iter()
            .filter(|(at, _)| *at == size)
            .for_each(|(_, limit)| table.add(&seen.answer(answer.clone(), *limit)));
        if size >= HALL {
            table.add(&memory(&contest, size, "", 1.0));
        }
    }
    Ok(())
}

pub fn filtered(plan: &Plan, table: &mut Table) -> Measured<()> {
    let mut contest = Contest::open(Way::Stream, HALL, "&paths=entries")?;
    let seen = contest.rounds(plan, single(plan, HALL))?;
    table.add(&seen.against_bare(format!("filtered SSE, N = {HALL}, CPU per delivery"), 1.4));
    table.add(&memory(&contest, HALL, ", filtered", 7.0));
    Ok(())
}

/// The bare loop speaks no TLS: what is spent on secrecy is in it.
pub fn tls(plan: &Plan, table: &mut Table) -> Measured<()> {
    let mut contest = Contest::of(Product::under_tls(HALL)?, Way::Stream, HALL)?;
    let seen = contest.rounds(plan, single(plan, HALL))?;
    table.add(&seen.against_bare(format!("SSE under TLS, N = {HALL}, CPU per delivery"), 1.4));
    table.add(&memory(&contest, HALL, " under TLS", 7.0));
    Ok(())
}

/// Where each subscriber's connection, of HTTP/2 under TLS, carries its one stream.
pub fn http2(plan: &Plan, table: &mut Table) -> Measured<()> {
    let mut contest = Contest::of(Product::by_http2(HALL)?, Way::Stream, HALL)?;
    let seen = contest.rounds(plan, single(plan, HALL))?;
    table.add(&seen.against_bare(format!("SSE by HTTP/2 under TLS, one stream a connection, N = {HALL}, CPU per delivery"), 1.4));
    table.add(&memory(&contest, HALL, " by HTTP/2 under TLS", 7.0));
    Ok(())
}

pub fn bursts(plan: &Plan, table: &mut Table) -> Measured<()> {
    let mut contest = Contest::open(Way::Stream, HALL, "")?;
    let seen = contest.rounds(plan, Work { bursts: plan.share(10), burst: BURST })?;
    table.add(&seen.against_nchan(format!("bursts of {BURST} pushes, N = {HALL}, CPU per delivered event"), 0.15));
    Ok(())
}

pub fn long_polls(plan: &Plan, table: &mut Table) -> Measured<()> {
    for size in [HALL, 5_000] {
        let mut contest = Contest::open(Way::Poll, size, "")?;
        let seen = contest.rounds(plan, single(plan, size))?;
        table.add(&seen.against_nchan(format!("long-poll release, N = {size}, CPU per answer"), 0.9));
    }
    Ok(())
}

pub fn idle(plan: &Plan, table: &mut Table) -> Measured<()> {
    let server = Product::start(STADIUM, "")?;
    let _crowd = Crowd::open(&server, Way::Stream, STADIUM, 0)?;
    let time = if plan.quick { HEARTBEAT } else { 4 * HEARTBEAT };
    let before = server.process().cpu()?;
    std::thread::sleep(time);
    let percent = (server.process().cpu()? - before).as_secs_f64() / time.as_secs_f64() * 100.0;
    let detail = format!("of a core over {} s, in which each gets a heartbeat every {} s", time.as_secs(), HEARTBEAT.as_secs());
    table.add(&Row::new(format!("{STADIUM} idle subscribers, heartbeats only"), percent, "%", AtMost(1.0), detail));
    Ok(())
}

/// One push after the other, each awaited by everyone.
fn single(plan: &Plan, size: usize) -> Work {
    Work { bursts: (plan.share(DELIVERIES) / size).clamp(plan.share(PUSHES_MIN), plan.share(PUSHES_MAX)), burst: 1 }
}

/// Of a crowd of [`HALL`] and more: with fewer it would be what a start takes.
fn memory(contest: &Contest, size: usize, kind: &str, limit: f64) -> Row {
    let each = contest.product.memory;
    let detail = format!("{:.1} MB in all", each * size as f64 / 1e6);
    Row::new(format!("memory per idle SSE subscriber{kind}, N = {size}"), each / 1024.0, "KB", AtMost(limit), detail)
}
