//! What the service manager is told. Without one (`NOTIFY_SOCKET`) all of it does nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use sd_notify::NotifyState;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;
use tracing::{error, warn};

use crate::http::{App, routes};

/// Requests are served (again).
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// A reload has begun; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "the service manager cannot be told of the reload"),
    }
}

/// The end has begun.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Says in words where the server is.
pub(super) fn status(url: &str, app: &App) {
    notify(&[NotifyState::Status(&format!("serving {url}; {} meets are open", app.registry.open_meets()))]);
}

/// Tells that the server is well, twice in the time that the manager gives, for as long as it is. Does nothing where no manager asks.
pub(super) async fn watchdog(app: Arc<App>, url: String) {
    let Some(given) = sd_notify::watchdog_enabled() else { return };
    let router = routes::router(Arc::clone(&app));
    let mut turns = tokio::time::interval((given / 2).max(Duration::from_millis(1)));
    loop {
        turns.tick().await;
        if is_well(router.clone(), given / 2).await {
            notify(&[NotifyState::Watchdog]);
            status(&url, &app);
        } else {
            error!("a request for the server's own health was not answered in time; the service manager may restart it");
        }
    }
}

/// Whether the server answers its own question in time. It goes the way of every request: a task of its own, all layers,
/// and a write to the data folder on a thread that may block. A disk that is full answers at once, and a restart would
/// not mend it; one that hangs, a runtime without a free thread or a lock that is never given back do not.
async fn is_well(router: Router, patience: Duration) -> bool {
    let Ok(request) = Request::get("/health/ready").body(Body::empty()) else { return false };
    let answer = AbortOnDropHandle::new(tokio::spawn(router.oneshot(request)));
    matches!(tokio::time::timeout(patience, answer).await, Ok(Ok(Ok(_))))
}

/// A manager that does not listen is no reason to stop.
fn notify(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use axum::routing::get;

    #[tokio::test]
    async fn whatever_is_answered_is_life_and_silence_is_not() {
        let full = Router::new().route("/health/ready", get(async || StatusCode::SERVICE_UNAVAILABLE));
        assert!(is_well(full, Duration::from_secs(20)).await);
        let hanging = Router::new().route("/health/ready", get(async || std::future::pending::<StatusCode>().await));
        assert!(!is_well(hanging, Duration::from_millis(50)).await);
        let broken = Router::new().route("/health/ready", get(async || -> StatusCode { panic!("for this test") }));
        assert!(!is_well(broken, Duration::from_secs(20)).await);
    }
}
