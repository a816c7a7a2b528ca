//! The raw tab's state: a window over arbitrary bytes, without an index, so that it is there at once at any size. Pure.

use bytes::Bytes;

use crate::app::tree::{Found, Motion};

/// How a piece of a line is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Text as it came.
    Plain,
    /// A control character, an invisible one or a byte that is no UTF-8, written out (`\x1b`).
    Escape,
    /// Part of the current match.
    Match,
}

/// Neighbouring cells of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Harmless text.
    pub text: String,
    /// How it looks.
    pub look: Look,
}

/// The raw tab of one job. Cheap to clone: the bytes are shared.
#[derive(Debug, Clone)]
pub struct RawView {
    bytes: Bytes,
    top: usize,
    left: usize,
    wrap: bool,
}

impl RawView {
    /// A view at the beginning of the bytes, wrapped.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes, top: 0, left: 0, wrap: true }
    }

    /// Scrolls a window of this width and height in cells.
    pub fn go(&mut self, motion: Motion, width: u16, height: u16) {
        let _ = (motion, width, height);
    }

    /// Moves the window sideways by half its width (only where lines are not wrapped).
    pub fn go_sideways(&mut self, right: bool, width: u16) {
        let _ = (right, width);
    }

    /// `w`: wraps lines or cuts them at the right edge.
    pub fn toggle_wrap(&mut self) {
        self.wrap = !self.wrap;
    }

    /// Whether lines are wrapped.
    pub fn wraps(&self) -> bool {
        self.wrap
    }

    /// Searches for a plain text in any case, from the top of the window on. An empty text ends the search.
    pub fn search(&mut self, text: &str, width: u16, height: u16) -> Found {
        let _ = (text, width, height);
        Found::Nowhere
    }

    /// `n`
    pub fn next_match(&mut self, width: u16, height: u16) -> Found {
        let _ = (width, height);
        Found::Nowhere
    }

    /// `N`
    pub fn previous_match(&mut self, width: u16, height: u16) -> Found {
        let _ = (width, height);
        Found::Nowhere
    }

    /// One more slice of a search that is not over, about 20 ms at the most.
    pub fn go_on_searching(&mut self, width: u16, height: u16) -> Found {
        let _ = (width, height);
        Found::Nowhere
    }

    /// What is searched for.
    pub fn needle(&self) -> Option<&str> {
        None
    }

    /// All the bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How far down the window's last row is, in percent of the bytes.
    pub fn percent(&self, width: u16, height: u16) -> u8 {
        let _ = (width, height);
        0
    }

    /// The rows of a window of this size. Changes nothing.
    pub fn window(&self, width: u16, height: u16) -> Vec<Vec<Piece>> {
        let _ = (width, height);
        Vec::new()
    }
}
