//! Damaged logs: what they had beyond the damage comes back from the clients that have it. Until all of it is
//! there, nothing is shown, nothing is written, and the damaged file stays as it was found.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::info;

use crate::meet::outcome::Record;
use crate::store::line::{Header, whole_log};
use crate::store::log_writer::LogWriter;
use crate::wire::audience::Audience;

use super::writer::Writer;

/// A log that is being put together again.
pub(super) struct Mending {
    header: Header,
    /// What is sound or came back, in order.
    records: Vec<Record>,
    /// The number that the log must reach, for it had been there.
    pub(super) needed: u64,
}

impl Mending {
    pub(super) fn new(header: Header, records: Vec<Record>, needed: u64) -> Mending {
        Mending { header, records, needed }
    }
}

impl Writer {
    /// Entries came back. Where they reach as far as the log ever did, the meet is whole again.
    pub(super) fn mend(&mut self, records: Vec<Record>) -> io::Result<()> {
        let Some(mending) = &mut self.mending else { return Ok(()) };
        mending.records.extend(records);
        let head = self.meet.log().head();
        if head < mending.needed {
            return Ok(());
        }
        let (bytes, encoder) = whole_log(&mending.header, &mending.records);
        let journal = self.desk.store.rebuild(self.desk.id, &bytes).map_err(io::Error::other)?;
        self.log = LogWriter::new(journal, encoder, head);
        self.mending = None;
        self.meet.set_whole();
        if self.desk.committed.finished_at().is_some() {
            self.meet.finish();
        }
        let shown = self.desk.committed.head_position(&Audience::Editor).server_seq_num;
        self.desk.committed.publish(self.meet.log().after(shown));
        self.desk.damaged.mended();
        self.desk.failed.store(false, Ordering::Release);
        self.desk.metrics.writing.renewed();
        info!(meet = %self.desk.id, shown, head, "the damaged log is whole again: clients brought back what was missing");
        Ok(())
    }
}

/// Whether a log is damaged, as its meet and its writer both see it.
#[derive(Debug)]
pub(super) struct Damaged {
    /// The number that it must reach again, or [`SOUND`].
    needed: AtomicU64,
}

/// No log is as long.
const SOUND: u64 = u64::MAX;

impl Damaged {
    /// `None` for a sound log.
    pub(super) fn new(needed: Option<u64>) -> Damaged {
        Damaged { needed: AtomicU64::new(needed.unwrap_or(SOUND)) }
    }

    fn mended(&self) {
        self.needed.store(SOUND, Ordering::Release);
    }

    /// The number that editors must bring entries up to; `None` for a sound log.
    pub(super) fn needed(&self) -> Option<u64> {
        Some(self.needed.load(Ordering::Acquire)).filter(|needed| *needed != SOUND)
    }
}
