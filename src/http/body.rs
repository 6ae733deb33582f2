//! Request bodies: JSON, whole, in time, and not too large.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, EXPECT, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::meet::limits::{BODY_DISCARD_MAX_BYTES, BODY_DISCARD_PAUSE, BODY_MAX_BYTES, BODY_TIMEOUT};
use crate::wire::problem::{Code, Extra, FieldError, Problem};
use crate::wire::request::FromObject;

use super::App;
use super::budget::Share;
use super::reply::invalid;

/// A body read as `T`.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Json<T>, Problem> {
        let Text(bytes) = Text::from_request(request, app).await?;
        parse(&bytes).map(Json)
    }
}

/// A body that may be left out.
#[derive(Debug)]
pub(super) struct OptionalJson<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<OptionalJson<T>, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = collect(app, body, &parts.headers).await?;
        // Some clients name a type for a body that they do not send.
        if bytes.trim_ascii().is_empty() {
            return Ok(OptionalJson(T::default()));
        }
        check_type(&parts.headers)?;
        parse(&bytes).map(OptionalJson)
    }
}

/// A body without a type is taken as JSON; one with another type is not. A page must name the type, for only then does its
/// browser ask beforehand whether a page of that origin may.
fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(media_type) = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) else {
        if headers.contains_key(ORIGIN) {
            return Err(Problem::new(Code::UnsupportedMediaType, "a page has to send Content-Type: application/json along"));
        }
        return Ok(());
    };
    if media_type.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    let text = String::from_utf8_lossy(media_type).to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let detail = format!("Content-Type {essence:?} is not taken; send application/json (curl: -H 'Content-Type: application/json')");
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// A body that says itself what it is to be read as.
#[derive(Debug)]
pub(super) struct Text(pub(super) Vec<u8>);

impl FromRequest<Arc<App>> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Text, Problem> {
        let (parts, body) = request.into_parts();
        check_type(&parts.headers)?;
        collect(app, body, &parts.headers).await.map(Text)
    }
}

async fn collect(app: &App, body: Body, headers: &HeaderMap) -> Result<Vec<u8>, Problem> {
    let reading = read(body, headers.contains_key(EXPECT), app.budget.share());
    tokio::time::timeout(BODY_TIMEOUT, reading).await.unwrap_or_else(|_| Err(slow()))
}

/// There is no code for slowness: like any overload it asks for another try.
pub(super) fn slow() -> Problem {
    let seconds = BODY_TIMEOUT.as_secs();
    Problem::new(Code::Overloaded, format!("the body did not arrive within {seconds} s; send smaller batches")).retry_after(1)
}

/// Into one buffer: a body in a million chunks must not cost more than one in ten.
///
/// A client that `waits` has said the size first and sends the rest when it is told to (Expect: 100-continue), so it need not.
async fn read(mut body: Body, waits: bool, mut share: Share) -> Result<Vec<u8>, Problem> {
    let (mut size, announced) = (0, body.size_hint().lower());
    if announced > BODY_MAX_BYTES as u64 {
        let in_vain = waits || announced > BODY_DISCARD_MAX_BYTES as u64;
        return if in_vain { Err(too_large()) } else { discard(body, size).await };
    }
    let mut bytes = Vec::new();
    while let Some(data) = next(&mut body).await? {
        size += data.len();
        if size > BODY_MAX_BYTES {
            return discard(body, size).await;
        }
        share.grow(data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| malformed("the body did not arrive whole"))?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Reads the rest before it refuses, as long as it keeps coming: proxies, and clients that send all before they listen, would
/// only see a broken connection.
async fn discard<T>(mut body: Body, mut size: usize) -> Result<T, Problem> {
    while size < BODY_DISCARD_MAX_BYTES
        && let Ok(Ok(Some(data))) = tokio::time::timeout(BODY_DISCARD_PAUSE, next(&mut body)).await
    {
        size += data.len();
    }
    Err(too_large())
}

pub(super) fn too_large() -> Problem {
    Problem::new(Code::TooLarge, format!("the body has more than {BODY_MAX_BYTES} bytes (4 MiB); split the batch"))
}

/// Reads JSON text as `T`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(malformed("the body starts with a byte-order mark; send JSON without it"));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| malformed(format!("the body is not UTF-8 from byte {} on", error.valid_up_to())))?;
    if text.trim().is_empty() {
        return Err(malformed("the body is empty; send a JSON object"));
    }
    // Keeping track of where one is takes as long as reading, so it waits until something is wrong.
    if let Ok(FromObject(value)) = serde_json::from_str(text) {
        return Ok(value);
    }
    let mut input = serde_json::Deserializer::from_str(text);
    let FromObject(value) = serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() { invalid(vec![FieldError { pointer, detail: in_words(&error) }]) } else { malformed(error.to_string()) }
    })?;
    input.end().map_err(|error| malformed(error.to_string()))?;
    Ok(value)
}

pub(super) fn malformed(what: impl Into<String>) -> Problem {
    let err_msg = what.into();
    Problem::new(Code::MalformedMessage, err_msg.clone()).with(Extra::Malformed { err_msg })
}

/// Names the type that was expected as JSON does, not as Rust. The pointer says where, so line and column go.
fn in_words(error: &serde_json::Error) -> String {
    let error = error.to_string();
    let error = error.split(" at line ").next().unwrap_or(&error);
    let Some((found, expected)) = error.rsplit_once(", expected ") else { return error.to_owned() };
    let expected = match expected {
        "u64" => "a whole number from 0 up",
        "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "an array",
        other => other,
    };
    format!("{found}, expected {expected}")
}

/// A JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}
