//! Tests of the core as a whole.

mod atomic;
mod conflicts;
mod convergence;
mod coverage;
mod finished;
mod hall;
mod keys_and_state;
mod oracle;
mod properties;
mod request;
mod resends;
mod restore;
mod scripts;
mod tree;
mod unproven;
mod vectors;
