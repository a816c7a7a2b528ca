//! A line that is being typed: its cursor, what is wrong in it, and the part of it that is seen.
//!
//! ```text
//!  /…te:failed,partial tag:november name:scan*█
//! ```

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::Span;
use unicode_segmentation::UnicodeSegmentation;

use crate::app::input::LineInput;
use crate::ui::theme::Theme;

/// The part around the cursor that fits this many cells, as pieces of a row. `broken`: the bytes that are wrong; if
/// they are none, it is where something is missing.
pub fn line(input: &LineInput, broken: Option<&Range<usize>>, room: usize, theme: &Theme) -> Vec<Span<'static>> {
    // The cursor may stand behind the text.
    let text = input.text() + " ";
    let cursor = input.before().len();
    let wrong = |at: usize| broken.is_some_and(|range| range.contains(&at) || (range.is_empty() && range.start == at));
    let piece = |(at, grapheme): (usize, &str)| {
        let style = if wrong(at) { theme.broken() } else { Style::new() };
        let style = if input.is_selected() { style.patch(theme.selected()) } else { style };
        let here = (at..at + grapheme.len()).contains(&cursor);
        (here, Span::styled(grapheme.to_owned(), if here { style.patch(theme.selected()) } else { style }))
    };
    let pieces: Vec<(bool, Span<'static>)> = text.grapheme_indices(true).map(piece).collect();
    let last = pieces.iter().rposition(|(here, _)| *here).unwrap_or_default();
    // One cell is for the sign that there is text before.
    let mut left = room.saturating_sub(1);
    let fits = |(_, piece): &&(bool, Span<'static>)| {
        let cells = piece.width();
        let fits = cells <= left;
        left = left.saturating_sub(cells);
        fits
    };
    let seen = pieces.iter().take(last + 1).rev().take_while(fits).count();
    let first = last + 1 - seen;
    let sign = (first > 0).then(|| Span::raw(theme.cut()));
    sign.into_iter().chain(pieces.into_iter().skip(first).map(|(_, piece)| piece)).collect()
}

#[cfg(test)]
mod tests {
    use ratatui::style::Modifier;

    use super::*;
    use crate::app::keys::Key;
    use crate::ui::theme::{Charset, Palette};

    #[test]
    fn the_cursor_is_always_seen_and_so_is_what_is_wrong() {
        // What was typed, keys, what is wrong, cells, and what is seen: the cursor in brackets, what is wrong in
        // braces.
        let cases = [
            ("ab", "", None, 10, "ab[ ]"),
            ("ab", "Left", None, 10, "a[b] "),
            ("ab", "Home", None, 10, "[a]b "),
            ("abcdef", "", None, 4, "…ef[ ]"),
            ("abcdef", "Left Left Left", None, 4, "…bc[d]ef "),
            ("漢字漢字", "", None, 5, "…字[ ]"),
            ("a bc d", "", Some(2..4), 10, "a {b}{c} d[ ]"),
            ("a and", "", Some(5..5), 10, "a and[{ }]"),
            ("abc", "", None, 0, "…"),
        ];
        let theme = Theme::new(Charset::Utf8, Palette::Ansi);
        for (text, keys, broken, room, expected) in cases {
            let mut input = LineInput::new(text);
            for key in keys.split_whitespace() {
                input.key(Key::parse(key).unwrap());
            }
            let has = |piece: &Span<'_>, modifier| piece.style.add_modifier.contains(modifier);
            let shown = line(&input, broken.as_ref(), room, &theme).into_iter().map(|piece| {
                let text = piece.content.to_string();
                let text = if has(&piece, Modifier::UNDERLINED) { format!("{{{text}}}") } else { text };
                if has(&piece, Modifier::REVERSED) { format!("[{text}]") } else { text }
            });
            let shown: String = shown.collect();
            assert_eq!(shown, expected, "{text:?} {keys}");
        }
    }
}
