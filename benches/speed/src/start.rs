//! Starts: with many meets on the disk, and with a long log.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::Measured;
use super::http::{Http, get, post};
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
/// How long a server may take to stop in order.
const ENDING: Duration = Duration::from_secs(10);

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
    let mut small = LongMeet::with(short)?;
    let mut large = LongMeet::with(long)?;
    for _ in 0..plan.rounds() {
        small.reopen()?;
        large.reopen()?;
    }
    let mut row = |what: &str, small: Vec<f64>, large: Vec<f64>| {
        let ratio = median(large.iter().zip(&small).map(|(large, small)| large / small));
        let detail = format!("from the start of the program: {:.0} → {:.0} ms", median(small), median(large));
        table.add(&Row::new(format!("reopen after a clean stop, log of {short} → {long}: {what}"), ratio, "×", AtMost(1.2), detail));
    };
    row("the state, and the news behind it", small.read, large.read);
    row("then a durable push, which waits for the whole log", small.pushed, large.pushed);
    Ok(())
}

/// A meet on the disk, and how long it took until it was open, in milliseconds.
struct LongMeet {
    folder: TempDir,
    meet: Meeting,
    read: Vec<f64>,
    pushed: Vec<f64>,
}

impl LongMeet {
    /// A meet whose server has stopped in order.
    fn with(entries: u64) -> Measured<LongMeet> {
        let folder = folder()?;
        let meet = seed::meets(folder.path(), 1, entries, VALUE)?.swap_remove(0);
        let mut long = LongMeet { folder, meet, read: Vec::new(), pushed: Vec::new() };
        // The seeded log has never been open.
        long.reopen()?;
        (long.read, long.pushed) = Default::default();
        Ok(long)
    }

    fn reopen(&mut self) -> Measured<()> {
        let Meeting { path, token } = &self.meet;
        let started = Instant::now();
        let (process, address) = serve(&self.folder)?;
        let mut http = Http::connect(address)?;
        let state = http.send(&get(&format!("{path}/state"), token))?.json()?;
        let cursor = state["cursor"].as_str().ok_or("a state without its place")?;
        http.send(&get(&format!("{path}/updates?after={cursor}"), token))?.granted()?;
        self.read.push(started.elapsed().as_secs_f64() * 1e3);
        let update = json!({"updates": [{"updateKey": "entries[1].note", "updateValue": "again"}]});
        http.send(&post(&format!("{path}/updates"), Some(token), &update.to_string()))?.granted()?;
        self.pushed.push(started.elapsed().as_secs_f64() * 1e3);
        process.end(ENDING)
    }
}
