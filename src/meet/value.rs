//! JSON values as the log keeps them: numbers are doubles, and the text form is RFC 8785 (JSON Canonicalization Scheme).

use std::borrow::{Borrow, Cow};
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use sha2::{Digest, Sha256};

use super::key::{FORBIDDEN_NAME, Segment};
use super::limits::{NESTING_MAX, VALUE_MAX_BYTES};
use super::members::Members;

/// A JSON value. Two are equal when their canonical texts are.
///
/// ```
/// use liftrelay::meet::value::Value;
///
/// let value = Value::parse(r#"{ "name": "Erin", "lot": 4.0 }"#)?;
/// assert_eq!(value.canonical(), r#"{"lot":4,"name":"Erin"}"#);
/// assert_eq!(Value::parse("12.50")?, Value::Number(12.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, a value like any other.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite double, never `-0` (canonical JSON has only one zero).
    Number(f64),
    /// Text.
    String(Box<str>),
    /// A list.
    Array(Vec<Value>),
    /// Members by name.
    Object(Object),
}

/// The members of an object.
pub type Object = Members<Value>;

/// Why a text is no value that the log takes; the text says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(String);

impl Value {
    /// Reads a value from JSON text.
    ///
    /// # Errors
    /// Text that is not JSON or holds a lone surrogate, a number outside the range of doubles,
    /// a 64-bit integer that neither equals a double nor is its canonical text, an object that names a member twice or names
    /// `__proto__`, nesting deeper than [`NESTING_MAX`], a canonical form longer than
    /// [`VALUE_MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Value, InvalidValue> {
        Value::parse_and_write(text).map(|(value, _)| value)
    }

    /// As [`Value::parse`], with the canonical text, which is written to see how long it is.
    pub(super) fn parse_and_write(text: &str) -> Result<(Value, Cow<'_, str>), InvalidValue> {
        if let Some(number) = small_number(text) {
            return Ok((Value::Number(number), Cow::Borrowed(text)));
        }
        let value = Value::parse_unbounded(text)?;
        let mut canonical = String::with_capacity(text.len());
        value.write_canonical(&mut canonical);
        let bytes = canonical.len();
        if bytes > VALUE_MAX_BYTES {
            return Err(InvalidValue(format!(
                "the value has {bytes} bytes; at most {VALUE_MAX_BYTES} are taken, so split it into several keys"
            )));
        }
        Ok((value, Cow::Owned(canonical)))
    }

    /// As [`Value::parse`], for text of any length (a whole state).
    ///
    /// # Errors
    /// As [`Value::parse`], length aside.
    pub fn parse_unbounded(text: &str) -> Result<Value, InvalidValue> {
        let mut input = serde_json::Deserializer::from_str(text);
        Nested { depth: 0 }
            .deserialize(&mut input)
            .and_then(|value| input.end().map(|()| value))
            .map_err(|error| InvalidValue(without_position(&error.to_string())))
    }

    /// What stands at `path` inside this value; `None` where nothing does or a scalar is in the way.
    pub fn get<S: Borrow<Segment>>(&self, path: &[S]) -> Option<&Value> {
        path.iter().map(Borrow::borrow).try_fold(self, |value, segment| match value {
            Value::Object(members) => members.get(segment),
            Value::Array(items) => items.get(segment.index()?),
            _ => None,
        })
    }

    /// The canonical text (RFC 8785): the same on every platform for equal values.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write_canonical(&mut out);
        out
    }

    /// Appends the canonical text to `out`.
    pub fn write_canonical(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(number) => out.push_str(ryu_js::Buffer::new().format_finite(*number)),
            Value::String(text) => write_text(text, out),
            Value::Array(items) => {
                out.push('[');
                separated(items, out, |item, out| item.write_canonical(out));
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                separated(members.in_order(), out, |(name, value), out| {
                    write_text(name.as_str(), out);
                    out.push(':');
                    value.write_canonical(out);
                });
                out.push('}');
            }
        }
    }
}

fn separated<T>(items: impl IntoIterator<Item = T>, out: &mut String, write: impl Fn(T, &mut String)) {
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write(item, out);
    }
}

/// What text says that is nothing but up to 15 digits: a double holds that, and it is its own canonical text. Attempts, lots and
/// classes are such numbers.
fn small_number(text: &str) -> Option<f64> {
    let is_plain = text == "0" || !text.starts_with('0');
    let is_small = (1..=15).contains(&text.len()) && is_plain && text.bytes().all(|byte| byte.is_ascii_digit());
    is_small.then(|| text.bytes().fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0')) as f64)
}

/// Appends `text` as a JSON string with RFC 8785's escapes (section 3.2.2.2).
pub fn write_text(text: &str, out: &mut String) {
    let mut rest = text;
    out.push('"');
    // What is escaped is ASCII, so a byte tells: no part of another character is one of these.
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.push_str(&rest[..at]);
        write_escape(rest.as_bytes()[at], out);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

fn write_escape(special: u8, out: &mut String) {
    match special {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        8 => out.push_str("\\b"),
        b'\t' => out.push_str("\\t"),
        b'\n' => out.push_str("\\n"),
        12 => out.push_str("\\f"),
        b'\r' => out.push_str("\\r"),
        control => out.push_str(&format!("\\u{control:04x}")),
    }
}

/// Lower-case hex SHA-256 of a canonical text: a `stateHash`.
pub fn hash_hex(canonical: &str) -> String {
    hex::encode(Sha256::digest(canonical.as_bytes()))
}

/// A value has no lines and columns that its sender would know.
fn without_position(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    // This is how the JSON reader speaks of half a surrogate pair.
    if message.ends_with("hex escape") || message.contains("surrogate") {
        return "a \\u escape is no character by itself (a lone surrogate); send the character in UTF-8".to_owned();
    }
    message.to_owned()
}

/// Reads a value that stands `depth` containers deep.
#[derive(Clone, Copy)]
struct Nested {
    depth: usize,
}

impl Nested {
    fn deeper<E: serde::de::Error>(self) -> Result<Nested, E> {
        if self.depth == NESTING_MAX {
            return Err(E::custom(format!("the value nests deeper than {NESTING_MAX} levels")));
        }
        Ok(Nested { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        exact(value as f64, i128::from(value))
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        exact(value as f64, i128::from(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(if value == 0.0 { 0.0 } else { value }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = input.next_element_seed(deeper)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut members = Vec::new();
        while let Some(name) = input.next_key::<String>()? {
            if name == FORBIDDEN_NAME {
                return Err(A::Error::custom(format!("no object may name {FORBIDDEN_NAME}")));
            }
            members.push((Segment::from(name.as_str()), input.next_value_seed(deeper)?));
        }
        let members = Object::collect(members);
        members.map(Value::Object).map_err(|name| A::Error::custom(format!("an object names {:?} twice", name.as_str())))
    }
}

/// An integer that a double cannot hold would come back changed, so it is refused. Above 2^53 the canonical text of a double has
/// zeros in place of the last digits, and is therefore another integer: it names that double all the same.
fn exact<E: serde::de::Error>(double: f64, integer: i128) -> Result<Value, E> {
    if double as i128 == integer || ryu_js::Buffer::new().format_finite(double) == integer.to_string() {
        return Ok(Value::Number(double));
    }
    Err(E::custom(format!("{integer} is no double and would be changed; send it as a string")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Value::parse(text).unwrap().canonical()
    }

    /// RFC 8785, section 3.2.2 and 3.2.3: the document's own samples.
    #[test]
    fn rfc_8785_samples() {
        let sample = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        assert_eq!(
            canonical(sample),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        let sorting = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        assert_eq!(
            canonical(sorting),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        );
    }

    /// RFC 8785, appendix B: doubles by their bits and the text they get.
    #[test]
    fn rfc_8785_numbers() {
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(Value::Number(f64::from_bits(bits)).canonical(), text);
            assert_eq!(canonical(text), text);
        }
    }

    #[test]
    fn equal_numbers_are_equal_values() {
        assert_eq!(Value::parse("180"), Value::parse("180.0"));
        assert_eq!(Value::parse("0"), Value::parse("-0"));
        assert_eq!(Value::parse("0"), Value::parse("-0.0"));
        assert_eq!(canonical("83.00740377960923"), "83.00740377960923");
        assert_eq!(canonical("9007199254740992"), "9007199254740992");
    }

    #[test]
    fn canonical_text_of_every_double_is_taken_and_stays() {
        for (text, same) in [
            ("90087199254740992", "90087199254741000"),
            ("-90087199254740992", "-90087199254741000"),
            ("72057594037927952", "72057594037927950"),
            ("18446744073709549568", "18446744073709550000"),
            ("9223372036854775808", "9223372036854776000"),
        ] {
            assert_eq!((canonical(text).as_str(), canonical(same).as_str()), (same, same));
            assert_eq!(Value::parse(text), Value::parse(same));
        }
        for exponent in 0x3ff..0x442_u64 {
            for fraction in [0, 1, 0x8_0000_0000_0001, 0xf_ffff_ffff_ffff] {
                let value = Value::Number(f64::from_bits(exponent << 52 | fraction));
                assert_eq!(Value::parse(&value.canonical()), Ok(value));
            }
        }
    }

    #[test]
    fn small_numbers_are_read_as_all_others() {
        for text in
            ["0", "1", "17", "180", "999999999999999", "1000000000000000", "9007199254740992", "00", "017", "1.5", "1e3", "-1", " 1", ""]
        {
            let slowly = Value::parse_unbounded(text).map(|value| (value.clone(), Cow::Owned(value.canonical())));
            assert_eq!(Value::parse_and_write(text), slowly, "{text}");
        }
    }

    #[test]
    fn what_would_be_changed_or_misread_is_refused() {
        for (text, says) in [
            ("9007199254740993", "no double"),
            ("90087199254740993", "no double"),
            ("90087199254741001", "no double"),
            ("1e400", "out of range"),
            ("\"\\ud800\"", "surrogate"),
            ("{\"a\":1,\"a\":2}", "twice"),
            ("{\"__proto__\":1}", "__proto__"),
            ("{\"a\":[{\"\\u005f_proto__\":1}]}", "__proto__"),
            ("1 2", "trailing"),
            ("", "EOF"),
            ("NaN", "expected"),
        ] {
            let error = Value::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn nesting_and_size_have_bounds() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Value::parse(&nested(NESTING_MAX)).is_ok());
        assert!(Value::parse(&nested(NESTING_MAX + 1)).unwrap_err().0.contains("64 levels"));
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        assert!(Value::parse(&text(VALUE_MAX_BYTES)).is_ok());
        assert!(Value::parse(&text(VALUE_MAX_BYTES + 1)).unwrap_err().0.contains("262144"));
    }
}
