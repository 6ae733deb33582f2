//! PostgreSQL, with the clients that it brings along.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Measured;
use super::nginx::{free_address, wait_for};
use super::process::Process;

const CONFIGURATION: &str = include_str!("../peers/postgresql.conf");
const SCRIPT: &str = include_str!("../peers/postgresql.sql");
const TABLE: &str = "CREATE TABLE updates (number bigserial PRIMARY KEY, update json NOT NULL)";
/// It listens before it lets anybody in.
const STARTING: Duration = Duration::from_secs(30);
/// Its clients count in whole seconds, and take a while to get going.
const SHORTEST: Duration = Duration::from_secs(3);
/// It refuses to run as root.
const USER: &str = "postgres";

#[derive(Debug)]
pub struct Postgresql {
    programs: PathBuf,
    _process: Process,
    port: String,
    folder: TempDir,
}

impl Postgresql {
    pub fn start() -> Measured<Postgresql> {
        let programs = programs()?;
        // Its user may not pass through the folders of the build.
        let folder = tempfile::tempdir_in("/var/tmp")?;
        run(Command::new("chown").arg(USER).arg(folder.path()))?;
        let (data, address) = (folder.path().join("data"), free_address()?);
        run(as_user(&programs.join("initdb")).arg("--auth=trust").arg("-D").arg(&data))?;
        let file = data.join("postgresql.conf");
        std::fs::write(&file, CONFIGURATION)?;
        let port = address.port().to_string();
        let mut server = as_user(&programs.join("postgres"));
        let process = Process::start(server.arg("-D").arg(&data).args(["-p", &port]).stdout(Stdio::null()).stderr(Stdio::null()))?;
        wait_for(address)?;
        let postgresql = Postgresql { programs, _process: process, port, folder };
        let started = Instant::now();
        while let Err(fault) = run(postgresql.client("psql").args(["-c", TABLE])) {
            if started.elapsed() > STARTING {
                return Err(fault);
            }
            sleep(Duration::from_millis(50));
        }
        Ok(postgresql)
    }

    /// Updates a second.
    pub fn push(&self, clients: usize, batch: usize, time: Duration) -> Measured<f64> {
        let script = self.folder.path().join("push.sql");
        std::fs::write(&script, SCRIPT.replace("@BATCH@", &batch.to_string()))?;
        let (clients, seconds) = (clients.to_string(), time.max(SHORTEST).as_secs().to_string());
        let told = run(self.client("pgbench").args(["-n", "-M", "prepared", "-c", &clients, "-T", &seconds, "-f"]).arg(&script))?;
        let line = told.lines().find_map(|line| line.strip_prefix("tps = ")).ok_or_else(|| format!("pgbench says no rate: {told}"))?;
        Ok(line.split_whitespace().next().unwrap_or_default().parse::<f64>()? * batch as f64)
    }

    fn client(&self, program: &str) -> Command {
        let mut command = as_user(&self.programs.join(program));
        command.args(["-h", "127.0.0.1", "-p", &self.port, "-U", USER]);
        command
    }
}

/// The newest version that is installed as Debian does it.
fn programs() -> Measured<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").map_err(|_| "PostgreSQL is not installed: benches/speed/peers/install")?;
    let newest = versions.filter_map(|version| Some(version.ok()?.path().join("bin"))).max();
    Ok(newest.ok_or("PostgreSQL is not installed: benches/speed/peers/install")?)
}

fn as_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program).current_dir("/var/tmp");
    command
}

/// Runs a command to its end; gives what it wrote.
fn run(command: &mut Command) -> Measured<String> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{}: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr)).into()),
    }
}
