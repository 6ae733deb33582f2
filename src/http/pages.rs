//! Pages and files that are part of the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::wire::problem::{Code, Problem};

use super::params::LastPart;
use super::reply::{Answer, not_found};

/// `web/`, tests and tools aside.
#[derive(RustEmbed)]
#[folder = "web/"]
#[exclude = "tests/*"]
#[exclude = "package.json"]
struct Web;

/// The contract in machine form.
pub(super) const OPENAPI: &str = include_str!("../../openapi.yaml");

/// Pages load nothing from elsewhere, so names and values that look like markup can do nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`
pub(super) async fn start(uri: Uri, headers: HeaderMap) -> Answer {
    page("index.html", uri, &headers).await
}

/// `GET /overlay/`: shows one meet; which one and with what key its own URL tells the page.
pub(super) async fn overlay(uri: Uri, headers: HeaderMap) -> Answer {
    page("overlay.html", uri, &headers).await
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
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        // A new version of the program must show at once, and asking costs little.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ETAG, tag.clone()),
    ];
    if request.get(IF_NONE_MATCH) == Some(&tag) {
        return Some((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Some((headers, data.into_owned()).into_response())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

/// `GET /openapi.yaml`
pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/yaml"))], OPENAPI).into_response()
}

/// `GET /problems/{code}`: where the `type` of a problem leads.
pub(super) async fn problem(LastPart(name): LastPart) -> Answer {
    let code = Code::named(&name).ok_or_else(|| Problem::new(Code::NotFound, "there is no problem of that name"))?;
    let facts = code.facts();
    let retry = if facts.retry { "The same request may succeed later." } else { "The same request will be refused again." };
    let effects = if facts.effects { "It may have had effects all the same." } else { "It had no effects." };
    // Every word comes from this program, so nothing needs escaping.
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} – liftrelay</title>\n<link rel=\"stylesheet\" href=\"/web/start.css\">\n<link rel=\"icon\" href=\"/web/icon.svg\">\n<header>\n<img src=\"/web/icon.svg\" alt=\"\" width=\"36\" height=\"36\">\n<p><strong>liftrelay</strong> <span>live sync for powerlifting meets</span></p>\n</header>\n<main>\n<h1>{title}</h1>\n<p><code>{name}</code>, HTTP status {status}</p>\n<h2>Cause</h2>\n<p>{cause}</p>\n<h2>Cure</h2>\n<p>{cure}</p>\n<p>{retry} {effects}</p>\n<p><a href=\"/\">To the start page</a></p>\n</main>\n</html>\n",
        title = facts.title,
        status = facts.status,
        cause = facts.cause,
        cure = facts.cure,
    );
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")), (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))];
    Ok((headers, page).into_response())
}
