//! A store in memory, for tests and for replicas that need not outlive their program.

use super::{ReplicaStore, StoreError};
use crate::client::replica::Record;

/// Records in memory. See the [module](super) for an example.
///
/// ```
/// use liftrelay::client::replica::Record;
/// use liftrelay::client::store::{MemoryStore, ReplicaStore};
///
/// let mut store = MemoryStore::default();
/// store.append(&[Record::Sent { up_to: 3 }])?;
/// assert_eq!((store.len(), store.load()?.len()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    records: Vec<Record>,
}

impl MemoryStore {
    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl ReplicaStore for MemoryStore {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(self.records.clone())
    }

    fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.records.extend_from_slice(records);
        Ok(())
    }
}
