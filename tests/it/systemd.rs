//! What a service manager hears, and the unit that it reads.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::support::process::{Process, liftrelay};

/// The manager's end of `NOTIFY_SOCKET`.
struct Manager {
    messages: Receiver<String>,
}

impl Manager {
    fn listen(path: &Path) -> Manager {
        let socket = UnixDatagram::bind(path).unwrap();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                if sender.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).is_err() {
                    return;
                }
            }
        });
        Manager { messages }
    }

    /// The next message that has such a line; gives it whole.
    #[track_caller]
    fn hears(&self, line: &str) -> String {
        let started = Instant::now();
        loop {
            let left = Duration::from_secs(20).saturating_sub(started.elapsed());
            let message = self.messages.recv_timeout(left).unwrap_or_else(|_| panic!("{line} was not heard"));
            if message.lines().any(|found| found.starts_with(line)) {
                return message;
            }
        }
    }

    /// Waits until nothing has been heard for so long.
    fn hears_nothing_for(&self, silence: Duration) {
        let started = Instant::now();
        while self.messages.recv_timeout(silence).is_ok() {
            assert!(started.elapsed() < Duration::from_secs(20), "it goes on talking");
        }
    }
}

fn start(folder: &Path, environment: &[(&str, &str)]) -> (Manager, Process) {
    let socket = folder.join("notify");
    let manager = Manager::listen(&socket);
    let mut command = liftrelay();
    command.env("NOTIFY_SOCKET", &socket).envs(environment.iter().copied());
    (manager, Process::launch(folder, command, &[]))
}

#[tokio::test]
async fn the_manager_hears_of_start_reload_and_end() {
    let folder = tempdir().unwrap();
    let (manager, process) = start(folder.path(), &[]);
    manager.hears("READY=1");
    assert!(manager.hears("STATUS=").contains(&process.url));
    process.stranger().get("/health/live").await.expect(200);
    process.signal("HUP");
    let message = manager.hears("RELOADING=1");
    let time = message.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap_or_else(|| panic!("{message}"));
    assert!(time.parse::<u64>().unwrap() > 0);
    manager.hears("READY=1");
    process.signal("TERM");
    manager.hears("STOPPING=1");
    assert!(process.wait().0.success());
}

/// A disk that hangs takes the watchdog's pings away, and gives them back when it works again.
#[tokio::test]
async fn the_watchdog_hears_of_a_server_that_is_well_and_of_no_other() {
    let folder = tempdir().unwrap();
    let mode = folder.path().join("mode");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (shim, data, mode_file) = (text(crate::disk::shim()), text(&folder.path().join("data/.probe")), text(&mode));
    let environment = [("WATCHDOG_USEC", "400000"), ("LD_PRELOAD", &*shim), ("DISK_FOLDER", &*data), ("DISK_MODE", &*mode_file)];
    let (manager, process) = start(folder.path(), &environment);
    for _ in 0..5 {
        manager.hears("WATCHDOG=1");
    }
    // A disk that neither answers nor fails. Only the probe meets it here, so that the rest of the server goes on.
    std::fs::write(&mode, "hang").unwrap();
    manager.hears_nothing_for(Duration::from_secs(2));
    process.stranger().get("/health/live").await.expect(200);
    std::fs::remove_file(&mode).unwrap();
    manager.hears("WATCHDOG=1");
    process.stop();
}

#[tokio::test]
async fn a_manager_that_is_gone_stops_nobody() {
    let folder = tempdir().unwrap();
    let mut command = liftrelay();
    command.env("NOTIFY_SOCKET", folder.path().join("nobody")).env("WATCHDOG_USEC", "400000");
    let process = Process::launch(folder.path(), command, &[]);
    process.stranger().create_as("desk").await;
    process.stop();
}

/// The unit as it is, but for the place of the program.
#[test]
fn systemd_takes_the_unit_and_finds_it_confined() {
    let folder = tempdir().unwrap();
    let unit = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/liftrelay.service")).unwrap();
    let unit = unit.replace("/usr/local/bin/liftrelay", env!("CARGO_BIN_EXE_liftrelay"));
    let file = folder.path().join("liftrelay.service");
    std::fs::write(&file, unit).unwrap();
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&file).output();
        let output = output.expect("systemd-analyze is missing; tests/run installs it (Debian: systemd)");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    };
    let (valid, text) = analyze(&["verify", "--man=no"]);
    let ours: Vec<_> = text.lines().filter(|line| line.contains("liftrelay")).collect();
    assert!(valid && ours.is_empty(), "{text}");
    // 0 is shut in, 10 is free; systemd itself calls everything below 2 well done.
    let (confined, text) = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"]);
    assert!(confined, "{text}");
}
