//! A whole screen that says why there is nothing else to show.

use ratatui::buffer::Buffer;

use crate::app::App;
use crate::domain::clean::Clean;
use crate::ui::pen::{self, plain, span};
use crate::ui::theme::Theme;

/// There is no jobs file, or none that can be used: the message, line by line.
pub fn no_file(app: &App, lines: &[Clean], theme: &Theme, buf: &mut Buffer) {
    let area = buf.area;
    pen::write(&[plain(" "), span("jobdeck", theme.strong())], pen::row(area, 0), theme, buf);
    for (n, line) in lines.iter().enumerate() {
        pen::write(&[plain(format!(" {line}"))], pen::row(area, n + 2), theme, buf);
    }
    let quit = app.keymap.first_key(crate::app::action::Action::Quit);
    let last = usize::from(area.height).saturating_sub(1);
    if last > lines.len() + 2 {
        pen::write(&[plain(format!(" {quit} quits"))], pen::row(area, last), theme, buf);
    }
}
