//! The real program as a process of its own.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Client;

/// `liftrelay`, ready to be given arguments.
pub fn liftrelay() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liftrelay"));
    // What the machine happens to have set must not reach the tests.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LIFTRELAY_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command that ends by itself; gives its exit code, stdout and stderr.
#[track_caller]
pub fn run(command: &mut Command) -> (i32, String, String) {
    run_with(command, "")
}

/// The same for a command that reads `input` from its stdin.
#[track_caller]
pub fn run_with(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    // A pipe holds 64 KiB; whoever writes more waits for a reader.
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = std::thread::spawn(move || std::io::read_to_string(&mut out).unwrap());
    let err = std::thread::spawn(move || std::io::read_to_string(&mut err).unwrap());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it did not end: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    (status.code().unwrap_or(-1), out.join().unwrap(), err.join().unwrap())
}

/// A running `liftrelay serve`; killed when dropped.
pub struct Process {
    pub child: Child,
    pub url: String,
    pub folder: PathBuf,
}

impl Process {
    /// Starts a server on `folder/data`, with `folder/data.key`.
    pub fn start(folder: &Path) -> Process {
        Process::start_with(folder, &[])
    }

    pub fn start_with(folder: &Path, arguments: &[&str]) -> Process {
        Process::launch(folder, liftrelay(), arguments)
    }

    /// Starts the server by a command of its own: with an environment, or through a shell.
    pub fn launch(folder: &Path, mut command: Command, arguments: &[&str]) -> Process {
        let ready = folder.join("ready");
        let _ = std::fs::remove_file(&ready);
        let listen: &[&str] = if arguments.contains(&"--listen") { &[] } else { &["--listen", ":0"] };
        let mut child = command
            .arg("serve")
            .args(listen)
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        let url = loop {
            if let Ok(url) = std::fs::read_to_string(&ready) {
                break url.trim().to_owned();
            }
            if child.try_wait().unwrap().is_some() || started.elapsed() > Duration::from_secs(20) {
                let _ = child.kill();
                let mut text = String::new();
                child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
                panic!("the server did not start: {text}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Process { child, url, folder: folder.to_owned() }
    }

    pub fn stranger(&self) -> Client {
        Client::new(&self.url)
    }

    /// Sends SIGHUP and waits until `diag.log` has told of one reload more.
    pub fn reload(&self) -> String {
        let told = || {
            let log = std::fs::read_to_string(self.folder.join("data/diag.log")).unwrap();
            log.lines().filter(|line| line.contains("read again")).map(str::to_owned).collect::<Vec<_>>()
        };
        let before = told().len();
        let is_over = |told: &[String]| told[before..].iter().any(|line| line.contains("the configuration"));
        self.signal("HUP");
        let started = Instant::now();
        loop {
            let told = told();
            if is_over(&told) {
                return told[before..].join("\n");
            }
            assert!(started.elapsed() < Duration::from_secs(20), "no word of a reload");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The folder of a meet, by its nine digits.
    pub fn meet_folder(&self, meet: &str) -> PathBuf {
        self.folder.join("data/current-meets").join(meet)
    }

    /// Stops in order and waits for that; gives the folder, on which another process may start.
    pub fn stop(self) -> PathBuf {
        let folder = self.folder.clone();
        self.signal("TERM");
        let (status, _, stderr) = self.wait();
        assert!(status.success(), "{stderr}");
        folder
    }

    /// `kill -9`, then a new process on the same folder.
    pub fn crash_and_restart(mut self) -> Process {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Process::start(&self.folder.clone())
    }

    /// Sends a signal by name, for example `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; gives the exit status and what was written to stdout and stderr.
    pub fn wait(mut self) -> (ExitStatus, String, String) {
        let status = self.child.wait().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (status, out, err)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
