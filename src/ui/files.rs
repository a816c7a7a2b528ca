//! The Files tab: the job, the table of its files, and the file under the cursor: why it failed and its own tree.
//!
//! ```text
//!    FILE                     STATUS     KEYS    SIZE     COST
//! > ✗ inv-88122-scan.pdf       Failed         -    1 KB        -
//!   ✓ inv-88121.pdf            Success       31   61 KB   $0.011
//! ── inv-88122-scan.pdf ────────────────────────────────────────
//!  error  OCR returned 0 characters on page 1 (LLMWhisperer 422)
//!  ▾ metadata {3}
//! ```

use ratatui::buffer::Buffer;

use crate::app::detail::{Body, Loaded, Place};
use crate::app::event::Content;
use crate::app::parts::Parts;
use crate::domain::clean::Clean;
use crate::domain::files::FileResult;
use crate::domain::human;
use crate::domain::state::State;
use crate::ui::detail::{indented, lines, say};
use crate::ui::pen::{self, plain, span};
use crate::ui::theme::Theme;
use crate::ui::tree;

/// Cells of each column beside the name; 0: it is not there.
#[derive(Debug, Clone, Copy)]
struct Columns {
    name: usize,
    status: usize,
    keys: usize,
    size: usize,
    cost: usize,
}

impl Columns {
    /// Room for the names comes first. The sign before each says most of what the status does.
    fn of(width: usize) -> Self {
        let room = width.saturating_sub(4);
        let mut columns = Self { name: 0, status: 9, keys: 5, size: 8, cost: 8 };
        let cells = |columns: &Self| columns.status + columns.keys + columns.size + columns.cost;
        let drops: [fn(&mut Self); 3] = [|it| it.status = 0, |it| it.cost = 0, |it| it.size = 0];
        for drop in drops {
            if room < cells(&columns) + 16 {
                drop(&mut columns);
            }
        }
        columns.name = room.saturating_sub(cells(&columns)).max(4);
        columns
    }

    fn cells(self, status: &str, [keys, size, cost]: [&str; 3], theme: &Theme) -> String {
        let mut out = String::new();
        // A blank before each: a long cost must not run into the size.
        let mut column = |cells: usize, fit: fn(&str, usize, &Theme) -> String, text: &str| {
            if cells > 0 {
                out.push(' ');
                out.push_str(&fit(text, cells - 1, theme));
            }
        };
        column(self.status, pen::fit, status);
        for (cells, text) in [(self.keys, keys), (self.size, size), (self.cost, cost)] {
            column(cells, pen::fit_right, text);
        }
        out
    }
}

/// A cost that is too long for its column is rounded; the file's own tree has every digit.
fn dollars(cost: &str) -> String {
    match cost.parse::<f64>() {
        Ok(amount) if cost.len() > 6 => format!("${amount:.0$}", if amount < 10.0 { 4 } else { 2 }),
        Ok(_) | Err(_) => format!("${}", Clean::new(cost)),
    }
}

/// Draws the tab. `shown` is the file that stands below or beside the table.
pub fn draw(
    place: &Place,
    (body, content): (&Body, &Content),
    shown: Option<usize>,
    parts: &Parts,
    focused: bool,
    theme: &Theme,
    buf: &mut Buffer,
) {
    lines(&parts.head, 0, pen::rect(parts.head_area), "", theme, buf);
    table(place, body, content, parts, focused, theme, buf);
    let divider = pen::rect(parts.divider);
    for n in 0..usize::from(divider.height) {
        pen::write(&[plain(theme.column())], pen::row(divider, n), theme, buf);
    }
    let Some((number, file)) = shown.and_then(|number| Some((number, content.files.get(number)?))) else { return };
    let name = span(Clean::new(&file.name).to_string(), theme.strong());
    pen::rule(&[name], &[], pen::rect(parts.title), theme, buf);
    lines(&parts.error, 0, pen::rect(parts.error_area), "", theme, buf);
    let below = pen::rect(parts.below);
    let opened = place.file.is_some();
    match body.files.get(&number) {
        Some(Loaded::Ready(view)) if opened => tree::draw(view, indented(below), focused, &theme.tree(), buf),
        Some(Loaded::Ready(view)) => tree::preview(view, indented(below), &theme.tree(), buf),
        Some(Loaded::Failed(why)) => say(why, below, theme, buf),
        Some(Loaded::No | Loaded::Asked) | None => say("building the tree…", below, theme, buf),
    }
}

fn table(place: &Place, body: &Body, content: &Content, parts: &Parts, focused: bool, theme: &Theme, buf: &mut Buffer) {
    let area = pen::rect(parts.main);
    let columns = Columns::of(area.width.into());
    let titles = columns.cells("STATUS", ["KEYS", "SIZE", "COST"], theme);
    let heading = format!("    {}{titles}", pen::fit("FILE", columns.name, theme));
    pen::write(&[plain(heading)], pen::row(area, 0), theme, buf);
    let rows = usize::from(area.height).saturating_sub(1);
    let top = crate::app::scroll::window(place.files.top, place.files.at, body.order.len(), rows);
    for (n, (at, number)) in body.order.iter().enumerate().skip(top).take(rows).enumerate() {
        let Some(file) = content.files.get(*number) else { continue };
        let selected = at == place.files.at;
        let line = pen::row(area, n + 1);
        let state = if file.failed { State::Failed } else { State::Succeeded };
        let name = pen::fit(&Clean::new(&file.name), columns.name, theme);
        let spans = [
            plain(if selected { "> " } else { "  " }),
            span(theme.symbol(state), theme.state(state)),
            plain(format!(" {name}{}", cells(file, columns, theme))),
        ];
        pen::write(&spans, line, theme, buf);
        if selected && focused && place.file.is_none() {
            pen::restyle(line, theme.selected(), buf);
        }
    }
}

fn cells(file: &FileResult, columns: Columns, theme: &Theme) -> String {
    let keys = file.keys.map_or_else(|| "-".to_owned(), |keys| keys.to_string());
    let cost = file.cost.as_ref().map_or_else(|| "-".to_owned(), |cost| dollars(cost));
    columns.cells(&Clean::new(&file.status), [&keys, &human::bytes(file.size), &cost], theme)
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
