//! The lines of `updates.json.log`: JSON, one record a line, readable in any text editor.
//!
//! ```text
//! {"chain":…,"createdAt":…,"format":"liftrelay-log","meetId":…,"nonce":…,"version":1,"sum":…}
//! {"chain":…,"commitEnd":2,"durable":0,"durableLines":1,"entry":{…},"sum":…}
//! {"answer":{…},"durable":2,"durableLines":3,"sum":…}
//! ```
//!
//! A log that was recovered from clients has `vouched` in place of `nonce`, which no client knows.
//!
//! `durable` is the highest number that was known to be on disk when the line was written, and
//! `durableLines` how many lines were, answers included: below them damage is told from a torn
//! tail. `sum` is a CRC-32 over the line and the sum before
//! it: lines that are missing, doubled, reordered or changed show, answers included.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::meet::chain::{ChainValue, ServerKey};
use crate::meet::entry::Entry;
use crate::meet::id::MeetId;
use crate::meet::outcome::{Record, Remembered};
use crate::meet::time::Timestamp;

/// Version of the format; a log of a higher one is refused.
pub const VERSION: u32 = 1;
/// What the first line of a log says it is.
pub const FORMAT: &str = "liftrelay-log";

/// The first line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// `chain(0)`.
    pub chain: ChainValue,
    /// When the meet was created.
    pub created_at: Timestamp,
    /// [`FORMAT`].
    pub format: String,
    /// The meet's nine digits.
    pub meet_id: String,
    /// From which `chain(0)` was made; lost where the log was recovered from clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// [`VERSION`].
    pub version: u32,
    /// In place of the nonce: what only the server's key makes of `chain(0)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched: Option<ChainValue>,
}

/// Sixteen random bytes, written in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce(#[serde(with = "hex::serde")] pub [u8; 16]);

impl Header {
    /// The first line of a new log.
    pub fn new(meet: MeetId, chain: ChainValue, nonce: [u8; 16], created_at: Timestamp) -> Header {
        Header { nonce: Some(Nonce(nonce)), ..Header::bare(meet, chain, created_at) }
    }

    /// The first line of a log that comes back from clients.
    pub fn recovered(meet: MeetId, chain: ChainValue, created_at: Timestamp, key: &ServerKey) -> Header {
        Header { vouched: Some(key.vouch(meet, &chain)), ..Header::bare(meet, chain, created_at) }
    }

    fn bare(meet: MeetId, chain: ChainValue, created_at: Timestamp) -> Header {
        Header { chain, created_at, format: FORMAT.to_owned(), meet_id: meet.digits(), nonce: None, version: VERSION, vouched: None }
    }

    /// Whether a server with this key has started the log.
    pub fn is_of(&self, key: &ServerKey, meet: MeetId) -> bool {
        match (&self.nonce, &self.vouched) {
            (Some(Nonce(nonce)), _) => key.chain_start(meet, nonce) == self.chain,
            (None, Some(vouched)) => key.vouch(meet, &self.chain) == *vouched,
            (None, None) => false,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerBody<'a> {
    answer: &'a Remembered,
    durable: u64,
    durable_lines: u64,
}

/// What is known to be on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durable {
    /// The highest number.
    pub seq: u64,
    /// How many lines, the first one included.
    pub lines: u64,
}

impl Durable {
    /// What either of two lines says.
    #[must_use]
    pub fn max(self, other: Durable) -> Durable {
        Durable { seq: self.seq.max(other.seq), lines: self.lines.max(other.lines) }
    }
}

/// Any line behind the first, as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnyBody<'a> {
    pub(super) chain: Option<ChainValue>,
    pub(super) commit_end: Option<u64>,
    durable: u64,
    durable_lines: u64,
    #[serde(borrow)]
    pub(super) entry: Option<&'a RawValue>,
    pub(super) answer: Option<Remembered>,
}

impl AnyBody<'_> {
    pub(super) fn durable(&self) -> Durable {
        Durable { seq: self.durable, lines: self.durable_lines }
    }
}

/// Writes lines, each summed with the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoder {
    sum: u32,
    lines: u64,
    bytes: u64,
}

impl Encoder {
    /// Goes on behind so many lines of so many bytes, the last of which has this sum.
    pub fn after(lines: u64, bytes: u64, sum: u32) -> Encoder {
        Encoder { sum, lines, bytes }
    }

    /// How many lines there are.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Where the log ends.
    pub fn end(&self) -> LogEnd {
        LogEnd { bytes: self.bytes, sum: self.sum }
    }

    /// Appends the first line of a log.
    pub fn header(&mut self, header: &Header, out: &mut Vec<u8>) {
        self.line(header, out);
    }

    /// Appends the line of a record, written while so much was known to be on disk.
    pub fn record(&mut self, record: &Record, durable: Durable, out: &mut Vec<u8>) {
        match record {
            Record::Entry { entry, commit_end } => self.entry(entry, *commit_end, durable, out),
            Record::Answer(answer) => self.line(&AnswerBody { answer, durable: durable.seq, durable_lines: durable.lines }, out),
        }
    }

    /// Written straight, for it is written once for each update.
    fn entry(&mut self, entry: &Entry, commit_end: u64, durable: Durable, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(b"{\"chain\":\"");
        entry.chain.with_hex(|chain| out.extend_from_slice(chain.as_bytes()));
        number(b"\",\"commitEnd\":", commit_end, out);
        number(b",\"durable\":", durable.seq, out);
        number(b",\"durableLines\":", durable.lines, out);
        out.extend_from_slice(b",\"entry\":");
        out.extend_from_slice(entry.text.as_bytes());
        self.sum_up(start, out);
    }

    #[expect(clippy::expect_used, reason = "strings, numbers and raw JSON always serialise")]
    fn line(&mut self, body: &impl Serialize, out: &mut Vec<u8>) {
        let start = out.len();
        serde_json::to_writer(&mut *out, body).expect("plain members");
        out.pop();
        self.sum_up(start, out);
    }

    /// Ends the line that starts there, its closing brace aside.
    fn sum_up(&mut self, start: usize, out: &mut Vec<u8>) {
        self.sum = sum(self.sum, &out[start..]);
        self.lines += 1;
        out.extend_from_slice(SUM_MEMBER.as_bytes());
        out.extend(self.sum.to_be_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit));
        out.extend_from_slice(b"\"}\n");
        self.bytes += (out.len() - start) as u64;
    }
}

/// Where a log ends: no line that is added, lost or changed leaves both as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnd {
    /// How long it is.
    pub bytes: u64,
    /// The sum of its last line, which tells of all lines before.
    pub sum: u32,
}

/// A whole log, and where it goes on. It takes its place at once, so every line may say that those before it are durable.
pub fn whole_log(header: &Header, records: &[Record]) -> (Vec<u8>, Encoder) {
    let (mut bytes, mut encoder, mut seq) = (Vec::new(), Encoder::default(), 0);
    encoder.header(header, &mut bytes);
    for record in records {
        encoder.record(record, Durable { seq, lines: encoder.lines() }, &mut bytes);
        if let Record::Entry { entry, .. } = record {
            seq = entry.seq();
        }
    }
    (bytes, encoder)
}

const SUM_MEMBER: &str = ",\"sum\":\"";
/// Bytes of `,"sum":"01234567"}` at the end of every line.
const SUM_BYTES: usize = SUM_MEMBER.len() + 10;

/// Appends a name and its number.
fn number(name: &[u8], number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn hex_digit(worth: u8) -> u8 {
    b"0123456789abcdef"[usize::from(worth)]
}

fn sum(before: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&before.to_be_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// A line without its line feed, taken apart: what is summed, and the sum.
/// `None` where the line does not end as every line does.
pub(super) fn split_sum(line: &[u8]) -> Option<(&[u8], u32)> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(SUM_BYTES)?)?;
    let digits = std::str::from_utf8(tail).ok()?.strip_prefix(SUM_MEMBER)?.strip_suffix("\"}")?;
    let written_so = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let sum = u32::from_str_radix(digits, 16).ok().filter(|_| written_so)?;
    Some((body, sum))
}

/// Whether a line's sum fits the line and the sum before it.
pub(super) fn sum_fits(before: u32, body: &[u8], found: u32) -> bool {
    sum(before, body) == found
}
