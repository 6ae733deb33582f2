//! Tests of the core as a whole.

mod atomic;
mod conflicts;
mod convergence;
mod coverage;
mod finished;
mod keys_and_state;
#[path = "../../../tests/oracle/mod.rs"]
mod oracle;
mod properties;
mod resends;
mod restore;
mod scripts;
mod unproven;
mod vectors;

use oracle::{hall, request, script};
