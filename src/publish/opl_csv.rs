//! OpenLifter's results file, checked before anybody has to read it: a first line that says what it is, the meet's
//! block, an empty line, the results. Spreadsheets that were between may have added a byte-order mark, carriage
//! returns, semicolons for commas, and commas that make every line equally wide.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// How the first line begins.
const FORMAT: &str = "OPL Format v1";
/// Columns of the meet that OpenLifter always writes and nobody can do without; none may be empty.
const MEET_COLUMNS: [&str; 3] = ["Federation", "Date", "MeetName"];
/// Columns of the results that every export of OpenLifter has.
const RESULT_COLUMNS: [&str; 6] = ["Place", "Name", "Sex", "Equipment", "Division", "Event"];
/// Characters of a wrong line that are shown.
const SHOWN_MAX_CHARS: usize = 40;

/// What a results file is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// The federation's abbreviation or name.
    pub federation: String,
    /// The meet's date as it stands there.
    pub date: String,
    /// The meet's name.
    pub meet_name: String,
    /// Town, state and country, as far as they are given.
    pub place: String,
    /// Different names.
    pub lifters: usize,
}

/// Why a text is no results file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BadCsv {
    /// Where, counted from one.
    pub line: usize,
    /// What is wrong there, what would be right.
    pub problem: String,
}

/// Checks a results file.
///
/// # Errors
/// [`BadCsv`]: the first thing that is wrong.
pub fn check(text: &str) -> Result<Results, BadCsv> {
    let text = with_line_feeds(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut rows = Rows::new(&text);
    check_first_line(&mut rows)?;
    check_characters(&text)?;
    let meet = Meet::read(&mut rows)?;
    let lifters = count_lifters(&mut rows)?;
    let place = ["MeetTown", "MeetState", "MeetCountry"].map(|name| meet.value(name)).into_iter().filter(|part| !part.is_empty());
    Ok(Results {
        federation: meet.value("Federation").to_owned(),
        date: meet.value("Date").to_owned(),
        meet_name: meet.value("MeetName").to_owned(),
        place: place.collect::<Vec<_>>().join(", "),
        lifters,
    })
}

/// Every line ends with a line feed, also the last one: a quote that never closes would hide that.
fn with_line_feeds(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') && text.ends_with('\n') {
        return text.into();
    }
    let mut text = text.replace("\r\n", "\n").replace('\r', "\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.into()
}

fn check_first_line(rows: &mut Rows) -> Result<(), BadCsv> {
    let right = format!("OpenLifter's export for OpenPowerlifting begins with {FORMAT:?}; send that file unchanged");
    let row = rows.next().unwrap_or(Row { line: 1, cells: Vec::new(), runs_on: false });
    let first = row.cells.first().map_or("", String::as_str);
    let version = first.strip_prefix(FORMAT).filter(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    if version.is_some() {
        return row.check_quotes();
    }
    let found: String = first.chars().take(SHOWN_MAX_CHARS).collect();
    Err(row.bad(if first.is_empty() { format!("it is empty; {right}") } else { format!("it begins with {found:?}; {right}") }))
}

/// No export holds them, and whoever looks at the file in a terminal would obey them.
fn check_characters(text: &str) -> Result<(), BadCsv> {
    let forbidden = |line: &str| line.chars().find(|c| c.is_control() && *c != '\t');
    let found = text.split('\n').enumerate().find_map(|(at, line)| Some((at + 1, forbidden(line)?)));
    found.map_or(Ok(()), |(line, c)| {
        let problem =
            format!("the control character U+{:04X} stands here; OpenLifter's export has none, send that file unchanged", u32::from(c));
        Err(BadCsv { line, problem })
    })
}

/// The meet's block: a header and one line of values.
struct Meet {
    header: Header,
    values: Row,
}

impl Meet {
    fn read(rows: &mut Rows) -> Result<Meet, BadCsv> {
        let header = Header::read(rows.filled("the meet's header line (Federation,Date,MeetName and more)")?, "the meet", &MEET_COLUMNS)?;
        let below = rows.line;
        let missing = || BadCsv { line: below, problem: "the meet's own values belong here, right below their header line".to_owned() };
        let values = rows.next().filter(|row| !row.is_blank()).ok_or_else(missing)?;
        header.check(&values)?;
        if let Some(row) = rows.next().filter(|row| !row.is_blank()) {
            return Err(row.bad("an empty line belongs here, between the meet's one line of values and the results"));
        }
        let meet = Meet { header, values };
        match MEET_COLUMNS.into_iter().find(|column| meet.value(column).is_empty()) {
            Some(column) => Err(meet.values.bad(format!("the column {column} is empty; every meet has a federation, a date and a name"))),
            None => Ok(meet),
        }
    }

    /// OpenLifter marks dates as text with an apostrophe, so that no spreadsheet turns them around; it is no part of the value.
    fn value(&self, column: &str) -> &str {
        let value = self.header.value(&self.values, column);
        if column == "Date" { value.trim_start_matches('\'') } else { value }
    }
}

/// Checks the results and counts the names.
fn count_lifters(rows: &mut Rows) -> Result<usize, BadCsv> {
    let header = Header::read(rows.filled("the results' header line (Place,Name,Sex and more)")?, "the results", &RESULT_COLUMNS)?;
    let mut names = HashSet::new();
    for row in rows.by_ref() {
        if row.is_blank() {
            continue;
        }
        header.check(&row)?;
        for column in ["Place", "Name"] {
            if header.value(&row, column).is_empty() {
                return Err(row.bad(format!("the column {column} is empty; every line of results has a place and a name")));
            }
        }
        names.insert(header.value(&row, "Name").to_owned());
    }
    if names.is_empty() {
        return Err(BadCsv {
            line: rows.line,
            problem: "the results have a header line and nothing below it; at least one lifter belongs there".to_owned(),
        });
    }
    Ok(names.len())
}

/// Names of columns.
struct Header(Row);

impl Header {
    fn read(row: Row, whose: &str, needed: &[&str]) -> Result<Header, BadCsv> {
        row.check_quotes()?;
        if let Some(missing) = needed.iter().find(|name| !row.cells.iter().any(|cell| cell == *name)) {
            let needed = needed.join(", ");
            return Err(row.bad(format!("the header line of {whose} has no column {missing}; it needs {needed}, spelt like this")));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = row.cells.iter().find(|cell| !cell.is_empty() && !seen.insert(cell.as_str())) {
            return Err(row.bad(format!("the column {twice:?} stands twice in the header line of {whose}; each belongs there once")));
        }
        Ok(Header(row))
    }

    fn check(&self, row: &Row) -> Result<(), BadCsv> {
        row.check_quotes()?;
        let (found, columns) = (row.cells.len(), self.0.cells.len());
        if found > columns {
            return Err(
                row.bad(format!("{found} values stand below {columns} columns; a value with a comma in it belongs in double quotes"))
            );
        }
        Ok(())
    }

    fn value<'a>(&self, row: &'a Row, column: &str) -> &'a str {
        let place = self.0.cells.iter().position(|name| name == column);
        place.and_then(|place| row.cells.get(place)).map_or("", String::as_str)
    }
}

/// One line of the file, its fields trimmed.
struct Row {
    /// Where it begins, counted from one.
    line: usize,
    /// Without the empty ones at the end, which only make lines equally wide.
    cells: Vec<String>,
    /// Whether a quoted field goes on behind the end of the line.
    runs_on: bool,
}

impl Row {
    fn is_blank(&self) -> bool {
        self.cells.is_empty()
    }

    fn check_quotes(&self) -> Result<(), BadCsv> {
        if self.runs_on {
            Err(self.bad("a double quote opens here and does not close on the same line; close it or take it away"))
        } else {
            Ok(())
        }
    }

    fn bad(&self, problem: impl Into<String>) -> BadCsv {
        BadCsv { line: self.line, problem: problem.into() }
    }
}

/// The lines of a file, empty ones included, which a CSV reader by itself passes over.
struct Rows<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
    record: csv::StringRecord,
    /// Bytes that have been read.
    at: usize,
    /// The next line, counted from one.
    line: usize,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str) -> Rows<'a> {
        let mut reader = csv::ReaderBuilder::new();
        reader.delimiter(separator(text)).has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n'));
        Rows { text, reader: reader.from_reader(text.as_bytes()), record: csv::StringRecord::new(), at: 0, line: 1 }
    }

    /// The next line that is not empty.
    fn filled(&mut self, what: &str) -> Result<Row, BadCsv> {
        let found = self.find(|row| !row.is_blank());
        found.ok_or_else(|| BadCsv { line: self.line, problem: format!("the file ends here; {what} would be right") })
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let line = self.line;
        if self.text[self.at..].starts_with('\n') {
            (self.at, self.line) = (self.at + 1, line + 1);
            return Some(Row { line, cells: Vec::new(), runs_on: false });
        }
        if !self.reader.read_record(&mut self.record).ok()? {
            return None;
        }
        let end = usize::try_from(self.reader.position().byte()).unwrap_or(self.text.len());
        (self.at, self.line) = (end, line + self.text[self.at..end].matches('\n').count());
        let runs_on = self.record.iter().any(|cell| cell.contains('\n'));
        let mut cells: Vec<String> = self.record.iter().map(|cell| cell.trim().to_owned()).collect();
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        Some(Row { line, cells, runs_on })
    }
}

/// What stands between fields: spreadsheets write semicolons where the comma belongs to numbers.
fn separator(text: &str) -> u8 {
    let lines = || text.lines().filter(|line| !line.trim().is_empty()).take(2);
    let count = |separator: char| lines().map(|line| line.matches(separator).count()).sum::<usize>();
    if count(';') > count(',') { b';' } else { b',' }
}

#[cfg(test)]
mod tests;
