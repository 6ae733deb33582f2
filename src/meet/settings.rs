//! What a meet's creator may choose about conflicts and privacy.

use serde::{Deserialize, Serialize};

use super::key::{InvalidKey, Key, Scanner, Segment};
use super::limits::PRIVATE_PATHS_MAX;
use super::word::word;

/// Settings of a meet, fixed when it is created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Who wins between locations of equal priority.
    #[serde(deserialize_with = "word")]
    pub tie_break: TieBreak,
    /// What viewers never see.
    pub private_paths: PrivatePaths,
}

/// The outcome of a conflict between equal priorities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TieBreak {
    /// What stands goes on standing.
    #[default]
    Incumbent,
    /// The newcomer replaces it.
    Latest,
}

/// Keys that viewers do not see; `[*]` in them stands for any one segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct PrivatePaths(Vec<Pattern>);

/// One key of [`PrivatePaths`], with the text that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// `None` stands for any one segment.
    pub(super) steps: Vec<Option<Segment>>,
}

impl PrivatePaths {
    /// What OpenLifter keeps about a person and no screen should show.
    pub const DEFAULT: [&str; 5] = [
        "registration.entries[*].birthDate",
        "registration.entries[*].age",
        "registration.entries[*].memberId",
        "registration.entries[*].paid",
        "registration.entries[*].notes",
    ];

    /// The patterns.
    pub fn patterns(&self) -> &[Pattern] {
        &self.0
    }
}

impl Default for PrivatePaths {
    #[expect(clippy::expect_used, reason = "the constant is read by a test")]
    fn default() -> Self {
        Self::DEFAULT.map(str::to_owned).to_vec().try_into().expect("the default patterns are keys")
    }
}

impl TryFrom<Vec<String>> for PrivatePaths {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        if texts.len() > PRIVATE_PATHS_MAX {
            return Err(format!("{} private paths; at most {PRIVATE_PATHS_MAX} are taken", texts.len()));
        }
        let read = |text: String| Pattern::parse(&text).map_err(|error| format!("private path {text:?}: {error}"));
        texts.into_iter().map(read).collect::<Result<_, _>>().map(PrivatePaths)
    }
}

impl From<PrivatePaths> for Vec<String> {
    fn from(paths: PrivatePaths) -> Self {
        paths.0.into_iter().map(|pattern| pattern.text).collect()
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, InvalidKey> {
        const ANY: &str = "[*]";
        let mut scanner = Scanner::new(text);
        let mut steps = Vec::new();
        while !scanner.rest().is_empty() || steps.is_empty() {
            if scanner.rest().starts_with(ANY) {
                scanner.at += ANY.len();
                steps.push(None);
            } else {
                steps.push(Some(scanner.segment(steps.is_empty())?));
            }
        }
        // Whatever holds for the length and depth of keys holds for patterns: `[*]` counts as `[0]`.
        Key::parse(&text.replace(ANY, "[0]"))?;
        Ok(Pattern { text: text.to_owned(), steps })
    }

    /// The steps that go on below `key`, or `None` where the two do not overlap.
    /// Empty where `key` is at or below the pattern, so wholly private.
    pub(super) fn below(&self, key: &[Segment]) -> Option<&[Option<Segment>]> {
        let meets = |(step, segment): (&Option<Segment>, &Segment)| step.as_ref().is_none_or(|step| step == segment);
        self.steps.iter().zip(key).all(meets).then(|| self.steps.get(key.len()..).unwrap_or(&[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_readable_and_round_trip() {
        let settings: Settings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings.private_paths.patterns().len(), 5);
        assert_eq!(settings.tie_break, TieBreak::Incumbent);
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn patterns_that_are_no_keys_are_refused_with_their_text() {
        let error = serde_json::from_str::<Settings>("{\"privatePaths\":[\"a..b\"]}").unwrap_err().to_string();
        assert!(error.contains("a..b"), "{error}");
        assert!(serde_json::from_str::<Settings>("{\"privatePaths\":[\"[*].x\"],\"tieBreak\":\"latest\"}").is_ok());
    }

    #[test]
    fn below_tells_apart_inside_around_and_elsewhere() {
        let paths = PrivatePaths::default();
        let below = |key: &str| paths.0[0].below(Key::parse(key).unwrap().segments()).map(<[_]>::len);
        assert_eq!(below("registration.entries[5000].birthDate"), Some(0));
        assert_eq!(below("registration.entries[5000].birthDate.year"), Some(0));
        assert_eq!(below("registration.entries[5000]"), Some(1));
        assert_eq!(below("registration"), Some(3));
        assert_eq!(below("registration.entries[5000].name"), None);
        assert_eq!(below("meet"), None);
    }
}
