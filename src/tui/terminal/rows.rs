//! Drawing rows in which terminals do not agree how wide a character is: emoji with a selector, Indic and Thai
//! clusters, flags. Such a row is cleared and drawn whole, and the cursor is placed anew behind each such character,
//! so that no letter of what was there before stays behind and nothing is drawn beside its place.

use std::io::{self, Write};

use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType as Cleared};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use unicode_width::UnicodeWidthStr;

/// A backend that knows what is on the screen.
#[derive(Debug)]
pub struct RowBackend<W: Write> {
    inner: CrosstermBackend<W>,
    rows: Vec<ScreenRow>,
    /// Whether the cursor is seen, as far as that was said since the screen was cleared.
    cursor_seen: Option<bool>,
    /// Where the cursor is, if nothing was drawn since it was put there.
    cursor_at: Option<Position>,
}

#[derive(Debug, Default, Clone)]
struct ScreenRow {
    cells: Vec<Cell>,
    /// Whether it holds a character of uncertain width.
    is_uncertain: bool,
}

impl ScreenRow {
    /// A wide character hides what stood in the cells behind its first.
    fn put(&mut self, at: usize, cell: &Cell) {
        let end = at + width(cell);
        if end > self.cells.len() {
            self.cells.resize(end, Cell::default());
        }
        for (behind, place) in self.cells.iter_mut().take(end).skip(at).enumerate() {
            if behind == 0 {
                place.clone_from(cell);
            } else {
                place.reset();
            }
        }
    }
}

/// How many cells a symbol has on our side of the line, at least one.
fn width(cell: &Cell) -> usize {
    cell.symbol().width().max(1)
}

impl<W: Write> RowBackend<W> {
    /// Draws on a screen that is empty.
    pub fn new(writer: W) -> Self {
        Self { inner: CrosstermBackend::new(writer), rows: Vec::new(), cursor_seen: None, cursor_at: None }
    }

    fn row(&mut self, y: u16) -> Option<&mut ScreenRow> {
        let at = usize::from(y);
        if at >= self.rows.len() {
            self.rows.resize(at + 1, ScreenRow::default());
        }
        self.rows.get_mut(at)
    }

    fn draw_row(&mut self, y: u16) -> io::Result<()> {
        let Some(row) = self.rows.get(usize::from(y)).cloned() else { return Ok(()) };
        queue!(self.inner, MoveTo(0, y), Clear(Cleared::UntilNewLine))?;
        let mut run: Vec<(u16, u16, &Cell)> = Vec::new();
        let mut next = 0;
        for (x, cell) in (0_u16..).zip(&row.cells) {
            if usize::from(x) < next {
                continue;
            }
            next = usize::from(x) + width(cell);
            run.push((x, y, cell));
            if is_uncertain(cell.symbol()) {
                // What follows begins a new run, with a movement of the cursor.
                self.inner.draw(std::mem::take(&mut run).into_iter())?;
            }
        }
        self.inner.draw(run.into_iter())
    }
}

/// Whether terminals differ in how many cells they give to a character.
fn is_uncertain(symbol: &str) -> bool {
    let mut chars = symbol.chars();
    match (chars.next(), chars.next()) {
        (None, _) => false,
        (Some(c), None) => u32::from(c) >= 0x1_f000,
        (Some(_), Some(_)) => true,
    }
}

impl<W: Write> Backend for RowBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let content: Vec<_> = content.collect();
        // The library resets colours even around nothing: a frame like the previous one writes no byte.
        if content.is_empty() {
            return Ok(());
        }
        self.cursor_at = None;
        let mut whole: Vec<u16> = Vec::new();
        for (x, y, cell) in &content {
            let Some(row) = self.row(*y) else { continue };
            let was_uncertain = row.is_uncertain;
            row.put(usize::from(*x), cell);
            row.is_uncertain |= is_uncertain(cell.symbol());
            if (was_uncertain || row.is_uncertain) && whole.last() != Some(y) {
                whole.push(*y);
            }
        }
        self.inner.draw(content.into_iter().filter(|(_, y, _)| !whole.contains(y)))?;
        for y in whole {
            self.draw_row(y)?;
            if let Some(row) = self.row(y) {
                row.is_uncertain = row.cells.iter().any(|cell| is_uncertain(cell.symbol()));
            }
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_seen.replace(false) == Some(false) { Ok(()) } else { self.inner.hide_cursor() }
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor_seen.replace(true) == Some(true) { Ok(()) } else { self.inner.show_cursor() }
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.cursor_at.replace(position) == Some(position) {
            return Ok(());
        }
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        (self.cursor_seen, self.cursor_at) = (None, None);
        self.rows.clear();
        self.inner.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        (self.cursor_seen, self.cursor_at) = (None, None);
        self.rows.clear();
        self.inner.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[derive(Clone, Default)]
    struct Sink(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A terminal with its own idea of widths: every character is one cell wide, and what joins others has none.
    fn shown(written: &[u8], width: usize) -> String {
        let text = String::from_utf8(written.to_vec()).unwrap();
        let (mut cells, mut x) = (vec![' '; width], 0);
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            if c == '\u{1b}' {
                let sequence: String = std::iter::from_fn(|| rest.next_if(|c| !c.is_alphabetic())).collect();
                match rest.next() {
                    Some('H') => {
                        let column = sequence.trim_start_matches('[').split(';').nth(1).unwrap();
                        x = column.parse::<usize>().unwrap() - 1;
                    }
                    Some('K') => cells.iter_mut().skip(x).for_each(|cell| *cell = ' '),
                    _ => {}
                }
            } else if !matches!(c, '\u{fe0f}' | '\u{200d}' | '\u{94d}' | '\u{93f}' | '\u{e49}') {
                cells[x] = c;
                x += 1;
            }
        }
        cells.into_iter().collect::<String>().trim_end().to_owned()
    }

    #[test]
    fn whatever_width_a_terminal_gives_to_a_name_nothing_of_another_stays_behind() {
        let area = Rect::new(0, 0, 24, 1);
        let names =
            ["plain letters here", "", "©\u{fe0f} mark", "क\u{94d}षि krishi", "ไทยน\u{e49}ำ thai", "👍 thumb", "x"];
        for before in names {
            for after in names {
                let sink = Sink::default();
                let mut backend = RowBackend::new(sink.clone());
                let (mut old, blank) = (Buffer::empty(area), Buffer::empty(area));
                old.set_string(0, 0, format!("{before:<14} 12 s"), Style::new());
                let mut new = Buffer::empty(area);
                new.set_string(0, 0, format!("{after:<14} 34 s"), Style::new());
                backend.draw(blank.diff_iter(&old)).unwrap();
                backend.draw(old.diff_iter(&new)).unwrap();
                let seen = shown(&sink.0.borrow(), 24);
                assert!(seen.ends_with("34 s") && !seen.contains("12 s"), "{before} -> {after}: {seen:?}");
                let ascii = |text: &str| text.chars().filter(char::is_ascii_alphabetic).count();
                assert_eq!(ascii(&seen), ascii(after) + 1, "{before} -> {after}: {seen:?}");
            }
        }
    }

    #[test]
    fn a_frame_like_the_previous_one_writes_no_byte() {
        let sink = Sink::default();
        let mut backend = RowBackend::new(sink.clone());
        let (blank, mut frame) = (Buffer::empty(Rect::new(0, 0, 9, 1)), Buffer::empty(Rect::new(0, 0, 9, 1)));
        frame.set_string(0, 0, "jobs", Style::new());
        let mut frames = [(&blank, &frame, false), (&frame, &frame, true), (&frame, &frame, false)].into_iter();
        let mut bytes = |typing: bool| {
            let before = sink.0.borrow().len();
            let (old, new, _) = frames.next().unwrap();
            backend.draw(old.diff_iter(new)).unwrap();
            for _ in 0..3 {
                if typing {
                    backend.show_cursor().unwrap()
                } else {
                    backend.hide_cursor().unwrap()
                }
                if typing {
                    backend.set_cursor_position((3, 0)).unwrap();
                }
            }
            sink.0.borrow().len() - before
        };
        let first = bytes(false);
        assert!(first > 0);
        let (show_and_move, hide) = ("\x1b[?25h\x1b[1;4H".len(), "\x1b[?25l".len());
        assert_eq!((bytes(true), bytes(false)), (show_and_move, hide), "said once, however often it is asked for");
    }
}
