//! A subscriber's eye: sees that every event comes once and in order, whatever pieces it comes in.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Measured;
use super::crowd::Ear;

/// What stands before the number of each entry, and nowhere else in a stream: those who push have priority 1.
pub const MARK: &str = r#""priority":1,"serverSeqNum":"#;
/// The longest number: below 2^53.
const DIGITS: usize = 16;

static FINDER: LazyLock<Finder> = LazyLock::new(|| Finder::new(MARK));

/// Follows the numbers of one stream.
#[derive(Debug)]
pub struct Reader {
    next: u64,
    /// The end of the last piece, where a mark or number may have been cut.
    rest: Vec<u8>,
}

impl Reader {
    /// A reader to whom `next` comes next.
    pub fn new(next: u64) -> Reader {
        Reader { next, rest: Vec::new() }
    }

    /// Reads a piece and tells of each number in it. Fails at the first that is not the one to come.
    pub fn take(&mut self, piece: &[u8], each: impl FnMut(u64)) -> Measured<()> {
        if self.rest.is_empty() {
            let read = self.scan(piece, each)?;
            self.rest.extend_from_slice(&piece[read..]);
            return Ok(());
        }
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(piece);
        let read = self.scan(&whole, each)?;
        whole.drain(..read);
        self.rest = whole;
        Ok(())
    }

    /// Gives how many bytes need not be looked at again.
    fn scan(&mut self, bytes: &[u8], mut each: impl FnMut(u64)) -> Measured<usize> {
        let mut read = 0;
        while let Some(at) = FINDER.find(&bytes[read..]) {
            let start = read + at + MARK.len();
            let Some(length) = bytes[start..].iter().position(|byte| !byte.is_ascii_digit()) else { return Ok(read + at) };
            let number = std::str::from_utf8(&bytes[start..start + length])?.parse::<u64>()?;
            if number != self.next {
                return Err(format!("{number} came where {} was to come", self.next).into());
            }
            each(number);
            self.next += 1;
            read = start + length;
        }
        // A line's end is no part of a mark.
        let cut = if bytes.ends_with(b"\n") { bytes.len() } else { bytes.len().saturating_sub(MARK.len() + DIGITS) };
        Ok(read.max(cut))
    }
}

impl Ear for Reader {
    fn hear(&mut self, piece: &[u8], each: &mut dyn FnMut(u64)) -> Measured<Option<Vec<u8>>> {
        self.take(piece, each).map(|()| None)
    }
}

/// A piece of a stream with that number in it.
pub fn sample(number: u64) -> String {
    format!("data: [{{{MARK}{number},\"updateKey\":\"a\"}}]\n\n")
}

/// Sees that a reader sees: an instrument that cannot fail measures nothing.
pub fn check() -> Measured<()> {
    let stream = |numbers: &[u64]| numbers.iter().copied().map(sample).collect::<String>();
    let numbers = |text: &str, size: usize| {
        let (mut reader, mut seen) = (Reader::new(8), 0);
        text.as_bytes().chunks(size).try_for_each(|piece| reader.take(piece, |_| seen += 1)).map(|()| seen)
    };
    for size in 1..80 {
        let good = numbers(&stream(&[8, 9, 10, 11]), size).is_ok_and(|seen| seen == 4);
        let bad = [[8, 10, 11], [8, 8, 9], [9, 8, 10]].iter().all(|bad| numbers(&stream(bad), size).is_err());
        if !good || !bad {
            return Err(format!("the reader is blind in pieces of {size} bytes").into());
        }
    }
    Ok(())
}
