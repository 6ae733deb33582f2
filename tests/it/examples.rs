//! Every public type of the client shows how it is used, and the examples run and check something.

use std::fs;
use std::path::Path;

/// Examples with one of these do not run, or not together with the others.
const NOT_RUN: [&str; 5] = ["ignore", "no_run", "should_panic", "compile_fail", "standalone"];

/// Each public type of a file, with its documentation.
fn types(source: &str) -> Vec<(String, Vec<&str>)> {
    let (mut found, mut docs) = (Vec::new(), Vec::new());
    for line in source.lines() {
        let declares = ["pub struct ", "pub enum ", "pub trait "].iter().find_map(|words| line.strip_prefix(words));
        match (line.strip_prefix("///"), declares) {
            (Some(doc), _) => docs.push(doc.trim()),
            (None, Some(rest)) => {
                let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                found.push((name.to_owned(), std::mem::take(&mut docs)));
            }
            // Attributes stand between the two.
            (None, None) if line.starts_with('#') || line.starts_with(' ') || line == ")]" => {}
            (None, None) => docs.clear(),
        }
    }
    found
}

/// What is wrong with the example in a type's documentation.
fn lack(docs: &[&str]) -> Option<&'static str> {
    let fences: Vec<_> = docs.iter().filter_map(|line| line.strip_prefix("```")).collect();
    if fences.is_empty() {
        return Some("has no example");
    }
    if fences.iter().any(|words| NOT_RUN.iter().any(|word| words.contains(word))) {
        return Some("has an example that does not run");
    }
    let checks = docs.iter().any(|line| line.contains("assert"));
    (!checks).then_some("has an example that checks nothing")
}

fn look(folder: &Path, seen: &mut usize, lacks: &mut Vec<String>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            look(&path, seen, lacks);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for (name, docs) in types(&source) {
            *seen += 1;
            lacks.extend(lack(&docs).map(|lack| format!("{name} in {} {lack}", path.display())));
        }
    }
}

/// What of the core and the wire a client's user reads and writes.
const SHARED: [(&str, &[&str]); 12] = [
    ("meet/chain.rs", &["Cursor"]),
    ("meet/entry.rs", &["EntryFields"]),
    ("meet/id.rs", &["MeetId"]),
    ("meet/key.rs", &["Key"]),
    ("meet/outcome.rs", &["Ack", "UpdateCode"]),
    ("meet/state.rs", &["State"]),
    ("meet/time.rs", &["Timestamp"]),
    ("meet/update.rs", &["Op", "Mode"]),
    ("meet/value.rs", &["Value"]),
    ("wire/message.rs", &["Status"]),
    ("wire/problem.rs", &["Code"]),
    ("wire/reply.rs", &["ReceivedPage", "ReceivedRejection", "ReceivedSession", "ReceivedConflict"]),
];

#[test]
fn what_clients_share_with_the_server_has_examples_too() {
    for (file, wanted) in SHARED {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap();
        let types = types(&source);
        for name in wanted {
            let (_, docs) = types.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("{name} is not in {file}"));
            assert_eq!(lack(docs), None, "{name} in {file}");
        }
    }
}

#[test]
fn every_public_type_of_the_client_has_an_example_that_runs() {
    let (mut seen, mut lacks) = (0, Vec::new());
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client"), &mut seen, &mut lacks);
    assert!(seen > 70, "only {seen} were found");
    assert!(lacks.is_empty(), "a type that need not be public needs none:\n{}", lacks.join("\n"));
}
