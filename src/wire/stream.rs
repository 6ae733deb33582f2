//! Streams: messages as SSE events or as lines of NDJSON.

use std::time::Duration;

use bytes::Bytes;

use crate::meet::chain::Cursor;

use super::message::Message;
use super::sse::{self, SseEvent};

/// How a stream is written.
///
/// ```
/// use liftrelay::wire::stream::Format;
///
/// assert_eq!((Format::Sse.content_type(), Format::Ndjson.content_type()), ("text/event-stream", "application/x-ndjson"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `text/event-stream`
    Sse,
    /// `application/x-ndjson`
    Ndjson,
}

impl Format {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Sse => "text/event-stream",
            Format::Ndjson => "application/x-ndjson",
        }
    }

    /// A message as a piece of a stream. `id` is what a reader resumes from, `retry` its pause before.
    pub fn encode(self, message: &Message, id: Cursor, retry: Option<Duration>) -> Bytes {
        let data = message.to_json();
        match self {
            Format::Ndjson => Bytes::from(data + "\n"),
            Format::Sse => {
                let mut text = String::with_capacity(data.len() + 80);
                let event = SseEvent { name: message.event_name().to_owned(), id: Some(id.to_string()), data, retry };
                sse::encode(&event, &mut text);
                Bytes::from(text)
            }
        }
    }

    /// `kib` KiB that readers ignore.
    pub fn padding(self, kib: usize) -> Bytes {
        let mut text = String::new();
        match self {
            Format::Sse => sse::padding(kib, &mut text),
            // Blank space around JSON means nothing, so a long empty line is no object.
            Format::Ndjson if kib > 0 => text.push_str(&format!("{:1$}\n", "", kib * 1024 - 1)),
            Format::Ndjson => {}
        }
        Bytes::from(text)
    }
}
