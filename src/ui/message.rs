//! A whole screen that says why there is nothing else to show.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{dialogs, footer};
use crate::app::App;
use crate::ui::pen::{self, plain, span};
use crate::ui::theme::Theme;

/// There is no jobs file, or none that can be used: the message, and how to read on and to leave.
pub fn no_file(app: &App, theme: &Theme, buf: &mut Buffer) {
    let area = buf.area;
    pen::write(&[plain(" "), span("jobdeck", theme.strong())], pen::row(area, 0), theme, buf);
    let rows = u16::try_from(app.overlay_rows()).unwrap_or(u16::MAX);
    dialogs::reading(app, Rect { y: 2, height: rows, ..area }.intersection(area), theme, buf);
    footer::draw(app, pen::rect(app.layout().footer), theme, buf);
}
