//! Widgets that the library has not: a bar stacked by state, text in weights; and the frames of panes.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Scrollbar, ScrollbarOrientation, ScrollbarState, StatefulWidget, Widget};

use crate::app::layout::{Frame, PaneArea};
use crate::app::outcome::STACK;
use crate::app::text;
use crate::domain::state::State;
use crate::domain::stats::StateCounts;
use crate::ui::theme::Theme;

/// The states of a batch as one bar.
#[derive(Debug, Clone, Copy)]
pub struct StackedBar<'a> {
    pub counts: &'a StateCounts,
    pub theme: &'a Theme,
}

impl Widget for StackedBar<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        if self.counts.total() == 0 {
            let empty = self.theme.bar_cell(State::Queued).repeat(area.width.into());
            Span::styled(empty, self.theme.dim()).render(area, buf);
            return;
        }
        Line::from(bar_of(self.counts, area.width.into(), self.theme, Theme::bar_cell)).render(area, buf);
    }
}

/// A bar of these counts in the states' colours, of the theme's cells for the batch or for a row.
pub fn bar_of(
    counts: &StateCounts,
    cells: usize,
    theme: &Theme,
    cell: fn(&Theme, State) -> &'static str,
) -> Vec<Span<'static>> {
    let shares = shares(&STACK.map(|state| u64::from(counts.of(state))), cells);
    let span = |(state, cells)| Span::styled(cell(theme, state).repeat(cells), theme.fill(state));
    STACK.into_iter().zip(shares).map(span).collect()
}

/// Text lines from one on, what is searched for set off.
#[derive(Debug, Clone, Copy)]
pub struct TextLines<'a> {
    pub lines: &'a [text::TextLine],
    /// The first one that is drawn.
    pub top: usize,
    /// What is searched for; empty if nothing.
    pub search: &'a str,
    pub theme: &'a Theme,
}

impl Widget for TextLines<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let search = self.search.to_lowercase();
        let lines = self.lines.iter().skip(self.top);
        for (row, line) in area.rows().zip(lines) {
            let found = !search.is_empty() && line.text().to_lowercase().contains(&search);
            styled(line, self.theme).render(row, buf);
            if found {
                buf.set_style(row, self.theme.found());
            }
        }
    }
}

/// A line as the library draws it.
pub fn styled<'a>(line: &'a text::TextLine, theme: &Theme) -> Line<'a> {
    let span = |piece: &'a text::StyledText| Span::styled(theme.shown(&piece.text), theme.tone(piece.tone));
    line.pieces.iter().map(span).collect()
}

/// A sentence in place of what cannot be shown, wrapped.
pub fn say(sentence: &str, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let rows = text::split(&theme.shown(sentence), usize::from(area.width).saturating_sub(2).max(1));
    for (row, sentence) in area.rows().zip(rows) {
        Span::raw(format!(" {sentence}")).render(row, buf);
    }
}

/// The texts in a pane's frame.
#[derive(Debug, Default)]
pub struct Titles<'a> {
    /// In the upper edge: what it is, how many, how sorted.
    pub left: Vec<Span<'a>>,
    /// In the upper edge at the right: the position.
    pub right: Vec<Span<'a>>,
    /// In the lower edge, while the pane has the focus: the keys that matter there.
    pub keys: Vec<Span<'a>>,
}

pub fn frame(place: PaneArea, titles: Titles<'_>, focused: bool, theme: &Theme, buf: &mut Buffer) {
    let area = place.rect.intersection(buf.area);
    let block = match place.frame {
        Frame::Full => Block::bordered(),
        Frame::Title => Block::new().borders(Borders::TOP),
        Frame::Bare => return,
    };
    let room = usize::from(area.width).saturating_sub(4);
    let mut block = block.border_set(theme.border()).border_style(theme.frame(focused)).title_style(theme.plain());
    let width = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
    let left = cut(titles.left, room, theme);
    let taken = width(&left);
    let line = |spans: Vec<Span<'static>>| {
        let mut all = vec![Span::raw(" ")];
        all.extend(spans);
        all.push(Span::raw(" "));
        Line::from(all)
    };
    if !left.is_empty() {
        block = block.title_top(line(left));
    }
    let right = owned(titles.right);
    if !right.is_empty() && taken + width(&right) + 4 <= room {
        block = block.title_top(line(right).alignment(Alignment::Right));
    }
    if focused && place.frame == Frame::Full && !titles.keys.is_empty() {
        let keys = cut(titles.keys, room, theme);
        block = block.title_bottom(line(keys).alignment(Alignment::Right));
    }
    block.render(area, buf);
}

/// A scroll bar on the right edge of a frame, if there is more than is seen.
pub fn scrollbar(place: PaneArea, len: usize, top: usize, focused: bool, theme: &Theme, buf: &mut Buffer) {
    let rows = usize::from(place.inner().height);
    if place.frame != Frame::Full || len <= rows || rows == 0 {
        return;
    }
    let rect = place.rect.intersection(buf.area);
    let area = Rect { y: rect.y + 1, height: rect.height.saturating_sub(2), ..rect };
    let mut state = ScrollbarState::new(len - rows + 1).position(top).viewport_content_length(rows);
    Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(Some(theme.column()))
        .track_style(theme.frame(focused))
        .thumb_symbol(theme.thumb())
        .thumb_style(theme.frame(focused))
        .render(area, buf, &mut state);
}

/// Sets off the row under a cursor. Bars keep their colours: turned round they would say nothing.
pub fn highlight(row: Rect, style: Style, theme: &Theme, buf: &mut Buffer) {
    for at in row.intersection(buf.area).positions() {
        if let Some(cell) = buf.cell_mut(at).filter(|cell| !theme.is_bar(cell.symbol())) {
            cell.set_style(style);
        }
    }
}

/// Spans in at most this many cells, with a sign where they were cut.
pub fn cut(spans: Vec<Span<'_>>, room: usize, theme: &Theme) -> Vec<Span<'static>> {
    let mut left = room;
    let mut out: Vec<Span<'static>> = Vec::new();
    for span in spans {
        if left == 0 {
            break;
        }
        let whole = span.width() <= left;
        let text = text::cut(&span.content, left, theme.cut());
        out.push(Span::styled(text, span.style));
        if !whole {
            break;
        }
        left -= span.width();
    }
    out
}

fn owned(spans: Vec<Span<'_>>) -> Vec<Span<'static>> {
    spans.into_iter().map(|span| Span::styled(span.content.into_owned(), span.style)).collect()
}

/// A line at the left of a row and one at its right; the right one only if there is room for both.
pub fn both_ends(left: Vec<Span<'_>>, right: Vec<Span<'_>>, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let right = Line::from(right);
    let room = usize::from(area.width);
    let beside = right.width() + 8 <= room;
    let for_left = if beside { room - right.width() - 2 * usize::from(right.width() > 0) } else { room };
    Line::from(cut(left, for_left, theme)).render(area, buf);
    if beside {
        let cells = u16::try_from(right.width()).unwrap_or(area.width).min(area.width);
        right.render(Rect { x: area.right() - cells, width: cells, ..area }, buf);
    }
}

/// The key that goes to a pane, in front of its title: raised where it is a digit.
pub fn pane_key(key: &str, theme: &Theme) -> Span<'static> {
    let raised = match key {
        "" => "",
        "1" => theme.either("¹", "[1] "),
        "2" => theme.either("²", "[2] "),
        "3" => theme.either("³", "[3] "),
        _ => return Span::styled(format!("[{key}] "), theme.accent()),
    };
    Span::styled(raised, theme.accent())
}

/// A span with a key in it, and what the key does.
pub fn key_hint(key: &str, words: &str, theme: &Theme) -> Vec<Span<'static>> {
    if key.is_empty() {
        return Vec::new();
    }
    let words = theme.shown(words).into_owned();
    vec![Span::styled(key.to_owned(), theme.accent()), Span::styled(format!(" {words}"), Style::new())]
}

/// Cells of a bar by these counts: what is not nothing has one at least, and together they fill the bar.
fn shares(counts: &[u64], cells: usize) -> Vec<usize> {
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return vec![0; counts.len()];
    }
    let exact = |count: u64| count as f64 * cells as f64 / total as f64;
    let least = |count: u64| usize::from(count > 0);
    let mut shares: Vec<usize> =
        counts.iter().map(|count| (exact(*count).floor() as usize).max(least(*count))).collect();
    // What is missing goes where most was cut off, what is too much is taken from the longest.
    loop {
        let sum: usize = shares.iter().sum();
        let by = |n: &usize| {
            let off =
                counts.get(*n).copied().map(exact).unwrap_or_default() - shares.get(*n).copied().unwrap_or(0) as f64;
            (off * 1e6) as i64
        };
        if sum < cells {
            let Some(share) = (0..counts.len()).max_by_key(by).and_then(|n| shares.get_mut(n)) else { return shares };
            *share += 1;
        } else if sum > cells {
            let Some(share) = shares.iter_mut().max().filter(|share| **share > 1) else { return shares };
            *share -= 1;
        } else {
            return shares;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_one_job_never_vanishes_from_the_bar() {
        assert_eq!(shares(&[1, 9998, 1], 10), [1, 8, 1]);
        assert_eq!(shares(&[5, 5], 10), [5, 5]);
        assert_eq!(shares(&[0, 0], 10), [0, 0]);
        assert_eq!(shares(&[1, 1, 1], 10).iter().sum::<usize>(), 10);
        assert_eq!(shares(&[1, 1, 1], 2), [1, 1, 1], "no room for all: the frame cuts");
    }
}
