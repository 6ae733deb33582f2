//! JSON trees for the oracle: written without a look at the core's values and state.

use serde_json::{Map, Value as Json};

/// 180 and 180.0 are the same value.
pub(crate) fn doubles(value: Json) -> Json {
    match value {
        Json::Number(number) => number.as_f64().unwrap().into(),
        Json::Array(items) => items.into_iter().map(doubles).collect(),
        Json::Object(members) => members.into_iter().map(|(name, value)| (name, doubles(value))).collect(),
        other => other,
    }
}

/// The array position that a segment names.
pub(crate) fn position(segment: &str) -> Option<usize> {
    segment.parse().ok().filter(|index: &usize| index.to_string() == segment)
}

/// What stands at a path; `None` where nothing does or a scalar is in the way.
pub(crate) fn look<'a>(value: &'a Json, path: &[String]) -> Option<&'a Json> {
    let Some((first, rest)) = path.split_first() else {
        return Some(value);
    };
    match value {
        Json::Object(members) => look(members.get(first)?, rest),
        Json::Array(items) => look(items.get(position(first)?)?, rest),
        _ => None,
    }
}

/// Puts a value at a path; missing parents become objects.
pub(crate) fn put(place: &mut Json, path: &[String], value: Json) {
    let Some((first, rest)) = path.split_first() else {
        *place = value;
        return;
    };
    let missing = Json::Object(Map::new());
    match place {
        Json::Object(members) => put(members.entry(first.clone()).or_insert(missing), rest, value),
        Json::Array(items) => {
            let index = position(first).unwrap();
            if index == items.len() {
                items.push(missing);
            }
            put(&mut items[index], rest, value);
        }
        scalar => panic!("{scalar} holds nothing"),
    }
}

/// Takes away the member at a path.
pub(crate) fn take(place: &mut Json, path: &[String]) {
    match place {
        Json::Object(members) if path.len() == 1 => drop(members.remove(&path[0])),
        Json::Object(members) => take(members.get_mut(&path[0]).unwrap(), &path[1..]),
        Json::Array(items) => take(&mut items[position(&path[0]).unwrap()], &path[1..]),
        scalar => panic!("{scalar} holds nothing"),
    }
}
