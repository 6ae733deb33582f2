//! Whole numbers as text, where that happens for each update: the formatter of the standard library takes several times as long.

/// Gives the decimal digits of a number.
pub(crate) fn with_digits<T>(mut number: u64, then: impl FnOnce(&str) -> T) -> T {
    let (mut digits, mut at) = ([0; 20], 20);
    while at == digits.len() || number > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    then(std::str::from_utf8(&digits[at..]).unwrap_or_default())
}

/// Appends the decimal digits of a number.
pub(crate) fn write_number(number: u64, out: &mut String) {
    with_digits(number, |digits| out.push_str(digits));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 9, 10, 99, 100, 4_294_967_296, u64::MAX - 1, u64::MAX] {
            let mut text = String::new();
            write_number(number, &mut text);
            assert_eq!(text, number.to_string());
        }
    }
}
