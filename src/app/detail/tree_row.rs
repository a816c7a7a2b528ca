//! One row of the tree as it is drawn.

use crate::domain::clean::Clean;
use crate::json::index::{Document, NodeId};
use crate::json::scan::ValueKind;
use crate::json::text;

/// One row as drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeRow {
    /// Steps of indentation.
    pub depth: usize,
    /// Whether the cursor is here.
    pub at_cursor: bool,
    /// Whether it is open, folded, or neither.
    pub fold: FoldMark,
    /// A key (decoded) or an element's number.
    pub label: Option<Label>,
    pub kind: ValueKind,
    /// The value's text: a scalar's, or a size such as `{3}` and `[11]`.
    pub text: Clean,
    /// Whether `text` is all of it; otherwise it is the beginning (a string is without its closing quote then).
    pub whole: bool,
    /// The length of a scalar in the source, in bytes; 0 for a container.
    pub size: u64,
    /// Whether the value is a string that is shown as the document it holds.
    pub decoded: bool,
}

/// The sign in front of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldMark {
    /// Its children follow.
    Open,
    /// Its children are hidden.
    Folded,
    /// It has none.
    Leaf,
}

/// What a value is called in its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// A member's key.
    Key(Clean),
    /// An element's number, from 0.
    Number(u64),
}

/// The size of a container: `{3}`, `[11]`.
pub(super) fn sizes(document: &Document, node: NodeId) -> Clean {
    let count = document.child_count(node);
    Clean::new(&if document.kind(node) == ValueKind::Object { format!("{{{count}}}") } else { format!("[{count}]") })
}

/// A scalar as drawn in about this many cells, and whether that is all of it.
pub(super) fn scalar(source: &[u8], width: usize) -> (Clean, bool) {
    let shown = text::shown(source, width);
    match (source.first() == Some(&b'"'), shown.whole) {
        (false, whole) => (shown.text, whole),
        (true, true) => (Clean::new(&format!("\"{}\"", shown.text)), true),
        (true, false) => (Clean::new(&format!("\"{}", shown.text)), false),
    }
}
