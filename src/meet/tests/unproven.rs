//! Logs that no key vouches for.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use super::super::Meet;
use super::super::chain::ChainValue;
use super::super::entry::EntryFields;
use super::super::outcome::Record;
use super::super::restore::Handed;
use super::super::settings::TieBreak;
use super::super::time::Timestamp;
use super::super::unproven::{Collected, Collecting};
use super::super::update::Writer;
use super::hall::empty_meet;

const NOW: Timestamp = Timestamp::from_const(1_777_700_000_000);

fn by(location: &str) -> Writer {
    Writer { location_name: location.into(), client_id: location.into() }
}

fn priorities() -> HashMap<Arc<str>, i64> {
    [("low".into(), 1), ("middle".into(), 2), ("high".into(), 3)].into()
}

fn entry(seq: u64, location: &str, key: &str) -> EntryFields {
    let text = json!({
        "at": "2026-05-01T09:30:00.120Z", "clientId": location, "commit": seq, "localSeqNum": seq, "locationName": location, "priority": 0,
        "serverSeqNum": seq, "updateKey": key, "updateValue": location
    });
    serde_json::from_str(&text.to_string()).unwrap()
}

fn page(entries: Vec<EntryFields>, more: bool) -> Handed {
    let place = entries.last().map_or(0, |entry| entry.server_seq_num);
    let chain: ChainValue = serde_json::from_value(json!("ab".repeat(32))).unwrap();
    Handed { entries, place, chain, more }
}

fn keys(meet: &Meet) -> Vec<String> {
    meet.log().after(0).iter().map(|entry| format!("{} by {}", entry.fields.update_key, entry.fields.location_name)).collect()
}

/// Three clients share a first entry and differ then.
#[test]
fn every_order_of_coming_gives_the_same_log() {
    let orders = [
        ["low", "middle", "high"],
        ["low", "high", "middle"],
        ["middle", "low", "high"],
        ["middle", "high", "low"],
        ["high", "low", "middle"],
        ["high", "middle", "low"],
    ];
    for order in orders {
        let mut collected = Collected::default();
        for location in order {
            let log = vec![entry(1, "low", "first"), entry(2, location, "same"), entry(3, location, location)];
            assert_eq!(collected.take(&by(location), page(log, false), usize::MAX), Collecting::Taken);
        }
        let mut meet = empty_meet(TieBreak::default());
        let (records, lost) = collected.apply(&mut meet, &priorities(), NOW);
        assert_eq!(keys(&meet), ["first by low", "same by high", "high by high", "middle by middle", "low by low"], "{order:?}");
        assert_eq!(lost, 2, "of three words on one thing one stands");
        let ends = records.iter().filter_map(|record| if let Record::Entry { commit_end, .. } = record { Some(*commit_end) } else { None });
        assert!(ends.into_iter().all(|end| end == 5), "a crash leaves all or nothing");
    }
}

#[test]
fn pages_go_on_where_the_last_one_ended_and_only_whole_logs_are_applied() {
    let (mut collected, mut meet) = (Collected::default(), empty_meet(TieBreak::default()));
    let low = by("low");
    assert_eq!(collected.take(&low, page(vec![entry(2, "low", "b")], true), usize::MAX), Collecting::Apart);
    assert_eq!(collected.take(&low, page(vec![entry(1, "low", "a")], true), usize::MAX), Collecting::Taken);
    assert_eq!(collected.take(&low, page(vec![entry(1, "low", "a")], true), usize::MAX), Collecting::Taken, "the reply was lost");
    assert_eq!(collected.take(&low, page(vec![entry(3, "low", "c")], true), usize::MAX), Collecting::Apart);
    assert_eq!(collected.apply(&mut meet, &priorities(), NOW).0.len(), 0);
    assert_eq!(collected.take(&low, page(vec![entry(2, "low", "b")], false), usize::MAX), Collecting::Taken);
    assert_eq!(collected.apply(&mut meet, &priorities(), NOW).0.len(), 2);
    assert_eq!(collected.take(&low, page(vec![entry(1, "low", "a"), entry(2, "low", "b")], false), usize::MAX), Collecting::Taken);
    let (records, lost) = collected.apply(&mut meet, &priorities(), NOW);
    assert_eq!((records.len(), lost), (0, 0), "it is there already");
    assert_eq!(keys(&meet), ["a by low", "b by low"]);
}
