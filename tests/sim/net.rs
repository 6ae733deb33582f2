//! The network between clients and the server: slow, cut, or silent.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use liftrelay::http::serve::{Front, serve_stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::dice::Dice;
use crate::time::Sim;

/// Bytes under way in one direction of a connection before its writer has to wait.
const WINDOW: usize = 16 * 1024;

/// Who can be reached.
pub struct Net {
    sim: Sim,
    server: Mutex<Option<Place>>,
    /// One for each client.
    links: Vec<watch::Sender<Link>>,
    /// Cuts the connections that a link has at the moment.
    cuts: Vec<Mutex<CancellationToken>>,
}

/// Where a server answers until it is gone.
#[derive(Clone)]
pub struct Place {
    pub front: Front,
    pub gone: CancellationToken,
}

/// How a client's way to the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Open,
    /// Connecting fails.
    Down,
    /// Nothing comes through and nothing is refused.
    Silent,
}

impl Net {
    pub fn new(sim: Sim, clients: usize) -> Arc<Net> {
        let links = (0..clients).map(|_| watch::Sender::new(Link::Open)).collect();
        let cuts = (0..clients).map(|_| Mutex::default()).collect();
        Arc::new(Net { sim, server: Mutex::new(None), links, cuts })
    }

    /// From now on a server answers.
    pub fn serve(&self, place: Place) {
        *self.server.lock().unwrap() = Some(place);
    }

    /// The server is gone, with all its connections.
    pub fn fall_silent(&self) {
        if let Some(place) = self.server.lock().unwrap().take() {
            place.gone.cancel();
        }
    }

    pub fn clients(&self) -> usize {
        self.links.len()
    }

    /// Changes a client's way to the server; `Down` cuts its connections.
    pub fn set(&self, client: usize, link: Link) {
        self.links[client].send_replace(link);
        if link == Link::Down {
            std::mem::take(&mut *self.cuts[client].lock().unwrap()).cancel();
        }
    }

    /// A connection to the server.
    pub async fn connect(&self, client: usize, dice: &mut Dice) -> io::Result<DuplexStream> {
        self.sim.sleep(dice.between(1, 3)).await;
        let mut link = self.links[client].subscribe();
        let _ = link.wait_for(|link| *link != Link::Silent).await;
        let place = self.server.lock().unwrap().clone();
        let (Link::Open, Some(Place { front, gone })) = (*link.borrow(), place) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (near, near_end) = tokio::io::duplex(WINDOW);
        let (far_end, far) = tokio::io::duplex(WINDOW);
        let ((from_near, to_near), (from_far, to_far)) = (tokio::io::split(near_end), tokio::io::split(far_end));
        let cut = self.cuts[client].lock().unwrap().clone();
        let carrying = [(from_near, to_far, "up"), (from_far, to_near, "down")];
        for (from, to, way) in carrying {
            let wire = Wire { sim: self.sim.clone(), link: link.clone(), dice: Dice::new(dice.below(u64::MAX), way) };
            let (gone, cut) = (gone.clone(), cut.clone());
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    () = gone.cancelled() => {}
                    () = cut.cancelled() => {}
                    () = wire.carry(from, to) => {}
                }
            });
        }
        let peer = SocketAddr::from(([192, 0, 2, client as u8 + 1], 40_000));
        tokio::spawn(serve_stream(far, peer, front));
        Ok(near)
    }
}

/// One direction of a connection.
struct Wire {
    sim: Sim,
    link: watch::Receiver<Link>,
    dice: Dice,
}

impl Wire {
    /// Carries bytes to their end, piece by piece, each of which takes its time.
    async fn carry(mut self, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
        let mut buffer = vec![0; WINDOW];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let takes = if self.dice.chance(5) { self.dice.between(20, 200) } else { self.dice.between(1, 5) };
            self.sim.sleep(takes).await;
            if self.link.wait_for(|link| *link != Link::Silent).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    }
}
