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
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

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

    /// The text, which a log holds once for each of its entries.
    pub(super) fn with_text<T>(self, then: impl FnOnce(&str) -> T) -> T {
        let (days, millis) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let parts = [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, millis / 3_600_000),
            (14, 2, millis / 60_000 % 60),
            (17, 2, millis / 1_000 % 60),
            (20, 3, millis % 1_000),
        ];
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (start, length, mut number) in parts {
            for digit in text[start..start + length].iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
        then(std::str::from_utf8(&text).unwrap_or_default())
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        if let Some(instant) = as_written(text.as_bytes()) {
            return Ok(instant);
        }
        text.parse::<jiff::Timestamp>().map(|instant| Timestamp::from_millis(instant.as_millisecond()))
    }
}

/// Reads the one form that is ever written here, which a log holds once for each of its entries.
fn as_written(text: &[u8]) -> Option<Timestamp> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, b'.', l1, l2, l3, b'Z'] = text else {
        return None;
    };
    let number = |digits: &[u8]| digits.iter().try_fold(0_i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')));
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?);
    // Leap seconds and what is out of range are for the general reader.
    if !(1970..=9998).contains(&year) || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let first = days_before(year, month);
    let next = if month == 12 { days_before(year + 1, 1) } else { days_before(year, month + 1) };
    let days = Some(first + day - 1).filter(|days| (first..next).contains(days))?;
    let seconds = (days * 24 + hour) * 3_600 + minute * 60 + second;
    Some(Timestamp(seconds * 1_000 + number(&[l1, l2, l3])?))
}

/// Days from 1970 to the first of a month. The year is counted from March on, so that its leap day comes last.
fn days_before(year: i64, month: i64) -> i64 {
    let (year, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (months * 153 + 2) / 5 - 719_468
}

/// Year, month and day so many days after 1970 began: [`days_before`] the other way round.
fn date_of(days: i64) -> (i64, i64, i64) {
    // Since the first of March of year 0; 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (year * 365 + year / 4 - year / 100);
    let month = (day * 5 + 2) / 153;
    let (year, day) = (era * 400 + year, day - (month * 153 + 2) / 5 + 1);
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| out.serialize_str(text))
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
    fn both_readers_read_the_same_instant() {
        let general = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let day = 86_400_000;
        for millis in (0..LAST).step_by(day * 9 + 12_345_678).chain([LAST]) {
            let text = Timestamp::from_millis(millis).to_string();
            assert_eq!(as_written(text.as_bytes()), Some(Timestamp(general(&text))), "{text}");
            assert_eq!(general(&text), millis);
        }
        for text in ["2026-02-29T09:30:00.000Z", "2026-13-01T09:30:00.000Z", "2026-05-01T24:30:00.000Z", "2026-05-01T09:60:00.000Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

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
