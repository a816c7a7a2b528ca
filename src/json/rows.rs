//! The rows of a document that are seen, given what is folded: found one from another, never listed.

use crate::json::index::Node;

/// A row: a value of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    tree: u32,
    node: Node,
}

/// A document with its folds and its decoded strings.
#[derive(Debug, Clone)]
pub struct Rows;
