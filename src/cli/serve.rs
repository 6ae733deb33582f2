//! `liftrelay serve`

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::http::serve::{listen, serve};
use crate::http::{App, Options, routes};
use crate::publish::destination::Destination;
use crate::publish::publisher::Publisher;
use crate::relay::clock::Clock;
use crate::relay::registry::Registry;
use crate::store::files::{FileStore, Fsync};

use super::config::{Config, LogFormat, ServeArgs};
use super::demo::Demo;
use super::{Exit, logging, print, server_key, tell};

/// How long the first lap may hold up the start.
const DEMO_START: Duration = Duration::from_secs(5);
/// How long clearing the demo away may hold up the end.
const DEMO_CLEARING: Duration = Duration::from_millis(200);

/// Runs the server until a signal stops it.
pub(super) fn run(args: ServeArgs) -> Exit {
    let config = match args.resolve() {
        Ok(config) => config,
        Err(problem) => {
            tell(&format!("liftrelay: {problem}"));
            return Exit::Usage;
        }
    };
    match start(&config) {
        Ok(()) => Exit::Done,
        Err(problem) => {
            tell(&format!("liftrelay: {problem}"));
            Exit::Refused
        }
    }
}

fn start(config: &Config) -> Result<(), String> {
    let store = FileStore::open(&config.data_dir, config.fsync).map_err(|error| error.to_string())?;
    let key_path = config.server_key_file.clone().unwrap_or_else(|| server_key::default_path(&config.data_dir));
    let key = server_key::load_or_make(&key_path, &config.data_dir)?;
    logging::start(config.log, &config.data_dir).map_err(|error| format!("diag.log cannot be opened: {error}"))?;
    if let Some(meet) = server_key::made_by_another(&key, &config.data_dir) {
        error!(%meet, "the server key {} did not make this meet, so it cannot be opened; is it the right --server-key-file?", key_path.display());
    }
    let registry = Arc::new(Registry::new(Arc::new(store), key, Clock::default()));
    let publisher = Publisher::new(Arc::clone(&registry), &config.publish_to)?;
    let options = Options {
        create_key: config.create_key.clone(),
        allow_origins: config.allow_origins.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        fsync: config.fsync,
    };
    let app = App::with_publisher(registry, publisher, options);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let served = runtime.block_on(run_server(config, &key_path, app));
    // Whatever still runs has nothing that anyone was told of.
    runtime.shutdown_background();
    served
}

async fn run_server(config: &Config, key_path: &Path, app: Arc<App>) -> Result<(), String> {
    let listener = listen(config.listen).map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    stop_on_signals(app.stopping.clone()).map_err(|error| error.to_string())?;
    let idle = Arc::clone(&app);
    tokio::spawn(async move { idle.registry.close_idle().await });
    tokio::spawn(look_after_finished(Arc::clone(&app), config.keep_finished));
    let demo = config.demo_speed.map(|speed| tokio::spawn(Demo::new(Arc::clone(&app), &config.data_dir, speed).run()));
    if demo.is_some() {
        // Whoever connects meanwhile waits in the backlog, and finds the demo there.
        let mut lap = app.demo.subscribe();
        let _ = tokio::time::timeout(DEMO_START, lap.wait_for(Option::is_some)).await;
    }
    let stopping = app.stopping.clone();
    let server = tokio::spawn(serve(listener, routes::router(app), stopping));
    greet(config, key_path, address);
    if let Some(path) = &config.ready_file {
        write_ready(path, address).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    server.await.map_err(|error| error.to_string())?;
    if let Some(demo) = demo {
        let _ = tokio::time::timeout(DEMO_CLEARING, demo).await;
    }
    info!("stopped");
    Ok(())
}

/// Hands over what the last run did not get done, then removes finished meets that are old enough.
async fn look_after_finished(app: Arc<App>, keep: Option<Duration>) {
    app.publisher.resume().await;
    if let Some(keep) = keep {
        app.registry.keep_finished(keep, |id| app.publisher.is_busy_with(id)).await;
    }
}

/// The first SIGTERM or SIGINT stops in order, a second one at once.
fn stop_on_signals(stopping: CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stopping.is_cancelled() {
                std::process::exit(Exit::Refused as i32);
            }
            info!("stopping");
            stopping.cancel();
        }
    });
    Ok(())
}

/// Where it listens, for scripts; everything else, for people.
fn greet(config: &Config, key_path: &Path, address: SocketAddr) {
    let shown = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let urls = urls(address);
    for url in &urls {
        print(&format!("listening on {url}"));
    }
    let first = urls.first().cloned().unwrap_or_default();
    // A log in JSON is read by programs, line by line.
    let tell = |text: &str| if config.log == LogFormat::Json { info!("{}", text.trim()) } else { tell(text) };
    tell(&format!("  meets are kept in {}", shown(&config.data_dir)));
    tell(&format!("  the server key is {} (keep a copy: with it, clients can bring lost meets back)", shown(key_path)));
    if config.publish_to != Destination::MeetFolder {
        tell(&format!("  published results go to {}", config.publish_to.shown()));
    }
    if let Some(keep) = config.keep_finished {
        tell(&format!("  finished meets are removed after {} days", keep.as_secs() / 86_400));
    }
    if config.demo_speed.is_some() {
        tell(&format!("  a demo meet is on: open {first}/ in a browser, or run  curl -N '{first}/demo/events?snapshot=1'"));
    } else {
        tell(&format!("  open {first}/ in a browser to see how to create a meet; --demo shows a live one"));
    }
    tell("  Ctrl-C stops");
    if config.fsync == Fsync::Never {
        warn!("--fsync never: a power cut loses what was acked; use it for benchmarks only");
    }
    if config.publish_to.is_exposed() {
        warn!("results are published by plain HTTP: dates of birth and addresses travel unencrypted; https:// would be right");
    }
    if !address.ip().is_loopback() {
        warn!("plain HTTP on an address that others can reach: passwords travel unencrypted unless a proxy adds TLS");
    }
}

/// Every address that the server can be reached at.
fn urls(address: SocketAddr) -> Vec<String> {
    let url = |ip: IpAddr| format!("http://{}", SocketAddr::new(ip, address.port()));
    if !address.ip().is_unspecified() {
        return vec![url(address.ip())];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let reachable = |ip: &IpAddr| match ip {
        IpAddr::V4(_) => true,
        // Link-local addresses need a zone, which no URL of a browser takes.
        IpAddr::V6(ip) => address.is_ipv6() && !ip.is_unicast_link_local(),
    };
    let mut ips: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).filter(reachable).collect();
    ips.sort_by_key(|ip| !ip.is_loopback());
    ips.into_iter().map(url).collect()
}

/// Appears whole or not at all, so that whoever waits for it can read it at once.
fn write_ready(path: &Path, address: SocketAddr) -> std::io::Result<()> {
    let url = urls(address).into_iter().next().unwrap_or_else(|| format!("http://{address}"));
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    std::fs::write(&fresh, format!("{url}\n"))?;
    std::fs::rename(&fresh, path)
}
