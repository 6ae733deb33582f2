//! Clients that push as fast as they are answered, all in one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::Measured;
use super::http::Head;

const PATIENCE: Duration = Duration::from_secs(10);

/// Something that keeps what is pushed to it, and says so when it is durable.
pub trait Ledger {
    fn name(&self) -> &'static str;
    fn address(&self) -> SocketAddr;
    /// A request with `batch` updates; `client` pushes it, and `first` is the number of its first update, which no other update has.
    fn request(&self, client: usize, first: u64, batch: usize) -> String;
    /// The length of the response at the start of `bytes`, once it is whole. Fails where it does not say that all were kept.
    fn answered(&self, bytes: &[u8], batch: usize) -> Measured<Option<usize>> {
        let Some(head) = Head::read(bytes)? else { return Ok(None) };
        if bytes.len() < head.whole {
            return Ok(None);
        }
        let body = &bytes[head.end..head.whole];
        match head.status == 200 && self.kept(body, batch) {
            true => Ok(Some(head.whole)),
            false => Err(format!("{}: {}{}", self.name(), head.text, String::from_utf8_lossy(body)).into()),
        }
    }
    /// Whether an answer says that so many updates were kept.
    fn kept(&self, _body: &[u8], _batch: usize) -> bool {
        true
    }
}

struct Pusher {
    stream: mio::net::TcpStream,
    response: Vec<u8>,
}

/// A crowd that pushes.
pub struct Pushers {
    clients: Vec<Pusher>,
    poll: Poll,
    batch: usize,
    next: u64,
}

impl Pushers {
    /// So many clients with batches of so many updates, numbered from `first` on.
    pub fn connect(ledger: &dyn Ledger, clients: usize, batch: usize, first: u64) -> Measured<Pushers> {
        let poll = Poll::new()?;
        let connect = |nth| -> Measured<Pusher> {
            let stream = TcpStream::connect(ledger.address())?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(nth), Interest::READABLE)?;
            Ok(Pusher { stream, response: Vec::new() })
        };
        let clients = (0..clients).map(connect).collect::<Measured<_>>()?;
        Ok(Pushers { clients, poll, batch, next: first })
    }

    /// Pushes for that long; gives updates a second, and the first number that was not used.
    pub fn push(mut self, ledger: &dyn Ledger, time: Duration) -> Measured<(f64, u64)> {
        let (mut events, mut kept, started) = (Events::with_capacity(256), 0, Instant::now());
        for client in 0..self.clients.len() {
            self.send(ledger, client)?;
        }
        let mut waiting = self.clients.len();
        while waiting > 0 {
            self.poll.poll(&mut events, Some(PATIENCE))?;
            if events.is_empty() {
                return Err(format!("{} answers no more", ledger.name()).into());
            }
            for event in &events {
                if !self.hear(ledger, event.token().0)? {
                    continue;
                }
                kept += self.batch;
                if started.elapsed() < time {
                    self.send(ledger, event.token().0)?;
                } else {
                    waiting -= 1;
                }
            }
        }
        Ok((kept as f64 / started.elapsed().as_secs_f64(), self.next))
    }

    fn send(&mut self, ledger: &dyn Ledger, client: usize) -> Measured<()> {
        let request = ledger.request(client, self.next, self.batch);
        self.next += self.batch as u64;
        Ok(self.clients[client].stream.write_all(request.as_bytes())?)
    }

    /// Whether the client has its whole answer now.
    fn hear(&mut self, ledger: &dyn Ledger, client: usize) -> Measured<bool> {
        let Pusher { stream, response } = &mut self.clients[client];
        let mut buffer = [0; 16 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return Err(format!("{} closed a connection", ledger.name()).into()),
                Ok(length) => response.extend_from_slice(&buffer[..length]),
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => break,
                Err(fault) => return Err(fault.into()),
            }
        }
        let Some(length) = ledger.answered(response, self.batch)? else { return Ok(false) };
        response.drain(..length);
        Ok(true)
    }
}
