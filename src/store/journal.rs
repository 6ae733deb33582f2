//! The end of a log in a file, and the **reserve** behind it.
//!
//! A sync of a file that has grown has to write down its new length as well, which costs the file system a transaction; one of bytes
//! that were overwritten does not. So a log that has to grow gets spaces behind its end, and what is appended next takes their place.
//! With its reserve a log is still JSON, one record a line, in any text editor. Whoever reads it passes over spaces at its end; what a
//! crash left in front of them is a torn tail like any other. The reserve stays when a meet is closed, for then it may be open once
//! more already, and is cut off when the meet is finished or superseded.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::meet::limits::{RESERVE_MAX_BYTES, RESERVE_MIN_BYTES};
use crate::mutant::{Mutant, planted};

use super::Journal;
use super::durable::{Fsync, check_plain, read_from};

const SPACE: u8 = b' ';

/// A log without the reserve behind it.
pub(super) fn without_reserve(log: &[u8]) -> &[u8] {
    let end = log.iter().rposition(|&byte| byte != SPACE).map_or(0, |last| last + 1);
    &log[..end]
}

pub(super) struct FileJournal {
    file: File,
    fsync: Fsync,
    /// Where the log ends.
    end: u64,
    /// Where its reserve ends, unless somebody has cut it off.
    reserved: u64,
}

impl FileJournal {
    /// Opens a log that ends at byte `end`, behind which there are spaces at most.
    pub(super) fn open(log: &Path, end: u64, fsync: Fsync) -> io::Result<FileJournal> {
        check_plain(log)?;
        let file = OpenOptions::new().write(true).open(log)?;
        if fsync == Fsync::Always {
            // What a killed server wrote but did not sync is about to be shown, so it must be durable first.
            file.sync_data()?;
        }
        let reserved = file.metadata()?.len();
        Ok(FileJournal { file, fsync, end, reserved })
    }

    /// Writes lines behind the end, with a new reserve where they do not fit into the old one.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let end = self.end + lines.len() as u64;
        if end <= self.reserved || self.fsync == Fsync::Never {
            return self.file.write_all_at(lines, self.end);
        }
        let reserved = reserve_behind(end);
        let mut more = lines.to_vec();
        more.resize(lines.len() + usize::try_from(reserved - end).unwrap_or(0), SPACE);
        match self.file.write_all_at(&more, self.end) {
            Ok(()) => self.reserved = reserved,
            Err(error) if is_full(&error) => self.file.write_all_at(lines, self.end)?,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Journal for FileJournal {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.write(lines)?;
        if self.fsync == Fsync::Always && !planted(Mutant::NoSync) {
            self.file.sync_data()?;
        }
        self.end += lines.len() as u64;
        Ok(())
    }
}

/// Takes the reserve away from a log that does not grow any more. Where this fails it stays, which means nothing.
pub(super) fn cut_reserve(log: &Path) {
    let cut = || {
        check_plain(log)?;
        let length = log.metadata()?.len();
        let end = read_from(log, length.saturating_sub(RESERVE_MAX_BYTES), RESERVE_MAX_BYTES)?;
        let spaces = end.len() - without_reserve(&end).len();
        OpenOptions::new().write(true).open(log)?.set_len(length - spaces as u64)
    };
    let _: io::Result<()> = cut();
}

/// Where the reserve of a log ends that has grown to `end` bytes: it is never longer than the log, but for its last block.
fn reserve_behind(end: u64) -> u64 {
    let step = end.next_power_of_two().clamp(RESERVE_MIN_BYTES, RESERVE_MAX_BYTES);
    end.next_multiple_of(step)
}

/// Whether lines may still fit where their reserve does not.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}
