//! Pages about problems: where the `type` of a problem leads. Every word on them is the program's own, so nothing needs escaping.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::wire::problem::{Code, CodeFacts, Problem};

use super::pages::POLICY;
use super::params::LastPart;
use super::reply::Answer;

/// `GET /problems/{code}`
pub(super) async fn one(LastPart(name): LastPart) -> Answer {
    let code = Code::named(&name).ok_or_else(|| Problem::new(Code::NotFound, "there is no problem of that name; /problems/ lists them"))?;
    let facts = code.facts();
    let main = format!(
        "<h1>{title}</h1>\n<p><code>{name}</code>, HTTP status {status}</p>\n<h2>Cause</h2>\n<p>{cause}</p>\n<h2>Cure</h2>\n<p>{cure}</p>\n<p>{outlook}</p>",
        title = facts.title,
        status = facts.status,
        cause = facts.cause,
        cure = facts.cure,
        outlook = outlook(&facts),
    );
    Ok(page(facts.title, &main))
}

/// `GET /problems/`
pub(super) async fn all() -> Response {
    let rows: String = Code::ALL.iter().map(|code| row(&code.facts())).collect();
    let intro = "Every error names its kind in <code>code</code>, one of these, and leads to its page in <code>type</code>.";
    page("Problems", &format!("<h1>Problems</h1>\n<p>{intro}</p>\n<ul class=\"problems\">\n{rows}</ul>"))
}

fn row(facts: &CodeFacts) -> String {
    format!(
        "<li>\n<h2><a href=\"/problems/{code}\">{code}</a> <span>{status}</span></h2>\n<p>{cause}</p>\n<p>{cure}</p>\n<p class=\"outlook\">{outlook}</p>\n</li>\n",
        code = facts.code,
        status = facts.status,
        cause = facts.cause,
        cure = facts.cure,
        outlook = outlook(facts),
    )
}

/// Whether to try again, and what the failed try may have done.
fn outlook(facts: &CodeFacts) -> String {
    let retry = if facts.retry { "The same request may succeed later." } else { "The same request will be refused again." };
    let effects = if facts.effects { "It may have had effects all the same." } else { "It had no effects." };
    format!("{retry} {effects}")
}

fn page(title: &str, main: &str) -> Response {
    let page = format!(include_str!("problem.html"), title = title, main = main);
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")), (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))];
    (headers, page).into_response()
}
