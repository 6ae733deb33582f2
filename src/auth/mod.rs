//! Who may do what: passwords, session tokens, view keys, recovery tickets, failed attempts.
//!
//! Only hashes are ever stored. Randomness and time come in as arguments, but for salts and
//! tokens that are made on the spot.

pub mod attempts;
pub mod password;
pub mod roster;
pub mod ticket;
pub mod token;

/// Random bytes from the operating system.
#[expect(clippy::expect_used, reason = "without randomness nothing here is safe, so the process must not go on")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
