//! Meet ids: nine digits that a person can read out.

use std::fmt;
use std::str::FromStr;

/// The id of a meet: nine digits, shown as `123-456-789`.
///
/// ```
/// use liftrelay::meet::id::MeetId;
///
/// let id: MeetId = "123-456-789".parse()?;
/// assert_eq!((id.digits(), id.to_string()), ("123456789".to_owned(), "123-456-789".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeetId(u32);

/// How many ids there are.
const COUNT: u64 = 1_000_000_000;

/// The text holds no nine digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a meet id has nine digits, for example 123-456-789")]
pub struct InvalidMeetId;

impl MeetId {
    /// An id from a random number; uniform to one part in 10^10.
    pub fn from_random(random: u64) -> MeetId {
        MeetId((random % COUNT) as u32)
    }

    /// The nine digits without separators: the name of the meet's folder and its part in a URL.
    pub fn digits(self) -> String {
        format!("{:09}", self.0)
    }
}

impl FromStr for MeetId {
    type Err = InvalidMeetId;

    /// Takes three groups of three ASCII digits with hyphens, spaces or nothing between them.
    fn from_str(text: &str) -> Result<Self, InvalidMeetId> {
        let bytes = text.as_bytes();
        let separated = bytes.len() == 11 && [3, 7].iter().all(|&at| matches!(bytes[at], b'-' | b' '));
        if !separated && bytes.len() != 9 {
            return Err(InvalidMeetId);
        }
        let digits = bytes.iter().enumerate().filter(|(at, _)| !(separated && matches!(at, 3 | 7)));
        digits
            .map(|(_, byte)| byte.is_ascii_digit().then(|| u32::from(byte - b'0')))
            .try_fold(0, |id, digit| digit.map(|digit| id * 10 + digit))
            .map(MeetId)
            .ok_or(InvalidMeetId)
    }
}

impl fmt::Display for MeetId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let digits = self.digits();
        write!(f, "{}-{}-{}", &digits[..3], &digits[3..6], &digits[6..])
    }
}

impl fmt::Debug for MeetId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_spellings_one_id() {
        let id: MeetId = "123456789".parse().unwrap();
        assert_eq!("123-456-789".parse(), Ok(id));
        assert_eq!("123 456 789".parse(), Ok(id));
        assert_eq!(id.to_string(), "123-456-789");
        assert_eq!("000-000-007".parse::<MeetId>().unwrap().digits(), "000000007");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "12345678", "1234567890", "123-456 78", "12-3456-789", "١٢٣٤٥٦٧٨٩", "123/456/789", "+12345678", "-123456789"]
        {
            assert_eq!(text.parse::<MeetId>(), Err(InvalidMeetId), "{text}");
        }
    }
}
