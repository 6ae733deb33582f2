//! Keys: one canonical form, read back as the same key; overlap as the segments say it, the same from both sides.
//! The input is two keys with a line feed between them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liftrelay::meet::key::{FORBIDDEN_NAME, Key, overlap};
use liftrelay::meet::limits::{KEY_MAX_BYTES, KEY_MAX_SEGMENTS};

fn read(text: &str) -> Option<Key> {
    let key = Key::parse(text).inspect_err(|error| assert!(!error.to_string().is_empty())).ok()?;
    assert_eq!(Key::parse(key.as_str()), Ok(key.clone()));
    assert!(key.as_str().len() <= KEY_MAX_BYTES);
    assert!((1..=KEY_MAX_SEGMENTS).contains(&key.segments().len()));
    assert!(key.segments().iter().all(|segment| segment.as_str() != FORBIDDEN_NAME));
    for depth in 0..=key.segments().len() {
        let above = key.above(depth);
        assert_eq!(above.is_some(), depth > 0);
        assert!(above.is_none_or(|above| above.overlaps(&key) && *above.segments() == key.segments()[..depth]));
    }
    Some(key)
}

/// Every segment in its longest spelling, which only differs where it is not canonical.
fn spelled_out(key: &Key) -> String {
    let segment = |text: &str| format!("[{}]", serde_json::Value::from(text));
    key.segments().iter().map(|part| segment(part.as_str())).collect()
}

fuzz_target!(|text: &str| {
    let (a, b) = text.split_once('\n').unwrap_or((text, ""));
    let (a, b) = (read(a), read(b));
    if let Some(a) = &a {
        assert_eq!(Key::parse(&spelled_out(a)).as_ref(), Ok(a));
    }
    let (Some(a), Some(b)) = (a, b) else { return };
    let (short, long) = if a.segments().len() <= b.segments().len() { (&a, &b) } else { (&b, &a) };
    let expected = long.segments().starts_with(short.segments());
    assert_eq!((a.overlaps(&b), b.overlaps(&a)), (expected, expected), "{a} and {b}");
    assert_eq!(overlap(a.as_str(), b.as_str()), expected);
    assert_eq!(a == b, a.as_str() == b.as_str());
});
