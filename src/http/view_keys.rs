//! View keys: read-only secrets for overlays and displays.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use tracing::info;

use crate::auth::roster::ViewKey;
use crate::meet::limits::VIEW_KEY_MAX_LIFE;
use crate::meet::name::check_name;
use crate::wire::message::{Message, ViewKeyCreated, ViewKeyInfo, ViewKeys, ViewUrls};
use crate::wire::problem::{Code, Problem};
use crate::wire::request::CreateViewKey;

use super::App;
use super::access::Editor;
use super::body::Json;
use super::params::LastPart;
use super::reply::{Answer, invalid_at, json};

/// `POST /v1/meets/{meetId}/view-keys`
pub(super) async fn create(State(app): State<Arc<App>>, editor: Editor, Json(request): Json<CreateViewKey>) -> Answer {
    check_name(&request.label).map_err(|error| invalid_at("/label", error.to_string()))?;
    let most = VIEW_KEY_MAX_LIFE.as_secs();
    if request.expires_in.is_some_and(|seconds| !(1..=most).contains(&seconds)) {
        return Err(invalid_at("/expiresIn", format!("must be from 1 to {most} seconds; leave it out for a key without an end")));
    }
    let live = &editor.access.live;
    live.check_recovered()?;
    let (id, now, life) = (live.id, live.now(), request.expires_in.map(Duration::from_secs));
    let made = live.edit_roster(move |roster| roster.create_view_key(id, request.label, life, now)).await?;
    let (token, key) = made.map_err(|full| invalid_at("/label", format!("{full}; delete one first")))?;
    info!(meet = %id, key = key.key_id, "view key created");
    app.metrics.meets.view_key_created();
    let (meet, view_key) = (id.digits(), token.reveal());
    let urls = ViewUrls {
        events: format!("/v1/meets/{meet}/events?snapshot=1&key={view_key}"),
        state: format!("/v1/meets/{meet}/state?key={view_key}"),
        overlay: format!("/overlay/?meet={meet}#key={view_key}"),
    };
    Ok(json(StatusCode::CREATED, &Message::ViewKeyCreated(Box::new(ViewKeyCreated { view_key, info: info_of(&key), urls }))))
}

/// `GET /v1/meets/{meetId}/view-keys`
pub(super) async fn list(editor: Editor) -> Answer {
    let (live, now) = (&editor.access.live, editor.access.live.now());
    let roster = live.roster();
    let alive = roster.auth().view_keys.iter().filter(|key| key.expires_at.is_none_or(|end| end > now));
    Ok(json(StatusCode::OK, &Message::ViewKeys(ViewKeys { view_keys: alive.map(info_of).collect() })))
}

/// `DELETE /v1/meets/{meetId}/view-keys/{keyId}`
pub(super) async fn remove(LastPart(key_id): LastPart, editor: Editor) -> Answer {
    editor.access.live.check_recovered()?;
    let name = key_id.clone();
    let removed = editor.access.live.edit_roster(move |roster| roster.delete_view_key(&name)).await?;
    if !removed {
        return Err(Problem::new(Code::NotFound, format!("the meet has no view key {key_id:?}; GET view-keys lists them")));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn info_of(key: &ViewKey) -> ViewKeyInfo {
    ViewKeyInfo { key_id: key.key_id.clone(), label: key.label.clone(), created_at: key.created_at, expires_at: key.expires_at }
}
