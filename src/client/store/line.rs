//! One append, one line: `{"records":[…],"sum":"0123abcd"}`. The sum is a CRC-32 over the line and the sum before it, so
//! that lines that are missing, doubled, reordered or changed show.

use serde::{Deserialize, Serialize};

use crate::client::replica::Record;

const SUM_MEMBER: &[u8] = b",\"sum\":\"";
/// Bytes of `,"sum":"01234567"}`.
const SUM_BYTES: usize = SUM_MEMBER.len() + 10;

#[derive(Serialize)]
struct Written<'a> {
    records: &'a [Record],
}

#[derive(Deserialize)]
struct Read {
    records: Vec<Record>,
}

/// The line of an append, and the sum behind it.
pub(super) fn write(before: u32, records: &[Record]) -> serde_json::Result<(Vec<u8>, u32)> {
    let mut line = serde_json::to_vec(&Written { records })?;
    line.pop();
    let sum = sum(before, &line);
    line.extend_from_slice(SUM_MEMBER);
    line.extend_from_slice(format!("{sum:08x}\"}}\n").as_bytes());
    Ok((line, sum))
}

/// The records of a line without its line feed, and the sum behind it; `None` where it is not as it was written.
pub(super) fn read(before: u32, line: &[u8]) -> Option<(Vec<Record>, u32)> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(SUM_BYTES)?)?;
    let sum = sum(before, body);
    let is_sound = tail.strip_prefix(SUM_MEMBER)? == format!("{sum:08x}\"}}").as_bytes();
    let read: Read = serde_json::from_slice(line).ok().filter(|_| is_sound)?;
    Some((read.records, sum))
}

fn sum(before: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&before.to_be_bytes());
    hasher.update(body);
    hasher.finalize()
}
