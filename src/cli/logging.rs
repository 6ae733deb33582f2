//! Logs: stderr for the operator, `diag.log` in the data folder for later questions.
//! Neither holds secrets; names that people gave are quoted and escaped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::meet::limits::DIAG_LOG_MAX_BYTES;
use crate::store::files::private_file;

use super::config::LogFormat;

/// Starts both logs. `RUST_LOG` sets the level of stderr.
///
/// # Errors
/// Where `diag.log` cannot be opened.
pub(super) fn start(format: LogFormat, data_dir: &Path) -> io::Result<()> {
    let filter = || EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    let stderr = match format {
        LogFormat::Text => {
            fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false).with_filter(filter()).boxed()
        }
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).with_filter(filter()).boxed(),
    };
    let diag = Arc::new(open_diag(data_dir)?);
    let diag = fmt::layer().json().flatten_event(true).with_writer(diag).with_filter(EnvFilter::new("info"));
    // A second start in one process (tests) keeps the first logs.
    let _ = tracing_subscriber::registry().with(stderr).with(diag).try_init();
    Ok(())
}

/// Opens `diag.log` for appending; one that has grown large is moved aside first.
fn open_diag(data_dir: &Path) -> io::Result<File> {
    let path = data_dir.join("diag.log");
    if fs::metadata(&path).is_ok_and(|file| file.len() > DIAG_LOG_MAX_BYTES) {
        fs::rename(&path, data_dir.join("diag.log.1"))?;
    }
    private_file(&path, OpenOptions::new().append(true).create(true))
}
