//! The numbers that are written down, and the verdict.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::Count;
use crate::Measured;

/// Another compiler makes other code of the same source.
const OTHER_COMPILER: f64 = 0.25;

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Baseline {
    /// The compiler whose code was counted.
    rustc: String,
    counts: BTreeMap<String, f64>,
}

impl Baseline {
    pub(super) fn read() -> Measured<Baseline> {
        Ok(serde_json::from_slice(&std::fs::read(file())?)?)
    }

    pub(super) fn write(counts: &[Count]) -> Measured<()> {
        let counts = counts.iter().inspect(|count| println!("{}: {:.2}", count.name(), count.value));
        let counts = counts.map(|count| (count.name(), (count.value * 100.0).round() / 100.0)).collect();
        let mut text = serde_json::to_string_pretty(&Baseline { rustc: rustc()?, counts })?;
        text.push('\n');
        Ok(std::fs::write(file(), text)?)
    }

    /// Prints what was counted. Fails where something has become dearer, or is not written down.
    pub(super) fn judge(&self, counts: &[Count]) -> Measured<()> {
        let slack = if rustc()? == self.rustc { 0.0 } else { OTHER_COMPILER };
        if slack > 0.0 {
            println!("the numbers are of {}, so each may differ by {:.0} % more", self.rustc, slack * 100.0);
        }
        println!("| work | written down | counted | change | verdict |\n|---|---|---|---|---|");
        let bad = counts.iter().filter(|count| !self.holds(count, slack)).count();
        let (good, gone) = (counts.len() - bad, self.gone(counts));
        gone.iter().for_each(|name| println!("| {name} | {:.2} | – | – | no longer counted |", self.counts[*name]));
        println!("{good} passed, {} failed", bad + gone.len());
        if bad + gone.len() == 0 {
            return Ok(());
        }
        Err("where a change is meant, benches/speed/run costs --write writes the new numbers down".into())
    }

    fn holds(&self, count: &Count, slack: f64) -> bool {
        let (name, value) = (count.name(), count.value);
        let Some(before) = self.counts.get(&name).copied() else {
            println!("| {name} | – | {value:.2} | – | not written down |");
            return false;
        };
        let holds = value <= count.unit.limit(before) * (1.0 + slack);
        let verdict = match holds {
            false => "dearer",
            true if before > count.unit.limit(value) => "cheaper",
            true => "same",
        };
        println!("| {name} | {before:.2} | {value:.2} | {:+.1} % | {verdict} |", (value / before - 1.0) * 100.0);
        holds
    }

    fn gone(&self, counts: &[Count]) -> Vec<&String> {
        self.counts.keys().filter(|name| !counts.iter().any(|count| count.name() == **name)).collect()
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("costs.json")
}

fn rustc() -> Measured<String> {
    let told = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(told.stdout)?.trim().to_owned())
}
