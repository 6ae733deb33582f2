//! Members by name: of an object in the state, and of a place in the index of what stands.

use std::mem;

use hashbrown::HashMap;

use super::key::Segment;
use super::limits::MEMBERS_FEW;

/// Members by name, each of which is found at the same cost however many there are.
///
/// A few stand in canonical order. Many are hashed and have no order until somebody asks for it: an
/// ordered tree of a hundred thousand names is twenty comparisons deep, each in memory that no cache holds.
#[derive(Clone, Debug)]
pub struct Members<V>(Kept<V>);

#[derive(Clone, Debug)]
enum Kept<V> {
    /// In canonical order.
    Few(Box<[(Segment, V)]>),
    /// More than [`MEMBERS_FEW`], or there were once.
    Many(Box<HashMap<Segment, V>>),
}

impl<V> Members<V> {
    /// No members.
    pub fn new() -> Members<V> {
        Members(Kept::Few(Box::default()))
    }

    /// One member.
    pub fn one(name: Segment, value: V) -> Members<V> {
        Members(Kept::Few([(name, value)].into()))
    }

    /// Members in any order. Gives back a name that occurs twice.
    ///
    /// # Errors
    /// That name.
    pub(super) fn collect(mut members: Vec<(Segment, V)>) -> Result<Members<V>, Segment> {
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(at) = members.windows(2).position(|pair| pair[0].0 == pair[1].0) {
            return Err(members.swap_remove(at).0);
        }
        let mut members = Members(Kept::Few(members.into()));
        members.hash_many();
        Ok(members)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Few(few) => few.len(),
            Kept::Many(many) => many.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member of this name.
    pub fn get(&self, name: &Segment) -> Option<&V> {
        match &self.0 {
            Kept::Few(few) => place(few, name).ok().map(|at| &few[at].1),
            Kept::Many(many) => many.get(name),
        }
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, name: &Segment) -> Option<&mut V> {
        match &mut self.0 {
            Kept::Few(few) => place(few, name).ok().map(|at| &mut few[at].1),
            Kept::Many(many) => many.get_mut(name),
        }
    }

    /// Puts a member there. Gives the one that had the name.
    pub fn insert(&mut self, name: Segment, value: V) -> Option<V> {
        let few = match &mut self.0 {
            Kept::Few(few) => few,
            Kept::Many(many) => return many.insert(name, value),
        };
        match place(few, &name) {
            Ok(at) => Some(mem::replace(&mut few[at].1, value)),
            Err(at) => {
                change(few, |few| {
                    few.reserve_exact(1);
                    few.insert(at, (name, value));
                });
                self.hash_many();
                None
            }
        }
    }

    fn hash_many(&mut self) {
        if let Kept::Few(few) = &mut self.0
            && few.len() > MEMBERS_FEW
        {
            self.0 = Kept::Many(Box::new(mem::take(few).into_iter().collect()));
        }
    }

    /// Takes a member away.
    pub fn remove(&mut self, name: &Segment) -> Option<V> {
        match &mut self.0 {
            Kept::Few(few) => place(few, name).ok().map(|at| change(few, |few| few.remove(at).1)),
            Kept::Many(many) => many.remove(name),
        }
    }

    /// Takes away all members but those of these names.
    pub fn retain(&mut self, mut stays: impl FnMut(&Segment) -> bool) {
        match &mut self.0 {
            Kept::Few(few) => change(few, |few| few.retain(|(name, _)| stays(name))),
            Kept::Many(many) => many.retain(|name, _| stays(name)),
        }
    }

    /// All members, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Segment, &V)> {
        let (few, many) = match &self.0 {
            Kept::Few(few) => (Some(few), None),
            Kept::Many(many) => (None, Some(many)),
        };
        few.into_iter().flat_map(|few| few.iter()).map(|(name, value)| (name, value)).chain(many.into_iter().flat_map(|many| many.iter()))
    }

    /// All members, in the order of RFC 8785.
    pub fn in_order(&self) -> Vec<(&Segment, &V)> {
        let mut members: Vec<_> = self.iter().collect();
        if let Kept::Many(_) = self.0 {
            members.sort_unstable_by_key(|(name, _)| *name);
        }
        members
    }

    /// All values, to change them, in no particular order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let (few, many) = match &mut self.0 {
            Kept::Few(few) => (Some(few), None),
            Kept::Many(many) => (None, Some(many)),
        };
        few.into_iter().flat_map(|few| few.iter_mut()).map(|(_, value)| value).chain(many.into_iter().flat_map(|many| many.values_mut()))
    }
}

/// They take no more memory than they need, for most objects are small and there are many.
fn change<T, R>(few: &mut Box<[T]>, change: impl FnOnce(&mut Vec<T>) -> R) -> R {
    let mut members = mem::take(few).into_vec();
    let changed = change(&mut members);
    *few = members.into();
    changed
}

/// Where a name stands among a few, or would.
fn place<V>(few: &[(Segment, V)], name: &Segment) -> Result<usize, usize> {
    few.binary_search_by(|(at, _)| at.cmp(name))
}

impl<V> Default for Members<V> {
    fn default() -> Self {
        Members::new()
    }
}

/// However they are kept.
impl<V: PartialEq> PartialEq for Members<V> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kept::Few(a), Kept::Few(b)) => a == b,
            _ => self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// An ordered map says what they must hold, on both sides of the number from which they are hashed.
        #[test]
        fn they_hold_what_an_ordered_map_holds(
            first in 0..2 * MEMBERS_FEW,
            steps in prop::collection::vec((any::<bool>(), "[a-z\u{e000}\u{10000}]{0,2}", any::<u8>()), 0..200),
        ) {
            let (mut ours, mut theirs) = (Members::new(), BTreeMap::new());
            let steps = (0..first).map(|n| (true, n.to_string(), 0)).chain(steps);
            for (puts, name, value) in steps {
                let name = Segment::from(name.as_str());
                let (was, must) = match puts {
                    true => (ours.insert(name.clone(), value), theirs.insert(name.clone(), value)),
                    false => (ours.remove(&name), theirs.remove(&name)),
                };
                prop_assert_eq!(was, must);
                prop_assert_eq!(ours.get(&name), theirs.get(&name));
                prop_assert_eq!(ours.get_mut(&name), theirs.get_mut(&name));
            }
            prop_assert_eq!(ours.len(), theirs.len());
            prop_assert_eq!(ours.in_order(), theirs.iter().collect::<Vec<_>>());
            prop_assert_eq!(ours.iter().collect::<BTreeMap<_, _>>(), theirs.iter().collect());
            let collected = Members::collect(theirs.clone().into_iter().rev().collect()).unwrap();
            prop_assert_eq!(&collected, &ours);
            prop_assert_eq!(&ours, &collected);
            ours.values_mut().for_each(|value| *value = 1);
            ours.retain(|name| name.is_index());
            prop_assert_eq!(ours.in_order(), theirs.keys().filter(|name| name.is_index()).map(|name| (name, &1)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn as_many_but_others_are_not_equal() {
        for count in [1, 2, MEMBERS_FEW, MEMBERS_FEW + 1] {
            let all = |last: &str, value| {
                let names = (1..count).map(|n| (Segment::from(n.to_string().as_str()), 0));
                Members::collect(names.chain([(Segment::from(last), value)]).collect()).unwrap()
            };
            assert_eq!(all("x", 1), all("x", 1));
            assert_ne!(all("x", 1), all("x", 2));
            assert_ne!(all("x", 1), all("y", 1));
        }
    }

    #[test]
    fn a_name_that_occurs_twice_is_given_back() {
        for between in [0, 2 * MEMBERS_FEW] {
            let names = (0..between).map(|n| n.to_string()).chain(["a".to_owned(), "b".to_owned(), "a".to_owned()]);
            let twice = Members::collect(names.map(|name| (Segment::from(name.as_str()), 0)).collect());
            assert_eq!(twice.map(|members| members.len()), Err(Segment::from("a")));
        }
    }
}
