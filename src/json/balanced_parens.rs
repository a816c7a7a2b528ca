//! The shape of a tree as balanced parentheses, two bits a node: an opening and a closing parenthesis, with shortcuts to find their partners.
//!
//! Nodes are numbered in document order. Where a parenthesis closes is where the depth first falls back; the least
//! depth of every block, and of every 32 blocks, and so on, lets whole stretches be skipped.

use crate::json::rank_select::{BLOCK, RankSelect, RankSelectBuilder};

/// Entries under one entry of the next level.
const FAN: usize = 32;

/// A finished tree.
#[derive(Debug, Clone, Default)]
pub struct BalancedParens {
    parens: RankSelect,
    /// The least depth after any bit of a block; then of every `FAN` entries below.
    least: Vec<Vec<u32>>,
}

/// A tree being written.
#[derive(Debug, Default)]
pub struct BalancedParensBuilder {
    parens: RankSelectBuilder,
}

impl BalancedParensBuilder {
    /// A node begins.
    pub fn open(&mut self) {
        self.parens.push(true);
    }

    /// The innermost open node ends.
    pub fn close(&mut self) {
        self.parens.push(false);
    }

    /// The finished tree. Every node that was opened must have been closed.
    pub fn build(self) -> BalancedParens {
        let parens = self.parens.build();
        let mut depth: i64 = 0;
        let mut blocks = Vec::with_capacity(parens.len().div_ceil(BLOCK));
        for start in (0..parens.len()).step_by(BLOCK) {
            let end = parens.len().min(start + BLOCK);
            let mut least = i64::MAX;
            for first in (start..end).step_by(64) {
                let mut word = parens.word(first / 64);
                for _ in first..end.min(first + 64) {
                    depth += 2 * i64::from(word & 1 == 1) - 1;
                    least = least.min(depth);
                    word >>= 1;
                }
            }
            blocks.push(u32::try_from(least.max(0)).unwrap_or(u32::MAX));
        }
        let mut least = vec![blocks];
        while let Some(below) = least.last().filter(|below| below.len() > 1) {
            let above = below.chunks(FAN).map(|some| some.iter().copied().min().unwrap_or(0)).collect();
            least.push(above);
        }
        BalancedParens { parens, least }
    }
}

impl BalancedParens {
    pub fn nodes(&self) -> usize {
        self.parens.ones()
    }

    /// Memory used, in bytes.
    pub fn bytes(&self) -> usize {
        self.parens.bytes() + self.least.iter().map(|level| level.capacity() * 4).sum::<usize>()
    }

    /// How many nodes a node is inside of.
    pub fn depth(&self, node: usize) -> usize {
        usize::try_from(self.depth_at(self.parens.select(node))).unwrap_or(0)
    }

    /// The first node after a node and all it holds; the number of nodes if there is none.
    pub fn end(&self, node: usize) -> usize {
        let open = self.parens.select(node);
        if !self.parens.get(open + 1) {
            return node + 1;
        }
        self.parens.rank(self.close_of(open))
    }

    /// Whether a node holds others.
    pub fn has_children(&self, node: usize) -> bool {
        self.parens.get(self.parens.select(node) + 1)
    }

    pub fn parent(&self, node: usize) -> Option<usize> {
        let open = self.parens.select(node);
        let depth = self.depth_at(open);
        (depth > 0).then(|| self.parens.rank(self.last_at_most(open, depth - 1)))
    }

    /// The node after it in its parent.
    pub fn next_sibling(&self, node: usize) -> Option<usize> {
        let after = self.close_of(self.parens.select(node)) + 1;
        self.parens.get(after).then(|| self.parens.rank(after))
    }

    /// The node before it in its parent.
    pub fn previous_sibling(&self, node: usize) -> Option<usize> {
        let before = self.parens.select(node).checked_sub(1)?;
        (!self.parens.get(before)).then(|| self.node_closed_at(before))
    }

    pub fn last_child(&self, node: usize) -> Option<usize> {
        if !self.has_children(node) {
            return None;
        }
        let close = self.close_of(self.parens.select(node));
        close.checked_sub(1).map(|before| self.node_closed_at(before))
    }

    fn node_closed_at(&self, close: usize) -> usize {
        // A leaf, the usual case, is a pair of neighbours.
        let open = match close.checked_sub(1) {
            Some(before) if self.parens.get(before) => before,
            _ => self.last_at_most(close, self.depth_at(close + 1)),
        };
        self.parens.rank(open)
    }

    fn close_of(&self, open: usize) -> usize {
        if !self.parens.get(open + 1) {
            return open + 1;
        }
        self.first_at_most(open + 1, self.depth_at(open)).saturating_sub(1)
    }

    /// Open parentheses before a place.
    fn depth_at(&self, at: usize) -> i64 {
        2 * as_depth(self.parens.rank(at)) - as_depth(at.min(self.parens.len()))
    }

    /// The first place after `from` with this depth or less; the end if there is none.
    fn first_at_most(&self, from: usize, depth: i64) -> usize {
        if let Some(at) = self.first_in_block(from, depth) {
            return at;
        }
        match self.first_block(from / BLOCK + 1, depth) {
            Some(block) => self.first_in_block(block * BLOCK, depth).unwrap_or(self.parens.len()),
            None => self.parens.len(),
        }
    }

    fn first_in_block(&self, from: usize, depth: i64) -> Option<usize> {
        let end = ((from / BLOCK + 1) * BLOCK).min(self.parens.len());
        let (mut at, mut here) = (from, self.depth_at(from));
        while at < end {
            if at.is_multiple_of(64) && at + 64 <= end && here - 64 > depth {
                here += 2 * i64::from(self.parens.word(at / 64).count_ones()) - 64;
                at += 64;
                continue;
            }
            here += if self.parens.get(at) { 1 } else { -1 };
            at += 1;
            if here <= depth {
                return Some(at);
            }
        }
        None
    }

    /// The first block from `block` on in which the depth falls that low.
    fn first_block(&self, block: usize, depth: i64) -> Option<usize> {
        let (mut level, mut at) = (0, block);
        let found = loop {
            let entries = self.least.get(level)?;
            let end = ((at / FAN + 1) * FAN).min(entries.len());
            if let Some(found) = (at..end).find(|&n| reaches(entries, n, depth)) {
                break found;
            }
            at = at / FAN + 1;
            level += 1;
        };
        self.descend(level, found, |entries, mut range| range.find(|&n| reaches(entries, n, depth)))
    }

    /// The last place before `from` with this depth or less; 0 if there is none.
    fn last_at_most(&self, from: usize, depth: i64) -> usize {
        let Some(last) = from.checked_sub(2) else { return 0 };
        // The depth after bit n belongs to bit n's block, so places are looked for one to the left.
        let block = last / BLOCK;
        if let Some(at) = self.last_in_block(from - 1, block * BLOCK, depth) {
            return at;
        }
        match block.checked_sub(1).and_then(|block| self.last_block(block, depth)) {
            Some(block) => {
                let end = (block + 1) * BLOCK;
                self.last_in_block(end, block * BLOCK, depth).unwrap_or(0)
            }
            None => 0,
        }
    }

    /// The last place of `start + 1..=from` with this depth or less.
    fn last_in_block(&self, from: usize, start: usize, depth: i64) -> Option<usize> {
        let (mut at, mut here) = (from, self.depth_at(from));
        while at > start {
            if here <= depth {
                return Some(at);
            }
            if at.is_multiple_of(64) && here - 64 > depth {
                here -= 2 * i64::from(self.parens.word(at / 64 - 1).count_ones()) - 64;
                at -= 64;
                continue;
            }
            at -= 1;
            here -= if self.parens.get(at) { 1 } else { -1 };
        }
        None
    }

    /// The last block up to `block` in which the depth falls that low.
    fn last_block(&self, block: usize, depth: i64) -> Option<usize> {
        let (mut level, mut at) = (0, block);
        let found = loop {
            let entries = self.least.get(level)?;
            let start = at / FAN * FAN;
            if let Some(found) = (start..=at).rev().find(|&n| reaches(entries, n, depth)) {
                break found;
            }
            at = (at / FAN).checked_sub(1)?;
            level += 1;
        };
        self.descend(level, found, |entries, range| range.rev().find(|&n| reaches(entries, n, depth)))
    }

    fn descend(
        &self,
        mut level: usize,
        mut at: usize,
        pick: impl Fn(&[u32], std::ops::Range<usize>) -> Option<usize>,
    ) -> Option<usize> {
        while level > 0 {
            level -= 1;
            let entries = self.least.get(level)?;
            at = pick(entries, at * FAN..((at + 1) * FAN).min(entries.len()))?;
        }
        Some(at)
    }
}

fn reaches(entries: &[u32], at: usize, depth: i64) -> bool {
    entries.get(at).is_some_and(|&least| i64::from(least) <= depth)
}

fn as_depth(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parents of a random tree in document order: each node hangs under some node of the last one's ancestry.
    fn tree(choices: &[u8], deep: u8) -> (BalancedParens, Vec<Option<usize>>) {
        let (mut builder, mut open, mut parents) = (BalancedParensBuilder::default(), vec![], vec![]);
        builder.open();
        open.push(0);
        parents.push(None);
        for (at, &choice) in choices.iter().enumerate() {
            let up = if choice < deep { 0 } else { usize::from(choice - deep) };
            for _ in 0..up.min(open.len() - 1) {
                builder.close();
                open.pop();
            }
            parents.push(open.last().copied());
            builder.open();
            open.push(at + 1);
        }
        for _ in open {
            builder.close();
        }
        (builder.build(), parents)
    }

    fn check(shape: &BalancedParens, parents: &[Option<usize>]) {
        assert_eq!(shape.nodes(), parents.len());
        let mut children = vec![vec![]; parents.len()];
        for (node, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(node);
            }
        }
        let mut ends = vec![0; parents.len()];
        for node in (0..parents.len()).rev() {
            ends[node] = children[node].last().map_or(node + 1, |&last| ends[last]);
        }
        for node in 0..parents.len() {
            assert_eq!(shape.parent(node), parents[node], "parent of {node}");
            assert_eq!(shape.end(node), ends[node], "end of {node}");
            assert_eq!(shape.last_child(node), children[node].last().copied(), "last child of {node}");
            assert_eq!(shape.depth(node), parents[node].map_or(0, |parent| shape.depth(parent) + 1));
            for pair in children[node].windows(2) {
                assert_eq!(shape.next_sibling(pair[0]), Some(pair[1]));
                assert_eq!(shape.previous_sibling(pair[1]), Some(pair[0]));
            }
            if let (Some(&first), Some(&last)) = (children[node].first(), children[node].last()) {
                assert_eq!(shape.previous_sibling(first), None);
                assert_eq!(shape.next_sibling(last), None);
            }
        }
    }

    #[test]
    fn chains_and_fans_larger_than_all_levels_keep_their_relations() {
        for (choices, deep) in [(vec![0; 40_000], 1), (vec![1; 40_000], 0), (vec![2; 40_000], 0)] {
            let (shape, parents) = tree(&choices, deep);
            check(&shape, &parents);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn relations_are_those_of_a_plain_tree(choices in proptest::collection::vec(0u8..8, 0..3000), deep in 0u8..7) {
            let (shape, parents) = tree(&choices, deep);
            check(&shape, &parents);
        }
    }
}
