//! An index over the bytes of one JSON document: which bytes begin a value, and the shape of the tree. Nothing else is
//! kept: keys, kinds and ends are read again from the bytes, which costs nothing for the few rows that are seen.
//!
//! One bit a byte, two bits a value and one entry for every 127 children of one parent: at most 0.4 bytes a byte.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::json::bits::{Bits, BitsBuilder};
use crate::json::lex;
use crate::json::scan::{Kind, ScanError};
use crate::json::shape::{Shape, ShapeBuilder};

/// A value, by its number in document order. The document itself is 0; numbers are the same for the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(pub u32);

impl Node {
    /// The document itself.
    pub const ROOT: Self = Self(0);
}

/// One whole JSON document and its index.
#[derive(Debug, Clone)]
pub struct Document {
    body: Bytes,
    starts: Bits,
    shape: Shape,
    milestones: Vec<Milestone>,
}

/// Why there is no index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The text is no JSON.
    #[error(transparent)]
    Broken(#[from] ScanError),
    /// It was told to stop.
    #[error("cancelled")]
    Cancelled,
}

/// A child whose number in its parent is a multiple of [`STRIDE`], so that children can be counted in few steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Milestone {
    parent: u32,
    child: u32,
}

/// Children between two milestones.
const STRIDE: u8 = 127;
/// How many values are read between two looks at the flag.
const PATIENCE: usize = 1 << 14;

impl Document {
    /// Reads the text once and indexes it. Iterative, so that no depth is too deep; `cancel` is looked at now and then.
    pub fn parse(body: Bytes, cancel: &AtomicBool) -> Result<Self, IndexError> {
        let mut builder = Builder {
            text: &body,
            starts: BitsBuilder::zeros(body.len()),
            shape: ShapeBuilder::default(),
            open: Vec::new(),
            nodes: 0,
            milestones: Vec::new(),
        };
        builder.run(cancel)?;
        let Builder { starts, shape, milestones, .. } = builder;
        let (starts, shape) = (starts.build(), shape.build());
        let mut milestones: Vec<Milestone> = milestones
            .into_iter()
            .filter_map(|child| {
                let parent = shape.parent(child as usize)?;
                Some(Milestone { parent: u32::try_from(parent).ok()?, child })
            })
            .collect();
        milestones.sort_unstable();
        Ok(Self { body, starts, shape, milestones })
    }

    /// The text, as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Number of values, the document itself included. At least 1.
    pub fn len(&self) -> usize {
        self.shape.nodes()
    }

    /// Memory used by the index, in bytes, the text not counted.
    pub fn index_bytes(&self) -> usize {
        self.starts.bytes() + self.shape.bytes() + self.milestones.capacity() * size_of::<Milestone>()
    }

    /// What a value is.
    pub fn kind(&self, node: Node) -> Kind {
        match self.body.get(self.value_start(node)) {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// Where a member's key stands, quotes included. None for elements and the document itself.
    pub fn key_range(&self, node: Node) -> Option<Range<usize>> {
        let start = self.start(node);
        self.is_member(node).then(|| start..lex::string_end(&self.body, start).unwrap_or(self.body.len()))
    }

    /// Where a value stands: a string with its quotes, a container with its brackets.
    pub fn value_range(&self, node: Node) -> Range<usize> {
        let start = self.value_start(node);
        if !matches!(self.body.get(start), Some(b'{' | b'[')) {
            return start..self.leaf_end(node);
        }
        if !self.has_children(node) {
            return start..lex::skip_space(&self.body, start + 1) + 1;
        }
        let last = Node(self.end(node).0.saturating_sub(1));
        let mut end = self.value_range_of_last(last);
        for _ in self.depth(node)..self.depth(last) {
            end = lex::skip_space(&self.body, end) + 1;
        }
        start..end.min(self.body.len())
    }

    /// Where a value's bytes are, shared with the body.
    pub fn value(&self, node: Node) -> Bytes {
        self.body.slice(self.value_range(node))
    }

    /// How many values a value is inside of.
    pub fn depth(&self, node: Node) -> usize {
        self.shape.depth(index(node))
    }

    /// The container that a value is in.
    pub fn parent(&self, node: Node) -> Option<Node> {
        self.shape.parent(index(node)).map(number)
    }

    /// Whether a value is a container that is not empty.
    pub fn has_children(&self, node: Node) -> bool {
        self.shape.has_children(index(node))
    }

    /// The first value in a container.
    pub fn first_child(&self, node: Node) -> Option<Node> {
        self.has_children(node).then(|| Node(node.0 + 1))
    }

    /// The last value in a container.
    pub fn last_child(&self, node: Node) -> Option<Node> {
        self.shape.last_child(index(node)).map(number)
    }

    /// The value after it in the same container.
    pub fn next_sibling(&self, node: Node) -> Option<Node> {
        self.shape.next_sibling(index(node)).map(number)
    }

    /// The value before it in the same container.
    pub fn previous_sibling(&self, node: Node) -> Option<Node> {
        self.shape.previous_sibling(index(node)).map(number)
    }

    /// The first value after a value and everything in it. It need not exist: then it is [`Document::len`].
    pub fn end(&self, node: Node) -> Node {
        number(self.shape.end(index(node)))
    }

    /// How many values a container holds directly.
    pub fn child_count(&self, node: Node) -> u64 {
        let milestones = self.milestones_of(node);
        let (mut count, mut child) = match milestones.last() {
            Some(last) => (milestones.len() as u64 * u64::from(STRIDE), Some(Node(last.child))),
            None => (0, self.first_child(node)),
        };
        while let Some(at) = child {
            count += 1;
            child = self.next_sibling(at);
        }
        count
    }

    /// A value's number in its container, from 0.
    pub fn index_in_parent(&self, node: Node) -> u64 {
        let Some(parent) = self.parent(node) else { return 0 };
        let milestones = self.milestones_of(parent);
        let passed = milestones.partition_point(|milestone| milestone.child <= node.0);
        let from = passed.checked_sub(1).and_then(|last| milestones.get(last)).map_or(parent.0 + 1, |last| last.child);
        let (mut count, mut at) = (passed as u64 * u64::from(STRIDE), Node(from));
        while at < node {
            count += 1;
            let Some(next) = self.next_sibling(at) else { break };
            at = next;
        }
        count
    }

    /// The value whose key or text a byte belongs to, or the last one that begins before it.
    pub fn node_at(&self, offset: usize) -> Node {
        number(self.starts.rank(offset.saturating_add(1)).saturating_sub(1))
    }

    /// Where a value begins, with its key.
    pub fn start(&self, node: Node) -> usize {
        self.starts.select(index(node))
    }

    fn value_start(&self, node: Node) -> usize {
        let start = self.start(node);
        if self.body.get(start) == Some(&b'"') && self.is_member(node) { self.after_key(start) } else { start }
    }

    fn is_member(&self, node: Node) -> bool {
        let Some(parent) = self.parent(node) else { return false };
        let start = self.start(parent);
        // A container that begins with a quote begins with its key.
        let bracket = if self.body.get(start) == Some(&b'"') { self.after_key(start) } else { start };
        self.body.get(bracket) == Some(&b'{')
    }

    fn after_key(&self, key: usize) -> usize {
        let end = lex::string_end(&self.body, key).unwrap_or(self.body.len());
        lex::skip_space(&self.body, lex::skip_space(&self.body, end) + 1)
    }

    fn value_range_of_last(&self, last: Node) -> usize {
        let start = self.value_start(last);
        match self.body.get(start) {
            Some(b'{' | b'[') => lex::skip_space(&self.body, start + 1) + 1,
            _ => self.leaf_end(last),
        }
    }

    /// A leaf ends before the next value's separators, found from there because a long string need not be read then.
    fn leaf_end(&self, node: Node) -> usize {
        let bound = self.starts.select(index(node) + 1);
        let text = self.body.get(..bound).unwrap_or_default();
        let separators =
            text.iter().rev().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b',' | b']' | b'}'));
        bound - separators.count()
    }

    fn milestones_of(&self, parent: Node) -> &[Milestone] {
        let from = self.milestones.partition_point(|milestone| milestone.parent < parent.0);
        let to = self.milestones.partition_point(|milestone| milestone.parent <= parent.0);
        self.milestones.get(from..to).unwrap_or_default()
    }
}

fn index(node: Node) -> usize {
    node.0 as usize
}

fn number(index: usize) -> Node {
    Node(u32::try_from(index).unwrap_or(u32::MAX))
}

struct Builder<'a> {
    text: &'a [u8],
    starts: BitsBuilder,
    shape: ShapeBuilder,
    /// One byte for every open container, however deep: its kind and how many children it has had since a milestone.
    open: Vec<u8>,
    nodes: u32,
    milestones: Vec<u32>,
}

const OBJECT: u8 = 0x80;

enum Next {
    Key,
    Value,
    Separator,
}

impl Builder<'_> {
    fn run(&mut self, cancel: &AtomicBool) -> Result<(), IndexError> {
        let text = self.text;
        let mut at = lex::skip_start(text);
        let mut next = Next::Value;
        let mut patience = PATIENCE;
        loop {
            patience -= 1;
            if patience == 0 {
                if cancel.load(Ordering::Relaxed) {
                    return Err(IndexError::Cancelled);
                }
                patience = PATIENCE;
            }
            at = lex::skip_space(text, at);
            match next {
                Next::Value => (at, next) = self.value(at)?,
                Next::Key => {
                    if text.get(at) != Some(&b'"') {
                        return Err(lex::unexpected(text, at, "a key was expected").into());
                    }
                    self.begin(at)?;
                    at = lex::skip_space(text, lex::string_end(text, at)?);
                    if text.get(at) != Some(&b':') {
                        return Err(lex::unexpected(text, at, "a colon was expected").into());
                    }
                    at += 1;
                    next = Next::Value;
                }
                Next::Separator => {
                    let Some(&open) = self.open.last() else { break };
                    let object = open & OBJECT != 0;
                    match text.get(at) {
                        Some(b',') => next = if object { Next::Key } else { Next::Value },
                        Some(b'}') if object => self.close(),
                        Some(b']') if !object => self.close(),
                        _ => {
                            let what = if object {
                                "a comma or a brace was expected"
                            } else {
                                "a comma or a bracket was expected"
                            };
                            return Err(lex::unexpected(text, at, what).into());
                        }
                    }
                    at += 1;
                }
            }
        }
        if at < text.len() {
            return Err(ScanError { at, what: "text after the end of the document" }.into());
        }
        Ok(())
    }

    fn value(&mut self, at: usize) -> Result<(usize, Next), ScanError> {
        if self.open.last().is_none_or(|open| open & OBJECT == 0) {
            self.begin(at)?;
        }
        let (kind, closing, inside) = match self.text.get(at) {
            Some(b'{') => (OBJECT, b'}', Next::Key),
            Some(b'[') => (0, b']', Next::Value),
            _ => {
                let end = lex::leaf(self.text, at)?.end;
                self.shape.close();
                return Ok((end, Next::Separator));
            }
        };
        let after = lex::skip_space(self.text, at + 1);
        if self.text.get(after) == Some(&closing) {
            self.shape.close();
            return Ok((after + 1, Next::Separator));
        }
        self.open.push(kind);
        Ok((after, inside))
    }

    fn begin(&mut self, at: usize) -> Result<(), ScanError> {
        self.starts.set(at);
        self.shape.open();
        if let Some(open) = self.open.last_mut() {
            if *open & !OBJECT == STRIDE {
                self.milestones.push(self.nodes);
                *open -= STRIDE;
            }
            *open += 1;
        }
        self.nodes = self.nodes.checked_add(1).ok_or(ScanError { at, what: "too many values" })?;
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
        self.shape.close();
    }
}
