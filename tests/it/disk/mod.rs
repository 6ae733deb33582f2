//! The real program on a disk that fails, and on one that forgets what was not synced.

mod failing;
mod power_cuts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::process::{Process, liftrelay};

/// The shim, built once for all tests of this run.
pub fn shim() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).arg(&path).arg(source).arg("-ldl");
        assert!(compiler.status().unwrap().success());
        (folder, path)
    });
    path
}

/// A server on a disk of which the test decides what it does.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn new(folder: &Path) -> Disk {
        Disk { folder: fs::canonicalize(folder).unwrap() }
    }

    fn start(&self, arguments: &[&str]) -> Process {
        let mut command = liftrelay();
        command.env("LD_PRELOAD", shim());
        command.env("DISK_FOLDER", self.folder.join("data/current-meets"));
        command.env("DISK_MODE", self.folder.join("mode")).env("DISK_LEDGER", self.ledger());
        Process::launch(&self.folder, command, arguments)
    }

    /// What happens to writes and syncs from now on.
    fn set(&self, mode: &str) {
        let fresh = self.folder.join("mode.new");
        fs::write(&fresh, mode).unwrap();
        fs::rename(fresh, self.folder.join("mode")).unwrap();
    }

    fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }
}
