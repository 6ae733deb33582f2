//! Logs: stderr for the operator, `diag.log` in the data folder for later questions.
//! Neither holds secrets; names that people gave are quoted and escaped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, FilterFn};
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
    let chosen = || EnvFilter::builder().with_default_directive(Level::INFO.into()).from_env_lossy();
    let filter = || chosen().and(FilterFn::new(shows_no_contents));
    let stderr = match format {
        LogFormat::Text => {
            fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false).with_filter(filter()).boxed()
        }
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).with_filter(filter()).boxed(),
    };
    let diag = Mutex::new(DiagLog::open(data_dir)?);
    let diag = fmt::layer().json().flatten_event(true).with_writer(diag).with_filter(EnvFilter::new("info"));
    // A second start in one process (tests) keeps the first logs.
    let _ = tracing_subscriber::registry().with(stderr).with(diag).try_init();
    Ok(())
}

/// Libraries write whole messages and headers at TRACE, passwords and tokens included, so theirs ends at DEBUG whatever is asked for.
fn shows_no_contents(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::DEBUG || metadata.target().starts_with(env!("CARGO_PKG_NAME"))
}

/// `diag.log`, moved aside to `diag.log.1` whenever it has grown large.
struct DiagLog {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl DiagLog {
    fn open(data_dir: &Path) -> io::Result<DiagLog> {
        let path = data_dir.join("diag.log");
        let file = open_to_append(&path)?;
        let bytes = file.metadata()?.len();
        Ok(DiagLog { path, file, bytes })
    }
}

impl Write for DiagLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > DIAG_LOG_MAX_BYTES {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            self.file = open_to_append(&self.path)?;
            self.bytes = 0;
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open_to_append(path: &Path) -> io::Result<File> {
    private_file(path, OpenOptions::new().append(true).create(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_log_is_moved_aside_and_a_third_one_never_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = DiagLog::open(folder.path()).unwrap();
        for round in 0..3 {
            log.bytes = DIAG_LOG_MAX_BYTES + 1;
            log.write_all(format!("round {round}\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((read("diag.log"), read("diag.log.1")), ("round 2\n".to_owned(), "round 1\n".to_owned()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
