//! What the server says when it starts: where it listens, for scripts; everything else, for people.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use crate::http::App;
use crate::publish::destination::Destination;
use crate::store::files::Fsync;

use super::config::{Config, LogFormat};
use super::{print, tell};

/// What there is to tell.
pub(super) struct Greeting<'a> {
    pub(super) config: &'a Config,
    pub(super) key_path: &'a Path,
    pub(super) address: SocketAddr,
    /// Where metrics are, where they have an address of their own.
    pub(super) metrics: Option<SocketAddr>,
    pub(super) app: &'a App,
}

impl Greeting<'_> {
    /// Prints all of it.
    pub(super) fn print(&self) {
        for url in self.urls() {
            print(&format!("listening on {url}"));
        }
        for line in self.lines() {
            // A log in JSON is read by programs, line by line.
            if self.config.log == LogFormat::Json { info!("{line}") } else { tell(&format!("  {line}")) }
        }
        self.warn();
    }

    fn lines(&self) -> Vec<String> {
        let Greeting { config, key_path, app, .. } = self;
        let shown = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
        let options = app.options();
        let mut lines = Vec::new();
        lines.extend(config.file.as_deref().map(|file| format!("options come from {} (SIGHUP reads it again)", shown(file))));
        lines.push(format!("meets are kept in {}", shown(&config.data_dir)));
        lines.push(format!("the server key is {} (keep a copy: with it, clients can bring lost meets back)", shown(key_path)));
        let metrics = self.metrics.map(|address| reachable(address, "http")).unwrap_or_default();
        lines.extend(metrics.into_iter().map(|url| format!("metrics are at {url}/metrics and nowhere else")));
        lines.extend(config.tls().map(|(certificate, _)| {
            format!("the certificate is {} (SIGHUP reads it again); HTTP/2 and HTTP/1.1 are spoken", shown(certificate))
        }));
        lines.push(format!(
            "at most {} connections; {} failed logins a minute from one address on one meet, {} on all",
            app.room.size(),
            options.failed_logins_per_meet,
            options.failed_logins_per_address
        ));
        if config.publish_to != Destination::MeetFolder {
            lines.push(format!("published results go to {}", config.publish_to.shown()));
        }
        lines.extend(config.keep_finished().map(|keep| match keep.as_secs() / 86_400 {
            1 => "finished meets are removed after 1 day".to_owned(),
            days => format!("finished meets are removed after {days} days"),
        }));
        lines.extend(config.app_dir.as_deref().map(|folder| format!("OpenLifter is at {}/app/, from {}", self.url(), shown(folder))));
        lines.push(self.next_step());
        lines.push("Ctrl-C stops".to_owned());
        lines
    }

    fn next_step(&self) -> String {
        let first = self.url();
        match self.config.demo_speed() {
            Some(_) => format!("a demo meet is on: open {first}/demo in a browser, or run  curl -N '{first}/demo/events?snapshot=1'"),
            None => format!("open {first}/ in a browser to create a meet or open one; --demo shows a live one"),
        }
    }

    fn warn(&self) {
        if self.config.fsync() == Fsync::Never {
            warn!("--fsync never: a power cut loses what was acked; use it for benchmarks only");
        }
        if self.config.accept_unproven_restore {
            warn!(
                "--accept-unproven-restore: whoever is first with the id of a meet that is not here sets its password and what is in it; leave it out again once your meets are back"
            );
        }
        if self.config.publish_to.is_exposed() {
            warn!("results are published by plain HTTP: dates of birth and addresses travel unencrypted; https:// would be right");
        }
        if !self.address.ip().is_loopback() && self.config.tls().is_none() {
            warn!("plain HTTP on an address that others can reach: passwords travel unencrypted unless a proxy adds TLS");
        }
        if let Some(address) = self.metrics.filter(|address| !address.ip().is_loopback()) {
            warn!(%address, "--metrics-listen is an address that others can reach: they read the numbers, unencrypted and without a password");
        }
    }

    /// The address for programs on this machine.
    pub(super) fn url(&self) -> String {
        self.urls().into_iter().next().unwrap_or_else(|| format!("{}://{}", self.scheme(), self.address))
    }

    /// Every address that the server can be reached at.
    fn urls(&self) -> Vec<String> {
        reachable(self.address, self.scheme())
    }

    fn scheme(&self) -> &'static str {
        if self.config.tls().is_some() { "https" } else { "http" }
    }

    /// Writes the address to a file that appears whole or not at all, so that whoever waits for it can read it at once.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write_ready(&self, path: &Path) -> std::io::Result<()> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        std::fs::write(&fresh, format!("{}\n", self.url()))?;
        std::fs::rename(&fresh, path)
    }
}

/// Every address at which a listener can be reached.
fn reachable(address: SocketAddr, scheme: &str) -> Vec<String> {
    let url = |ip: IpAddr| format!("{scheme}://{}", SocketAddr::new(ip, address.port()));
    if !address.ip().is_unspecified() {
        return vec![url(address.ip())];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let is_reachable = |ip: &IpAddr| match ip {
        IpAddr::V4(_) => true,
        // Link-local addresses need a zone, which no URL of a browser takes.
        IpAddr::V6(ip) => address.is_ipv6() && !ip.is_unicast_link_local(),
    };
    let mut ips: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).filter(is_reachable).collect();
    ips.sort_by_key(|ip| !ip.is_loopback());
    ips.into_iter().map(url).collect()
}
