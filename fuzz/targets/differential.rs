//! The core against the naive oracle: a script of requests by several clients, with equal replies and states after each; then
//! whole commits, the same meet after a restart, and the same answers to everything that is sent again.
#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;
mod scripts;

use libfuzzer_sys::fuzz_target;
use oracle::hall::{Hall, face};
use oracle::request::{Reply, Request};

fuzz_target!(|input: &[u8]| {
    let script = scripts::from_bytes(input);
    let mut hall = Hall::new(script.tie_break);
    let mut told: Vec<Request> = Vec::new();
    script.play(|request| {
        let before = hall.meet.log().head();
        let reply = hall.send(request);
        assert!(matches!(reply, Reply::Applied(_)) || hall.meet.log().head() == before, "without effect: {reply}");
        told.push(request.clone());
        hall.meet.log().head()
    });
    hall.assert_commits_are_whole();

    let mut meet = hall.restarted();
    assert_eq!(face(&meet), face(&hall.meet), "after a restart");
    for request in told {
        let again = Request { if_head: None, ..request };
        assert_eq!(again.apply(&mut meet).0, hall.send(&again), "after a restart: {again:#?}");
    }
    assert_eq!(face(&meet), face(&hall.meet), "after a restart and all requests once more");
});
