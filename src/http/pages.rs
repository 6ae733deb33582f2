//! Pages and files that are part of the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::params::LastPart;
use super::reply::{Answer, not_found};

/// `web/`, tests and tools aside.
#[derive(RustEmbed)]
#[folder = "web/"]
#[exclude = "tests/*"]
#[exclude = "package.json"]
#[exclude = "vendor/README.md"]
#[exclude = "client/README.md"]
#[exclude = "openlifter/README.md"]
struct Web;

const DOCS: &str = "docs.html";
const OVERLAY: &str = "overlay/page.html";
const OVERLAYS: &str = "overlay/list.html";

/// What `/overlay/{element}` can show; `web/overlay/elements.js` has the same names, and a test holds the two together.
pub(super) const ELEMENTS: &[&str] = &[
    "lower-third",
    "attempts",
    "up-next",
    "leaderboard",
    "lights",
    "clock",
    "board",
    "order",
    "warm-up",
    "break",
    "sponsors",
    "status",
    "all",
];

/// The contract in machine form.
pub const OPENAPI: &str = include_str!("../../openapi.yaml");

/// Pages load nothing from elsewhere, so names and values that look like markup can do nothing.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The same with inline styles, which the renderer of the API page cannot do without. It shows nothing that people entered.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The same for what goes on air: fonts of our own, and a place in the list of overlays.
const OVERLAY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// The same for the list of overlays, which shows them in frames.
const OVERLAYS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`: the director's page. Which meet, its URL's fragment and the browser's store tell the page.
pub(super) async fn director(uri: Uri, headers: HeaderMap) -> Answer {
    page("director/page.html", uri, &headers).await
}

/// `GET /director`: where the page was before it stood at `/`. Browsers keep the fragment.
pub(super) async fn to_director() -> Redirect {
    Redirect::permanent("/")
}

/// `GET /demo`: the demo meet, or first steps from a shell.
pub(super) async fn demo(uri: Uri, headers: HeaderMap) -> Answer {
    page("demo.html", uri, &headers).await
}

/// `GET /overlay/`: shows one meet; which one and with what key its own URL tells the page.
pub(super) async fn overlay(uri: Uri, headers: HeaderMap) -> Answer {
    page("overlay.html", uri, &headers).await
}

/// `GET /overlay/{element}`: one element of a broadcast; the page reads from its own URL which one, and everything else.
pub(super) async fn element(LastPart(element): LastPart, uri: Uri, headers: HeaderMap) -> Answer {
    if !ELEMENTS.contains(&element.as_str()) {
        return Err(not_found(uri).await);
    }
    page(OVERLAY, uri, &headers).await
}

/// `GET /overlays`: every overlay with its address.
pub(super) async fn overlays(uri: Uri, headers: HeaderMap) -> Answer {
    page(OVERLAYS, uri, &headers).await
}

/// `GET /docs`: the contract as a page.
pub(super) async fn docs(uri: Uri, headers: HeaderMap) -> Answer {
    page(DOCS, uri, &headers).await
}

/// `GET /web/{path}`
pub(super) async fn asset(LastPart(path): LastPart, uri: Uri, headers: HeaderMap) -> Answer {
    page(&path, uri, &headers).await
}

async fn page(path: &str, uri: Uri, request: &HeaderMap) -> Answer {
    match file(path, request) {
        Some(response) => Ok(response),
        None => Err(not_found(uri).await),
    }
}

fn file(path: &str, request: &HeaderMap) -> Option<Response> {
    let EmbeddedFile { data, metadata } = Web::get(path)?;
    let tag = HeaderValue::from_str(&format!("\"{}\"", hex::encode(metadata.sha256_hash()))).ok()?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type(path))),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy(path))),
        // A new version of the program must show at once, and asking costs little.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ETAG, tag.clone()),
    ];
    if request.get(IF_NONE_MATCH) == Some(&tag) {
        return Some((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Some((headers, data.into_owned()).into_response())
}

fn policy(path: &str) -> &'static str {
    match path {
        DOCS => DOCS_POLICY,
        OVERLAY => OVERLAY_POLICY,
        OVERLAYS => OVERLAYS_POLICY,
        _ => POLICY,
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// `GET /openapi.yaml`
pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/yaml"))], OPENAPI).into_response()
}
