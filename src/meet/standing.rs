//! Which updates stand: the index over keys in which conflicts are found.
//!
//! An update stands from its commit until a later one on its key or on an ancestor replaces it
//! (wire contract, section 5). The index is a tree over segments, so finding what an update
//! meets costs the length of its key plus what is new below it, never the length of the log.

use crate::mutant::{Mutant, planted};

use super::answers::WriterId;
use super::key::{Key, Segment};
use super::members::Members;
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
    children: Members<Node>,
}

/// What stands along a key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found<'a> {
    /// The newest update at the key or above it, with the depth of its own key.
    pub(super) above: Option<(usize, &'a Standing)>,
    /// The key's own place.
    node: Option<&'a Node>,
}

/// What a commit replaced, so that it can be taken back.
#[derive(Debug)]
pub(super) struct Replaced {
    /// What stood at the key and below it; `None` where there was no node.
    before: Option<Node>,
}

impl StandingIndex {
    /// Where a walk along a key starts.
    pub(super) fn top(&self) -> Found<'_> {
        Found { above: None, node: Some(&self.root) }
    }

    /// Lets `standing` stand at `key`, instead of all that stood there and below.
    pub(super) fn commit(&mut self, key: &Key, standing: Standing) -> Replaced {
        let is_lost = planted(Mutant::TombstoneLost) && standing.value.is_none();
        let seq = standing.seq;
        let node = Node { standing: Some(standing).filter(|_| !is_lost), ..Node::default() };
        Replaced { before: self.root.put(key.segments(), seq, node) }
    }

    /// [`Node::below`] on the way to `key`, as far as there are nodes: what [`StandingIndex::undo`] has to know of the time before.
    pub(super) fn belows(&self, key: &Key) -> Vec<u64> {
        let nodes = key.segments().iter().scan(Some(&self.root), |next, segment| {
            let node = next.take()?;
            *next = node.children.get(segment);
            Some(node.below)
        });
        nodes.collect()
    }

    /// Takes back the newest commit, made at `key`.
    pub(super) fn undo(&mut self, key: &Key, belows: &[u64], replaced: Replaced) {
        let before = replaced.before;
        let mut node = &mut self.root;
        for (depth, (segment, below)) in key.segments().iter().zip(belows).enumerate() {
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
}

impl<'a> Found<'a> {
    /// Goes on to a segment, which is at `depth`.
    pub(super) fn step(self, segment: &Segment, depth: usize) -> Found<'a> {
        let node = self.node.and_then(|node| node.children.get(segment));
        // Whatever stands deeper is newer: committing above it would have replaced it.
        let newer = node.and_then(|node| node.standing.as_ref()).map(|standing| (depth + 1, standing));
        Found { above: newer.or(self.above), node }
    }

    /// Calls `visit` with every update strictly below the key numbered above `after`,
    /// and with the segments that lead to it from there. In no particular order.
    pub(super) fn below(&self, after: u64, visit: &mut impl FnMut(&[&Segment], &'a Standing)) {
        if let Some(node) = self.node {
            node.below(after, &mut Vec::new(), visit);
        }
    }

    /// The newest update strictly below the key.
    pub(super) fn newest_below(&self) -> Option<u64> {
        self.node.map(|node| node.below).filter(|newest| *newest > 0)
    }
}

impl Node {
    /// Puts a node of number `seq` at `path` below this one. Gives what was there.
    fn put(&mut self, path: &[Segment], seq: u64, node: Node) -> Option<Node> {
        let Some((segment, rest)) = path.split_first() else { return Some(std::mem::replace(self, node)) };
        self.below = seq;
        if let Some(child) = self.children.get_mut(segment) {
            return child.put(rest, seq, node);
        }
        let between = |inner, segment: &Segment| Node { standing: None, below: seq, children: Members::one(segment.clone(), inner) };
        self.children.insert(segment.clone(), rest.iter().rev().fold(node, between));
        None
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

    fn find<'a>(index: &'a StandingIndex, at: &str) -> Found<'a> {
        key(at).segments().iter().enumerate().fold(index.top(), |found, (depth, segment)| found.step(segment, depth))
    }

    fn below(index: &StandingIndex, at: &str, after: u64) -> Vec<u64> {
        let mut found = Vec::new();
        find(index, at).below(after, &mut |_, standing| found.push(standing.seq));
        found.sort_unstable();
        found
    }

    #[test]
    fn a_commit_replaces_what_stood_at_and_below_its_key() {
        let index = index(&["a", "a.b", "a.b.c", "a.d", "a.b"]);
        assert_eq!(below(&index, "a", 0), [4, 5]);
        assert_eq!(below(&index, "a", 4), [5]);
        assert_eq!(below(&index, "a.b", 0), [] as [u64; 0]);
        let above = |at| find(&index, at).above.map(|(depth, standing)| (depth, standing.seq));
        assert_eq!(above("a.b.c"), Some((2, 5)));
        assert_eq!(above("a.x"), Some((1, 1)));
        assert_eq!(above("x"), None);
        assert_eq!(find(&index, "a").newest_below(), Some(5));
    }

    #[test]
    fn a_commit_can_be_taken_back() {
        let mut index = index(&["a", "a.b"]);
        let mut commit = |at, seq| (index.belows(&key(at)), index.commit(&key(at), standing(seq)));
        let (deep, top) = (commit("a.b.c.d", 3), commit("a", 4));
        index.undo(&key("a"), &top.0, top.1);
        assert_eq!(below(&index, "a", 0), [2, 3]);
        assert_eq!(find(&index, "a").newest_below(), Some(3));
        index.undo(&key("a.b.c.d"), &deep.0, deep.1);
        assert_eq!(below(&index, "a", 0), [2]);
        assert!(find(&index, "a.b.c").node.is_none());
        assert_eq!(find(&index, "a").newest_below(), Some(2));
    }
}
