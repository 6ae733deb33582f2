//! What an operator wants to see of a running server, in the text format of Prometheus.
//!
//! Whoever does something says so in one line; here that becomes numbers. The values of labels are
//! enums and templates of the program's own, never what a client sent. `docs/metrics.md` lists every metric.

mod histogram;
mod label;
mod meets;
mod process;
mod requests;
mod streams;
mod writing;

use std::fmt;

use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use label::{Acked, Login, Method, Protocol, ReadOnly, Restart, Role, Transport, Verdict};
pub use meets::{Meets, Overview};
pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
pub use requests::Requests;
pub use streams::{Connections, OpenConnection, Reader, Stream, Streams};
pub use writing::Writing;

/// Every metric's name starts so.
const PREFIX: &str = "liftrelay";

/// The metrics of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Connections.
    pub connections: Connections,
    /// Streams and long-polls.
    pub streams: Streams,
    /// Pushes and appends to logs.
    pub writing: Writing,
    /// Requests and problems.
    pub requests: Requests,
    /// Meets, sessions and view keys.
    pub meets: Meets,
}

impl Default for Metrics {
    /// Everything at zero.
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register("build", "The program that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register_collector(Box::new(process::Process::new()));
        let connections = Connections::register(&mut registry);
        let streams = Streams::register(&mut registry);
        let writing = Writing::register(&mut registry);
        let requests = Requests::register(&mut registry);
        let meets = Meets::register(&mut registry);
        Metrics { registry, connections, streams, writing, requests, meets }
    }
}

impl Metrics {
    /// Everything as text of the type [`CONTENT_TYPE`]. Reads files below `/proc`.
    ///
    /// # Errors
    /// None that could be expected: only writing to memory could fail.
    pub fn render(&self, overview: &Overview) -> Result<String, fmt::Error> {
        self.meets.show(overview);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
