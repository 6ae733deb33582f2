//! Choices that are words on the wire.

use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer};

/// Reads a choice from a string only: a derived enum would take an object as well, and `serde_json`
/// calls anything else a fault of syntax, though the text is sound JSON.
///
/// # Errors
/// Another type, or a word that is none of the choices.
pub fn word<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(input)?.into_deserializer())
}
