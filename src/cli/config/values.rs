//! How values are written: the same in a flag, in the environment and in a file.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error};
use toml::Value;

use crate::publish::destination::Destination;

/// `:PORT` alone means this machine only, as the default does.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let text = if text.starts_with(':') { format!("127.0.0.1{text}") } else { text.replace("localhost:", "127.0.0.1:") };
    text.parse().map_err(|_| "an address is IP:PORT, for example 127.0.0.1:8455, 0.0.0.0:8455, [::1]:8455 or :0".to_owned())
}

/// A network, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "a proxy is an address or a network, for example 127.0.0.1 or 10.0.0.0/8".to_owned())
}

/// An origin as browsers send it: a scheme and a host, nothing behind them.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' '])) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("an origin is a scheme and a host without a path, for example https://openlifter.example.org".to_owned())
}

/// A number of connections or attempts.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "a limit is a whole number from 1 up; there is no way to switch it off".to_owned())
}

/// How many days finished meets are kept: up to a hundred years.
pub(super) fn days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| (1..=36_500).contains(days));
    days.ok_or_else(|| format!("{text} is not in 1..=36500; leave it out to keep finished meets"))
}

/// How many times faster the demo may run.
pub(super) fn speed(text: &str) -> Result<u32, String> {
    let speed = text.parse().ok().filter(|speed| (1..=10_000).contains(speed));
    speed.ok_or_else(|| format!("{text} is not in 1..=10000"))
}

/// What only those who know it may use; an empty one would be none.
pub(super) fn key(text: &str) -> Result<String, String> {
    let missing = "it is empty; leave it out for a server on which everybody may create meets";
    if text.trim().is_empty() { Err(missing.to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn key_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    read_text(input, key)
}

pub(super) fn days_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u32>, D::Error> {
    read_integer(input, "a number of days without quotes is needed", days)
}

pub(super) fn speed_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u32>, D::Error> {
    read_integer(input, "a whole number without quotes is needed, in 1..=10000", speed)
}

pub(super) fn number_in_file<'de, D: Deserializer<'de>, T: FromStr>(input: D) -> Result<Option<T>, D::Error> {
    read_integer(input, "a limit is a whole number from 1 up, without quotes", number)
}

pub(super) fn flag_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    match Value::deserialize(input)? {
        Value::Boolean(flag) => Ok(flag),
        _ => Err(Error::custom("true or false is needed, without quotes")),
    }
}

pub(super) fn choice_in_file<'de, D: Deserializer<'de>, T: ValueEnum>(input: D) -> Result<Option<T>, D::Error> {
    let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value).map(|choice| format!("{:?}", choice.get_name()));
    let needed = || format!("one of {} is needed", names.collect::<Vec<_>>().join(", "));
    match Value::deserialize(input)? {
        Value::String(text) => T::from_str(&text, false).map(Some).map_err(|_| Error::custom(needed())),
        _ => Err(Error::custom(needed())),
    }
}

pub(super) fn path_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<PathBuf>, D::Error> {
    read_text(input, |text| Ok(PathBuf::from(text)))
}

pub(super) fn destination_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Destination>, D::Error> {
    read_text(input, str::parse)
}

pub(super) fn listen_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<SocketAddr>, D::Error> {
    read_text(input, listen)
}

pub(super) fn origins_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    read_list(input, origin)
}

pub(super) fn networks_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<IpNet>, D::Error> {
    read_list(input, network)
}

// Serde's own words for a value of another kind name types of Rust, and show the value, which may be a secret.

fn read_text<'de, D: Deserializer<'de>, T>(input: D, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, D::Error> {
    match Value::deserialize(input)? {
        Value::String(text) => read(&text).map(Some).map_err(Error::custom),
        _ => Err(Error::custom("text in quotes is needed")),
    }
}

fn read_integer<'de, D: Deserializer<'de>, T>(
    input: D,
    needed: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    match Value::deserialize(input)? {
        Value::Integer(integer) => read(&integer.to_string()).map(Some).map_err(Error::custom),
        _ => Err(Error::custom(needed)),
    }
}

fn read_list<'de, D: Deserializer<'de>, T>(input: D, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, D::Error> {
    let needed = || Error::custom("a list is needed, for example [\"one\", \"another\"]");
    let Value::Array(items) = Value::deserialize(input)? else { return Err(needed()) };
    items.iter().map(|item| read(item.as_str().ok_or_else(needed)?).map_err(Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_kind() {
        let listen = |text| listen(text).map(|address| address.to_string());
        assert_eq!(listen(":0").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(listen("localhost:80").as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(listen("[::1]:8455").as_deref(), Ok("[::1]:8455"));
        assert!(listen("8455").unwrap_err().contains("IP:PORT"));
    }

    #[test]
    fn origins_are_what_browsers_send() {
        assert_eq!(origin("https://OpenLifter.example.org:8443").as_deref(), Ok("https://openlifter.example.org:8443"));
        for wrong in ["*", "openlifter.example.org", "https://example.org/", "https://example.org/app", "https://*.example.org"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
