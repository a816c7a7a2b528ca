//! How it looks: draws the app's model, returns nothing, changes nothing.

mod detail;
mod dialogs;
mod files;
mod footer;
mod header;
mod list;
mod log;
mod message;
mod pen;
pub mod raw;
pub mod theme;
pub mod tree;
mod typed;

use ratatui::Frame;
use ratatui::buffer::Buffer;

use crate::app::App;
use crate::app::layout::{Class, Pane};
use theme::Theme;

/// Draws the whole dashboard.
pub fn draw(app: &App, theme: &Theme, frame: &mut Frame<'_>) {
    draw_into(app, theme, frame.buffer_mut());
}

/// Draws the whole dashboard into a buffer of any size.
pub fn draw_into(app: &App, theme: &Theme, buf: &mut Buffer) {
    if buf.area.is_empty() {
        return;
    }
    if app.file.is_err() {
        message::no_file(app, theme, buf);
        return;
    }
    let layout = app.layout();
    if layout.class == Class::Tiny {
        header::tiny(app, pen::rect(layout.header), theme, buf);
        footer::draw(app, pen::rect(layout.footer), theme, buf);
        dialogs::draw(app, theme, buf);
        return;
    }
    header::draw(app, pen::rect(layout.header), theme, buf);
    if let Some(area) = layout.list.map(pen::rect) {
        list::draw(app, area, theme, buf);
    }
    if let Some(area) = layout.reason.map(pen::rect) {
        list::reason(app, area, theme, buf);
    }
    if let Some(area) = layout.divider.map(pen::rect) {
        for n in 0..usize::from(area.height) {
            pen::write(&[pen::plain(theme.column())], pen::row(area, n), theme, buf);
        }
    }
    if let Some(area) = layout.detail.map(pen::rect) {
        detail::draw(app, area, layout.divider.is_none(), theme, buf);
    }
    if let Some(area) = layout.log.map(pen::rect) {
        log::draw(app, area, theme, buf);
    }
    footer::draw(app, pen::rect(layout.footer), theme, buf);
    dialogs::draw(app, theme, buf);
}

/// Whether a pane has the focus.
fn is_focused(app: &App, pane: Pane) -> bool {
    app.focus == pane && app.overlay.is_none()
}
