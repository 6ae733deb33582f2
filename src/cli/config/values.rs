//! How values are written: the same in a flag, in the environment and in a file.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error};

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
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "a limit is a whole number from 1 up; there is no way to switch it off".to_owned())
}

/// How many days finished meets are kept: up to a hundred years.
pub(super) fn days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| (1..=36_500).contains(days));
    days.ok_or_else(|| format!("{text} is not in 1..=36500; leave it out to keep finished meets"))
}

pub(super) fn days_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u32>, D::Error> {
    days(&u32::deserialize(input)?.to_string()).map(Some).map_err(Error::custom)
}

pub(super) fn destination_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Destination>, D::Error> {
    String::deserialize(input)?.parse().map(Some).map_err(Error::custom)
}

pub(super) fn listen_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Option<SocketAddr>, D::Error> {
    listen(&String::deserialize(input)?).map(Some).map_err(Error::custom)
}

pub(super) fn origins_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    all(&Vec::<String>::deserialize(input)?, origin)
}

pub(super) fn networks_in_file<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<IpNet>, D::Error> {
    all(&Vec::<String>::deserialize(input)?, network)
}

fn all<T, E: Error>(texts: &[String], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, E> {
    texts.iter().map(|text| read(text)).collect::<Result<_, _>>().map_err(Error::custom)
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
