//! The world in which histories are played: `world.c`, preloaded, and a folder in memory.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::history::{self, Told};
use crate::time::{self, Played};

/// Told to `world.c`, and a sign that it is there.
const FOLDER: &str = "SIM_FOLDER";

pub struct World {
    home: tempfile::TempDir,
}

impl World {
    /// Becomes a process with `world.c` in it, unless it is one.
    pub fn enter() -> World {
        let Some(folder) = std::env::var_os(FOLDER) else { World::become_simulated() };
        // The last process made the folder with this name and left it to this one.
        World { home: tempfile::Builder::new().prefix("run-").tempdir_in(folder).unwrap() }
    }

    fn become_simulated() -> ! {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/world.c");
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("world-{}.so", std::process::id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).arg(&built).arg(source).arg("-ldl");
        assert!(compiler.status().unwrap().success(), "a C compiler is needed");
        let mut this = Command::new(std::env::current_exe().unwrap());
        this.args(std::env::args_os().skip(1)).env("LD_PRELOAD", built).env(FOLDER, folder_in_memory());
        panic!("the simulation does not start: {}", this.exec());
    }

    /// Plays one history, on a thread of its own: what that thread draws from the system follows from its name.
    pub fn play(&self, seed: u64) -> Played<Told> {
        let home = self.home.path().join(seed.to_string());
        let folder = home.clone();
        let thread = thread::Builder::new().name(format!("sim {seed}"));
        let played = thread.spawn(move || time::run(seed, |sim| history::play(sim, folder))).unwrap().join().unwrap();
        let _ = std::fs::remove_dir_all(home);
        played
    }
}

fn folder_in_memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}
