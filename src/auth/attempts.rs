//! Failed logins: counted per address, and per address and meet. Successes never count, nor does
//! anything that a session does: a whole hall is one address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::meet::id::MeetId;
use crate::meet::limits::{ADDRESSES_KEPT, FAILED_LOGINS_PER_ADDRESS, FAILED_LOGINS_PER_MEET};

/// Who has failed too often.
#[derive(Debug)]
pub struct Attempts {
    per_meet: Failures<(Option<MeetId>, IpAddr)>,
    per_address: Failures<IpAddr>,
}

impl Default for Attempts {
    fn default() -> Self {
        Attempts { per_meet: Failures::new(FAILED_LOGINS_PER_MEET), per_address: Failures::new(FAILED_LOGINS_PER_ADDRESS) }
    }
}

impl Attempts {
    /// How long an address must wait before its next attempt on a meet (`None` where the id is none); `None` for not at all.
    pub fn wait(&self, meet: Option<MeetId>, address: IpAddr) -> Option<Duration> {
        let address = network(address);
        self.per_meet.wait(&(meet, address)).max(self.per_address.wait(&address))
    }

    /// Counts a failure.
    pub fn failed(&self, meet: Option<MeetId>, address: IpAddr) {
        let address = network(address);
        self.per_meet.failed((meet, address));
        self.per_address.failed(address);
    }
}

/// An IPv6 customer has a whole /64, so that counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address => address,
    }
}

#[derive(Debug)]
struct Failures<K: Clone + Hash + Eq> {
    limiter: DefaultKeyedRateLimiter<K, StateInformationMiddleware>,
    /// One more attempt comes back after so long.
    refill: Duration,
    /// Those that may not even try: the limiter can count, but not be asked without counting.
    blocked: Mutex<HashMap<K, Instant>>,
}

impl<K: Clone + Hash + Eq> Failures<K> {
    fn new(per_minute: u32) -> Failures<K> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        let limiter = RateLimiter::keyed(quota).with_middleware();
        Failures { limiter, refill: quota.replenish_interval(), blocked: Mutex::default() }
    }

    fn wait(&self, key: &K) -> Option<Duration> {
        let blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        blocked.get(key).and_then(|until| until.checked_duration_since(Instant::now()))
    }

    fn failed(&self, key: K) {
        if self.limiter.len() >= ADDRESSES_KEPT {
            self.limiter.retain_recent();
        }
        let exhausted = self.limiter.check_key(&key).map_or(true, |left| left.remaining_burst_capacity() == 0);
        if !exhausted {
            return;
        }
        let now = Instant::now();
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if blocked.len() >= ADDRESSES_KEPT {
            blocked.retain(|_, until| *until > now);
        }
        blocked.insert(key, now + self.refill);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_failure_on_a_meet_waits_and_other_meets_do_not() {
        let attempts = Attempts::default();
        let (meet, other, hall) = (Some(MeetId::from_random(1)), Some(MeetId::from_random(2)), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..FAILED_LOGINS_PER_MEET {
            assert_eq!(attempts.wait(meet, hall), None);
            attempts.failed(meet, hall);
        }
        let wait = attempts.wait(meet, hall).unwrap();
        assert!(wait <= Duration::from_secs(6), "{wait:?}");
        assert_eq!(attempts.wait(other, hall), None);
        assert_eq!(attempts.wait(meet, IpAddr::from([192, 0, 2, 2])), None);
    }

    #[test]
    fn an_address_that_tries_many_meets_waits_too() {
        let attempts = Attempts::default();
        let hall = IpAddr::from([192, 0, 2, 1]);
        for meet in 0..u64::from(FAILED_LOGINS_PER_ADDRESS) {
            attempts.failed(Some(MeetId::from_random(meet)), hall);
        }
        assert!(attempts.wait(Some(MeetId::from_random(999)), hall).is_some());
    }

    #[test]
    fn a_network_counts_as_one_address() {
        let network_of = |text: &str| network(text.parse().unwrap());
        assert_eq!(network_of("2001:db8::1"), network_of("2001:db8::ffff:1"));
        assert_ne!(network_of("2001:db8::1"), network_of("2001:db8:0:1::1"));
        assert_eq!(network_of("::ffff:192.0.2.1"), network_of("192.0.2.1"));
    }
}
