//! Keys: where in a meet's state an update applies.
//!
//! Grammar (wire contract, section 4): `name`, `.name`, `[digits]` or `["any text"]` in a row.
//! `[7]`, `.7` and `["7"]` are the same segment; every key has one canonical form, and all
//! comparisons happen on that.

use std::cmp::Ordering;
use std::fmt;

use ecow::EcoString;

use super::limits::{KEY_MAX_BYTES, KEY_MAX_SEGMENTS};
use super::value::write_text;

/// The one name that no key and no value may hold: assigning it changes what a JavaScript object is.
pub const FORBIDDEN_NAME: &str = "__proto__";

/// One step of a key, and the name of an object's member.
///
/// Ordered by UTF-16 code units, which is the order of members in canonical JSON (RFC 8785). Up to fifteen bytes stand
/// in the segment itself, so that comparing it looks at no other memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Segment(EcoString);

impl Segment {
    /// The text of the segment.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The position in an array that this segment names: digits without a leading zero.
    pub fn index(&self) -> Option<usize> {
        if is_index(&self.0) { self.0.parse().ok() } else { None }
    }

    /// Whether the segment could name a position in some array, however long.
    pub fn is_index(&self) -> bool {
        is_index(&self.0)
    }
}

impl From<&str> for Segment {
    fn from(text: &str) -> Self {
        Segment(text.into())
    }
}

impl Ord for Segment {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        // Byte by byte: most names are so short that a call for all of them at once takes longer.
        let Some((a, b)) = a.iter().zip(b).find(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
        // Bytes of UTF-8 have the order of code units but for this: what takes two units comes before U+E000 to U+FFFF.
        if *a.min(b) >= 0xee && (*a >= 0xf0) != (*b >= 0xf0) { b.cmp(a) } else { a.cmp(b) }
    }
}

impl PartialOrd for Segment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn is_index(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

/// Names are ASCII, so a byte tells: no part of another character is one of these.
fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES[usize::from(byte)]
}

const NAME_BYTES: [bool; 256] = {
    let (mut is_one, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        is_one[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-');
        byte += 1;
    }
    is_one
};

/// A key: at least one segment, with its canonical text.
///
/// ```
/// use liftrelay::meet::key::Key;
///
/// let key = Key::parse(r#"registration["entries"][5003].name"#)?;
/// assert_eq!(key.as_str(), "registration.entries[5003].name");
/// assert!(key.overlaps(&Key::parse("registration")?));
/// assert!(Key::parse("registration..name").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    text: String,
    segments: Box<[Segment]>,
}

/// Why a text is no key; says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Nothing there.
    #[error("the key is empty; name at least one member, for example meet.name")]
    Empty,
    /// A character where none of the four forms can go on.
    #[error(
        "unexpected {found} at character {position}; a key is name, .name, [digits] or [\"any text\"] in a row, for example registration.entries[5003].squatKg[0]"
    )]
    Unexpected {
        /// What stands there, quoted, or "end".
        found: String,
        /// Counted from one.
        position: usize,
    },
    /// A bracket that is not closed, or whose text is no JSON string.
    #[error("the bracket at character {position} holds neither digits nor a JSON string and a closing bracket")]
    Bracket {
        /// Counted from one.
        position: usize,
    },
    /// `__proto__`.
    #[error("no key may name {FORBIDDEN_NAME}")]
    Forbidden,
    /// Longer than [`KEY_MAX_BYTES`] in canonical form.
    #[error("the key has {0} bytes in canonical form; at most {KEY_MAX_BYTES} are taken")]
    TooLong(usize),
    /// More than [`KEY_MAX_SEGMENTS`].
    #[error("the key has more than {KEY_MAX_SEGMENTS} segments")]
    TooManySegments,
}

impl Key {
    /// Reads a key in any of its spellings.
    ///
    /// # Errors
    /// See [`InvalidKey`].
    pub fn parse(text: &str) -> Result<Key, InvalidKey> {
        let mut scanner = Scanner::new(text);
        // As many as there can be: every segment but the first begins with one of the two.
        let beginnings = text.bytes().filter(|byte| matches!(byte, b'.' | b'[')).take(KEY_MAX_SEGMENTS).count();
        let mut segments = Vec::with_capacity(beginnings + 1);
        while !scanner.rest().is_empty() || segments.is_empty() {
            if segments.len() == KEY_MAX_SEGMENTS {
                return Err(InvalidKey::TooManySegments);
            }
            segments.push(scanner.segment(segments.is_empty())?);
        }
        if scanner.is_canonical { Key::checked(text.to_owned(), segments) } else { Key::from_segments(segments) }
    }

    fn from_segments(segments: Vec<Segment>) -> Result<Key, InvalidKey> {
        let mut text = String::with_capacity(segments.iter().map(|segment| segment.as_str().len() + 2).sum());
        segments.iter().for_each(|segment| write_segment(segment, &mut text));
        Key::checked(text, segments)
    }

    /// From the canonical text and the segments that it names.
    fn checked(text: String, segments: Vec<Segment>) -> Result<Key, InvalidKey> {
        if segments.iter().any(|segment| segment.as_str() == FORBIDDEN_NAME) {
            return Err(InvalidKey::Forbidden);
        }
        if text.len() > KEY_MAX_BYTES {
            return Err(InvalidKey::TooLong(text.len()));
        }
        Ok(Key { text, segments: segments.into() })
    }

    /// The canonical form, as relayed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The steps from the top of the state.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The key's first `depth` segments; `None` for none of them.
    pub fn above(&self, depth: usize) -> Option<Key> {
        Key::from_segments(self.segments.get(..depth).filter(|segments| !segments.is_empty())?.to_vec()).ok()
    }

    /// Whether the two are equal or one is an ancestor of the other.
    pub fn overlaps(&self, other: &Key) -> bool {
        overlap(&self.text, &other.text)
    }
}

/// [`Key::overlaps`] on canonical texts: one must go on where the other ends.
pub fn overlap(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn write_segment(segment: &Segment, out: &mut String) {
    let text = segment.as_str();
    if is_index(text) {
        out.push('[');
        out.push_str(text);
        out.push(']');
    } else if !text.is_empty() && text.bytes().all(is_name_byte) {
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(text);
    } else {
        out.push('[');
        write_text(text, out);
        out.push(']');
    }
}

/// Reads segments one after another; patterns of private paths use it too.
pub(super) struct Scanner<'a> {
    text: &'a str,
    pub(super) at: usize,
    /// Whether all segments up to here are surely spelled as in the canonical form.
    is_canonical: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0, is_canonical: true }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn position(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    pub(super) fn segment(&mut self, first: bool) -> Result<Segment, InvalidKey> {
        match self.rest().bytes().next() {
            None if first => Err(InvalidKey::Empty),
            Some(b'[') => self.bracket().ok_or_else(|| InvalidKey::Bracket { position: self.position() }),
            Some(b'.') if !first => {
                self.at += 1;
                self.name()
            }
            Some(byte) if first && is_name_byte(byte) => self.name(),
            _ => Err(self.unexpected()),
        }
    }

    fn unexpected(&self) -> InvalidKey {
        let found = self.rest().chars().next().map_or("end".to_owned(), |c| format!("{c:?}"));
        InvalidKey::Unexpected { found, position: self.position() }
    }

    fn name(&mut self) -> Result<Segment, InvalidKey> {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !is_name_byte(byte)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.unexpected());
        }
        self.at += end;
        self.is_canonical &= !is_index(&rest[..end]);
        Ok(Segment::from(&rest[..end]))
    }

    /// `None`, and nothing is read, where it holds neither digits nor a JSON string.
    fn bracket(&mut self) -> Option<Segment> {
        let inside = &self.rest()[1..];
        let is_text = inside.starts_with('"');
        let end = if is_text { string_end(inside) } else { inside.bytes().position(|byte| !byte.is_ascii_digit()) }?;
        let text = &inside[..end];
        if text.is_empty() || !inside[end..].starts_with(']') {
            return None;
        }
        let segment = if is_text { serde_json::from_str::<String>(text).ok()?.as_str().into() } else { text.into() };
        self.is_canonical &= is_index(text);
        self.at += end + 2;
        Some(segment)
    }
}

/// The byte behind the closing quote of the JSON string that `text` starts with.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        Key::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
    }

    #[test]
    fn every_spelling_has_one_canonical_form() {
        for (text, form) in [
            ("meet.name", "meet.name"),
            ("registration.entries[5003].squatKg[0]", "registration.entries[5003].squatKg[0]"),
            ("registration.entries.5003.squatKg.0", "registration.entries[5003].squatKg[0]"),
            ("registration[\"entries\"][\"5003\"]", "registration.entries[5003]"),
            ("a[\"x y\"]", "a[\"x y\"]"),
            ("a[\"\\u00e9\\n\"]", "a[\"é\\n\"]"),
            ("a[\"]\"].b", "a[\"]\"].b"),
            ("a[007]", "a.007"),
            ("7.a", "[7].a"),
            ("[\"7\"]", "[7]"),
            ("$a-b_c", "$a-b_c"),
            ("[\"\"]", "[\"\"]"),
            ("fooState.property.array[3]", "fooState.property.array[3]"),
        ] {
            assert_eq!(canonical(text), form);
            assert_eq!(canonical(form), form);
        }
    }

    #[test]
    fn what_is_no_key_is_told_why() {
        for (text, says) in [
            ("", "empty"),
            (".a", "character 1"),
            ("a.", "end at character 3"),
            ("a..b", "character 3"),
            ("a b", "' ' at character 2"),
            ("é", "character 1"),
            ("a[", "bracket at character 2"),
            ("a[]", "bracket"),
            ("a[-1]", "bracket"),
            ("a[1.5]", "bracket"),
            ("a[١]", "bracket"),
            ("a[\"x]", "bracket"),
            ("a[\"\\ud800\"]", "bracket"),
            ("a[*]", "bracket"),
            ("a[0]b", "'b' at character 5"),
            ("__proto__", "__proto__"),
            ("a[\"__proto__\"].b", "__proto__"),
            ("a[\"\\u005f_proto__\"]", "__proto__"),
        ] {
            let error = Key::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn length_and_depth_have_bounds() {
        assert!(Key::parse(&"x".repeat(KEY_MAX_BYTES)).is_ok());
        assert_eq!(Key::parse(&"x".repeat(KEY_MAX_BYTES + 1)), Err(InvalidKey::TooLong(KEY_MAX_BYTES + 1)));
        let deep = |segments: usize| vec!["a"; segments].join(".");
        assert!(Key::parse(&deep(KEY_MAX_SEGMENTS)).is_ok());
        assert_eq!(Key::parse(&deep(KEY_MAX_SEGMENTS + 1)), Err(InvalidKey::TooManySegments));
    }

    #[test]
    fn overlap_is_equality_or_ancestry() {
        let overlaps = |a: &str, b: &str| Key::parse(a).unwrap().overlaps(&Key::parse(b).unwrap());
        assert!(overlaps("a.b", "a.b"));
        assert!(overlaps("a", "a.b[3]"));
        assert!(overlaps("a[5].x", "a.5"));
        assert!(!overlaps("a.b", "a.bc"));
        assert!(!overlaps("a[5]", "a[50]"));
        assert!(!overlaps("a.b", "a.c"));
        assert!(!overlaps("a", "b.a"));
    }

    proptest! {
        #[test]
        fn segments_have_the_order_of_utf_16(a in "[ab]{0,2}\\PC{0,2}|[é\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,3}", b in "[ab]{0,2}\\PC{0,2}|[é\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,3}") {
            let order = Segment::from(a.as_str()).cmp(&Segment::from(b.as_str()));
            prop_assert_eq!(order, a.encode_utf16().cmp(b.encode_utf16()));
        }

        #[test]
        fn canonical_forms_round_trip(segments in prop::collection::vec(".{0,12}|[0-9]{1,6}|[a-z]{1,5}", 1..8)) {
            let segments: Vec<Segment> = segments.iter().map(|s| Segment::from(s.as_str())).collect();
            prop_assume!(segments.iter().all(|s| s.as_str() != FORBIDDEN_NAME));
            let key = Key::from_segments(segments).unwrap();
            prop_assert_eq!(&Key::parse(key.as_str()).unwrap(), &key);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}|[a\\[\\]\".0-9\\\\]{0,20}") {
            if let Ok(key) = Key::parse(&text) {
                prop_assert_eq!(Key::parse(key.as_str()), Ok(key.clone()));
            }
        }

        #[test]
        fn text_overlap_agrees_with_segments(a in prop::collection::vec("[ab]|[0-9]|\\[", 1..4), b in prop::collection::vec("[ab]|[0-9]|\\[", 1..4)) {
            let key = |parts: &[String]| Key::from_segments(parts.iter().map(|s| Segment::from(s.as_str())).collect()).unwrap();
            let (a, b) = (key(&a), key(&b));
            let shared = a.segments().iter().zip(b.segments()).take_while(|(x, y)| x == y).count();
            prop_assert_eq!(a.overlaps(&b), shared == a.segments().len().min(b.segments().len()));
        }
    }
}
