//! `openapi.yaml` says what the program does: routes, types, codes, examples.

use std::collections::BTreeSet;

use liftrelay::http::routes::PATHS;
use liftrelay::meet::outcome::UpdateCode;
use liftrelay::wire::problem::Code;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::contract::{OPENAPI, check_schema, resolve};

fn names(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn routes_are_those_of_the_document() {
    let documented: BTreeSet<_> = OPENAPI["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(documented, PATHS.iter().map(|path| (*path).to_owned()).collect());
}

/// Whatever the document describes is routed, and with no other method.
#[tokio::test]
async fn methods_are_those_of_the_document() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    for (path, item) in OPENAPI["paths"].as_object().unwrap() {
        let concrete =
            path.replace("{meetId}", "000000000").replace("{keyId}", "x").replace("{path}", "demo.js").replace("{code}", "internal");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let documented = item.get(method.to_lowercase()).is_some();
            let reply = stranger.send(stranger.request(method.parse().unwrap(), &concrete)).await;
            assert_eq!(reply.status.as_u16() != 405, documented, "{method} {path}");
            if !documented {
                let reply = reply.clone();
                let allow = reply.header("allow").to_owned();
                assert!(!allow.is_empty(), "{method} {path} names no Allow");
                reply.problem(405, "method-not-allowed");
            }
        }
    }
}

#[test]
fn codes_are_those_of_the_document() {
    let schemas = &OPENAPI["components"]["schemas"];
    let codes = Code::ALL.map(|code| code.facts().code.to_owned());
    assert_eq!(names(&schemas["ProblemCode"]["enum"]), BTreeSet::from(codes));
    let codes = UpdateCode::ALL.map(|code| json!(code).as_str().unwrap().to_owned());
    assert_eq!(names(&schemas["UpdateCode"]["enum"]), BTreeSet::from(codes));
}

/// Every example in the document fits the schema beside it.
#[test]
fn examples_fit_their_schemas() {
    let mut checked = 0;
    walk(&OPENAPI, &mut checked);
    assert!(checked > 50, "only {checked} examples were found");
}

fn walk(value: &'static Value, checked: &mut usize) {
    match value {
        Value::Object(members) => {
            if let Some(schema) = members.get("schema") {
                let many = members.get("examples").and_then(Value::as_object);
                let many = many.into_iter().flat_map(|examples| examples.values()).map(|example| &resolve(example)["value"]);
                for example in members.get("example").into_iter().chain(many) {
                    check_schema(schema, example, "an example");
                    *checked += 1;
                }
            }
            members.values().for_each(|member| walk(member, checked));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, checked)),
        _ => {}
    }
}
