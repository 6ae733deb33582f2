//! The golden cases in `tests/vectors/`, which other languages run too (see the README there).

mod steps;

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::chain::ServerKey;
use super::super::entry::{Entry, EntryFields, canonical_text};
use super::super::id::MeetId;
use super::super::key::Key;
use super::super::settings::{PrivatePaths, Settings};
use super::super::value::{Value, hash_hex};

#[derive(Deserialize)]
struct File<C> {
    description: String,
    cases: Vec<C>,
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "vectors", name].iter().collect()
}

fn load<C: for<'de> Deserialize<'de>>(name: &str) -> File<C> {
    let text = std::fs::read_to_string(path(name)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

// ---- Keys, canonical JSON ------------------------------------------------------------------

#[derive(Deserialize)]
struct KeyFile {
    cases: Vec<KeyCase>,
    overlaps: Vec<OverlapCase>,
}

#[derive(Deserialize)]
struct KeyCase {
    text: String,
    canonical: Option<String>,
    segments: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct OverlapCase {
    a: String,
    b: String,
    overlap: bool,
}

#[test]
fn keys() {
    let file: KeyFile = serde_json::from_str(&std::fs::read_to_string(path("keys.json")).unwrap()).unwrap();
    for case in &file.cases {
        let key = Key::parse(&case.text).ok();
        assert_eq!(key.as_ref().map(|key| key.as_str().to_owned()), case.canonical, "{}", case.text);
        let segments = key.map(|key| key.segments().iter().map(|segment| segment.as_str().to_owned()).collect());
        assert_eq!(segments, case.segments, "{}", case.text);
    }
    for OverlapCase { a, b, overlap } in &file.overlaps {
        let [a, b] = [a, b].map(|text| Key::parse(text).unwrap());
        assert_eq!((a.overlaps(&b), b.overlaps(&a)), (*overlap, *overlap), "{a} and {b}");
    }
}

#[derive(Deserialize)]
struct TextCase {
    text: String,
    canonical: Option<String>,
    sha256: Option<String>,
}

#[test]
fn canonical_json() {
    for case in load::<TextCase>("canonical-json.json").cases {
        let canonical = Value::parse(&case.text).ok().map(|value| value.canonical());
        assert_eq!(canonical, case.canonical, "{}", case.text);
        assert_eq!(canonical.as_deref().map(hash_hex), case.sha256, "{}", case.text);
    }
}

// ---- What viewers see ----------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedactionCase {
    name: String,
    settings: Settings,
    #[serde(default)]
    entries: Vec<RedactedEntry>,
    state: Option<Box<RawValue>>,
    viewer_state: Option<Box<RawValue>>,
    viewer_state_hash: Option<String>,
}

#[derive(Deserialize)]
struct RedactedEntry {
    editor: Box<RawValue>,
    viewer: Box<RawValue>,
}

#[test]
fn redaction() {
    for case in load::<RedactionCase>("redaction.json").cases {
        let paths = &case.settings.private_paths;
        for RedactedEntry { editor, viewer } in &case.entries {
            let entry = entry(editor);
            assert_eq!(entry.editor_text(), canonical_raw(editor), "{}", case.name);
            assert_eq!(entry.viewer_text(paths), canonical_raw(viewer), "{}", case.name);
        }
        if let (Some(state), Some(viewer)) = (&case.state, &case.viewer_state) {
            let seen = viewer_state(paths, state);
            assert_eq!(seen, canonical_raw(viewer), "{}", case.name);
            assert_eq!(Some(hash_hex(&seen)), case.viewer_state_hash, "{}", case.name);
        }
    }
}

fn canonical_raw(text: &RawValue) -> String {
    Value::parse_unbounded(text.get()).unwrap().canonical()
}

fn viewer_state(paths: &PrivatePaths, state: &RawValue) -> String {
    let mut state = Value::parse(state.get()).unwrap();
    paths.redact(&[], &mut state);
    state.canonical()
}

/// An entry as a log would hold it; its chain is of no account here.
fn entry(editor: &RawValue) -> Entry {
    let fields: EntryFields = serde_json::from_str(&canonical_raw(editor)).unwrap();
    let chain = ServerKey::new([0; 32]).chain_start(MeetId::from_random(0), &[0; 16]);
    let text = canonical_text(&EntryFields { previous_value: None, ..fields.clone() });
    Entry { fields, chain, text }
}
