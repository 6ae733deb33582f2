//! Concurrent changes in every order of arrival.

use proptest::prelude::*;

use super::super::settings::TieBreak;
use super::hall::{Hall, hall, hall_with};
use super::request::{DESK, DIRECTOR, LEFT, Request, Who, set};
use super::scripts::{concurrent_changes, tie_break};

/// Every order of the requests, each of whose makers had seen the log up to `head`.
fn orders(requests: &[Request], head: u64) -> Vec<Vec<Request>> {
    if requests.is_empty() {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for at in 0..requests.len() {
        let mut rest = requests.to_vec();
        let first = rest.remove(at).seen(head);
        let behind = orders_behind(&first, &rest, head);
        orders.extend(behind);
    }
    orders
}

fn orders_behind(first: &Request, rest: &[Request], head: u64) -> impl Iterator<Item = Vec<Request>> {
    orders(rest, head).into_iter().map(|order| [vec![first.clone()], order].concat())
}

fn state_after(mut hall: Hall, order: &[Request]) -> String {
    order.iter().for_each(|request| drop(hall.send(request)));
    hall.state()
}

const VALUES: [&str; 6] = ["1", "2", "null", "{}", "{\"x\":1}", "[1]"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_highest_priority_wins_one_key_in_every_order(
        tie_break in tie_break(),
        key in prop::sample::select(&["a", "a.x", "b.list[0]", "new.one"][..]),
        values in Just(VALUES).prop_shuffle(),
        count in 2..=4_usize,
    ) {
        let chief = Who { location: "chief", client: "chief", priority: 9 };
        let writers = [DESK, LEFT, DIRECTOR, chief];
        let requests: Vec<_> = writers.iter().zip(values).take(count).map(|(who, value)| who.sends([set(key, value)])).collect();
        let start = || hall_with(tie_break, [("a", "{\"x\":0}"), ("b.list", "[0]")]);
        let highest = state_after(start(), &requests[count - 1..]);
        for order in orders(&requests, 2) {
            prop_assert_eq!(state_after(start(), &order), highest.clone());
        }
    }

    /// `Hall::send` compares with the oracle.
    #[test]
    fn overlapping_keys_removals_and_ties_are_as_the_oracle_says_in_every_order(
        tie_break in tie_break(),
        requests in concurrent_changes(),
        started in any::<bool>(),
    ) {
        let start = if started { "{\"list\":[{\"y\":0},7],\"x\":{\"y\":0}}" } else { "{}" };
        for order in orders(&requests, 1) {
            state_after(hall_with(tie_break, [("a", start)]), &order);
        }
    }
}

#[test]
fn the_first_or_the_last_of_equals_wins() {
    let requests = [LEFT, super::request::RIGHT].map(|who| who.sends([set("a", if who == LEFT { "\"left\"" } else { "\"right\"" })]));
    let states = |tie_break| orders(&requests, 0).iter().map(|order| state_after(hall_with(tie_break, []), order)).collect::<Vec<_>>();
    let (left, right) = ("{\"a\":\"left\"}".to_owned(), "{\"a\":\"right\"}".to_owned());
    assert_eq!(states(TieBreak::Incumbent), [left.clone(), right.clone()]);
    assert_eq!(states(TieBreak::Latest), [right, left]);
    assert_eq!(hall([]).state(), "{}");
}
