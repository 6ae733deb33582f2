//! Labels: closed sets of values, so that the number of series is known and nothing that a client
//! sends ever becomes one.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

use crate::meet::outcome::UpdateCode;
use crate::wire::problem::Code;

/// One label with all its values.
pub(super) trait Label: Copy + fmt::Debug + Send + Sync + 'static {
    /// The label.
    const NAME: &'static str;
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value as it is shown.
    fn value(self) -> &'static str;
    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Defines an enum that is a [`Label`].
macro_rules! label {
    ($(#[$about:meta])* $name:ident, $label:literal, { $($(#[$meaning:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meaning])* $variant,)+
        }

        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [$name] = &[$($name::$variant,)+];

            fn value(self) -> &'static str {
                match self {
                    $($name::$variant => $value,)+
                }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// What a connection speaks.
    Protocol, "protocol", {
        /// Nothing has been asked yet.
        Silent = "none",
        /// HTTP/1.0 or HTTP/1.1.
        Http1 = "http/1.1",
        /// HTTP/2.
        Http2 = "http/2",
    }
}

label! {
    /// How a reader is kept up to date.
    Transport, "transport", {
        /// Server-Sent Events.
        Sse = "sse",
        /// Lines of JSON.
        Ndjson = "ndjson",
        /// A request that waits for news.
        LongPoll = "long-poll",
        /// A WebSocket.
        Socket = "websocket",
    }
}

label! {
    /// Who reads.
    Role, "role", {
        /// The holder of a session.
        Editor = "editor",
        /// The holder of a view key.
        Viewer = "viewer",
    }
}

label! {
    /// Why a reader could not just go on.
    Restart, "reason", {
        /// The server stops.
        Shutdown = "shutdown",
        /// The session or view key has lived its time.
        Expired = "expired",
        /// The session was ended, the view key deleted, or the meet removed.
        Revoked = "revoked",
        /// The meet was finished: the stream has said so, and stays open.
        Finished = "finished",
        /// The reader had asked for an end.
        MaxSeconds = "max-seconds",
        /// A socket asked to go on from another place.
        Replaced = "replaced",
        /// The connection ended, or was cut because it accepted nothing.
        Gone = "gone",
        /// The cursor belongs to another history: the reader starts over from the state.
        Reset = "reset",
        /// The cursor is above the head: the server has lost entries.
        ServerPull = "server-pull",
    }
}

label! {
    /// What became of a batch.
    Verdict, "outcome", {
        /// Answered update by update.
        Applied = "applied",
        /// An atomic batch met a refusal.
        Conflict = "conflict",
        /// `ifHead` names a head that moved.
        Stale = "stale",
        /// The meet is finished.
        Finished = "finished",
        /// A cursor is not of this log.
        Lost = "lost",
    }
}

label! {
    /// How an update was acked.
    Acked, "answer", {
        /// A new entry of the log.
        Committed = "committed",
        /// What it wanted stood already.
        Merged = "merged",
        /// A resend, answered from memory.
        Duplicate = "duplicate",
    }
}

label! {
    /// What became of a login.
    Login, "result", {
        /// A session was opened.
        Ok = "ok",
        /// Meet id and password do not go together.
        Failed = "failed",
        /// The password was right, and the meet has no such location.
        NoLocation = "no-location",
        /// The address had failed too often.
        Limited = "limited",
        /// Too many passwords were being checked.
        Busy = "busy",
    }
}

label! {
    /// Why an open meet takes no updates.
    ReadOnly, "reason", {
        /// Its disk failed; it goes on by itself when the disk works again.
        Disk = "disk",
        /// Its log is damaged.
        Damage = "damage",
    }
}

label! {
    /// How a request was made.
    Method, "method", {
        /// GET
        Get = "GET",
        /// HEAD
        Head = "HEAD",
        /// POST
        Post = "POST",
        /// DELETE
        Delete = "DELETE",
        /// Anything else, whatever it was.
        Other = "other",
    }
}

impl Label for Code {
    const NAME: &'static str = "code";
    const ALL: &'static [Code] = &Code::ALL;

    fn value(self) -> &'static str {
        self.facts().code
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Label for UpdateCode {
    const NAME: &'static str = "code";
    const ALL: &'static [UpdateCode] = &UpdateCode::ALL;

    fn value(self) -> &'static str {
        self.as_str()
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// One label, or two at once.
pub(super) trait Labels: Copy + fmt::Debug + Send + Sync + 'static {
    /// Every combination, in the order of [`Labels::index`].
    fn all() -> Vec<Self>;
    /// Its place among them.
    fn index(self) -> usize;
    /// Names and values.
    fn pairs(self) -> Vec<(&'static str, &'static str)>;
}

impl<L: Label> Labels for L {
    fn all() -> Vec<L> {
        L::ALL.to_vec()
    }

    fn index(self) -> usize {
        Label::index(self)
    }

    fn pairs(self) -> Vec<(&'static str, &'static str)> {
        vec![(L::NAME, self.value())]
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    fn all() -> Vec<(A, B)> {
        A::ALL.iter().flat_map(|a| B::ALL.iter().map(|b| (*a, *b))).collect()
    }

    fn index(self) -> usize {
        self.0.index() * B::ALL.len() + self.1.index()
    }

    fn pairs(self) -> Vec<(&'static str, &'static str)> {
        vec![(A::NAME, self.0.value()), (B::NAME, self.1.value())]
    }
}

/// A metric for each value of a label. All of them are there from the start: a series that appears
/// with its first event would hide that event from `rate()`.
#[derive(Debug)]
pub(super) struct Each<L, M>(Arc<[(L, M)]>);

impl<L, M> Clone for Each<L, M> {
    fn clone(&self) -> Self {
        Each(Arc::clone(&self.0))
    }
}

impl<L: Labels, M: Default> Default for Each<L, M> {
    fn default() -> Self {
        Each(L::all().into_iter().map(|labels| (labels, M::default())).collect())
    }
}

impl<L: Labels, M> Each<L, M> {
    /// The metric with these labels.
    pub(super) fn of(&self, labels: L) -> &M {
        &self.0[labels.index()].1
    }
}

impl<L: Labels, M: EncodeMetric + TypedMetric> EncodeMetric for Each<L, M> {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        self.0.iter().try_for_each(|(labels, metric)| metric.encode(encoder.encode_family(&labels.pairs())?))
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check<L: Labels>() {
        let all = L::all();
        for (place, labels) in all.iter().enumerate() {
            assert_eq!(labels.index(), place, "{labels:?}");
        }
        let shown: BTreeSet<_> = all.iter().map(|labels| labels.pairs()).collect();
        assert_eq!(shown.len(), all.len(), "two look the same");
    }

    #[test]
    fn every_value_has_a_place_and_a_name_of_its_own() {
        check::<Protocol>();
        check::<(Transport, Role)>();
        check::<Restart>();
        check::<Verdict>();
        check::<Acked>();
        check::<Login>();
        check::<ReadOnly>();
        check::<Method>();
        check::<Code>();
        check::<UpdateCode>();
    }

    #[test]
    fn codes_are_shown_as_on_the_wire() {
        for code in UpdateCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.value());
        }
    }
}
