//! Server-Sent Events (WHATWG HTML, section 9.2): text from messages and back.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// `event:`; empty means `message`.
    pub name: String,
    /// `id:`, where the event carries one.
    pub id: Option<String>,
    /// `data:`, its lines joined by line feeds.
    pub data: String,
    /// `retry:`.
    pub retry: Option<Duration>,
}

/// Appends an event. Line ends in `data` become further `data:` lines; in `name` and `id`
/// they would forge fields, so they are left out, as is NUL in `id`, which nobody would take.
pub fn encode(event: &SseEvent, out: &mut String) {
    if !event.name.is_empty() {
        field("event", &one_line(&event.name), out);
    }
    if let Some(id) = &event.id {
        field("id", &one_line(id).replace('\0', ""), out);
    }
    if let Some(retry) = event.retry {
        let _ = writeln!(out, "retry: {}", retry.as_millis());
    }
    if is_one_line(&event.data) {
        field("data", &event.data, out);
    } else {
        event.data.replace("\r\n", "\n").split(['\n', '\r']).for_each(|line| field("data", line, out));
    }
    out.push('\n');
}

fn field(name: &str, value: &str, out: &mut String) {
    [name, ": ", value, "\n"].iter().for_each(|part| out.push_str(part));
}

/// As all JSON is that is written here.
fn is_one_line(text: &str) -> bool {
    !text.contains('\n') && !text.contains('\r')
}

fn one_line(text: &str) -> Cow<'_, str> {
    if is_one_line(text) { Cow::Borrowed(text) } else { Cow::Owned(text.replace(['\r', '\n'], "")) }
}

/// Appends a comment of `kib` KiB: some proxies pass nothing on until they hold that much.
pub fn padding(kib: usize, out: &mut String) {
    const LINE: usize = 64;
    for _ in 0..kib * 1024 / LINE {
        let _ = writeln!(out, ":{:1$}", "", LINE - 2);
    }
    if kib > 0 {
        out.push('\n');
    }
}

/// Reads events from pieces of a stream, cut anywhere.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes of a line that has not ended yet.
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed behind it belongs to it.
    after_return: bool,
    /// A byte-order mark may stand at the very start.
    started: bool,
    event: SseEvent,
    has_data: bool,
}

impl Decoder {
    /// Takes the next piece and gives the events that it completes.
    pub fn push(&mut self, piece: &[u8]) -> Vec<SseEvent> {
        let mut events = Vec::new();
        for &byte in piece {
            let skip = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                b'\n' if skip => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                byte => self.line.push(byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let line = if self.started { &text } else { text.strip_prefix('\u{feff}').unwrap_or(&text) };
        self.started = true;
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        self.field(field, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    fn field(&mut self, field: &str, value: &str) {
        match field {
            "event" => self.event.name = value.to_owned(),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|b| b.is_ascii_digit()) => {
                let told = value.parse().ok().map(Duration::from_millis);
                self.event.retry = told.or(self.event.retry);
            }
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            _ => {}
        }
    }

    /// An event without data is dropped; its `retry` and `id` are told with the next one.
    fn dispatch(&mut self) -> Option<SseEvent> {
        if !std::mem::take(&mut self.has_data) {
            self.event.name.clear();
            return None;
        }
        Some(std::mem::take(&mut self.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let mut decoder = Decoder::default();
        pieces.iter().flat_map(|piece| decoder.push(piece)).collect()
    }

    #[test]
    fn what_would_forge_fields_stays_inside_its_event() {
        let event =
            SseEvent { name: "x\n\ndata: y".into(), id: Some("1\nid: 2".into()), data: "a\n\ndata: b\rc\u{2028}d".into(), retry: None };
        let mut text = String::new();
        encode(&event, &mut text);
        let events = decode(&[text.as_bytes()]);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].data, "a\n\ndata: b\nc\u{2028}d");
        assert_eq!(events[0].id.as_deref(), Some("1id: 2"));
    }

    #[test]
    fn a_retry_that_is_no_number_leaves_the_one_before() {
        for bad in ["retry", "retry:", "retry: soon", "retry: +5", "retry: 18446744073709551616"] {
            let events = decode(&[format!("retry: 150\n{bad}\ndata: x\n\n").as_bytes()]);
            assert_eq!(events[0].retry, Some(Duration::from_millis(150)), "{bad}");
        }
    }

    #[test]
    fn a_nul_spoils_an_id_but_not_a_name() {
        let event = SseEvent { name: "a\0b".into(), id: Some("1\u{0}2".into()), data: "x".into(), retry: None };
        let mut text = String::new();
        encode(&event, &mut text);
        assert_eq!(decode(&[text.as_bytes()]), [SseEvent { id: Some("12".into()), ..event }]);
    }

    #[test]
    fn the_standards_own_quirks() {
        assert_eq!(
            decode(&[b"\xef\xbb\xbfdata: a\r\n\r", b"\ndata:b\n\n: comment\ndata\n\n"]).iter().map(|e| &*e.data).collect::<Vec<_>>(),
            ["a", "b", ""]
        );
        assert_eq!(decode(&[b"data: never ended"]), []);
        assert_eq!(decode(&[b"event: x\nid: 7\n\n"]), []);
    }

    #[test]
    fn padding_is_a_comment_of_that_size() {
        let mut text = String::new();
        padding(2, &mut text);
        assert_eq!(text.len(), 2 * 1024 + 1);
        assert_eq!(decode(&[text.as_bytes()]), []);
    }

    proptest! {
        #[test]
        fn events_round_trip_however_they_are_cut(
            name in "[a-z-]{0,12}",
            id in prop::option::of("[0-9]{1,4}-[0-9a-f]{8}"),
            data in "[^\r\0]{0,60}",
            retry in prop::option::of(0_u64..100_000),
            cut in 0_usize..200,
        ) {
            let event = SseEvent { name, id, data, retry: retry.map(Duration::from_millis) };
            let mut text = String::new();
            encode(&event, &mut text);
            encode(&event, &mut text);
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]), vec![event.clone(), event]);
        }
    }
}
