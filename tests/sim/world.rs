//! Where a history is played: a process of its own with `world.c` preloaded, and files in memory. A process of its own,
//! because the runtime's dice depend on how many runtimes the process has had.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::history;
use crate::time::{self, Played};

/// Told to `world.c`: where the files are.
const FOLDER: &str = "SIM_FOLDER";
/// Tells a process that it plays one history.
pub const ONE: &str = "--one";

/// The shim, built, and a place for files.
pub struct World {
    shim: PathBuf,
    home: TempDir,
    /// Whether what happened is printed.
    trace: bool,
}

/// What came of a history.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub entries: u64,
    pub crashes: u64,
    /// SHA-256 of all that everybody saw.
    pub hash: String,
}

impl World {
    pub fn new(trace: bool) -> World {
        let memory = Some(PathBuf::from("/dev/shm")).filter(|memory| memory.is_dir());
        let home = tempfile::tempdir_in(memory.unwrap_or_else(std::env::temp_dir)).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/world.c");
        let shim = home.path().join("world.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).arg(&shim).arg(source).arg("-ldl");
        assert!(compiler.status().unwrap().success(), "a C compiler is needed");
        World { shim, home, trace }
    }

    /// Plays the history of a seed.
    pub fn play(&self, seed: u64) -> Result<Told, String> {
        let folder = tempfile::tempdir_in(self.home.path()).unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap());
        process.args([ONE, "--seed", &seed.to_string()]).env("LD_PRELOAD", &self.shim).env(FOLDER, folder.path());
        process.stderr(if self.trace { Stdio::inherit() } else { Stdio::null() });
        let output = process.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            [entries, crashes, hash] if output.status.success() => {
                Ok(Told { entries: entries.parse().unwrap(), crashes: crashes.parse().unwrap(), hash: hash.to_owned() })
            }
            _ => Err(if text.is_empty() { output.status.to_string() } else { text }),
        }
    }
}

/// Plays a history in this process, on a thread of its own: what that thread draws from the system follows from its name.
/// Tells what came of it on the standard output, and what happened on the other one.
pub fn play_here(seed: u64) -> bool {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let thread = thread::Builder::new().name(format!("sim {seed}"));
    let Played { result, trace } = thread.spawn(move || time::run(seed, |sim| history::play(sim, folder))).unwrap().join().unwrap();
    trace.iter().for_each(|line| eprintln!("{line}"));
    match &result {
        Ok(ended) => println!("{} {} {}", ended.entries, ended.crashes, hex::encode(Sha256::digest(trace.join("\n")))),
        Err(why) => println!("{why}"),
    }
    result.is_ok()
}
