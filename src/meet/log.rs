//! The log: every entry of a meet, by number, and the chain over them.

use std::sync::Arc;

use crate::mutant::{Mutant, planted};

use super::chain::{ChainValue, Cursor};
use super::entry::Entry;
use super::outcome::LostCursor;

/// Entries without gaps, from 1 on; of a log whose beginning is still on the disk, from a later number on.
/// Cloning shares nothing but the entries themselves.
#[derive(Clone, Debug)]
pub struct Log {
    /// The number before the first entry.
    first: u64,
    /// The chain there.
    start: ChainValue,
    entries: Vec<Arc<Entry>>,
}

impl Log {
    /// An empty log whose chain starts at `start`.
    pub fn new(start: ChainValue) -> Log {
        Log::behind(0, start)
    }

    /// The log behind a number, with the chain there. It must be asked for nothing before.
    pub fn behind(first: u64, start: ChainValue) -> Log {
        Log { first, start, entries: Vec::new() }
    }

    /// The number behind which its entries are there; 0 for a whole log.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number of the last entry; 0 for an empty log.
    pub fn head(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Cursor of the last entry.
    pub fn head_cursor(&self) -> Cursor {
        Cursor::at(self.head(), &self.head_chain())
    }

    /// Chain at the last entry.
    pub fn head_chain(&self) -> ChainValue {
        self.entries.last().map_or(self.start, |entry| entry.chain)
    }

    /// Chain at a number; `None` above the head.
    pub fn chain(&self, seq: u64) -> Option<ChainValue> {
        if seq == self.first { Some(self.start) } else { self.get(seq).map(|entry| entry.chain) }
    }

    /// The entry with a number.
    pub fn get(&self, seq: u64) -> Option<&Arc<Entry>> {
        let index = usize::try_from(seq.checked_sub(self.first + 1)?).ok()?;
        self.entries.get(index)
    }

    /// The entries above a number.
    pub fn after(&self, seq: u64) -> &[Arc<Entry>] {
        debug_assert!(seq >= self.first, "what is still on the disk is waited for");
        let seq = seq + u64::from(planted(Mutant::AfterOffByOne));
        // Nothing rather than a gap.
        let index = seq.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let index = index.map_or(self.entries.len(), |index| index.min(self.entries.len()));
        &self.entries[index..]
    }

    /// Checks that a cursor lies in this log: not above the head, and on the same chain.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, cursor: Cursor) -> Result<(), LostCursor> {
        debug_assert!(cursor.seq >= self.first, "what is still on the disk is waited for");
        let chain = self.chain(cursor.seq).ok_or(LostCursor::AboveHead(cursor))?;
        match cursor.tag {
            Some(tag) if tag != chain.tag() => Err(LostCursor::Foreign(cursor)),
            _ => Ok(()),
        }
    }

    /// Adds the next entry, whose number must be the head's plus one.
    pub fn push(&mut self, entry: Arc<Entry>) {
        debug_assert_eq!(entry.seq(), self.head() + 1, "numbers have no gaps");
        self.entries.push(entry);
    }

    /// Takes back the newest entry.
    pub(super) fn pop(&mut self) {
        self.entries.pop();
    }
}
