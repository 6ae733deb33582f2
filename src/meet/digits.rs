//! Whole numbers as text, where that happens for each update: the formatter of the standard library takes several times as long.

/// The decimal digits of a number, at the end of `room`.
pub(crate) fn digits(mut number: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut at = room.len();
    while at == room.len() || number > 0 {
        at -= 1;
        room[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    &room[at..]
}

/// Appends the decimal digits of a number.
pub(crate) fn write_number(number: u64, out: &mut String) {
    out.push_str(std::str::from_utf8(digits(number, &mut [0; 20])).unwrap_or_default());
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
