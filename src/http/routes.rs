//! The table of routes.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use axum::routing::{delete, get, post};
use tower::util::MapResponseLayer;

use super::around::Around;
use super::{
    App, app_dir, cors, demo, events, feed, finish, health, meets, messages, pages, problems, publish, pushes, reply, restore, sessions,
    socket, state, updates, view_keys,
};

/// Every path that the server answers, as `openapi.yaml` writes it; a test holds the two together.
pub const PATHS: &[&str] = &[
    "/",
    "/demo",
    "/overlay/",
    "/overlay/{element}",
    "/overlays",
    "/feed/{file}",
    "/director",
    "/app",
    "/app/",
    "/app/{path}",
    "/web/{path}",
    "/docs",
    "/problems/",
    "/problems/{code}",
    "/openapi.yaml",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/v1/meets",
    "/v1/meets/{meetId}",
    "/v1/meets/{meetId}/sessions",
    "/v1/meets/{meetId}/session",
    "/v1/meets/{meetId}/updates",
    "/v1/meets/{meetId}/sync",
    "/v1/meets/{meetId}/events",
    "/v1/meets/{meetId}/state",
    "/v1/meets/{meetId}/view-keys",
    "/v1/meets/{meetId}/view-keys/{keyId}",
    "/v1/meets/{meetId}/publish",
    "/v1/meets/{meetId}/finish",
    "/v1/meets/{meetId}/restore",
    "/v1/messages",
    "/v1/socket",
    "/v1/demo",
    "/demo/events",
    "/demo/state",
    "/demo/updates",
];

/// The routes with everything that holds for all of them.
pub fn router(app: Arc<App>) -> Router {
    let operators = if app.options().metrics_apart { health() } else { operators() };
    layered(table().merge(operators), app)
}

/// The routes of an address that only operators reach.
pub fn operators_router(app: Arc<App>) -> Router {
    layered(operators(), app)
}

fn layered(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    // Outermost first. Together, for each layer that a router is given by itself costs every request some boxes.
    let around = (MapResponseLayer::new(with_common_headers), cors::layer(Arc::clone(&app)), Around(Arc::clone(&app)));
    routes.fallback(reply::not_found).method_not_allowed_fallback(reply::method_not_allowed).layer(around).with_state(app)
}

/// What browsers are told with every answer, those to a preflight too.
fn with_common_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn health() -> Router<Arc<App>> {
    Router::new().route("/health/live", get(health::live)).route("/health/ready", get(health::ready))
}

fn operators() -> Router<Arc<App>> {
    health().route("/metrics", get(health::metrics))
}

fn table() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(pages::director))
        .route("/demo", get(pages::demo))
        .route("/overlay/", get(pages::overlay))
        .route("/overlay/{element}", get(pages::element))
        .route("/overlays", get(pages::overlays))
        .route("/feed/{file}", get(feed::feed))
        .route("/director", get(pages::to_director))
        .route("/app", get(app_dir::root))
        .route("/app/", get(app_dir::page))
        .route("/app/{*path}", get(app_dir::file))
        .route("/web/{*path}", get(pages::asset))
        .route("/docs", get(pages::docs))
        .route("/problems/", get(problems::all))
        .route("/problems/{code}", get(problems::one))
        .route("/openapi.yaml", get(pages::openapi))
        .route("/v1/meets", post(meets::create))
        .route("/v1/meets/{meetId}", get(meets::info))
        .route("/v1/meets/{meetId}/sessions", post(sessions::join))
        .route("/v1/meets/{meetId}/session", delete(sessions::leave))
        .route("/v1/meets/{meetId}/updates", post(pushes::push).get(updates::pull))
        .route("/v1/meets/{meetId}/sync", post(pushes::sync))
        .route("/v1/meets/{meetId}/events", get(events::stream))
        .route("/v1/meets/{meetId}/state", get(state::state))
        .route("/v1/meets/{meetId}/view-keys", post(view_keys::create).get(view_keys::list))
        .route("/v1/meets/{meetId}/view-keys/{keyId}", delete(view_keys::remove))
        .route("/v1/meets/{meetId}/publish", post(publish::post).get(publish::list))
        .route("/v1/meets/{meetId}/finish", post(finish::post))
        .route("/v1/meets/{meetId}/restore", post(restore::post))
        .route("/v1/messages", post(messages::post))
        .route("/v1/socket", get(socket::open))
        .route("/v1/demo", get(demo::lap))
        .route("/demo/events", get(demo::events))
        .route("/demo/state", get(demo::state))
        .route("/demo/updates", get(demo::updates))
}
