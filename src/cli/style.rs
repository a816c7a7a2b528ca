//! How commands put things for people: tables, a state's symbol, label and colour.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::output::OutputStyle;
use crate::domain::state::State;
use crate::ui::theme::{Charset, Palette, Theme};

/// A state's symbol and label, such as `✗ FAIL`, without colour. At most six cells.
pub fn mark(state: State, look: OutputStyle) -> String {
    let charset = if look.ascii { Charset::Ascii } else { Charset::Utf8 };
    format!("{} {}", Theme::new(charset, Palette::Plain).symbol(state), state.label())
}

/// Text in a state's colour, the same as in the dashboard.
pub fn painted(text: &str, state: State, look: OutputStyle) -> String {
    if !look.colour {
        return text.to_owned();
    }
    let palette = if look.cvd { Palette::Cvd } else { Palette::Ansi };
    Theme::new(Charset::Utf8, palette).painted(text, state)
}

/// Lines of columns two cells apart; those from `right` on stand at the right.
pub fn columns(header: &[impl ToString], rows: Vec<Vec<String>>, right: std::ops::Range<usize>) -> Vec<String> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(ToString::to_string));
    table.add_rows(rows);
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}
