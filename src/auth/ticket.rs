//! Recovery tickets: everything but the log that a server needs to bring a meet back, sealed
//! with its key (XChaCha20-Poly1305) and kept by every editor (wire contract, section 7).

use std::sync::Arc;

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
    pub auth: Arc<AuthFile>,
    /// Whose ticket it is.
    pub writer: Writer,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Of a meet that was lost before: what [`Life`] it was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<Life>,
    /// Whether nothing but its clients' word vouched for the meet then: a ticket proves no more than the meet did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
}

/// Names the time from one loss of a meet to the next. Clocks are set back, so no instant can tell what came before what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life(#[serde(with = "hex::serde")] [u8; 8]);

impl Life {
    /// Another one than all others.
    pub fn random() -> Life {
        Life(random_bytes())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::roster::{Location, VERSION};
    use crate::auth::token::{Kind, Token};
    use crate::meet::id::MeetId;
    use crate::meet::settings::Settings;

    const NOW: i64 = 1_777_627_800_000;

    fn key(byte: u8) -> ServerKey {
        ServerKey::new([byte; 32])
    }

    /// A meet as large as they come: ten locations, two view keys, thirty clients.
    fn ticket() -> Ticket {
        let meet = MeetId::from_random(123_456_789);
        let password =
            format!(r#"{{"algorithm":"scrypt","logN":14,"r":8,"p":5,"salt":"{}","hash":"{}"}}"#, "ab".repeat(16), "cd".repeat(32));
        let view_key = |label: &str| {
            let hash = serde_json::to_string(&Token::generate(Kind::View, meet).hash()).unwrap();
            let text =
                format!(r#"{{"keyId":"k","label":"{label}","createdAt":"2026-05-01T09:30:00.000Z","expiresAt":null,"hash":{hash}}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let client =
            |n: u32| Writer { location_name: "platform 1".into(), client_id: format!("0f8fad5b-d9cb-469f-a165-7086772895{n:02}").into() };
        let auth = AuthFile {
            version: VERSION,
            meet_id: meet.digits(),
            meet_name: "Größtes Turnier \u{1f3cb}".into(),
            created_at: Timestamp::from_millis(NOW),
            chain: key(7).chain_start(meet, &[0; 16]),
            password: serde_json::from_str(&password).unwrap(),
            locations: (0..10).map(|n| Location { location_name: format!("platform {n}").into(), priority: n }).collect(),
            settings: Settings::default(),
            view_keys: vec![view_key("OBS"), view_key("display")],
            clients: (0..30).map(client).collect(),
            ticket_version: 34,
        };
        Ticket { auth: Arc::new(auth), writer: client(1), issued_at: Timestamp::from_millis(NOW + 1), life: None, unproven: false }
    }

    fn json(ticket: &Ticket) -> String {
        serde_json::to_string(ticket).unwrap()
    }

    #[test]
    fn what_was_sealed_comes_back() {
        let ticket = ticket();
        let opened = Ticket::open(&key(7), &ticket.seal(&key(7))).unwrap();
        assert_eq!(json(&opened), json(&ticket));
        assert_eq!((opened.writer, opened.issued_at, opened.auth.ticket_version), (ticket.writer, ticket.issued_at, 34));
    }

    #[test]
    fn only_the_key_that_sealed_a_ticket_opens_it() {
        let sealed = ticket().seal(&key(7));
        assert_eq!(Ticket::open(&key(8), &sealed).unwrap_err(), ForeignTicket);
    }

    #[test]
    fn a_changed_ticket_is_no_ticket() {
        let sealed = ticket().seal(&key(7));
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for place in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let changed = BASE64_URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(Ticket::open(&key(7), &changed).unwrap_err(), ForeignTicket, "byte {place}");
        }
        let longer = format!("{sealed}AAAA");
        for text in ["", "A", "not base64!", &sealed[..40], &sealed[..sealed.len() - 4], &longer] {
            assert_eq!(Ticket::open(&key(7), text).unwrap_err(), ForeignTicket, "{text}");
        }
    }

    /// It rides in a JSON string and in a browser's storage.
    #[test]
    fn a_ticket_is_plain_text_of_a_few_kilobytes_that_shows_nothing() {
        let (ticket, other) = (ticket(), ticket().seal(&key(7)));
        let sealed = ticket.seal(&key(7));
        assert_ne!(sealed, other, "two seals of the same are not told to be the same");
        assert!(sealed.len() < 8 * 1024, "{} bytes", sealed.len());
        assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for word in [&b"platform"[..], b"123456789", b"scrypt", b"OBS"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word), "{}", String::from_utf8_lossy(word));
        }
    }
}
