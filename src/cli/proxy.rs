//! The address of a proxy, which may hold a password.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// The text of a proxy's address. It is read only when it is used, for an error in an argument shows the argument.
#[derive(Clone)]
pub(super) struct ProxyText(String);

impl FromStr for ProxyText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<ProxyText, Infallible> {
        Ok(ProxyText(text.to_owned()))
    }
}

impl fmt::Debug for ProxyText {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("ProxyText")
    }
}

impl ProxyText {
    /// The address.
    ///
    /// # Errors
    /// What is wrong with it, in words that do not show it.
    pub(super) fn url(&self) -> Result<Url, String> {
        const RIGHT: &str = "a proxy's address looks like http://192.168.0.1:3128";
        let url = Url::parse(&self.0).map_err(|error| format!("--proxy: {error}; {RIGHT}"))?;
        match url.scheme() {
            "http" | "https" => Ok(url),
            _ => Err(format!("--proxy: {RIGHT}")),
        }
    }
}
