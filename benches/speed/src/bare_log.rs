//! The bare log: what the kernel wants for keeping what many push. One thread takes all that waits, appends it, syncs once, answers.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::Measured;
use super::fsync::LINE;
use super::http::{head_end, post};
use super::process::Process;
use super::pushers::Ledger;

/// The argument that makes this program the bare log, in the file that comes next.
const ARGUMENT: &str = "--bare-log";
const LISTENER: Token = Token(usize::MAX);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
/// What ends a request.
const END: &[u8] = b"]}";

/// The bare log as a child.
#[derive(Debug)]
pub struct BareLog {
    _process: Process,
    address: SocketAddr,
}

impl BareLog {
    pub fn start(folder: &Path) -> Measured<BareLog> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = Process::start(command.arg(ARGUMENT).arg(folder.join("bare.log")).stdout(Stdio::piped()))?;
        let mut address = String::new();
        BufReader::new(process.child().stdout.take().ok_or("no stdout")?).read_line(&mut address)?;
        Ok(BareLog { _process: process, address: address.trim().parse()? })
    }
}

impl Ledger for BareLog {
    fn name(&self) -> &'static str {
        "the bare log"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn request(&self, client: usize, first: u64, batch: usize) -> String {
        post("/", None, &updates(client, first, batch))
    }
}

/// The body of a push: the same for whoever keeps it.
pub fn updates(client: usize, first: u64, batch: usize) -> String {
    let update = |number: u64| {
        let key = number % 400;
        format!(r#"{{"updateKey":"entries[{client}].lifts.a{key}","updateValue":{number},"localSeqNum":{number}}}"#)
    };
    let updates: Vec<String> = (first..first + batch as u64).map(update).collect();
    format!(r#"{{"updates":[{}]}}"#, updates.join(","))
}

/// Becomes the bare log, where the arguments say so, until it is ended.
pub fn run_as_child(arguments: &[String]) -> Option<Measured<()>> {
    match arguments {
        [argument, file] if argument == ARGUMENT => Some(serve(Path::new(file))),
        _ => None,
    }
}

struct Client {
    stream: TcpStream,
    request: Vec<u8>,
}

fn serve(file: &Path) -> Measured<()> {
    let mut file = File::options().create(true).append(true).open(file)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("{}", listener.local_addr()?);
    let (mut events, mut clients) = (Events::with_capacity(256), Vec::<Option<Client>>::new());
    loop {
        poll.poll(&mut events, None)?;
        let (mut lines, mut asked) = (Vec::new(), Vec::new());
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut clients)?;
                continue;
            }
            let seat = &mut clients[event.token().0];
            match seat.as_mut().map(|client| take(client, &mut lines)) {
                Some(Ok(true)) => asked.push(event.token().0),
                Some(Err(_)) => *seat = None,
                _ => {}
            }
        }
        if !lines.is_empty() {
            file.write_all(&lines)?;
            file.sync_data()?;
        }
        for client in asked {
            clients[client].as_mut().map(|client| client.stream.write_all(ANSWER)).transpose()?;
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, clients: &mut Vec<Option<Client>>) -> Measured<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                poll.registry().register(&mut stream, Token(clients.len()), Interest::READABLE)?;
                clients.push(Some(Client { stream, request: Vec::new() }));
            }
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(fault) => return Err(fault.into()),
        }
    }
}

/// Whether a request is whole now: then it adds a line for each of its updates.
fn take(client: &mut Client, lines: &mut Vec<u8>) -> Measured<bool> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match client.stream.read(&mut buffer) {
            Ok(0) => return Err("gone".into()),
            Ok(length) => client.request.extend_from_slice(&buffer[..length]),
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => break,
            Err(fault) => return Err(fault.into()),
        }
    }
    if !client.request.ends_with(END) {
        return Ok(false);
    }
    let body = head_end(&client.request).ok_or("no head")?;
    let updates = memchr::memchr_iter(b'}', &client.request[body..]).count() - 1;
    lines.resize(lines.len() + updates * LINE, b'x');
    client.request.clear();
    Ok(true)
}
