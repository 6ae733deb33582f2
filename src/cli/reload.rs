//! SIGHUP: the configuration file and the certificate are read again, and nobody is sent away.

use std::sync::Arc;

use tokio::signal::unix::Signal;
use tracing::{error, info, warn};

use crate::http::serve::tls::Tls;
use crate::http::{App, Options};

use super::config::{Config, RELOADED, ServeArgs};
use super::{certificates, systemd};

/// What a reload needs to know and may change.
pub(super) struct Reload {
    /// Flags and environment, which do not change.
    args: ServeArgs,
    /// What the server was started with.
    started: Config,
    /// What holds now.
    applied: Config,
    app: Arc<App>,
    tls: Option<Tls>,
}

impl Reload {
    pub(super) fn new(args: ServeArgs, config: &Config, app: Arc<App>, tls: Option<Tls>) -> Reload {
        Reload { args, started: config.clone(), applied: config.clone(), app, tls }
    }

    /// Reloads at every signal, for ever.
    pub(super) async fn at(mut self, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            systemd::reloading();
            // Files may be slow; requests must not wait for them.
            let reloading = tokio::task::spawn_blocking(move || {
                self.now();
                self
            });
            match reloading.await {
                Ok(reload) => self = reload,
                Err(fault) => {
                    error!(%fault, "reloading failed; the server goes on as it is, and reloads no more");
                    return systemd::ready();
                }
            }
            systemd::ready();
        }
    }

    fn now(&mut self) {
        let fresh = match self.args.resolve() {
            Ok(fresh) => fresh,
            Err(problem) => return error!(%problem, "the configuration cannot be read again; nothing was changed"),
        };
        let is_reloaded = |name: &String| RELOADED.contains(&name.as_str());
        let changed: Vec<_> = self.applied.changes(&fresh).into_iter().filter(is_reloaded).collect();
        let mut waiting: Vec<_> = self.started.changes(&fresh).into_iter().filter(|name| !is_reloaded(name)).collect();
        if self.tls.is_some() != fresh.tls().is_some() {
            waiting.push("tls-cert".to_owned());
        }
        // Whether commits are synced was settled when the store was opened.
        self.app.choose(Options { fsync: self.started.fsync(), ..fresh.options() });
        self.show_certificate(&fresh);
        self.applied = fresh;
        if changed.is_empty() {
            info!("the configuration was read again; nothing has changed");
        } else {
            info!(changed = changed.join(", "), "the configuration was read again");
        }
        if !waiting.is_empty() {
            warn!(options = waiting.join(", "), "these options have changed too, and need a restart");
        }
    }

    /// A certificate that is no good leaves the old one in place.
    fn show_certificate(&self, fresh: &Config) {
        let Some(tls) = &self.tls else { return };
        match certificates::read(fresh) {
            Some(Ok(certificate)) => tls.show(&certificate),
            Some(Err(problem)) => error!(%problem, "the certificate cannot be read again; the old one stays"),
            None => {}
        }
    }
}
