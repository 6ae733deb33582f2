//! What is taken, and kept as it was sent; what is refused, with its place.

use std::fs;

use serde_json::json;

use super::{EMAIL, EXPORTS, SINGLE, publish, published, publishes, small};
use crate::support::TestServer;

/// What a spreadsheet makes of a file.
fn padded(text: &str, separator: char) -> String {
    let text = text.replace(',', &separator.to_string());
    let count = |line: &str| line.matches(separator).count();
    let width = text.lines().map(count).max().unwrap();
    text.lines().map(|line| format!("{line}{}\r\n", separator.to_string().repeat(width - count(line)))).collect()
}

#[tokio::test]
async fn exports_of_openlifter_are_kept_byte_for_byte() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for (export, lifters) in EXPORTS {
        let forms =
            [export.to_owned(), format!("\u{feff}{export}"), export.replace('\n', "\r\n"), padded(export, ','), padded(export, ';')];
        for form in forms {
            let id = published(&desk, &form).await;
            assert_eq!(fs::read(server.file(&desk.meet, &format!("publishes/{id}.opl.csv"))).unwrap(), form.as_bytes());
            let told = &publishes(&desk).await[0];
            assert_eq!((&told["publishId"], &told["lifters"], &told["bytes"]), (&json!(id), &json!(lifters), &json!(form.len())));
            assert_eq!(told["sha256"], json!(hex_digest(form.as_bytes())));
        }
    }
}

fn hex_digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

#[tokio::test]
async fn whatever_is_no_export_is_refused_with_its_line() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let export = small();
    let lines: Vec<&str> = export.lines().collect();
    let without =
        |line: usize| lines.iter().enumerate().filter(|(at, _)| at + 1 != line).map(|(_, line)| format!("{line}\n")).collect::<String>();
    let refused = [
        (String::new(), "line 1: it is empty; OpenLifter's export for OpenPowerlifting begins with \"OPL Format v1\""),
        (without(1), "line 1: it is empty"),
        (export.replace("OPL Format v1", "OPL Format v3"), "line 1: it begins with \"OPL Format v3"),
        (without(3), "line 3: the header line of the meet has no column Federation"),
        (without(4), "line 4: the meet's own values belong here"),
        (without(5), "line 5: an empty line belongs here"),
        (without(6), "line 6: the header line of the results has no column Place"),
        (without(7), "line 7: the results have a header line and nothing below it"),
        (lines[..4].join("\n"), "line 5: the file ends here; the results' header line"),
        (export.replace("Ada Ashdown", "Ashdown, Ada"), "line 7: 25 values stand below 24 columns"),
        (export.replace("Ada Ashdown", ""), "line 7: the column Name is empty"),
        (export.replace("Ada Ashdown", "\"Ada Ashdown"), "line 7: a double quote opens here"),
        (export.replace('\n', "\r\n").replace("Ada Ashdown", ""), "line 7: the column Name is empty"),
        (export.replace("APL Townsville Cup (Tested)", ""), "line 4: the column MeetName is empty"),
        (export.replace("Ada Ashdown", "Ada\u{1b}[2J"), "line 7: the control character U+001B stands here"),
        (export.replacen("OPL Format", "\"OPL Format", 1), "line 1: a double quote opens here"),
        (padded(&export, ';').replace("Division", "Class"), "line 6: the header line of the results has no column Division"),
    ];
    for (text, says) in refused {
        let problem = publish(&desk, &text).await.problem(422, "invalid-request");
        assert_eq!(problem["errors"][0]["pointer"], "/oplCsv", "{text}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().starts_with(says), "{says}: {problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with("/oplCsv: line "), "{problem}");
    }
    assert_eq!(publishes(&desk).await, Vec::<serde_json::Value>::new());
    assert!(!server.file(&desk.meet, "publishes").exists(), "nothing of it was kept");
}

#[tokio::test]
async fn answers_go_to_one_plain_address() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let path = desk.of_meet("/publish");
    let wrong = [
        "",
        "director",
        "a@b@example.org",
        "Ada <ada@example.org>",
        "a@example.org, b@example.org",
        "a@example.org\r\nBcc: b@example.org",
        "a\u{0}@example.org",
    ];
    for email in wrong {
        let problem = desk.post(&path, &json!({"returnEmail": email, "oplCsv": small()})).await.problem(422, "invalid-request");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/returnEmail", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("write it like director@example.org"), "{problem}");
    }
    let long = format!("{}@example.org", "a".repeat(300));
    let problem = desk.post(&path, &json!({"returnEmail": long, "oplCsv": "x"})).await.problem(422, "invalid-request");
    let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/returnEmail", "/oplCsv"], "everything that is wrong is told at once");
    assert!(problem["detail"].as_str().unwrap().contains("at most 254"), "{problem}");
    for body in [json!({}), json!({"returnEmail": EMAIL}), json!({"returnEmail": EMAIL, "oplCsv": ["x"]}), json!([])] {
        desk.post(&path, &body).await.problem(422, "invalid-request");
    }
    let problem = desk.post(&path, &json!({"returnEmail": EMAIL, "oplCsv": "x".repeat(4 * 1024 * 1024)})).await;
    problem.problem(413, "too-large");
}

#[tokio::test]
async fn only_editors_publish_and_see_what_was_published() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    published(&desk, SINGLE).await;
    let viewer = desk.viewer().await;
    publish(&viewer, SINGLE).await.problem(403, "read-only");
    viewer.get(&desk.of_meet("/publish")).await.problem(403, "read-only");
    desk.with_token("").get(&desk.of_meet("/publish")).await.problem(401, "invalid-session");
    let other = server.meet().await;
    assert!(publishes(&other).await.is_empty());
    let platform = desk.join("platform 1").await;
    assert_eq!(publishes(&platform).await, publishes(&desk).await, "every editor sees what any has published");
}

#[tokio::test]
async fn the_mail_is_ready_and_nothing_of_the_file_becomes_a_header() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let evil = SINGLE.replace("APL Townsville Cup (Tested)", "Cup\u{2028}Bcc: everyone@example.org\u{202e}\t\u{2066}[2J");
    for export in [SINGLE, &evil] {
        published(&desk, export).await;
    }
    let list = publishes(&desk).await;
    let mail = &list[1]["mail"];
    assert_eq!(
        (&mail["to"], &mail["subject"]),
        (&json!("issues@openpowerlifting.org"), &json!("Results: APL Townsville Cup (Tested), Australian Powerlifting League, 2023-09-02"))
    );
    for line in [
        "Meet: APL Townsville Cup (Tested)",
        "Federation: Australian Powerlifting League",
        "Date: 2023-09-02",
        "Place: Townsville, QLD, Australia",
        "Lifters: 34",
        "Please answer to director@example.org.",
    ] {
        assert!(mail["body"].as_str().unwrap().lines().any(|found| found == line), "{line}: {mail}");
    }
    let mail = &list[0]["mail"];
    assert_eq!(mail["subject"], "Results: Cup Bcc: everyone@example.org [2J, Australian Powerlifting League, 2023-09-02");
    assert!(mail["body"].as_str().unwrap().lines().any(|line| line == "Meet: Cup Bcc: everyone@example.org [2J"), "{mail}");
}
