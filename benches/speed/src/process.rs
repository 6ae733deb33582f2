//! Programs that are measured: children of the bench, their processor time and memory.

use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use super::Measured;

/// Both ends of 10,000 connections to each of three programs, and room.
const DESCRIPTORS: u64 = 65_536;
/// How long a program may take to end by itself.
const ENDING: Duration = Duration::from_secs(5);

/// Lets this process and its children open as many connections as the largest crowd needs, where the system allows it. Where it does
/// not, opening that crowd fails and says so.
pub fn allow_descriptors() {
    if rlimit::Resource::NOFILE.set(DESCRIPTORS, DESCRIPTORS).is_err() {
        let _ = rlimit::increase_nofile_limit(DESCRIPTORS);
    }
}

/// A child process and those that it made; ended when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Measured<Process> {
        let child = command.spawn().map_err(|fault| format!("{}: {fault}", command.get_program().display()))?;
        Ok(Process(child))
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Processor time that the whole family has used, threads that have ended included.
    pub fn cpu(&self) -> Measured<Duration> {
        let mut total = Duration::ZERO;
        for pid in family(self.pid()) {
            total += Duration::from(clock_getcpuclockid(pid)?.now()?);
        }
        Ok(total)
    }

    /// Memory of the whole family in bytes, shared pages by their share.
    pub fn memory(&self) -> Measured<u64> {
        let mut total = 0;
        for pid in family(self.pid()) {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("smaps_rollup without Pss")?;
            total += line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024;
        }
        Ok(total)
    }

    /// Asks it to end, and waits for that.
    pub fn end(mut self, patience: Duration) -> Measured<()> {
        kill(self.pid(), Signal::SIGTERM)?;
        let asked = Instant::now();
        while asked.elapsed() < patience {
            match self.0.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("it ended with {status}").into()),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Err("it does not end".into())
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }
}

fn family(root: Pid) -> Vec<Pid> {
    let children = fs::read_to_string(format!("/proc/{root}/task/{root}/children")).unwrap_or_default();
    let descendants = children.split_whitespace().filter_map(|pid| pid.parse().ok()).flat_map(|pid| family(Pid::from_raw(pid)));
    std::iter::once(root).chain(descendants).collect()
}

impl Drop for Process {
    /// Asks first, for one that is killed leaves its own children behind.
    fn drop(&mut self) {
        let _ = kill(self.pid(), Signal::SIGTERM);
        let asked = Instant::now();
        while asked.elapsed() < ENDING && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
