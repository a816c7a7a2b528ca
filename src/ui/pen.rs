//! Writing into the cells of one rectangle: nothing outside of it, whatever its size; all widths are in cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::app::layout::Area;
use crate::app::text;
use crate::ui::theme::Theme;

/// A piece of a row.
#[derive(Debug, Clone)]
pub struct Span {
    /// Harmless text.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// A piece of a row that looks so.
pub fn span(text: impl Into<String>, style: Style) -> Span {
    Span { text: text.into(), style }
}

/// A piece of a row that looks like any text.
pub fn plain(text: impl Into<String>) -> Span {
    span(text, Style::new())
}

/// Cells of some pieces together.
pub fn width(spans: &[Span]) -> usize {
    spans.iter().map(|span| span.text.width()).sum()
}

/// The cells of the layout as the terminal library takes them.
pub fn rect(area: Area) -> Rect {
    Rect { x: area.x, y: area.y, width: area.width, height: area.height }
}

/// What a pane has under its title.
pub fn body(area: Rect) -> Rect {
    Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area }
}

/// The n-th row of a rectangle; empty if it has none.
pub fn row(area: Rect, n: usize) -> Rect {
    let n = u16::try_from(n).unwrap_or(u16::MAX);
    if n >= area.height {
        return Rect { height: 0, width: 0, ..area };
    }
    Rect { y: area.y.saturating_add(n), height: 1, ..area }
}

/// Writes pieces from the left into the first row of a rectangle, cut with a sign where they do not fit.
pub fn write(spans: &[Span], area: Rect, theme: &Theme, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let mut x = area.x;
    for span in spans {
        let room = usize::from(area.right().saturating_sub(x));
        if room == 0 {
            return;
        }
        let text = text::cut(&span.text, room, theme.cut());
        (x, _) = buf.set_stringn(x, area.y, text, room, span.style);
    }
}

/// Writes pieces to the right end of the first row of a rectangle; nothing if they do not fit.
pub fn write_right(spans: &[Span], area: Rect, theme: &Theme, buf: &mut Buffer) {
    let width = u16::try_from(width(spans)).unwrap_or(u16::MAX);
    if width <= area.width {
        write(spans, Rect { x: area.right().saturating_sub(width), width, ..area }, theme, buf);
    }
}

/// Text in exactly so many cells, cut or filled with blanks.
pub fn fit(text: &str, width: usize, theme: &Theme) -> String {
    let mut out = text::cut(text, width, theme.cut());
    out.push_str(&" ".repeat(width.saturating_sub(out.width())));
    out
}

/// The same, to the right.
pub fn fit_right(text: &str, width: usize, theme: &Theme) -> String {
    let out = text::cut(text, width, theme.cut());
    format!("{}{out}", " ".repeat(width.saturating_sub(out.width())))
}

/// Gives a rectangle another look.
pub fn restyle(area: Rect, style: Style, buf: &mut Buffer) {
    buf.set_style(area.intersection(buf.area), style);
}

/// Takes everything out of a rectangle.
pub fn clear(area: Rect, buf: &mut Buffer) {
    for position in area.intersection(buf.area).positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
        }
    }
}

/// A title that is a line across the pane: `── log ─ info+ ─ following ─────`.
pub fn rule(parts: &[Span], right: &[Span], area: Rect, theme: &Theme, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let area = row(area, 0);
    let dash = theme.line();
    let full = dash.repeat(area.width.into());
    write(&[plain(full)], area, theme, buf);
    let mut spans = vec![plain(dash.repeat(2))];
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            spans.push(plain(dash));
        }
        spans.push(plain(" "));
        spans.push(part.clone());
        spans.push(plain(" "));
    }
    write(&spans, area, theme, buf);
    let room = usize::from(area.width).saturating_sub(width(&spans) + 1);
    if right.is_empty() || width(right) + 4 > room {
        return;
    }
    let mut tail = vec![plain(" ")];
    tail.extend(right.iter().cloned());
    tail.push(plain(format!(" {} ", dash.repeat(2))));
    write_right(&tail, area, theme, buf);
}
