//! Real proxies in front of the real server: what users in halls stand behind. `tests/gauntlet/run` runs it.
#![allow(missing_docs, unreachable_pub, clippy::needless_pass_by_value, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod black_hole;
mod climb;
mod doctor;
mod proxy;
#[path = "../it/support/mod.rs"]
mod support;
mod ways;

use std::path::PathBuf;

use tempfile::TempDir;

use black_hole::BlackHole;
use proxy::{Kind, Proxy};
use support::Client;
use support::process::Process;

/// A server with a meet, and what stands in front of it.
pub struct Hall {
    /// An editor who stands right beside the server.
    pub desk: Client,
    /// What those in the hall take for the server.
    pub url: String,
    /// What they are told to go through.
    pub forward: Option<String>,
    /// The only certificate that they trust.
    pub trusted: Option<PathBuf>,
    between: Between,
    _process: Process,
    _folder: TempDir,
}

enum Between {
    Nothing,
    Program(Box<Proxy>),
    Hole(BlackHole),
}

impl Hall {
    async fn with(between: impl AsyncFnOnce(&str) -> Between) -> Hall {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(folder.path());
        let desk = Client::new(&process.url).create_as("desk").await;
        let between = between(&process.url).await;
        let (url, forward) = match &between {
            Between::Nothing => (process.url.clone(), None),
            Between::Program(proxy) => (proxy.server.clone(), proxy.forward.clone()),
            Between::Hole(hole) => (hole.url.clone(), None),
        };
        let trusted = match &between {
            Between::Program(proxy) => proxy.identity.as_ref().map(|identity| identity.certificate_file()),
            _ => None,
        };
        Hall { desk, url, forward, trusted, between, _process: process, _folder: folder }
    }

    pub async fn plain() -> Hall {
        Hall::with(async |_| Between::Nothing).await
    }

    pub async fn behind(kind: Kind) -> Hall {
        Hall::with(async |server| Between::Program(Box::new(Proxy::start(kind, server)))).await
    }

    pub async fn behind_a_hole() -> Hall {
        Hall::with(async |server| Between::Hole(BlackHole::start(server).await)).await
    }

    /// What the proxy complained of.
    pub fn log(&self) -> String {
        match &self.between {
            Between::Program(proxy) => proxy.log(),
            _ => String::new(),
        }
    }
}
