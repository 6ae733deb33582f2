//! Reading a log back: what is sound, what is a torn tail, what is damage.
//!
//! Below the highest number that some line says is durable every line must be sound; a bad one
//! is damage and is never cut. Above it a crash may have left anything, so the first bad line
//! ends the log there (wire contract, section 10; the tail is kept aside by the store).

use std::collections::BTreeMap;
use std::io::BufRead;

use serde_json::value::RawValue;

use crate::meet::chain::ChainValue;
use crate::meet::entry::EntryFields;
use crate::meet::outcome::Remembered;

use super::exact::{self, ExactLine};
use super::journal::without_reserve;
use super::line::{AnyBody, Durable, Encoder, FORMAT, Header, VERSION, split_sum, sum_fits};

/// A log as it was found.
#[derive(Debug)]
pub struct Scan {
    /// Its first line.
    pub header: Header,
    /// The sound records, in order; never a part of a commit.
    pub records: Vec<StoredRecord>,
    /// Bytes that the sound records and the header take.
    pub sound_bytes: usize,
    /// Where the next line goes on.
    pub end: Encoder,
    /// What comes behind them.
    pub rest: Rest,
}

/// What comes behind the sound records of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing, or a reserve.
    Nothing,
    /// What a crash left of an append that nobody was told of.
    TornTail {
        /// How many bytes, without a reserve behind them.
        bytes: usize,
    },
    /// Damage to what had been durable.
    Damage(Damage),
}

/// Where a log is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} is damaged ({what}): entries up to {last_good} are sound, but {durable_lines} lines, with entries up to {durable}, had been durable"
)]
pub struct Damage {
    /// The bad line, counted from one.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
    /// The last number before it.
    pub last_good: u64,
    /// The highest number that had been durable.
    pub durable: u64,
    /// How many lines had been durable.
    pub durable_lines: u64,
    /// What it had, as far as that can still be told.
    pub had: Had,
}

/// What a damaged log still tells of the entries that it had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Had {
    /// The highest number: it had been durable, or stands in some line that can be read.
    pub upto: u64,
    /// The chain at the numbers of lines that are sound by themselves.
    pub chains: BTreeMap<u64, ChainValue>,
}

/// A record as it was stored.
#[derive(Debug)]
pub enum StoredRecord {
    /// An entry of the log.
    Entry {
        /// Its members.
        fields: EntryFields,
        /// Its canonical text.
        text: Box<RawValue>,
        /// The chain at its number.
        chain: ChainValue,
        /// Number of the last entry of its commit.
        commit_end: u64,
    },
    /// A remembered answer.
    Answer(Remembered),
}

impl StoredRecord {
    /// The number of an entry; `None` for an answer.
    pub fn seq(&self) -> Option<u64> {
        match self {
            StoredRecord::Entry { fields, .. } => Some(fields.server_seq_num),
            StoredRecord::Answer(_) => None,
        }
    }
}

/// The first line makes no sense, so nothing behind it can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// It is not the first line of a log.
    #[error("the first line is no header of a {FORMAT}: {0}")]
    Unreadable(String),
    /// It was written by a later version of this program.
    #[error("the log has format version {0}, and this program reads up to {VERSION}; a newer liftrelay wrote it")]
    Newer(u32),
}

/// Reads a whole log.
///
/// # Errors
/// [`BadHeader`]; every other fault is described in the [`Scan`].
pub fn scan(bytes: &[u8]) -> Result<Scan, BadHeader> {
    let bytes = without_reserve(bytes);
    let mut lines = Lines { bytes, at: 0 };
    let (header, sum) = read_header(lines.next())?;
    let mut reader = Reader::behind(0, sum);
    reader.mark(lines.at, 1);
    let mut line_number = 1;
    let mut bad = None;
    let mut had = Had::default();
    while let Some(line) = lines.next() {
        line_number += 1;
        if let Err(what) = reader.line(&line) {
            (reader.durable, had) = told_by(std::iter::once(line).chain(lines), reader.durable);
            bad = Some((line_number, what));
            break;
        }
        reader.mark(lines.at, line_number);
    }
    Ok(reader.finish(header, bytes.len(), bad, had))
}

/// Reads only the first line of a log; `bytes` may end anywhere behind it.
///
/// # Errors
/// [`BadHeader`]
pub fn scan_header(bytes: &[u8]) -> Result<Header, BadHeader> {
    read_header(Lines { bytes: without_reserve(bytes), at: 0 }.next()).map(|(header, _)| header)
}

/// What a log whose first line cannot be read still tells.
pub fn had(bytes: &[u8]) -> Had {
    told_by(Lines { bytes, at: 0 }, Durable::default()).1
}

/// What lines behind a bad one still tell: what had been durable, and what there was.
fn told_by<'a>(lines: impl Iterator<Item = Line<'a>>, mut durable: Durable) -> (Durable, Had) {
    let (mut had, mut before) = (Had::default(), None);
    for line in lines {
        let (said, seq) = told_in(&line);
        durable = durable.max(said);
        had.upto = had.upto.max(seq);
        let sum = split_sum(line.text);
        if let (Some(before), Some((body, sum))) = (before, sum)
            && sum_fits(before, body, sum)
            && let Ok(AnyBody { chain: Some(chain), .. }) = serde_json::from_slice(line.text)
        {
            had.chains.insert(seq, chain);
        }
        before = sum.map(|(_, sum)| sum);
    }
    had.upto = had.upto.max(durable.seq);
    (durable, had)
}

/// The first line says what everything behind it is.
fn read_header(line: Option<Line>) -> Result<(Header, u32), BadHeader> {
    let unreadable = |what: &str| BadHeader::Unreadable(what.to_owned());
    let line = line.ok_or_else(|| unreadable("the file is empty"))?;
    // The version comes before the sum: a later version may sum in another way.
    if let Ok(version) = serde_json::from_slice::<AnyVersion>(line.text)
        && version.version > VERSION
    {
        return Err(BadHeader::Newer(version.version));
    }
    let (body, sum) = split_sum(line.text).ok_or_else(|| unreadable("it does not end with its sum"))?;
    if !line.ended || !sum_fits(0, body, sum) {
        return Err(unreadable("its sum does not fit"));
    }
    let header: Header = serde_json::from_slice(line.text).map_err(|error| unreadable(&error.to_string()))?;
    if header.format != FORMAT {
        return Err(unreadable(&format!("it says {:?}", header.format)));
    }
    Ok((header, sum))
}

#[derive(serde::Deserialize)]
struct AnyVersion {
    version: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// Whether a line feed ended it.
    ended: bool,
}

pub(super) struct Lines<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        // This reader knows the fast way to the next line feed, and memory does not fail.
        let length = { rest }.skip_until(b'\n').unwrap_or(rest.len());
        self.at += length;
        let text = rest[..length].strip_suffix(b"\n");
        Some(Line { text: text.unwrap_or(rest), ended: text.is_some() })
    }
}

/// What some line says was durable, and the number of its entry, whether or not the lines before it are sound.
/// A line feed that was lost runs lines together, so another one may begin wherever one could have ended.
fn told_in(line: &Line) -> (Durable, u64) {
    let ends = (0..line.text.len()).filter(|&at| split_sum(&line.text[..at]).is_some());
    let starts = std::iter::once(0).chain(ends.map(|end| end + 1));
    let told = starts.filter_map(|start| told_by_text(line.text.get(start..)?));
    told.fold((Durable::default(), 0), |(durable, highest), (said, seq)| (durable.max(said), highest.max(seq)))
}

fn told_by_text(text: &[u8]) -> Option<(Durable, u64)> {
    split_sum(text)?;
    let body: AnyBody = serde_json::from_slice(text).ok()?;
    let seq = body.entry.and_then(|entry| serde_json::from_str::<Numbered>(entry.get()).ok()).map_or(0, |entry| entry.server_seq_num);
    Some((body.durable(), seq))
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Numbered {
    pub(super) server_seq_num: u64,
}

/// The end of the last whole commit.
struct Mark {
    records: usize,
    bytes: usize,
    end: Encoder,
}

pub(super) struct Reader {
    pub(super) records: Vec<StoredRecord>,
    pub(super) sum: u32,
    seq: u64,
    whole: Mark,
    durable: Durable,
}

impl Reader {
    /// Goes on behind a commit, and behind a line with this sum.
    pub(super) fn behind(seq: u64, sum: u32) -> Reader {
        let whole = Mark { records: 0, bytes: 0, end: Encoder::default() };
        Reader { records: Vec::new(), sum, seq, whole, durable: Durable::default() }
    }

    pub(super) fn line(&mut self, line: &Line) -> Result<(), String> {
        if line.text.starts_with(b" ") {
            return Err("it begins with spaces, as in a copy that was made while it was written: copy the log once more".to_owned());
        }
        let (body, sum) = split_sum(line.text).ok_or("it does not end with its sum")?;
        if !line.ended {
            return Err("it does not end with a line feed".to_owned());
        }
        if !sum_fits(self.sum, body, sum) {
            return Err("its sum does not fit it and the line before".to_owned());
        }
        let (record, durable) = match exact::read(body) {
            Some(ExactLine { chain, commit_end, durable, fields, text }) => (self.entry(fields, text, chain, commit_end)?, durable),
            None => {
                let body: AnyBody = serde_json::from_slice(line.text).map_err(|error| error.to_string())?;
                let durable = body.durable();
                (self.record(body)?, durable)
            }
        };
        self.records.push(record);
        self.sum = sum;
        self.durable = self.durable.max(durable);
        Ok(())
    }

    fn record(&mut self, body: AnyBody) -> Result<StoredRecord, String> {
        match body {
            AnyBody { entry: Some(text), chain: Some(chain), commit_end: Some(commit_end), answer: None, .. } => {
                let fields = serde_json::from_str(text.get()).map_err(|error| error.to_string())?;
                self.entry(fields, text, chain, commit_end)
            }
            AnyBody { entry: None, answer: Some(answer), .. } => Ok(StoredRecord::Answer(answer)),
            _ => Err("it holds neither an entry nor an answer".to_owned()),
        }
    }

    fn entry(&mut self, fields: EntryFields, text: &RawValue, chain: ChainValue, commit_end: u64) -> Result<StoredRecord, String> {
        let expected = self.seq + 1;
        if fields.server_seq_num != expected {
            return Err(format!("entry {} stands where entry {expected} belongs", fields.server_seq_num));
        }
        self.seq = expected;
        Ok(StoredRecord::Entry { fields, text: text.to_owned(), chain, commit_end })
    }

    /// Whether no commit is cut short.
    pub(super) fn is_whole(&self) -> bool {
        let entries = self.records[self.whole.records..].iter().rev();
        let mut last = entries.filter_map(|record| match record {
            StoredRecord::Entry { commit_end, .. } => Some(*commit_end),
            StoredRecord::Answer(_) => None,
        });
        last.next().is_none_or(|commit_end| commit_end == self.seq)
    }

    /// Remembers the place where everything before is whole.
    fn mark(&mut self, bytes: usize, line: u64) {
        if self.is_whole() {
            self.whole = Mark { records: self.records.len(), bytes, end: Encoder::after(line, bytes as u64, self.sum) };
        }
    }

    fn finish(mut self, header: Header, length: usize, bad: Option<(u64, String)>, mut had: Had) -> Scan {
        self.records.truncate(self.whole.records);
        let last_good = self.records.iter().rev().find_map(StoredRecord::seq).unwrap_or(0);
        let Durable { seq: durable, lines: durable_lines } = self.durable;
        let whole_lines = self.whole.end.lines();
        let rest = if length == self.whole.bytes {
            Rest::Nothing
        } else if durable > last_good || durable_lines > whole_lines {
            let (line, what) = bad.unwrap_or((whole_lines + 1, "its commit is cut short".to_owned()));
            had.upto = had.upto.max(durable).max(self.seq);
            Rest::Damage(Damage { line, what, last_good, durable, durable_lines, had })
        } else {
            Rest::TornTail { bytes: length - self.whole.bytes }
        };
        Scan { header, records: self.records, sound_bytes: self.whole.bytes, end: self.whole.end, rest }
    }
}
