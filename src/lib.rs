//! liftrelay keeps any number of browsers on the same powerlifting meet.
//!
//! The layers, each knowing only those before it: [`meet`] (the pure core), [`wire`] (what
//! travels), [`store`], [`auth`] and [`metrics`] (disk, passwords, numbers for operators), [`relay`]
//! (one writer per meet, many followers), [`publish`] (results on their way out), [`http`] (routes)
//! and [`cli`] (the program).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

// The oracle in `tests/` names the crate as those outside do.
#[cfg(test)]
extern crate self as liftrelay;

pub mod auth;
pub mod cli;
pub mod client;
pub mod http;
pub mod meet;
pub mod metrics;
mod mutant;
pub mod publish;
pub mod relay;
pub mod store;
pub mod wire;
