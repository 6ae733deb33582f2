//! `docs/metrics.md` and the dashboard say what a scrape does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::metrics::{Family, Scrape};

const DOCS: &str = include_str!("../../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../../deploy/grafana-dashboard.json");

/// A scrape in which every metric shows, those that come with their first request too.
async fn scrape() -> Scrape {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("lot", json!(1)).await;
    server.scrape().await
}

/// Every name of ours in a text.
fn names(text: &str) -> BTreeSet<String> {
    let rest = text.split("liftrelay_").skip(1);
    rest.map(|rest| format!("liftrelay_{}", rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()))
        .collect()
}

/// The rows of the table: name, type, unit, labels, meaning.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = DOCS.lines().filter(|line| line.starts_with("| `liftrelay_"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[tokio::test]
async fn the_table_lists_every_metric_with_its_type_and_labels() {
    let scrape = scrape().await;
    let table: BTreeMap<_, _> = rows().into_iter().map(|row| (row[0].trim_matches('`').to_owned(), row)).collect();
    assert_eq!(table.keys().collect::<Vec<_>>(), scrape.families.keys().collect::<Vec<_>>());
    for (name, row) in table {
        assert_eq!(row.len(), 5, "{row:?}");
        let Family { kind, labels, .. } = &scrape.families[&name];
        assert_eq!(row[1], kind, "{name}");
        let last = name.trim_end_matches("_total").rsplit('_').next().unwrap();
        let unit = ["seconds", "bytes", "entries", "updates", "records"].into_iter().find(|unit| *unit == last);
        assert_eq!(row[2], unit.unwrap_or(""), "{name}");
        for (label, values) in labels {
            assert!(row[3].contains(&format!("`{label}`")), "{name} has a label {label}: {}", row[3]);
            // Where values are listed, all of them are.
            let is_open = matches!(label.as_str(), "route" | "version") || row[3].contains("see below");
            for value in values.iter().filter(|_| !is_open) {
                assert!(row[3].contains(&format!("`{value}`")), "{name}: {label} can be {value}: {}", row[3]);
            }
        }
        assert_eq!(labels.is_empty(), row[3].is_empty(), "{name}: {}", row[3]);
    }
    for name in names(DOCS) {
        let family = scrape.families.contains_key(&name);
        assert!(family || scrape.names().contains(&name), "the page names {name}, which is no metric");
    }
}

fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(["expr", "query", "definition"].iter().filter_map(|name| members.get(*name)?.as_str()).map(str::to_owned));
            members.values().for_each(|member| expressions(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_dashboard_shows_what_there_is() {
    let scrape = scrape().await;
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 20, "{found:#?}");
    let shown: BTreeSet<String> = found.iter().flat_map(|expression| names(expression)).collect();
    for name in &shown {
        assert!(scrape.names().contains(name), "the dashboard asks for {name}, which is no metric");
    }
    // What nobody would look at need not be measured.
    for (name, Family { kind, .. }) in &scrape.families {
        let wanted = if kind == "histogram" { format!("{name}_bucket") } else { name.clone() };
        assert!(shown.contains(&wanted), "the dashboard shows no {name}");
    }
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 38 && dashboard["id"].is_null());
    let variable = &dashboard["templating"]["list"][0];
    assert_eq!(
        (&variable["name"], &variable["type"], &variable["query"]),
        (&json!("datasource"), &json!("datasource"), &json!("prometheus"))
    );
    let panels = dashboard["panels"].as_array().unwrap();
    let mut places = BTreeSet::new();
    for panel in panels {
        let place = &panel["gridPos"];
        let number = |name: &str| place[name].as_u64().unwrap();
        assert!(number("x") + number("w") <= 24, "{panel}");
        for (x, y) in (number("x")..number("x") + number("w")).flat_map(|x| (number("y")..number("y") + number("h")).map(move |y| (x, y))) {
            assert!(places.insert((x, y)), "{} lies over another panel", panel["title"]);
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
        }
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(rows, ["Is it healthy", "Who is connected", "Writing", "Reading", "Refusals", "Logins"]);
}
