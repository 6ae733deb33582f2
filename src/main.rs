//! The program; everything is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Chosen by what a push costs and what a quiet stream holds (`docs/performance.md`, "Tried").
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    liftrelay::cli::run()
}
