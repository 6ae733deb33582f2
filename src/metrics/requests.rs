//! Requests, and what they were refused for.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use crate::wire::problem::Code;

use super::histogram::Histogram;
use super::label::{Each, Label, Method};

/// Names and values of the labels of one series. Routes are templates of the program's own; only those that are asked for show.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Labels<const N: usize>([(&'static str, &'static str); N]);

/// By their lengths, which tell most of them apart: every request looks two series up.
impl<const N: usize> Hash for Labels<N> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_usize(self.0.iter().fold(0, |lengths, (_, value)| lengths << 8 | value.len()));
    }
}

impl<const N: usize> EncodeLabelSet for Labels<N> {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        self.0.encode(encoder)
    }
}

/// Requests that were answered.
#[derive(Clone, Debug)]
pub struct Requests {
    answered: Family<Labels<3>, Counter>,
    took: Family<Labels<2>, Histogram>,
    problems: Each<Code, Counter>,
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Requests {
        let requests =
            Requests { answered: Family::default(), took: Family::new_with_constructor(Histogram::times), problems: Each::default() };
        let Requests { answered, took, problems } = &requests;
        registry.register("requests", "Requests that were answered", answered.clone());
        let help = "Time from a request's head until its answer, where nothing was waited for on purpose";
        registry.register_with_unit("request", help, Unit::Seconds, took.clone());
        registry.register("problems", "Requests that were refused", problems.clone());
        requests
    }

    /// A request of `route` was answered with an HTTP status. `took` is left out for streams and for long-polls that waited.
    pub fn answered(&self, route: &'static str, method: Method, status: u16, took: Option<Duration>) {
        let (route, method) = (("route", route), (Method::NAME, method.value()));
        self.answered.get_or_create(&Labels([route, method, ("status", class(status))])).inc();
        if let Some(took) = took {
            self.took.get_or_create(&Labels([route, method])).observe_time(took);
        }
    }

    /// A request was refused.
    pub fn refused(&self, code: Code) {
        self.problems.of(code).inc();
    }
}

/// The class of an HTTP status.
fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
