//! Cross-origin requests: reading with a view key is open to all pages, sessions only to those
//! that the operator allows.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;

use crate::auth::token::{Kind, Token};

use super::App;
use super::access::bearer;

const METHODS: HeaderValue = HeaderValue::from_static("GET,POST,DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static("accept,authorization,content-type,if-none-match,last-event-id");
const EXPOSED: HeaderValue = HeaderValue::from_static("etag,location,retry-after,x-request-id");
/// What an answer depends on besides its address: whatever [`allowed_origin`] looks at, and what browsers may keep it by.
const DEPENDS_ON: HeaderValue = HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");
/// Seconds for which a browser need not ask again.
const ASKED_AGAIN_AFTER: HeaderValue = HeaderValue::from_static("600");

/// The page's origin, where its browser may show it the answer. Looked up for every request: the operator may allow others while the
/// server runs.
pub(super) fn allowed_origin(app: &App, request: &Request) -> Option<HeaderValue> {
    let origin = request.headers().get(ORIGIN)?;
    let is_allowed = || app.options().allow_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes());
    (is_allowed() || only_views(request.method(), request.headers())).then(|| origin.clone())
}

/// The answer to a browser that asks what a page may ask.
pub(super) fn preflight(origin: Option<HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    share(headers, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, ASKED_AGAIN_AFTER);
    response
}

/// Tells a browser whether the page may see this answer, and what of its head.
pub(super) fn tell(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    share(headers, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

fn share(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(VARY, DEPENDS_ON);
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

/// A request that reads, and shows no session. A preflight does not say what will come along,
/// but a browser asks again with the request itself before it shows the answer to the page.
fn only_views(method: &Method, headers: &HeaderMap) -> bool {
    let reads = |method: &[u8]| method == b"GET" || method == b"HEAD";
    if method == Method::OPTIONS {
        return headers.get(ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|method| reads(method.as_bytes()));
    }
    reads(method.as_str().as_bytes()) && !shows_session(headers)
}

/// What is no token at all opens nothing, and a page that has mistyped its view key should hear so.
fn shows_session(headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|text| text.parse::<Token>().is_ok_and(|token| token.kind == Kind::Session))
}
