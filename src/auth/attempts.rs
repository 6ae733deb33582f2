//! Failed logins: counted per address, and per address and meet. Successes never count, nor does
//! anything that a session does: a whole hall is one address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::meet::id::MeetId;
use crate::meet::limits::ADDRESSES_KEPT;

/// Who has failed too often.
#[derive(Debug)]
pub struct Attempts {
    per_meet: Failures<(Option<MeetId>, IpAddr)>,
    per_address: Failures<IpAddr>,
}

impl Attempts {
    /// So many failures are allowed per minute: to one address on one meet, and to one address on all.
    pub fn new(per_meet: NonZeroU32, per_address: NonZeroU32) -> Attempts {
        Attempts { per_meet: Failures::new(per_meet), per_address: Failures::new(per_address) }
    }

    /// Allows another number from now on. Whoever must wait still waits; where a number changes, counting starts anew.
    pub fn allow(&self, per_meet: NonZeroU32, per_address: NonZeroU32) {
        self.per_meet.allow(per_meet);
        self.per_address.allow(per_address);
    }

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
    counted: RwLock<Counted<K>>,
    /// Those that may not even try: the limiter can count, but not be asked without counting.
    blocked: Mutex<HashMap<K, Instant>>,
}

#[derive(Debug)]
struct Counted<K: Clone + Hash + Eq> {
    quota: Quota,
    limiter: DefaultKeyedRateLimiter<K, StateInformationMiddleware>,
}

impl<K: Clone + Hash + Eq> Counted<K> {
    fn new(quota: Quota) -> Counted<K> {
        Counted { quota, limiter: RateLimiter::keyed(quota).with_middleware() }
    }
}

impl<K: Clone + Hash + Eq> Failures<K> {
    fn new(per_minute: NonZeroU32) -> Failures<K> {
        Failures { counted: RwLock::new(Counted::new(Quota::per_minute(per_minute))), blocked: Mutex::default() }
    }

    fn allow(&self, per_minute: NonZeroU32) {
        let quota = Quota::per_minute(per_minute);
        let mut counted = self.counted.write().unwrap_or_else(PoisonError::into_inner);
        if counted.quota != quota {
            *counted = Counted::new(quota);
        }
    }

    fn wait(&self, key: &K) -> Option<Duration> {
        let blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        blocked.get(key).and_then(|until| until.checked_duration_since(Instant::now()))
    }

    fn failed(&self, key: K) {
        let counted = self.counted.read().unwrap_or_else(PoisonError::into_inner);
        if counted.limiter.len() >= ADDRESSES_KEPT {
            counted.limiter.retain_recent();
        }
        let exhausted = counted.limiter.check_key(&key).map_or(true, |left| left.remaining_burst_capacity() == 0);
        if !exhausted {
            return;
        }
        let now = Instant::now();
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if blocked.len() >= ADDRESSES_KEPT {
            blocked.retain(|_, until| *until > now);
        }
        // One more attempt comes back after so long.
        blocked.insert(key, now + counted.quota.replenish_interval());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meet::limits::{FAILED_LOGINS_PER_ADDRESS, FAILED_LOGINS_PER_MEET};

    fn usual() -> Attempts {
        Attempts::new(FAILED_LOGINS_PER_MEET, FAILED_LOGINS_PER_ADDRESS)
    }

    #[test]
    fn the_eleventh_failure_on_a_meet_waits_and_other_meets_do_not() {
        let attempts = usual();
        let (meet, other, hall) = (Some(MeetId::from_random(1)), Some(MeetId::from_random(2)), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..FAILED_LOGINS_PER_MEET.get() {
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
        let attempts = usual();
        let hall = IpAddr::from([192, 0, 2, 1]);
        for meet in 0..u64::from(FAILED_LOGINS_PER_ADDRESS.get()) {
            attempts.failed(Some(MeetId::from_random(meet)), hall);
        }
        assert!(attempts.wait(Some(MeetId::from_random(999)), hall).is_some());
    }

    #[test]
    fn another_number_counts_from_then_on_and_frees_nobody() {
        let attempts = usual();
        let few = NonZeroU32::new(2).unwrap();
        let (meet, waiting, fresh) = (Some(MeetId::from_random(1)), IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..FAILED_LOGINS_PER_MEET.get() {
            attempts.failed(meet, waiting);
        }
        attempts.allow(few, FAILED_LOGINS_PER_ADDRESS);
        assert!(attempts.wait(meet, waiting).is_some());
        attempts.failed(meet, fresh);
        assert_eq!(attempts.wait(meet, fresh), None);
        attempts.failed(meet, fresh);
        assert!(attempts.wait(meet, fresh).unwrap() > Duration::from_secs(20));
        // Reading the same configuration again changes nothing.
        attempts.allow(few, FAILED_LOGINS_PER_ADDRESS);
        assert!(attempts.wait(meet, fresh).is_some());
    }

    #[test]
    fn a_network_counts_as_one_address() {
        let network_of = |text: &str| network(text.parse().unwrap());
        assert_eq!(network_of("2001:db8::1"), network_of("2001:db8::ffff:1"));
        assert_ne!(network_of("2001:db8::1"), network_of("2001:db8:0:1::1"));
        assert_eq!(network_of("::ffff:192.0.2.1"), network_of("192.0.2.1"));
    }
}
