//! What every test stands on: a server, clients that check each reply against `openapi.yaml`, streams.

#![allow(dead_code)]

pub mod client;
pub mod connection;
pub mod contract;
pub mod process;
pub mod raw;
pub mod server;
pub mod stream;
pub mod traces;
pub mod webhook;

pub use client::Client;
pub use server::TestServer;
