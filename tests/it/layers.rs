//! The rule of the house: `meet` ← `wire` ← {`store`, `auth`, `metrics`} ← `relay` ← `publish` ← `http` ← `cli`, nothing else, nothing backwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What each layer may name besides itself.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("meet", &[]),
    ("wire", &["meet"]),
    ("store", &["meet", "wire"]),
    ("auth", &["meet", "wire"]),
    ("metrics", &["meet", "wire"]),
    ("relay", &["meet", "wire", "store", "auth", "metrics"]),
    ("publish", &["meet", "wire", "store", "auth", "metrics", "relay"]),
    ("http", &["meet", "wire", "store", "auth", "metrics", "relay", "publish"]),
    ("client", &["meet", "wire"]),
    ("cli", &["meet", "wire", "store", "auth", "metrics", "relay", "publish", "http", "client"]),
];

/// Lies below all layers, and is empty in the program that users run.
const PLANTED_FAULTS: &str = "mutant";

/// Crates that would bring I/O, clocks, randomness or tasks into the pure core.
const IMPURE: [&str; 8] = ["tokio", "std::fs", "std::net", "std::io", "std::thread", "getrandom", "SystemTime", "Instant::now"];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Every `crate::<layer>` that stands in the code, comments and doc links aside.
fn named(source: &str) -> BTreeSet<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn layers_know_only_those_before_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders: BTreeSet<String> = fs::read_dir(&root)
        .unwrap()
        .map(|item| item.unwrap())
        .filter(|item| item.path().is_dir())
        .map(|item| item.file_name().into_string().unwrap())
        .collect();
    let layers: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    assert_eq!(folders, layers.keys().map(|layer| (*layer).to_owned()).collect());
    for (layer, may_use) in layers {
        let mut files = Vec::new();
        sources(&root.join(layer), &mut files);
        assert!(!files.is_empty());
        for (path, source) in files {
            let used = named(&source);
            let is_known = |name: &str| name == layer || name == PLANTED_FAULTS || may_use.contains(&name);
            let wrong: Vec<_> = used.iter().filter(|name| !is_known(name)).collect();
            assert!(wrong.is_empty(), "{path} uses {wrong:?}, which lies behind {layer}");
        }
    }
}

#[test]
fn the_core_is_pure() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/meet"), &mut files);
    for (path, source) in files.iter().filter(|(path, _)| !path.contains("/tests")) {
        let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        for word in IMPURE {
            assert!(!code.contains(word), "{path} names {word}");
        }
    }
}
