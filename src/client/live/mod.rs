//! A replica that is kept in step: edits go out, news come in, and what the server has lost goes back, all by itself.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use liftrelay::client::channel::memory::MemoryServer;
//! use liftrelay::client::live::{Live, Options};
//! use liftrelay::client::replica::{Edit, Identity, Record};
//! use liftrelay::client::store::{MemoryStore, ReplicaStore};
//!
//! let server = MemoryServer::new();
//! let mut store = MemoryStore::default();
//! let who = Identity { meet_id: "123-456-789".into(), location_name: "desk".into(), client_id: "laptop".into() };
//! store.append(&[Record::Joined(who)])?;
//!
//! let live = Live::start(Box::new(store), Arc::new(server.channel("desk", "laptop", 1)), Options::default())?;
//! live.edit(vec![Edit::set("meet.name", "\"Spring Open\"")?]).await?;
//! live.settled().await;
//! assert_eq!(server.state(), live.read(|replica| replica.state().clone()));
//! live.close().await;
//! # Ok(()) }
//! ```

pub mod access;
mod carrier;
mod chain;
mod core;
mod driver;
mod failing;
mod meter;
mod recovery;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use super::channel::Channel;
use super::replica::{ConflictFree, Edit, EditError, News, Replica};
use super::schedule::{Scheduler, SmartScheduler};
use super::store::{ReplicaStore, StoreError};
use access::Access;
pub use carrier::Carrier;
pub use chain::ChainEnd;
use core::Core;
use driver::Driver;
pub use status::{Link, Status};

/// Events that a slow watcher may fall behind before it is told that it has missed some.
const EVENTS_KEPT: usize = 1_024;

/// How a replica is kept in step.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use liftrelay::client::channel::memory::MemoryServer;
/// use liftrelay::client::live::{Live, Options};
/// use liftrelay::client::replica::ConflictFree;
/// use liftrelay::client::{schedule::ManualScheduler, store::MemoryStore};
///
/// let options = Options { scheduler: Box::new(ManualScheduler::default()), conflict_free: true, ..Options::default() };
/// let channel = MemoryServer::new().channel("desk", "laptop", 1);
/// let live = Live::start(Box::new(MemoryStore::default()), Arc::new(channel), options)?;
/// assert_ne!(live.conflict_free(), ConflictFree::Off);
/// # Ok(()) }
/// ```
pub struct Options {
    /// When to talk to the server.
    pub scheduler: Box<dyn Scheduler>,
    /// New sessions and tickets; without it, a session that has ended stays ended.
    pub access: Option<Arc<dyn Access>>,
    /// While the server is out of reach, what existed before is read-only.
    pub conflict_free: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { scheduler: Box::new(SmartScheduler), access: None, conflict_free: false }
    }
}

/// A replica that is kept in step with a server until it is closed or dropped.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::live::Status;
/// use liftrelay::client::replica::Edit;
///
/// let (live, channel, server) = hall::live()?;
/// live.settled().await;
/// channel.set_online(false);
/// live.edit(vec![Edit::set("lot", "7")?]).await?;
/// assert_eq!(live.read(|replica| replica.state().canonical()), r#"{"lot":7}"#);
/// assert_eq!(server.state().canonical(), "{}");
/// channel.set_online(true); // It goes by itself.
/// live.status().wait_for(|status| status.replica.pending == 0).await?;
/// assert_eq!(server.state().canonical(), r#"{"lot":7}"#);
/// # Ok(()) }
/// ```
pub struct Live {
    core: Arc<Core>,
    driver: JoinHandle<()>,
}

/// Why an edit was not taken.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::live::LiveError;
/// use liftrelay::client::replica::{Edit, EditError};
///
/// # let (live, _channel, _server) = hall::live()?;
/// let refused = live.edit(vec![Edit::remove("meet.name")?]).await;
/// assert!(matches!(refused, Err(LiveError::Edit(EditError::Absent(_)))), "{refused:?}");
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// It cannot be made.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Live {
    /// Opens what `store` holds and keeps it in step over `channel`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn start(mut store: Box<dyn ReplicaStore>, channel: Arc<dyn Channel>, options: Options) -> Result<Live, StoreError> {
        let replica = Replica::open(store.load()?);
        let core = Arc::new(Core::new(replica, store, options.conflict_free));
        let driver = tokio::spawn(Driver::new(Arc::clone(&core), channel, options.scheduler, options.access).run());
        Ok(Live { core, driver })
    }

    /// Makes edits that belong together. They are stored before they are shown, and sent by themselves.
    ///
    /// # Errors
    /// [`LiveError`]; nothing has changed then.
    pub async fn edit(&self, edits: Vec<Edit>) -> Result<News, LiveError> {
        let made = self.core.change(move |replica| Ok::<_, EditError>(vec![replica.edit_all(edits)?])).await;
        self.core.edited();
        made
    }

    /// Wants a refused edit again.
    ///
    /// # Errors
    /// [`LiveError`]
    pub async fn retry(&self, number: u64) -> Result<News, LiveError> {
        let made = self.core.change(move |replica| Ok::<_, EditError>(vec![replica.retry(number)?])).await;
        self.core.edited();
        made
    }

    /// Gives a refused edit up.
    ///
    /// # Errors
    /// [`LiveError`]
    pub async fn drop_refused(&self, number: u64) -> Result<News, LiveError> {
        self.core.change(move |replica| Ok::<_, EditError>(vec![replica.drop_refused(number)?])).await
    }

    /// Looks at the replica. Nothing can change meanwhile, so look briefly.
    pub fn read<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        self.core.read(look)
    }

    /// How it stands, now and whenever that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.core.status.subscribe()
    }

    /// What changes, from now on.
    pub fn news(&self) -> broadcast::Receiver<Arc<News>> {
        self.core.news.subscribe()
    }

    /// Waits until every edit was answered and every entry of the log is here.
    pub async fn settled(&self) {
        let mut status = self.status();
        // The sender lives as long as this does.
        let _ = status.wait_for(Status::is_settled).await;
    }

    /// A way to the meet through this member, for another client whose own edits go on over `onward`.
    pub fn carrier(&self, onward: Arc<dyn Channel>) -> Carrier {
        Carrier::new(Arc::clone(&self.core), onward)
    }

    /// Whether the server was out of reach does not matter any more, or does from now on.
    pub fn set_conflict_free(&self, is_on: bool) {
        self.core.set_conflict_free(is_on);
    }

    /// Whether a key may be changed now.
    pub fn conflict_free(&self) -> ConflictFree {
        self.core.conflict_free()
    }

    /// Stops, and lets go of the store. What was not sent stays in it.
    pub async fn close(self) {
        self.core.stopping.cancel();
        let mut this = self;
        let _ = (&mut this.driver).await;
        this.core.changes.close();
        this.core.changes.wait().await;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.core.stopping.cancel();
    }
}
