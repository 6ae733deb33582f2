//! Health and metrics, for operators and load balancers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;

use crate::metrics;
use crate::relay::live::Fault;
use crate::store::files::Fsync;
use crate::wire::message::{Health, Message};
use crate::wire::problem::{Code, Problem};

use super::App;
use super::reply::{Answer, json};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> Answer {
    Ok(json(StatusCode::OK, &Message::Health(Health { status: "ok", version: VERSION, fsync: None })))
}

/// `GET /health/ready`: the data folder can be written.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Answer {
    if !app.registry.is_writable().await {
        return Err(Problem::new(Code::StorageFailed, "the data folder cannot be written; the log says why").retry_after(30));
    }
    let fsync = match app.options().fsync {
        Fsync::Always => "always",
        Fsync::Never => "never",
    };
    Ok(json(StatusCode::OK, &Message::Health(Health { status: "ok", version: VERSION, fsync: Some(fsync) })))
}

/// `GET /metrics`: everything that is counted.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Answer {
    // It reads files, and looks at every open meet.
    let rendered = tokio::task::spawn_blocking(move || app.metrics.render(&app.registry.overview())).await;
    let text = rendered.ok().and_then(Result::ok).ok_or(Fault::Internal)?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE))], text).into_response())
}
