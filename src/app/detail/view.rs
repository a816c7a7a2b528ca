//! What a tab shows: one interface for moving, searching, folding and copying, whatever it is.

use bytes::Bytes;

use super::raw::RawView;
use super::tree::{Decode, FoldAction, Motion, SearchOutcome, TreeView, rows_seen};
use crate::app::scroll::{self, RowCursor};
use crate::app::text::{self, TextLine};

/// Cells that a view has on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    pub width: u16,
    pub height: u16,
}

/// What the cursor is on, to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderCursor {
    /// Its path, as jq would take it.
    pub path: String,
    /// Its bytes as received.
    pub value: Bytes,
}

/// Something that is moved in and searched.
pub trait View {
    /// Moves the cursor or the window.
    fn go(&mut self, motion: Motion, size: Size);

    /// Searches for a text from where the cursor or the window is. An empty text ends the search.
    fn search(&mut self, text: &str, size: Size) -> SearchOutcome;

    /// The next match, or the previous one.
    fn next_match(&mut self, forward: bool, size: Size) -> SearchOutcome;

    /// One more slice of a search that is not over.
    fn go_on_searching(&mut self, _: Size) -> SearchOutcome {
        SearchOutcome::Nowhere
    }

    /// Which match the cursor is on, from 1, and how many there are, where that is known.
    fn hits(&self) -> Option<(usize, usize)> {
        None
    }

    /// How far down the window or the cursor is.
    fn percent(&self, size: Size) -> Option<u8>;

    /// Folds or unfolds, or goes sideways. A very long string is to be decoded elsewhere.
    fn fold(&mut self, _: FoldAction, _: Size) -> Option<Decode> {
        None
    }

    /// Wraps long lines, or cuts them. False if it is the job's texts that are meant.
    fn toggle_wrap(&mut self) -> bool {
        false
    }

    fn under_cursor(&self) -> Option<UnderCursor> {
        None
    }
}

impl View for TreeView {
    fn go(&mut self, motion: Motion, size: Size) {
        TreeView::go(self, motion, rows_seen(size.height));
    }

    fn search(&mut self, text: &str, size: Size) -> SearchOutcome {
        TreeView::search(self, text, rows_seen(size.height))
    }

    fn next_match(&mut self, forward: bool, size: Size) -> SearchOutcome {
        let rows = rows_seen(size.height);
        if forward { TreeView::next_match(self, rows) } else { self.previous_match(rows) }
    }

    fn go_on_searching(&mut self, size: Size) -> SearchOutcome {
        TreeView::go_on_searching(self, rows_seen(size.height))
    }

    fn hits(&self) -> Option<(usize, usize)> {
        TreeView::hits(self)
    }

    fn percent(&self, _: Size) -> Option<u8> {
        Some(TreeView::percent(self))
    }

    fn fold(&mut self, fold: FoldAction, size: Size) -> Option<Decode> {
        TreeView::fold(self, fold, rows_seen(size.height))
    }

    fn under_cursor(&self) -> Option<UnderCursor> {
        Some(UnderCursor { path: self.path(), value: self.value() })
    }
}

impl View for RawView {
    fn go(&mut self, motion: Motion, size: Size) {
        RawView::go(self, motion, size.width, size.height);
    }

    fn search(&mut self, text: &str, size: Size) -> SearchOutcome {
        RawView::search(self, text, size.width, size.height)
    }

    fn next_match(&mut self, forward: bool, size: Size) -> SearchOutcome {
        if forward {
            RawView::next_match(self, size.width, size.height)
        } else {
            self.previous_match(size.width, size.height)
        }
    }

    fn go_on_searching(&mut self, size: Size) -> SearchOutcome {
        RawView::go_on_searching(self, size.width, size.height)
    }

    fn percent(&self, size: Size) -> Option<u8> {
        Some(RawView::percent(self, size.width, size.height))
    }

    fn fold(&mut self, fold: FoldAction, size: Size) -> Option<Decode> {
        self.go_sideways(matches!(fold, FoldAction::Unfold | FoldAction::UnfoldAll), size.width);
        None
    }

    fn toggle_wrap(&mut self) -> bool {
        RawView::toggle_wrap(self);
        true
    }
}

/// Text of which a window is seen.
pub struct TextView<'a> {
    /// All lines, wrapped.
    pub lines: Vec<TextLine>,
    /// The first one that is seen.
    pub top: &'a mut usize,
    /// What is searched for.
    pub needle: &'a mut String,
}

impl View for TextView<'_> {
    fn go(&mut self, motion: Motion, size: Size) {
        *self.top = scroll::slide(*self.top, motion, self.lines.len(), size.height.into());
    }

    fn search(&mut self, text: &str, size: Size) -> SearchOutcome {
        text.clone_into(self.needle);
        self.next_match(true, size)
    }

    fn next_match(&mut self, forward: bool, size: Size) -> SearchOutcome {
        match text::find(&self.lines, self.needle, *self.top, forward) {
            Some(at) => {
                *self.top = at.min(self.lines.len().saturating_sub(size.height.into()));
                SearchOutcome::Here { wrapped: false }
            }
            None => SearchOutcome::Nowhere,
        }
    }

    fn percent(&self, size: Size) -> Option<u8> {
        let (rows, len) = (usize::from(size.height), self.lines.len());
        (len > rows).then(|| u8::try_from((*self.top + rows).min(len) * 100 / len).unwrap_or(100))
    }
}

/// A table of which one row is under the cursor; its names are searched.
pub struct TableView<'a> {
    /// The names, in the order of the rows.
    pub names: Vec<String>,
    pub cursor: &'a mut RowCursor,
    /// What is searched for.
    pub needle: &'a mut String,
    /// What is copied of the row under the cursor.
    pub under_cursor: Option<UnderCursor>,
}

impl View for TableView<'_> {
    fn go(&mut self, motion: Motion, size: Size) {
        self.cursor.go(motion, self.names.len(), usize::from(size.height).saturating_sub(1));
    }

    fn search(&mut self, text: &str, size: Size) -> SearchOutcome {
        text.to_lowercase().clone_into(self.needle);
        self.next_match(true, size)
    }

    fn next_match(&mut self, forward: bool, size: Size) -> SearchOutcome {
        let (len, at) = (self.names.len(), self.cursor.at);
        let steps = (1..=len).map(|step| if forward { (at + step) % len } else { (at + len - step) % len });
        let has = |row: &usize| self.names.get(*row).is_some_and(|name| name.to_lowercase().contains(&*self.needle));
        match steps.into_iter().find(has).filter(|_| !self.needle.is_empty()) {
            Some(row) => {
                self.cursor.at = row;
                self.cursor.show(len, usize::from(size.height).saturating_sub(1));
                SearchOutcome::Here { wrapped: if forward { row <= at } else { row >= at } }
            }
            None => SearchOutcome::Nowhere,
        }
    }

    fn percent(&self, _: Size) -> Option<u8> {
        None
    }

    fn under_cursor(&self) -> Option<UnderCursor> {
        self.under_cursor.clone()
    }
}
