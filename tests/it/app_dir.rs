//! An OpenLifter build that the operator has, served live.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use liftrelay::http::Options;
use reqwest::Method;
use tempfile::TempDir;

use crate::support::TestServer;
use crate::support::client::Reply;
use crate::support::process::{Process, liftrelay, run};
use crate::support::server::options;

const PAGE: &str =
    "<!doctype html><html><head><base href=\"/app/\"><script defer src=\"/app/static/js/main.0a1b.js\"></script></head></html>";

/// What a build is made of.
fn build() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("index.html", PAGE),
        ("static/js/main.0a1b.js", "boot()"),
        ("static/css/main.css", "p{}"),
        (".env", "SECRET=1"),
        ("manifest.json", "{}"),
    ];
    for (path, text) in files {
        fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        fs::write(folder.path().join(path), text).unwrap();
    }
    folder
}

async fn serving(folder: &Path) -> TestServer {
    TestServer::with(Options { app_dir: Some(folder.to_owned()), ..options() }).await
}

async fn asking(server: &TestServer, path: &str, headers: &[(&'static str, &str)]) -> Reply {
    let client = server.stranger();
    let request = headers.iter().fold(client.request(Method::GET, path), |request, (name, value)| request.header(*name, *value));
    client.send(request).await
}

#[tokio::test]
async fn its_page_gets_one_script_before_its_own() {
    let folder = build();
    let server = serving(folder.path()).await;
    let page = server.stranger().get("/app/").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let script = "<script src=\"/web/openlifter/hook.js\"></script>";
    assert_eq!(page.text.replacen(script, "", 1), PAGE, "nothing else is changed");
    assert!(page.text.find(script) < page.text.find("main.0a1b.js"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("script-src 'self' 'unsafe-inline'"), "{policy}");
    let tag = page.header("etag").to_owned();
    assert_eq!(asking(&server, "/app/", &[("if-none-match", &tag)]).await.status.as_u16(), 304);
    fs::write(folder.path().join("index.html"), PAGE.replace("0a1b", "2c3d")).unwrap();
    let rebuilt = asking(&server, "/app/", &[("if-none-match", &tag)]).await;
    assert!(rebuilt.text.contains("main.2c3d.js"), "a new build needs no restart");
}

/// A build has the loader of its scripts in its page unless it is told otherwise; without it, nothing of OpenLifter starts.
#[tokio::test]
async fn a_script_that_the_build_has_in_its_page_may_run_and_no_other() {
    let folder = build();
    fs::write(folder.path().join("index.html"), PAGE.replace("</head>", "<script>boot()</script></head>")).unwrap();
    let server = serving(folder.path()).await;
    let page = server.stranger().get("/app/").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self' 'sha256-MeZS89WlF0u+o0hCvHTBt4q1WHU+U+sJKgbdRUc36mY=';"), "{policy}");
    let file = server.stranger().get("/app/manifest.json").await;
    assert!(file.header("content-security-policy").contains("script-src 'self';"), "a file needs none of it");
}

#[tokio::test]
async fn its_files_come_as_what_they_are() {
    let folder = build();
    let server = serving(folder.path()).await;
    for (path, kind) in
        [("static/js/main.0a1b.js", "text/javascript"), ("static/css/main.css", "text/css"), ("manifest.json", "application/json")]
    {
        let file = server.stranger().get(&format!("/app/{path}")).await;
        assert_eq!((file.status.as_u16(), file.header("content-type")), (200, kind), "{path}");
        let policy = file.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        let since = file.header("last-modified").to_owned();
        let again = asking(&server, &format!("/app/{path}"), &[("if-modified-since", &since)]).await;
        assert_eq!(again.status.as_u16(), 304, "{path}");
    }
}

/// OpenLifter's own addresses, which the browser asks for when it loads the page anew.
#[tokio::test]
async fn its_own_addresses_lead_to_its_page() {
    let folder = build();
    let server = serving(folder.path()).await;
    let asked = [("accept", "text/html,application/xhtml+xml")];
    assert!(asking(&server, "/app/lifting", &asked).await.text.contains("hook.js"));
    assert_eq!(asking(&server, "/app/static/js/gone.js", &asked).await.status.as_u16(), 404);
    assert_eq!(server.stranger().get("/app/lifting").await.status.as_u16(), 404, "a program asks for files");
    let bare = server.stranger().get("/app").await;
    assert_eq!((bare.status.as_u16(), bare.header("location")), (308, "/app/"));
}

#[tokio::test]
async fn nothing_else_of_the_disk_is_served() {
    let (folder, other) = (build(), tempfile::tempdir().unwrap());
    fs::write(other.path().join("key"), "secret").unwrap();
    symlink(other.path(), folder.path().join("linked")).unwrap();
    let server = serving(folder.path()).await;
    for path in [
        "/app/.env",
        "/app/static/../../key",
        "/app/..%2f..%2fetc/passwd",
        "/app/%2e%2e/%2e%2e/etc/passwd",
        "/app//etc/passwd",
        "/app/static/",
    ] {
        let refused = server.stranger().get(path).await;
        assert_eq!(refused.status.as_u16(), 404, "{path}: {}", refused.text);
    }
    assert_eq!(server.stranger().get("/app/linked/key").await.status.as_u16(), 404, "a link that leads out of the folder");
}

#[tokio::test]
async fn without_a_build_it_says_how_to_have_one() {
    let server = TestServer::start().await;
    let none = server.stranger().get("/app/").await;
    assert_eq!(none.status.as_u16(), 404);
    assert!(none.text.contains("--app-dir DIR"), "{}", none.text);
}

#[test]
fn a_folder_that_is_no_build_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let start = |folder: &Path| {
        run(liftrelay().args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.join("data")).arg("--app-dir").arg(folder))
    };
    let (code, _, told) = start(folder.path());
    assert_eq!(code, 2, "{told}");
    assert!(
        told.contains("index.html: No such file or directory") && told.contains("it must be the folder of an OpenLifter build"),
        "{told}"
    );
    fs::write(folder.path().join("index.html"), "<p>Index of /</p>").unwrap();
    let (code, _, told) = start(folder.path());
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("has no <head>"), "{told}");
    fs::write(folder.path().join("index.html"), PAGE.replace("/app/static", "/releases/1.3/static")).unwrap();
    let (code, _, told) = start(folder.path());
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("its script /releases/1.3/static/js/main.0a1b.js is built for another address"), "{told}");
}

#[test]
fn the_start_says_where_it_is() {
    let (folder, data) = (build(), tempfile::tempdir().unwrap());
    let process = Process::start_with(data.path(), &["--app-dir", folder.path().to_str().unwrap()]);
    process.signal("TERM");
    let (_, _, told) = process.wait();
    assert!(told.contains("OpenLifter is at http://127.0.0.1:") && told.contains("/app/, from "), "{told}");
}
