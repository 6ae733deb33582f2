//! The `--config` file. What is wrong with it is told by line and column; the line itself may hold a secret.

use std::path::Path;

use super::ServeArgs;

/// Reads the file.
///
/// # Errors
/// What is wrong with it and where, for a person.
pub(super) fn read(path: &Path) -> Result<ServeArgs, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}, {}", path.display(), told(error, &text)))
}

fn told(mut error: toml::de::Error, text: &str) -> String {
    let start = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let (line, column) = (start.matches('\n').count() + 1, start.chars().rev().take_while(|char| *char != '\n').count() + 1);
    // Without its input toml names the option and shows no line.
    error.set_input(None);
    let told = error.to_string();
    let (problem, option) = match told.trim_end().rsplit_once("\nin `") {
        Some((problem, option)) => (problem, format!("{}: ", option.trim_end_matches('`'))),
        None => (told.trim_end(), String::new()),
    };
    let problem = problem.replacen("unknown field", "there is no option", 1).replacen(", expected one of ", "; there are ", 1);
    format!("line {line}, column {column}: {option}{problem}")
}

#[cfg(test)]
mod tests {
    use super::super::ServeArgs;
    use super::told;

    fn wrong(text: &str) -> String {
        toml::from_str::<ServeArgs>(text).map(|_| ()).map_err(|error| told(error, text)).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_said_in_words_with_its_place() {
        let cases = [
            ("log = \"json\"\nmax-connections = 0", "line 2, column 19: max-connections: a limit is a whole number from 1 up"),
            ("max-connections = \"7\"", "a whole number from 1 up, without quotes"),
            ("failed-logins-per-meet = -1", "failed-logins-per-meet: a limit is a whole number"),
            ("keep-finished = 0", "keep-finished: 0 is not in 1..=36500; leave it out to keep finished meets"),
            ("keep-finished = \"30\"", "a number of days without quotes"),
            ("demo-speed = 0", "demo-speed: 0 is not in 1..=10000"),
            ("demo-speed = 10001", "demo-speed: 10001 is not in 1..=10000"),
            ("demo-speed = \"7\"", "a whole number without quotes"),
            ("demo = \"yes\"", "demo: true or false is needed, without quotes"),
            ("listen = 8455", "listen: text in quotes is needed"),
            ("data-dir = 7", "data-dir: text in quotes is needed"),
            ("allow-origin = \"https://a.example.org\"", "a list is needed, for example [\"one\", \"another\"]"),
            ("trusted-proxy = [1]", "a list is needed"),
            ("trusted-proxy = [\"everyone\"]", "10.0.0.0/8"),
            ("fsync = \"sometimes\"", "fsync: one of \"always\", \"never\" is needed"),
            ("log = 1", "log: one of \"text\", \"json\" is needed"),
            ("create-key = \"\"", "create-key: it is empty; leave it out for a server on which everybody may create meets"),
            ("publish-to = \"ftp://example.org\"", "publish-to: results cannot be sent by ftp"),
            ("lisen = \":0\"", "line 1, column 1: there is no option `lisen`; there are `listen`, "),
        ];
        for (text, expected) in cases {
            assert!(wrong(text).contains(expected), "{text}: {}", wrong(text));
        }
        for text in cases.map(|(text, _)| text) {
            let told = wrong(text);
            assert!(!["u32", "usize", "nonzero", "sequence", "invalid type"].iter().any(|word| told.contains(word)), "{told}");
        }
    }
}
