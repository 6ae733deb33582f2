//! The lifters of a platform as flat rows, for programs that know tables alone: vMix, spreadsheets.
//!
//! Rows are what stands in the meet, the sums that follow from it, and what the scoring browser publishes under
//! `display[<platform>]`. The lifting order is not computed here: one program decides it, the overlays where that one is silent.

mod rows;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Uri};
use axum::response::IntoResponse;
use serde_json::Value;

use crate::relay::live::Fault;

use super::App;
use super::access::Reader;
use super::params::LastPart;
use super::reply::{Answer, not_found};
use rows::{Row, rows};

/// `GET /feed/{file}`: `1.json` or `1.csv`, the platform's number and how its rows are written.
pub(super) async fn feed(State(_): State<Arc<App>>, LastPart(file): LastPart, uri: Uri, Reader(access): Reader) -> Answer {
    let Some((platform, format)) = file.split_once('.').and_then(|(number, format)| Some((number.parse().ok()?, format))) else {
        return Err(not_found(uri).await);
    };
    let (text, _) = access.live.committed.state(&access.audience());
    let state: Value = serde_json::from_str(text.text.get()).map_err(|_| Fault::Internal)?;
    let rows = rows(&state, platform);
    let (kind, body) = match format {
        "json" => ("application/json", serde_json::to_string(&rows).map_err(|_| Fault::Internal)? + "\n"),
        "csv" => ("text/csv; charset=utf-8", csv(&rows)),
        _ => return Err(not_found(uri).await),
    };
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response())
}

/// RFC 4180, the names of the columns first.
fn csv(rows: &[Row]) -> String {
    let head = Row::columns().map(|column| cell(&Value::from(column))).collect::<Vec<_>>().join(",");
    let lines = rows.iter().map(|row| row.cells().map(cell).collect::<Vec<_>>().join(","));
    std::iter::once(head).chain(lines).map(|line| line + "\r\n").collect()
}

fn cell(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    // Spreadsheets take such a text for a formula and run it.
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.clone() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::cell;

    #[test]
    fn a_cell_is_a_value_and_never_a_formula() {
        for (value, text) in [
            (json!(182.5), "182.5"),
            (json!("Ada"), "Ada"),
            (json!("Öst, Ada"), "\"Öst, Ada\""),
            (json!("the \"Bear\""), "\"the \"\"Bear\"\"\""),
            (json!("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0"),
            (json!("-1+2"), "'-1+2"),
            (json!("two\nlines"), "\"two\nlines\""),
        ] {
            assert_eq!(cell(&value), text);
        }
    }
}
