//! A line to the server that can be cut, and plugged in elsewhere.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes bytes on. Whatever is under way when it is cut is lost.
pub struct Cable {
    pub url: String,
    to: watch::Sender<Option<SocketAddr>>,
    task: JoinHandle<()>,
}

impl Cable {
    pub async fn to(server: &str) -> Cable {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let to = watch::Sender::new(Some(address(server)));
        let task = tokio::spawn(accept(listener, to.clone()));
        Cable { url, to, task }
    }

    pub fn cut(&self) {
        self.to.send_replace(None);
    }

    pub fn plug_into(&self, server: &str) {
        self.to.send_replace(Some(address(server)));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn address(server: &str) -> SocketAddr {
    server.trim_start_matches("http://").parse().unwrap()
}

async fn accept(listener: TcpListener, to: watch::Sender<Option<SocketAddr>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        tokio::spawn(carry(stream, to.subscribe()));
    }
}

async fn carry(mut stream: TcpStream, mut to: watch::Receiver<Option<SocketAddr>>) {
    let Some(server) = *to.borrow_and_update() else { return };
    let Ok(mut onwards) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut stream, &mut onwards) => {}
        _ = to.changed() => {}
    }
}
