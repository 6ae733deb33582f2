//! Configuration: flags, then environment, then `--config` file, then defaults.
//!
//! An option is a member of [`ServeArgs`], one of [`Config`] with the same name, and a line in [`ServeArgs::resolve`] that
//! has its default. If it may change while the server runs it is also named in [`RELOADED`], if it is secret in [`SECRET`].

mod file;
mod show;
mod values;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::http::Options;
use crate::meet::limits::{CONNECTIONS_MAX, FAILED_LOGINS_PER_ADDRESS, FAILED_LOGINS_PER_MEET};
use crate::publish::destination::Destination;
use crate::store::files::Fsync;

/// Options that a reload applies; the others need a restart.
pub(super) const RELOADED: [&str; 9] = [
    "create-key",
    "accept-unproven-restore",
    "allow-origin",
    "trusted-proxy",
    "tls-cert",
    "tls-key",
    "max-connections",
    "failed-logins-per-meet",
    "failed-logins-per-address",
];
/// Options whose values are shown nowhere.
pub(super) const SECRET: [&str; 2] = ["create-key", "publish-to"];

/// Options of `liftrelay serve`. The same names serve in a `--config` file.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct ServeArgs {
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:8455]
    #[arg(long, env = "LIFTRELAY_LISTEN", value_name = "ADDR:PORT", value_parser = values::listen, help_heading = "Addresses")]
    #[serde(deserialize_with = "values::listen_in_file")]
    listen: Option<SocketAddr>,

    /// Address for /metrics and health alone; /metrics is then served nowhere else
    #[arg(long, env = "LIFTRELAY_METRICS_LISTEN", value_name = "ADDR:PORT", value_parser = values::listen, help_heading = "Addresses")]
    #[serde(deserialize_with = "values::listen_in_file")]
    metrics_listen: Option<SocketAddr>,

    /// Write the address to this file once requests are served
    #[arg(long, env = "LIFTRELAY_READY_FILE", value_name = "FILE", help_heading = "Addresses")]
    #[serde(deserialize_with = "values::path_in_file")]
    ready_file: Option<PathBuf>,

    /// Folder for meets and diag.log [default: ./liftrelay-data]
    #[arg(long, env = "LIFTRELAY_DATA_DIR", value_name = "DIR", help_heading = "Files")]
    #[serde(deserialize_with = "values::path_in_file")]
    data_dir: Option<PathBuf>,

    /// The server's secret; made when missing. Keep a copy: without it no meet can be proven genuine
    /// [default: beside the data folder, its name plus .key]
    #[arg(long, env = "LIFTRELAY_SERVER_KEY_FILE", value_name = "FILE", help_heading = "Files")]
    #[serde(deserialize_with = "values::path_in_file")]
    server_key_file: Option<PathBuf>,

    /// Serve the OpenLifter build in this folder at /app/, live: made with PUBLIC_URL=/app and REACT_APP_ROUTER_BASENAME=/app
    #[arg(long, env = "LIFTRELAY_APP_DIR", value_name = "DIR", help_heading = "Files")]
    #[serde(deserialize_with = "values::path_in_file")]
    app_dir: Option<PathBuf>,

    /// Sync every commit to the disk; "never" is for benchmarks and loses acked updates in a power cut [default: always]
    #[arg(long, env = "LIFTRELAY_FSYNC", value_name = "WHEN", help_heading = "Files")]
    #[serde(deserialize_with = "values::choice_in_file")]
    fsync: Option<FsyncArg>,

    /// Creating a meet needs this key, as Authorization: Bearer KEY (better set by environment than here)
    #[arg(long, env = "LIFTRELAY_CREATE_KEY", value_name = "KEY", value_parser = values::key, hide_env_values = true, help_heading = "Access")]
    #[serde(deserialize_with = "values::key_in_file")]
    create_key: Option<String>,

    /// Take meets back from clients at their word, where the server key is lost: whoever is first with a meet's id sets its password.
    /// For the day of the loss only
    #[arg(long, env = "LIFTRELAY_ACCEPT_UNPROVEN_RESTORE", help_heading = "Access")]
    #[serde(deserialize_with = "values::flag_in_file")]
    accept_unproven_restore: bool,

    /// Pages from this origin may use sessions; may be repeated
    #[arg(
        long,
        env = "LIFTRELAY_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = values::origin,
        help_heading = "Access"
    )]
    #[serde(deserialize_with = "values::origins_in_file")]
    allow_origin: Vec<String>,

    /// A proxy whose X-Forwarded-For counts; may be repeated
    #[arg(
        long,
        env = "LIFTRELAY_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = values::network,
        help_heading = "Access"
    )]
    #[serde(deserialize_with = "values::networks_in_file")]
    trusted_proxy: Vec<IpNet>,

    /// Where published results go: a folder, or an address (http:// or https://) that takes them by POST
    /// [default: the folder of their meet]
    #[arg(long, env = "LIFTRELAY_PUBLISH_TO", value_name = "DIR|URL", hide_env_values = true, help_heading = "Finished meets")]
    #[serde(deserialize_with = "values::destination_in_file")]
    publish_to: Option<Destination>,

    /// Remove finished meets after so many days [default: never]
    #[arg(long, env = "LIFTRELAY_KEEP_FINISHED", value_name = "DAYS", value_parser = values::days, help_heading = "Finished meets")]
    #[serde(deserialize_with = "values::days_in_file")]
    keep_finished: Option<u32>,

    /// Speak HTTPS, with HTTP/2 and HTTP/1.1; PEM, the server's own certificate first, then those between it and the root
    #[arg(long, env = "LIFTRELAY_TLS_CERT", value_name = "FILE", help_heading = "TLS")]
    #[serde(deserialize_with = "values::path_in_file")]
    tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, PEM without a password; SIGHUP reads both again
    #[arg(long, env = "LIFTRELAY_TLS_KEY", value_name = "FILE", help_heading = "TLS")]
    #[serde(deserialize_with = "values::path_in_file")]
    tls_key: Option<PathBuf>,

    /// Connections at once; further ones wait [default: 20000, or what the limit on open files allows]
    #[arg(long, env = "LIFTRELAY_MAX_CONNECTIONS", value_name = "N", value_parser = values::number::<NonZeroUsize>, help_heading = "Limits")]
    #[serde(deserialize_with = "values::number_in_file")]
    max_connections: Option<NonZeroUsize>,

    /// Failed logins that one address may make on one meet in a burst, and per minute afterwards [default: 10]
    #[arg(long, env = "LIFTRELAY_FAILED_LOGINS_PER_MEET", value_name = "N", value_parser = values::number::<NonZeroU32>, help_heading = "Limits")]
    #[serde(deserialize_with = "values::number_in_file")]
    failed_logins_per_meet: Option<NonZeroU32>,

    /// Failed logins that one address, perhaps a whole hall, may make in a burst, and per minute afterwards [default: 60]
    #[arg(long, env = "LIFTRELAY_FAILED_LOGINS_PER_ADDRESS", value_name = "N", value_parser = values::number::<NonZeroU32>, help_heading = "Limits")]
    #[serde(deserialize_with = "values::number_in_file")]
    failed_logins_per_address: Option<NonZeroU32>,

    /// Replay a demo meet, lap after lap, and show it at /
    #[arg(long, env = "LIFTRELAY_DEMO", help_heading = "Demo")]
    #[serde(deserialize_with = "values::flag_in_file")]
    demo: bool,

    /// Replay the demo so many times faster [default: 1]
    #[arg(long, env = "LIFTRELAY_DEMO_SPEED", value_name = "FACTOR", value_parser = values::speed, help_heading = "Demo")]
    #[serde(deserialize_with = "values::speed_in_file")]
    demo_speed: Option<u32>,

    /// How the log on stderr is written; RUST_LOG sets its level [default: text]
    #[arg(long, env = "LIFTRELAY_LOG", value_name = "FORMAT", help_heading = "Logging")]
    #[serde(deserialize_with = "values::choice_in_file")]
    log: Option<LogFormat>,

    /// Read options from this TOML file, by the names that they have here; flags and environment win. SIGHUP reads it again
    #[arg(long, env = "LIFTRELAY_CONFIG", value_name = "FILE", help_heading = "Configuration")]
    #[serde(skip)]
    config: Option<PathBuf>,

    /// Print what flags, environment, file and defaults come to, as a file that --config takes, and exit
    #[arg(long, help_heading = "Configuration")]
    #[serde(skip)]
    pub(super) print_config: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum FsyncArg {
    #[default]
    Always,
    Never,
}

/// How the log on stderr is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Options with every default in its place.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Config {
    pub(super) listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) ready_file: Option<PathBuf>,
    pub(super) data_dir: PathBuf,
    /// `None` for the default place, which depends on where the data folder really is.
    pub(super) server_key_file: Option<PathBuf>,
    pub(super) app_dir: Option<PathBuf>,
    fsync: FsyncArg,
    create_key: Option<String>,
    pub(super) accept_unproven_restore: bool,
    allow_origin: Vec<String>,
    trusted_proxy: Vec<IpNet>,
    pub(super) publish_to: Destination,
    /// Days that finished meets are kept; `None` for ever.
    keep_finished: Option<u32>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    max_connections: NonZeroUsize,
    failed_logins_per_meet: NonZeroU32,
    failed_logins_per_address: NonZeroU32,
    demo: bool,
    demo_speed: u32,
    pub(super) log: LogFormat,
    /// Where the file was, if there was one.
    #[serde(skip)]
    pub(super) file: Option<PathBuf>,
}

impl ServeArgs {
    /// Reads the `--config` file, if there is one, and fills in defaults. Doing it again reads the file again.
    ///
    /// # Errors
    /// What is wrong with the file, or with what it comes to, for a person.
    pub(super) fn resolve(&self) -> Result<Config, String> {
        let file = self.config.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let args = self.clone();
        let config = Config {
            listen: args.listen.or(file.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8455))),
            metrics_listen: args.metrics_listen.or(file.metrics_listen),
            ready_file: args.ready_file.or(file.ready_file),
            data_dir: args.data_dir.or(file.data_dir).unwrap_or_else(default_data_dir),
            server_key_file: args.server_key_file.or(file.server_key_file),
            app_dir: args.app_dir.or(file.app_dir),
            fsync: args.fsync.or(file.fsync).unwrap_or_default(),
            create_key: args.create_key.or(file.create_key),
            accept_unproven_restore: args.accept_unproven_restore || file.accept_unproven_restore,
            allow_origin: either(args.allow_origin, file.allow_origin),
            trusted_proxy: either(args.trusted_proxy, file.trusted_proxy),
            publish_to: args.publish_to.or(file.publish_to).unwrap_or_default(),
            keep_finished: args.keep_finished.or(file.keep_finished),
            tls_cert: args.tls_cert.or(file.tls_cert),
            tls_key: args.tls_key.or(file.tls_key),
            max_connections: args.max_connections.or(file.max_connections).unwrap_or(CONNECTIONS_MAX),
            failed_logins_per_meet: args.failed_logins_per_meet.or(file.failed_logins_per_meet).unwrap_or(FAILED_LOGINS_PER_MEET),
            failed_logins_per_address: args
                .failed_logins_per_address
                .or(file.failed_logins_per_address)
                .unwrap_or(FAILED_LOGINS_PER_ADDRESS),
            demo: args.demo || file.demo,
            demo_speed: args.demo_speed.or(file.demo_speed).unwrap_or(1),
            log: args.log.or(file.log).unwrap_or_default(),
            file: args.config,
        };
        config.checked()
    }
}

impl Config {
    /// What no single option can tell.
    fn checked(self) -> Result<Config, String> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => Err("--tls-cert needs --tls-key too: the private key of the certificate".to_owned()),
            (None, Some(_)) => Err("--tls-key needs --tls-cert too: the certificate of the private key".to_owned()),
            _ => Ok(self),
        }
    }

    /// What HTTP is told.
    pub(super) fn options(&self) -> Options {
        Options {
            create_key: self.create_key.clone(),
            accept_unproven_restore: self.accept_unproven_restore,
            allow_origins: self.allow_origin.clone(),
            trusted_proxies: self.trusted_proxy.clone(),
            fsync: self.fsync(),
            app_dir: self.app_dir.clone(),
            metrics_apart: self.metrics_listen.is_some(),
            max_connections: self.max_connections,
            failed_logins_per_meet: self.failed_logins_per_meet,
            failed_logins_per_address: self.failed_logins_per_address,
        }
    }

    pub(super) fn fsync(&self) -> Fsync {
        match self.fsync {
            FsyncArg::Always => Fsync::Always,
            FsyncArg::Never => Fsync::Never,
        }
    }

    /// The files of certificate and key, where there is TLS.
    pub(super) fn tls(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.as_deref().zip(self.tls_key.as_deref())
    }

    /// How long finished meets are kept, where not for ever.
    pub(super) fn keep_finished(&self) -> Option<Duration> {
        self.keep_finished.map(|days| Duration::from_secs(u64::from(days) * 86_400))
    }

    /// How many times faster than usual the demo runs, where one runs.
    pub(super) fn demo_speed(&self) -> Option<u32> {
        self.demo.then_some(self.demo_speed)
    }
}

/// A list in the file counts where none is given elsewhere.
fn either<T>(given: Vec<T>, file: Vec<T>) -> Vec<T> {
    if given.is_empty() { file } else { given }
}

/// Where meets are when nothing else is said.
pub(super) fn default_data_dir() -> PathBuf {
    PathBuf::from("./liftrelay-data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_typing_errors_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("liftrelay.toml");
        std::fs::write(&path, "listen = \":9000\"\nlog = \"json\"\ntrusted-proxy = [\"10.0.0.0/8\"]\n").unwrap();
        let args = ServeArgs { config: Some(path.clone()), listen: Some(SocketAddr::from(([127, 0, 0, 1], 1))), ..ServeArgs::default() };
        let config = args.resolve().unwrap();
        assert_eq!((config.listen.port(), config.log, config.trusted_proxy.len()), (1, LogFormat::Json, 1));
        std::fs::write(&path, "lisen = \":9000\"\n").unwrap();
        assert!(args.resolve().unwrap_err().contains("lisen"));
        std::fs::write(&path, "max-connections = 0\n").unwrap();
        assert!(args.resolve().unwrap_err().contains("max-connections"));
    }

    #[test]
    fn finished_meets_and_results_may_be_told_in_the_file() {
        let read = |text: &str| toml::from_str::<ServeArgs>(text).map_err(|error| error.to_string());
        let config = read("keep-finished = 30\npublish-to = \"/srv/results\"\n").unwrap().resolve().unwrap();
        assert_eq!(config.keep_finished(), Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(config.publish_to, Destination::Folder("/srv/results".into()));
        assert!(read("keep-finished = 0\n").unwrap_err().contains("leave it out to keep finished meets"));
        assert!(read("publish-to = \"ftp://example.org\"\n").unwrap_err().contains("cannot be sent by ftp"));
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let alone = ServeArgs { tls_cert: Some("cert.pem".into()), ..ServeArgs::default() };
        assert!(alone.resolve().unwrap_err().contains("--tls-key"));
        let alone = ServeArgs { tls_key: Some("key.pem".into()), ..ServeArgs::default() };
        assert!(alone.resolve().unwrap_err().contains("--tls-cert"));
    }
}
