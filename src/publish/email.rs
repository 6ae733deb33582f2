//! The address that answers go to.

use crate::meet::limits::EMAIL_MAX_BYTES;

/// The text is not one plain address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEmail {
    /// It is longer than mail can carry.
    #[error("{0} bytes; an address has at most {EMAIL_MAX_BYTES}")]
    TooLong(usize),
    /// It is something else.
    #[error("not one plain address; write it like director@example.org, without a name, brackets, spaces or commas")]
    NotPlain,
}

/// Checks that a text is one address and nothing else: what stands in it will stand in a mail's header.
///
/// # Errors
/// [`BadEmail`]
pub fn check_email(text: &str) -> Result<(), BadEmail> {
    if text.len() > EMAIL_MAX_BYTES {
        return Err(BadEmail::TooLong(text.len()));
    }
    let (local, domain) = text.rsplit_once('@').ok_or(BadEmail::NotPlain)?;
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let is_domain = domain.contains('.') && domain.split('.').all(is_label);
    if is_domain && local.split('.').all(is_atom) { Ok(()) } else { Err(BadEmail::NotPlain) }
}

/// An atom of RFC 5322, letters of all scripts included.
fn is_atom(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_taken() {
        let longest = format!("{}@example.org", "a".repeat(242));
        for address in ["director@example.org", "o'neil+meets@mail.example.co.uk", "jürgen@hebewerk.köln", "a@b.cd", &longest] {
            assert_eq!(check_email(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn anything_that_could_mean_more_is_refused() {
        let wrong = [
            "",
            "director",
            "@example.org",
            "director@",
            "director@localhost",
            "a@b@example.org",
            "a..b@example.org",
            ".a@example.org",
            "a.@example.org",
            "a@example..org",
            "a@.org",
            "a@[127.0.0.1]",
            "a b@example.org",
            " a@example.org",
            "a@example.org ",
            "a@example.org,b@example.org",
            "a@example.org;b@example.org",
            "Ada <a@example.org>",
            "\"a\"@example.org",
            "a(b)@example.org",
            "a@example.org\r\nBcc: b@example.org",
            "a@example.org\n",
            "a\u{0}@example.org",
            "a\u{7f}@example.org",
            "a\u{202e}@example.org",
            "a\u{2028}@example.org",
            "a:b@example.org",
            "a\\@example.org",
        ];
        for address in wrong {
            assert_eq!(check_email(address), Err(BadEmail::NotPlain), "{address:?}");
        }
        let long = format!("{}@example.org", "a".repeat(243));
        assert_eq!(check_email(&long), Err(BadEmail::TooLong(255)));
    }
}
