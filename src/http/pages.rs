//! Pages and files that are part of the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
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

/// The contract in machine form.
pub const OPENAPI: &str = include_str!("../../openapi.yaml");

/// Pages load nothing from elsewhere, so names and values that look like markup can do nothing.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The same with inline styles, which the renderer of the API page cannot do without. It shows nothing that people entered.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`
pub(super) async fn start(uri: Uri, headers: HeaderMap) -> Answer {
    page("index.html", uri, &headers).await
}

/// `GET /overlay/`: shows one meet; which one and with what key its own URL tells the page.
pub(super) async fn overlay(uri: Uri, headers: HeaderMap) -> Answer {
    page("overlay.html", uri, &headers).await
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
    if path == DOCS { DOCS_POLICY } else { POLICY }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// `GET /openapi.yaml`
pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/yaml"))], OPENAPI).into_response()
}
