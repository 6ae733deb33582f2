//! Real proxies in front of the real program, with the files of `deploy/`.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::address::free_address;

/// How long a proxy may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Nginx, Kind::Caddy];

    /// The file that operators copy, with this machine's addresses for those in it.
    fn site(self, own: SocketAddr, server: &str) -> String {
        let (file, name, listening) = match self {
            Kind::Nginx => ("nginx.conf", "listen 80;", format!("listen {own};")),
            Kind::Caddy => ("Caddyfile", "meet.example.org {", format!("http://{own} {{")),
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
        let text = fs::read_to_string(path).unwrap();
        for wanted in [name, "127.0.0.1:8455"] {
            assert!(text.contains(wanted), "deploy/{file} has no {wanted:?}");
        }
        text.replace(&format!("\n{name}"), &format!("\n{listening}"))
            .replace(&format!("    {name}\n"), &format!("    {listening}\n"))
            .replace("127.0.0.1:8455", server)
    }

    /// The command that runs it in the foreground, with all its files in `folder`.
    fn command(self, folder: &Path, site: &str) -> Command {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let site = write("site", site);
        let here = folder.display();
        match self {
            Kind::Nginx => {
                let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("    {name}_temp_path {here}/{name};\n"))
                    .concat();
                let main = format!(
                    "daemon off;\nmaster_process off;\npid {here}/pid;\nerror_log stderr;\nevents {{ }}\nhttp {{\n    access_log off;\n{places}    include {};\n}}\n",
                    site.display()
                );
                let main = write("main", &main);
                let mut command = Command::new(program("nginx"));
                command.arg("-p").arg(folder).arg("-c").arg(main);
                command
            }
            Kind::Caddy => {
                let main = write("main", &format!("{{\n\tadmin off\n}}\nimport {}\n", site.display()));
                let mut command = Command::new(program("caddy"));
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(main);
                command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
                command
            }
        }
    }
}

/// Where a program of the system is.
#[track_caller]
fn program(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; tests/run installs what the tests need"))
}

/// A running proxy; killed when dropped.
pub struct Proxy {
    child: Child,
    pub url: String,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// Starts a proxy for the server at this URL, which need not be there yet.
    pub fn start(kind: Kind, server: &str) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let own = free_address();
        let site = kind.site(own, server.trim_start_matches("http://"));
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = kind.command(folder.path(), &site);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut proxy = Proxy { child, url: format!("http://{own}"), folder };
        let started = Instant::now();
        while TcpStream::connect(own).is_err() {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "{kind:?} did not start: {}", proxy.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        proxy
    }

    /// What it complained of.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
