//! How a replica that is kept in step stands.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::channel::Transport;
use crate::client::replica::ReplicaStatus;
use crate::client::schedule::{Choice, Measured};

/// The way to the server.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::live::Link;
///
/// # let (live, channel, _server) = hall::live()?;
/// live.settled().await;
/// assert_eq!(live.status().borrow().link, Link::Up);
/// channel.set_online(false);
/// live.status().wait_for(|status| matches!(status.link, Link::Down { .. })).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Nothing was heard yet.
    #[default]
    Connecting,
    /// The last exchange came through.
    Up,
    /// The last exchange did not.
    Down {
        /// Why, for a person.
        why: String,
    },
    /// The session has ended, and nothing here buys a new one.
    NotAuthorised,
    /// Edits cannot be kept any more, so nothing goes on.
    Broken {
        /// Why, for a person.
        why: String,
    },
}

/// How a replica stands.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::Transport;
/// use liftrelay::client::live::Status;
///
/// # let (live, _channel, _server) = hall::live()?;
/// let mut watched = live.status();
/// let status = watched.wait_for(Status::is_settled).await?;
/// assert_eq!((status.transport, status.replica.pending, status.replica.conflicts), (Transport::Memory, 0, 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The way to the server.
    pub link: Link,
    /// Since when it is so.
    pub since: Instant,
    /// When the one authority was last heard, directly or through members that carry.
    pub heard_at: Option<Instant>,
    /// What carries.
    pub transport: Transport,
    /// Median round trip.
    pub round_trip: Option<Duration>,
    /// The replica in numbers.
    pub replica: ReplicaStatus,
    /// What the scheduler was told.
    pub measured: Measured,
    /// What it chose; `None` before the first time.
    pub choice: Option<Choice>,
}

impl Status {
    /// Whether every edit was answered and every entry that the server told of is here.
    pub fn is_settled(&self) -> bool {
        let ReplicaStatus { pending, last_number, head, rebuilding, .. } = self.replica;
        self.link == Link::Up && pending == 0 && last_number >= head && !rebuilding
    }
}
