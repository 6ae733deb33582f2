//! Lines of entries exactly as [`super::line`] writes them: every member in its place, and strings without escapes.
//!
//! Reading them member by member takes a fraction of what a general JSON reader takes. Whatever looks
//! different in any way is left to that reader, which decides what it is; where both read a line, they read the same.

use serde_json::value::RawValue;

use crate::meet::chain::ChainValue;
use crate::meet::entry::EntryFields;
use crate::meet::update::Op;

use super::line::Durable;

/// An entry's line.
pub(super) struct ExactLine<'a> {
    pub(super) chain: ChainValue,
    pub(super) commit_end: u64,
    pub(super) durable: Durable,
    pub(super) fields: EntryFields,
    pub(super) text: &'a RawValue,
}

/// Reads a line up to its sum.
pub(super) fn read(body: &[u8]) -> Option<ExactLine<'_>> {
    let mut at = Cursor(std::str::from_utf8(body).ok()?);
    at.expect("{\"chain\":")?;
    let chain = ChainValue::from_hex(at.text()?)?;
    at.expect(",\"commitEnd\":")?;
    let commit_end = at.number()?;
    at.expect(",\"durable\":")?;
    let seq = at.number()?;
    at.expect(",\"durableLines\":")?;
    let durable = Durable { seq, lines: at.number()? };
    at.expect(",\"entry\":")?;
    Some(ExactLine { chain, commit_end, durable, fields: entry(at)?, text: json(at.0)? })
}

/// Reads an entry, which takes all that is left.
fn entry(mut at: Cursor) -> Option<EntryFields> {
    at.expect("{\"at\":")?;
    let when = at.text()?.parse().ok()?;
    at.expect(",\"clientId\":")?;
    let client_id = at.text()?.into();
    at.expect(",\"commit\":")?;
    let commit = at.number()?;
    let local_seq_num = if at.passes(",\"localSeqNum\":") { Some(at.number()?) } else { None };
    at.expect(",\"locationName\":")?;
    let location_name = at.text()?.into();
    let op = if at.passes(",\"op\":") { op(at.text()?)? } else { Op::Set };
    let overrules = if at.passes(",\"overrules\":") { at.numbers()?.into() } else { Box::default() };
    at.expect(",\"priority\":")?;
    let priority = at.integer()?;
    at.expect(",\"serverSeqNum\":")?;
    let server_seq_num = at.number()?;
    at.expect(",\"updateKey\":")?;
    let update_key = at.text()?.into();
    at.expect(",\"updateValue\":")?;
    let update_value = json(at.0.strip_suffix('}')?)?.to_owned();
    Some(EntryFields {
        at: when,
        client_id,
        commit,
        local_seq_num,
        location_name,
        op,
        overrules,
        previous_value: None,
        priority,
        server_seq_num,
        update_key,
        update_value,
    })
}

fn op(word: &str) -> Option<Op> {
    match word {
        "create" => Some(Op::Create),
        "remove" => Some(Op::Remove),
        _ => None,
    }
}

/// JSON text that is one value from its first byte to its last.
fn json(text: &str) -> Option<&RawValue> {
    serde_json::from_str::<&RawValue>(text).ok().filter(|value| value.get().len() == text.len())
}

/// What is left of a line.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn passes(&mut self, what: &str) -> bool {
        let rest = self.0.strip_prefix(what);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, what: &str) -> Option<()> {
        self.passes(what).then_some(())
    }

    /// A string without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let inside = self.0.strip_prefix('"')?;
        let end = inside.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        let (text, rest) = inside.split_at(end);
        self.0 = rest.strip_prefix('"')?;
        Some(text)
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.0.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (number, rest) = self.0.split_at(digits);
        if digits > 1 && number.starts_with('0') {
            return None;
        }
        self.0 = rest;
        number.parse().ok()
    }

    fn integer(&mut self) -> Option<i64> {
        if !self.passes("-") {
            return i64::try_from(self.number()?).ok();
        }
        // The general reader takes -0 for no integer.
        self.number().filter(|number| *number > 0).and_then(|number| 0_i64.checked_sub_unsigned(number))
    }

    fn numbers(&mut self) -> Option<Vec<u64>> {
        self.expect("[")?;
        let mut numbers = vec![self.number()?];
        while self.passes(",") {
            numbers.push(self.number()?);
        }
        self.expect("]").map(|()| numbers)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::line::AnyBody;
    use super::*;

    const HEAD: &str = concat!(
        r#"{"chain":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","commitEnd":7,"durable":5,"durableLines":9,"#,
        r#""entry":{"at":"2026-05-01T09:30:00.120Z","clientId":"laptop","commit":6,"#
    );
    const TAIL: &str = r#""priority":-3,"serverSeqNum":7,"updateKey":"a.b[1]","updateValue":"#;

    /// What the general reader makes of the line.
    fn general(body: &str) -> Option<String> {
        let line = format!("{body},\"sum\":\"00000000\"}}");
        let AnyBody { chain: Some(chain), commit_end: Some(commit_end), entry: Some(text), answer: None, .. } =
            serde_json::from_str(&line).ok()?
        else {
            return None;
        };
        let durable = serde_json::from_str::<AnyBody>(&line).ok()?.durable();
        let fields: EntryFields = serde_json::from_str(text.get()).ok()?;
        Some(format!("{chain} {commit_end} {durable:?} {fields:?} {text}"))
    }

    fn exact(body: &str) -> Option<String> {
        let ExactLine { chain, commit_end, durable, fields, text } = read(body.as_bytes())?;
        Some(format!("{chain} {commit_end} {durable:?} {fields:?} {text}"))
    }

    #[test]
    fn lines_as_they_are_written_are_read_here() {
        for middle in [
            r#""locationName":"desk","#,
            r#""localSeqNum":18446744073709551615,"locationName":"Bühne 1","op":"remove","overrules":[3,5],"#,
            r#""localSeqNum":0,"locationName":"","op":"create","#,
        ] {
            for value in ["null", "12.5", "\"}\"", r#""a\"b""#, r#"{"a":[1,{"b":"c"}]}"#] {
                let body = format!("{HEAD}{middle}{TAIL}{value}}}");
                assert_eq!(exact(&body).unwrap(), general(&body).unwrap(), "{body}");
            }
        }
    }

    #[test]
    fn whatever_is_different_is_left_to_the_general_reader() {
        let sound = format!(r#"{HEAD}"locationName":"desk",{TAIL}1}}"#);
        for (from, to) in [
            ("\"desk\"", "\"de\\u0073k\""),
            (":-3", ":-0"),
            (":-3", ": -3"),
            (":7,", ":07,"),
            (":7,", ":7.0,"),
            ("\"commit\":6", "\"commit\":18446744073709551616"),
            ("\"locationName\"", "\"op\":\"set\",\"locationName\""),
            (":1}", ":1 }"),
            (":1}", ": 1}"),
            (":1}", ":1,\"updateValue\":2}"),
            (":1}", ":1},\"x\":{}"),
            (":1}", ":}"),
        ] {
            let body = sound.replacen(from, to, 1);
            assert_ne!(body, sound);
            assert_eq!(exact(&body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn both_readers_read_the_same(at in 0..430_usize, cut in 0..3_usize, put in r#"[{}\[\]",:\\0-9a -]{0,3}"#) {
            let sound = format!(r#"{HEAD}"localSeqNum":3,"locationName":"desk","op":"create","overrules":[3,5],{TAIL}{{"a":[1,"x"]}}}}"#);
            let at = at % sound.len();
            let body = format!("{}{put}{}", &sound[..at], &sound[(at + cut).min(sound.len())..]);
            if let Some(read) = exact(&body) {
                prop_assert_eq!(Some(read), general(&body));
            }
        }
    }
}
