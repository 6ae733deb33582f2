//! Bodies of requests: never a panic; what an update says stays the same when it is written anew in canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liftrelay::meet::limits::{SEQ_END, VALUE_MAX_BYTES};
use liftrelay::meet::update::{Op, Proposal};
use liftrelay::meet::value::Value;
use liftrelay::wire::request::{
    ClientPull, CreateMeet, CreateViewKey, Envelope, FinishMeet, FromObject, JoinMeet, PublishMeet, Push, RestoreMeet, Sync, Update,
};
use serde_json::json;

fn check(update: &Update) {
    let proposal = &update.proposal;
    assert!(proposal.local_seq_num.is_none_or(|number| number < SEQ_END));
    match &proposal.content {
        Err(unreadable) => assert!(!unreadable.reason.is_empty()),
        Ok(content) => {
            assert_eq!(content.value.is_none(), proposal.op == Op::Remove);
            let value = content.text.get().to_owned();
            assert!(value.len() <= VALUE_MAX_BYTES);
            assert_eq!(Value::parse(&value).map(|again| again.canonical()), Ok(value.clone()), "canonical text is a fixed point");
            same_when_written_anew(proposal, content.key.as_str(), &value);
        }
    }
}

fn same_when_written_anew(proposal: &Proposal, key: &str, value: &str) {
    let value: Box<serde_json::value::RawValue> = serde_json::from_str(value).expect("canonical text is JSON");
    let after = proposal.after.map(|cursor| cursor.to_string());
    let written = json!({"updateKey": key, "op": proposal.op, "localSeqNum": proposal.local_seq_num, "afterServerSeqNum": after});
    let text = format!("{{\"updateValue\":{value},{}", &written.to_string()[1..]);
    let again = serde_json::from_str::<FromObject<Update>>(&text).expect("what was taken is taken again").0.proposal;
    assert_eq!(again.fingerprint(), proposal.fingerprint(), "{text}");
    assert_eq!((again.op, again.local_seq_num, again.after), (proposal.op, proposal.local_seq_num, proposal.after));
}

/// Whether `T` can be read from the body; an error says something.
fn read<T: for<'de> serde::Deserialize<'de>>(body: &[u8]) -> Option<T> {
    match serde_json::from_slice::<FromObject<T>>(body) {
        Ok(FromObject(read)) => Some(read),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fuzz_target!(|body: &[u8]| {
    let pushed = read::<Push>(body).map(|push| push.updates);
    let synced = read::<Sync>(body).map(|sync| sync.updates);
    pushed.iter().chain(&synced).flatten().for_each(check);
    read::<Update>(body).iter().for_each(check);
    if let Some(meet) = read::<CreateMeet>(body) {
        let within = |priority: i64| priority.unsigned_abs() < SEQ_END;
        assert!(meet.locations.iter().all(|location| within(location.priority)));
    }
    let _ = (read::<JoinMeet>(body), read::<CreateViewKey>(body), read::<Envelope>(body), read::<ClientPull>(body));
    let _ = (read::<FinishMeet>(body), read::<PublishMeet>(body), read::<RestoreMeet>(body));
});
