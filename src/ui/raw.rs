//! Draws the raw tab: bytes as text, with everything visible that a terminal would obey or hide.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::raw::RawView;

/// How the parts of the raw tab look.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawStyles {
    /// Text as it came.
    pub plain: Style,
    /// What had to be written out, such as `\x1b`.
    pub escape: Style,
    /// The current match.
    pub found: Style,
}

/// Draws the view into the area. Draws nothing outside, at any size.
pub fn draw(view: &RawView, area: Rect, styles: &RawStyles, buf: &mut Buffer) {
    let _ = (view, area, styles, buf);
}
