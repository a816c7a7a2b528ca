//! The log pane.
//!
//! ```text
//! ── log ─ info+ ─ following ─────────────────────────────────────────────────────
//!  14:26:02 WARN scan-0421 connect timed out (3rd), retry in 16s, state kept: RUN
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::App;
use crate::app::action::Action;
use crate::app::event::{Level, LogLine};
use crate::app::layout::Pane;
use crate::domain::human;
use crate::ui::pen::{self, Span, plain, span};
use crate::ui::theme::Theme;

/// Draws title and lines.
pub fn draw(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    title(app, area, theme, buf);
    let body = pen::body(area);
    let wide = area.width >= 100;
    let lines = app.log.window(body.height.into());
    if lines.is_empty() && app.log.total() > 0 {
        let more = app.keymap.hint(Action::MoreLog, "shows more");
        pen::write(&[plain(format!(" no line of this level{more}"))], pen::row(body, 0), theme, buf);
    }
    for (n, (line, hit)) in lines.into_iter().enumerate() {
        let style = match (hit, has(line, app.log.search())) {
            (true, _) => theme.selected(),
            (false, true) => theme.found(),
            (false, false) => Style::new(),
        };
        pen::write(&cells(app, line, wide, style, theme), pen::row(body, n), theme, buf);
    }
}

/// The four letters of a level.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    }
}

fn title(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let style = if super::is_focused(app, Pane::Log) { theme.strong() } else { Style::new() };
    let shown = match app.log.level() {
        Level::Debug => "debug+",
        Level::Info => "info+",
        Level::Warn => "warn+",
        Level::Error => "error",
    };
    let follows = match (app.log.follows(), app.log.new_lines()) {
        (true, _) => "following".to_owned(),
        (false, 0) => "paused".to_owned(),
        (false, new) => format!("paused, +{new} new"),
    };
    let mut parts = vec![span("log", style), plain(shown), plain(follows)];
    if area.width >= 100 {
        parts.push(plain(format!("{} lines saved", human::count(app.log.total()))));
    }
    if !app.log.search().is_empty() {
        let hits = match app.log.hits() {
            (Some(nth), all) => format!("{} of {}", human::count(nth as u64), human::count(all as u64)),
            (None, all) => format!("{} found", human::count(all as u64)),
        };
        parts.push(plain(format!("/{} {hits}", crate::domain::clean::Clean::new(app.log.search()))));
    }
    pen::rule(&parts, &[], area, theme, buf);
}

fn cells(app: &App, line: &LogLine, wide: bool, style: Style, theme: &Theme) -> Vec<Span> {
    let (letters, source) = if wide {
        (pen::fit(level(line.level), 6, theme), pen::fit(&line.source, 17, theme))
    } else {
        (pen::fit(level(line.level), 4, theme), line.source.to_string())
    };
    vec![
        plain(format!(" {} ", human::clock(line.at, app.zone()))),
        span(letters, theme.level(line.level)),
        span(format!(" {source} {}", line.text), style),
    ]
}

fn has(line: &LogLine, search: &str) -> bool {
    let search = search.to_lowercase();
    !search.is_empty() && (line.text.to_lowercase().contains(&search) || line.source.to_lowercase().contains(&search))
}
