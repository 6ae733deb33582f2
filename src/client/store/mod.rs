//! Where a replica's records are kept.
//!
//! ```
//! use liftrelay::client::replica::{Edit, Replica};
//! use liftrelay::client::store::{MemoryStore, ReplicaStore};
//!
//! let mut store = MemoryStore::default();
//! let mut replica = Replica::open(store.load()?);
//! let record = replica.edit(Edit::set("meet.name", "\"Spring Open\"")?)?;
//! store.append(std::slice::from_ref(&record))?;
//! replica.apply(&record);
//! assert_eq!(Replica::open(store.load()?).state(), replica.state());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod file;
mod line;
mod memory;
#[cfg(test)]
mod tests;

pub use file::FileStore;
pub use memory::MemoryStore;

use std::path::PathBuf;

use super::replica::Record;

/// Keeps the records of one replica. Nobody else may append while one is open.
///
/// ```
/// use liftrelay::client::replica::{Edit, Replica};
/// use liftrelay::client::store::{MemoryStore, ReplicaStore, StoreError};
///
/// /// First durable, then true.
/// fn keep(store: &mut dyn ReplicaStore, replica: &mut Replica, edit: Edit) -> Result<(), Box<dyn std::error::Error>> {
///     let record = replica.edit(edit)?;
///     store.append(std::slice::from_ref(&record))?;
///     replica.apply(&record);
///     Ok(())
/// }
/// let (mut store, mut replica) = (MemoryStore::default(), Replica::default());
/// keep(&mut store, &mut replica, Edit::set("lot", "7")?)?;
/// assert_eq!(store.load()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ReplicaStore: Send {
    /// Everything that was appended, in order.
    ///
    /// # Errors
    /// The medium fails, or holds what was never appended.
    fn load(&mut self) -> Result<Vec<Record>, StoreError>;

    /// Appends records, all or none of them, and makes them durable before it returns.
    ///
    /// # Errors
    /// The medium fails. The records may be there or not when it is opened again; until then nothing more is taken.
    fn append(&mut self, records: &[Record]) -> Result<(), StoreError>;
}

/// A store cannot do what it should.
///
/// ```
/// use liftrelay::client::store::{FileStore, StoreError};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("platform-1.replica");
/// let first = FileStore::open(&path)?;
/// assert!(matches!(FileStore::open(&path), Err(StoreError::InUse(_))));
/// drop(first);
/// assert!(FileStore::open(&path).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The medium failed.
    #[error("{what} {}: {error}", path.display())]
    Medium {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Another process has the replica.
    #[error("another process uses {}; stop it or choose another file", .0.display())]
    InUse(PathBuf),
    /// A line in the middle is not what was written; the file is left as it was found.
    #[error("line {line} of {} was changed after it was written; restore the file from a copy, or move it away and join anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// An append failed before, so what is on the medium is not known.
    #[error("an earlier append failed; open the replica again")]
    Failed,
}
