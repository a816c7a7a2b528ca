//! Draws the raw tab: bytes as text, with everything visible that a terminal would obey or hide.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::detail::raw::{CellStyle, RawView};

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
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    for (row, pieces) in area.rows().zip(view.window(area.width, area.height)) {
        let spans = pieces.iter().map(|piece| {
            let style = match piece.look {
                CellStyle::Plain => styles.plain,
                CellStyle::Escape => styles.escape,
                CellStyle::Match => styles.found,
            };
            Span::styled(piece.text.as_str(), style)
        });
        spans.collect::<Line<'_>>().render(row, buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use ratatui::style::Modifier;

    #[test]
    fn bytes_are_drawn_line_by_line_with_escapes_set_off() {
        let view = RawView::new(Bytes::from_static(b"plain\n\x1b[2Jtext\n"));
        let mut expected = Buffer::with_lines(["plain     ", "\\x1b[2Jtex", "t         "]);
        let escape = Style::new().add_modifier(Modifier::UNDERLINED);
        expected.set_style(Rect::new(0, 1, 4, 1), escape);
        let mut buf = Buffer::empty(Rect::new(0, 0, 10, 3));
        draw(&view, buf.area, &RawStyles { escape, ..RawStyles::default() }, &mut buf);
        assert_eq!(buf, expected);
    }

    #[test]
    fn no_area_is_too_small_or_outside() {
        let view = RawView::new(Bytes::from_static("漢字\n\x07".as_bytes()));
        for (width, height) in [(0, 0), (1, 1), (2, 1), (9, 9)] {
            let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
            draw(&view, Rect::new(0, 0, 9, 9), &RawStyles::default(), &mut buf);
        }
    }
}
