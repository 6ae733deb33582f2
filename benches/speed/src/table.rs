//! The table: work, what was measured, the target, and the verdict.

use std::fmt;

/// What a number has to be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Debug)]
pub struct Row {
    work: String,
    measured: Result<f64, String>,
    unit: &'static str,
    target: Target,
    detail: String,
}

impl Row {
    /// A number, in `unit`, and what stands behind it.
    pub fn new(work: impl Into<String>, measured: f64, unit: &'static str, target: Target, detail: impl Into<String>) -> Row {
        Row { work: work.into(), measured: Ok(measured), unit, target, detail: detail.into() }
    }

    /// Work that could not be measured here, and why.
    pub fn missing(work: impl Into<String>, unit: &'static str, target: Target, why: impl Into<String>) -> Row {
        Row { work: work.into(), measured: Err(why.into().replace('\n', " ").trim().to_owned()), unit, target, detail: String::new() }
    }

    fn is_met(&self, measured: f64) -> bool {
        match self.target {
            Target::AtMost(limit) => measured <= limit,
            Target::AtLeast(limit) => measured >= limit,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (sign, limit) = match self.target {
            Target::AtMost(limit) => ("≤", limit),
            Target::AtLeast(limit) => ("≥", limit),
        };
        let (work, unit) = (&self.work, self.unit);
        match &self.measured {
            Ok(measured) => {
                let verdict = if self.is_met(*measured) { "met" } else { "missed" };
                write!(f, "| {work} | {measured:.2} {unit} | {sign} {limit} {unit} | {verdict} | {} |", self.detail)
            }
            Err(why) => write!(f, "| {work} | – | {sign} {limit} {unit} | not measured | {why} |"),
        }
    }
}

/// Rows as they are measured.
pub struct Table;

impl Table {
    pub fn start() -> Table {
        println!("| work | measured | target | verdict | detail |\n|---|---|---|---|---|");
        Table
    }

    pub fn add(&mut self, row: &Row) {
        println!("{row}");
    }
}

/// The middle of some numbers, at least one.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    percentile(numbers, 0.5)
}

/// The number below which `share` of them lie.
pub fn percentile(numbers: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers[((numbers.len() - 1) as f64 * share).round() as usize]
}
