//! An index over the bytes of one JSON document: which bytes begin a value, and the shape of the tree. Nothing else is
//! kept: keys, kinds and ends are read again from the bytes, which costs nothing for the few rows that are seen.
//!
//! One bit a byte, two bits a value and one entry for every 127 children of one parent: at most 0.4 bytes a byte.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::json::balanced_parens::{BalancedParens, BalancedParensBuilder};
use crate::json::rank_select::{RankSelect, RankSelectBuilder};
use crate::json::scan::{self, ScanError, ValueKind};

/// A value, by its number in document order. The document itself is 0; numbers are the same for the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The document itself.
    pub const ROOT: Self = Self(0);
}

/// One whole JSON document and its index.
#[derive(Debug, Clone)]
pub struct Document {
    body: Bytes,
    starts: RankSelect,
    shape: BalancedParens,
    milestones: Vec<Milestone>,
}

/// Why there is no index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The text is no JSON.
    #[error(transparent)]
    Broken(#[from] ScanError),
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
            starts: RankSelectBuilder::zeros(body.len()),
            shape: BalancedParensBuilder::default(),
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

    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Number of values, the document itself included. At least 1.
    pub fn values(&self) -> usize {
        self.shape.nodes()
    }

    /// Memory used by the index, in bytes, the text not counted.
    pub fn index_bytes(&self) -> usize {
        self.starts.bytes() + self.shape.bytes() + self.milestones.capacity() * size_of::<Milestone>()
    }

    pub fn kind(&self, node: NodeId) -> ValueKind {
        match self.body.get(self.value_start(node)) {
            Some(b'{') => ValueKind::Object,
            Some(b'[') => ValueKind::Array,
            Some(b'"') => ValueKind::String,
            Some(b't' | b'f') => ValueKind::Bool,
            Some(b'n') => ValueKind::Null,
            _ => ValueKind::Number,
        }
    }

    /// Where a member's key is, quotes included. None for elements and the document itself.
    pub fn key_range(&self, node: NodeId) -> Option<Range<usize>> {
        let start = self.start(node);
        let quoted = self.body.get(start) == Some(&b'"');
        (quoted && self.is_member(node))
            .then(|| start..scan::end_of_string(&self.body, start).unwrap_or(self.body.len()))
    }

    /// Where a value is: a string with its quotes, a container with its brackets.
    pub fn value_range(&self, node: NodeId) -> Range<usize> {
        let start = self.value_start(node);
        if !matches!(self.body.get(start), Some(b'{' | b'[')) {
            return start..self.leaf_end(node);
        }
        if !self.has_children(node) {
            return start..scan::after_space(&self.body, start + 1) + 1;
        }
        let last = NodeId(self.end(node).0.saturating_sub(1));
        let mut end = self.value_range_of_last(last);
        for _ in self.depth(node)..self.depth(last) {
            end = scan::after_space(&self.body, end) + 1;
        }
        start..end.min(self.body.len())
    }

    /// Where a value's bytes are, shared with the body.
    pub fn value(&self, node: NodeId) -> Bytes {
        self.body.slice(self.value_range(node))
    }

    /// How many values a value is inside of.
    pub fn depth(&self, node: NodeId) -> usize {
        self.shape.depth(index(node))
    }

    /// The container that a value is in.
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.shape.parent(index(node)).map(number)
    }

    /// Whether a value is a container that is not empty.
    pub fn has_children(&self, node: NodeId) -> bool {
        self.shape.has_children(index(node))
    }

    /// The first value in a container.
    pub fn first_child(&self, node: NodeId) -> Option<NodeId> {
        self.has_children(node).then(|| NodeId(node.0 + 1))
    }

    /// The last value in a container.
    pub fn last_child(&self, node: NodeId) -> Option<NodeId> {
        self.shape.last_child(index(node)).map(number)
    }

    /// The value after it in the same container.
    pub fn next_sibling(&self, node: NodeId) -> Option<NodeId> {
        self.shape.next_sibling(index(node)).map(number)
    }

    /// The value before it in the same container.
    pub fn previous_sibling(&self, node: NodeId) -> Option<NodeId> {
        self.shape.previous_sibling(index(node)).map(number)
    }

    /// The first value after a value and everything in it. It need not exist: then it is [`Document::values`].
    pub fn end(&self, node: NodeId) -> NodeId {
        number(self.shape.end(index(node)))
    }

    /// How many values a container holds directly.
    pub fn child_count(&self, node: NodeId) -> u64 {
        let milestones = self.milestones_of(node);
        let (mut count, mut child) = match milestones.last() {
            Some(last) => (milestones.len() as u64 * u64::from(STRIDE), Some(NodeId(last.child))),
            None => (0, self.first_child(node)),
        };
        while let Some(at) = child {
            count += 1;
            child = self.next_sibling(at);
        }
        count
    }

    /// A value's number in its container, from 0.
    pub fn index_in_parent(&self, node: NodeId) -> u64 {
        let Some(parent) = self.parent(node) else { return 0 };
        let milestones = self.milestones_of(parent);
        let passed = milestones.partition_point(|milestone| milestone.child <= node.0);
        let from = passed.checked_sub(1).and_then(|last| milestones.get(last)).map_or(parent.0 + 1, |last| last.child);
        let (mut count, mut at) = (passed as u64 * u64::from(STRIDE), NodeId(from));
        while at < node {
            count += 1;
            let Some(next) = self.next_sibling(at) else { break };
            at = next;
        }
        count
    }

    /// The value whose key or text a byte belongs to, or the last one that begins before it.
    pub fn node_at(&self, offset: usize) -> NodeId {
        number(self.starts.rank(offset.saturating_add(1)).saturating_sub(1))
    }

    /// Where a value begins, with its key.
    pub fn start(&self, node: NodeId) -> usize {
        self.starts.select(index(node))
    }

    fn value_start(&self, node: NodeId) -> usize {
        let start = self.start(node);
        if self.body.get(start) == Some(&b'"') && self.is_member(node) { self.after_key(start) } else { start }
    }

    fn is_member(&self, node: NodeId) -> bool {
        let Some(parent) = self.parent(node) else { return false };
        let start = self.start(parent);
        // A container that begins with a quote begins with its key.
        let bracket = if self.body.get(start) == Some(&b'"') { self.after_key(start) } else { start };
        self.body.get(bracket) == Some(&b'{')
    }

    fn after_key(&self, key: usize) -> usize {
        let end = scan::end_of_string(&self.body, key).unwrap_or(self.body.len());
        scan::after_space(&self.body, scan::after_space(&self.body, end) + 1)
    }

    fn value_range_of_last(&self, last: NodeId) -> usize {
        let start = self.value_start(last);
        match self.body.get(start) {
            Some(b'{' | b'[') => scan::after_space(&self.body, start + 1) + 1,
            _ => self.leaf_end(last),
        }
    }

    /// A leaf ends before the next value's separators, found from there because a long string need not be read then.
    fn leaf_end(&self, node: NodeId) -> usize {
        let bound = self.starts.select(index(node) + 1);
        let text = self.body.get(..bound).unwrap_or_default();
        let separators =
            text.iter().rev().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b',' | b']' | b'}'));
        bound - separators.count()
    }

    fn milestones_of(&self, parent: NodeId) -> &[Milestone] {
        let from = self.milestones.partition_point(|milestone| milestone.parent < parent.0);
        let to = self.milestones.partition_point(|milestone| milestone.parent <= parent.0);
        self.milestones.get(from..to).unwrap_or_default()
    }
}

fn index(node: NodeId) -> usize {
    node.0 as usize
}

fn number(index: usize) -> NodeId {
    NodeId(u32::try_from(index).unwrap_or(u32::MAX))
}

struct Builder<'a> {
    text: &'a [u8],
    starts: RankSelectBuilder,
    shape: BalancedParensBuilder,
    /// One byte for every open container, however deep: its kind and how many children it has had since a milestone.
    open: Vec<u8>,
    nodes: u32,
    milestones: Vec<u32>,
}

const OBJECT: u8 = 0x80;

enum Expected {
    Key,
    Value,
    Separator,
}

impl Builder<'_> {
    fn run(&mut self, cancel: &AtomicBool) -> Result<(), IndexError> {
        let text = self.text;
        let mut at = scan::start_of(text);
        let mut next = Expected::Value;
        let mut patience = PATIENCE;
        loop {
            patience -= 1;
            if patience == 0 {
                if cancel.load(Ordering::Relaxed) {
                    return Err(IndexError::Cancelled);
                }
                patience = PATIENCE;
            }
            at = scan::after_space(text, at);
            match next {
                Expected::Value => (at, next) = self.value(at)?,
                Expected::Key => {
                    if text.get(at) != Some(&b'"') {
                        return Err(scan::unexpected(at, text.get(at), "expected a key").into());
                    }
                    self.begin(at)?;
                    at = scan::after_space(text, scan::end_of_string(text, at)?);
                    if text.get(at) != Some(&b':') {
                        return Err(scan::unexpected(at, text.get(at), "expected `:`").into());
                    }
                    at += 1;
                    next = Expected::Value;
                }
                Expected::Separator => {
                    let Some(&open) = self.open.last() else { break };
                    let object = open & OBJECT != 0;
                    match text.get(at) {
                        Some(b',') => next = if object { Expected::Key } else { Expected::Value },
                        Some(b'}') if object => self.close(),
                        Some(b']') if !object => self.close(),
                        _ => {
                            let what = if object { "expected `,` or `}`" } else { "expected `,` or `]`" };
                            return Err(scan::unexpected(at, text.get(at), what).into());
                        }
                    }
                    at += 1;
                }
            }
        }
        Ok(scan::end_of_text(text, at)?)
    }

    fn value(&mut self, at: usize) -> Result<(usize, Expected), ScanError> {
        if self.open.last().is_none_or(|open| open & OBJECT == 0) {
            self.begin(at)?;
        }
        let (kind, closing, inside) = match self.text.get(at) {
            Some(b'{') => (OBJECT, b'}', Expected::Key),
            Some(b'[') => (0, b']', Expected::Value),
            _ => {
                let end = scan::end_of_leaf(self.text, at)?;
                self.shape.close();
                return Ok((end, Expected::Separator));
            }
        };
        let after = scan::after_space(self.text, at + 1);
        if self.text.get(after) == Some(&closing) {
            self.shape.close();
            return Ok((after + 1, Expected::Separator));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    pub fn parsed(text: &str) -> Document {
        Document::parse(Bytes::copy_from_slice(text.as_bytes()), &AtomicBool::new(false)).unwrap()
    }

    /// Compares a value and everything in it with what serde_json makes of the text; returns the next number.
    fn compare(document: &Document, node: NodeId, value: &Value, place: &(Option<NodeId>, u64, usize)) -> NodeId {
        let (parent, number, depth) = *place;
        assert_eq!(document.parent(node), parent);
        assert_eq!(document.index_in_parent(node), number);
        assert_eq!(document.depth(node), depth);
        let source = &document.body()[document.value_range(node)];
        assert_eq!(&serde_json::from_slice::<Value>(source).unwrap(), value);
        let mut next = NodeId(node.0 + 1);
        let mut count = 0;
        let mut last = None;
        let mut visit = |key: Option<&String>, child: &Value| {
            assert_eq!(document.previous_sibling(next), last);
            if let Some(last) = last {
                assert_eq!(document.next_sibling(last), Some(next));
            }
            let found = document.key_range(next).map(|key| scan::string(&document.body()[key]).unwrap().into_owned());
            assert_eq!(found.as_ref(), key);
            assert_eq!(document.node_at(document.start(next)), next);
            last = Some(next);
            next = compare(document, next, child, &(Some(node), count, depth + 1));
            count += 1;
        };
        let kind = match value {
            Value::Null => ValueKind::Null,
            Value::Bool(_) => ValueKind::Bool,
            Value::Number(_) => ValueKind::Number,
            Value::String(_) => ValueKind::String,
            Value::Array(array) => {
                array.iter().for_each(|child| visit(None, child));
                ValueKind::Array
            }
            Value::Object(object) => {
                object.iter().for_each(|(key, child)| visit(Some(key), child));
                ValueKind::Object
            }
        };
        assert_eq!(document.kind(node), kind);
        assert_eq!(document.child_count(node), count);
        assert_eq!(document.last_child(node), last);
        assert_eq!(document.end(node), next);
        next
    }

    fn agrees(text: &str) {
        let document = parsed(text);
        let value: Value = serde_json::from_str(text).unwrap();
        let end = compare(&document, NodeId::ROOT, &value, &(None, 0, 0));
        assert_eq!(end.0 as usize, document.values());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a\"\\\\\u{0}-\u{20}\\]}:,é漢👍]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 400, 300, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..300).prop_map(Value::from),
                prop::collection::vec(("[a-z\"\\\\:é ]{0,6}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn texts_of_every_shape_are_walked_as_they_are_read() {
        let wide = format!("[{}]", vec!["[1,{\"a\":[]}]"; 700].join(" , "));
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        for text in [
            "1",
            " \"a\" ",
            "{}",
            "[ ]",
            " { \"a\" : [ ] , \"b\" : { } } ",
            r#"{"a\"}":"\\","b":["]}",{"c":null}]}"#,
            &wide,
            &deep,
            "[true,false,null,-1.5e+300,\"\"]",
        ] {
            agrees(text);
        }
    }

    #[test]
    fn duplicates_and_numbers_are_kept_as_they_came() {
        let document = parsed(r#"{"a":1.0e400,"a":-NaN,"a":00012345678901234567890}"#);
        let values: Vec<Bytes> = (1..4).map(|node| document.value(NodeId(node))).collect();
        assert_eq!(values, ["1.0e400", "-NaN", "00012345678901234567890"]);
        assert_eq!(document.child_count(NodeId::ROOT), 3);
    }

    #[test]
    fn a_million_levels_are_no_trouble() {
        let levels = 1_000_000;
        let document = parsed(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        let last = NodeId(u32::try_from(levels).unwrap() - 1);
        assert_eq!(document.depth(last), levels - 1);
        assert_eq!(document.parent(last), Some(NodeId(last.0 - 1)));
        assert_eq!(document.value_range(NodeId(1)), 1..2 * levels - 1);
        assert!(document.index_bytes() < 2 * levels);
    }

    #[test]
    fn the_index_never_takes_more_than_half_a_byte_a_byte() {
        let texts = [
            format!("[{}1]", "1,".repeat(100_000)),
            format!("[{}1]", "[],".repeat(100_000)),
            format!("{{{}\"\":1}}", "\"\":1,".repeat(100_000)),
        ];
        for text in texts {
            assert!(parsed(&text).index_bytes() * 2 < text.len(), "{text:.10}");
        }
    }

    #[test]
    fn it_stops_when_it_is_told_to() {
        let text = Bytes::from(format!("[{}1]", "1,".repeat(100_000)));
        assert_eq!(Document::parse(text, &AtomicBool::new(true)).unwrap_err(), IndexError::Cancelled);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_document_is_walked_as_it_is_read(value in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            agrees(&text.unwrap());
        }

    }

    proptest! {
        #[test]
        fn it_refuses_what_the_scanner_refuses_and_at_the_same_byte(text in "[\\[\\]{}\",:1a\\\\ntruefalsNI\\- \u{feff}]{0,40}") {
            let cancel = AtomicBool::new(false);
            match (Document::parse(Bytes::from(text.clone()), &cancel), scan::document(text.as_bytes())) {
                (Ok(document), Ok(range)) => prop_assert_eq!(document.value_range(NodeId::ROOT), range),
                (Err(IndexError::Broken(index)), Err(scan)) => prop_assert_eq!(index, scan),
                (index, scan) => prop_assert!(false, "{:?} but {:?}", index.map(|_| ()), scan),
            }
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = b"[\"".to_vec();
            text.extend(&bytes);
            text.extend(b"\"]");
            for text in [bytes, text] {
                let length = text.len();
                if let Ok(document) = Document::parse(Bytes::from(text), &AtomicBool::new(false)) {
                    for node in (0..document.values()).map(number) {
                        prop_assert!(document.value_range(node).end <= length);
                        let _ = (document.key_range(node), document.kind(node), document.child_count(node));
                    }
                }
            }
        }
    }
}
