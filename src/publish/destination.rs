//! Where published results go.

use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;
use serde::{Serialize, Serializer};

/// What the operator chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// They stay in the meet's own folder, and are handed over with that.
    #[default]
    MeetFolder,
    /// A folder, from which somebody else takes them.
    Folder(PathBuf),
    /// A program that takes them by HTTP.
    Webhook(Url),
}

impl FromStr for Destination {
    type Err = String;

    /// A folder, or an address that begins with `http://` or `https://`.
    fn from_str(text: &str) -> Result<Destination, String> {
        let wrong = |why: &str| format!("{why}; a destination is a folder, or an address like https://results.example.org/meets");
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        let unnamed = || wrong("it looks like an address and begins with no https://; a folder of that name begins with ./");
        let Some((scheme, _)) = text.split_once("://") else {
            // As a folder it would be shown, with the password that is in it.
            let is_half_an_address = !text.starts_with(['/', '.']) && text.contains(['?', '@']);
            return if is_half_an_address { Err(unnamed()) } else { Ok(Destination::Folder(text.into())) };
        };
        if !scheme.chars().all(|char| char.is_ascii_alphanumeric()) {
            return Err(unnamed());
        }
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(wrong(&format!("results cannot be sent by {scheme}")));
        }
        text.parse().map(Destination::Webhook).map_err(|error| wrong(&format!("the address cannot be read ({error})")))
    }
}

impl Serialize for Destination {
    /// As it would be given; nothing for the meet's own folder.
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Destination::MeetFolder => out.serialize_none(),
            Destination::Folder(folder) => folder.serialize(out),
            Destination::Webhook(url) => out.serialize_str(url.as_str()),
        }
    }
}

impl Destination {
    /// What a person is told of it: an address may hold secrets behind its host.
    pub fn shown(&self) -> String {
        match self {
            Destination::MeetFolder => "the folder of their meet".to_owned(),
            Destination::Folder(folder) => folder.display().to_string(),
            Destination::Webhook(url) => url.origin().ascii_serialization(),
        }
    }

    /// Whether results travel unencrypted to another machine.
    pub fn is_exposed(&self) -> bool {
        let Destination::Webhook(url) = self else { return false };
        url.scheme() == "http" && !is_on_this_machine(url)
    }
}

/// Whether an address is one of this machine's own.
pub(super) fn is_on_this_machine(url: &Url) -> bool {
    let is_loopback = |host: &str| host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    url.host_str().is_some_and(|host| host == "localhost" || is_loopback(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_or_an_address() {
        assert_eq!("/srv/results".parse(), Ok(Destination::Folder("/srv/results".into())));
        assert_eq!("./results@home".parse(), Ok(Destination::Folder("./results@home".into())));
        assert_eq!("results".parse(), Ok(Destination::Folder("results".into())));
        let webhook: Destination = "https://user:secret@results.example.org/meets?token=secret".parse().unwrap();
        assert_eq!(webhook.shown(), "https://results.example.org");
        for wrong in [
            "",
            "ftp://example.org",
            "s3://bucket",
            "https://",
            "http://exa mple.org",
            "me:secret@example.org",
            "example.org/?token=secret",
            "https:/me@x",
        ] {
            let told = wrong.parse::<Destination>().unwrap_err();
            assert!(told.contains("a destination is a folder, or an address like https://"), "{wrong}: {told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn only_plain_http_to_elsewhere_is_exposed() {
        let is_exposed = |text: &str| text.parse::<Destination>().unwrap().is_exposed();
        assert!(is_exposed("http://results.example.org/"));
        for safe in ["https://results.example.org/", "http://127.0.0.1:9/x", "http://[::1]/", "http://localhost/", "/srv/results"] {
            assert!(!is_exposed(safe), "{safe}");
        }
    }
}
