//! Scrapes, read as strictly as the text format is written: what a collector would choke on fails the test.

use std::collections::{BTreeMap, BTreeSet};

use super::{Client, TestServer};

/// What one scrape told.
#[derive(Debug, Default)]
pub struct Scrape {
    pub families: BTreeMap<String, Family>,
    /// By name and sorted labels, as in `name{a="1",b="2"}`.
    samples: BTreeMap<String, f64>,
}

/// The samples of one name.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub help: String,
    /// Every label with every value that was seen, `le` aside.
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

/// A sample's name with its labels in order.
fn series(name: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `name{label="value",…}`, and what is behind it.
fn read_series(line: &str) -> (String, BTreeMap<String, String>, &str) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line:?} has no value"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line:?}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line:?}"));
            assert!(is_name(label), "{line:?}");
            let end = quoted.find('"').unwrap_or_else(|| panic!("{line:?}"));
            let value = &quoted[..end];
            assert!(!value.contains('\\'), "a value of the program's own needs no escapes: {line:?}");
            assert!(labels.insert(label.to_owned(), value.to_owned()).is_none(), "{line:?} has a label twice");
            rest = &quoted[end + 1..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = &rest[1..];
    }
    (name.to_owned(), labels, rest)
}

impl Scrape {
    pub fn parse(text: &str) -> Scrape {
        assert!(text.ends_with('\n'), "the last line has an end too");
        let mut scrape = Scrape::default();
        let mut current = String::new();
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let (what, rest) = comment.split_once(' ').unwrap();
                let (name, told) = rest.split_once(' ').unwrap();
                assert!(is_name(name) && name.starts_with("liftrelay_"), "{line:?}");
                match what {
                    "HELP" => {
                        name.clone_into(&mut current);
                        let family = Family { help: told.to_owned(), ..Family::default() };
                        assert!(scrape.families.insert(name.to_owned(), family).is_none(), "{name} stands twice");
                    }
                    "TYPE" => {
                        assert_eq!(name, current, "HELP and TYPE go together");
                        scrape.families.get_mut(name).unwrap().kind = told.to_owned();
                    }
                    other => panic!("{other}"),
                }
                continue;
            }
            scrape.sample(line, &current);
        }
        scrape.check();
        scrape
    }

    fn sample(&mut self, line: &str, current: &str) {
        let (name, labels, value) = read_series(line);
        let value = value.strip_prefix(' ').and_then(|value| value.parse::<f64>().ok()).unwrap_or_else(|| panic!("{line:?}"));
        let family = self.families.get_mut(current).unwrap();
        let suffix = name.strip_prefix(current).unwrap_or_else(|| panic!("{line:?} stands below {current}"));
        let fits = match family.kind.as_str() {
            "histogram" => matches!(suffix, "_bucket" | "_sum" | "_count") && (suffix == "_bucket") == labels.contains_key("le"),
            "counter" => suffix.is_empty() && name.ends_with("_total") && value >= 0.0,
            "gauge" => suffix.is_empty() && !name.ends_with("_total"),
            _ => false,
        };
        assert!(fits, "{line:?} does not fit a {}", family.kind);
        for (label, value) in labels.iter().filter(|(label, _)| *label != "le") {
            family.labels.entry(label.clone()).or_default().insert(value.clone());
        }
        assert!(self.samples.insert(series(&name, &labels), value).is_none(), "{line:?} stands twice");
    }

    /// Buckets are cumulative, and the last one holds everything.
    fn check(&self) {
        let mut histograms: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (sample, value) in &self.samples {
            let (name, mut labels, _) = read_series(&format!("{sample} "));
            let Some(name) = name.strip_suffix("_bucket") else { continue };
            let bound = labels.remove("le").unwrap().replace("+Inf", "inf").parse().unwrap();
            histograms.entry(series(&format!("{name}_count"), &labels)).or_default().push((bound, *value));
        }
        for (count, mut buckets) in histograms {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{count}: {buckets:?}");
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, self.samples[&count])), "{count}");
        }
    }

    /// A sample's value; labels may stand in any order.
    #[track_caller]
    pub fn get(&self, sample: &str) -> f64 {
        self.find(sample).unwrap_or_else(|| panic!("{sample} is not among {:#?}", self.samples.keys()))
    }

    /// The same where a sample may be missing, as a series that nothing has happened in yet.
    pub fn find(&self, sample: &str) -> Option<f64> {
        let (name, labels, _) = read_series(&format!("{sample} "));
        self.samples.get(&series(&name, &labels)).copied()
    }

    /// By how much a sample has grown since an earlier scrape, in which it may be missing.
    #[track_caller]
    pub fn since(&self, before: &Scrape, sample: &str) -> f64 {
        self.get(sample) - before.find(sample).unwrap_or(0.0)
    }

    /// Names of samples: of a histogram's parts, too.
    pub fn names(&self) -> BTreeSet<String> {
        self.samples.keys().map(|sample| sample.split('{').next().unwrap().to_owned()).collect()
    }
}

impl Client {
    /// Scrapes this server.
    pub async fn scrape(&self) -> Scrape {
        let reply = self.with_token("").get("/metrics").await;
        assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let text = reply.text.clone();
        reply.expect(200);
        Scrape::parse(&text)
    }
}

impl TestServer {
    pub async fn scrape(&self) -> Scrape {
        self.stranger().scrape().await
    }

    /// Scrapes until a sample has a value: what a closed connection means comes a moment after it.
    pub async fn scrape_until(&self, sample: &str, value: f64) -> Scrape {
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let scrape = self.scrape().await;
            if scrape.find(sample) == Some(value) {
                return scrape;
            }
            assert!(std::time::Instant::now() < patience, "{sample} is {:?}, not {value}", scrape.find(sample));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
