//! What the work costs in numbers that no clock and no neighbour can disturb: instructions, allocations and system calls, held
//! against those that are written down.

mod baseline;
mod callgrind;
mod core;
mod server;
mod strace;

use super::Measured;
use baseline::Baseline;

pub use core::run_as_child;

/// The argument that asks for costs.
pub const ARGUMENT: &str = "costs";
/// Writes down what was counted instead of comparing.
const WRITE: &str = "--write";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Of one thread that does nothing else.
    Instructions,
    /// Of the whole server, whose threads and timers meet as it happens.
    ServerInstructions,
    Allocations,
    Calls,
}

impl Unit {
    /// What it may come to where so much is written down.
    fn limit(self, before: f64) -> f64 {
        match self {
            Unit::Instructions => before * 1.03,
            Unit::ServerInstructions => before * 1.10,
            // A hundredth of a call is what happens once in a while.
            Unit::Allocations | Unit::Calls => before * 1.05 + 0.05,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Unit::Instructions | Unit::ServerInstructions => "instructions",
            Unit::Allocations => "allocations",
            Unit::Calls => "system calls",
        }
    }
}

/// One number.
#[derive(Debug)]
pub struct Count {
    work: String,
    unit: Unit,
    value: f64,
}

impl Count {
    fn new(work: impl Into<String>, unit: Unit, value: f64) -> Count {
        Count { work: work.into(), unit, value }
    }

    fn name(&self) -> String {
        format!("{}: {}", self.work, self.unit.name())
    }
}

/// Counts everything; compares it with what is written down, or writes it down.
pub fn measure(arguments: &[String]) -> Measured<()> {
    if let Some(other) = arguments.iter().find(|argument| *argument != WRITE) {
        return Err(format!("{other} is no option; there is {WRITE}").into());
    }
    let counts: Vec<Count> = [core::counts()?, server::costs()?, server::calls()?].into_iter().flatten().collect();
    if arguments.is_empty() { Baseline::read()?.judge(&counts) } else { Baseline::write(&counts) }
}
