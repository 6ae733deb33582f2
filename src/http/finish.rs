//! Finishing a meet.

use axum::http::StatusCode;

use crate::wire::audience::Audience;
use crate::wire::message::{MeetFinished, Message, Status};
use crate::wire::problem::Problem;
use crate::wire::request::FinishMeet;

use super::access::Editor;
use super::body::OptionalJson;
use super::reply::{Answer, json};

/// `POST /v1/meets/{meetId}/finish`
pub(super) async fn post(editor: Editor, OptionalJson(request): OptionalJson<FinishMeet>) -> Answer {
    Ok(json(StatusCode::OK, &finish(&editor, request).await?))
}

/// Finishes the meet. Once it is finished, everyone is told the same.
pub(super) async fn finish(editor: &Editor, FinishMeet {}: FinishMeet) -> Result<Message, Problem> {
    let live = &editor.access.live;
    let finished_at = live.finish(editor.writer.clone()).await?;
    let head = live.committed.head_position(&Audience::Editor);
    Ok(Message::MeetFinished(MeetFinished {
        meet_id: live.id.to_string(),
        status: Status::Finished,
        finished_at,
        server_seq_num: head.server_seq_num,
        cursor: head.cursor,
    }))
}
