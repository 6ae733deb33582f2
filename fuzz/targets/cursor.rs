//! Cursors: what is written is read back, and the JSON of a request takes exactly what the text form takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liftrelay::meet::chain::Cursor;
use liftrelay::meet::limits::SEQ_END;
use liftrelay::wire::request::{FromObject, Sync};
use serde_json::json;

fn in_json(after: &serde_json::Value) -> Option<Cursor> {
    let FromObject(sync) = serde_json::from_str::<FromObject<Sync>>(&json!({ "after": after }).to_string()).ok()?;
    Some(sync.after)
}

fuzz_target!(|text: &str| {
    let cursor: Option<Cursor> = text.parse().ok();
    assert_eq!(in_json(&json!(text)), cursor, "as a JSON string");
    let Some(cursor) = cursor else { return };
    assert!(cursor.seq < SEQ_END);
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    let bare = Cursor { tag: None, ..cursor };
    assert_eq!(in_json(&json!(cursor.seq)), Some(bare), "as a JSON number");
    assert_eq!(in_json(&json!(cursor.seq as f64)), Some(bare), "as a JSON number with a fraction of zero");
});
