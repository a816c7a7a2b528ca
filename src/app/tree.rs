//! The tree tab's state: cursor, scroll, folds, decoded strings and search over one indexed document. Pure.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::domain::clean::Clean;
use crate::json::index::Document;
use crate::json::rows::{Place, Rows};
use crate::json::scan::Kind;

/// How far the cursor or the window goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// Half a window up.
    HalfUp,
    /// Half a window down.
    HalfDown,
    /// A window up.
    PageUp,
    /// A window down.
    PageDown,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
}

/// What can be done with the folds at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// `h`: folds an open row; on a leaf or a folded row goes to the parent.
    Fold,
    /// `l`: opens a folded row, or a string that is JSON; on an open row goes to its first child.
    Unfold,
    /// `Enter`: the other way round.
    Toggle,
    /// `H`
    FoldAll,
    /// `L`
    UnfoldAll,
}

/// A string that is JSON and too long to be decoded between two key strokes: run it elsewhere, then [`TreeView::attach`].
#[derive(Debug, Clone)]
pub struct Decode {
    place: Place,
    document: Arc<Document>,
}

/// What a decoded string holds.
#[derive(Debug, Clone)]
pub struct Decoded {
    place: Place,
    document: Arc<Document>,
}

/// How a search went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The cursor is on a match. `wrapped`: it was found past the end (or the beginning).
    Here {
        /// Whether the search went round.
        wrapped: bool,
    },
    /// There is none.
    Nowhere,
    /// Not found yet in this slice of work: call `go_on_searching` until it says something else.
    NotYet,
}

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
    /// What the value is.
    pub kind: Kind,
    /// The value's text: a scalar's, or a size such as `{3}` and `[11]`.
    pub text: Clean,
    /// The whole text's length, in bytes as received, where `text` is only its beginning.
    pub cut_from: Option<u64>,
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

/// The tree tab of one job. Cheap to clone: documents are shared.
#[derive(Debug, Clone)]
pub struct TreeView {
    rows: Rows,
    cursor: Place,
    top: Place,
}

impl TreeView {
    /// A fresh view of a document, folded as [`Rows`] says. `prefix` is the path of the document in the body it was cut
    /// from (`.message[1]`), empty for a whole body.
    pub fn new(document: Arc<Document>, prefix: &str) -> Self {
        let _ = (document, prefix);
        todo!()
    }

    /// Moves the cursor. `height` is the number of rows that are seen, here and below: [`rows_seen`].
    pub fn go(&mut self, motion: Motion, height: u16) {
        let _ = (motion, height);
    }

    /// Folds or unfolds. Some work may have to be done elsewhere.
    #[must_use]
    pub fn fold(&mut self, fold: Fold, height: u16) -> Option<Decode> {
        let _ = (fold, height);
        None
    }

    /// Shows a decoded string in its place.
    pub fn attach(&mut self, decoded: Decoded) {
        let _ = decoded;
    }

    /// Searches keys and values for a plain text in any case, from the cursor on (the cursor's row included).
    /// An empty text ends the search.
    pub fn search(&mut self, text: &str, height: u16) -> Found {
        let _ = (text, height);
        Found::Nowhere
    }

    /// `n`
    pub fn next_match(&mut self, height: u16) -> Found {
        let _ = height;
        Found::Nowhere
    }

    /// `N`
    pub fn previous_match(&mut self, height: u16) -> Found {
        let _ = height;
        Found::Nowhere
    }

    /// One more slice of a search that is not over, about 20 ms at the most.
    pub fn go_on_searching(&mut self, height: u16) -> Found {
        let _ = height;
        Found::Nowhere
    }

    /// What is searched for, to be shown and highlighted.
    pub fn needle(&self) -> Option<&str> {
        None
    }

    /// The path of the cursor, whole, as copied by `c`: `.output.steps[0]`, `.["a b"]`, `.result | fromjson | .x`.
    pub fn path(&self) -> String {
        String::new()
    }

    /// The source bytes of the value at the cursor (of the decoded text, within a decoded string).
    pub fn value(&self) -> bytes::Bytes {
        bytes::Bytes::new()
    }

    /// Where the value at the cursor stands in the document. None within a decoded string.
    pub fn value_range(&self) -> Option<Range<usize>> {
        None
    }

    /// How far down the cursor is, in percent of the bytes.
    pub fn percent(&self) -> u8 {
        0
    }

    /// The rows of a window of this height and width (in cells), the cursor's among them. Changes nothing.
    pub fn window(&self, height: u16, width: u16) -> Vec<TreeRow> {
        let _ = (height, width);
        Vec::new()
    }
}

impl Decode {
    /// Does the work. None if the string turns out to be no JSON, or `cancel` was set.
    pub fn run(self, cancel: &AtomicBool) -> Option<Decoded> {
        let _ = cancel;
        None
    }
}

/// How many rows a pane of this height shows: the last line is the path's.
pub fn rows_seen(pane_height: u16) -> u16 {
    if pane_height > 1 { pane_height - 1 } else { pane_height }
}
