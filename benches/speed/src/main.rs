//! How near the server comes to what the kernel can do, and to programs made for a part of its work.
//!
//! `benches/speed/run [--quick] [ROW…]` prints a table: what was measured, its target, and whether it was met. Without a row it measures
//! all of them. Bare loops, peers and the server take turns in one run, so the ratios say more than the times: whatever disturbs the
//! machine disturbs all of them. `PARTS` names the rows. What a reader holds is measured with 1,000 and more, for of fewer it would be
//! what a start takes. Subscribers by HTTP/2 have a connection each.

mod bare;
mod bare_log;
mod bodies;
mod contest;
mod core;
mod costs;
mod crowd;
mod fan_out;
mod fsync;
mod http;
mod http2;
mod nginx;
mod plan;
mod poller;
mod postgresql;
mod process;
mod product;
mod pushers;
mod pushes;
mod reader;
mod redis;
mod relay;
mod seed;
mod spread;
mod stalled;
mod start;
mod table;
mod wire;

use std::process::ExitCode;

use plan::Plan;
use table::Table;

/// What an instrument says when it cannot vouch for a number.
type Fault = Box<dyn std::error::Error + Send + Sync>;
type Measured<T> = Result<T, Fault>;

/// A part of the table.
type Part = fn(&Plan, &mut Table) -> Measured<()>;

/// The parts by the names that pick them.
const PARTS: &[(&str, Part)] = &[
    ("fan-out", fan_out::streams),
    ("filtered", fan_out::filtered),
    ("tls", fan_out::tls),
    ("http2", fan_out::http2),
    ("bursts", fan_out::bursts),
    ("long-polls", fan_out::long_polls),
    ("stalled", stalled::measure),
    ("idle", fan_out::idle),
    ("pushes", pushes::measure),
    ("spread", spread::measure),
    ("bodies", bodies::measure),
    ("replay", core::replay),
    ("reopen", start::reopening),
    ("start", start::many_meets),
    ("flat", core::flat),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let child = bare::run_as_child(&arguments).or_else(|| bare_log::run_as_child(&arguments)).or_else(|| costs::run_as_child(&arguments));
    if let Some(child) = child {
        return ended(child);
    }
    match arguments.split_first() {
        Some((argument, options)) if argument == costs::ARGUMENT => ended(costs::measure(options)),
        _ => ended(measure(&arguments)),
    }
}

fn ended(outcome: Measured<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &[String]) -> Measured<()> {
    let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
    let plan = Plan::read(arguments, &names)?;
    reader::check()?;
    http2::check()?;
    process::allow_descriptors();
    let mut table = Table::start();
    for (name, part) in PARTS {
        if plan.wants(name) {
            part(&plan, &mut table)?;
        }
    }
    Ok(())
}
