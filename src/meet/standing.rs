//! Which updates stand: the index over keys in which conflicts are found.
//!
//! An update stands from its commit until a later one on its key or on an ancestor replaces it
//! (wire contract, section 5). The index is a tree over segments, so finding what an update
//! meets costs the length of its key plus what is new below it, never the length of the log.

use std::collections::HashMap;

use crate::mutant::{Mutant, planted};

use super::answers::WriterId;
use super::key::{Key, Segment};
use super::value::Value;

/// One update that stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) seq: u64,
    pub(super) writer: WriterId,
    pub(super) priority: i64,
    /// What it set; `None` for a removal, which stands too.
    pub(super) value: Option<Value>,
}

/// The updates that stand, by key.
#[derive(Debug, Default)]
pub(super) struct StandingIndex {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    standing: Option<Standing>,
    /// The highest number that stands strictly below, so that a look for unseen ones can stop here.
    below: u64,
    children: HashMap<Segment, Node>,
}

/// What a commit replaced, so that it can be taken back.
#[derive(Debug)]
pub(super) struct Replaced {
    /// What [`Node::below`] was on the way to the key, as far as there were nodes.
    belows: Vec<u64>,
    /// What stood at the key and below it; `None` where there was no node.
    before: Option<Node>,
}

impl StandingIndex {
    /// The newest update at `key` or above it, with the depth of its own key.
    pub(super) fn at_or_above(&self, key: &Key) -> Option<(usize, &Standing)> {
        // Whatever stands deeper is newer: committing above it would have replaced it.
        let mut node = &self.root;
        let mut newest = None;
        for (depth, segment) in key.segments().iter().enumerate() {
            match node.children.get(segment) {
                Some(child) => node = child,
                None => break,
            }
            newest = node.standing.as_ref().map(|standing| (depth + 1, standing)).or(newest);
        }
        newest
    }

    /// Calls `visit` with every update strictly below `key` numbered above `after`,
    /// and with the segments that lead to it from there. In no particular order.
    pub(super) fn below<'a>(&'a self, key: &Key, after: u64, visit: &mut impl FnMut(&[&Segment], &'a Standing)) {
        if let Some(node) = self.node(key) {
            node.below(after, &mut Vec::new(), visit);
        }
    }

    /// The newest update strictly below `key`.
    pub(super) fn newest_below(&self, key: &Key) -> Option<u64> {
        self.node(key).map(|node| node.below).filter(|newest| *newest > 0)
    }

    /// Lets `standing` stand at `key`, instead of all that stood there and below.
    pub(super) fn commit(&mut self, key: &Key, standing: Standing) -> Replaced {
        let mut belows = Vec::with_capacity(key.segments().len());
        let before = self.root.commit(key.segments(), standing, &mut belows);
        Replaced { belows, before }
    }

    /// Takes back the newest commit, made at `key`.
    pub(super) fn undo(&mut self, key: &Key, replaced: Replaced) {
        let Replaced { belows, before } = replaced;
        let mut node = &mut self.root;
        for (depth, (segment, below)) in key.segments().iter().zip(&belows).enumerate() {
            node.below = *below;
            if depth + 1 == belows.len() && before.is_none() {
                node.children.remove(segment);
                return;
            }
            match node.children.get_mut(segment) {
                Some(child) => node = child,
                None => return,
            }
        }
        *node = before.unwrap_or_default();
    }

    fn node(&self, key: &Key) -> Option<&Node> {
        key.segments().iter().try_fold(&self.root, |node, segment| node.children.get(segment))
    }
}

impl Node {
    fn standing(standing: Standing) -> Node {
        let is_lost = planted(Mutant::TombstoneLost) && standing.value.is_none();
        Node { standing: Some(standing).filter(|_| !is_lost), ..Node::default() }
    }

    /// Lets `standing` stand below this node, and gives what stood there, where there was a node.
    fn commit(&mut self, path: &[Segment], standing: Standing, belows: &mut Vec<u64>) -> Option<Node> {
        let Some((segment, rest)) = path.split_first() else { return Some(std::mem::replace(self, Node::standing(standing))) };
        belows.push(self.below);
        self.below = standing.seq;
        // Nearly always there is one, and finding it costs no copy of the segment.
        match self.children.get_mut(segment) {
            Some(child) => child.commit(rest, standing, belows),
            None => {
                self.children.insert(segment.clone(), Node::leading_to(rest, standing));
                None
            }
        }
    }

    /// New nodes down to where `standing` stands.
    fn leading_to(path: &[Segment], standing: Standing) -> Node {
        let below = standing.seq;
        let above = |inner, segment: &Segment| Node { standing: None, below, children: HashMap::from([(segment.clone(), inner)]) };
        path.iter().rev().fold(Node::standing(standing), above)
    }

    /// The highest number that stands here or below.
    fn newest(&self) -> u64 {
        self.standing.as_ref().map_or(0, |standing| standing.seq).max(self.below)
    }

    fn below<'a>(&'a self, after: u64, path: &mut Vec<&'a Segment>, visit: &mut impl FnMut(&[&Segment], &'a Standing)) {
        for (segment, child) in self.children.iter().filter(|(_, child)| child.newest() > after) {
            path.push(segment);
            if let Some(standing) = child.standing.as_ref().filter(|standing| standing.seq > after) {
                visit(path, standing);
            }
            child.below(after, path, visit);
            path.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    fn standing(seq: u64) -> Standing {
        Standing { seq, writer: WriterId::default(), priority: 0, value: None }
    }

    fn index(keys: &[&str]) -> StandingIndex {
        let mut index = StandingIndex::default();
        for (at, text) in keys.iter().enumerate() {
            index.commit(&key(text), standing(at as u64 + 1));
        }
        index
    }

    fn below(index: &StandingIndex, at: &str, after: u64) -> Vec<u64> {
        let mut found = Vec::new();
        index.below(&key(at), after, &mut |_, standing| found.push(standing.seq));
        found.sort_unstable();
        found
    }

    #[test]
    fn a_commit_replaces_what_stood_at_and_below_its_key() {
        let index = index(&["a", "a.b", "a.b.c", "a.d", "a.b"]);
        assert_eq!(below(&index, "a", 0), [4, 5]);
        assert_eq!(below(&index, "a", 4), [5]);
        assert_eq!(below(&index, "a.b", 0), [] as [u64; 0]);
        let above = |at| index.at_or_above(&key(at)).map(|(depth, standing)| (depth, standing.seq));
        assert_eq!(above("a.b.c"), Some((2, 5)));
        assert_eq!(above("a.x"), Some((1, 1)));
        assert_eq!(above("x"), None);
        assert_eq!(index.newest_below(&key("a")), Some(5));
    }

    #[test]
    fn a_commit_can_be_taken_back() {
        let mut index = index(&["a", "a.b"]);
        let deep = index.commit(&key("a.b.c.d"), standing(3));
        let top = index.commit(&key("a"), standing(4));
        index.undo(&key("a"), top);
        assert_eq!(below(&index, "a", 0), [2, 3]);
        assert_eq!(index.newest_below(&key("a")), Some(3));
        index.undo(&key("a.b.c.d"), deep);
        assert_eq!(below(&index, "a", 0), [2]);
        assert!(index.node(&key("a.b.c")).is_none());
        assert_eq!(index.newest_below(&key("a")), Some(2));
    }
}
