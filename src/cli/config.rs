//! Configuration: flags, then environment, then `--config` file, then defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use serde::Deserialize;

use crate::publish::destination::Destination;
use crate::store::files::Fsync;

/// Options of `liftrelay serve`. The same names serve in a `--config` file.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct ServeArgs {
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:8455]
    #[arg(long, env = "LIFTRELAY_LISTEN", value_name = "ADDR:PORT", value_parser = parse_listen)]
    #[serde(deserialize_with = "listen_from_file")]
    listen: Option<SocketAddr>,

    /// Folder for meets and diag.log [default: ./liftrelay-data]
    #[arg(long, env = "LIFTRELAY_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The server's secret; made when missing. Keep a copy: without it no meet can be proven genuine
    /// [default: beside the data folder, its name plus .key]
    #[arg(long, env = "LIFTRELAY_SERVER_KEY_FILE", value_name = "FILE")]
    server_key_file: Option<PathBuf>,

    /// Write the address to this file once requests are served
    #[arg(long, env = "LIFTRELAY_READY_FILE", value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// Sync every commit to the disk; "never" is for benchmarks and loses acked updates in a power cut [default: always]
    #[arg(long, env = "LIFTRELAY_FSYNC", value_name = "WHEN")]
    fsync: Option<FsyncArg>,

    /// Creating a meet needs this key, as Authorization: Bearer KEY (better set by environment than here)
    #[arg(long, env = "LIFTRELAY_CREATE_KEY", value_name = "KEY", hide_env_values = true)]
    create_key: Option<String>,

    /// Pages from this origin may use sessions; may be repeated
    #[arg(long, env = "LIFTRELAY_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', value_parser = parse_origin)]
    #[serde(deserialize_with = "origins_from_file")]
    allow_origin: Vec<String>,

    /// A proxy whose X-Forwarded-For counts; may be repeated
    #[arg(long, env = "LIFTRELAY_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',', value_parser = parse_network)]
    #[serde(deserialize_with = "networks_from_file")]
    trusted_proxy: Vec<IpNet>,

    /// Where published results go: a folder, or an address (http:// or https://) that takes them by POST
    /// [default: the folder of their meet]
    #[arg(long, env = "LIFTRELAY_PUBLISH_TO", value_name = "DIR|URL", hide_env_values = true)]
    #[serde(deserialize_with = "destination_from_file")]
    publish_to: Option<Destination>,

    /// Remove finished meets after so many days [default: never]
    #[arg(long, env = "LIFTRELAY_KEEP_FINISHED", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    #[serde(deserialize_with = "days_from_file")]
    keep_finished: Option<u32>,

    /// How the log on stderr is written [default: text]
    #[arg(long, env = "LIFTRELAY_LOG", value_name = "FORMAT")]
    log: Option<LogFormat>,

    /// Replay a demo meet, lap after lap, and show it at /
    #[arg(long, env = "LIFTRELAY_DEMO")]
    demo: bool,

    /// Replay the demo so many times faster [default: 1]
    #[arg(long, env = "LIFTRELAY_DEMO_SPEED", value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    demo_speed: Option<u32>,

    /// Read options from this TOML file; flags and environment win
    #[arg(long, env = "LIFTRELAY_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FsyncArg {
    Always,
    Never,
}

/// How the log on stderr is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Options with every default in its place.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) listen: SocketAddr,
    pub(super) data_dir: PathBuf,
    /// `None` for the default place, which depends on where the data folder really is.
    pub(super) server_key_file: Option<PathBuf>,
    pub(super) ready_file: Option<PathBuf>,
    pub(super) fsync: Fsync,
    pub(super) create_key: Option<String>,
    pub(super) allow_origins: Vec<String>,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) publish_to: Destination,
    /// How long finished meets are kept, where not for ever.
    pub(super) keep_finished: Option<Duration>,
    pub(super) log: LogFormat,
    /// How many times faster than usual the demo runs, where one runs.
    pub(super) demo_speed: Option<u32>,
}

impl ServeArgs {
    /// Reads the `--config` file, if there is one, and fills in defaults.
    ///
    /// # Errors
    /// What is wrong with the file, for a person.
    pub(super) fn resolve(self) -> Result<Config, String> {
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let either = |flag: Vec<String>, file: Vec<String>| if flag.is_empty() { file } else { flag };
        let demo = self.demo || file.demo;
        let create_key = self.create_key.or(file.create_key).filter(|key| !key.is_empty());
        Ok(Config {
            listen: self.listen.or(file.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8455))),
            data_dir: self.data_dir.or(file.data_dir).unwrap_or_else(default_data_dir),
            server_key_file: self.server_key_file.or(file.server_key_file),
            ready_file: self.ready_file.or(file.ready_file),
            fsync: match self.fsync.or(file.fsync) {
                None | Some(FsyncArg::Always) => Fsync::Always,
                Some(FsyncArg::Never) => Fsync::Never,
            },
            create_key,
            allow_origins: either(self.allow_origin, file.allow_origin),
            trusted_proxies: if self.trusted_proxy.is_empty() { file.trusted_proxy } else { self.trusted_proxy },
            publish_to: self.publish_to.or(file.publish_to).unwrap_or_default(),
            keep_finished: self.keep_finished.or(file.keep_finished).map(|days| Duration::from_secs(u64::from(days) * 86_400)),
            log: self.log.or(file.log).unwrap_or_default(),
            demo_speed: demo.then(|| self.demo_speed.or(file.demo_speed).unwrap_or(1).max(1)),
        })
    }
}

/// Where meets are when nothing else is said.
pub(super) fn default_data_dir() -> PathBuf {
    PathBuf::from("./liftrelay-data")
}

fn read_file(path: &Path) -> Result<ServeArgs, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// `:PORT` alone means this machine only, as the default does.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let text = if text.starts_with(':') { format!("127.0.0.1{text}") } else { text.replace("localhost:", "127.0.0.1:") };
    text.parse().map_err(|_| "an address is IP:PORT, for example 127.0.0.1:8455, 0.0.0.0:8455, [::1]:8455 or :0".to_owned())
}

/// A network, or one address.
fn parse_network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    network.map_err(|_| "a proxy is an address or a network, for example 127.0.0.1 or 10.0.0.0/8".to_owned())
}

/// An origin as browsers send it: a scheme and a host, nothing behind them.
fn parse_origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' '])) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("an origin is a scheme and a host without a path, for example https://openlifter.example.org".to_owned())
}

fn origins_from_file<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(input)?;
    texts.iter().map(|text| parse_origin(text)).collect::<Result<_, _>>().map_err(serde::de::Error::custom)
}

fn listen_from_file<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(input)?;
    parse_listen(&text).map(Some).map_err(serde::de::Error::custom)
}

fn networks_from_file<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(input)?;
    texts.iter().map(|text| parse_network(text)).collect::<Result<_, _>>().map_err(serde::de::Error::custom)
}

fn destination_from_file<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<Destination>, D::Error> {
    String::deserialize(input)?.parse().map(Some).map_err(serde::de::Error::custom)
}

fn days_from_file<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<u32>, D::Error> {
    let days = u32::deserialize(input)?;
    let fits = (1..=36_500).contains(&days);
    if fits {
        Ok(Some(days))
    } else {
        Err(serde::de::Error::custom(format!("{days} is not in 1..=36500; leave it out to keep finished meets")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_kind() {
        let listen = |text| parse_listen(text).map(|address| address.to_string());
        assert_eq!(listen(":0").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(listen("localhost:80").as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(listen("[::1]:8455").as_deref(), Ok("[::1]:8455"));
        assert!(listen("8455").unwrap_err().contains("IP:PORT"));
    }

    #[test]
    fn origins_are_what_browsers_send() {
        assert_eq!(parse_origin("https://OpenLifter.example.org:8443").as_deref(), Ok("https://openlifter.example.org:8443"));
        for wrong in ["*", "openlifter.example.org", "https://example.org/", "https://example.org/app", "https://*.example.org"] {
            assert!(parse_origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_win_over_the_file_and_typing_errors_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("liftrelay.toml");
        std::fs::write(&path, "listen = \":9000\"\nlog = \"json\"\ntrusted-proxy = [\"10.0.0.0/8\"]\n").unwrap();
        let args = ServeArgs { config: Some(path.clone()), listen: Some(SocketAddr::from(([127, 0, 0, 1], 1))), ..ServeArgs::default() };
        let config = args.clone().resolve().unwrap();
        assert_eq!((config.listen.port(), config.log, config.trusted_proxies.len()), (1, LogFormat::Json, 1));
        std::fs::write(&path, "lisen = \":9000\"\n").unwrap();
        assert!(args.resolve().unwrap_err().contains("lisen"));
    }

    #[test]
    fn finished_meets_and_results_may_be_told_in_the_file() {
        let read = |text: &str| toml::from_str::<ServeArgs>(text).map_err(|error| error.to_string());
        let config = read("keep-finished = 30\npublish-to = \"/srv/results\"\n").unwrap().resolve().unwrap();
        assert_eq!(config.keep_finished, Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(config.publish_to, Destination::Folder("/srv/results".into()));
        assert!(read("keep-finished = 0\n").unwrap_err().contains("leave it out to keep finished meets"));
        assert!(read("publish-to = \"ftp://example.org\"\n").unwrap_err().contains("cannot be sent by ftp"));
    }
}
