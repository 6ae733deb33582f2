//! As much of HTTP/2 (RFC 9113) as one stream on a connection of its own takes: what a browser's end does, at the price of one look
//! at each frame.

use super::Measured;
use super::crowd::Ear;
use super::reader::{self, Reader};

/// What TLS calls it.
pub const ALPN: &[u8] = b"h2";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The only stream.
const STREAM: u32 = 1;
/// Bytes of a frame's own head.
const HEAD: usize = 9;
/// Bytes that may be on their way to a reader who has said nothing else; more are granted when half of them have come.
const WINDOW: u32 = 65_535;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// `:method: GET`, `:scheme: https` and `:status: 200`, as the static table has them (RFC 7541, appendix A).
const GET: u8 = 0x82;
const HTTPS: u8 = 0x87;
const OK: u8 = 0x88;
/// Places of names in that table.
const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const AUTHORIZATION: u8 = 23;

/// What a client says first: the preface, no settings of its own, and one request, given as HTTP/1 has it.
pub fn opening(request: &str) -> Measured<Vec<u8>> {
    let path = request.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).ok_or("a stream starts with GET")?;
    let mut block = vec![GET, HTTPS];
    literal(&mut block, PATH, path);
    for line in request.lines() {
        match line.split_once(": ") {
            Some(("Host", host)) => literal(&mut block, AUTHORITY, host),
            Some(("Authorization", token)) => literal(&mut block, AUTHORIZATION, token),
            _ => {}
        }
    }
    let mut out = PREFACE.to_vec();
    frame(&mut out, SETTINGS, 0, 0, &[]);
    frame(&mut out, HEADERS, END_STREAM | END_HEADERS, STREAM, &block);
    Ok(out)
}

/// A field that nobody is to remember, by the number of its name and with its text as it is (RFC 7541, 6.2.2).
fn literal(block: &mut Vec<u8>, name: u8, text: &str) {
    integer(block, 4, name.into());
    integer(block, 7, text.len());
    block.extend_from_slice(text.as_bytes());
}

/// A number that starts in the last `bits` of a byte, the others 0 (RFC 7541, 5.1).
fn integer(block: &mut Vec<u8>, bits: u32, number: usize) {
    let most = (1 << bits) - 1;
    if number < most {
        block.push(number as u8);
        return;
    }
    block.push(most as u8);
    let mut rest = number - most;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// One reader's end of its connection.
#[derive(Debug)]
pub struct Http2 {
    reader: Reader,
    /// The start of a frame whose end has not come.
    rest: Vec<u8>,
    /// Bytes that have come and were not granted again.
    taken: u32,
    is_answered: bool,
}

impl Http2 {
    pub fn new(reader: Reader) -> Http2 {
        Http2 { reader, rest: Vec::new(), taken: 0, is_answered: false }
    }

    /// Whether the request was granted.
    pub fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// Reads whole frames and puts into `out` what they are answered by; gives how many bytes they take.
    fn frames(&mut self, bytes: &[u8], out: &mut Vec<u8>, each: &mut dyn FnMut(u64)) -> Measured<usize> {
        let mut read = 0;
        while let Some(head) = bytes.get(read..read + HEAD) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some(payload) = bytes.get(read + HEAD..read + HEAD + length) else { break };
            self.frame(head[3], head[4], payload, out, each)?;
            read += HEAD + length;
        }
        Ok(read)
    }

    fn frame(&mut self, kind: u8, flags: u8, payload: &[u8], out: &mut Vec<u8>, each: &mut dyn FnMut(u64)) -> Measured<()> {
        match kind {
            DATA if flags & (PADDED | END_STREAM) == 0 => {
                self.reader.take(payload, each)?;
                self.grant(payload.len() as u32, out);
            }
            // A server says the status first.
            HEADERS if !self.is_answered && flags & (PADDED | END_STREAM) == 0 && payload.first() == Some(&OK) => self.is_answered = true,
            SETTINGS if flags & ACK == 0 => frame(out, SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => frame(out, PING, ACK, 0, payload),
            DATA | HEADERS | RST_STREAM | GOAWAY => return Err(format!("a frame of kind {kind}, {flags:x}: {payload:x?}").into()),
            _ => {}
        }
        Ok(())
    }

    /// Lets the server send as many bytes again, on the stream and on the connection, once that is worth two frames.
    fn grant(&mut self, bytes: u32, out: &mut Vec<u8>) {
        self.taken += bytes;
        if self.taken > WINDOW / 2 {
            frame(out, WINDOW_UPDATE, 0, 0, &self.taken.to_be_bytes());
            frame(out, WINDOW_UPDATE, 0, STREAM, &self.taken.to_be_bytes());
            self.taken = 0;
        }
    }
}

impl Ear for Http2 {
    fn hear(&mut self, piece: &[u8], each: &mut dyn FnMut(u64)) -> Measured<Option<Vec<u8>>> {
        let mut out = Vec::new();
        if self.rest.is_empty() {
            let read = self.frames(piece, &mut out, each)?;
            self.rest.extend_from_slice(&piece[read..]);
        } else {
            let mut whole = std::mem::take(&mut self.rest);
            whole.extend_from_slice(piece);
            let read = self.frames(&whole, &mut out, each)?;
            whole.drain(..read);
            self.rest = whole;
        }
        Ok((!out.is_empty()).then_some(out))
    }
}

/// Sees that a reader sees what comes in frames, however they are cut, and answers what has to be answered.
pub fn check() -> Measured<()> {
    let events: Vec<String> = (8..1_000).map(reader::sample).collect();
    let connection = |skipped: usize| {
        let mut sent = Vec::new();
        frame(&mut sent, SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 128]);
        frame(&mut sent, HEADERS, END_HEADERS, STREAM, &[OK]);
        frame(&mut sent, PING, 0, 0, &[7; 8]);
        events.iter().enumerate().filter(|(nth, _)| *nth != skipped).for_each(|(_, event)| {
            let (start, end) = event.as_bytes().split_at(event.len() / 2);
            frame(&mut sent, DATA, 0, STREAM, start);
            frame(&mut sent, DATA, 0, STREAM, end);
        });
        sent
    };
    let hear = |sent: &[u8], size: usize| {
        let (mut ear, mut seen, mut said) = (Http2::new(Reader::new(8)), 0, Vec::new());
        sent.chunks(size).try_for_each(|piece| {
            said.extend(ear.hear(piece, &mut |_| seen += 1)?.unwrap_or_default());
            Measured::Ok(())
        })?;
        Measured::Ok((seen, ear.is_answered(), said))
    };
    let (good, bad) = (connection(usize::MAX), connection(3));
    for size in [1, 2, 9, 10, 61, 1000, good.len()] {
        let (seen, is_answered, said) = hear(&good, size)?;
        let mut answers = Vec::new();
        frame(&mut answers, SETTINGS, ACK, 0, &[]);
        frame(&mut answers, PING, ACK, 0, &[7; 8]);
        // So many bytes are granted again once.
        let is_polite = said.starts_with(&answers) && said.len() == answers.len() + 2 * (HEAD + 4);
        if seen != events.len() || !is_answered || !is_polite || hear(&bad, size).is_ok() {
            return Err(format!("the reader of HTTP/2 is blind in pieces of {size} bytes").into());
        }
    }
    Ok(())
}
