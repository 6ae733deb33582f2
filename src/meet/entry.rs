//! Entries: updates as the log keeps and relays them.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::chain::ChainValue;
use super::key::Key;
use super::settings::PrivatePaths;
use super::time::Timestamp;
use super::update::{Op, Writer};
use super::value::{Value, write_text};
use super::word::word;

/// An entry's members, declared in canonical order: serialising them gives canonical JSON (RFC 8785).
///
/// ```
/// use liftrelay::meet::entry::EntryFields;
///
/// let relayed = r#"{"at":"2026-05-01T09:30:00.000Z","clientId":"laptop","commit":7,"localSeqNum":1,"locationName":"desk",
///     "priority":1,"serverSeqNum":7,"updateKey":"lot","updateValue":4}"#;
/// let entry: EntryFields = serde_json::from_str(relayed)?;
/// assert_eq!((entry.server_seq_num, &*entry.update_key, entry.update_value.get()), (7, "lot", "4"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryFields {
    /// When the server committed it.
    pub at: Timestamp,
    /// Which client made it.
    pub client_id: Arc<str>,
    /// Number of the first entry of the same commit.
    pub commit: u64,
    /// The client's own number for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_seq_num: Option<u64>,
    /// Where it was made.
    pub location_name: Arc<str>,
    /// What it does at its key.
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Op::is_set")]
    pub op: Op,
    /// Unseen standing entries that it went over.
    #[serde(default, skip_serializing_if = "<[u64]>::is_empty")]
    pub overrules: Box<[u64]>,
    /// What stood at its key before, where it overruled. The fold tells it, so it is no part of the chained text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_value: Option<Box<RawValue>>,
    /// The location's priority at that time.
    pub priority: i64,
    /// Its place in the log, from 1 on without gaps.
    pub server_seq_num: u64,
    /// Its key in canonical form.
    pub update_key: Box<str>,
    /// Its value in canonical form; `null` for a removal.
    pub update_value: Box<RawValue>,
}

/// One entry of a log.
#[derive(Debug)]
pub struct Entry {
    /// Its members.
    pub fields: EntryFields,
    /// The chain at its number.
    pub chain: ChainValue,
    /// The canonical text of its members, `previousValue` aside: what is chained and stored.
    pub text: Box<str>,
}

impl Entry {
    /// Its place in the log.
    pub fn seq(&self) -> u64 {
        self.fields.server_seq_num
    }

    /// Its value; `None` for a removal.
    pub fn value(&self) -> Option<Value> {
        // The text was canonical when it was committed, so reading it again cannot fail.
        (self.fields.op != Op::Remove).then(|| Value::parse_unbounded(self.fields.update_value.get()).unwrap_or(Value::Null))
    }

    /// Who made it.
    pub fn writer(&self) -> Writer {
        Writer { location_name: self.fields.location_name.clone(), client_id: self.fields.client_id.clone() }
    }

    /// The entry as an editor sees it: its canonical text, and `previousValue` where it has one.
    pub fn editor_text(&self) -> Cow<'_, str> {
        if self.fields.previous_value.is_none() { Cow::Borrowed(&self.text) } else { Cow::Owned(canonical_text(&self.fields).into()) }
    }

    /// The entry as a viewer sees it: without private parts, or opaque where nothing is left.
    pub fn viewer_text(&self, paths: &PrivatePaths) -> Cow<'_, str> {
        let shown = Key::parse(&self.fields.update_key).ok().filter(|key| !paths.hides(key));
        let Some(key) = shown else { return Cow::Owned(opaque(&self.fields)) };
        if !paths.touches(&key) {
            return self.editor_text();
        }
        let redacted = |text: &RawValue| {
            let mut value = Value::parse_unbounded(text.get()).unwrap_or(Value::Null);
            paths.redact(key.segments(), &mut value);
            raw(value.canonical())
        };
        let shown = EntryFields {
            update_value: redacted(&self.fields.update_value),
            previous_value: self.fields.previous_value.as_deref().map(redacted),
            ..self.fields.clone()
        };
        Cow::Owned(canonical_text(&shown).into())
    }
}

/// What is left of an entry that is private as a whole.
fn opaque(fields: &EntryFields) -> String {
    format!("{{\"commit\":{},\"opaque\":true,\"serverSeqNum\":{}}}", fields.commit, fields.server_seq_num)
}

/// JSON text that is known to be JSON.
#[expect(clippy::expect_used, reason = "the callers made the text from JSON")]
pub(super) fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).expect("JSON text")
}

/// What the canonical text of an entry takes at most besides its texts and `overrules`.
const MEMBERS_BYTES: usize = 256;

/// The canonical text of an entry's members, as `Serialize` would give it. Written straight, for it is written once for each update.
pub(super) fn canonical_text(fields: &EntryFields) -> Box<str> {
    let EntryFields { at, client_id, location_name, op, overrules, previous_value, priority, update_key, update_value, .. } = fields;
    let texts = client_id.len() + location_name.len() + update_key.len() + update_value.get().len();
    let mut out = String::with_capacity(MEMBERS_BYTES + texts);
    out.push_str("{\"at\":\"");
    at.with_text(|text| out.push_str(text));
    text_member("\",\"clientId\":", client_id, &mut out);
    number_member(",\"commit\":", fields.commit, &mut out);
    if let Some(number) = fields.local_seq_num {
        number_member(",\"localSeqNum\":", number, &mut out);
    }
    text_member(",\"locationName\":", location_name, &mut out);
    if !op.is_set() {
        text_member(",\"op\":", op.as_str(), &mut out);
    }
    for (place, number) in overrules.iter().enumerate() {
        number_member(if place > 0 { "," } else { ",\"overrules\":[" }, *number, &mut out);
    }
    out.push_str(if overrules.is_empty() { "" } else { "]" });
    if let Some(value) = previous_value {
        out.push_str(",\"previousValue\":");
        out.push_str(value.get());
    }
    number_member(if *priority < 0 { ",\"priority\":-" } else { ",\"priority\":" }, priority.unsigned_abs(), &mut out);
    number_member(",\"serverSeqNum\":", fields.server_seq_num, &mut out);
    text_member(",\"updateKey\":", update_key, &mut out);
    out.push_str(",\"updateValue\":");
    out.push_str(update_value.get());
    out.push('}');
    // A copy as long as the text, for the log keeps it.
    out.as_str().into()
}

/// Appends the decimal digits of a number.
pub(crate) fn write_number(number: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

fn text_member(name: &str, text: &str, out: &mut String) {
    out.push_str(name);
    write_text(text, out);
}

fn number_member(name: &str, number: u64, out: &mut String) {
    out.push_str(name);
    write_number(number, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn canonical_text_is_what_the_serialiser_would_write(
            (client_id, location_name, update_key) in (any::<String>(), "[ -~é]{0,9}", "[a-c\"\\\\.\n]{0,9}"),
            (local_seq_num, overrules, previous) in (any::<Option<u64>>(), prop::collection::vec(any::<u64>(), 0..3), any::<Option<bool>>()),
            (priority, commit, op) in (any::<i64>(), any::<u64>(), any::<usize>()),
        ) {
            let fields = EntryFields {
                at: Timestamp::from_millis(priority),
                client_id: client_id.into(),
                commit,
                local_seq_num,
                location_name: location_name.into(),
                op: [Op::Set, Op::Create, Op::Remove][op % 3],
                overrules: overrules.into(),
                previous_value: previous.map(|value| raw(value.to_string())),
                priority,
                server_seq_num: commit / 2,
                update_key: update_key.into(),
                update_value: raw("{\"a\":[1,\"é\"]}".to_owned()),
            };
            prop_assert_eq!(&*canonical_text(&fields), serde_json::to_string(&fields).unwrap());
        }
    }
}
