//! The program as a process of its own, behind what it takes for a trusted proxy.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Connections that the server takes; the attack with idle ones brings more.
const CONNECTIONS: &str = "--max-connections=2000";

pub struct Server {
    child: Child,
    pub url: String,
    _folder: TempDir,
}

impl Server {
    /// On the disk of the build's own folder, for a temporary folder may lie in memory.
    pub fn start() -> Server {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let ready = folder.path().join("ready");
        let child = Command::new(env!("CARGO_BIN_EXE_liftrelay"))
            .args(["serve", "--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.0/8", CONNECTIONS, "--data-dir"])
            .arg(folder.path().join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        let url = loop {
            match std::fs::read_to_string(&ready) {
                Ok(url) => break url.trim().to_owned(),
                Err(_) => assert!(started.elapsed() < Duration::from_secs(20), "the server does not start"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Server { child, url, _folder: folder }
    }

    /// Memory that the process has, in MiB.
    pub fn rss(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
