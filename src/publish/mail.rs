//! The mail that sends results to OpenPowerlifting, for whoever sends it by hand.

use crate::meet::limits::MAIL_VALUE_MAX_CHARS;
use crate::wire::publish::Mail;

use super::outbox::Publish;

/// Where OpenPowerlifting takes results; OpenLifter writes it into its exports.
const OPENPOWERLIFTING: &str = "issues@openpowerlifting.org";

/// The mail of a publish.
pub fn mail(publish: &Publish) -> Mail {
    let results = &publish.results;
    let [federation, date, meet, place] =
        [&results.federation, &results.date, &results.meet_name, &results.place].map(|text| one_line(text));
    let subject = one_line(&format!("Results: {meet}, {federation}, {date}"));
    let known = [("Meet", meet), ("Federation", federation), ("Date", date), ("Place", place)];
    let known = known.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}: {value}\n"));
    let body = format!(
        "Hello,\n\nattached are the results of this meet as OpenLifter exports them.\n\n{}Lifters: {}\n\nThe attached file has {} bytes and the SHA-256\n{}\n\nPlease answer to {}.\n",
        known.collect::<String>(),
        results.lifters,
        publish.bytes,
        publish.sha256,
        one_line(&publish.return_email),
    );
    Mail { to: OPENPOWERLIFTING, subject, body }
}

/// A value as it may stand in a mail: line ends and other control characters could begin a header of their own,
/// marks of direction could show it turned around.
fn one_line(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !turns_text(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(MAIL_VALUE_MAX_CHARS).collect()
}

/// Unicode's `Bidi_Control`: invisible, and it changes the order in which text is shown.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::super::opl_csv::Results;
    use super::*;
    use crate::meet::time::Timestamp;
    use crate::meet::update::Writer;

    fn publish(meet_name: &str) -> Publish {
        let results = Results {
            federation: "APL".to_owned(),
            date: "2023-09-02".to_owned(),
            meet_name: meet_name.to_owned(),
            place: "Townsville, Australia".to_owned(),
            lifters: 34,
        };
        let by = Writer { location_name: "director".into(), client_id: "laptop".into() };
        Publish::new(by, "director@example.org", "the results", results, Timestamp::from_millis(0))
    }

    #[test]
    fn it_says_what_it_is_about_and_who_sends_it() {
        let mail = mail(&publish("Cup"));
        assert_eq!((mail.to, &*mail.subject), ("issues@openpowerlifting.org", "Results: Cup, APL, 2023-09-02"));
        assert_eq!(
            mail.body,
            "Hello,\n\nattached are the results of this meet as OpenLifter exports them.\n\nMeet: Cup\nFederation: APL\nDate: 2023-09-02\nPlace: Townsville, Australia\nLifters: 34\n\nThe attached file has 11 bytes and the SHA-256\n83e966fe52f68962ee8ce2316ec3b596e9371f9c5d931f95668dafc6fcf4ce28\n\nPlease answer to director@example.org.\n"
        );
    }

    #[test]
    fn no_value_makes_a_line_of_its_own() {
        let mail = mail(&publish("Cup\r\nBcc: everyone@example.org\u{2028}\u{85}x\0\ty"));
        assert_eq!(mail.subject, "Results: Cup Bcc: everyone@example.org x y, APL, 2023-09-02");
        assert!(mail.body.contains("\nMeet: Cup Bcc: everyone@example.org x y\nFederation:"));
        for mark in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars() {
            let turned = super::mail(&publish(&format!("C{mark}up{mark}")));
            assert_eq!(turned.subject, "Results: Cup, APL, 2023-09-02", "{mark:?}");
            assert!(turned.body.contains("\nMeet: Cup\n"), "{mark:?}");
        }
        let long = super::mail(&publish(&"n".repeat(1_000)));
        assert!(long.subject.chars().count() <= MAIL_VALUE_MAX_CHARS);
    }
}
