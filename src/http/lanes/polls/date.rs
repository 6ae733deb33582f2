//! The time of an answer as HTTP writes it (RFC 9110, section 5.6.7).

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// Written once a second.
#[derive(Default)]
pub(super) struct Date {
    second: i64,
    text: String,
}

impl Date {
    pub(super) fn now(&mut self) -> &str {
        self.at(Timestamp::now())
    }

    fn at(&mut self, now: Timestamp) -> &str {
        if self.text.is_empty() || now.as_second() != self.second {
            self.second = now.as_second();
            self.text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_moves_with_the_second() {
        let mut date = Date::default();
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        assert_eq!(date.at(at(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date.at(at(784_111_777_999)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date.at(at(784_111_778_000)), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
