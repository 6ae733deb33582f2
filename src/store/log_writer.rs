//! Records to durable lines: one append and one sync for all that waited.

use std::io;

use crate::meet::outcome::Record;

use super::line::{Durable, Encoder, LogEnd};
use super::{Closed, Journal};

/// The end of one log.
pub struct LogWriter {
    journal: Box<dyn Journal>,
    encoder: Encoder,
    durable: Durable,
    buffer: Vec<u8>,
    failed: bool,
}

impl LogWriter {
    /// Goes on where `encoder` has stopped, with everything up to number `head` on disk.
    pub fn new(journal: Box<dyn Journal>, encoder: Encoder, head: u64) -> LogWriter {
        let durable = Durable { seq: head, lines: encoder.lines() };
        LogWriter { journal, encoder, durable, buffer: Vec::new(), failed: false }
    }

    /// Takes the end of the log away. What is left behind fails every append.
    #[must_use]
    pub fn take(&mut self) -> LogWriter {
        std::mem::replace(self, LogWriter::new(Box::new(Closed), Encoder::default(), 0))
    }

    /// Where the log ends. Only after an append that succeeded is it so on the disk.
    pub fn end(&self) -> LogEnd {
        self.encoder.end()
    }

    /// From now on every append fails.
    pub fn close(&mut self) {
        self.journal = Box::new(Closed);
    }

    /// Writes records and returns when they are durable.
    ///
    /// # Errors
    /// What the medium says. From then on every call fails without touching the medium: after a
    /// failed sync the kernel may report success for pages that it dropped.
    pub fn append<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write to this log failed"));
        }
        self.buffer.clear();
        let mut head = self.durable.seq;
        for record in records {
            self.encoder.record(record, self.durable, &mut self.buffer);
            if let Record::Entry { entry, .. } = record {
                head = entry.seq();
            }
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.failed = true;
        self.journal.append(&self.buffer)?;
        self.failed = false;
        self.durable = Durable { seq: head, lines: self.encoder.lines() };
        self.buffer.shrink_to(64 * 1024);
        Ok(())
    }
}
