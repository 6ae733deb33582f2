//! The keyed chain over a log, and the cursors that name a place in it.
//!
//! `chain(n) = HMAC-SHA256(serverKey, chain(n-1) ‖ JCS(entry n))` (wire contract, section 1):
//! who shows a chain value holds the same history up to there, and only this server's key makes one.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

use super::entry::write_number;
use super::id::MeetId;
use super::limits::SEQ_END;

/// The secret of a server, from which chains come and tickets are sealed. 32 bytes.
#[derive(Clone)]
pub struct ServerKey {
    bytes: [u8; 32],
    /// The keyed start of every computation, so that the key is expanded once.
    mac: Hmac<Sha256>,
}

impl ServerKey {
    /// A key from random bytes.
    pub fn new(bytes: [u8; 32]) -> ServerKey {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&bytes);
        ServerKey { bytes, mac: Hmac::new(&block.into()) }
    }

    /// `chain(0)` of a meet: bound to its id and to a random nonce.
    pub fn chain_start(&self, meet: MeetId, nonce: &[u8; 16]) -> ChainValue {
        self.mac(&[b"liftrelay chain 0", meet.digits().as_bytes(), nonce])
    }

    /// Shows that a `chain(0)` whose nonce is lost was this server's.
    pub fn vouch(&self, meet: MeetId, start: &ChainValue) -> ChainValue {
        self.mac(&[b"liftrelay vouches for chain 0", meet.digits().as_bytes(), &start.0])
    }

    /// Shows that this server made a checkpoint of a meet.
    pub fn seal(&self, meet: MeetId, checkpoint: &[u8]) -> ChainValue {
        ServerKey::new(self.derive("checkpoints")).mac(&[meet.digits().as_bytes(), checkpoint])
    }

    /// `chain(n)` from `chain(n-1)` and the canonical text of entry n.
    pub fn chain_next(&self, previous: &ChainValue, entry: &str) -> ChainValue {
        self.mac(&[&previous.0, entry.as_bytes()])
    }

    /// A key for another purpose, from which this one cannot be told.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(&[b"liftrelay key for ", purpose.as_bytes()]).0
    }

    /// The bytes, for the key's file.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    fn mac(&self, parts: &[&[u8]]) -> ChainValue {
        let mut mac = self.mac.clone();
        parts.iter().for_each(|part| mac.update(part));
        ChainValue(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("ServerKey(secret)")
    }
}

/// The chain at one number. Written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainValue([u8; 32]);

impl ChainValue {
    /// The part of the value that a cursor shows.
    pub fn tag(&self) -> ChainTag {
        let [a, b, c, d, ..] = self.0;
        ChainTag([a, b, c, d])
    }

    /// Writes 64 hex digits, once for each line of a log.
    pub(crate) fn with_hex<T>(&self, then: impl FnOnce(&str) -> T) -> T {
        let mut digits = [0; 64];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.0) {
            *pair = hex_pair(byte);
        }
        then(std::str::from_utf8(&digits).unwrap_or_default())
    }

    /// Reads 64 hex digits, once for each line of a log: a general decoder takes as long as the HMAC itself.
    pub(crate) fn from_hex(text: &str) -> Option<ChainValue> {
        let (mut bytes, mut all) = ([0; 32], 0);
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        if pairs.len() != bytes.len() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = (HEX[usize::from(*high)], HEX[usize::from(*low)]);
            all |= high | low;
            *byte = high << 4 | low & 15;
        }
        (all < 16).then_some(ChainValue(bytes))
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hex_pair(byte: u8) -> [u8; 2] {
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// What a byte is worth as a hex digit; at least 16 where it is none.
const HEX: [u8; 256] = {
    let mut worth = [u8::MAX; 256];
    let (mut digit, lower, upper) = (0, DIGITS, b"0123456789ABCDEF");
    while digit < 16 {
        worth[lower[digit] as usize] = digit as u8;
        worth[upper[digit] as usize] = digit as u8;
        digit += 1;
    }
    worth
};

impl fmt::Display for ChainValue {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.with_hex(|text| f.write_str(text))
    }
}

impl fmt::Debug for ChainValue {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ChainValue {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.with_hex(|text| out.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for ChainValue {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<str>>::deserialize(input)?;
        ChainValue::from_hex(&text).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"64 hex digits"))
    }
}

/// The first four bytes of a [`ChainValue`]. Written as eight hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainTag([u8; 4]);

/// A place in a log as clients name it: `<serverSeqNum>-<8 hex of the chain there>`, or a bare number.
///
/// ```
/// use liftrelay::meet::chain::Cursor;
///
/// let cursor: Cursor = "431-9f3ac2d1".parse()?;
/// assert_eq!((cursor.seq, cursor.to_string()), (431, "431-9f3ac2d1".to_owned()));
/// assert_eq!("0".parse::<Cursor>()?, Cursor::START);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last entry that its holder has.
    pub seq: u64,
    /// What the holder believes the chain to be there; a bare number does not say.
    pub tag: Option<ChainTag>,
}

impl Cursor {
    /// The start of every log, with nothing said about its chain.
    pub const START: Cursor = Cursor { seq: 0, tag: None };

    /// The cursor at `seq`, where the chain is `chain`.
    pub fn at(seq: u64, chain: &ChainValue) -> Cursor {
        Cursor { seq, tag: Some(chain.tag()) }
    }

    /// Appends its text.
    pub(crate) fn write(&self, out: &mut String) {
        write_number(self.seq, out);
        if let Some(ChainTag(tag)) = self.tag {
            out.push('-');
            tag.map(hex_pair).iter().flatten().for_each(|digit| out.push(char::from(*digit)));
        }
    }
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is a number from 0 to 9007199254740991, alone or followed by a hyphen and eight hex digits, as in 431-9f3ac2d1")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (number, tag) = match text.split_once('-') {
            Some((number, tag)) => (number, Some(tag)),
            None => (text, None),
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidCursor);
        }
        let seq = number.parse().ok().filter(|&seq| seq < SEQ_END).ok_or(InvalidCursor)?;
        let tag = tag.map(|tag| {
            let mut bytes = [0; 4];
            hex::decode_to_slice(tag, &mut bytes).map(|()| ChainTag(bytes)).map_err(|_| InvalidCursor)
        });
        Ok(Cursor { seq, tag: tag.transpose()? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut text = String::with_capacity(29);
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

/// A number or a string.
impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Cursor, D::Error> {
        struct CursorVisitor;
        impl Visitor<'_> for CursorVisitor {
            type Value = Cursor;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a cursor such as 431 or \"431-9f3ac2d1\"")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Cursor, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Cursor, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Cursor, E> {
                text.parse().map_err(E::custom)
            }
        }
        input.deserialize_any(CursorVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ServerKey {
        ServerKey::new([byte; 32])
    }

    #[test]
    fn the_chain_depends_on_key_meet_nonce_order_and_content() {
        let meet = MeetId::from_random(1);
        let start = key(1).chain_start(meet, &[7; 16]);
        assert_ne!(start, key(2).chain_start(meet, &[7; 16]));
        assert_ne!(start, key(1).chain_start(MeetId::from_random(2), &[7; 16]));
        assert_ne!(start, key(1).chain_start(meet, &[8; 16]));
        let vouched = key(1).vouch(meet, &start);
        assert_ne!(vouched, key(2).vouch(meet, &start));
        assert_ne!(vouched, key(1).vouch(MeetId::from_random(2), &start));
        let two = |a, b| key(1).chain_next(&key(1).chain_next(&start, a), b);
        assert_eq!(two("x", "y"), two("x", "y"));
        assert_ne!(two("x", "y"), two("y", "x"));
        assert_ne!(two("x", "y"), two("xy", ""));
    }

    #[test]
    fn a_chain_is_64_hex_digits_and_nothing_else() {
        let chain = key(1).chain_start(MeetId::from_random(1), &[7; 16]);
        let text = chain.to_string();
        assert_eq!(ChainValue::from_hex(&text), Some(chain));
        assert_eq!(ChainValue::from_hex(&text.to_uppercase()), Some(chain));
        for at in 0..text.len() {
            for wrong in ["", "g", "/", ":", "@", "G", "`", " ", "00", "é"] {
                assert_eq!(ChainValue::from_hex(&format!("{}{wrong}{}", &text[..at], &text[at + 1..])), None, "{at} {wrong:?}");
            }
        }
    }

    #[test]
    fn cursors_round_trip_and_bare_numbers_count() {
        let cursor: Cursor = "431-9f3ac2d1".parse().unwrap();
        assert_eq!((cursor.seq, cursor.to_string().as_str()), (431, "431-9f3ac2d1"));
        assert_eq!("0".parse(), Ok(Cursor::START));
        assert_eq!("9007199254740991".parse::<Cursor>().unwrap().seq, SEQ_END - 1);
        for text in ["", "-", "431-", "431-9f3ac2d", "431-9f3ac2d1a", "431-zzzzzzzz", "-1", "+1", "1.0", "9007199254740992", "١"] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
