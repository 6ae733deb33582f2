//! `liftrelay serve`

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::http::serve::tls::Tls;
use crate::http::serve::{listen, serve};
use crate::http::{App, check_app_dir};
use crate::meet::limits::{CHECKPOINTS_GRACE, TIMER_TICK, WORKERS_MIN};
use crate::publish::publisher::Publisher;
use crate::relay::clock::Clock;
use crate::relay::registry::Registry;
use crate::store::files::FileStore;

use super::config::{Config, ServeArgs};
use super::demo::Demo;
use super::greet::Greeting;
use super::reload::Reload;
use super::{Exit, certificates, logging, print, server_key, systemd, tell};

/// How long the first lap may hold up the start.
const DEMO_START: Duration = Duration::from_secs(5);
/// How long clearing the demo away may hold up the end.
const DEMO_CLEARING: Duration = Duration::from_millis(200);

/// Runs the server until a signal stops it.
pub(super) fn run(args: ServeArgs) -> Exit {
    let refused = |exit, problem: String| {
        tell(&format!("liftrelay: {problem}"));
        exit
    };
    let config = match args.resolve() {
        Ok(config) => config,
        Err(problem) => return refused(Exit::Usage, problem),
    };
    let done = if args.print_config { config.to_toml().map(|text| print(&text)).map_err(Refusal::from) } else { start(args, &config) };
    match done {
        Ok(()) => Exit::Done,
        Err(Refusal { exit, problem }) => refused(exit, problem),
    }
}

/// Why the server does not run, and what the process comes to. A service manager tries again unless it is [`Exit::Usage`].
struct Refusal {
    exit: Exit,
    problem: String,
}

impl Refusal {
    /// What is asked for cannot be, now or later.
    fn usage(problem: String) -> Refusal {
        Refusal { exit: Exit::Usage, problem }
    }
}

impl From<String> for Refusal {
    fn from(problem: String) -> Refusal {
        Refusal { exit: Exit::Refused, problem }
    }
}

fn start(args: ServeArgs, config: &Config) -> Result<(), Refusal> {
    config.app_dir.as_deref().map(check_app_dir).transpose().map_err(Refusal::usage)?;
    let store = FileStore::open(&config.data_dir, config.fsync()).map_err(|error| error.to_string())?;
    let key_path = config.server_key_file.clone().unwrap_or_else(|| server_key::default_path(&config.data_dir));
    let key = server_key::load_or_make(&key_path, &config.data_dir)?;
    logging::start(config.log, &config.data_dir).map_err(|error| format!("diag.log cannot be opened: {error}"))?;
    if let Some(meet) = server_key::made_by_another(&key, &config.data_dir) {
        error!(%meet, "the server key {} did not make this meet, so it cannot be opened; is it the right --server-key-file?", key_path.display());
    }
    let tls = certificates::start(config).map_err(Refusal::usage)?;
    let store = Arc::new(store);
    let registry = Arc::new(Registry::new(Arc::clone(&store) as _, key, Clock::default()));
    let publisher = Publisher::new(Arc::clone(&registry), &config.publish_to).map_err(Refusal::usage)?;
    let app = App::with_publisher(Arc::clone(&registry), publisher, config.options());
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get).max(WORKERS_MIN);
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build().map_err(|error| error.to_string())?;
    let served = runtime.block_on(async {
        // From here on SIGHUP no longer ends the process.
        let hangup = signal(SignalKind::hangup()).map_err(|error| error.to_string())?;
        let reload = Reload::new(args, config, Arc::clone(&app), tls.clone());
        run_server(config, &key_path, app, tls, reload, hangup).await
    });
    let _ = runtime.block_on(async { tokio::time::timeout(CHECKPOINTS_GRACE, registry.rest()).await });
    let is_quiet = registry.is_quiet();
    // Whatever still runs has nothing that anyone was told of, but what it writes may be in doubt.
    runtime.shutdown_background();
    if is_quiet {
        store.close().unwrap_or_else(|error| warn!(%error, "the next start takes this for a crash, which loses nothing"));
    }
    Ok(served?)
}

async fn run_server(
    config: &Config,
    key_path: &Path,
    app: Arc<App>,
    tls: Option<Tls>,
    reload: Reload,
    hangup: Signal,
) -> Result<(), String> {
    let listener = listen(config.listen).map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let metrics = config.metrics_listen.map(|address| MetricsServer::start(address, &app)).transpose()?;
    stop_on_signals(app.stopping.clone()).map_err(|error| error.to_string())?;
    tokio::spawn(tick());
    let idle = Arc::clone(&app);
    tokio::spawn(async move { idle.registry.close_idle().await });
    let looked_at = Arc::clone(&app);
    tokio::spawn(async move { looked_at.registry.look_at_all().await });
    tokio::spawn(look_after_finished(Arc::clone(&app), config.keep_finished()));
    let demo = config.demo_speed().map(|speed| tokio::spawn(Demo::new(Arc::clone(&app), &config.data_dir, speed).run()));
    if demo.is_some() {
        // Whoever connects meanwhile waits in the backlog, and finds the demo there.
        let mut lap = app.demo.subscribe();
        let _ = tokio::time::timeout(DEMO_START, lap.wait_for(Option::is_some)).await;
    }
    let server = tokio::spawn(serve(listener, app.front(tls)));
    let greeting = Greeting { config, key_path, address, metrics: metrics.as_ref().map(|metrics| metrics.address), app: &app };
    greeting.print();
    if let Some(path) = &config.ready_file {
        greeting.write_ready(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    systemd::ready();
    systemd::status(&greeting.url(), &app);
    tokio::spawn(reload.at(hangup));
    tokio::spawn(systemd::watchdog(Arc::clone(&app), greeting.url()));
    server.await.map_err(|error| error.to_string())?;
    if let Some(path) = &config.ready_file {
        // Whoever looks for it must not find an address at which nobody is. It may be gone already.
        let _ = std::fs::remove_file(path);
    }
    if let Some(metrics) = metrics {
        metrics.server.await.map_err(|error| error.to_string())?;
    }
    if let Some(demo) = demo {
        let _ = tokio::time::timeout(DEMO_CLEARING, demo).await;
    }
    info!("stopped");
    Ok(())
}

/// The listener of `--metrics-listen`.
struct MetricsServer {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl MetricsServer {
    /// Serves metrics until the application stops.
    fn start(address: SocketAddr, app: &Arc<App>) -> Result<MetricsServer, String> {
        let listener = listen(address).map_err(|error| format!("cannot listen on {address} for metrics: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let server = tokio::spawn(serve(listener, app.operators_front()));
        Ok(MetricsServer { address, server })
    }
}

/// Sees to it that some timer is always about to run out.
async fn tick() {
    loop {
        tokio::time::sleep(TIMER_TICK).await;
    }
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
            systemd::stopping();
            stopping.cancel();
        }
    });
    Ok(())
}
