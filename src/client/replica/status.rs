//! How a replica stands, in numbers.

use crate::wire::message::Status;

use super::Replica;

/// How a replica stands.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let desk = hall::overruled().await?;
/// // A desk whose change of `lot` was refused: the platform's entry 1 stands there.
/// let status = desk.status();
/// assert_eq!((status.pending, status.conflicts, status.last_number, status.head), (0, 1, 1, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Edits that the log does not have yet.
    pub pending: usize,
    /// Those of them that the server has not answered.
    pub unanswered: usize,
    /// Refused edits that the user has not decided about.
    pub conflicts: usize,
    /// Number of the last entry that is here.
    pub last_number: u64,
    /// The server's head, as last heard.
    pub head: u64,
    /// Whether the meet takes updates, as last heard.
    pub meet: Option<Status>,
    /// Whether the server's other history is being read.
    pub rebuilding: bool,
}

impl Replica {
    /// How it stands.
    pub fn status(&self) -> ReplicaStatus {
        ReplicaStatus {
            pending: self.pending.len(),
            unanswered: self.pending.iter().filter(|pending| pending.acked.is_none()).count(),
            conflicts: self.set_aside.len(),
            last_number: self.canonical.head(),
            head: self.head,
            meet: self.meet,
            rebuilding: self.rebuild.is_some(),
        }
    }
}
