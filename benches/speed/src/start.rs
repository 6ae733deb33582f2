//! Starts: with many meets on the disk, and with a long log.

use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Measured;
use super::http::{Http, get};
use super::plan::Plan;
use super::process::Process;
use super::product::{folder, serve};
use super::seed::{self, Meeting};
use super::table::Target::AtMost;
use super::table::{Row, Table, median};

const MEETS: u64 = 10_000;
const ENTRIES: u64 = 20;
const VALUE: usize = 10;
/// How long a server may look at what it has before its memory counts.
const LOOKING: Duration = Duration::from_secs(120);

pub fn many_meets(plan: &Plan, table: &mut Table) -> Measured<()> {
    let (empty, full) = (folder()?, folder()?);
    seed::meets(full.path(), MEETS, ENTRIES, VALUE)?;
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds().min(5) {
        let (_, nothing) = start(&empty)?;
        let (time, all) = start(&full)?;
        times.push(time.as_secs_f64() * 1e3);
        memory.push((all as f64 - nothing as f64) / 1e6);
    }
    let work = format!("start with {MEETS} meets on the disk");
    let detail = format!("each with {ENTRIES} entries; a clean stop before");
    table.add(&Row::new(format!("{work}: ready"), median(times), "ms", AtMost(100.0), detail));
    let detail = "proportional share, once it has looked at all of them";
    table.add(&Row::new(format!("{work}: memory above an empty start"), median(memory), "MB", AtMost(10.0), detail));
    Ok(())
}

/// The time until it serves, and its memory once it is quiet.
fn start(folder: &TempDir) -> Measured<(Duration, u64)> {
    let started = Instant::now();
    let (process, _) = serve(folder)?;
    let ready = started.elapsed();
    wait_until_quiet(&process)?;
    Ok((ready, process.memory()?))
}

fn wait_until_quiet(process: &Process) -> Measured<()> {
    let (pause, started) = (Duration::from_millis(500), Instant::now());
    loop {
        let before = process.cpu()?;
        sleep(pause);
        if process.cpu()? - before < pause / 50 {
            return Ok(());
        }
        if started.elapsed() > LOOKING {
            return Err("a server that has just started does not come to rest".into());
        }
    }
}

/// A meet is opened by its first reader, or by the look at all meets, whichever comes first.
pub fn reopening(plan: &Plan, table: &mut Table) -> Measured<()> {
    let (short, long) = (1_000, plan.share(100_000) as u64);
    let (mut small, mut large) = ((folder()?, Vec::new()), (folder()?, Vec::new()));
    let meets = [seed::meets(small.0.path(), 1, short, VALUE)?, seed::meets(large.0.path(), 1, long, VALUE)?];
    for _ in 0..plan.rounds() {
        for ((folder, times), meets) in [&mut small, &mut large].into_iter().zip(&meets) {
            times.push(reopen(folder, &meets[0])?);
        }
    }
    let ratio = median(large.1.iter().zip(&small.1).map(|(large, small)| large / small));
    let detail = format!("from the start to the first answer: {:.0} → {:.0} ms", median(small.1), median(large.1));
    table.add(&Row::new(format!("reopen after a clean stop, log of {short} → {long}"), ratio, "×", AtMost(1.2), detail));
    Ok(())
}

/// Milliseconds from the start of the program to the first answer about the meet.
fn reopen(folder: &TempDir, meet: &Meeting) -> Measured<f64> {
    let started = Instant::now();
    let (_process, address) = serve(folder)?;
    Http::connect(address)?.send(&get(&format!("{}/updates?limit=1", meet.path), &meet.token))?.granted()?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
