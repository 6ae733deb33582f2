//! Pages that are part of the program, as their readers' browsers get them.

use std::fs;
use std::path::Path;

use liftrelay::wire::problem::Code;
use sha2::{Digest, Sha256};

use crate::support::TestServer;

#[tokio::test]
async fn the_contract_is_a_page_that_loads_nothing_from_elsewhere() {
    let server = TestServer::start().await;
    let page = server.stranger().get("/docs").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"), "{policy}");
    assert!(policy.contains("connect-src 'self';"), "{policy}");
    assert!(!page.text.contains("//"), "only addresses of this server: {}", page.text);
    let sources: Vec<&str> = page.text.split("\"/web/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(sources.contains(&"vendor/openapi-explorer.min.js"), "{sources:?}");
    for source in sources {
        server.stranger().get(&format!("/web/{source}")).await.expect(200);
    }
}

/// Only the page that needs it may style inline.
#[tokio::test]
async fn other_pages_keep_the_strict_policy() {
    let server = TestServer::start().await;
    for path in ["/", "/overlay/", "/demo", "/problems/", "/problems/overloaded", "/web/demo.js"] {
        let page = server.stranger().get(path).await;
        assert!(page.header("content-security-policy").contains("style-src 'self';"), "{path}");
    }
}

/// What goes on air is one page under many names; only the list of overlays may show it in a frame.
#[tokio::test]
async fn every_overlay_has_an_address() {
    let server = TestServer::start().await;
    let table = server.stranger().get("/web/overlay/elements.js").await.text;
    let (_, table) = table.split_once("ELEMENTS = {").unwrap();
    let (table, _) = table.split_once("};").unwrap();
    let names = table.lines().filter_map(|line| line.split_once(": { usual:")).map(|(name, _)| name.trim().trim_matches('"'));
    let names: Vec<&str> = names.chain(["all"]).collect();
    assert_eq!(names.len(), 13, "{names:?}");
    for name in names {
        let page = server.stranger().get(&format!("/overlay/{name}?meet=123456789")).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"), "{name}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && policy.contains("style-src 'self';"), "{policy}");
        assert!(policy.contains("font-src 'self';") && policy.ends_with("frame-ancestors 'self'"), "{policy}");
    }
    let list = server.stranger().get("/overlays").await;
    let policy = list.header("content-security-policy");
    assert!(policy.contains("frame-src 'self';") && policy.ends_with("frame-ancestors 'none'"), "{policy}");
    let unknown = server.stranger().get("/overlay/nothing").await;
    assert_eq!(unknown.status.as_u16(), 404);
    let font = server.stranger().get("/web/vendor/roboto-condensed-latin-wght-normal.woff2").await;
    assert_eq!((font.status.as_u16(), font.header("content-type")), (200, "font/woff2"));
}

/// `web/vendor/README.md` says what each file is, and it is that.
#[test]
fn third_party_files_are_those_that_are_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/vendor");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut compared = 0;
    for item in fs::read_dir(&folder).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == "README.md" || readme.contains(&format!("`{name}`")), "README.md does not name {name}");
        let Some(line) = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |"))) else { continue };
        let sum = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
        assert!(line.contains(&format!("`{sum}`")), "{name} has {sum}");
        compared += 1;
    }
    assert_eq!(compared, readme.lines().filter(|line| line.starts_with("| `")).count(), "every file that it names is there");
}

#[tokio::test]
async fn every_problem_is_in_the_index_and_leads_back_to_it() {
    let server = TestServer::start().await;
    let index = server.stranger().get("/problems/").await;
    assert_eq!((index.status.as_u16(), index.header("content-type")), (200, "text/html; charset=utf-8"));
    for code in Code::ALL {
        let facts = code.facts();
        let page = server.stranger().get(&format!("/problems/{}", facts.code)).await;
        assert_eq!(page.status, 200);
        assert!(index.text.contains(&format!("href=\"/problems/{}\"", facts.code)), "{}", facts.code);
        for text in [facts.cause, facts.cure, &facts.status.to_string()] {
            assert!(index.text.contains(text) && page.text.contains(text), "{}: {text}", facts.code);
        }
        assert!(page.text.contains("href=\"/problems/\"") && page.text.contains("href=\"/docs\""), "{}", facts.code);
        let retry = if facts.retry { "may succeed later" } else { "will be refused again" };
        let effects = if facts.effects { "may have had effects" } else { "had no effects" };
        assert!(page.text.contains(retry) && page.text.contains(effects), "{}", facts.code);
    }
    server.stranger().get("/problems/nonsense").await.problem(404, "not-found");
}

/// The first page is the director's; who has a bookmark of where it was comes to it.
#[tokio::test]
async fn the_directors_page_is_the_first() {
    let server = TestServer::start().await;
    let page = server.stranger().get("/").await;
    assert!(page.text.contains("/web/director/main.js"), "{}", page.text);
    let former = server.stranger().get("/director").await;
    assert_eq!((former.status.as_u16(), former.header("location")), (308, "/"));
    assert!(server.stranger().get("/demo").await.text.contains("/web/demo.js"));
}
