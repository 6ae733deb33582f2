//! From the state of a meet to rows.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A lift as columns name it, and its letter in an event's name.
const LIFTS: [(&str, char); 3] = [("squat", 'S'), ("bench", 'B'), ("deadlift", 'D')];
/// Attempts that count; those behind them are for records.
const ATTEMPTS: usize = 3;

const PERSON: [&str; 13] =
    ["position", "id", "name", "sex", "day", "flight", "lot", "team", "country", "division", "event", "equipment", "bodyweightKg"];
const LIFTED: [&str; 22] = [
    "squat1Kg",
    "squat1",
    "squat2Kg",
    "squat2",
    "squat3Kg",
    "squat3",
    "bench1Kg",
    "bench1",
    "bench2Kg",
    "bench2",
    "bench3Kg",
    "bench3",
    "deadlift1Kg",
    "deadlift1",
    "deadlift2Kg",
    "deadlift2",
    "deadlift3Kg",
    "deadlift3",
    "bestSquatKg",
    "bestBenchKg",
    "bestDeadliftKg",
    "totalKg",
];
const NOW: [&str; 4] = ["current", "next", "lift", "attempt"];

/// One lifter: texts and numbers alone, each column in every row.
pub(super) struct Row(Vec<Value>);

impl Row {
    pub(super) fn columns() -> impl Iterator<Item = &'static str> {
        PERSON.into_iter().chain(LIFTED).chain(NOW)
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Row::columns().zip(&self.0))
    }
}

/// The lifters of a platform: in lifting order where one is published, the others after them by day, flight, lot and id.
pub(super) fn rows(state: &Value, platform: u32) -> Vec<Row> {
    let display = &state["display"][platform.to_string()];
    let order: Vec<String> = display["order"].as_array().into_iter().flatten().map(id_text).collect();
    let entries = state["registration"]["entries"].as_object().into_iter().flatten();
    let mut lifters: Vec<Lifter<'_>> = entries
        .filter(|(_, entry)| entry.is_object() && number(&entry["platform"]).unwrap_or(1.0) == f64::from(platform))
        .map(|(id, entry)| Lifter { id, entry, position: order.iter().position(|listed| listed == id) })
        .collect();
    lifters.sort_by(|a, b| a.place().partial_cmp(&b.place()).unwrap_or(std::cmp::Ordering::Equal));
    lifters.iter().map(|lifter| Row(lifter.cells(display))).collect()
}

struct Lifter<'a> {
    id: &'a str,
    entry: &'a Value,
    position: Option<usize>,
}

impl Lifter<'_> {
    /// What rows are sorted by.
    fn place(&self) -> (usize, f64, &str, f64, f64) {
        let of = |name: &str| number(&self.entry[name]).unwrap_or_default();
        let id = self.id.parse().unwrap_or(f64::MAX);
        (self.position.unwrap_or(usize::MAX), of("day"), self.entry["flight"].as_str().unwrap_or_default(), of("lot"), id)
    }

    fn cells(&self, display: &Value) -> Vec<Value> {
        let mut cells = self.person();
        cells.extend(LIFTS.iter().flat_map(|(lift, _)| (0..ATTEMPTS).flat_map(|index| self.attempt(lift, index))));
        cells.extend(LIFTS.iter().map(|(lift, _)| kilograms(self.best(lift))));
        cells.push(kilograms(self.total()));
        let is = |member: &str| Value::from(u8::from(id_text(&display[member]) == self.id));
        cells.extend([is("currentEntryId"), is("nextEntryId"), plain(&display["lift"]), plain(&display["attempt"])]);
        cells
    }

    fn person(&self) -> Vec<Value> {
        let of = |name: &str| plain(&self.entry[name]);
        let position = self.position.map_or_else(|| Value::from(""), |position| Value::from(position + 1));
        let mut cells = vec![position, Value::from(self.id)];
        cells.extend(["name", "sex", "day", "flight", "lot", "team", "country"].map(of));
        cells.extend([plain(&self.entry["divisions"][0]), Value::from(self.event()), of("equipment"), of("bodyweightKg")]);
        cells
    }

    /// The event with the most lifts.
    fn event(&self) -> &str {
        let events = self.entry["events"].as_array().into_iter().flatten().filter_map(Value::as_str);
        events.reduce(|most, event| if event.len() > most.len() { event } else { most }).unwrap_or("SBD")
    }

    fn kg_and_status(&self, lift: &str, index: usize) -> (f64, f64) {
        let at = |member: &str| number(&self.entry[format!("{lift}{member}")][index]).unwrap_or_default();
        (at("Kg"), at("Status"))
    }

    fn attempt(&self, lift: &str, index: usize) -> [Value; 2] {
        let (kg, status) = self.kg_and_status(lift, index);
        let became = if kg <= 0.0 || status == 0.0 {
            ""
        } else if status > 0.0 {
            "good"
        } else {
            "no"
        };
        [kilograms(kg), Value::from(became)]
    }

    fn best(&self, lift: &str) -> f64 {
        (0..ATTEMPTS).map(|index| self.kg_and_status(lift, index)).filter(|(_, status)| *status > 0.0).map(|(kg, _)| kg).fold(0.0, f64::max)
    }

    /// 0 until every lift of the event has a good attempt.
    fn total(&self) -> f64 {
        let bests = LIFTS.iter().filter(|(_, letter)| self.event().contains(*letter)).map(|(lift, _)| self.best(lift));
        let bests: Vec<f64> = bests.collect();
        if bests.iter().all(|kg| *kg > 0.0) { bests.iter().sum() } else { 0.0 }
    }
}

/// Nothing for 0, whole numbers without a point.
fn kilograms(kg: f64) -> Value {
    if kg <= 0.0 {
        return Value::from("");
    }
    // A sum of pounds is not a round number of kilograms, and would show how doubles add up.
    let text = format!("{kg:.6}");
    serde_json::from_str(text.trim_end_matches('0').trim_end_matches('.')).unwrap_or_default()
}

/// A text or a number as it stands; nothing for anything else.
fn plain(value: &Value) -> Value {
    if value.is_string() || value.is_number() { value.clone() } else { Value::from("") }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// An entry's id, which browsers write as a number and keys have as text.
fn id_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
