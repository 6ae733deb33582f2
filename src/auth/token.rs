//! Session tokens and view keys: 256 random bits, of which only the SHA-256 is kept.
//!
//! The text names its kind and its meet (`lrs_123456789_…`, `lrv_123456789_…`), so a leaked one
//! is recognised, and a token in the wrong place is told from a view key.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::meet::id::MeetId;

use super::random_bytes;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session: reads and writes, 7 days.
    Session,
    /// A view key: reads the redacted meet until it is deleted.
    View,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Session => "lrs",
            Kind::View => "lrv",
        }
    }
}

/// A secret as its holder shows it. Its text appears nowhere but in the reply that hands it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is for.
    pub kind: Kind,
    /// Which meet it belongs to.
    pub meet: MeetId,
    secret: [u8; 32],
}

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token")]
pub struct NotAToken;

/// The SHA-256 of a token's secret: what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenHash(#[serde(with = "hex::serde")] [u8; 32]);

impl Token {
    /// A new secret.
    pub fn generate(kind: Kind, meet: MeetId) -> Token {
        Token { kind, meet, secret: random_bytes() }
    }

    /// What is stored of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.secret).into())
    }

    /// The text that its holder sends.
    pub fn reveal(&self) -> String {
        format!("{}_{}_{}", self.kind.prefix(), self.meet.digits(), BASE64_URL_SAFE_NO_PAD.encode(self.secret))
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Token, NotAToken> {
        let mut parts = text.splitn(3, '_');
        let mut part = || parts.next().ok_or(NotAToken);
        let (prefix, meet, secret) = (part()?, part()?, part()?);
        let kind = [Kind::Session, Kind::View].into_iter().find(|kind| kind.prefix() == prefix).ok_or(NotAToken)?;
        let meet = meet.parse().map_err(|_| NotAToken)?;
        let secret = BASE64_URL_SAFE_NO_PAD.decode(secret).map_err(|_| NotAToken)?;
        Ok(Token { kind, meet, secret: secret.try_into().map_err(|_| NotAToken)? })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}({:?}, secret)", self.kind, self.meet)
    }
}

/// Compares secrets in a time that does not depend on where they differ.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_show_nothing_in_logs() {
        let meet = MeetId::from_random(123_456_789);
        let token = Token::generate(Kind::Session, meet);
        assert!(token.reveal().starts_with("lrs_123456789_"));
        assert_eq!(token.reveal().parse(), Ok(token.clone()));
        assert!(!format!("{token:?}").contains(&token.reveal()[14..]));
        assert_ne!(token.hash(), Token::generate(Kind::Session, meet).hash());
    }

    #[test]
    fn anything_else_is_no_token() {
        for text in ["", "lrs", "lrs_123456789", "lrs_123456789_", "lrs_12345678_AAAA", "xxx_123456789_AAAA", "lrs_123456789_AAAA"] {
            assert_eq!(text.parse::<Token>(), Err(NotAToken), "{text}");
        }
    }
}
