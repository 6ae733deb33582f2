//! The demo: a stable name for the meet of the current lap.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::wire::message::{Demo, DemoUrls, Message};
use crate::wire::problem::{Code, Problem};

use super::access::Access;
use super::params::Params;
use super::reply::{Answer, json};
use super::{App, DemoLap};

/// `GET /v1/demo`
pub(super) async fn lap(State(app): State<Arc<App>>) -> Answer {
    let DemoLap { lap, view_key, meet_name } = current(&app)?;
    let info = format!("/v1/meets/{}", view_key.meet.digits());
    let urls = DemoUrls { events: "/demo/events", state: "/demo/state", updates: "/demo/updates", info };
    let demo = Demo { meet_id: view_key.meet.to_string(), meet_name, view_key: view_key.reveal(), lap, urls };
    Ok(json(StatusCode::OK, &Message::Demo(Box::new(demo))))
}

/// `GET /demo/events`
pub(super) async fn events(State(app): State<Arc<App>>, headers: HeaderMap, params: Params) -> Answer {
    let access = access(&app).await?;
    // Who watches the demo shows no token, so its connection has to be able to make room.
    super::events::stream(State(app), access, None, headers, params).await
}

/// `GET /demo/state`
pub(super) async fn state(State(app): State<Arc<App>>, headers: HeaderMap, params: Params) -> Answer {
    let access = access(&app).await?;
    super::state::state(State(app), access, headers, params).await
}

/// `GET /demo/updates`
pub(super) async fn updates(State(app): State<Arc<App>>, params: Params) -> Answer {
    let access = access(&app).await?;
    super::updates::pull(State(app), access, None, params).await
}

async fn access(app: &App) -> Result<Access, Problem> {
    Access::open(app, current(app)?.view_key).await
}

fn current(app: &App) -> Result<DemoLap, Problem> {
    let lap = app.demo.borrow().clone();
    lap.ok_or_else(|| Problem::new(Code::NotFound, "no demo runs here; liftrelay serve --demo starts one"))
}
