//! The Files tab: the table of a job's files, and the file under the cursor: why it failed and its own tree.
//!
//! ```text
//!    FILE                     STATUS     KEYS    SIZE     COST
//! ▌✗ inv-88122-scan.pdf       Failed         -    1 KB        -
//!  ✓ inv-88121.pdf            Success       31   61 KB   $0.011
//! ── inv-88122-scan.pdf ────────────────────────────────────────
//!  OCR returned 0 characters on page 1 (LLMWhisperer 422)
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, HighlightSpacing, Row, StatefulWidget, Table, TableState, Widget};

use crate::app::detail::regions::Regions;
use crate::app::detail::{Loaded, LoadedBody, ViewState};
use crate::app::event::Content;
use crate::app::{scroll, text};
use crate::domain::clean::Clean;
use crate::domain::files::FileResult;
use crate::domain::human;
use crate::domain::state::State;
use crate::ui::detail::rule;
use crate::ui::theme::Theme;
use crate::ui::tree;
use crate::ui::widgets::{TextLines, say};

/// Cells of each column beside the name; 0: it is not there.
#[derive(Debug, Clone, Copy)]
struct FileColumns {
    name: u16,
    status: u16,
    keys: u16,
    size: u16,
    cost: u16,
}

impl FileColumns {
    /// Room for the names comes first. The sign before each says most of what the status does.
    fn of(width: u16) -> Self {
        let room = width.saturating_sub(4);
        let mut columns = Self { name: 0, status: 9, keys: 5, size: 7, cost: 8 };
        let cells = |columns: &Self| columns.status + columns.keys + columns.size + columns.cost + 4;
        let drops: [fn(&mut Self); 3] = [|it| it.status = 0, |it| it.cost = 0, |it| it.size = 0];
        for drop in drops {
            if room < cells(&columns) + 16 {
                drop(&mut columns);
            }
        }
        columns.name = room.saturating_sub(cells(&columns)).max(4);
        columns
    }

    fn all(self) -> [u16; 5] {
        [self.name, self.status, self.keys, self.size, self.cost]
    }
}

/// A cost that is too long for its column is rounded; the file's own tree has every digit.
fn dollars(cost: &str) -> String {
    match cost.parse::<f64>() {
        Ok(amount) if cost.len() > 6 => format!("${amount:.0$}", if amount < 10.0 { 4 } else { 2 }),
        Ok(_) | Err(_) => format!("${}", Clean::new(cost)),
    }
}

/// Draws the tab. `shown` is the file below or beside the table.
pub fn draw(
    state: &ViewState,
    (body, content): (&LoadedBody, &Content),
    shown: Option<usize>,
    regions: &Regions,
    focused: bool,
    theme: &Theme,
    buf: &mut Buffer,
) {
    table(state, body, content, regions, focused, theme, buf);
    let Some((number, file)) = shown.and_then(|number| Some((number, content.files.get(number)?))) else { return };
    rule(&Clean::new(&file.name), regions.title, theme, buf);
    TextLines { lines: &regions.error, top: 0, search: "", theme }
        .render(regions.error_area.intersection(buf.area), buf);
    let below = regions.below;
    let opened = state.file.is_some();
    match body.files.get(&number) {
        Some(Loaded::Ready(view)) if opened => tree::draw(view, below, focused, &theme.tree(), buf),
        Some(Loaded::Ready(view)) => tree::preview(view, below, &theme.tree(), buf),
        Some(Loaded::Failed(why)) => say(why, below, theme, buf),
        Some(Loaded::No | Loaded::Asked) | None => say("building the tree…", below, theme, buf),
    }
}

fn table(
    state: &ViewState,
    body: &LoadedBody,
    content: &Content,
    regions: &Regions,
    focused: bool,
    theme: &Theme,
    buf: &mut Buffer,
) {
    let area = regions.main.intersection(buf.area);
    let columns = FileColumns::of(area.width);
    let rows = usize::from(area.height).saturating_sub(1);
    let top = scroll::window(state.files.top, state.files.at, body.order.len(), rows);
    let seen = body.order.iter().skip(top).take(rows).filter_map(|number| content.files.get(*number));
    let seen = seen.map(|file| {
        let state = if file.failed { State::Failed } else { State::Succeeded };
        let sign = Cell::from(Span::styled(theme.symbol(state), theme.state(state)));
        let shown = cells(file).into_iter().enumerate().zip(columns.all());
        let shown = shown.filter(|(_, width)| *width > 0).map(|((n, text), width)| {
            let text = text::cut(&text, width.into(), theme.cut());
            let style = if n == 0 { ratatui::style::Style::new() } else { theme.dim() };
            Cell::from(Line::from(Span::styled(text, style)).alignment(alignment(n)))
        });
        Row::new(std::iter::once(sign).chain(shown))
    });
    let titles = ["FILE", "STATUS", "KEYS", "SIZE", "COST"].into_iter().enumerate().zip(columns.all());
    let titles = titles.filter(|(_, width)| *width > 0);
    let titles = titles.map(|((n, title), _)| Cell::from(Line::from(title).alignment(alignment(n))));
    let header = Row::new(std::iter::once(Cell::default()).chain(titles)).style(theme.dim());
    let widths = columns.all().into_iter().filter(|width| *width > 0).map(Constraint::Length);
    let active = focused && state.file.is_none();
    let table = Table::new(seen, std::iter::once(Constraint::Length(1)).chain(widths))
        .header(header)
        .column_spacing(1)
        .highlight_symbol(Span::styled(if active { " " } else { theme.cursor() }, theme.accent()))
        .highlight_spacing(HighlightSpacing::Always)
        .row_highlight_style(if active { theme.selected() } else { theme.selected_away() });
    let mut selection = TableState::new().with_selected(state.files.at.checked_sub(top));
    StatefulWidget::render(table, area, buf, &mut selection);
}

fn alignment(column: usize) -> Alignment {
    if column < 2 { Alignment::Left } else { Alignment::Right }
}

fn cells(file: &FileResult) -> [String; 5] {
    let keys = file.keys.map_or_else(|| "-".to_owned(), |keys| keys.to_string());
    let cost = file.cost.as_ref().map_or_else(|| "-".to_owned(), |cost| dollars(cost));
    let (name, status) = (Clean::new(&file.name).to_string(), Clean::new(&file.status).to_string());
    [name, status, keys, human::bytes(file.size), cost]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_takes_seven_cells_at_most_and_small_ones_keep_every_digit() {
        let cases = [("0.011", "$0.011"), ("0.01384321", "$0.0138"), ("12.345678", "$12.35"), ("free", "$free")];
        for (cost, shown) in cases {
            assert_eq!(dollars(cost), shown);
        }
    }
}
