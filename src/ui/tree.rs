//! Draws the tree tab: the rows of the window and, in the last line, the path of the cursor.
//!
//! ```text
//! ▾ output {2}
//!     ok: true
//!   ▸ steps [11]
//!  path .output.steps
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::app::detail::tree::{FoldMark, Label, TreeRow, TreeView, rows_seen};
use crate::domain::clean::Clean;
use crate::json::scan::ValueKind;
use crate::json::search::Needle;
use crate::json::text;

/// How the parts of the tree look.
#[derive(Debug, Clone, Copy, Default)]
pub struct TreeStyles {
    /// Punctuation, indices, sizes.
    pub plain: Style,
    pub key: Style,
    pub string: Style,
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
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let seen = rows_seen(area.height);
    for (place, row) in area.rows().zip(view.window(seen, area.width)) {
        line(&row, view.needle(), usize::from(area.width), styles).render(place, buf);
        if row.at_cursor {
            buf.set_style(place, if focused { styles.cursor } else { styles.cursor_away });
        }
    }
    if seen < area.height {
        let last = Rect { y: area.bottom() - 1, height: 1, ..area };
        let room = usize::from(area.width).saturating_sub(6);
        let path = format!("path {}", ending(&view.path_end(room), room, styles));
        buf.set_stringn(last.x, last.y, path, usize::from(last.width), styles.path);
    }
}

/// Draws rows of the view without cursor and path: a glimpse of it.
pub fn preview(view: &TreeView, area: Rect, styles: &TreeStyles, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    for (place, row) in area.rows().zip(view.window(area.height, area.width)) {
        line(&row, None, usize::from(area.width), styles).render(place, buf);
    }
}

/// Cells that are kept for a key and for a value, if they are that long.
const VALUE: usize = 8;

fn line<'a>(row: &'a TreeRow, needle: Option<&Needle>, width: usize, styles: &TreeStyles) -> Line<'a> {
    let mark = match (row.fold, styles.ascii) {
        (FoldMark::Open, false) => "▾ ",
        (FoldMark::Folded, false) => "▸ ",
        (FoldMark::Open, true) => "v ",
        (FoldMark::Folded, true) => "> ",
        (FoldMark::Leaf, _) => "  ",
    };
    // However deep a row is, half of the line is left for what it says.
    let indent = (row.depth * 2).min(width / 2);
    let mut spans = vec![Span::styled(format!("{}{mark}", " ".repeat(indent)), styles.plain)];
    match &row.label {
        Some(Label::Key(key)) => {
            // A long key leaves some cells for what it is the key of.
            let room = width.saturating_sub(indent + 4 + row.text.width().min(VALUE)).max(VALUE);
            let whole = key.width() <= room;
            let (begin, _) =
                key.split_at(if whole { key.len() } else { beginning(key, room.saturating_sub(dots(styles).width())) });
            spans.extend(marked(begin, styles.key, needle, styles));
            spans.extend((!whole).then(|| Span::styled(dots(styles), styles.plain)));
        }
        Some(Label::Number(number)) => spans.push(Span::styled(format!("[{number}]"), styles.plain)),
        None => {}
    }
    let container = row.decoded || matches!(row.kind, ValueKind::Object | ValueKind::Array);
    if row.label.is_some() {
        spans.push(Span::styled(if container { " " } else { ": " }, styles.plain));
    }
    let style = match row.kind {
        _ if container => styles.plain,
        ValueKind::Object | ValueKind::Array => styles.plain,
        ValueKind::String => styles.string,
        ValueKind::Number => styles.number,
        ValueKind::Bool | ValueKind::Null => styles.word,
    };
    let room = width.saturating_sub(spans.iter().map(Span::width).sum());
    if row.whole && row.text.width() <= room {
        spans.extend(marked(&row.text, style, needle, styles));
    } else {
        let tail = format!("{} {}", dots(styles), text::size(row.size));
        let (begin, _) = row.text.split_at(beginning(&row.text, room.saturating_sub(tail.width())));
        spans.extend(marked(begin, style, needle, styles));
        spans.push(Span::styled(tail, styles.plain));
    }
    if row.decoded {
        spans.push(Span::styled(" from text", styles.plain));
    }
    Line::from(spans)
}

/// A text with what matches the search set off.
fn marked<'a>(text: &'a str, style: Style, needle: Option<&Needle>, styles: &TreeStyles) -> Vec<Span<'a>> {
    let mut spans = Vec::new();
    let mut rest = text;
    if let Some(needle) = needle {
        let mut done = 0;
        for found in needle.ranges(text) {
            let Some((before, after)) = rest.split_at_checked(found.start.saturating_sub(done)) else { break };
            let Some((hit, after)) = after.split_at_checked(found.len()) else { break };
            spans.extend([Span::styled(before, style), Span::styled(hit, styles.found)]);
            (rest, done) = (after, found.end);
        }
    }
    spans.push(Span::styled(rest, style));
    spans
}

/// How many bytes of a text fit into that many cells.
fn beginning(text: &str, cells: usize) -> usize {
    let mut left = cells;
    text.char_indices()
        .find(|(_, c)| match left.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
        .map_or(text.len(), |(at, _)| at)
}

/// The end of a path, which says more than its beginning.
fn ending(path: &str, cells: usize, styles: &TreeStyles) -> Clean {
    let near: Vec<char> = path.chars().rev().take(cells + 1).collect();
    let cut = near.len() > cells;
    let kept: String = near.into_iter().take(if cut { cells.saturating_sub(3) } else { cells }).collect();
    let kept: String = kept.chars().rev().collect();
    Clean::new(&if cut { format!("{}{kept}", dots(styles)) } else { kept })
}

fn dots(styles: &TreeStyles) -> &'static str {
    if styles.ascii { "..." } else { "…" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::detail::tree::{FoldAction, Motion};
    use crate::json::index::Document;
    use bytes::Bytes;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    fn view(text: &str) -> TreeView {
        let document = Document::parse(Bytes::copy_from_slice(text.as_bytes()), &AtomicBool::new(false)).unwrap();
        TreeView::new(Arc::new(document), "")
    }

    fn drawn(view: &TreeView, width: u16, height: u16, ascii: bool) -> Vec<String> {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        draw(view, buf.area, true, &TreeStyles { ascii, ..TreeStyles::default() }, &mut buf);
        let cells: Vec<&str> = buf.content().iter().map(|cell| cell.symbol()).collect();
        cells.chunks(usize::from(width)).map(|row| row.concat().trim_end().to_owned()).collect()
    }

    const TEXT: &str = r#"{"output":{"ok":true,"steps":[1,2]},"note":"a long text that does not fit into its line","raw":"{\"a\":1.50}"}"#;

    #[test]
    fn keys_sizes_and_the_beginning_of_long_texts_are_drawn_and_the_path_below() {
        let mut view = view(TEXT);
        view.go(Motion::Bottom, 9);
        assert!(view.fold(FoldAction::Decode, 9).is_none());
        assert_eq!(
            drawn(&view, 30, 8, false),
            [
                "▾ output {2}",
                "    ok: true",
                "  ▸ steps [2]",
                "  note: \"a long text tha… 45 B",
                "▾ raw {1} from text",
                "    a: 1.50",
                "",
                "path .raw",
            ]
        );
        assert_eq!(drawn(&view, 12, 3, true), ["  note: ...", "v raw {1} fr", "path .raw"]);
        view.go(Motion::Bottom, 9);
        assert_eq!(drawn(&view, 16, 2, true), ["    a: 1.50", "path ...on | .a"]);
    }

    #[test]
    fn a_long_key_leaves_room_for_its_value() {
        let view = view("{\"workflow_execution_failed\":null,\"a\":1}");
        assert_eq!(drawn(&view, 20, 3, false)[..2], ["  workflow_ex…: null", "  a: 1"]);
    }

    #[test]
    fn no_area_is_too_small_or_outside_and_no_text_too_hostile() {
        let mut views = [
            view("{}"),
            view(TEXT),
            view("[[[[[[[[[[[[1]]]]]]]]]]]]"),
            view("{\"\\u001b]52;c;x\\u0007\":\"漢\u{202e}\"}"),
        ];
        for view in &mut views {
            assert!(view.fold(FoldAction::UnfoldAll, 5).is_none());
            view.go(Motion::Bottom, 5);
            for (width, height) in [(0, 0), (1, 1), (2, 2), (5, 3), (40, 20)] {
                let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
                draw(view, Rect::new(0, 0, 60, 30), false, &TreeStyles::default(), &mut buf);
                let harmless = |text: &str| text.chars().all(crate::domain::clean::is_harmless);
                assert!(buf.content().iter().all(|cell| harmless(cell.symbol())));
            }
        }
    }
}
