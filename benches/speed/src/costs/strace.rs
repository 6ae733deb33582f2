//! System calls of a process, told by strace.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::Measured;
use crate::product::folder;

/// Calls that wait, wake, look at the time or get memory: how many there are depends on who runs when.
const CHANCE: &str = "trace=!epoll_wait,epoll_pwait,futex,sched_yield,restart_syscall,clock_nanosleep,nanosleep,clock_gettime,\
                      mprotect,brk,mmap,munmap,madvise";
/// How one thread wakes another that waits for sockets.
const WAKE: &str = r#""\1\0\0\0\0\0\0\0", 8"#;
const WRITES: [&str; 7] = ["write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg"];

/// A process that is watched.
pub(super) struct Watch {
    strace: Child,
    folder: TempDir,
}

/// The names of the calls that were made.
pub(super) struct Calls(Vec<String>);

impl Watch {
    /// Returns once strace has it.
    pub(super) fn start(pid: Pid) -> Measured<Watch> {
        let folder = folder()?;
        let mut command = Command::new("strace");
        command.args(["-f", "-e", CHANCE, "-e", "signal=none", "-o"]).arg(folder.path().join("calls")).args(["-p", &pid.to_string()]);
        let mut strace = command.stderr(Stdio::piped()).spawn().map_err(|fault| format!("strace: {fault}"))?;
        let mut told = BufReader::new(strace.stderr.take().ok_or("no stderr")?);
        let mut line = String::new();
        told.read_line(&mut line)?;
        if !line.contains("attached") {
            return Err(format!("{}; strace must be allowed to watch", line.trim()).into());
        }
        // It tells of each thread that comes, and must not find nobody listening.
        std::thread::spawn(move || told.lines().for_each(drop));
        Ok(Watch { strace, folder })
    }

    pub(super) fn end(mut self) -> Measured<Calls> {
        kill(Pid::from_raw(self.strace.id().cast_signed()), Signal::SIGINT)?;
        self.strace.wait()?;
        let text = std::fs::read_to_string(self.folder.path().join("calls"))?;
        Ok(Calls(text.lines().filter_map(call).collect()))
    }
}

/// The call that a line tells of: a thread's number, the call's name, what it was given. The end of a call that another thread
/// interrupted has a line of its own and is not counted again.
fn call(line: &str) -> Option<String> {
    let (_, told) = line.split_once(' ')?;
    let (name, given) = told.trim_start().split_once('(')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !given.contains(WAKE)).then(|| name.to_owned())
}

impl Calls {
    pub(super) fn all(&self) -> usize {
        self.0.len()
    }

    pub(super) fn syncs(&self) -> usize {
        self.of(&["fdatasync", "fsync"])
    }

    pub(super) fn writes(&self) -> usize {
        self.of(&WRITES)
    }

    fn of(&self, names: &[&str]) -> usize {
        self.0.iter().filter(|name| names.contains(&name.as_str())).count()
    }
}
