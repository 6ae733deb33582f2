//! What stands between a browser in a sports hall and the server, as far as it does harm.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use tokio::task::JoinHandle;

/// What a proxy does to requests that it passes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// Answers 504 in the server's place when it took longer.
    pub gives_up_after: Option<Duration>,
    /// Takes streams and sockets and never says anything.
    pub swallows_streams: bool,
    /// Passes answers on as they come; upgrades it knows none.
    pub lets_streams_through: bool,
    /// How many requests it refuses first, with a page of its own.
    pub refuses_first: usize,
}

/// A proxy that holds every response until it has ended, and knows no upgrades; or what its manners say.
pub struct Hall {
    pub url: String,
    pub passed: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

struct Inner {
    to: String,
    manners: Manners,
    http: reqwest::Client,
    passed: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hall {
    pub async fn before(server: &str, manners: Manners) -> Hall {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let passed = Arc::new(AtomicUsize::new(0));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (to, http) = (server.to_owned(), reqwest::Client::new());
        let inner = Inner { to, manners, http, passed: Arc::clone(&passed), asked: Arc::clone(&asked) };
        let app = Router::new().fallback(pass).with_state(Arc::new(inner));
        let task = tokio::spawn(async move { axum_serve(listener, app).await });
        Hall { url, passed, asked, task }
    }

    /// The paths that were asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn axum_serve(listener: tokio::net::TcpListener, app: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let service = hyper_util::service::TowerToHyperService::new(app.clone());
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(stream), service));
    }
}

async fn pass(State(hall): State<Arc<Inner>>, request: Request) -> Response {
    hall.asked.lock().unwrap().push(request.uri().path().to_owned());
    if hall.passed.fetch_add(1, Ordering::SeqCst) < hall.manners.refuses_first {
        return (StatusCode::SERVICE_UNAVAILABLE, Html("<h1>Please wait</h1>")).into_response();
    }
    let path = request.uri().path_and_query().unwrap().as_str().to_owned();
    if hall.manners.swallows_streams && (path.contains("/events") || path.contains("/socket")) {
        std::future::pending::<()>().await;
    }
    let (parts, body) = request.into_parts();
    let body: Bytes = to_bytes(body, usize::MAX).await.unwrap();
    let mut onwards = hall.http.request(parts.method, format!("{}{path}", hall.to)).body(body);
    for name in ["authorization", "content-type", "accept"] {
        onwards = match parts.headers.get(name) {
            Some(value) => onwards.header(name, value),
            None => onwards,
        };
    }
    let whole = async {
        let response = onwards.send().await?;
        let (status, kind) = (response.status(), response.headers().get("content-type").cloned());
        let body = match hall.manners.lets_streams_through {
            true => Body::from_stream(pieces(response)),
            false => Body::from(response.bytes().await?),
        };
        Ok::<_, reqwest::Error>((status, kind, body))
    };
    match tokio::time::timeout(hall.manners.gives_up_after.unwrap_or(Duration::MAX), whole).await {
        Ok(Ok((status, kind, body))) => {
            let mut response = Response::builder().status(status);
            if let Some(kind) = kind {
                response = response.header("content-type", kind);
            }
            response.body(body).unwrap()
        }
        Ok(Err(_)) => (StatusCode::BAD_GATEWAY, Html("<h1>Bad gateway</h1>")).into_response(),
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, Html("<h1>Gateway timeout</h1>")).into_response(),
    }
}

fn pieces(response: reqwest::Response) -> impl Stream<Item = reqwest::Result<Bytes>> {
    try_unfold(response, |mut response| async move { Ok(response.chunk().await?.map(|piece| (piece, response))) })
}
