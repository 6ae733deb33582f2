//! Names that people give: locations, clients, meets, labels.

use super::limits::NAME_MAX_CHARS;

/// A name is empty, too long, or holds a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {NAME_MAX_CHARS} characters, none of them a control character")]
pub struct InvalidName;

/// Checks a name: 1 to [`NAME_MAX_CHARS`] characters without controls.
///
/// # Errors
/// [`InvalidName`], which says the rule.
pub fn check_name(name: &str) -> Result<(), InvalidName> {
    let length = name.chars().count();
    if length == 0 || length > NAME_MAX_CHARS || name.chars().any(char::is_control) {
        return Err(InvalidName);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_length_and_no_controls() {
        for good in ["platform 1", "Ö", &"x".repeat(64), &"ü".repeat(64), "<img src=x>", "a\"b", "a\u{2028}b"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", &"x".repeat(65), "a\nb", "a\u{0}b", "\u{7f}", "a\u{85}"] {
            assert_eq!(check_name(bad), Err(InvalidName), "{bad:?}");
        }
    }
}
