//! Text panes: lines of pieces that have a weight, wrapped to a width, searched. Summary, history and help are made of
//! them.

use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::domain::state::State;

/// Cells of the label column, the blank in front of it included.
pub const LABEL: usize = 12;

/// The cell of a bar among others: lower than its row, so that bars of neighbouring rows stay apart.
pub const BAR_CELL: &str = "▆";

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As text.
    #[default]
    Plain,
    /// Labels, ids, times.
    Dim,
    /// A heading, a reason.
    Strong,
    /// What the eye is led to.
    Accent,
    /// Something needs a look.
    Caution,
    /// Something is wrong.
    Warn,
    State(State),
    /// In a state's colour, reversed.
    Badge(State),
    /// A bar in a state's colour.
    Fill(State),
}

/// Harmless text of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StyledText {
    pub text: String,
    pub tone: Tone,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextLine {
    /// Its pieces, from left to right.
    pub pieces: Vec<StyledText>,
    /// Blanks in front of the rows that it goes on in.
    pub indent: usize,
}

impl TextLine {
    /// A line of one piece, with a blank in front.
    pub fn of(tone: Tone, text: &str) -> Self {
        Self { pieces: Vec::new(), indent: 1 }.with(Tone::Plain, " ").with(tone, text)
    }

    /// A heading; empty: a blank line.
    pub fn heading(text: &str) -> Self {
        if text.is_empty() { Self::default() } else { Self::of(Tone::Strong, text) }
    }

    /// A dim label in its own column, and what it is the label of.
    pub fn labelled(label: &str, tone: Tone, text: &str) -> Self {
        let head = format!(" {label:<0$} ", LABEL.saturating_sub(2));
        let indent = head.width();
        Self { pieces: vec![StyledText { text: head, tone: Tone::Dim }], indent }.with(tone, text)
    }

    /// With one more piece at the end.
    pub fn with(mut self, tone: Tone, text: &str) -> Self {
        if !text.is_empty() {
            self.pieces.push(StyledText { text: text.to_owned(), tone });
        }
        self
    }

    /// Cells of all pieces.
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|piece| piece.text.width()).sum()
    }

    pub fn text(&self) -> String {
        self.pieces.iter().fold(String::new(), |mut text, piece| {
            let _ = write!(text, "{}", piece.text);
            text
        })
    }
}

/// Lines wrapped to this many cells; with `wrap` off they are left to be cut.
pub fn wrapped(lines: Vec<TextLine>, width: usize, wrap: bool) -> Vec<TextLine> {
    if !wrap {
        return lines;
    }
    let mut out = Vec::with_capacity(lines.len());
    for line in lines {
        if line.width() <= width {
            out.push(line);
        } else {
            out.extend(broken(line, width));
        }
    }
    out
}

/// Two columns, the second from this cell on.
pub fn beside(left: Vec<TextLine>, right: Vec<TextLine>, column: usize) -> Vec<TextLine> {
    let rows = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    let mut row = || {
        let (mut line, other) = (left.next().unwrap_or_default(), right.next());
        if let Some(other) = other {
            line = line.clone().with(Tone::Plain, &" ".repeat(column.saturating_sub(line.width())));
            line.pieces.extend(other.pieces);
        }
        line
    };
    (0..rows).map(|_| row()).collect()
}

/// Text in exactly this many cells.
pub fn padded(text: &str, cells: usize) -> String {
    let text = cut(text, cells, "…");
    let blanks = " ".repeat(cells.saturating_sub(text.width()));
    text + &blanks
}

/// Text in rows of at most this many cells, broken between words where that can be.
pub fn split(text: &str, width: usize) -> Vec<String> {
    let pieces = vec![StyledText { text: text.to_owned(), tone: Tone::Plain }];
    let rows = broken(TextLine { pieces, indent: 0 }, width);
    let kept = |(n, row): (usize, TextLine)| {
        let text = row.text();
        if n == 0 { text.trim_end().to_owned() } else { text.trim().to_owned() }
    };
    rows.into_iter().enumerate().map(kept).collect()
}

fn broken(line: TextLine, width: usize) -> Vec<TextLine> {
    // A narrow pane keeps some cells for what is said.
    let indent = if width < line.indent + 8 { 0 } else { line.indent };
    let mut rows =
        RowBuilder { width, indent, done: Vec::new(), row: TextLine { pieces: Vec::new(), indent }, used: 0 };
    for piece in &line.pieces {
        for word in piece.text.split_inclusive(' ') {
            rows.add(word, piece.tone);
        }
    }
    rows.done.push(rows.row);
    rows.done
}

/// Rows that are being filled.
struct RowBuilder {
    width: usize,
    indent: usize,
    done: Vec<TextLine>,
    row: TextLine,
    used: usize,
}

impl RowBuilder {
    fn add(&mut self, word: &str, tone: Tone) {
        let start = if self.done.is_empty() { 0 } else { self.indent };
        if self.used > start && self.used + word.trim_end().width() > self.width {
            self.begin();
        }
        for grapheme in word.graphemes(true) {
            let cells = grapheme.width();
            // Blanks at the end of a row may be outside.
            if self.used + cells > self.width && self.used > 0 && grapheme != " " {
                self.begin();
            }
            match self.row.pieces.last_mut() {
                Some(piece) if piece.tone == tone => piece.text.push_str(grapheme),
                Some(_) | None => self.row.pieces.push(StyledText { text: grapheme.to_owned(), tone }),
            }
            self.used += cells;
        }
    }

    fn begin(&mut self) {
        let mut next = TextLine { pieces: Vec::new(), indent: self.indent };
        if self.indent > 0 {
            next.pieces.push(StyledText { text: " ".repeat(self.indent), tone: Tone::Plain });
        }
        self.used = self.indent;
        self.done.push(std::mem::replace(&mut self.row, next));
    }
}

/// The next line (or the previous one) with this text in any case, from a line on, round the end.
pub fn find(lines: &[TextLine], needle: &str, from: usize, forward: bool) -> Option<usize> {
    let needle = needle.to_lowercase();
    if needle.is_empty() {
        return None;
    }
    let has = |line: &TextLine| line.text().to_lowercase().contains(&needle);
    let hits: Vec<usize> = lines.iter().enumerate().filter(|(_, line)| has(line)).map(|(n, _)| n).collect();
    if forward {
        hits.iter().find(|hit| **hit > from).or(hits.first()).copied()
    } else {
        hits.iter().rev().find(|hit| **hit < from).or(hits.last()).copied()
    }
}

/// The beginning of a text in at most this many cells, with a sign where it was cut.
pub fn cut(text: &str, width: usize, sign: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(sign.width());
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > room {
            break;
        }
        out.push_str(grapheme);
    }
    if width >= sign.width() {
        out.push_str(sign);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_long_words_within() {
        let cases = [
            ("", 5, vec![""]),
            ("one two three", 7, vec!["one two", "three"]),
            ("abcdefghij", 4, vec!["abcd", "efgh", "ij"]),
            ("漢字漢字", 5, vec!["漢字", "漢字"]),
            ("a b", 1, vec!["a", "b"]),
        ];
        for (text, width, rows) in cases {
            assert_eq!(split(text, width), rows, "{text}");
        }
    }

    #[test]
    fn a_labelled_line_goes_on_under_its_text() {
        let line = TextLine::labelled("reason", Tone::Plain, "Login page did not load");
        let rows: Vec<String> = wrapped(vec![line], 25, true).iter().map(TextLine::text).collect();
        assert_eq!(rows, [" reason     Login page ", "            did not load"]);
    }

    #[test]
    fn a_cut_text_says_so_and_never_takes_more_cells() {
        for (text, width, expected) in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字", 3, "漢…"), ("abc", 0, "")]
        {
            assert_eq!(cut(text, width, "…"), expected);
        }
    }
}
