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

mod app_dir;
mod atomic;
mod bounds;
mod checkpoints;
mod client;
mod commands;
mod configuration;
mod contract;
mod crashes;
mod crowd;
mod damage;
mod descriptors;
#[path = "../shared/dice.rs"]
mod dice;
mod disk;
mod doctor;
mod examples;
mod feeds;
mod finishing;
mod floods;
mod full_disk;
mod hostile;
mod http2;
mod injection;
mod kills;
mod lanes;
mod layers;
mod logins;
mod long_polls;
mod messages;
mod metrics;
mod operating;
mod pages;
mod polls;
mod problems;
mod program;
mod protocol_edges;
mod proxies;
mod publishing;
mod readme;
mod recovery;
mod reload;
mod repair;
mod resends;
mod secrecy;
mod security;
mod smoke;
mod smuggling;
mod sockets;
mod stopping;
mod stories;
mod streams;
mod support;
mod systemd;
mod timing;
mod tls;
mod tls_streams;
mod viewers;
mod wrong_clocks;
