//! An OpenLifter build of the operator's own, served with one script added that makes it live.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect};
use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::wire::problem::{Code, Problem};

use super::App;
use super::params::LastPart;
use super::reply::{Answer, not_found};

const INDEX: &str = "index.html";
/// Comes before OpenLifter's own scripts, which ask for what it brings.
const SCRIPT: &str = r#"<script src="/web/openlifter/hook.js"></script>"#;

/// OpenLifter sets styles of its own and saves files that it makes; it loads nothing from elsewhere. Its page may have more: see
/// [`policy`].
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// Whether a folder can be served.
///
/// # Errors
/// What is missing, and what would be right, for a person.
pub fn check(folder: &Path) -> Result<(), String> {
    let index = folder.join(INDEX);
    let text = std::fs::read_to_string(&index).map_err(|error| {
        format!("--app-dir {}: {error}; it must be the folder of an OpenLifter build, the one with {INDEX}", index.display())
    })?;
    let refused = |why: String| Err(format!("--app-dir {}: {why}", index.display()));
    if with_script(&text).is_none() {
        return refused("it has no <head>; is it the page of an OpenLifter build?".to_owned());
    }
    match scripts(&text).iter().filter_map(Script::file).find(|file| !file.starts_with("/app/")) {
        None => Ok(()),
        Some(file) => refused(format!(
            "its script {file} is built for another address; build OpenLifter with PUBLIC_URL=/app and REACT_APP_ROUTER_BASENAME=/app"
        )),
    }
}

/// `GET /app`
pub(super) async fn root() -> Redirect {
    Redirect::permanent("/app/")
}

/// `GET /app/`: OpenLifter's page.
pub(super) async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer {
    index(&folder(&app)?, &headers).await
}

/// `GET /app/{path}`: a file of the build. OpenLifter's own addresses look like files without an ending; its page answers for them.
pub(super) async fn file(State(app): State<Arc<App>>, LastPart(path): LastPart, request: Request) -> Answer {
    let folder = folder(&app)?;
    let uri = request.uri().clone();
    if path == INDEX || is_address(&path, request.headers()) {
        return index(&folder, request.headers()).await;
    }
    let Some(found) = inside(&folder, &path).await else { return Err(not_found(uri).await) };
    let Ok(response) = ServeFile::new(found).oneshot(request).await;
    let mut response = response.map(Body::new);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // A new build must show at once, and asking costs little.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn folder(app: &App) -> Result<PathBuf, Problem> {
    let none = || Problem::new(Code::NotFound, "no OpenLifter is served here; liftrelay serve --app-dir DIR serves a build of it");
    app.options().app_dir.clone().ok_or_else(none)
}

/// A file of the folder, hidden ones and those that links lead to elsewhere aside.
async fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    if path.split('/').any(|part| part.starts_with('.')) {
        return None;
    }
    let (folder, found) = (tokio::fs::canonicalize(folder).await.ok()?, tokio::fs::canonicalize(folder.join(path)).await.ok()?);
    (found.starts_with(folder) && found.is_file()).then_some(found)
}

fn is_address(path: &str, headers: &HeaderMap) -> bool {
    let takes_pages = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"));
    let name = path.rsplit('/').next().unwrap_or_default();
    takes_pages && !name.contains('.')
}

/// Read anew each time, so that a new build needs no restart.
async fn index(folder: &Path, request: &HeaderMap) -> Answer {
    let read = tokio::fs::read_to_string(folder.join(INDEX)).await.ok();
    let Some(text) = read.as_deref().and_then(with_script) else {
        return Err(Problem::new(Code::NotFound, format!("{INDEX} of the OpenLifter build is gone, or has no <head>; build it again")));
    };
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(&text)));
    let policy = policy(&text);
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, &policy), (CACHE_CONTROL, "no-cache"), (ETAG, &tag)];
    if request.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, text).into_response())
}

/// The page with the script at the start of its head.
fn with_script(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let is_head = |at: &usize| lower[at + "<head".len()..].starts_with(|next: char| next == '>' || next.is_ascii_whitespace());
    let start = lower.match_indices("<head").map(|(at, _)| at).find(is_head)?;
    let end = start + lower[start..].find('>')? + 1;
    Some(format!("{}{SCRIPT}{}", &page[..end], &page[end..]))
}

/// What the page may do: its build writes the loader of its scripts into the page itself, and each script there is allowed by its hash,
/// so that no other may run.
fn policy(page: &str) -> String {
    let hash = |script: &Script| format!(" 'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(&script.text)));
    let allowed: String = scripts(page).iter().filter(|script| !script.text.is_empty()).map(hash).collect();
    POLICY.replacen("script-src 'self'", &format!("script-src 'self'{allowed}"), 1)
}

/// A script of a page: what stands in its tag, and its text as a browser reads it.
struct Script<'a> {
    tag: &'a str,
    text: String,
}

impl<'a> Script<'a> {
    /// A file of this server that it comes from.
    fn file(&self) -> Option<&'a str> {
        let (_, source) = self.tag.split_once("src=")?;
        let source = source.trim_start_matches(['"', '\'']);
        let end = source.find(['"', '\'', ' ']).unwrap_or(source.len());
        source.starts_with('/').then_some(&source[..end])
    }
}

fn scripts(page: &str) -> Vec<Script<'_>> {
    const OPEN: &str = "<script";
    let lower = page.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = lower[at..].find(OPEN).map(|start| at + start + OPEN.len()) {
        at = start;
        let is_script = lower[start..].starts_with(|next: char| next == '>' || next.is_ascii_whitespace());
        let Some(text) = lower[start..].find('>').map(|end| start + end + 1).filter(|_| is_script) else { continue };
        let Some(end) = lower[text..].find("</script").map(|end| text + end) else { break };
        at = end;
        found.push(Script { tag: &page[start..text - 1], text: page[text..end].replace("\r\n", "\n") });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_comes_first_in_the_head() {
        let with = |page| with_script(page).unwrap_or_default();
        assert_eq!(with("<html><head><title>x</title>"), format!("<html><head>{SCRIPT}<title>x</title>"));
        assert_eq!(with("<HTML><HEAD lang=\"é\">\n<base>"), format!("<HTML><HEAD lang=\"é\">{SCRIPT}\n<base>"));
        assert_eq!(with("<header></header><head >"), format!("<header></header><head >{SCRIPT}"));
    }

    #[test]
    fn scripts_are_read_as_a_browser_does() {
        let page = "<scripts>no</scripts><script>a<b</script><SCRIPT type=\"x\">\r\né</Script><script src=\"/y.js\"></script><script>open";
        let scripts = scripts(page);
        assert_eq!(scripts.iter().map(|script| &*script.text).collect::<Vec<_>>(), ["a<b", "\né", ""]);
        assert_eq!(scripts.iter().map(Script::file).collect::<Vec<_>>(), [None, None, Some("/y.js")]);
        assert_eq!(policy("<script src=\"y\"></script>"), POLICY);
        assert!(policy("<script>boot()</script>").contains("'self' 'sha256-MeZS89WlF0u+o0hCvHTBt4q1WHU+U+sJKgbdRUc36mY='"));
    }

    #[test]
    fn a_page_without_a_head_is_none_of_openlifter_s() {
        assert_eq!(with_script("<p>Index of /</p>"), None);
        assert_eq!(with_script("<headline>"), None);
    }
}
