//! Cross-origin requests: reading with a view key is open to all pages, sessions only to those
//! that the operator allows.

use axum::http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use std::sync::Arc;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::auth::token::{Kind, Token};

use super::App;
use super::access::bearer;

pub(super) fn layer(app: Arc<App>) -> CorsLayer {
    // Asked for every request: the operator may allow others while the server runs.
    let allowed = move |origin: &HeaderValue| app.options().allow_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes());
    let last_event_id = HeaderName::from_static("last-event-id");
    let request_id = HeaderName::from_static("x-request-id");
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, parts| allowed(origin) || only_views(parts)))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, last_event_id])
        .expose_headers([ETAG, LOCATION, RETRY_AFTER, request_id])
        .max_age(Duration::from_secs(600))
}

/// A request that reads, and shows no session. A preflight does not say what will come along,
/// but a browser asks again with the request itself before it shows the answer to the page.
fn only_views(parts: &Parts) -> bool {
    let reads = |method: &[u8]| method == b"GET" || method == b"HEAD";
    if parts.method == Method::OPTIONS {
        return parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|method| reads(method.as_bytes()));
    }
    reads(parts.method.as_str().as_bytes()) && !shows_session(&parts.headers)
}

/// What is no token at all opens nothing, and a page that has mistyped its view key should hear so.
fn shows_session(headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|text| text.parse::<Token>().is_ok_and(|token| token.kind == Kind::Session))
}
