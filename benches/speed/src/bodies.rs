//! Catching up: bodies of the log, and the state, against the same bytes as a file, served by nginx.

use tempfile::TempDir;

use super::Measured;
use super::http::{Http, Reply, field, get};
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
/// How often a round asks for a state. Folding a log of the second body takes thousands of times as long as an answer.
const STATES: usize = 1_000;
/// A state at hand may cost what its own name, token and audience cost beside a file that needs none of them, and no fold.
const STATE_LIMIT: f64 = 3.0;

pub fn measure(plan: &Plan, table: &mut Table) -> Measured<()> {
    for (name, entries, bytes, fetches) in BODIES {
        let work = format!("catch-up body of {name}, CPU per MB");
        let meet = Seeded::start(entries, bytes)?;
        let mut ours = meet.fetcher("updates?limit=10000", "")?;
        let body = ours.fetch()?.body;
        let nginx = match nginx(&body) {
            Ok(nginx) => nginx,
            Err(why) => {
                table.add(&Row::missing(work, "× nginx", AtMost(1.0), why.to_string()));
                continue;
            }
        };
        let mut theirs = Fetcher::new(nginx.process(), nginx.address(), get("/static/body", ""))?;
        let (ratio, [ours, theirs]) = turns(plan, &mut ours, &mut theirs, plan.share(fetches))?;
        let [ours, theirs] = [ours, theirs].map(|each| each / body.len() as f64 * 1e6);
        let detail = format!("{} bytes; liftrelay {ours:.0} µs/MB, nginx {theirs:.0} µs/MB", body.len());
        table.add(&Row::new(work, ratio, "× nginx", AtMost(1.0), detail));
    }
    states(plan, table)
}

/// A state that nobody has changed since it was asked for first: sent again, and not sent again because it is known.
fn states(plan: &Plan, table: &mut Table) -> Measured<()> {
    let (_, entries, bytes, _) = BODIES[1];
    let meet = Seeded::start(entries, bytes)?;
    let first = meet.fetcher("state", "")?.fetch()?;
    for (name, is_known) in [("state at hand", false), ("state that is known, 304", true)] {
        let work = format!("{name}, CPU per answer");
        let nginx = match nginx(&first.body) {
            Ok(nginx) => nginx,
            Err(why) => {
                table.add(&Row::missing(work, "× nginx", AtMost(STATE_LIMIT), why.to_string()));
                continue;
            }
        };
        let file = Fetcher::new(nginx.process(), nginx.address(), get("/static/body", ""))?.fetch()?;
        let unless = |reply: &Reply| match field(&reply.head, "etag") {
            Some(tag) if is_known => format!("If-None-Match: {tag}\r\n"),
            _ => String::new(),
        };
        let mut ours = meet.fetcher("state", &unless(&first))?;
        let request = with(&get("/static/body", ""), &unless(&file));
        let mut theirs = Fetcher::new(nginx.process(), nginx.address(), request)?;
        let (ratio, [ours, theirs]) = turns(plan, &mut ours, &mut theirs, plan.share(STATES))?;
        let detail = format!(
            "{} bytes, log of {entries}; liftrelay {ours:.1} µs, nginx {theirs:.1} µs",
            if is_known { 0 } else { first.body.len() }
        );
        table.add(&Row::new(work, ratio, "× nginx", AtMost(STATE_LIMIT), detail));
    }
    Ok(())
}

/// A server with a meet that was there before.
struct Seeded {
    process: Process,
    address: std::net::SocketAddr,
    meet: seed::Meeting,
    _folder: TempDir,
}

impl Seeded {
    fn start(entries: u64, bytes: usize) -> Measured<Seeded> {
        let folder = folder()?;
        let meet = seed::meets(folder.path(), 1, entries, bytes)?.remove(0);
        let (process, address) = serve(&folder)?;
        Ok(Seeded { process, address, meet, _folder: folder })
    }

    fn fetcher(&self, what: &str, headers: &str) -> Measured<Fetcher<'_>> {
        let request = get(&format!("{}/{what}", self.meet.path), &self.meet.token);
        Fetcher::new(&self.process, self.address, with(&request, headers))
    }
}

/// nginx with a file of these bytes.
fn nginx(body: &[u8]) -> Measured<Nginx> {
    let nginx = Nginx::start(0)?;
    std::fs::create_dir(nginx.folder.path().join("static"))?;
    std::fs::write(nginx.folder.path().join("static/body"), body)?;
    Ok(nginx)
}

/// A request with more headers.
fn with(request: &str, headers: &str) -> String {
    format!("{}{headers}\r\n", request.trim_end_matches("\r\n").to_owned() + "\r\n")
}

/// The median of the ratios of rounds in turn, and of the microseconds of processor time for an answer of each.
fn turns(plan: &Plan, ours: &mut Fetcher, theirs: &mut Fetcher, fetches: usize) -> Measured<(f64, [f64; 2])> {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds() {
        rounds.push((ours.round(fetches)?, theirs.round(fetches)?));
    }
    let ratio = median(rounds.iter().map(|(ours, theirs)| ours / theirs));
    Ok((ratio, [median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1))]))
}

/// Fetches the same thing over and over.
struct Fetcher<'a> {
    process: &'a Process,
    http: Http,
    request: String,
    /// What the first answer was.
    first: Option<(u16, usize)>,
}

impl Fetcher<'_> {
    fn new(process: &Process, address: std::net::SocketAddr, request: String) -> Measured<Fetcher<'_>> {
        Ok(Fetcher { process, http: Http::connect(address)?, request, first: None })
    }

    /// One answer: the body, or that it is known; all of them are alike.
    fn fetch(&mut self) -> Measured<Reply> {
        let reply = self.http.send(&self.request)?;
        if reply.status != 304 || !self.request.contains("If-None-Match") {
            reply.granted()?;
        }
        let (is, length) = (reply.status, reply.body.len());
        let (was, wanted) = *self.first.get_or_insert((is, length));
        if (is, length) != (was, wanted) {
            return Err(format!("an answer {is} of {length} bytes in place of {was} of {wanted}").into());
        }
        Ok(reply)
    }

    /// Microseconds of the server's processor time for each answer.
    fn round(&mut self, fetches: usize) -> Measured<f64> {
        let before = self.process.cpu()?;
        for _ in 0..fetches {
            self.fetch()?;
        }
        let cpu = self.process.cpu()? - before;
        Ok(cpu.as_secs_f64() * 1e6 / fetches as f64)
    }
}
