//! Holds replies and events to `openapi.yaml`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The contract as a file.
pub static OPENAPI: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str(&std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap()).unwrap()
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// A validator for a schema of the document; references lead into its components.
pub fn validator(schema: &Value) -> Arc<Validator> {
    let name = schema.to_string();
    if let Some(validator) = VALIDATORS.lock().unwrap().get(&name) {
        return Arc::clone(validator);
    }
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": OPENAPI["components"],
        "allOf": [schema],
    });
    let validator = Arc::new(jsonschema::validator_for(&document).unwrap());
    VALIDATORS.lock().unwrap().insert(name, Arc::clone(&validator));
    validator
}

#[track_caller]
pub fn check_schema(schema: &Value, value: &Value, what: &str) {
    let errors: Vec<_> = validator(schema).iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what} does not fit openapi.yaml: {errors:#?}\n{value}");
}

/// The operation of a request, with the path as the document writes it.
pub fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let fits = |template: &str| {
        let (mut parts, mut wanted) = (path.split('/'), template.split('/'));
        loop {
            match (parts.next(), wanted.next()) {
                (None, None) => return true,
                (Some(part), Some(wanted)) if wanted.starts_with('{') || part == wanted => {}
                // The last parameter of a path may hold slashes.
                (Some(_), None) => return template.ends_with("/{path}"),
                _ => return false,
            }
        }
    };
    let paths = OPENAPI["paths"].as_object().unwrap();
    let (template, item) = paths.iter().find(|(template, _)| fits(template))?;
    Some((template, item.get(method.as_str().to_lowercase())?))
}

/// Follows a reference within the document.
pub fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => OPENAPI.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => value,
    }
}

/// Checks a reply against the response that the document has for it.
#[track_caller]
pub fn check(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, body: &Value) {
    let content_type = headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    let media_type = content_type.split(';').next().unwrap();
    if media_type == "application/problem+json" {
        check_schema(&json!({"$ref": "#/components/schemas/Problem"}), body, &format!("{method} {path} {status}"));
        assert_eq!(body["status"], status.as_u16());
    }
    // Anything may be asked for what does not exist, with methods that are not taken, of a server that is in trouble.
    if matches!(status.as_u16(), 404 | 405 | 500 | 503) {
        return;
    }
    let Some((template, operation)) = operation(method, path) else {
        panic!("openapi.yaml has no {method} {path}, but it answers {status}")
    };
    let response = operation["responses"].get(status.as_str());
    let response = resolve(response.unwrap_or_else(|| panic!("openapi.yaml has no {status} for {method} {template}: {body}")));
    let Some(content) = response["content"].as_object() else { return };
    let described = content
        .get(media_type)
        .or_else(|| content.get("*/*"))
        .unwrap_or_else(|| panic!("openapi.yaml has no {media_type:?} for {method} {template} {status}"));
    if media_type.ends_with("json") && !described["schema"].is_null() {
        check_schema(&described["schema"], body, &format!("{method} {template} {status}"));
    }
}

/// Checks an event of a stream.
#[track_caller]
pub fn check_event(event: &Value) {
    check_schema(&json!({"$ref": "#/components/schemas/StreamEvent"}), event, "an event");
}
