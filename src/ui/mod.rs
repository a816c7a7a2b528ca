//! How it looks: draws the app's model, returns nothing, changes nothing.

mod detail;
mod files;
mod footer;
mod header;
mod list;
mod log;
mod overlay;
pub mod raw;
pub mod theme;
pub mod tree;
mod typed;
mod widgets;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::App;
use crate::app::layout::{Class, Pane};
use theme::Theme;

pub fn draw(app: &App, theme: &Theme, frame: &mut Frame<'_>) {
    draw_into(app, theme, frame.buffer_mut());
}

/// Draws the whole dashboard into a buffer of any size.
pub fn draw_into(app: &App, theme: &Theme, buf: &mut Buffer) {
    if buf.area.is_empty() {
        return;
    }
    let layout = app.layout();
    if app.file.is_err() {
        Line::from(vec![Span::raw(" "), Span::styled("jobdeck", theme.accent())]).render(first_row(buf.area), buf);
        overlay::draw(app, theme, buf);
        footer::draw(app, layout.footer, theme, buf);
        return;
    }
    if layout.class == Class::Tiny {
        header::tiny(app, layout.header, theme, buf);
    } else {
        header::draw(app, layout.header, theme, buf);
        list::draw(app, theme, buf);
        detail::draw(app, theme, buf);
        log::draw(app, theme, buf);
    }
    footer::draw(app, layout.footer, theme, buf);
    overlay::draw(app, theme, buf);
    if app.overlay.is_some() {
        footer::draw(app, layout.footer, theme, buf);
    }
}

fn is_focused(app: &App, pane: Pane) -> bool {
    app.focus == pane && app.overlay.is_none()
}

/// The first row of a rectangle; empty if it has none.
fn first_row(area: Rect) -> Rect {
    Rect { height: area.height.min(1), ..area }
}
