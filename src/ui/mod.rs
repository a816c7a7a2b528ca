//! How it looks: draws the app's model, returns nothing, changes nothing.

pub mod raw;
pub mod theme;
pub mod tree;

use ratatui::Frame;

use crate::app::App;
use theme::Theme;

/// Draws the whole dashboard.
pub fn draw(app: &App, theme: &Theme, frame: &mut Frame<'_>) {
    let _ = (app, theme, frame);
}
