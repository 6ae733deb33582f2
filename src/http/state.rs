//! The state: whole, in part, at an earlier number, or when it changes.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::meet::chain::Cursor;
use crate::meet::key::Key;
use crate::relay::committed::StateText;
use crate::relay::live::Fault;
use crate::wire::message::Position;
use crate::wire::problem::{Code, Problem};

use super::App;
use super::access::Access;
use super::params::Params;
use super::reply::{Answer, json_body};
use super::updates::{check, follow, long_poll};

/// `GET /v1/meets/{meetId}/state`
pub(super) async fn state(State(app): State<Arc<App>>, access: Access, headers: HeaderMap, params: Params) -> Answer {
    let (path, wait, after) = (params.path()?, params.wait()?, params.cursor("after")?);
    if let Some(at) = params.cursor("at")? {
        // The fold of an earlier state starts at the first entry.
        access.live.reach(0).await?;
        check(&access, at).await?;
        let position = access.live.committed.position(at.seq, &access.audience());
        if matches(&headers, &position) {
            return Ok(not_modified(&position));
        }
        let (text, position) = fold(&app, &access, at, path.clone()).await?;
        return found(text, path.as_ref(), position);
    }
    let head = access.live.committed.head_position(&access.audience());
    let known = match after {
        Some(after) => Some(after),
        None => matches(&headers, &head).then_some(head.cursor),
    };
    let mut waited = None;
    if let Some(known) = known {
        let mut follower = follow(&access, known).await?;
        waited = long_poll(&app, &access, &mut follower, wait).await?;
        if follower.is_at_head() {
            return Ok((waited.map(Extension), not_modified(&follower.position())).into_response());
        }
    }
    let (text, position) = at_head(&access, path.as_ref());
    Ok((waited.map(Extension), found(text, path.as_ref(), position)).into_response())
}

/// The state at the head, or a part of it.
fn at_head(access: &Access, path: Option<&Key>) -> (Option<Bytes>, Position) {
    let (committed, audience) = (&access.live.committed, access.audience());
    match path {
        None => {
            let (text, position) = committed.state(&audience);
            (Some(text.body(position)), position)
        }
        Some(path) => {
            let (text, position) = committed.state_part(path, &audience);
            (text.map(|text| text.body(position)), position)
        }
    }
}

/// The state at an earlier number. Folding a long log takes a while, so it happens on a thread, and few at once.
async fn fold(app: &App, access: &Access, at: Cursor, path: Option<Key>) -> Result<(Option<Bytes>, Position), Problem> {
    let (committed, audience) = (Arc::clone(&access.live.committed), access.audience());
    let _turn = app.folds.acquire().await.map_err(|_| Fault::Internal)?;
    let folded = tokio::task::spawn_blocking(move || committed.state_at(at.seq, path.as_ref(), &audience)).await;
    let (text, position): (Option<StateText>, _) = folded.map_err(|_| Fault::Internal)?;
    Ok((text.map(|text| text.body(position)), position))
}

fn found(body: Option<Bytes>, path: Option<&Key>, position: Position) -> Answer {
    let Some(body) = body else {
        let path = path.map_or("the top", Key::as_str);
        return Err(Problem::new(Code::NotFound, format!("nothing stands at {path} (or it is private)")));
    };
    Ok(tagged(json_body(StatusCode::OK, body), &position))
}

fn not_modified(position: &Position) -> Response {
    tagged(StatusCode::NOT_MODIFIED.into_response(), position)
}

fn tagged(mut response: Response, position: &Position) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", position.cursor)) {
        response.headers_mut().insert(ETAG, tag);
    }
    // Editors and viewers share the address and the tag, but not the content.
    response.headers_mut().append(VARY, HeaderValue::from_static("authorization"));
    response
}

/// Whether `If-None-Match` names what is there (RFC 9110, section 13.1.2: a weak comparison).
fn matches(headers: &HeaderMap, position: &Position) -> bool {
    let tag = format!("\"{}\"", position.cursor);
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
