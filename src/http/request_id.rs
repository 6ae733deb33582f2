//! Ids by which a problem, and the log lines about it, are found. They have to differ and nothing more, so the system is asked for
//! chance once and not for every request.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Builder;

use crate::auth::random_bytes;

/// Where this process starts, so that ids of two runs differ.
static START: LazyLock<[u64; 2]> = LazyLock::new(|| [0; 2].map(|_: u8| u64::from_ne_bytes(random_bytes())));
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The next one.
pub(super) fn request_id() -> String {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let [high, low] = START.map(|start| mixed(start.wrapping_add(number.wrapping_mul(GOLDEN))));
    let id = Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes()).into_uuid();
    id.simple().encode_lower(&mut [0; 32]).to_owned()
}

/// 2^64 divided by the golden ratio: successive multiples of it lie far apart.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64: every bit of the number changes about half of these.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::request_id;

    #[test]
    fn ids_differ_and_look_like_ids() {
        let ids: HashSet<String> = (0..10_000).map(|_| request_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
        // Neighbours have nothing in common: nobody takes one for the other at a glance.
        let (one, other) = (request_id(), request_id());
        assert!(one.bytes().zip(other.bytes()).filter(|(one, other)| one == other).count() < 16, "{one} {other}");
    }
}
