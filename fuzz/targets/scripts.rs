//! Scripts from bytes: a change of one byte is a change of one thing.

use std::borrow::Cow;

use liftrelay::meet::settings::TieBreak;
use liftrelay::meet::update::{Mode, Op};

use crate::oracle::request::Change;
use crate::oracle::script::{CLIENTS, KEYS, Move, Plan, Script, Seen, VALUES};

/// The oracle's cost grows with the square of the log.
const MOVES: usize = 24;

struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    /// Zero behind the end.
    fn next(&mut self) -> usize {
        self.0.next().copied().unwrap_or(0).into()
    }
}

pub fn from_bytes(input: &[u8]) -> Script {
    let mut bytes = Bytes(input.iter());
    let settings = bytes.next();
    let tie_break = if settings % 2 == 0 { TieBreak::Incumbent } else { TieBreak::Latest };
    let mut moves = Vec::new();
    if settings / 2 % 2 == 1 {
        moves.push(Move::New(Plan::furniture()));
    }
    while !bytes.0.as_slice().is_empty() && moves.len() < MOVES {
        moves.push(one_move(&mut bytes));
    }
    Script { tie_break, moves }
}

fn one_move(bytes: &mut Bytes) -> Move {
    let kind = bytes.next();
    if kind >= 224 {
        return Move::Again(kind % 8);
    }
    let mode = if kind / 8 % 3 == 2 { Mode::Atomic } else { Mode::Each };
    let (after, if_head) = (seen(bytes.next()), bytes.next());
    let if_head = if if_head < 192 { Seen::Unsaid } else { seen(if_head % 8) };
    let changes = (0..kind / 32 % 4).map(|_| (change(bytes), seen(bytes.next()))).collect();
    Move::New(Plan { who: CLIENTS[kind % 8 % CLIENTS.len()], mode, changes, after, if_head })
}

fn seen(byte: usize) -> Seen {
    match byte {
        0..32 => Seen::Unsaid,
        255 => Seen::AboveHead,
        _ => Seen::Behind((byte % 16) as u64),
    }
}

fn change(bytes: &mut Bytes) -> Change {
    let (kind, number) = (bytes.next(), bytes.next());
    let op = [Op::Set, Op::Set, Op::Create, Op::Remove][kind % 4];
    let number = (number < 192).then_some(number as u64 % 64);
    Change { op, key: key(bytes), value: value(bytes), number, after: None }
}

fn key(bytes: &mut Bytes) -> Cow<'static, str> {
    const SEGMENTS: [&str; 8] = [".x", ".y", ".list", "[0]", "[1]", "[2]", "[\"z\"]", "[\"a b\"]"];
    let byte = bytes.next();
    if byte < 128 {
        return KEYS[byte % KEYS.len()].into();
    }
    let segments = (0..byte / 2 % 5).map(|_| SEGMENTS[bytes.next() % SEGMENTS.len()]);
    ["a", "b"][byte % 2].chars().map(String::from).chain(segments.map(str::to_owned)).collect::<String>().into()
}

fn value(bytes: &mut Bytes) -> Cow<'static, str> {
    let byte = bytes.next();
    if byte < 128 { VALUES[byte % VALUES.len()].into() } else { nested(bytes, 3).into() }
}

/// JSON text of at most so many levels.
fn nested(bytes: &mut Bytes, levels: u8) -> String {
    const SCALARS: [&str; 8] = ["null", "true", "0", "-0.0", "1", "1.0", "1e300", "\"\\u00e9\""];
    const NAMES: [&str; 4] = ["x", "y", "z", "list"];
    let byte = bytes.next();
    let count = byte / 16 % 4;
    match byte % 16 {
        0..8 => SCALARS[byte % 8].to_owned(),
        _ if levels == 0 => "2".to_owned(),
        8..12 => format!("[{}]", (0..count).map(|_| nested(bytes, levels - 1)).collect::<Vec<_>>().join(",")),
        _ => {
            let member = |name: &&str| format!("\"{name}\":{}", nested(bytes, levels - 1));
            format!("{{{}}}", NAMES[..count].iter().map(member).collect::<Vec<_>>().join(","))
        }
    }
}
