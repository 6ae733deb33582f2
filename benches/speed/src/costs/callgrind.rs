//! Programs under callgrind: how many instructions they execute, and how often they ask for memory.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use crate::Measured;

/// Functions that give memory, whichever library has them.
const GIVERS: [&str; 12] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "mi_malloc",
    "mi_malloc_aligned",
    "mi_zalloc",
    "mi_zalloc_aligned",
    "mi_realloc",
    "mi_realloc_aligned",
    "mi_rezalloc",
];

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) instructions: f64,
    pub(super) allocations: f64,
}

impl Cost {
    /// What this costs more than the other, for each of so many.
    pub(super) fn above(self, other: Cost, each: usize) -> Cost {
        Cost {
            instructions: (self.instructions - other.instructions) / each as f64,
            allocations: (self.allocations - other.allocations) / each as f64,
        }
    }
}

/// The start of a command that runs a program under callgrind, which leaves what it saw in `out`. Where `inside` is given, only
/// instructions inside functions of that name count; allocations count everywhere.
pub(super) fn command(out: &Path, inside: Option<&str>) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]).arg(format!("--callgrind-out-file={}", out.display()));
    command.args(inside.map(|name| format!("--toggle-collect=*{name}*")));
    command
}

/// What callgrind has left there.
pub(super) fn read(out: &Path) -> Measured<Cost> {
    let text = std::fs::read_to_string(out).map_err(|fault| format!("{}: {fault}; is valgrind installed?", out.display()))?;
    let total = |name| text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.trim().parse::<f64>().ok());
    let instructions = total("totals:").or_else(|| total("summary:")).ok_or("callgrind counted nothing")?;
    Ok(Cost { instructions, allocations: allocations(&text) as f64 })
}

/// Calls of the givers. A function is named where it first occurs and has a number from there on.
fn allocations(text: &str) -> u64 {
    let (mut givers, mut asked, mut calls) = (HashSet::new(), false, 0);
    for line in text.lines() {
        if let Some((kind, named)) = line.split_once("fn=(") {
            let Some((number, name)) = named.split_once(')') else { continue };
            if GIVERS.contains(&name.trim()) {
                givers.insert(number.to_owned());
            }
            asked = kind == "c" && givers.contains(number);
        } else if let Some(told) = line.strip_prefix("calls=") {
            let times = told.split(' ').next().and_then(|times| times.parse::<u64>().ok()).unwrap_or(0);
            calls += if asked { times } else { 0 };
        }
    }
    calls
}
