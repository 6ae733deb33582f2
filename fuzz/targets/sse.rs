//! Server-Sent Events: the events that a plain reading of the standard finds, however the bytes are cut, and the same when they
//! are encoded again. The input is a byte that says where to cut, and a stream.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use liftrelay::wire::sse::{Decoder, SseEvent, encode};

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<SseEvent> {
    let mut decoder = Decoder::default();
    pieces.into_iter().flat_map(|piece| decoder.push(piece)).collect()
}

/// The standard once more, read plainly: the whole text, its lines, its blocks of fields.
fn plainly(stream: &[u8]) -> Vec<SseEvent> {
    let text = String::from_utf8_lossy(stream).replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(&text).split('\n').collect();
    let _never_ended = lines.pop();
    let mut blocks: Vec<&[&str]> = lines.split(|line| line.is_empty()).collect();
    let _never_ended = blocks.pop();
    let (mut id, mut retry, mut events) = (None, None, Vec::new());
    for block in blocks {
        let fields = || block.iter().map(|line| line.split_once(':').unwrap_or((line, "")));
        let all = |name| fields().filter(move |field| field.0 == name).map(|(_, value)| value.strip_prefix(' ').unwrap_or(value));
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        id = all("id").filter(|id| !id.contains('\0')).last().map(str::to_owned).or(id);
        retry = all("retry").filter(digits).filter_map(|text| text.parse().ok()).last().or(retry);
        let data: Vec<&str> = all("data").collect();
        if !data.is_empty() {
            let name = all("event").last().unwrap_or_default().to_owned();
            events.push(SseEvent { name, id: id.take(), data: data.join("\n"), retry: retry.take().map(Duration::from_millis) });
        }
    }
    events
}

/// Pieces of one to sixteen bytes, their lengths told by the stream itself.
fn pieces(mut rest: &[u8], start: u8) -> Vec<&[u8]> {
    let (mut pieces, mut length) = (Vec::new(), usize::from(start));
    while let Some(&first) = rest.first() {
        let (piece, behind) = rest.split_at((length % 16 + 1).min(rest.len()));
        pieces.push(piece);
        (rest, length) = (behind, usize::from(first));
    }
    pieces
}

fuzz_target!(|input: &[u8]| {
    let Some((&start, stream)) = input.split_first() else { return };
    let events = decode([stream]);
    assert_eq!(events, plainly(stream), "as the standard says");
    assert_eq!(decode(pieces(stream, start)), events, "cut here and there");
    assert_eq!(decode(stream.chunks(1)), events, "cut everywhere");
    let mut text = String::new();
    events.iter().for_each(|event| encode(event, &mut text));
    assert_eq!(decode([text.as_bytes()]), events, "encoded again");
});
