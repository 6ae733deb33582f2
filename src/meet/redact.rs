//! What viewers see: the same log and state with private parts removed.

use crate::mutant::{Mutant, planted};

use super::key::{Key, Segment};
use super::settings::PrivatePaths;
use super::value::Value;

impl PrivatePaths {
    /// Whether nothing at `key` may be seen.
    pub fn hides(&self, key: &Key) -> bool {
        !planted(Mutant::NothingPrivate) && self.patterns().iter().any(|pattern| pattern.below(key.segments()).is_some_and(<[_]>::is_empty))
    }

    /// Whether some part of what stands at `key` may not be seen.
    pub fn touches(&self, key: &Key) -> bool {
        self.patterns().iter().any(|pattern| pattern.below(key.segments()).is_some())
    }

    /// Takes out of `value`, which stands at `key`, what viewers may not see.
    /// For a key that is hidden as a whole nothing can be shown, so the value becomes `null`.
    pub fn redact(&self, key: &[Segment], value: &mut Value) {
        for pattern in self.patterns().iter().filter(|_| !planted(Mutant::NothingPrivate)) {
            match pattern.below(key) {
                Some([]) => *value = Value::Null,
                Some(steps) => remove(steps, value),
                None => {}
            }
        }
    }
}

/// Members go; elements become `null`, since the others keep their positions.
fn remove(steps: &[Option<Segment>], value: &mut Value) {
    let Some((step, deeper)) = steps.split_first() else { return };
    match value {
        Value::Object(members) if deeper.is_empty() => members.retain(|name| step.as_ref().is_some_and(|step| step != name)),
        Value::Object(members) => match step {
            Some(name) => members.get_mut(name).into_iter().for_each(|member| remove(deeper, member)),
            None => members.values_mut().for_each(|member| remove(deeper, member)),
        },
        Value::Array(items) => {
            let at = step.as_ref().map(Segment::index);
            let chosen = items.iter_mut().enumerate().filter(|(position, _)| at.is_none_or(|at| at == Some(*position)));
            chosen.for_each(|(_, item)| if deeper.is_empty() { *item = Value::Null } else { remove(deeper, item) });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(paths: &[&str], key: &str, value: &str) -> String {
        let paths = PrivatePaths::try_from(paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>()).unwrap();
        let mut value = Value::parse(value).unwrap();
        paths.redact(Key::parse(key).unwrap().segments(), &mut value);
        value.canonical()
    }

    #[test]
    fn members_go_and_elements_become_null() {
        let entry = r#"{"age":30,"birthDate":"2000-01-01","memberId":"7","name":"Ada","notes":"","paid":true}"#;
        assert_eq!(redacted(&PrivatePaths::DEFAULT, "registration.entries[5000]", entry), r#"{"name":"Ada"}"#);
        let all = format!("{{\"entries\":{{\"5000\":{entry}}}}}");
        assert_eq!(redacted(&PrivatePaths::DEFAULT, "registration", &all), r#"{"entries":{"5000":{"name":"Ada"}}}"#);
        let list = format!("{{\"entries\":[{entry}]}}");
        assert_eq!(redacted(&PrivatePaths::DEFAULT, "registration", &list), r#"{"entries":[{"name":"Ada"}]}"#);
        assert_eq!(redacted(&["a[1]"], "a", "[1,2,3]"), "[1,null,3]");
        assert_eq!(redacted(&["a[*]"], "a", "[1,2]"), "[null,null]");
        assert_eq!(redacted(&["a[*]"], "a", r#"{"x":1}"#), "{}");
        assert_eq!(redacted(&["a[*].b"], "a", r#"{"x":{"b":1,"c":2},"y":3}"#), r#"{"x":{"c":2},"y":3}"#);
        assert_eq!(redacted(&["a.b"], "a.b.c", "1"), "null");
        assert_eq!(redacted(&["a.b"], "c", r#"{"b":1}"#), r#"{"b":1}"#);
    }

    #[test]
    fn hides_whole_keys_and_touches_partly_private_ones() {
        let paths = PrivatePaths::default();
        let key = |text| Key::parse(text).unwrap();
        assert!(paths.hides(&key("registration.entries[5000].age")));
        assert!(!paths.hides(&key("registration.entries[5000]")));
        assert!(paths.touches(&key("registration.entries[5000]")));
        assert!(!paths.touches(&key("registration.entries[5000].name")));
    }
}
