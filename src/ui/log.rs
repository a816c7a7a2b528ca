//! The log pane: a line while all is well, a frame of lines once something went wrong.

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::App;
use crate::app::action::Action;
use crate::app::event::{Level, LogLine};
use crate::app::layout::{Frame, Pane};
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::ui::theme::Theme;
use crate::ui::widgets::{Titles, cut, frame, key_hint, pane_key};

pub fn draw(app: &App, theme: &Theme, buf: &mut Buffer) {
    let Some(place) = app.layout().log else { return };
    let focused = super::is_focused(app, Pane::Log);
    frame(place, titles(app, theme), focused, theme, buf);
    let inner = place.inner().intersection(buf.area);
    let lines = app.log.window(inner.height.into());
    if lines.is_empty() {
        let words = match (place.frame, app.log.level()) {
            (Frame::Bare, _) => "Log: no problems so far".to_owned(),
            (_, Level::Debug) => "no lines yet".to_owned(),
            (_, _) => format!("no lines of this level{}", app.keymap.hint(Action::MoreLog, "shows more")),
        };
        Span::styled(format!(" {words}"), theme.dim()).render(super::first_row(inner), buf);
    }
    for (row, (line, hit)) in inner.rows().zip(lines) {
        let style = match (hit, has(line, app.log.search())) {
            (true, _) => theme.selected(),
            (false, true) => theme.found(),
            (false, false) => Style::new(),
        };
        Line::from(cut(cells(app, line, style, theme), row.width.into(), theme)).render(row, buf);
    }
}

fn titles<'a>(app: &App, theme: &Theme) -> Titles<'a> {
    let focused = super::is_focused(app, Pane::Log);
    let level = match app.log.level() {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "problems",
        Level::Error => "errors",
    };
    let dim = |text: String| Span::styled(text, theme.dim());
    let key = pane_key(&app.keymap.first_key(Action::FocusLog), theme);
    let mut left = vec![key, Span::styled("Log", theme.title(focused)), dim(format!(" {} {level}", theme.dot()))];
    if !app.log.search().is_empty() {
        let hits = match app.log.hits() {
            (Some(nth), all) => format!("{} of {}", human::count(nth as u64), human::count(all as u64)),
            (None, all) => format!("{} found", human::count(all as u64)),
        };
        left.push(Span::styled(format!("  /{} {hits}", Clean::new(app.log.search())), theme.warn()));
    }
    let right = match (app.log.follows(), app.log.new_lines()) {
        (true, _) => Vec::new(),
        (false, 0) => vec![dim("scrolled".to_owned())],
        (false, new) => vec![Span::styled(format!("+{new} new"), theme.warn())],
    };
    let hint = |action, words| key_hint(&app.keymap.first_key(action), words, theme);
    let hints = [hint(Action::MoreLog, "more"), hint(Action::LessLog, "less"), hint(Action::Find, "search")];
    Titles { left, right, keys: hints.join(&Span::raw("  ")) }
}

fn cells<'a>(app: &App, line: &'a LogLine, style: Style, theme: &Theme) -> Vec<Span<'a>> {
    let sign = match line.level {
        Level::Debug | Level::Info => " ",
        Level::Warn => "~",
        Level::Error => "!",
    };
    vec![
        Span::styled(format!(" {} ", human::clock(line.at, app.zone())), theme.dim()),
        Span::styled(format!("{sign} "), theme.level(line.level)),
        Span::styled(format!("{}  ", line.source), theme.dim().patch(style)),
        Span::styled(theme.shown(&line.text), style),
    ]
}

fn has(line: &LogLine, search: &str) -> bool {
    let search = search.to_lowercase();
    !search.is_empty() && (line.text.to_lowercase().contains(&search) || line.source.to_lowercase().contains(&search))
}
