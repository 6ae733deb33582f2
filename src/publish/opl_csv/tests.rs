use super::*;

const EXPORTS: [(&str, &str, usize); 4] = [
    ("kg-single-34", include_str!("../../../tests/data/kg-single-34.opl.csv"), 34),
    ("kg-multidiv-36", include_str!("../../../tests/data/kg-multidiv-36.opl.csv"), 36),
    ("lbs-25", include_str!("../../../tests/data/lbs-25.opl.csv"), 25),
    ("kg-large-310", include_str!("../../../tests/data/kg-large-310.opl.csv"), 312),
];

const SMALL: &str = "OPL Format v1 (OpenLifter 1.4),Submit by email:,issues@openpowerlifting.org\n\nFederation,Date,MeetCountry,MeetState,MeetTown,MeetName,Formula\nAPL,'2023-09-02,Australia,,Townsville,Cup,Dots\n\nPlace,Name,Sex,Equipment,Division,TotalKg,Event\n1,Ada Ashdown,F,Sleeves,Open,340,SBD\n2,Bela Hathorne,F,Sleeves,Open,300,SBD\n";

/// What a spreadsheet makes of a file: every line equally wide.
fn padded(text: &str, separator: char) -> String {
    let width = text.lines().map(|line| line.matches(separator).count()).max().unwrap();
    let pad = |line: &str| format!("{line}{}\r\n", separator.to_string().repeat(width - line.matches(separator).count()));
    text.lines().map(pad).collect()
}

#[test]
fn what_openlifter_exports_is_taken() {
    for (name, text, lifters) in EXPORTS {
        assert_eq!(check(text).map(|results| results.lifters), Ok(lifters), "{name}");
    }
    let results = check(EXPORTS[0].1).unwrap();
    assert_eq!((&*results.federation, &*results.date), ("Australian Powerlifting League", "2023-09-02"));
    assert_eq!((&*results.meet_name, &*results.place), ("APL Townsville Cup (Tested)", "Townsville, QLD, Australia"));
}

#[test]
fn what_a_spreadsheet_makes_of_it_is_taken_too() {
    for (name, text, _) in EXPORTS {
        let expected = check(text);
        let semicolons = text.replace(',', ";");
        let forms = [
            format!("\u{feff}{text}"),
            text.replace('\n', "\r\n"),
            text.replace('\n', "\r"),
            padded(text, ','),
            semicolons.clone(),
            format!("\u{feff}{}", padded(&semicolons, ';')),
            format!("{text}\n,,,\n\n"),
            text.trim_end().to_owned(),
            text.replacen("OPL Format v1 (OpenLifter 1.4)", "\"OPL Format v1 (OpenLifter 1.4)\"", 1),
            text.replacen("\n\n", "\n", 1),
        ];
        for (form, text) in forms.iter().enumerate() {
            assert_eq!(check(text), expected, "{name}, form {form}");
        }
    }
}

#[test]
fn fields_may_be_quoted() {
    let text = SMALL
        .replace("Cup", "\"Cup, \"\"the\"\" big one\"")
        .replace("Ada Ashdown", "\"Ashdown, Ada\"")
        .replace("Townsville", "5' \"North\"");
    let results = check(&text).unwrap();
    assert_eq!((&*results.meet_name, results.lifters), ("Cup, \"the\" big one", 2));
    assert_eq!(results.place, "5' \"North\", Australia");
    let semicolons = SMALL.replace(',', ";").replace("Cup", "Cup, the big one").replace("340", "340,5");
    assert_eq!(check(&semicolons).unwrap().meet_name, "Cup, the big one");
}

#[test]
fn a_lifter_with_several_lines_is_one_lifter() {
    let text = format!("{SMALL}1,Ada Ashdown,F,Sleeves,Juniors,340,SBD\n");
    assert_eq!(check(&text).unwrap().lifters, 2);
}

#[track_caller]
fn refused(text: &str, line: usize, says: &str) {
    let bad = check(text).expect_err(says);
    assert_eq!(bad.line, line, "{bad}");
    assert!(bad.problem.contains(says), "{bad}");
}

#[test]
fn whatever_else_is_sent_is_refused_with_its_line() {
    let without = |line: &str| SMALL.replacen(line, "", 1);
    refused("", 1, "it is empty");
    refused("\u{feff}\n", 1, "it is empty");
    refused("Place,Name\n1,Ada\n", 1, "it begins with \"Place\"; OpenLifter's export for OpenPowerlifting begins with \"OPL Format v1\"");
    refused("PK\u{3}\u{4}xl/workbook.xml", 1, "it begins with \"PK\\u{3}\\u{4}xl/workbook.xml\"");
    refused(&SMALL.replace("OPL Format v1", "OPL Format v2"), 1, "OPL Format v2");
    refused(&SMALL.replace("OPL Format v1", "OPL Format v10"), 1, "OPL Format v10");
    refused(&format!("\n{SMALL}"), 1, "it is empty");
    refused("OPL Format v1 (OpenLifter 1.4)\n", 2, "the file ends here; the meet's header line");
    refused(&SMALL.replace("MeetName", "Meet"), 3, "the header line of the meet has no column MeetName");
    refused(&SMALL.replace("Formula", "Date"), 3, "the column \"Date\" stands twice");
    refused(&without("APL,'2023-09-02,Australia,,Townsville,Cup,Dots\n"), 4, "the meet's own values belong here");
    refused(&SMALL.replace("APL,", "APL,USAPL,"), 4, "8 values stand below 7 columns");
    refused(&SMALL.replace("Dots\n\n", "Dots\n"), 5, "an empty line belongs here");
    refused(&SMALL[..SMALL.find("Place").unwrap()], 6, "the file ends here; the results' header line");
    for column in RESULT_COLUMNS {
        let header =
            ["Place", "Name", "Sex", "Equipment", "Division", "TotalKg", "Event"].map(|name| if name == column { "Other" } else { name });
        let text = SMALL.replace("Place,Name,Sex,Equipment,Division,TotalKg,Event", &header.join(","));
        refused(&text, 6, &format!("has no column {column}"));
    }
    refused(&SMALL[..SMALL.find("1,Ada").unwrap()], 7, "nothing below it");
    refused(&format!("{}\n\n", &SMALL[..SMALL.find("1,Ada").unwrap()]), 9, "nothing below it");
    refused(&SMALL.replace("2,Bela Hathorne", "2,"), 8, "the column Name is empty");
    refused(&SMALL.replace("2,Bela", ",Bela"), 8, "the column Place is empty");
    refused(&SMALL.replace("Ashdown", "Ashdown, Jr."), 7, "8 values stand below 7 columns");
    refused(&SMALL.replace("Ada Ashdown", "\"Ada Ashdown"), 7, "a double quote opens here");
    refused(&SMALL.replace("Bela Hathorne", "\"Bela Hathorne"), 8, "a double quote opens here");
    refused(SMALL.replace("Bela Hathorne", "\"Bela Hathorne").trim_end(), 8, "a double quote opens here");
    refused(&SMALL.replace("Federation", "\"Federation"), 3, "a double quote opens here");
    refused(&SMALL.replace('\n', "\r\n").replace("2,Bela", ",Bela"), 8, "the column Place is empty");
    refused(&format!("{SMALL}\nNotes by the director\n"), 10, "the column Name is empty");
}

#[test]
fn a_quote_that_opens_in_the_first_line_is_told_there() {
    let right = "OPL Format v1 (OpenLifter 1.4)";
    for wrong in ["\"OPL Format v1 (OpenLifter 1.4)", "OPL Format v1 (OpenLifter 1.4),\"x"] {
        refused(&SMALL.replacen(right, wrong, 1), 1, "a double quote opens here");
    }
}

#[test]
fn a_meet_without_federation_date_or_name_is_refused() {
    for (found, column) in [("APL,", "Federation"), ("'2023-09-02", "Date"), ("Cup", "MeetName")] {
        refused(&SMALL.replacen(found, if column == "Federation" { " ," } else { "" }, 1), 4, &format!("the column {column} is empty"));
    }
    refused(&SMALL.replace("'2023-09-02", "'"), 4, "the column Date is empty");
}

#[test]
fn no_control_character_passes() {
    for c in ['\u{0}', '\u{7}', '\u{b}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}'] {
        let says = format!("the control character U+{:04X} stands here", u32::from(c));
        refused(&SMALL.replace("Submit", &format!("Sub{c}mit")), 1, &says);
        refused(&SMALL.replace("Cup", &format!("C{c}up")), 4, &says);
        refused(&format!("{SMALL}3,Cleo{c},F,Sleeves,Open,1,SBD\r\n"), 9, &says);
    }
    assert!(check(&SMALL.replace("Cup", "C\tup")).is_ok());
}
