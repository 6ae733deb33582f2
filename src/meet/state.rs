//! The state: the left fold of a log. The same log gives the same canonical text everywhere.

use super::key::{Key, Segment};
use super::update::Op;
use super::value::{Object, Value, hash_hex};

/// Everything that stands, as one tree.
///
/// ```
/// use liftrelay::meet::{key::Key, state::State, value::Value};
///
/// let (mut state, key) = (State::default(), Key::parse("meet.name")?);
/// state.fold(&key, Some(Value::parse("\"Spring Open\"")?));
/// assert_eq!(state.get(&key).map(Value::canonical).as_deref(), Some("\"Spring Open\""));
/// state.fold(&key, None);
/// assert_eq!(state.canonical(), r#"{"meet":{}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct State(Value);

/// Why an update cannot apply to the state as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A step of the key goes below a scalar, or by name below an array.
    #[error("{at} holds {holds}, so nothing can stand below it; set {at} to an object first")]
    NotAContainer {
        /// The key of what is in the way.
        at: String,
        /// What it is, with an article.
        holds: &'static str,
    },
    /// An index behind the end of an array.
    #[error("{at} has {length} elements, so its index can be 0 to {length}")]
    OutOfRange {
        /// The key of the array.
        at: String,
        /// Its length.
        length: usize,
    },
    /// `create` or `remove` of one element.
    #[error("an element of {at} is neither created nor removed by itself; set the whole array")]
    ArrayElement {
        /// The key of the array.
        at: String,
    },
}

/// What a change replaced, so that it can be taken back.
#[derive(Debug)]
pub(crate) struct Undo {
    /// How many segments of the key lead to `before`.
    depth: usize,
    /// What stood there; `None` where nothing did.
    before: Option<Value>,
}

impl Default for State {
    fn default() -> Self {
        State(Value::Object(Object::new()))
    }
}

impl State {
    /// A tree that was a state before.
    pub(crate) fn of(root: Object) -> State {
        State(Value::Object(root))
    }

    /// The whole tree.
    pub fn root(&self) -> &Value {
        &self.0
    }

    /// What stands at `key`.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.0.get(key.segments())
    }

    /// The canonical text (RFC 8785).
    pub fn canonical(&self) -> String {
        self.0.canonical()
    }

    /// Lower-case hex SHA-256 of the canonical text.
    pub fn hash(&self) -> String {
        hash_hex(&self.canonical())
    }

    /// Carries out one entry of a log; `None` removes.
    pub fn fold(&mut self, key: &Key, value: Option<Value>) {
        match value {
            Some(value) => self.set(key, value),
            None => self.remove(key),
        };
    }

    /// Whether `op` can apply at `key`: parents are objects, arrays long enough, or missing. Gives what stands there.
    ///
    /// # Errors
    /// What is in the way.
    pub fn check(&self, key: &Key, op: Op) -> Result<Option<&Value>, Obstacle> {
        (0..key.segments().len()).try_fold(Some(&self.0), |place, depth| step(place, key, depth, op))
    }

    /// Puts `value` at `key`; missing parents become objects. `check` must have passed.
    pub(crate) fn set(&mut self, key: &Key, value: Value) -> Undo {
        put(&mut self.0, key.segments(), 0, value)
    }

    /// Takes away what stands at `key`. `check` must have passed.
    pub(crate) fn remove(&mut self, key: &Key) -> Undo {
        let Some((last, parents)) = key.segments().split_last() else { unreachable!("a key has a segment") };
        let before = match descend(&mut self.0, parents) {
            Some(Value::Object(members)) => members.remove(last),
            _ => None,
        };
        Undo { depth: key.segments().len(), before }
    }

    /// Takes back the newest change, made at `key`.
    pub(crate) fn undo(&mut self, key: &Key, undo: Undo) {
        let Some((last, parents)) = key.segments()[..undo.depth].split_last() else { return };
        let Some(parent) = descend(&mut self.0, parents) else { return };
        match (undo.before, parent) {
            (Some(before), parent) => insert(parent, last, before),
            (None, Value::Object(members)) => {
                members.remove(last);
            }
            (None, Value::Array(items)) => {
                items.pop();
            }
            (None, _) => {}
        }
    }
}

/// One step of [`State::check`]: from `place`, where the key's first `depth` segments lead, to what stands one segment deeper.
pub(super) fn step<'a>(place: Option<&'a Value>, key: &Key, depth: usize, op: Op) -> Result<Option<&'a Value>, Obstacle> {
    let segments = key.segments();
    let (Some(value), Some(segment)) = (place, segments.get(depth)) else { return Ok(None) };
    let at = || key_above(segments, depth);
    match value {
        Value::Object(members) => Ok(members.get(segment)),
        Value::Array(_) if !segment.is_index() => Err(Obstacle::NotAContainer { at: at(), holds: "an array" }),
        Value::Array(_) if depth + 1 == segments.len() && op != Op::Set => Err(Obstacle::ArrayElement { at: at() }),
        Value::Array(items) => match segment.index() {
            Some(index) if index <= items.len() => Ok(items.get(index)),
            _ => Err(Obstacle::OutOfRange { at: at(), length: items.len() }),
        },
        scalar => Err(Obstacle::NotAContainer { at: at(), holds: kind(scalar) }),
    }
}

/// Puts `value` at `path` below `place`, which is `depth` segments deep.
fn put(place: &mut Value, path: &[Segment], depth: usize, value: Value) -> Undo {
    let Some((segment, rest)) = path.split_first() else {
        return Undo { depth, before: Some(std::mem::replace(place, value)) };
    };
    if let Some(next) = child(place, segment) {
        return put(next, rest, depth + 1, value);
    }
    insert(place, segment, nested(rest, value));
    Undo { depth: depth + 1, before: None }
}

fn child<'a>(value: &'a mut Value, segment: &Segment) -> Option<&'a mut Value> {
    match value {
        Value::Object(members) => members.get_mut(segment),
        Value::Array(items) => items.get_mut(segment.index()?),
        _ => None,
    }
}

fn descend<'a>(root: &'a mut Value, path: &[Segment]) -> Option<&'a mut Value> {
    path.iter().try_fold(root, |value, segment| child(value, segment))
}

/// Puts `value` into a container; behind the end of an array it is appended.
fn insert(container: &mut Value, segment: &Segment, value: Value) {
    match container {
        Value::Object(members) => {
            members.insert(segment.clone(), value);
        }
        Value::Array(items) => match segment.index().and_then(|index| items.get_mut(index)) {
            Some(item) => *item = value,
            None => items.push(value),
        },
        _ => {}
    }
}

/// `value` inside one object per segment.
fn nested(segments: &[Segment], value: Value) -> Value {
    segments.iter().rev().fold(value, |inner, segment| Value::Object(Object::one(segment.clone(), inner)))
}

fn key_above(segments: &[Segment], depth: usize) -> String {
    let text = segments[..depth].iter().map(|segment| format!("[{}]", serde_json::Value::from(segment.as_str())));
    Key::parse(&text.collect::<String>()).map_or_else(|_| "the top".to_owned(), |key| key.to_string())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    fn state(sets: &[(&str, &str)]) -> State {
        let mut state = State::default();
        for (at, value) in sets {
            state.check(&key(at), Op::Set).unwrap();
            state.set(&key(at), Value::parse(value).unwrap());
        }
        state
    }

    #[test]
    fn missing_parents_become_objects_and_digits_index_only_arrays() {
        assert_eq!(state(&[("a.b[7].c", "1")]).canonical(), r#"{"a":{"b":{"7":{"c":1}}}}"#);
        assert_eq!(state(&[("a", "[1,2]"), ("a[0]", "9"), ("a[2]", "3")]).canonical(), r#"{"a":[9,2,3]}"#);
        assert_eq!(state(&[("a", "[]"), ("a[0].x", "1")]).canonical(), r#"{"a":[{"x":1}]}"#);
    }

    #[test]
    fn obstacles_are_named() {
        let state = state(&[("s", "1"), ("n", "null"), ("a", "[1,2]"), ("o.p", "{}")]);
        let check = |at, op| state.check(&key(at), op).map_err(|obstacle| obstacle.to_string());
        assert!(check("s.x", Op::Set).unwrap_err().starts_with("s holds a number"));
        assert!(check("n.x.y", Op::Remove).unwrap_err().starts_with("n holds null"));
        assert!(check("a.x", Op::Set).unwrap_err().starts_with("a holds an array"));
        assert!(check("a[\"007\"]", Op::Set).unwrap_err().starts_with("a holds an array"));
        assert!(check("a[3]", Op::Set).unwrap_err().contains("0 to 2"));
        assert!(check("a[99999999999999999999999]", Op::Set).unwrap_err().contains("0 to 2"));
        assert!(check("a[0]", Op::Remove).unwrap_err().contains("whole array"));
        assert!(check("a[2]", Op::Create).unwrap_err().contains("whole array"));
        assert_eq!(check("a[2]", Op::Set), Ok(None));
        assert_eq!(check("o.p.q.r", Op::Set), Ok(None));
        assert_eq!(check("x.y", Op::Remove), Ok(None));
        assert_eq!(check("a[1]", Op::Set), Ok(Some(&Value::Number(2.0))));
    }

    #[test]
    fn every_change_can_be_taken_back() {
        let before = state(&[("a", "[1,{\"x\":2}]"), ("o.p", "1")]);
        for (at, value) in [("a[0]", "5"), ("a[2]", "5"), ("a[1].x", "5"), ("a[1].y.z", "5"), ("o", "{}"), ("q.r.s", "1")] {
            let mut state = before.clone();
            let undo = state.set(&key(at), Value::parse(value).unwrap());
            assert_ne!(state, before, "{at}");
            state.undo(&key(at), undo);
            assert_eq!(state, before, "{at}");
        }
        let mut state = before.clone();
        let undo = state.remove(&key("o.p"));
        assert_eq!(state.canonical(), r#"{"a":[1,{"x":2}],"o":{}}"#);
        state.undo(&key("o.p"), undo);
        assert_eq!(state, before);
    }
}
