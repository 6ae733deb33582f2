//! Every answer is counted, by the route that gave it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http;
use axum::response::Response;

use crate::metrics::{Method, Metrics};
use crate::wire::problem::Problem;

use super::routes::PATHS;

/// What stands for every address that is no route.
const NO_ROUTE: &str = "none";

/// Marks a response that came late on purpose, or that goes on: its duration says nothing about the server.
#[derive(Clone, Copy)]
pub(super) struct Waited;

/// A request that is being answered.
pub(super) struct Arrival {
    at: Instant,
    route: &'static str,
    method: Method,
}

impl Arrival {
    /// A request that has just come.
    pub(super) fn of(request: &Request) -> Arrival {
        let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, |path| template(path.as_str()));
        Arrival { at: Instant::now(), route, method: method(request.method()) }
    }

    /// Counts the answer to it, whose problem is not rendered yet.
    pub(super) fn answered(self, metrics: &Metrics, response: &Response) {
        let took = response.extensions().get::<Waited>().is_none().then(|| self.at.elapsed());
        metrics.requests.answered(self.route, self.method, response.status().as_u16(), took);
        if let Some(problem) = response.extensions().get::<Arc<Problem>>() {
            metrics.requests.refused(problem.code);
        }
    }
}

/// The route as the table of paths has it, which writes the rest of a path like any other variable.
fn template(matched: &str) -> &'static str {
    let named = |name: &str| PATHS.iter().find(|path| **path == name).copied();
    named(matched).or_else(|| named(&matched.replace("{*", "{"))).unwrap_or(NO_ROUTE)
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
