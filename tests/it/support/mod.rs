//! What every test stands on: a server, clients that check each reply against `openapi.yaml`, streams.

#![allow(dead_code)]

pub mod address;
pub mod client;
pub mod clock;
pub mod connection;
pub mod contract;
pub mod metrics;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod server;
pub mod socket;
pub mod stream;
pub mod tls;
pub mod traces;
pub mod webhook;

pub use client::Client;
pub use server::TestServer;
