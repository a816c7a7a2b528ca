//! Text panes: labelled lines, wrapped to a width, searched. Summary, attempts and help are made of them.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::domain::state::State;

/// Cells of the label column.
pub const LABEL: usize = 10;

/// A line before it is wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about; stands in a column of its own.
    pub label: Cow<'static, str>,
    /// Harmless text.
    pub text: String,
    /// How it looks.
    pub tone: Tone,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As text.
    Plain,
    /// In front of it stand a state's symbol and name.
    State(State),
    /// Something is wrong.
    Warn,
    /// A heading.
    Heading,
}

impl Line {
    /// A line with a label.
    pub fn new(label: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { label: label.into(), text: text.into(), tone: Tone::Plain }
    }

    /// A line that says that something is wrong.
    pub fn warn(label: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { tone: Tone::Warn, ..Self::new(label, text) }
    }

    /// A heading; empty: a blank line.
    pub fn heading(text: impl Into<String>) -> Self {
        Self { tone: Tone::Heading, ..Self::new("", text) }
    }
}

/// Lines wrapped to this many cells, label column included; with `wrap` off they are left to be cut.
pub fn wrapped(lines: Vec<Line>, width: usize, wrap: bool) -> Vec<Line> {
    if !wrap {
        return lines;
    }
    let mut out = Vec::with_capacity(lines.len());
    for line in lines {
        let indent = match line.tone {
            Tone::Plain | Tone::Warn => line.label.width().max(LABEL - 1) + 1,
            Tone::State(state) => state.as_str().len() + 4,
            Tone::Heading => 0,
        };
        let mut rows = split(&line.text, width.saturating_sub(indent + 1).max(8)).into_iter();
        let first = rows.next().unwrap_or_default();
        let tone = match line.tone {
            Tone::State(_) => Tone::Plain,
            Tone::Plain | Tone::Warn | Tone::Heading => line.tone,
        };
        out.push(Line { text: first, ..line });
        out.extend(rows.map(|text| Line { label: Cow::Borrowed(""), text, tone }));
    }
    out
}

/// What stands apart in a line: three blanks are between a label with its value and the next.
const APART: &str = "   ";

/// Text in rows of at most this many cells, broken where things stand apart, else between words, where that can be.
pub fn split(text: &str, width: usize) -> Vec<String> {
    let mut rows = Rows { width, done: Vec::new(), row: String::new(), used: 0 };
    for group in text.split_inclusive(APART) {
        if group.trim_end().width() <= width {
            rows.make_room(group);
        }
        for word in group.split_inclusive(' ') {
            rows.make_room(word);
            rows.add(word);
        }
    }
    rows.finish()
}

/// Rows that are being filled.
struct Rows {
    width: usize,
    done: Vec<String>,
    row: String,
    used: usize,
}

impl Rows {
    /// Begins a new row if a piece, without the blanks at its end, does not fit into this one.
    fn make_room(&mut self, piece: &str) {
        if self.used > 0 && self.used + piece.trim_end().width() > self.width {
            self.begin();
        }
    }

    fn add(&mut self, word: &str) {
        for grapheme in word.graphemes(true) {
            let cells = grapheme.width();
            // Blanks at the end of a row may stand outside.
            if self.used + cells > self.width && !self.row.is_empty() && grapheme != " " {
                self.begin();
            }
            self.row.push_str(grapheme);
            self.used += cells;
        }
    }

    fn begin(&mut self) {
        self.done.push(std::mem::take(&mut self.row));
        self.used = 0;
    }

    fn finish(mut self) -> Vec<String> {
        if !self.row.is_empty() || self.done.is_empty() {
            self.begin();
        }
        let kept = |(n, row): (usize, String)| if n == 0 { row.trim_end().to_owned() } else { row.trim().to_owned() };
        self.done.into_iter().enumerate().map(kept).collect()
    }
}

/// The next line (or the one before) with this text in any case, from a line on, round the end.
pub fn find(lines: &[Line], needle: &str, from: usize, forward: bool) -> Option<usize> {
    let needle = needle.to_lowercase();
    if needle.is_empty() {
        return None;
    }
    let has = |line: &Line| line.text.to_lowercase().contains(&needle) || line.label.to_lowercase().contains(&needle);
    let mut hits = lines.iter().enumerate().filter(|(_, line)| has(line)).map(|(n, _)| n);
    if forward {
        let hits: Vec<usize> = hits.collect();
        hits.iter().find(|hit| **hit > from).or(hits.first()).copied()
    } else {
        let hits: Vec<usize> = hits.by_ref().collect();
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
            let split: Vec<String> = split(text, width).into_iter().map(|row| row.trim_end().to_owned()).collect();
            assert_eq!(split, rows, "{text}");
        }
    }

    #[test]
    fn a_cut_text_says_so_and_never_takes_more_cells() {
        for (text, width, expected) in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字", 3, "漢…"), ("abc", 0, "")]
        {
            assert_eq!(cut(text, width, "…"), expected);
        }
    }
}
