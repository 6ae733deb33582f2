//! A sync chain: edits that are committed all or not at all, with the user deciding about each refusal.
//!
//! The chain is sent as an atomic batch on top of the head that the replica knows. Where an edit is refused the user
//! decides ([`SyncChain::decide`]) and the rest is sent; decisions are records of the replica, so they hold when the
//! chain starts again because others were faster, and after a restart of the program. After [`STALES_MAX`] times of
//! that the edits are sent each by itself: atomic batches would wait for ever on a busy meet.
//!
//! ```
//! use liftrelay::client::replica::chain::SyncChain;
//! use liftrelay::client::replica::{Edit, Identity, Record, Replica};
//! use liftrelay::meet::update::Mode;
//!
//! let mut replica = Replica::default();
//! let who = Identity { meet_id: "123456789".into(), location_name: "desk".into(), client_id: "laptop".into() };
//! replica.apply(&Record::Joined(who));
//! let record = replica.edit(Edit::set("a", "1")?)?;
//! replica.apply(&record);
//!
//! let chain = SyncChain::start(&replica);
//! let outgoing = chain.push(&replica).ok_or("nothing to send")?;
//! assert_eq!((outgoing.push.mode, outgoing.push.if_head), (Mode::Atomic, Some(replica.cursor())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::meet::outcome::UpdateCode;
use crate::meet::update::Mode;
use crate::wire::reply::ReceivedConflict;

use super::record::{Answered, Decided, Record, Refused};
use super::{Outgoing, Replica};

/// How often others may be faster before a chain is sent edit by edit.
pub const STALES_MAX: u32 = 3;

/// What the user wants done about a refused edit of a chain.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Answer, Channel, memory::MemoryServer};
/// use liftrelay::client::replica::{Need, chain::{Decision, SyncChain}};
///
/// let server = MemoryServer::new();
/// # let (mut desk, mut platform) = (hall::member("desk"), hall::member("platform"));
/// # hall::set(&mut platform, "b", "1")?;
/// # hall::exchange(&mut platform, &server.channel("platform", "laptop", 2)).await?;
/// # for key in ["a", "b", "c"] { hall::set(&mut desk, key, "2")?; }
/// // A platform has set `b`; a desk of lower priority that has not seen it yet sets `a`, `b` and `c`.
/// let (channel, mut chain) = (server.channel("desk", "laptop", 1), SyncChain::start(&desk));
/// while let Some(outgoing) = chain.push(&desk) {
///     outgoing.record.iter().for_each(|record| drop(desk.apply(record)));
///     let heard = desk.answered(channel.push(outgoing.push).await?)?;
///     heard.record.iter().for_each(|record| drop(desk.apply(record)));
///     match heard.need {
///         Need::Again => chain.stale(&desk),
///         Need::Decision(conflict) => {
///             assert_eq!((conflict.processed.as_slice(), conflict.remaining.as_slice()), (&[1][..], &[3][..]));
///             for record in chain.decide(&desk, &conflict, &Decision::DropThis) {
///                 desk.apply(&record);
///             }
///         }
///         _ => {}
///     }
/// }
/// assert_eq!(server.state().canonical(), r#"{"a":2,"b":1,"c":2}"#);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Give the refused edit up; the others go on.
    DropThis,
    /// Give the refused edit up, and all behind it; those before it go on.
    DropRest,
    /// Of the refused edit and those behind it, only these go on, made anew on top of what is known now.
    Keep(Vec<u64>),
}

/// Edits on their way as a chain. See the [module](self).
///
/// ```
/// use liftrelay::client::replica::{Replica, chain::SyncChain};
/// use liftrelay::meet::update::Mode;
///
/// let (replica, mut chain) = (Replica::default(), SyncChain::start(&Replica::default()));
/// assert!(chain.push(&replica).is_none());
/// assert_eq!(chain.mode(), Mode::Atomic);
/// (0..3).for_each(|_| chain.stale(&replica));
/// assert_eq!(chain.mode(), Mode::Each);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SyncChain {
    numbers: Vec<u64>,
    stales: u32,
}

impl SyncChain {
    /// A chain of all edits that wait now, as far as one batch takes them. Later edits are not part of it.
    pub fn start(replica: &Replica) -> SyncChain {
        let numbers = replica.push().map_or_else(Vec::new, |outgoing| outgoing.push.updates);
        SyncChain { numbers: numbers.iter().map(|update| update.local_seq_num).collect(), stales: 0 }
    }

    /// What to send now; `None` once all of it was answered or given up.
    pub fn push(&self, replica: &Replica) -> Option<Outgoing> {
        let batch = replica.unanswered().filter(|pending| self.numbers.contains(&pending.number)).collect();
        let mut outgoing = replica.outgoing(batch)?;
        outgoing.push.mode = self.mode();
        outgoing.push.if_head = (self.mode() == Mode::Atomic).then(|| replica.cursor());
        Some(outgoing)
    }

    /// All or nothing, or each by itself where others were faster too often.
    pub fn mode(&self) -> Mode {
        if self.stales < STALES_MAX { Mode::Atomic } else { Mode::Each }
    }

    /// Others were faster, and their news are in the replica. Coming up to the head page by page does not count.
    pub fn stale(&mut self, replica: &Replica) {
        let status = replica.status();
        self.stales += u32::from(status.last_number >= status.head);
    }

    /// Why what is left of it cannot be sent now; `None` where nothing is left, because it was answered or given up.
    pub fn interruption(&self, replica: &Replica) -> Option<&'static str> {
        let is_left = |number: &u64| replica.pending.get(*number).is_some_and(|pending| pending.acked.is_none());
        let came_late = |number: &u64| replica.set_aside.get(number).is_some_and(|aside| aside.refused.code.is_none());
        if self.numbers.iter().any(came_late) {
            Some("the meet is finished; what it had not taken is set aside")
        } else {
            self.numbers.iter().any(is_left).then_some("the server has another history, which is read first")
        }
    }

    /// Carries out what the user decided: records to store and apply before the rest is sent.
    ///
    /// Seeing what stands in the way helps where a priority decided. What is refused for another reason would be
    /// refused again, and so would be what was refused once by itself, under the same number: it is set aside even where it is
    /// to be kept.
    pub fn decide(&self, replica: &Replica, conflict: &ReceivedConflict, decision: &Decision) -> Vec<Record> {
        let Some(refused) = conflict.problem.local_seq_num else { return Vec::new() };
        let others = |keep: &[u64]| -> Vec<u64> { conflict.remaining.iter().copied().filter(|number| !keep.contains(number)).collect() };
        let (dropped, kept) = match decision {
            Decision::DropThis => (vec![refused], Vec::new()),
            Decision::DropRest => ([vec![refused], others(&[])].concat(), Vec::new()),
            Decision::Keep(keep) if keep.contains(&refused) => (others(keep), keep.clone()),
            Decision::Keep(keep) => ([vec![refused], others(keep)].concat(), keep.clone()),
        };
        let mut records = Vec::new();
        if kept.contains(&refused) && !helps_to_have_seen(replica, conflict) {
            let refused = Refused::new(refused, conflict.problem.clone());
            records.push(Record::Answered(Answered { refused: vec![refused], ..Answered::default() }));
        }
        records.push(Record::Decided(Decided { dropped, kept }));
        records
    }
}

/// Whether the refused edit was overruled by what its author had not seen.
fn helps_to_have_seen(replica: &Replica, conflict: &ReceivedConflict) -> bool {
    let edit = conflict.problem.local_seq_num.and_then(|number| replica.pending.get(number));
    let standing = conflict.problem.standing.as_ref().map(|standing| standing.server_seq_num);
    let was_seen = edit.zip(standing).is_some_and(|(edit, standing)| edit.after.seq >= standing);
    conflict.problem.code == UpdateCode::Overruled && !was_seen
}
