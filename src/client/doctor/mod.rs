//! The doctor: what is between here and a server, and which way of carrying gets through.
//!
//! [`examine`] climbs every rung and writes down what it sees; [`diagnose`] makes words of that and does nothing else.

mod diagnosis;
mod evidence;
mod probe;
mod socket;
mod words;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use reqwest::Url;
use serde::Deserialize;

use crate::meet::id::MeetId;

use super::channel::Transport;

pub use diagnosis::{Diagnosis, Finding, Outcome, Symptom, diagnose};
pub use evidence::{End, Evidence, Probe, Sight};
use probe::Prober;
pub use words::told;

/// Where to look, and how long.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::Transport;
/// use liftrelay::client::doctor::{Reader, Visit, diagnose, examine, told};
///
/// # let session = hall::session().await?;
/// let visit = Visit {
///     server: session.server().base().clone(),
///     proxy: None,
///     root_certificate: None,
///     reader: Some(Reader { meet: session.meet(), token: session.token() }),
///     hold: Duration::from_secs(2), // Half a minute shows idle limits as well.
/// };
/// let evidence = examine(&visit, &mut |sight| println!("{}", told(sight))).await?;
/// assert_eq!(diagnose(&evidence).using, Some(Transport::Socket));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Visit {
    /// Address of the server, or of what stands in front of it.
    pub server: Url,
    /// A forward proxy; without one the environment decides (`HTTP_PROXY`, `NO_PROXY`), but not for this machine.
    pub proxy: Option<Url>,
    /// A certificate that is trusted besides those of the machine, in PEM.
    pub root_certificate: Option<Vec<u8>>,
    /// A meet to read, and a session token or view key for it; without them the demo is read where one runs.
    pub reader: Option<Reader>,
    /// How long answers are held, to see what becomes of them.
    pub hold: Duration,
}

/// Who reads which meet.
///
/// ```
/// use liftrelay::client::doctor::Reader;
///
/// let reader = Reader { meet: "123-456-789".parse()?, token: "lr_v_secret".to_owned() };
/// assert!(!format!("{reader:?}").contains("secret"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Reader {
    /// The meet.
    pub meet: MeetId,
    /// Session token or view key.
    pub token: String,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reader").field("meet", &self.meet).finish_non_exhaustive()
    }
}

/// Sizes of padding that are tried where a stream's HELLO is held back.
const PADDINGS_KIB: [u64; 4] = [4, 16, 32, 64];

/// How long a padded stream stays open. Longer than a HELLO may take, so that both can be told apart.
const PADDED_HOLD: Duration = Duration::from_secs(5);

/// Climbs every rung; `seen` is told of each probe as it ends. Takes about as long as the visit's `hold`.
///
/// # Errors
/// What is wrong with this machine or the proxy's address, for a person; what is wrong on the way is evidence.
pub async fn examine(visit: &Visit, seen: &mut (dyn FnMut(&Sight) + Send)) -> Result<Evidence, String> {
    let mut prober = Prober::new(visit)?;
    let proxy = visit.proxy.as_ref().map(|proxy| proxy.origin().ascii_serialization());
    let mut evidence = Evidence { server: visit.server.origin().ascii_serialization(), proxy, meet_was_read: false, sights: Vec::new() };
    let health = prober.health().await;
    seen(&health);
    let is_there = health.proven.is_some();
    evidence.sights.push(health);
    if !is_there {
        return Ok(evidence);
    }
    if prober.reader.is_none() {
        prober.reader = prober.demo().await;
    }
    let mut head = None;
    if prober.reader.is_some() {
        let (sight, found) = prober.short_poll().await;
        seen(&sight);
        evidence.meet_was_read = found.is_some();
        evidence.sights.push(sight);
        head = found;
    }
    together(rungs(&prober, head, visit.hold), seen, &mut evidence.sights).await;
    if evidence.meet_was_read && is_held_back(&evidence) {
        let probes = PADDINGS_KIB.map(|kib| prober.stream(Probe::Padded { kib }, PADDED_HOLD).boxed());
        together(probes.into_iter().collect(), seen, &mut evidence.sights).await;
    }
    Ok(evidence)
}

type Probing<'a> = BoxFuture<'a, Sight>;

/// All that can be tried beside each other, above short polls.
fn rungs(prober: &Prober, head: Option<u64>, hold: Duration) -> Vec<Probing<'_>> {
    let mut probes = vec![prober.socket(head, hold).boxed()];
    if let Some(head) = head {
        probes.push(prober.long_poll(head, hold).boxed());
        for probe in [Probe::Rung(Transport::Ndjson), Probe::Rung(Transport::Sse), Probe::Packed] {
            probes.push(prober.stream(probe, hold).boxed());
        }
    }
    probes
}

async fn together(probes: Vec<Probing<'_>>, seen: &mut (dyn FnMut(&Sight) + Send), sights: &mut Vec<Sight>) {
    let mut probes: FuturesUnordered<_> = probes.into_iter().collect();
    while let Some(sight) = probes.next().await {
        seen(&sight);
        sights.push(sight);
    }
}

/// Whether a stream was let through, but not at once.
fn is_held_back(evidence: &Evidence) -> bool {
    let streams = [Transport::Ndjson, Transport::Sse].map(Probe::Rung);
    streams.iter().filter_map(|probe| evidence.of(*probe)).any(diagnosis::is_late)
}

/// The members of `DEMO` that lead to its meet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Demo {
    meet_id: String,
    view_key: String,
}

impl Demo {
    fn reader(self) -> Option<Reader> {
        Some(Reader { meet: self.meet_id.parse().ok()?, token: self.view_key })
    }
}
