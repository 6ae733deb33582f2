//! What a reader asks of its stream.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use crate::meet::chain::Cursor;
use crate::meet::key::Key;
use crate::meet::limits::{PADDING_MAX_KIB, STREAM_MAX_SECONDS};
use crate::wire::problem::{Code, Problem};
use crate::wire::stream::Format;

use crate::http::params::{Params, read_cursor};
use crate::http::reply::invalid_at;

/// What a reader asks of its stream.
pub(in crate::http) struct Request {
    pub(in crate::http) format: Format,
    pub(in crate::http) start: Start,
    pub(in crate::http) snapshot: bool,
    pub(in crate::http) paths: Vec<Key>,
    pub(in crate::http) padding: usize,
    pub(in crate::http) max: Option<Duration>,
}

/// Where a stream starts.
#[derive(Clone, Copy)]
pub(in crate::http) enum Start {
    Head,
    After(Cursor),
}

impl Request {
    pub(super) fn read(headers: &HeaderMap, params: &Params) -> Result<Request, Problem> {
        let padding = params.number("padding", 0, PADDING_MAX_KIB as u64)?.unwrap_or(0);
        Ok(Request {
            format: format(headers, params)?,
            start: start(headers, params)?,
            snapshot: params.flag("snapshot")?,
            paths: params.paths()?,
            padding: usize::try_from(padding).unwrap_or(0),
            max: params.number("maxSeconds", 1, STREAM_MAX_SECONDS)?.map(Duration::from_secs),
        })
    }
}

fn format(headers: &HeaderMap, params: &Params) -> Result<Format, Problem> {
    match params.get("format") {
        Some("sse") => return Ok(Format::Sse),
        Some("ndjson") => return Ok(Format::Ndjson),
        Some(other) => return Err(invalid_at("/query/format", format!("{other:?} is neither sse nor ndjson"))),
        None => {}
    }
    let Some(accept) = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()) else { return Ok(Format::Sse) };
    let taken = |kind: &str| {
        accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let refused = |part: &str| matches!(part.split_once('='), Some(("q", weight)) if weight.parse() == Ok(0.0));
            parts.next().is_some_and(|range| range.eq_ignore_ascii_case(kind)) && !parts.any(refused)
        })
    };
    if taken("text/event-stream") {
        return Ok(Format::Sse);
    }
    if taken("application/x-ndjson") || taken("application/ndjson") {
        return Ok(Format::Ndjson);
    }
    if taken("*/*") || taken("text/*") {
        return Ok(Format::Sse);
    }
    let detail = format!("a stream is text/event-stream or application/x-ndjson, and Accept takes only {accept}");
    Err(Problem::new(Code::NotAcceptable, detail))
}

/// `Last-Event-ID` wins over `after`: it is what a reconnecting EventSource has really been sent.
fn start(headers: &HeaderMap, params: &Params) -> Result<Start, Problem> {
    let last_event_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    match last_event_id.or_else(|| params.get("after")) {
        None => Ok(Start::After(Cursor::START)),
        Some("now") => Ok(Start::Head),
        Some(text) => read_cursor(text).map(Start::After),
    }
}
