//! Addresses that nobody has, for programs that cannot be told to take any.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that systems give out by themselves: none of these goes to a connection, or to a server that takes
/// any, between the look and the use.
const PORTS: std::ops::Range<u32> = 10_000..30_000;
/// Processes start looking so far apart.
const STRIDE: u32 = 97;

/// An address at which nobody listens, given once.
pub fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let ports = PORTS.len() as u32;
    let start = process::id() % ports * STRIDE;
    let candidates = (0..ports).map(|_| (start + GIVEN.fetch_add(1, Ordering::Relaxed)) % ports + PORTS.start);
    let mut addresses = candidates.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port as u16)));
    addresses.find(|address| TcpListener::bind(address).is_ok()).unwrap()
}
