//! Which server, which meet, and what lets one in.

use std::path::PathBuf;

use clap::Args;
use reqwest::Url;

use crate::client::api::{Options, Server, Session};
use crate::meet::id::MeetId;

use crate::cli::proxy::ProxyText;

use super::{Ended, usage};

/// Which server, and how it is reached.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ServerArgs {
    /// The server's address
    #[arg(
        long,
        env = "LIFTRELAY_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:8455",
        value_parser = server,
        help_heading = "Server"
    )]
    server: Url,

    /// Trust this certificate besides those of the machine; PEM
    #[arg(long, env = "LIFTRELAY_CA_FILE", value_name = "FILE", help_heading = "Server")]
    ca_file: Option<PathBuf>,

    /// Reach the server through this proxy [default: HTTP_PROXY and HTTPS_PROXY, but not for this machine]
    #[arg(long, env = "LIFTRELAY_PROXY", value_name = "URL", hide_env_values = true, help_heading = "Server")]
    proxy: Option<ProxyText>,
}

/// Which meet, and as whom.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct MeetArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// The meet's nine digits
    #[arg(long, env = "LIFTRELAY_MEET", value_name = "ID", help_heading = "Meet")]
    meet: MeetId,

    /// A session token, as `create` and `join` print it; where reading is enough, a view key
    /// (better set by environment than here)
    #[arg(long, env = "LIFTRELAY_TOKEN", value_name = "TOKEN", hide_env_values = true, help_heading = "Meet")]
    token: String,
}

impl ServerArgs {
    /// The server.
    pub(in crate::cli) fn open(&self) -> Result<Server, Ended> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|error| usage(format!("{}: {error}", path.display())));
        let root_certificate = self.ca_file.as_ref().map(read).transpose()?;
        let proxy = self.proxy.as_ref().map(ProxyText::url).transpose().map_err(usage)?;
        Server::new(self.server.clone(), Options { root_certificate, proxy }).map_err(usage)
    }

    /// Its address.
    pub(in crate::cli) fn url(&self) -> &Url {
        &self.server
    }
}

impl MeetArgs {
    /// The meet, by the token.
    pub(in crate::cli) fn open(&self) -> Result<Session, Ended> {
        Ok(Session::new(self.server.open()?, self.meet, self.token.clone()))
    }
}

/// The address of a server: scheme, host, port and path, and nothing else.
fn server(text: &str) -> Result<Url, String> {
    const RIGHT: &str = "a server's address looks like http://192.168.0.10:8455";
    let url = Url::parse(text).map_err(|error| format!("{error}; {RIGHT}"))?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        "http" | "https" if is_plain => Ok(url),
        "http" | "https" => Err(format!("it has more than scheme, host, port and path; {RIGHT}")),
        _ => Err(RIGHT.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_others_are_told_what_would_be_right() {
        for right in ["http://127.0.0.1:8455", "https://meet.example/live/"] {
            assert!(server(right).is_ok(), "{right}");
        }
        for wrong in ["127.0.0.1:8455", "ws://host", "http://user:secret@host", "http://host/?key=1", "http://", ""] {
            let error = server(wrong).unwrap_err();
            assert!(error.contains("http://192.168.0.10:8455") && !error.contains("secret"), "{wrong}: {error}");
        }
    }
}
