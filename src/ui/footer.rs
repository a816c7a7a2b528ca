//! The last row: what can be pressed, what was just done, or what is being typed.
//!
//! ```text
//!  f next fail  y copy raw  Y copy…  Enter open  / filter  e errors  : cmd  ? help
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::action::Action;
use crate::app::layout::Pane;
use crate::app::{App, Prompt, PromptKind, keys};
use crate::domain::clean::Clean;
use crate::ui::pen::{self, Span, plain, span};
use crate::ui::theme::Theme;

/// What the footer shows first, in this order, as far as there is room.
const ORDER: [Action; 11] = [
    Action::NextProblem,
    Action::CopyRaw,
    Action::CopyMenu,
    Action::Open,
    Action::Find,
    Action::Errors,
    Action::Palette,
    Action::Help,
    Action::Save,
    Action::NextTab,
    Action::Pause,
];

/// Draws the footer.
pub fn draw(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    if let Some(prompt) = &app.prompt {
        typed(app, prompt, area, theme, buf);
    } else if let Some(toast) = &app.toast {
        let style = if toast.bad { theme.bad() } else { theme.strong() };
        pen::write(&[span(format!(" {}", toast.text), style)], area, theme, buf);
    } else {
        pen::write(&hints(app, area.width.into(), theme), area, theme, buf);
    }
}

fn hints(app: &App, width: usize, theme: &Theme) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let last = hint(app, Action::Help, theme);
    for action in ORDER.into_iter().filter(|action| *action != Action::Help) {
        let next = hint(app, action, theme);
        if pen::width(&spans) + pen::width(&next) + pen::width(&last) <= width + 1 {
            spans.extend(next);
        }
    }
    spans.extend(last);
    if let Some(last) = spans.last_mut() {
        last.text.truncate(last.text.trim_end().len());
    }
    spans
}

fn hint(app: &App, action: Action, theme: &Theme) -> Vec<Span> {
    let Some(binding) = keys::table().iter().find(|binding| binding.action == action) else { return Vec::new() };
    let key = app.keymap.first_key(action);
    if key.is_empty() {
        return Vec::new();
    }
    let words = match (action, app.focus) {
        (Action::Find, Pane::Detail | Pane::Log) => "search",
        (Action::Open, Pane::Detail | Pane::Log) => "open",
        _ => binding.footer,
    };
    let words = words.replace('…', theme.either("…", "..."));
    vec![plain(" "), span(key, theme.strong()), plain(format!(" {words} "))]
}

fn typed(app: &App, prompt: &Prompt, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let text = prompt.input.text();
    let mut spans = vec![span(" /", theme.strong())];
    match &prompt.error {
        Some(error) => {
            let part = |range: std::ops::Range<usize>| Clean::new(text.get(range).unwrap_or_default()).to_string();
            spans.push(plain(part(0..error.span.start)));
            let bad = part(error.span.clone());
            spans.push(span(if bad.is_empty() { " ".to_owned() } else { bad }, theme.broken()));
            spans.push(plain(part(error.span.end..text.len())));
            spans.push(span(format!("   {}", error.message), theme.bad()));
        }
        None => {
            spans.push(plain(Clean::new(&text).to_string()));
            spans.push(span(" ", theme.selected()));
        }
    }
    pen::write(&spans, area, theme, buf);
    let tail = match prompt.kind {
        PromptKind::Filter(..) => {
            let reading = match app.jobs.replies().asked() {
                0 => String::new(),
                replies => format!(", reading {replies} replies{}", theme.either("…", "...")),
            };
            format!(" {} of {} match{reading} ", app.list.order().len(), app.jobs.stats().counts().total())
        }
        PromptKind::Search(pane) => match pane {
            Pane::List => String::new(),
            Pane::Detail => " search in the detail ".to_owned(),
            Pane::Log => " search in the log ".to_owned(),
        },
    };
    if prompt.error.is_none() && pen::width(&spans) + tail.len() < area.width.into() {
        pen::write_right(&[span(tail, Style::new())], area, theme, buf);
    }
}
