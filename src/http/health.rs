//! Health, for operators and load balancers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

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
