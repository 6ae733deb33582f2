//! Real programs as they stand between a hall and the internet, with the files of `proxies/`.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::address::free_address;
use crate::support::tls::Identity;

/// How long a proxy may take to start; a machine that starts all of them at once is slow.
const PATIENCE: Duration = Duration::from_secs(40);

/// A program, and what it is started with.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub program: &'static str,
    /// `{conf}`, `{own}` and so on stand for what they name.
    pub arguments: &'static [&'static str],
    /// The first is `{conf}`.
    pub files: &'static [&'static str],
    /// How clients get to it.
    pub place: Place,
}

/// Where a proxy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In front of the server, in its name.
    Before,
    /// The same with HTTPS.
    BeforeWithTls,
    /// Clients are told to go through it.
    Forward,
}

/// A running proxy; ended when dropped.
pub struct Proxy {
    child: Child,
    /// What clients take for the server.
    pub server: String,
    /// What clients are told to go through.
    pub forward: Option<String>,
    /// The certificate to trust.
    pub identity: Option<Identity>,
    folder: TempDir,
}

impl Proxy {
    pub fn start(kind: Kind, server: &str) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        // Some give up their rights, and write there all the same.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let own = free_address();
        let server_address = server.trim_start_matches("http://");
        let words = Words::new(own, server_address.parse().unwrap(), folder.path(), kind.files);
        for file in kind.files {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gauntlet/proxies").join(file)).unwrap();
            fs::write(folder.path().join(file), words.put_into(&text)).unwrap();
        }
        let identity = (kind.place == Place::BeforeWithTls).then(|| {
            let identity = Identity::new();
            fs::copy(identity.certificate_file(), folder.path().join("cert.pem")).unwrap();
            fs::copy(identity.key_file(), folder.path().join("key.pem")).unwrap();
            identity
        });
        let (server, forward) = match kind.place {
            Place::Before => (format!("http://{own}"), None),
            Place::BeforeWithTls => (format!("https://{own}"), None),
            Place::Forward => (server.to_owned(), Some(format!("http://{own}"))),
        };
        let child = spawn(kind, &words, folder.path());
        let mut proxy = Proxy { child, server, forward, identity, folder };
        proxy.wait_for(own, kind);
        proxy
    }

    fn wait_for(&mut self, own: SocketAddr, kind: Kind) {
        let started = Instant::now();
        while TcpStream::connect(own).is_err() {
            let ended = self.child.try_wait().unwrap();
            let is_late = started.elapsed() > PATIENCE;
            assert!(ended.is_none() && !is_late, "{} did not start ({ended:?}): {}", kind.program, self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it complained of.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Proxy {
    /// In order first: some have children of their own, which end with them only then.
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(kind: Kind, words: &Words, folder: &Path) -> Child {
    let log = File::create(folder.join("log")).unwrap();
    let mut command = Command::new(program(kind.program));
    command.args(kind.arguments.iter().map(|argument| words.put_into(argument)));
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// What stands for what in files and arguments.
struct Words(Vec<(&'static str, String)>);

impl Words {
    fn new(own: SocketAddr, server: SocketAddr, folder: &Path, files: &[&str]) -> Words {
        let folder_text = folder.display().to_string();
        let conf = files.first().map_or_else(String::new, |file| folder.join(file).display().to_string());
        Words(vec![
            ("{own}", own.to_string()),
            ("{port}", own.port().to_string()),
            ("{server}", server.to_string()),
            ("{server_port}", server.port().to_string()),
            ("{user}", "nobody".to_owned()),
            ("{conf}", conf),
            ("{folder}", folder_text),
        ])
    }

    fn put_into(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
    }
}

/// Where a program of the system is, or one that `run` has put under `target/`.
#[track_caller]
fn program(name: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/gauntlet/mitmproxy/bin");
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin:" + &own.display().to_string();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; tests/gauntlet/run installs what is missing"))
}
