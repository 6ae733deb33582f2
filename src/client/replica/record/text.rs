//! Keys and values as they are kept: keys as text, values as the JSON that they are.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::meet::key::Key;
use crate::meet::value::Value;

pub(super) mod key {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(key: &Key, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(key)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Key, D::Error> {
        let text = String::deserialize(input)?;
        Key::parse(&text).map_err(serde::de::Error::custom)
    }
}

pub(super) mod value {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(value: &Option<Value>, out: S) -> Result<S::Ok, S::Error> {
        let text = value.as_ref().map_or_else(|| "null".to_owned(), Value::canonical);
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(out)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Value>, D::Error> {
        let text = Box::<RawValue>::deserialize(input)?;
        Value::parse(text.get()).map(Some).map_err(serde::de::Error::custom)
    }
}
