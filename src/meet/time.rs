//! Instants as the log writes them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in UTC with milliseconds, written as RFC 3339: `2026-05-01T09:30:00.000Z`.
///
/// Ordering decides when a session has expired and nothing else: the log's order is its numbers.
///
/// ```
/// use std::time::Duration;
/// use liftrelay::meet::time::Timestamp;
///
/// let start = Timestamp::from_millis(1_777_627_800_000);
/// assert_eq!(start.to_string(), "2026-05-01T09:30:00.000Z");
/// assert_eq!(start.plus(Duration::from_secs(90)).since(start).as_secs(), 90);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// The last millisecond of the year 9998: RFC 3339 has four digits for a year, and jiff stops within 9999.
const LAST: i64 = 253_370_764_799_999;

impl Timestamp {
    /// From milliseconds of those years; for constants.
    #[cfg(test)]
    pub(super) const fn from_const(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// From milliseconds since 1970, kept within the years 1970 to 9998.
    pub fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis.clamp(0, LAST))
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// This instant and `duration` more.
    pub fn plus(self, duration: Duration) -> Timestamp {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(LAST);
        Timestamp::from_millis(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|instant| Timestamp::from_millis(instant.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<str>>::deserialize(input)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_three_digits_of_a_second() {
        for (millis, text) in
            [(0, "1970-01-01T00:00:00.000Z"), (1_777_627_800_120, "2026-05-01T09:30:00.120Z"), (LAST, "9998-12-31T23:59:59.999Z")]
        {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
            assert_eq!(text.parse::<Timestamp>().unwrap().millis(), millis);
        }
        assert_eq!(Timestamp::from_millis(i64::MAX).millis(), LAST);
    }
}
