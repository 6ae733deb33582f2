//! The heads of a long-poll: what its request is known by when it comes again, and what its answer begins with.

use std::fmt::Write;
use std::io::Write as _;

use crate::meet::chain::Cursor;

/// Lines of a head that are another answer's own: its id, when it was given, and how its body is put on the wire.
const OWN: [&str; 4] = ["x-request-id", "date", "transfer-encoding", "content-length"];

/// What the answers on one connection begin with.
pub(super) struct AnswerHead {
    /// Status line and headers without [`OWN`].
    start: String,
    /// The id of the first answer, which its request has been logged with.
    first_id: Option<String>,
}

/// What stands in one answer's head alone.
pub(super) struct Particulars<'a> {
    pub(super) id: &'a str,
    pub(super) date: &'a str,
    pub(super) length: usize,
    /// Whether the connection ends behind it.
    pub(super) closes: bool,
}

impl AnswerHead {
    /// A head as hyper has written it; `None` for one that is not whole, or not alone.
    pub(super) fn read(written: &[u8]) -> Option<AnswerHead> {
        let lines = std::str::from_utf8(written).ok()?.strip_suffix("\r\n\r\n")?;
        if !lines.starts_with("HTTP/1.1 200 ") || lines.contains("\r\n\r\n") {
            return None;
        }
        let (mut start, mut first_id) = (String::with_capacity(lines.len()), None);
        for line in lines.split("\r\n") {
            let name = line.split_once(':').map_or("", |(name, _)| name);
            if name.eq_ignore_ascii_case(OWN[0]) {
                first_id = Some(line[name.len() + 1..].trim().to_owned());
            }
            if !OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                let _ = write!(start, "{line}\r\n");
            }
        }
        Some(AnswerHead { start, first_id })
    }

    /// The id that the first answer has; a further one needs its own.
    pub(super) fn take_first_id(&mut self) -> Option<String> {
        self.first_id.take()
    }

    /// Appends the head of an answer.
    pub(super) fn append(&self, own: &Particulars, out: &mut Vec<u8>) {
        let Particulars { id, date, length, closes } = own;
        let connection = if *closes { "connection: close\r\n" } else { "" };
        out.extend_from_slice(self.start.as_bytes());
        // Writing to memory does not fail.
        let _ = write!(out, "x-request-id: {id}\r\ncontent-length: {length}\r\n{connection}date: {date}\r\n\r\n");
    }
}

/// A request's head around the cursor that it asks from.
pub(super) struct Question {
    head: Box<str>,
    /// Where the cursor starts and ends.
    from: usize,
    to: usize,
}

impl Question {
    /// What a head asks; `None` where it cannot be told for certain which bytes are the cursor.
    pub(super) fn read(head: &[u8]) -> Option<Question> {
        let head = std::str::from_utf8(head).ok()?;
        let is_one = head.find("\r\n\r\n") == Some(head.len().checked_sub(4)?);
        let target = head.strip_prefix("GET ").filter(|_| is_one)?.split_once(' ')?.0;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?&=-._~".contains(&byte);
        let (path, query) = target.split_once('?').filter(|_| target.bytes().all(is_plain))?;
        let mut from = "GET ?".len() + path.len();
        for parameter in query.split('&') {
            if let Some(cursor) = parameter.strip_prefix("after=") {
                from += "after=".len();
                return Some(Question { head: head.into(), from, to: from + cursor.len() });
            }
            from += parameter.len() + 1;
        }
        None
    }

    /// The cursor from which these bytes ask the same; `None` where they ask anything else, or more.
    pub(super) fn asked(&self, heard: &[u8]) -> Option<Cursor> {
        let rest = heard.strip_prefix(self.head[..self.from].as_bytes())?;
        let cursor = rest.strip_suffix(self.head[self.to..].as_bytes())?;
        let is_plain = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
        std::str::from_utf8(cursor).ok().filter(|cursor| cursor.bytes().all(|byte| is_plain(&byte)))?.parse().ok()
    }

    /// The path that is asked for.
    pub(super) fn path(&self) -> &str {
        self.head["GET ".len()..].split(['?', ' ']).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(target: &str) -> Option<Question> {
        Question::read(format!("GET {target} HTTP/1.1\r\nHost: hall\r\nAuthorization: Bearer x\r\n\r\n").as_bytes())
    }

    fn asked(question: &Question, target: &str, headers: &str) -> Option<u64> {
        question.asked(format!("GET {target} HTTP/1.1\r\n{headers}\r\n").as_bytes()).map(|cursor| cursor.seq)
    }

    const HEADERS: &str = "Host: hall\r\nAuthorization: Bearer x\r\n";

    #[test]
    fn the_same_from_another_cursor_is_known_wherever_the_cursor_stands() {
        let known = question("/v1/meets/123456789/updates?wait=25&after=0&limit=5").unwrap();
        assert_eq!(known.path(), "/v1/meets/123456789/updates");
        for (cursor, seq) in [("7", 7), ("431-9f3ac2d1", 431), ("0", 0)] {
            assert_eq!(asked(&known, &format!("/v1/meets/123456789/updates?wait=25&after={cursor}&limit=5"), HEADERS), Some(seq));
        }
        let last = question("/v1/meets/123456789/updates?after=4-00000000").unwrap();
        assert_eq!(asked(&last, "/v1/meets/123456789/updates?after=5-00000000", HEADERS), Some(5));
    }

    #[test]
    fn whatever_else_is_asked_is_another_question() {
        let known = question("/u?after=1&wait=25").unwrap();
        for target in ["/u?after=1&wait=2", "/u?after=&wait=25", "/u?after=1&limit=1&wait=25", "/v?after=1&wait=25", "/u?after=now&wait=25"]
        {
            assert_eq!(asked(&known, target, HEADERS), None, "{target}");
        }
        for headers in
            ["Host: hall\r\n", "Host: hall\r\nAuthorization: Bearer y\r\n", "Host: hall\r\nAuthorization: Bearer x\r\nOrigin: z\r\n"]
        {
            assert_eq!(asked(&known, "/u?after=2&wait=25", headers), None, "{headers}");
        }
        let twice = format!("GET /u?after=1&wait=25 HTTP/1.1\r\n{HEADERS}\r\n").repeat(2);
        assert!(known.asked(twice.as_bytes()).is_none());
        let smuggled = format!("GET /u?after=1 HTTP/1.1\r\n\r\nGET /u?after=2&wait=25 HTTP/1.1\r\n{HEADERS}\r\n");
        assert!(known.asked(smuggled.as_bytes()).is_none());
        assert!(known.asked(&twice.as_bytes()[..twice.len() / 2 - 1]).is_none(), "a part of it");
    }

    #[test]
    fn a_head_in_which_the_cursor_may_be_something_else_is_no_question() {
        for target in ["/u?wait=25", "/u", "/u?%61fter=1&after=2", "/u?a=after=1", "/u?x+y=1&after=2", "http://hall/u?after=1"] {
            assert!(question(target).is_none(), "{target}");
        }
        let two = format!("GET /u?after=1 HTTP/1.1\r\n{HEADERS}\r\nGET /u?after=1 HTTP/1.1\r\n{HEADERS}\r\n");
        assert!(Question::read(two.as_bytes()).is_none());
        assert!(Question::read(b"\r\nGET /u?after=1 HTTP/1.1\r\n\r\n").is_none());
        assert!(Question::read(b"GET /u?after=1 HTTP/1.1\n\n").is_none());
    }

    #[test]
    fn an_answer_has_its_own_id_date_and_length_and_everything_else_as_it_was() {
        let written = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nX-Request-Id: one\r\nvary: origin\r\n\
            transfer-encoding: chunked\r\ndate: then\r\n\r\n";
        let mut head = AnswerHead::read(written).unwrap();
        assert_eq!((head.take_first_id().as_deref(), head.take_first_id()), (Some("one"), None));
        let append = |closes| {
            let mut out = Vec::new();
            head.append(&Particulars { id: "two", date: "now", length: 12, closes }, &mut out);
            String::from_utf8(out).unwrap()
        };
        let start = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nvary: origin\r\nx-request-id: two\r\ncontent-length: 12\r\n";
        assert_eq!(append(false), format!("{start}date: now\r\n\r\n"));
        assert_eq!(append(true), format!("{start}connection: close\r\ndate: now\r\n\r\n"));
        for other in [&written[..written.len() - 1], &written[1..], &written.repeat(2)] {
            assert!(AnswerHead::read(other).is_none());
        }
    }
}
