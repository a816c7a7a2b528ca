//! The raw tab's state: a window over arbitrary bytes, without an index, so that it is there at once at any size. Pure.
//!
//! A row is known by the byte it begins with; its neighbours are found from there. In lines longer than [`NEAR`] rows
//! are counted from where the reader is, not from the start of the line, so that the end of a 100 MB line is near.

use std::ops::Range;

use bytes::Bytes;
use unicode_width::UnicodeWidthChar;

use crate::app::detail::tree::{Motion, SearchOutcome};
use crate::domain::clean::{self, Clean};
use crate::json::search::{Needle, Slice};
use crate::json::text;

/// How a piece of a line is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellStyle {
    /// Text as it came.
    Plain,
    /// A control character, an invisible one or a byte that is no UTF-8, written out (`\x1b`).
    Escape,
    /// Part of the current match.
    Match,
}

/// Neighbouring cells of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StyledCells {
    /// Harmless text.
    pub text: Clean,
    pub look: CellStyle,
}

/// The raw tab of one job. Cheap to clone: the bytes are shared.
#[derive(Debug, Clone)]
pub struct RawView {
    bytes: Bytes,
    top: usize,
    left: usize,
    wrap: bool,
    needle: Option<Needle>,
    search: Option<RawSearch>,
    hit: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy)]
struct RawSearch {
    forward: bool,
    at: usize,
    wrapped: bool,
    began: usize,
}

/// One character, or one byte that is none.
struct Unit {
    length: usize,
    cells: usize,
    sign: UnitKind,
}

enum UnitKind {
    Plain(char),
    Tab,
    Escaped(char),
    Stray(u8),
}

/// How far back the start of a line is looked for.
const NEAR: usize = 1 << 14;
/// Columns beyond which a match is shown by wrapping its line.
const FAR: usize = 1 << 17;
/// Bytes searched in one slice.
const SLICE: usize = 1 << 23;
/// What a tab becomes.
const TAB: &str = "    ";

impl RawView {
    /// A view at the beginning of the bytes, wrapped.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes, top: 0, left: 0, wrap: true, needle: None, search: None, hit: None }
    }

    /// The byte that the window begins with, and whether lines are wrapped: to be kept.
    pub fn kept(&self) -> (usize, bool) {
        (self.top, self.wrap)
    }

    /// Takes up what was kept of the same bytes.
    pub fn take_up(&mut self, (top, wrap): (usize, bool)) {
        if top < self.bytes.len() {
            self.top = top;
        }
        self.wrap = wrap;
    }

    /// Scrolls a window of this width and height in cells.
    pub fn go(&mut self, motion: Motion, width: u16, height: u16) {
        let page = usize::from(height.max(1));
        let width = usize::from(width.max(1));
        self.top = match motion {
            Motion::Up => self.up(self.top, 1, width),
            Motion::Down => self.down(self.top, 1, width),
            Motion::HalfUp => self.up(self.top, page.div_ceil(2), width),
            Motion::HalfDown => self.down(self.top, page.div_ceil(2), width),
            Motion::PageUp => self.up(self.top, page, width),
            Motion::PageDown => self.down(self.top, page, width),
            Motion::Top => 0,
            Motion::Bottom => self.up(self.bytes.len(), page, width),
        };
        let rows = std::iter::successors(Some(self.top), |row| self.next_row(*row, width));
        if rows.take(page).count() < page {
            self.top = self.up(self.bytes.len(), page, width);
        }
    }

    /// Moves the window sideways by half its width (only where lines are not wrapped).
    pub fn go_sideways(&mut self, right: bool, width: u16) {
        let step = usize::from(width / 2).max(1);
        if !self.wrap {
            self.left = if right { self.left.saturating_add(step) } else { self.left.saturating_sub(step) };
        }
    }

    /// `w`: wraps lines or cuts them at the right edge.
    pub fn toggle_wrap(&mut self) {
        self.wrap = !self.wrap;
        self.left = 0;
        if !self.wrap {
            self.top = self.line_start(self.top, usize::MAX).unwrap_or(0);
        }
    }

    /// Whether lines are wrapped.
    pub fn wraps(&self) -> bool {
        self.wrap
    }

    /// Searches for a plain text in any case, from the top of the window on. An empty text ends the search.
    pub fn search(&mut self, text: &str, width: u16, height: u16) -> SearchOutcome {
        self.needle = Needle::new(text);
        self.hit = None;
        self.begin(true, self.top, width, height)
    }

    /// `n`
    pub fn next_match(&mut self, width: u16, height: u16) -> SearchOutcome {
        let from = self.hit.as_ref().map_or(self.top, |hit| hit.end);
        self.begin(true, from, width, height)
    }

    /// `N`
    pub fn previous_match(&mut self, width: u16, height: u16) -> SearchOutcome {
        let to = self.hit.as_ref().map_or(self.top, |hit| hit.start);
        self.begin(false, to, width, height)
    }

    /// One more slice of a search that is not over, about 20 ms at the most.
    pub fn go_on_searching(&mut self, width: u16, height: u16) -> SearchOutcome {
        let mut most = SLICE;
        while let Some(search) = self.search.take() {
            match self.search_on(search, &mut most) {
                Ok(hit) => {
                    self.show(&hit, usize::from(width.max(1)), usize::from(height.max(1)));
                    self.hit = Some(hit);
                    return SearchOutcome::Here { wrapped: search.wrapped };
                }
                Err(search) => self.search = search,
            }
            if most == 0 && self.search.is_some() {
                return SearchOutcome::NotYet;
            }
        }
        SearchOutcome::Nowhere
    }

    /// What is searched for.
    pub fn needle(&self) -> Option<&Needle> {
        self.needle.as_ref()
    }

    /// All the bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How far down the window's end is, in percent of the bytes.
    pub fn percent(&self, width: u16, height: u16) -> u8 {
        let end = self.end_of_window(usize::from(width.max(1)), usize::from(height.max(1)));
        u8::try_from(end.saturating_mul(100) / self.bytes.len().max(1)).unwrap_or(100)
    }

    /// The rows of a window of this size. Changes nothing.
    pub fn window(&self, width: u16, height: u16) -> Vec<Vec<StyledCells>> {
        let width = usize::from(width.max(1));
        std::iter::successors((!self.bytes.is_empty()).then_some(self.top), |row| self.next_row(*row, width))
            .take(usize::from(height))
            .map(|row| self.pieces(row, width))
            .collect()
    }

    fn pieces(&self, row: usize, width: usize) -> Vec<StyledCells> {
        let mut pieces: Vec<(String, CellStyle)> = Vec::new();
        let mut at = if self.wrap { row } else { self.skip_cells(row, self.left) };
        let mut cells = 0;
        while let Some(unit) = self.unit(at) {
            cells += unit.cells;
            if cells > width && !pieces.is_empty() {
                break;
            }
            let hit = self.hit.as_ref().is_some_and(|hit| hit.contains(&at));
            let look = if hit { CellStyle::Match } else { unit.sign.look() };
            if pieces.last().is_none_or(|(_, last)| *last != look) {
                pieces.push((String::new(), look));
            }
            if let Some((text, _)) = pieces.last_mut() {
                unit.sign.write(text);
            }
            at += unit.length;
        }
        pieces.into_iter().map(|(text, look)| StyledCells { text: Clean::new(&text), look }).collect()
    }

    fn begin(&mut self, forward: bool, at: usize, width: u16, height: u16) -> SearchOutcome {
        self.search = self.needle.is_some().then_some(RawSearch { forward, at, wrapped: false, began: at });
        self.go_on_searching(width, height)
    }

    /// The next match, or where to go on; `most` bytes may be read.
    fn search_on(&self, mut search: RawSearch, most: &mut usize) -> Result<Range<usize>, Option<RawSearch>> {
        let needle = self.needle.as_ref().ok_or(None)?;
        let (slice, ahead) = if search.forward {
            (needle.forward(&self.bytes, search.at, *most), self.bytes.len().saturating_sub(search.at))
        } else {
            (needle.backward(&self.bytes, search.at, *most), search.at)
        };
        *most = most.saturating_sub(ahead);
        match slice {
            Slice::Found(hit) => return Ok(hit),
            Slice::UpTo(at) => (search.at, *most) = (at, 0),
            Slice::Nothing if search.wrapped => return Err(None),
            Slice::Nothing => {
                search.at = if search.forward { 0 } else { self.bytes.len() };
                search.wrapped = true;
            }
        }
        let beyond = if search.forward { search.at > search.began } else { search.at < search.began };
        Err((!(search.wrapped && beyond)).then_some(search))
    }

    /// Moves the window so that a match is in it, no more than it takes.
    fn show(&mut self, hit: &Range<usize>, width: usize, height: usize) {
        if !self.wrap {
            let line = self.line_start(hit.start, usize::MAX).unwrap_or(0);
            if hit.start - line > FAR {
                self.wrap = true;
                self.left = 0;
            } else {
                let column = self.cells_between(line, hit.start);
                if column < self.left || column >= self.left + width {
                    self.left = column.saturating_sub(width / 3);
                }
            }
        }
        if hit.start < self.top || hit.end > self.end_of_window(width, height) {
            let above = self.up(hit.start + 1, 1, width);
            self.top = self.up(above, height / 3, width);
        }
    }

    fn end_of_window(&self, width: usize, height: usize) -> usize {
        let mut rows = std::iter::successors(Some(self.top), |row| self.next_row(*row, width));
        rows.nth(height).unwrap_or(self.bytes.len())
    }

    fn up(&self, from: usize, rows: usize, width: usize) -> usize {
        std::iter::successors(Some(from), |row| self.previous_row(*row, width)).take(rows + 1).last().unwrap_or(from)
    }

    fn down(&self, from: usize, rows: usize, width: usize) -> usize {
        std::iter::successors(Some(from), |row| self.next_row(*row, width)).take(rows + 1).last().unwrap_or(from)
    }

    fn next_row(&self, row: usize, width: usize) -> Option<usize> {
        let end = if self.wrap { self.row_end(row, width) } else { self.line_end(row) };
        let next = if self.bytes.get(end) == Some(&b'\n') { end + 1 } else { end };
        (next < self.bytes.len()).then_some(next)
    }

    fn previous_row(&self, row: usize, width: usize) -> Option<usize> {
        let before = row.checked_sub(1)?;
        let end = if self.bytes.get(before) == Some(&b'\n') { before } else { row };
        if !self.wrap {
            return self.line_start(end, usize::MAX);
        }
        let Some(mut start) = self.line_start(end, NEAR) else { return Some(self.filled_back(end, width)) };
        loop {
            let next = self.row_end(start, width);
            if next >= end {
                return Some(start);
            }
            start = next;
        }
    }

    /// The start of the line that a place is in or at the end of. None if it is further away than `most`.
    fn line_start(&self, at: usize, most: usize) -> Option<usize> {
        let from = at.saturating_sub(most);
        match memchr::memrchr(b'\n', self.bytes.get(from..at).unwrap_or_default()) {
            Some(found) => Some(from + found + 1),
            None => (from == 0).then_some(0),
        }
    }

    fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', self.bytes.get(at..).unwrap_or_default()).map_or(self.bytes.len(), |found| at + found)
    }

    /// Where a row ends that begins here: at a line's end or where the next character has no room.
    fn row_end(&self, row: usize, width: usize) -> usize {
        let (mut at, mut cells) = (row, 0);
        while let Some(unit) = self.unit(at) {
            cells += unit.cells;
            if cells > width && at > row {
                break;
            }
            at += unit.length;
        }
        at
    }

    /// Where a row begins that ends here and is full.
    fn filled_back(&self, end: usize, width: usize) -> usize {
        let (mut at, mut cells) = (end, 0);
        while at > 0 {
            let start = self.unit_before(at);
            cells += self.unit(start).map_or(0, |unit| unit.cells);
            if cells > width && at < end {
                break;
            }
            at = start;
        }
        at
    }

    /// A place this many cells further on in its line.
    fn skip_cells(&self, from: usize, cells: usize) -> usize {
        const STEP: usize = 256;
        let (mut at, mut left) = (from, cells);
        while left > 0 {
            let ahead = self.bytes.get(at..at + STEP).filter(|_| left >= STEP);
            if ahead.is_some_and(|bytes| bytes.iter().all(|b| (b' '..=b'~').contains(b))) {
                (at, left) = (at + STEP, left - STEP);
                continue;
            }
            let Some(unit) = self.unit(at) else { break };
            (at, left) = (at + unit.length, left.saturating_sub(unit.cells));
        }
        at
    }

    fn cells_between(&self, from: usize, to: usize) -> usize {
        let (mut at, mut cells) = (from, 0);
        while at < to
            && let Some(unit) = self.unit(at)
        {
            (at, cells) = (at + unit.length, cells + unit.cells);
        }
        cells
    }

    /// The character or stray byte that ends here. Which bytes belong together does not depend on where one begins.
    fn unit_before(&self, at: usize) -> usize {
        let starts = (1..=4).filter_map(|length| at.checked_sub(length).map(|start| (start, length)));
        let whole = |(start, length): &(usize, usize)| {
            text::decoded(self.bytes.get(*start..).unwrap_or_default()).is_some_and(|c| c.len_utf8() == *length)
        };
        starts.into_iter().find(whole).map_or(at.saturating_sub(1), |(start, _)| start)
    }

    /// What is here. None at the end of a line.
    fn unit(&self, at: usize) -> Option<Unit> {
        let rest = self.bytes.get(at..)?;
        let first = *rest.first()?;
        let (length, cells, sign) = match text::decoded(rest) {
            Some('\n') => return None,
            Some('\t') => (1, TAB.len(), UnitKind::Tab),
            Some(c) if clean::is_harmless(c) => (c.len_utf8(), c.width().unwrap_or(0), UnitKind::Plain(c)),
            Some(c) => (c.len_utf8(), clean::escaped(c).len(), UnitKind::Escaped(c)),
            None => (1, 4, UnitKind::Stray(first)),
        };
        Some(Unit { length, cells, sign })
    }
}

impl UnitKind {
    fn look(&self) -> CellStyle {
        match self {
            Self::Plain(_) | Self::Tab => CellStyle::Plain,
            Self::Escaped(_) | Self::Stray(_) => CellStyle::Escape,
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Plain(c) => out.push(*c),
            Self::Tab => out.push_str(TAB),
            Self::Escaped(c) => out.push_str(&clean::escaped(*c)),
            Self::Stray(byte) => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(view: &RawView, width: u16, height: u16) -> Vec<String> {
        view.window(width, height).iter().map(|row| row.iter().map(|piece| piece.text.as_str()).collect()).collect()
    }

    fn view(bytes: &[u8]) -> RawView {
        RawView::new(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn everything_is_seen_and_nothing_obeyed() {
        let cases: &[(&[u8], &[&str])] = &[
            (b"one\n\ntwo\n", &["one", "", "two"]),
            (b"tab\there\r\n", &["tab    here\\x0d"]),
            (b"\x1b[31m\xff\xc3 \x00", &["\\x1b[31m\\xff\\xc3 \\x00"]),
            ("é漢👍\u{202e}\u{85}".as_bytes(), &["é漢👍\\u{202e}\\x85"]),
            (b"", &[]),
            (b"\n", &[""]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(lines(&view(bytes), 40, 10), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn lines_wrap_by_cells_and_wide_characters_are_not_halved() {
        let mut view = view("abcdefgh\n漢字漢字\nx".as_bytes());
        assert_eq!(lines(&view, 5, 10), ["abcde", "fgh", "漢字", "漢字", "x"]);
        view.toggle_wrap();
        assert_eq!(lines(&view, 5, 10), ["abcde", "漢字", "x"]);
        view.go_sideways(true, 5);
        assert_eq!(lines(&view, 5, 10), ["cdefg", "字漢", ""]);
    }

    #[test]
    fn a_window_walks_down_and_up_the_same_rows() {
        for text in ["a\nbb\n\nccccccccccccc\ndd", &"0123456789".repeat(150), &"漢é\t\u{1b}\n".repeat(100)] {
            for wrap in [true, false] {
                let mut view = view(text.as_bytes());
                if !wrap {
                    view.toggle_wrap();
                }
                let mut tops = vec![view.top];
                loop {
                    view.go(Motion::Down, 7, 3);
                    if tops.last() == Some(&view.top) {
                        break;
                    }
                    tops.push(view.top);
                }
                view.go(Motion::Bottom, 7, 3);
                assert_eq!(tops.pop(), Some(view.top));
                assert_eq!(view.percent(7, 3), 100);
                while let Some(top) = tops.pop() {
                    view.go(Motion::Up, 7, 3);
                    assert_eq!(view.top, top);
                }
                view.go(Motion::Up, 7, 3);
                assert_eq!(view.top, 0);
            }
        }
    }

    #[test]
    fn a_match_is_shown_even_far_along_a_line() {
        let mut view = view(format!("{}NEEDLE{}", "x".repeat(300_000), "y\n".repeat(1000)).as_bytes());
        view.toggle_wrap();
        assert_eq!(view.search("needle", 80, 10), SearchOutcome::Here { wrapped: false });
        let found: Vec<StyledCells> =
            view.window(80, 10).into_iter().flatten().filter(|piece| piece.look == CellStyle::Match).collect();
        assert_eq!(found.iter().map(|piece| piece.text.as_str()).collect::<String>(), "NEEDLE");
        assert_eq!(view.next_match(80, 10), SearchOutcome::Here { wrapped: true });
        assert_eq!(view.previous_match(80, 10), SearchOutcome::Here { wrapped: true });
        assert_eq!(view.search("nothing", 80, 10), SearchOutcome::Nowhere);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(0u8..=255, 0..300), width in 0u16..9, height in 0u16..5, wrap: bool) {
            let mut view = view(&bytes);
            if !wrap { view.toggle_wrap(); }
            for motion in [Motion::Bottom, Motion::PageUp, Motion::Up, Motion::HalfDown, Motion::Down, Motion::HalfUp, Motion::PageDown, Motion::Top] {
                view.go(motion, width, height);
                proptest::prop_assert!(view.window(width, height).len() <= usize::from(height));
                proptest::prop_assert!(view.top <= bytes.len());
                proptest::prop_assert!(view.percent(width, height) <= 100);
            }
        }
    }
}
