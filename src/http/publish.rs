//! Publishing results.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::publish::email::check_email;
use crate::publish::opl_csv;
use crate::publish::publisher::Submission;
use crate::relay::live::Fault;
use crate::wire::message::Message;
use crate::wire::problem::{FieldError, Problem};
use crate::wire::publish::Publishes;
use crate::wire::request::PublishMeet;

use super::App;
use super::access::Editor;
use super::body::Json;
use super::reply::{Answer, invalid, invalid_at, json};

/// `POST /v1/meets/{meetId}/publish`
pub(super) async fn post(State(app): State<Arc<App>>, editor: Editor, Json(request): Json<PublishMeet>) -> Answer {
    Ok(json(StatusCode::ACCEPTED, &publish(&app, &editor, request).await?))
}

/// `GET /v1/meets/{meetId}/publish`
pub(super) async fn list(State(app): State<Arc<App>>, editor: Editor) -> Answer {
    let publishes = app.publisher.publishes(&editor.access.live).await?;
    Ok(json(StatusCode::OK, &Message::Publishes(Publishes { publishes })))
}

/// Checks results, stores them, and has them handed over.
pub(super) async fn publish(app: &App, editor: &Editor, request: PublishMeet) -> Result<Message, Problem> {
    let PublishMeet { return_email, opl_csv } = request;
    let wrong = |pointer: &str, detail: String| FieldError { pointer: pointer.to_owned(), detail };
    let mut errors = Vec::new();
    errors.extend(check_email(&return_email).err().map(|error| wrong("/returnEmail", error.to_string())));
    // Megabytes take a while to check, and others wait for this thread.
    let checking = tokio::task::spawn_blocking(move || (opl_csv::check(&opl_csv), opl_csv));
    let (checked, opl_csv) = checking.await.map_err(|_| Fault::Internal)?;
    errors.extend(checked.as_ref().err().map(|error| wrong("/oplCsv", error.to_string())));
    let Some(results) = checked.ok().filter(|_| errors.is_empty()) else { return Err(invalid(errors)) };
    let submission = Submission { by: editor.writer.clone(), return_email, opl_csv, results };
    let ack = app.publisher.publish(&editor.access.live, submission).await?;
    ack.map(Message::PublishAck).map_err(|full| invalid_at("/oplCsv", full.to_string()))
}
