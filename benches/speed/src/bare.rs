//! The bare loop: what the kernel wants for passing an event on, and nothing else. A process of its own, of one thread.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use super::Measured;
use super::http::{head_end, post};
use super::process::Process;
use super::reader::MARK;
use super::relay::{Channel, Relay};

/// The argument that makes this program the bare loop.
const ARGUMENT: &str = "--bare-fan-out";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// The bare loop as a child.
#[derive(Debug)]
pub struct Bare {
    process: Process,
    address: SocketAddr,
    /// Bytes of an event on the wire.
    length: usize,
}

impl Bare {
    pub fn start(length: usize) -> Measured<Bare> {
        let mut process = Process::start(Command::new(std::env::current_exe()?).arg(ARGUMENT).stdout(Stdio::piped()))?;
        let mut address = String::new();
        BufReader::new(process.child().stdout.take().ok_or("no stdout")?).read_line(&mut address)?;
        Ok(Bare { process, address: address.trim().parse()?, length })
    }
}

impl Relay for Bare {
    fn name(&self) -> &'static str {
        "bare"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn subscription(&self, _: usize) -> String {
        "GET /events HTTP/1.1\r\nHost: bench\r\n\r\n".to_owned()
    }

    fn publication(&self, channel: Channel, number: u64) -> String {
        let path = if channel == Channel::Crowd { "/crowd" } else { "/nobody" };
        post(path, None, &event(number, self.length))
    }
}

/// An event of a stream, of so many bytes.
fn event(number: u64, length: usize) -> String {
    let start = format!("id: {number}\nevent: update-relay\ndata: {{{MARK}{number},\"updateValue\":\"");
    format!("{start}{:x<1$}\"}}\n\n", "", length.saturating_sub(start.len() + 4))
}

/// Becomes the bare loop, where the arguments say so, until it is ended.
pub fn run_as_child(arguments: &[String]) -> Option<Measured<()>> {
    (arguments == [ARGUMENT]).then(serve)
}

/// One connection after the other: subscribers first, then somebody who pushes until he has no more.
fn serve() -> Measured<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    let mut subscribers = Vec::new();
    loop {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = vec![0; 16 * 1024];
        let mut length = stream.read(&mut buffer)?;
        if buffer.starts_with(b"GET") {
            if !subscribers.first().is_none_or(is_there) {
                subscribers.retain(is_there);
            }
            stream.write_all(HEAD)?;
            stream.set_nonblocking(true)?;
            subscribers.push(stream);
            continue;
        }
        stream.set_nodelay(true)?;
        while length > 0 {
            let body = head_end(&buffer[..length]).ok_or("the bare loop takes a request in one piece")?;
            stream.write_all(ANSWER)?;
            if buffer.starts_with(b"POST /crowd") {
                send_to_all(&mut subscribers, &buffer[body..length]);
            }
            length = stream.read(&mut buffer)?;
        }
    }
}

/// Whether a subscriber of an earlier crowd is still there.
fn is_there(subscriber: &TcpStream) -> bool {
    !matches!(subscriber.peek(&mut [0]), Ok(0))
}

/// Whoever does not take the whole event is gone: its stream ends, and the crowd says so.
fn send_to_all(subscribers: &mut Vec<TcpStream>, event: &[u8]) {
    subscribers.retain_mut(|subscriber| subscriber.write(event).is_ok_and(|taken| taken == event.len()));
}
