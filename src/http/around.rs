//! What holds for every request, whatever its route: an id, a count, a body for each problem, and an answer where a handler panics.
//! One service does it all, for each layer that is made of a function costs every request some boxes and copies.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tower::{Layer, Service};
use tracing::debug;

use crate::wire::problem::Problem;

use super::App;
use super::body::malformed;
use super::measure::Arrival;
use super::reply::{fill, panicked, problem_text};
use super::request_id::request_id;

/// About as many headers as this module, hyper and a handler give an answer.
const HEADERS: usize = 12;

/// Makes [`Attended`] of what answers.
#[derive(Clone)]
pub(super) struct Around(pub(super) Arc<App>);

impl<S> Layer<S> for Around {
    type Service = Attended<S>;

    fn layer(&self, inner: S) -> Attended<S> {
        Attended { app: Arc::clone(&self.0), inner }
    }
}

/// Answers with everything that holds for all routes.
#[derive(Clone)]
pub(super) struct Attended<S> {
    app: Arc<App>,
    inner: S,
}

impl<S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>> Service<Request> for Attended<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let asked = Asked::of(&request);
        let (app, contradiction) = (Arc::clone(&self.app), contradiction(request.headers()));
        let answer = contradiction.map_or_else(|| Ok(catch_unwind(AssertUnwindSafe(|| self.inner.call(request)))), Err);
        Box::pin(async move {
            let response = match answer {
                Ok(Ok(answer)) => AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|panic| Ok(panicked(panic)))?,
                Ok(Err(panic)) => panicked(panic),
                Err(problem) => problem.into_response(),
            };
            Ok(asked.answered(&app, response))
        })
    }
}

/// A request that is being answered, and what its answer is known by.
struct Asked {
    arrival: Arrival,
    id: String,
    method: Method,
    path: String,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        Asked { arrival: Arrival::of(request), id: request_id(), method, path }
    }

    /// Gives a problem its body, and every answer its id, and counts it.
    fn answered(self, app: &App, mut response: Response) -> Response {
        let Asked { arrival, id, method, path } = self;
        arrival.answered(&app.metrics, &response);
        debug!(request_id = id, %method, path, status = response.status().as_u16(), "request");
        if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
            fill(&mut response, &problem, problem_text(&problem, &id, &method, &path));
        }
        response.headers_mut().reserve(HEADERS);
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
        }
        response
    }
}

/// Two lines where there may be one: a proxy in front may have judged by the other.
fn contradiction(headers: &HeaderMap) -> Option<Problem> {
    let name = [AUTHORIZATION, HOST].into_iter().find(|name| headers.get_all(name).iter().count() > 1)?;
    Some(malformed(format!("the header {name} comes more than once; send it once")))
}
