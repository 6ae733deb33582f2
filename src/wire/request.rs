//! What clients send. Unknown members are ignored.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::meet::chain::{ChainValue, Cursor};
use crate::meet::entry::EntryFields;
use crate::meet::limits::SEQ_END;
use crate::meet::settings::Settings;
use crate::meet::update::{Mode, Op, Proposal};
use crate::meet::word::word;

/// Body of `POST /v1/meets`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateMeet {
    /// Which of `locations` the creator is.
    pub this_location_name: String,
    /// What joining will take.
    #[serde(alias = "Password")]
    pub password: String,
    /// Everyone who may write, with priorities.
    #[serde(deserialize_with = "objects")]
    pub locations: Vec<LocationSpec>,
    /// A name for people.
    pub meet_name: Option<String>,
    /// The creator's client id; made up where it is left out.
    pub client_id: Option<String>,
    /// Conflicts and privacy.
    #[serde(default, deserialize_with = "object")]
    pub settings: Settings,
}

/// One location of [`CreateMeet`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocationSpec {
    /// Its name.
    pub location_name: String,
    /// Larger numbers overrule smaller ones.
    #[serde(deserialize_with = "whole")]
    pub priority: i64,
}

/// Body of `POST /v1/meets/{id}/sessions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinMeet {
    /// The meet's password; the design of the messages writes it with a capital once.
    #[serde(alias = "Password")]
    pub password: String,
    /// Which location the client writes for.
    pub location_name: String,
    /// Its client id; made up where it is left out.
    pub client_id: Option<String>,
}

/// Body of `POST /v1/meets/{id}/updates`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// The updates, in the order in which they were made.
    #[serde(deserialize_with = "objects")]
    pub updates: Vec<Update>,
    /// Each by itself, or all or nothing.
    #[serde(default, deserialize_with = "word")]
    pub mode: Mode,
    /// Commit only if the head is still here.
    #[serde(default)]
    pub if_head: Option<Cursor>,
}

/// Body of `POST /v1/meets/{id}/sync`: a push inside a pull.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sync {
    /// The updates, in the order in which they were made.
    #[serde(default, deserialize_with = "objects")]
    pub updates: Vec<Update>,
    /// The last entry that the client has.
    pub after: Cursor,
    /// Seconds to wait for news.
    #[serde(default)]
    pub wait: f64,
    /// Entries in the reply, about.
    #[serde(default, deserialize_with = "count")]
    pub limit: Option<u64>,
    /// Each by itself, or all or nothing.
    #[serde(default, deserialize_with = "word")]
    pub mode: Mode,
    /// Commit only if the head is still here.
    #[serde(default)]
    pub if_head: Option<Cursor>,
}

/// One update as a client sends it. Key and value are read in the same pass, for a copy of each would have no other use.
#[derive(Debug)]
pub struct Update {
    /// What it proposes.
    pub proposal: Proposal,
    /// Whether it has a value; `null` is one.
    pub has_value: bool,
}

/// The members of [`Update`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateMembers<'a> {
    #[serde(borrow)]
    update_key: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    update_value: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "word")]
    op: Op,
    #[serde(default, deserialize_with = "count")]
    local_seq_num: Option<u64>,
    #[serde(default)]
    after_server_seq_num: Option<Cursor>,
}

impl<'de> Deserialize<'de> for Update {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Update, D::Error> {
        let UpdateMembers { update_key, update_value, op, local_seq_num, after_server_seq_num } = UpdateMembers::deserialize(input)?;
        let proposal = Proposal::read(&update_key, update_value, op, local_seq_num, after_server_seq_num);
        Ok(Update { proposal, has_value: update_value.is_some() })
    }
}

/// Body of `POST /v1/meets/{id}/view-keys`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateViewKey {
    /// What it is for, in words.
    pub label: String,
    /// Its life in seconds; without it the key lives until it is deleted.
    #[serde(default, deserialize_with = "count")]
    pub expires_in: Option<u64>,
}

/// What every message of a client may carry besides what its `msgType` is about: who speaks, and of which meet.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// What the message is.
    pub msg_type: String,
    /// A session token or a view key.
    pub session_token: Option<String>,
    /// `JOIN_MEET`: which meet.
    pub meet_id: Option<String>,
    /// `CREATE_MEET`: what the operator asks for, where a header cannot carry it.
    pub create_key: Option<String>,
}

/// `CLIENT_PULL`: everything above a number; over a socket everything that comes after that, too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientPull {
    /// The last entry that the client has; left out: the head.
    #[serde(default)]
    pub last_server_seq: Option<Cursor>,
    /// One POST: seconds to wait for news.
    #[serde(default)]
    pub wait: f64,
    /// One POST: entries in the reply, about.
    #[serde(default, deserialize_with = "count")]
    pub limit: Option<u64>,
    /// A socket: the state comes first.
    #[serde(default)]
    pub snapshot: bool,
    /// A socket: only entries that overlap one of these keys.
    #[serde(default)]
    pub paths: Vec<String>,
}

/// Body of `POST /v1/meets/{id}/finish`: nothing needs to be said.
#[derive(Debug, Default, Deserialize)]
pub struct FinishMeet {}

/// Body of `POST /v1/meets/{id}/publish`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishMeet {
    /// Where answers go.
    pub return_email: String,
    /// The results as OpenLifter exports them for OpenPowerlifting.
    pub opl_csv: String,
}

/// Body of `POST /v1/meets/{id}/restore`: a page of the log that a client has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreMeet {
    /// What a client shows that the server does not know any more.
    pub recovery_ticket: Option<String>,
    /// Where the key is lost as well: what joining takes.
    #[serde(alias = "Password")]
    pub password: Option<String>,
    /// With a password: which location the client writes for.
    pub location_name: Option<String>,
    /// With a password: everyone who may write, with priorities.
    #[serde(default, deserialize_with = "maybe_objects")]
    pub locations: Option<Vec<LocationSpec>>,
    /// With a password: a name for people.
    pub meet_name: Option<String>,
    /// With a password: the client's id, as in joining.
    pub client_id: Option<String>,
    /// With a password: the operator's key, on a server that wants one for creating meets.
    pub create_key: Option<String>,
    /// Entries as they were relayed, numbered without gaps.
    #[serde(default, deserialize_with = "objects")]
    pub updates: Vec<EntryFields>,
    /// The cursor of the last of them; without any, where the client is.
    pub cursor: Cursor,
    /// The chain there.
    pub chain: ChainValue,
    /// Whether another page follows.
    #[serde(default)]
    pub more: bool,
}

/// Reads `T` from an object only: a derived type would take an array of its members as well.
#[derive(Debug)]
pub struct FromObject<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for FromObject<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = FromObject<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(FromObject)
            }
        }
        input.deserialize_map(Members(PhantomData))
    }
}

fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    FromObject::deserialize(input).map(|FromObject(value)| value)
}

fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<FromObject<T>>::deserialize(input)?;
    Ok(objects.into_iter().map(|FromObject(value)| value).collect())
}

fn maybe_objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<T>>, D::Error> {
    let objects = Option::<Vec<FromObject<T>>>::deserialize(input)?;
    Ok(objects.map(|objects| objects.into_iter().map(|FromObject(value)| value).collect()))
}

fn present<'de: 'a, 'a, D: Deserializer<'de>>(input: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(input).map(Some)
}

/// A whole number that JavaScript counts exactly; `17` and `17.0` are the same.
struct Whole(i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Whole, D::Error> {
        struct WholeVisitor;
        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                let exact = Some(number).filter(|number| *number < SEQ_END).and_then(|number| i64::try_from(number).ok());
                exact.map(Whole).ok_or_else(|| E::custom(format!("{number} is above 9007199254740991")))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
                let exact = Some(number).filter(|number| number.unsigned_abs() < SEQ_END);
                exact.map(Whole).ok_or_else(|| E::custom(format!("{number} is below -9007199254740991")))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
                if number.fract() == 0.0 && number.abs() < SEQ_END as f64 {
                    return Ok(Whole(number as i64));
                }
                Err(E::custom(format!("{number} is not a whole number from -9007199254740991 to 9007199254740991")))
            }
        }
        input.deserialize_any(WholeVisitor)
    }
}

fn whole<'de, D: Deserializer<'de>>(input: D) -> Result<i64, D::Error> {
    Whole::deserialize(input).map(|Whole(number)| number)
}

/// A whole number from 0 up; `null` is the same as leaving it out.
fn count<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<Whole>::deserialize(input)?;
    let count = |Whole(number)| u64::try_from(number).map_err(|_| D::Error::custom(format!("{number} is below 0")));
    number.map(count).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_a_value_and_absence_is_not() {
        let update = |text| serde_json::from_str::<Update>(text).unwrap();
        assert!(update(r#"{"updateKey":"a","updateValue":null}"#).has_value);
        assert!(!update(r#"{"updateKey":"a","op":"remove"}"#).has_value);
    }

    #[test]
    fn cursors_come_as_numbers_and_strings() {
        let after = |text: &str| serde_json::from_str::<Sync>(&format!("{{\"after\":{text}}}")).map(|sync| sync.after.to_string());
        assert_eq!(after("7").unwrap(), "7");
        assert_eq!(after("7.0").unwrap(), "7");
        assert_eq!(after("\"7-0a0b0c0d\"").unwrap(), "7-0a0b0c0d");
        for wrong in ["-1", "1.5", "\"x\"", "null", "true", "9007199254740992"] {
            assert!(after(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_of_clients_are_exact_in_javascript() {
        let read = |number: &str| serde_json::from_str::<Update>(&format!(r#"{{"updateKey":"a","localSeqNum":{number}}}"#));
        assert_eq!(read("9007199254740991").unwrap().proposal.local_seq_num, Some(SEQ_END - 1));
        assert!(read("9007199254740992").is_err());
        assert!(read("-1").is_err());
        assert!(read("1.5").is_err());
        assert_eq!(read("17.0").unwrap().proposal.local_seq_num, Some(17));
        assert_eq!(read("null").unwrap().proposal.local_seq_num, None);
    }
}
