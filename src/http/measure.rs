//! Every answer is counted, by the route that gave it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http;
use axum::middleware::Next;
use axum::response::Response;

use crate::metrics::Method;
use crate::wire::problem::Problem;

use super::App;
use super::routes::PATHS;

/// What stands for every address that is no route.
const NO_ROUTE: &str = "none";

/// Marks a response that came late on purpose, or that goes on: its duration says nothing about the server.
#[derive(Clone, Copy)]
pub(super) struct Waited;

/// Counts a request when it is answered.
pub(super) async fn measure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, |path| template(path.as_str()));
    let method = method(request.method());
    let response = next.run(request).await;
    let took = response.extensions().get::<Waited>().is_none().then(|| started.elapsed());
    app.metrics.requests.answered(route, method, response.status().as_u16(), took);
    if let Some(problem) = response.extensions().get::<Arc<Problem>>() {
        app.metrics.requests.refused(problem.code);
    }
    response
}

/// The route as the table of paths has it, which writes the rest of a path like any other variable.
fn template(matched: &str) -> &'static str {
    let matched = matched.replace("{*", "{");
    PATHS.iter().find(|path| **path == matched).copied().unwrap_or(NO_ROUTE)
}

fn method(method: &http::Method) -> Method {
    match method.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        _ => Method::Other,
    }
}
