//! Draws the tree tab: the rows of the window and, in the last line, the path of the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::tree::TreeView;

/// How the parts of the tree look.
#[derive(Debug, Clone, Copy, Default)]
pub struct TreeStyles {
    /// Punctuation, indices, sizes.
    pub plain: Style,
    /// Keys of objects.
    pub key: Style,
    /// String values.
    pub string: Style,
    /// Numbers.
    pub number: Style,
    /// `true`, `false`, `null`.
    pub word: Style,
    /// The cursor's row while the pane has the focus.
    pub cursor: Style,
    /// The cursor's row while it has not.
    pub cursor_away: Style,
    /// Text that matches the search.
    pub found: Style,
    /// The last line.
    pub path: Style,
    /// Whether only ASCII may be drawn.
    pub ascii: bool,
}

/// Draws the view into the area. Draws nothing outside, at any size.
pub fn draw(view: &TreeView, area: Rect, focused: bool, styles: &TreeStyles, buf: &mut Buffer) {
    let _ = (view, area, focused, styles, buf);
}
