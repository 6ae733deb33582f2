//! A real journal as a bad disk may leave it, sampled: cut anywhere, sectors zeroed, blank, stale or swapped, bits flipped, lines lost
//! or doubled. What is read back is an exact prefix, and whatever had been durable is never cut without a word.
//!
//! `IMAGES=10000000 cargo test --release --lib images -- --nocapture` is a campaign; `SEED` repeats one.

use crate::store::scan::{Rest, scan};

use super::dice::Dice;
use super::{all_told, written};

/// Images of a run in the suite.
const IMAGES: u64 = 2_000;
/// What disks write at once.
const SECTOR: usize = 512;

/// Updates of a real meet, a few in each batch.
fn real_log() -> super::WrittenLog {
    let trace = include_str!("../../../tests/data/lbs-25.updates.jsonl");
    let updates: Vec<serde_json::Value> = trace.lines().take(160).map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = |update: &serde_json::Value| (update["updateKey"].as_str().unwrap().to_owned(), update["updateValue"].to_string());
    let texts: Vec<(String, String)> = updates.iter().filter(|update| update["op"].is_null()).map(text).collect();
    let pairs: Vec<(&str, &str)> = texts.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let batches: Vec<&[(&str, &str)]> = pairs.chunks(3).collect();
    written(&batches)
}

/// Does one kind of harm to a log.
fn harm(log: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = log.to_vec();
    let sectors = bytes.len() / SECTOR;
    let sector = |number: usize| number * SECTOR..(number + 1) * SECTOR;
    match dice.place(7) {
        0 => bytes.truncate(dice.place(log.len())),
        1 => bytes[sector(dice.place(sectors))].fill(0),
        2 => {
            let (from, to) = (sector(dice.place(sectors)), sector(dice.place(sectors)));
            bytes.copy_within(from, to.start);
        }
        3 => {
            let bit = dice.place(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        4 => {
            let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').collect();
            let (lost, doubled) = (dice.place(lines.len()), dice.place(lines.len()));
            let kept = lines.iter().enumerate().filter(|(number, _)| *number != lost);
            return kept.flat_map(|(number, line)| if number == doubled { [*line, *line].concat() } else { line.to_vec() }).collect();
        }
        // An append into a reserve: a stretch of it is not there, and neither is what came behind.
        5 => {
            let (start, end) = (dice.place(bytes.len()), dice.place(bytes.len()));
            bytes[start.min(end)..start.max(end)].fill(b' ');
            if dice.place(2) == 0 {
                bytes[start.max(end)..].fill(b' ');
            }
            bytes.resize(log.len() + dice.place(4096), b' ');
        }
        // An append that the power cut: a stretch of it is there, the rest is what lay there before.
        _ => {
            let (start, end) = (dice.place(bytes.len()), dice.place(bytes.len()));
            bytes.truncate(start.max(end));
            bytes[start.min(end)..].fill(0);
        }
    }
    bytes
}

#[test]
#[expect(clippy::print_stderr, reason = "a campaign wants its figures")]
fn whatever_a_disk_does_to_a_real_log_nothing_changes_silently() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let (images, seed) = (number("IMAGES").unwrap_or(IMAGES), number("SEED").unwrap_or(1));
    let log = real_log();
    let all = all_told(&scan(&log.bytes).unwrap());
    let (mut dice, started) = (Dice(seed), std::time::Instant::now());
    let [mut whole, mut torn, mut damaged, mut headless] = [0_u64; 4];
    for image in 0..images {
        let bytes = harm(&log.bytes, &mut dice);
        let Ok(found) = scan(&bytes) else {
            headless += 1;
            continue;
        };
        let told = all_told(&found);
        assert_eq!(told, all[..told.len()], "image {image} of seed {seed}");
        match &found.rest {
            Rest::Nothing => whole += 1,
            Rest::TornTail { .. } => torn += 1,
            Rest::Damage(damage) => {
                damaged += 1;
                assert!(damage.had.upto >= damage.last_good, "image {image} of seed {seed}");
            }
        }
    }
    let took = started.elapsed();
    eprintln!(
        "{images} images in {took:.0?}: {whole} whole, {torn} torn, {damaged} damaged, {headless} without a first line; all exact prefixes"
    );
    assert!(torn > 0 && damaged > 0 && headless > 0, "the harm is of every kind");
}
