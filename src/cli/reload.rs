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
        // Certificates are replaced while the server runs; TLS itself comes and goes only with a restart.
        let stays_tls = self.tls.is_some() && fresh.tls().is_some();
        let is_reloaded = |name: &String| RELOADED.contains(&name.as_str()) && (stays_tls || !is_of_tls(name));
        let mut changed = self.applied.changes(&fresh);
        changed.retain(is_reloaded);
        let mut waiting = self.started.changes(&fresh);
        waiting.retain(|name| !is_reloaded(name));
        // Whether commits are synced was settled when the store was opened; OpenLifter's folder was looked at then.
        let Options { fsync, app_dir, .. } = self.started.options();
        self.app.choose(Options { fsync, app_dir, ..fresh.options() });
        let shown = self.show_certificate(&fresh);
        self.applied = fresh;
        if shown == Shown::TheOldOne {
            changed.retain(|name| !is_of_tls(name));
        }
        tell(&changed, shown);
        if !waiting.is_empty() {
            warn!(options = waiting.join(", "), "these options have changed too, and need a restart");
        }
    }

    /// A certificate that is no good leaves the old one in place.
    fn show_certificate(&self, fresh: &Config) -> Shown {
        let Some(tls) = &self.tls else { return Shown::None };
        match certificates::read(fresh) {
            Some(Ok(certificate)) => {
                tls.show(&certificate);
                Shown::WhatTheFilesHold
            }
            Some(Err(problem)) => {
                error!(%problem, "the certificate cannot be read again; the old one stays");
                Shown::TheOldOne
            }
            None => Shown::None,
        }
    }
}

/// The certificate after a reload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// None was to be read.
    None,
    WhatTheFilesHold,
    /// The files could not be read.
    TheOldOne,
}

fn is_of_tls(name: &str) -> bool {
    name == "tls-cert" || name == "tls-key"
}

fn tell(changed: &[String], shown: Shown) {
    let changed = (!changed.is_empty()).then(|| changed.join(", "));
    match (changed, shown) {
        (changed, Shown::TheOldOne) => warn!(changed, "the configuration was read again, but not the certificate"),
        (Some(changed), _) => info!(changed, "the configuration was read again"),
        (None, Shown::WhatTheFilesHold) => info!("the configuration and the certificate were read again; no option has changed"),
        (None, Shown::None) => info!("the configuration was read again; nothing has changed"),
    }
}
