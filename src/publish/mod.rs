//! Publishing: results are checked, stored with their meet, and handed over to whoever the operator named.
//!
//! `publishes.json` in the meet's folder is the outbox: a publish is `queued` in it before its editor is answered,
//! and whatever is `queued` at the start of the server is handed over then. Handing over may happen twice, after a
//! crash between the other end's answer and ours, so it always carries the publish's id. Whether anybody accepts
//! the results is not for this program to say: federations and OpenPowerlifting look at them by hand.

pub mod destination;
pub mod email;
mod folder;
mod handover;
pub mod mail;
pub mod opl_csv;
pub mod outbox;
pub mod publisher;
mod webhook;
