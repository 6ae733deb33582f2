//! What the core answers, as clients read it.

use crate::client::channel::{Answer, Reply};
use crate::meet::log::Log;
use crate::meet::outcome::{LostCursor, Outcome, Rejection};
use crate::wire::reply::{ReceivedRejection, ReceivedStanding};

pub(super) fn lost_answer(log: &Log, lost: LostCursor) -> Answer {
    let head = log.head_cursor();
    match lost {
        LostCursor::AboveHead(_) => Answer::ServerBehind { head },
        LostCursor::Foreign(_) => Answer::HistoryChanged { head },
    }
}

pub(super) fn told(outcomes: Vec<Outcome>) -> Reply {
    let mut reply = Reply::default();
    for outcome in outcomes {
        match outcome {
            Outcome::Acked(ack) => reply.acks.push(ack),
            Outcome::Refused(rejection) => reply.rejections.push(refused(rejection)),
        }
    }
    reply
}

pub(super) fn refused(rejection: Rejection) -> ReceivedRejection {
    let Rejection { local_seq_num, index, conflict, reason, code, standing } = rejection;
    let standing = standing.map(|standing| {
        let fields = &standing.entry.fields;
        ReceivedStanding {
            server_seq_num: fields.server_seq_num,
            update_key: fields.update_key.to_string(),
            update_value: (!standing.without_value).then(|| fields.update_value.clone()),
            location_name: fields.location_name.to_string(),
            priority: fields.priority,
        }
    });
    ReceivedRejection { local_seq_num, index, conflict, reason, code, standing }
}
