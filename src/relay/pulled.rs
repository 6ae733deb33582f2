//! Pages as the bodies of answers: whoever asks for the same page gets the same bytes.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::meet::limits::PULLED_MAX_BYTES;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) after: u64,
    pub(super) limit: usize,
    pub(super) is_editor: bool,
}

/// A page that was encoded.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// The number of its last entry, or where its reader stays.
    pub(super) last: u64,
}

/// The newest of them, as many as fit, until a page would say something else.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    kept: VecDeque<(Asked, Body)>,
    bytes: usize,
    /// Changes with what pages say.
    edition: u64,
}

impl Pulled {
    /// Pages say something else from now on.
    pub(super) fn forget(&mut self) {
        *self = Pulled { edition: self.edition + 1, ..Pulled::default() };
    }

    /// The page, where it is at hand, and which edition it would belong to.
    pub(super) fn find(&self, asked: Asked) -> (Option<Body>, u64) {
        let known = self.kept.iter().find(|(kept, _)| *kept == asked).map(|(_, body)| body.clone());
        (known, self.edition)
    }

    /// Keeps a page that was encoded after somebody did not find it in this edition.
    pub(super) fn keep(&mut self, asked: Asked, body: Body, edition: u64) {
        if edition != self.edition || self.find(asked).0.is_some() || body.bytes.len() > PULLED_MAX_BYTES {
            return;
        }
        self.bytes += body.bytes.len();
        self.kept.push_back((asked, body));
        while self.bytes > PULLED_MAX_BYTES {
            let Some((_, oldest)) = self.kept.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(after: u64) -> Asked {
        Asked { after, limit: 1, is_editor: true }
    }

    fn body(bytes: usize) -> Body {
        Body { bytes: vec![b' '; bytes].into(), last: 1 }
    }

    #[test]
    fn the_oldest_make_room_and_what_alone_is_too_large_is_not_kept() {
        let mut pulled = Pulled::default();
        for after in 0..3 {
            pulled.keep(asked(after), body(PULLED_MAX_BYTES / 2), 0);
        }
        pulled.keep(asked(3), body(PULLED_MAX_BYTES + 1), 0);
        let at_hand: Vec<bool> = (0..4).map(|after| pulled.find(asked(after)).0.is_some()).collect();
        assert_eq!(at_hand, [false, true, true, false]);
        assert!(pulled.find(Asked { is_editor: false, ..asked(1) }).0.is_none(), "viewers are sent something else");
    }

    #[test]
    fn what_was_encoded_before_something_changed_is_not_kept_after_it() {
        let mut pulled = Pulled::default();
        let (_, edition) = pulled.find(asked(0));
        pulled.forget();
        pulled.keep(asked(0), body(1), edition);
        assert!(pulled.find(asked(0)).0.is_none());
        pulled.keep(asked(0), body(1), pulled.edition);
        assert!(pulled.find(asked(0)).0.is_some());
        pulled.forget();
        assert!(pulled.find(asked(0)).0.is_none());
    }
}
