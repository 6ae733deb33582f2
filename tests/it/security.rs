//! SECURITY.md promises what tests hold, and names the numbers that the server has.

use std::path::Path;

const SECURITY: &str = include_str!("../../SECURITY.md");
const LIMITS: &str = include_str!("../../src/meet/limits.rs");

/// The cells of every row of a table, without their backquotes.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = SECURITY.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    lines.filter_map(|line| line.rsplit_once(" | ")).map(|(first, last)| (first, last.trim_matches('`')))
}

/// Whether a test stands in a list of those that run on HTTP and on HTTPS.
fn is_listed(source: &str, name: &str) -> bool {
    let mut lists = source.split("plain_and_under_tls! {").skip(1).filter_map(|list| list.split_once('}'));
    lists.any(|(list, _)| list.lines().any(|line| line.trim() == format!("{name},")))
}

#[test]
fn every_promise_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let promises: Vec<_> = rows().filter_map(|(promise, test)| Some((promise, test.split_once("::")?))).collect();
    let promises: Vec<_> = promises.into_iter().filter(|(_, (file, _))| file.ends_with(".rs")).collect();
    assert!(promises.len() >= 60, "{} promises", promises.len());
    for (promise, (file, name)) in promises {
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let (before, _) = source.split_once(&format!("fn {name}(")).unwrap_or_default();
        let attributes = before.rsplit("\n\n").next().unwrap_or_default();
        let is_test = attributes.contains("#[test]") || attributes.contains("#[tokio::test") || is_listed(&source, name);
        assert!(is_test, "{promise} {file} has no test {name}");
    }
}

#[test]
fn limits_have_the_numbers_that_are_promised() {
    let limits: Vec<_> = rows().filter(|(name, _)| name.starts_with('`')).filter(|(name, _)| !name.contains(' ')).collect();
    assert!(limits.len() >= 20, "{} limits", limits.len());
    for (name, number) in limits {
        let name = name.trim_matches('`');
        let (_, rest) = LIMITS.split_once(&format!("pub const {name}: ")).unwrap_or_else(|| panic!("no limit {name}"));
        let value = rest.split_once(" = ").and_then(|(_, rest)| rest.split_once(';')).unwrap().0;
        assert_eq!(value, number, "{name}");
    }
}
