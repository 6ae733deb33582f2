//! Redis with `appendfsync always`.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Measured;
use super::bare_log::updates;
use super::nginx::{free_address, wait_for};
use super::process::Process;
use super::product::folder;
use super::pushers::Ledger;

const CONFIGURATION: &str = include_str!("../peers/redis.conf");

#[derive(Debug)]
pub struct Redis {
    _process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Redis {
    pub fn start() -> Measured<Redis> {
        let (folder, address) = (folder()?, free_address()?);
        let file = folder.path().join("redis.conf");
        let text = CONFIGURATION.replace("@PORT@", &address.port().to_string());
        std::fs::write(&file, text.replace("@FOLDER@", &folder.path().display().to_string()))?;
        let process = Process::start(Command::new("redis-server").arg(&file).stdout(Stdio::null()))?;
        wait_for(address)?;
        Ok(Redis { _process: process, address, _folder: folder })
    }
}

impl Ledger for Redis {
    fn name(&self) -> &'static str {
        "Redis"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    /// One command appends a batch to a list.
    fn request(&self, client: usize, first: u64, batch: usize) -> String {
        let word = |word: &str| format!("${}\r\n{word}\r\n", word.len());
        let values: String = (0..batch as u64).map(|nth| word(&updates(client, first + nth, 1))).collect();
        format!("*{}\r\n{}{}{values}", batch + 2, word("RPUSH"), word("log"))
    }

    /// `:LENGTH`, or `-` and what was wrong.
    fn answered(&self, bytes: &[u8], _: usize) -> Measured<Option<usize>> {
        match (bytes.first(), memchr::memchr(b'\n', bytes)) {
            (Some(b':') | None, end) => Ok(end.map(|end| end + 1)),
            _ => Err(String::from_utf8_lossy(bytes).into()),
        }
    }
}
