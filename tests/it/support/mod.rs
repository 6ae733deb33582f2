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
pub mod wire;

pub use client::Client;
pub use server::TestServer;

/// Runs tests that take a server with one of plain HTTP and with one of HTTPS: what a client gets must not show which.
macro_rules! plain_and_under_tls {
    (#$kind:tt $($name:ident,)+) => {
        mod plain {
            $(#$kind
            async fn $name() {
                super::$name(crate::support::TestServer::start().await).await;
            })+
        }

        mod under_tls {
            $(#$kind
            async fn $name() {
                super::$name(crate::support::TestServer::under_tls().await).await;
            })+
        }
    };
}

pub(crate) use plain_and_under_tls;
