//! Tests through the real socket: what users rely on.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod atomic;
mod contract;
mod layers;
mod problems;
mod resends;
mod smoke;
mod stories;
mod support;
