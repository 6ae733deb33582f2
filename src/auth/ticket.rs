//! Recovery tickets: everything but the log that a server needs to bring a meet back, sealed
//! with its key (XChaCha20-Poly1305) and kept by every editor (wire contract, section 7).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};

use crate::meet::chain::ServerKey;
use crate::meet::time::Timestamp;
use crate::meet::update::Writer;

use super::random_bytes;
use super::roster::AuthFile;

const PURPOSE: &str = "recovery tickets";
const NONCE_BYTES: usize = 24;

/// What a ticket holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The meet as `auth.json` has it; its `ticketVersion` is the ticket's.
    pub auth: AuthFile,
    /// Whose ticket it is.
    pub writer: Writer,
    /// When it was made.
    pub issued_at: Timestamp,
}

/// The text is no ticket of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a recovery ticket that this server's key has sealed")]
pub struct ForeignTicket;

impl Ticket {
    /// Seals the ticket: only this server's key reads or makes one.
    #[expect(clippy::expect_used, reason = "plain members serialise, and a ticket is far below the cipher's bound")]
    pub fn seal(&self, key: &ServerKey) -> String {
        let content = serde_json::to_vec(self).expect("plain members");
        let nonce = random_bytes::<NONCE_BYTES>();
        let sealed = cipher(key).encrypt(&XNonce::from(nonce), payload(&content)).expect("below the cipher's bound");
        BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
    }

    /// Opens a sealed ticket.
    ///
    /// # Errors
    /// [`ForeignTicket`]
    pub fn open(key: &ServerKey, text: &str) -> Result<Ticket, ForeignTicket> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| ForeignTicket)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(ForeignTicket)?;
        let content = cipher(key).decrypt(&XNonce::from(*nonce), payload(sealed)).map_err(|_| ForeignTicket)?;
        serde_json::from_slice(&content).map_err(|_| ForeignTicket)
    }
}

fn cipher(key: &ServerKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&key.derive(PURPOSE).into())
}

fn payload(content: &[u8]) -> Payload<'_, '_> {
    Payload { msg: content, aad: b"liftrelay ticket 1" }
}
