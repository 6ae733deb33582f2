//! Histograms without a lock: a stream observes one with every event that it sends.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds of times in nanoseconds: from 100 µs, faster than any disk syncs, to 10 s, when people have given up.
const TIMES: &[u64] = &[
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
/// Upper bounds of counts, from none to the most updates that a batch can have.
const COUNTS: &[u64] = &[0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
const NANOS_PER_SECOND: f64 = 1e9;

/// Counts observations by size.
#[derive(Clone, Debug)]
pub(super) struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: &'static [u64],
    /// What is shown is what is counted divided by this.
    scale: f64,
    /// Observations up to each bound and above the one before; the last ones are above all bounds.
    buckets: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Histogram {
    /// Of times, shown in seconds.
    pub(super) fn times() -> Histogram {
        Histogram::new(TIMES, NANOS_PER_SECOND)
    }

    /// Of counts.
    pub(super) fn counts() -> Histogram {
        Histogram::new(COUNTS, 1.0)
    }

    fn new(bounds: &'static [u64], scale: f64) -> Histogram {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram(Arc::new(Inner { bounds, scale, buckets, sum: AtomicU64::new(0) }))
    }

    /// Counts a number of things.
    pub(super) fn observe(&self, value: u64) {
        self.observe_all(value, 1);
    }

    /// Counts the same number of things, seen so many times.
    pub(super) fn observe_all(&self, value: u64, times: u64) {
        let Inner { bounds, buckets, sum, .. } = &*self.0;
        buckets[bounds.partition_point(|bound| *bound < value)].fetch_add(times, Ordering::Relaxed);
        if value > 0 {
            sum.fetch_add(value * times, Ordering::Relaxed);
        }
    }

    /// Counts a time.
    pub(super) fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let Inner { bounds, scale, buckets, sum } = &*self.0;
        let bounds = bounds.iter().map(|bound| *bound as f64 / scale).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum.load(Ordering::Relaxed) as f64 / scale, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    fn shown(histogram: &Histogram) -> Vec<String> {
        let mut registry = Registry::default();
        registry.register("h", "", histogram.clone());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::counts();
        for value in [0, 1, 1, 3, 10_000, 10_001] {
            histogram.observe(value);
        }
        let lines = shown(&histogram);
        for line in [
            "h_bucket{le=\"0\"} 1",
            "h_bucket{le=\"1\"} 3",
            "h_bucket{le=\"2\"} 3",
            "h_bucket{le=\"5\"} 4",
            "h_bucket{le=\"10000\"} 5",
            "h_bucket{le=\"+Inf\"} 6",
            "h_sum 20006.0",
            "h_count 6",
        ] {
            assert!(lines.iter().any(|shown| shown == line), "{line} is missing in {lines:#?}");
        }
    }

    #[test]
    fn times_are_shown_in_seconds_with_round_bounds() {
        let histogram = Histogram::times();
        histogram.observe_time(Duration::from_micros(250));
        histogram.observe_time(Duration::from_secs(100));
        let lines = shown(&histogram);
        assert_eq!((lines[0].as_str(), lines[1].as_str()), ("h_bucket{le=\"0.0001\"} 0", "h_bucket{le=\"0.00025\"} 1"));
        assert!(lines.iter().any(|line| line == "h_bucket{le=\"10\"} 1"), "{lines:#?}");
        assert!(lines.iter().any(|line| line == "h_sum 100.00025"), "{lines:#?}");
    }
}
