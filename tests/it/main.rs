//! Tests through the real socket: what users rely on.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod atomic;
mod bounds;
mod contract;
mod crashes;
mod crowd;
mod finishing;
mod injection;
mod layers;
mod logins;
mod long_polls;
mod problems;
mod program;
mod protocol_edges;
mod publishing;
mod readme;
mod resends;
mod smoke;
mod stories;
mod streams;
mod support;
mod viewers;
