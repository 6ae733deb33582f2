//! The end of a log, read without what stands before it, for who knows what that came to.

use crate::meet::chain::ChainValue;

use super::line::{AnyBody, split_sum};
use super::scan::{Line, Lines, Numbered, Reader, StoredRecord};

/// The last records of a log.
#[derive(Debug)]
pub struct End {
    /// The last number before them, where a commit ends.
    pub seq: u64,
    /// The chain there, as the log says; it is right where the chain of what follows is.
    pub chain: ChainValue,
    /// Whole commits, and answers.
    pub records: Vec<StoredRecord>,
}

/// Reads the records behind the first commit that ends in `bytes`, which may start anywhere in a log. `None` where
/// none ends there, where something is wrong with what follows it, or where the last line has another sum.
pub fn read_end(bytes: &[u8], sum: u32) -> Option<End> {
    let mut lines = Lines { bytes, at: 0 };
    // Its start may lie before.
    lines.next()?;
    let (seq, chain, sum_there) = lines.find_map(|line| commit_end(&line))?;
    let mut reader = Reader::behind(seq, sum_there);
    lines.try_for_each(|line| reader.line(&line).ok())?;
    (reader.sum == sum && reader.is_whole()).then_some(End { seq, chain, records: reader.records })
}

/// The number, the chain and the sum of a line with which a commit ends.
fn commit_end(line: &Line) -> Option<(u64, ChainValue, u32)> {
    let (_, sum) = split_sum(line.text)?;
    let AnyBody { chain, commit_end, entry, .. } = serde_json::from_slice(line.text).ok()?;
    let Numbered { server_seq_num: seq } = serde_json::from_str(entry?.get()).ok()?;
    commit_end.filter(|end| *end == seq).map(|_| Some((seq, chain?, sum)))?
}
