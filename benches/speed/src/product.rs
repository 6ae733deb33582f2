//! The server itself: the real program with real tokens, files and fsync.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::Measured;
use super::http::{Http, post};
use super::poller::Polls;
use super::process::Process;
use super::reader::MARK;
use super::relay::{Channel, Relay};
use super::seed;
use super::wire::{Trust, Wire};

pub const PASSWORD: &str = "chalk and collars";
const STARTING: Duration = Duration::from_secs(20);
/// Subscribers to a token, below what the server grants to one.
const PER_TOKEN: usize = 400;

/// A folder on the disk of the build, for a temporary folder may lie in memory.
pub fn folder() -> Measured<TempDir> {
    let program = std::env::current_exe()?;
    Ok(tempfile::tempdir_in(program.parent().ok_or("no folder")?)?)
}

/// The program that is measured.
pub fn program() -> Measured<String> {
    Ok(std::env::var("LIFTRELAY").map_err(|_| "LIFTRELAY names no program: start this by benches/speed/run")?)
}

#[derive(Debug)]
pub struct Product {
    process: Process,
    address: SocketAddr,
    meets: [Meet; 2],
    /// Half of them editors, half viewers: both audiences get every event.
    tokens: Vec<String>,
    query: &'static str,
    /// Where it is reached under TLS only.
    trust: Option<Trust>,
    /// Whether its subscribers speak HTTP/2.
    by_http2: bool,
    _folder: TempDir,
}

#[derive(Debug)]
struct Meet {
    path: String,
    token: String,
}

impl Product {
    /// A server with tokens for so many subscribers, who ask for their stream with `query`.
    pub fn start(subscribers: usize, query: &'static str) -> Measured<Product> {
        Product::start_in(folder()?, None, subscribers, query)
    }

    /// The same, reached under TLS only.
    pub fn under_tls(subscribers: usize) -> Measured<Product> {
        let folder = folder()?;
        let trust = Trust::found(folder.path())?;
        Product::start_in(folder, Some(trust), subscribers, "")
    }

    /// The same for subscribers that speak HTTP/2.
    pub fn by_http2(subscribers: usize) -> Measured<Product> {
        Ok(Product { by_http2: true, ..Product::under_tls(subscribers)? })
    }

    fn start_in(folder: TempDir, trust: Option<Trust>, subscribers: usize, query: &'static str) -> Measured<Product> {
        let (process, address) = serve(&folder)?;
        let mut http = Http::over(wire(address, trust.as_ref())?)?;
        let meets = [create(&mut http)?, create(&mut http)?];
        let tokens = (0..subscribers.div_ceil(PER_TOKEN).max(2)).map(|nth| grant(&mut http, &meets[0], nth)).collect::<Measured<_>>()?;
        // Another process, for this one holds memory in which it has hashed passwords, and gives it back at any time.
        process.end(STARTING)?;
        let (process, address) = serve(&folder)?;
        Ok(Product { process, address, meets, tokens, query, trust, by_http2: false, _folder: folder })
    }

    /// A server whose meets have been there before, so that it hashes no password; `command` is what its program is run by.
    pub fn seeded(command: Command) -> Measured<Product> {
        let folder = folder()?;
        let made = seed::meets(folder.path(), 2, 0, 0)?;
        let meets = [0, 1].map(|nth| Meet { path: made[nth].path.clone(), token: made[nth].token.clone() });
        let (process, address) = serve_by(command, &folder)?;
        let viewer = grant(&mut Http::connect(address)?, &meets[0], 1)?;
        let tokens = vec![meets[0].token.clone(), viewer];
        Ok(Product { process, address, meets, tokens, query: "", trust: None, by_http2: false, _folder: folder })
    }

    /// Ends the server, which may take its time.
    pub fn end(self, patience: Duration) -> Measured<()> {
        self.process.end(patience)
    }
}

impl Product {
    /// Bytes that one event takes on the wire: what the others are given to carry.
    pub fn event_length(&self) -> Measured<usize> {
        let Meet { path, token } = &self.meets[Channel::Nobody as usize];
        let mut stream = self.wire()?;
        stream.socket().set_read_timeout(Some(STARTING))?;
        stream.write_all(format!("GET {path}/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n").as_bytes())?;
        let mut piece = [0; 4096];
        let mut length = stream.read(&mut piece)?;
        while !has(&piece[..length], "event: hello") {
            length = stream.read(&mut piece)?;
        }
        Http::over(self.wire()?)?.send(&self.publication(Channel::Nobody, 0))?.granted()?;
        length = stream.read(&mut piece)?;
        if has(&piece[..length], MARK) { Ok(length) } else { Err("an event came in pieces".into()) }
    }
}

impl Product {
    /// The path of the meet that is followed, and the token of who made it.
    pub fn editor(&self) -> (&str, &str) {
        (&self.meets[0].path, &self.meets[0].token)
    }

    /// A push with a value of so many bytes.
    pub fn push_of(&self, number: u64, bytes: usize) -> String {
        let (path, token) = self.editor();
        let update = json!({"updateKey": format!("entries[{}].note", number % 4), "updateValue": format!("{number}{}", "x".repeat(bytes))});
        post(&format!("{path}/updates"), Some(token), &json!({"updates": [update]}).to_string())
    }
}

fn wire(address: SocketAddr, trust: Option<&Trust>) -> Measured<Wire> {
    trust.map_or_else(|| Wire::plain(address), |trust| trust.connect(address))
}

fn has(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// Starts the program on `folder/data` and waits until it serves.
pub fn serve(folder: &TempDir) -> Measured<(Process, SocketAddr)> {
    serve_by(Command::new(program()?), folder)
}

/// The same, with a command that runs the program.
fn serve_by(mut command: Command, folder: &TempDir) -> Measured<(Process, SocketAddr)> {
    let ready = folder.path().join("ready");
    let _ = std::fs::remove_file(&ready);
    command.args(["serve", "--listen", "127.0.0.1:0", "--max-connections", "40000", "--data-dir"]).arg(folder.path().join("data"));
    if folder.path().join("tls.pem").exists() {
        command.arg("--tls-cert").arg(folder.path().join("tls.pem")).arg("--tls-key").arg(folder.path().join("tls.key"));
    }
    let mut process = Process::start(command.arg("--ready-file").arg(&ready).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let started = Instant::now();
    loop {
        if let Some(address) = std::fs::read_to_string(&ready).ok().and_then(|url| url.trim().rsplit_once("://")?.1.parse().ok()) {
            return Ok((process, address));
        }
        if started.elapsed() > STARTING || process.child().try_wait()?.is_some() {
            return Err(format!("{} does not start", program()?).into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn create(http: &mut Http) -> Measured<Meet> {
    let body = json!({"password": PASSWORD, "thisLocationName": "desk", "locations": [{"locationName": "desk", "priority": 1}]});
    let session = http.send(&post("/v1/meets", None, &body.to_string()))?.json()?;
    let id = session["meetId"].as_str().ok_or("no meet id")?.replace('-', "");
    Ok(Meet { path: format!("/v1/meets/{id}"), token: session["sessionToken"].as_str().ok_or("no token")?.to_owned() })
}

/// A session for the even ones, a view key for the others.
fn grant(http: &mut Http, meet: &Meet, nth: usize) -> Measured<String> {
    let (path, token, body, member) = match nth % 2 {
        0 => ("sessions", None, json!({"password": PASSWORD, "locationName": "desk"}), "sessionToken"),
        _ => ("view-keys", Some(meet.token.as_str()), json!({"label": format!("display {nth}")}), "viewKey"),
    };
    let granted = http.send(&post(&format!("{}/{path}", meet.path), token, &body.to_string()))?.json()?;
    Ok(granted[member].as_str().ok_or("no token")?.to_owned())
}

impl Relay for Product {
    fn name(&self) -> &'static str {
        "liftrelay"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn wire(&self) -> Measured<Wire> {
        wire(self.address, self.trust.as_ref())
    }

    fn http2_wire(&self) -> Measured<Option<Wire>> {
        self.trust.as_ref().filter(|_| self.by_http2).map(|trust| trust.connect_http2(self.address)).transpose()
    }

    fn subscription(&self, nth: usize) -> String {
        let (path, token, query) = (&self.meets[0].path, &self.tokens[nth % self.tokens.len()], self.query);
        format!("GET {path}/events?after=now{query} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n")
    }

    fn polls(&self, nth: usize) -> Option<Polls> {
        let (path, token) = (self.meets[0].path.clone(), self.tokens[nth % self.tokens.len()].clone());
        Some(Box::new(move |last, _| {
            format!("GET {path}/updates?after={last}&wait=25 HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n")
        }))
    }

    fn publication(&self, channel: Channel, number: u64) -> String {
        let Meet { path, token } = &self.meets[channel as usize];
        let update = json!({"updateKey": format!("entries[{}].squatKg", number % 400), "updateValue": number, "localSeqNum": number});
        post(&format!("{path}/updates"), Some(token), &json!({"updates": [update]}).to_string())
    }
}
