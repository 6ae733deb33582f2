//! Server-Sent Events: however the bytes are cut, the same events; and what is encoded again is read the same.
//! The input is a byte that says where to cut, and a stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liftrelay::wire::sse::{Decoder, SseEvent, encode};

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<SseEvent> {
    let mut decoder = Decoder::default();
    pieces.into_iter().flat_map(|piece| decoder.push(piece)).collect()
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
    assert_eq!(decode(pieces(stream, start)), events, "cut here and there");
    assert_eq!(decode(stream.chunks(1)), events, "cut everywhere");
    let mut text = String::new();
    events.iter().for_each(|event| encode(event, &mut text));
    assert_eq!(decode([text.as_bytes()]), events, "encoded again");
});
