//! nginx: nchan for what is live, plain files for what is caught up with.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Measured;
use super::http::{field, post};
use super::poller::Polls;
use super::process::Process;
use super::product::folder;
use super::reader::MARK;
use super::relay::{Channel, Relay};

const CONFIGURATION: &str = include_str!("../peers/nginx.conf");
const PROGRAM: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const STARTING: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Nginx {
    process: Process,
    address: SocketAddr,
    /// Bytes of an event's data.
    length: usize,
    pub folder: TempDir,
}

impl Nginx {
    pub fn start(length: usize) -> Measured<Nginx> {
        if !Path::new(PROGRAM).exists() || !Path::new(MODULE).exists() {
            return Err("nginx with nchan is not installed: benches/speed/peers/install".into());
        }
        let folder = folder()?;
        let address = free_address()?;
        let file = folder.path().join("nginx.conf");
        let text = CONFIGURATION.replace("@MODULE@", MODULE).replace("@ADDRESS@", &address.to_string());
        std::fs::write(&file, text.replace("@FOLDER@", &folder.path().display().to_string()))?;
        let mut command = Command::new(PROGRAM);
        let process = Process::start(command.arg("-c").arg(&file).arg("-p").arg(folder.path()).stdout(Stdio::null()))?;
        wait_for(address)?;
        Ok(Nginx { process, address, length, folder })
    }
}

/// An address that was free a moment ago.
pub fn free_address() -> Measured<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until somebody listens there.
pub fn wait_for(address: SocketAddr) -> Measured<()> {
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        if started.elapsed() > STARTING {
            return Err(format!("nobody listens at {address}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

impl Relay for Nginx {
    fn name(&self) -> &'static str {
        "nchan"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn subscription(&self, _: usize) -> String {
        "GET /sub/crowd HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n".to_owned()
    }

    /// What comes next is told by what the last answer was called.
    fn polls(&self, _: usize) -> Option<Polls> {
        Some(Box::new(|_, head| {
            let known = |asked, name| field(head, name).map(|value| format!("{asked}: {value}\r\n")).unwrap_or_default();
            let (since, tag) = (known("If-Modified-Since", "last-modified"), known("If-None-Match", "etag"));
            format!("GET /poll/crowd HTTP/1.1\r\nHost: bench\r\n{since}{tag}\r\n")
        }))
    }

    fn publication(&self, channel: Channel, number: u64) -> String {
        let path = if channel == Channel::Crowd { "/pub/crowd" } else { "/pub/nobody" };
        let start = format!("{{{MARK}{number},\"updateValue\":\"");
        post(path, None, &format!("{start}{:x<1$}\"}}", "", self.length.saturating_sub(start.len() + 2)))
    }
}
