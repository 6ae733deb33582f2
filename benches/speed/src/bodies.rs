//! Catching up: bodies of the log against the same bytes as a file, served by nginx.

use super::Measured;
use super::http::{Http, get};
use super::nginx::Nginx;
use super::plan::Plan;
use super::process::Process;
use super::product::{folder, serve};
use super::relay::Relay;
use super::seed;
use super::table::Target::AtMost;
use super::table::{Row, Table, median};

/// What a body is called, entries that make it, bytes of their values, and how often a round fetches it.
const BODIES: [(&str, u64, usize, usize); 2] = [("64 KB", 202, 140, 500), ("10 MB", 9_900, 700, 20)];

pub fn measure(plan: &Plan, table: &mut Table) -> Measured<()> {
    for (name, entries, bytes, fetches) in BODIES {
        let work = format!("catch-up body of {name}, CPU per MB");
        let folder = folder()?;
        let meet = seed::meets(folder.path(), 1, entries, bytes)?.remove(0);
        let (process, address) = serve(&folder)?;
        let mut ours = Fetcher::new(&process, Http::connect(address)?, get(&format!("{}/updates?limit=10000", meet.path), &meet.token));
        let body = ours.http.send(&ours.request)?.body;
        let nginx = match Nginx::start(0) {
            Ok(nginx) => nginx,
            Err(why) => {
                table.add(&Row::missing(work, "× nginx", AtMost(1.0), why.to_string()));
                continue;
            }
        };
        std::fs::create_dir(nginx.folder.path().join("static"))?;
        std::fs::write(nginx.folder.path().join("static/body"), &body)?;
        let mut theirs = Fetcher::new(nginx.process(), Http::connect(nginx.address())?, get("/static/body", ""));
        let fetches = plan.share(fetches);
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds() {
            rounds.push((ours.round(fetches, body.len())?, theirs.round(fetches, body.len())?));
        }
        let ratio = median(rounds.iter().map(|(ours, theirs)| ours / theirs));
        let (ours, theirs) = (median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1)));
        let detail = format!("{} bytes; liftrelay {ours:.0} µs/MB, nginx {theirs:.0} µs/MB", body.len());
        table.add(&Row::new(work, ratio, "× nginx", AtMost(1.0), detail));
    }
    Ok(())
}

/// Fetches the same thing over and over.
struct Fetcher<'a> {
    process: &'a Process,
    http: Http,
    request: String,
}

impl Fetcher<'_> {
    fn new(process: &Process, http: Http, request: String) -> Fetcher<'_> {
        Fetcher { process, http, request }
    }

    /// Microseconds of the server's processor time for each MB.
    fn round(&mut self, fetches: usize, length: usize) -> Measured<f64> {
        let before = self.process.cpu()?;
        for _ in 0..fetches {
            let reply = self.http.send(&self.request)?;
            reply.granted()?;
            if reply.body.len() != length {
                return Err(format!("a body of {} bytes in place of {length}", reply.body.len()).into());
            }
        }
        let cpu = self.process.cpu()? - before;
        Ok(cpu.as_secs_f64() * 1e6 / (fetches * length) as f64 * 1e6)
    }
}
