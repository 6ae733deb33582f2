//! Query parameters.

use std::str::FromStr;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;

use crate::meet::chain::Cursor;
use crate::meet::key::Key;
use crate::meet::limits::{PAGE_DEFAULT_ENTRIES, PAGE_MAX_ENTRIES, PATHS_MAX, WAIT_MAX};
use crate::wire::problem::{Code, Problem};

use super::reply::{invalid_at, not_found};

/// The parameters of a request. A name that stands twice counts once, the first time.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params, Problem> {
        let read = Query::try_from_uri(&parts.uri).map_err(|error| invalid_at("/query", error.to_string()))?;
        Ok(Params(read.0))
    }
}

/// The last variable of a path.
pub(super) struct LastPart(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for LastPart {
    type Rejection = Problem;

    /// Text that is not UTF-8 names nothing.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<LastPart, Problem> {
        let path = RawPathParams::from_request_parts(parts, state).await.ok();
        match path.as_ref().and_then(|path| path.iter().last()) {
            Some((_, text)) => Ok(LastPart(text.to_owned())),
            None => Err(not_found(parts.uri.clone()).await),
        }
    }
}

impl Params {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value, whatever its name.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, value)| value.as_str())
    }

    fn parsed<T: FromStr>(&self, name: &str, wanted: &str) -> Result<Option<T>, Problem> {
        let parse = |text: &str| text.parse().map_err(|_| invalid_at(format!("/query/{name}"), format!("{text:?} is not {wanted}")));
        self.get(name).map(parse).transpose()
    }

    /// A whole number within a range.
    pub(super) fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
        let wanted = format!("a whole number from {least} to {most}");
        let number = self.parsed::<u64>(name, &wanted)?;
        match number.filter(|number| !(least..=most).contains(number)) {
            Some(number) => Err(invalid_at(format!("/query/{name}"), format!("{number} is not {wanted}"))),
            None => Ok(number),
        }
    }

    /// A cursor.
    pub(super) fn cursor(&self, name: &str) -> Result<Option<Cursor>, Problem> {
        self.get(name).map(read_cursor).transpose()
    }

    /// `limit`: entries in a page, about.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let limit = self.number("limit", 1, PAGE_MAX_ENTRIES as u64)?;
        Ok(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_DEFAULT_ENTRIES))
    }

    /// `wait`: seconds, capped.
    pub(super) fn wait(&self) -> Result<Duration, Problem> {
        let seconds = self.parsed::<f64>("wait", "a number of seconds")?.unwrap_or(0.0);
        wait(seconds).ok_or_else(|| invalid_at("/query/wait", format!("{seconds} is not a number of seconds from 0 up")))
    }

    /// A flag: `1`, `true`, `yes` or nothing set it; `0`, `false` or `no` do not.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("0" | "false" | "no") => Ok(false),
            Some("" | "1" | "true" | "yes") => Ok(true),
            Some(other) => Err(invalid_at(format!("/query/{name}"), format!("{other:?} is neither 1 nor 0"))),
        }
    }

    /// `path`: one key.
    pub(super) fn path(&self) -> Result<Option<Key>, Problem> {
        self.get("path").map(|text| read_key("path", text)).transpose()
    }

    /// `paths`: keys with commas between them.
    pub(super) fn paths(&self) -> Result<Vec<Key>, Problem> {
        let Some(text) = self.get("paths") else { return Ok(Vec::new()) };
        let paths = split_keys(text).map(|text| read_key("paths", text)).collect::<Result<Vec<_>, _>>()?;
        check_number_of_paths("/query/paths", paths.len())?;
        Ok(paths)
    }
}

/// Refuses more keys than a filter takes, wherever they stand.
pub(super) fn check_number_of_paths(pointer: &str, number: usize) -> Result<(), Problem> {
    if number > PATHS_MAX {
        return Err(invalid_at(pointer, format!("{number} keys; at most {PATHS_MAX} are taken")));
    }
    Ok(())
}

/// A `wait` in seconds as a duration that is not above the cap; `None` for what is no span of time.
pub(super) fn wait(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(WAIT_MAX.as_secs_f64())))
}

/// A cursor from a URL or a header.
pub(super) fn read_cursor(text: &str) -> Result<Cursor, Problem> {
    text.parse().map_err(|error| Problem::new(Code::InvalidCursor, format!("{text:?}: {error}")))
}

fn read_key(name: &str, text: &str) -> Result<Key, Problem> {
    Key::parse(text).map_err(|error| invalid_at(format!("/query/{name}"), error.to_string()))
}

/// Splits at commas that are in no quoted segment.
fn split_keys(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_do_not_split() {
        let split = |text| split_keys(text).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(split("a,b.c"), ["a", "b.c"]);
        assert_eq!(split(r#"a["x,\"y"],b"#), [r#"a["x,\"y"]"#, "b"]);
    }

    #[test]
    fn waits_are_capped_and_never_negative() {
        assert_eq!(wait(1.5), Some(Duration::from_millis(1500)));
        assert_eq!(wait(1e300), Some(WAIT_MAX));
        assert_eq!(wait(-1.0), None);
        assert_eq!(wait(f64::NAN), None);
    }
}
