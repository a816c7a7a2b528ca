//! The last row: what can be pressed, what was just done, or what is being typed.
//!
//! ```text
//!  f next problem  y copy  Y copy…  Enter open  e reasons  / filter  D durations  : commands  ? help
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};
use unicode_width::UnicodeWidthStr;

use crate::app::action::Action;
use crate::app::layout::{Class, Pane};
use crate::app::overlay::Press;
use crate::app::{App, Leaving, Prompt, PromptKind, keys, text};
use crate::domain::filter::SYNTAX;
use crate::domain::human;
use crate::ui::theme::Theme;
use crate::ui::typed;
use crate::ui::widgets::{both_ends, key_hint};

/// What the footer shows, in this order, as far as there is room; the last one always.
const ORDER: [Action; 12] = [
    Action::NextProblem,
    Action::CopyRaw,
    Action::Open,
    Action::Find,
    Action::Errors,
    Action::Batch,
    Action::Durations,
    Action::CopyMenu,
    Action::Save,
    Action::NextTab,
    Action::Palette,
    Action::Pause,
];

/// Draws the footer. What does not fit into one row takes others above it.
pub fn draw(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    Clear.render(area.intersection(buf.area), buf);
    if let Some(spans) = leaving_keys(app, theme) {
        Line::from(spans).render(area, buf);
    } else if let Some(prompt) = &app.prompt {
        prompt_line(app, prompt, area, theme, buf);
    } else if let Some(toast) = &app.toast {
        let style = if toast.bad { theme.bad() } else { theme.strong() };
        upwards(&theme.shown(&toast.text), style, area, theme, buf);
    } else if let Some(hints) = overlay_keys(app, theme) {
        Line::from(fitting(hints, area.width.into())).render(area, buf);
    } else if app.layout().class == Class::Tiny {
        let hint = |action, words| key_hint(&app.keymap.first_key(action), words, theme);
        let hints = vec![hint(Action::Quit, "quit"), hint(Action::Help, "help")];
        Line::from(fitting(hints, area.width.into())).render(area, buf);
    } else {
        Line::from(fitting(usual_keys(app, theme), area.width.into())).render(area, buf);
    }
}

/// The keys that act while leaving; None if nobody is.
fn leaving_keys<'a>(app: &App, theme: &Theme) -> Option<Vec<Span<'a>>> {
    let words = match app.leaving {
        Leaving::No => return None,
        Leaving::Draining { warned: false, .. } => "twice: leave at once",
        Leaving::Draining { warned: true, .. } | Leaving::Aborting => "again: leave at once",
    };
    let mut spans = vec![Span::raw(" ")];
    spans.extend(key_hint(&app.keymap.first_key(Action::Interrupt), words, theme));
    Some(spans)
}

/// The keys of the overlay, the one that closes it last; None without one.
fn overlay_keys(app: &App, theme: &Theme) -> Option<Vec<Vec<Span<'static>>>> {
    let overlay = app.overlay.as_deref()?;
    let key = |press: Press| match press {
        Press::Of(action) => app.keymap.first_key(action),
        Press::Fixed(key) => key.to_owned(),
    };
    let mut hints: Vec<_> = overlay
        .hints(&app.overlay_context())
        .into_iter()
        .map(|(press, words)| key_hint(&key(press), words, theme))
        .collect();
    if app.file.is_err() {
        hints.push(key_hint(&app.keymap.first_key(Action::Quit), "quit", theme));
    } else if overlay.is_typing() {
        hints.push(key_hint("Esc", "close", theme));
    } else {
        let close = [Action::Back, Action::Quit].map(|action| app.keymap.first_key(action));
        let close = close.into_iter().find(|key| !key.is_empty()).unwrap_or_default();
        hints.push(key_hint(&close, "close", theme));
    }
    Some(hints)
}

fn usual_keys(app: &App, theme: &Theme) -> Vec<Vec<Span<'static>>> {
    let trouble = app.file_trouble.as_ref().map(|_| Action::FileErrors);
    let actions = trouble.into_iter().chain(ORDER).chain([Action::Help]);
    let hint = |action: Action| {
        let binding = keys::table().iter().find(|binding| binding.action == action);
        let words = match (action, app.focus) {
            (Action::Find, Pane::Detail | Pane::Log) => "search",
            (_, _) => binding.map_or("", |binding| binding.footer),
        };
        key_hint(&app.keymap.first_key(action), words, theme)
    };
    actions.map(hint).collect()
}

/// As many hints as there is room for, in their order; the last always.
fn fitting(mut hints: Vec<Vec<Span<'static>>>, width: usize) -> Vec<Span<'static>> {
    hints.retain(|hint| !hint.is_empty());
    let cells = |hint: &[Span<'_>]| hint.iter().map(Span::width).sum::<usize>() + 2;
    let last = hints.pop().unwrap_or_default();
    let mut room = (width + 1).saturating_sub(cells(&last));
    let mut spans = vec![Span::raw(" ")];
    for hint in hints {
        if cells(&hint) <= room {
            room -= cells(&hint);
            spans.extend(hint);
            spans.push(Span::raw("  "));
        }
    }
    spans.extend(last);
    spans
}

/// A text whose last row is this one.
fn upwards(text: &str, style: Style, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let most = usize::from(buf.area.height / 2).max(5);
    let mut rows = text::split(text, usize::from(area.width).saturating_sub(2).max(1));
    if rows.len() > most {
        rows.truncate(most);
        rows.last_mut().into_iter().for_each(|last| last.push_str(theme.cut()));
    }
    let above = u16::try_from(rows.len()).unwrap_or(1).saturating_sub(1).min(area.y);
    let area = Rect { y: area.y - above, height: area.height.saturating_add(above), ..area }.intersection(buf.area);
    Clear.render(area, buf);
    for (place, row) in area.rows().zip(rows) {
        Span::styled(format!(" {row}"), style).render(place, buf);
    }
}

fn prompt_line(app: &App, prompt: &Prompt, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let mut spans = vec![Span::styled(" /", theme.accent())];
    let room = width.saturating_sub(2);
    spans.extend(typed::line(&prompt.input, prompt.error.as_ref().map(|error| &error.span), room, theme));
    let used: usize = spans.iter().map(Span::width).sum();
    if let Some(error) = &prompt.error {
        let beside = format!("  {}", error.message);
        if used + beside.width() <= width {
            spans.push(Span::styled(beside, theme.bad()));
        } else if let Some(y) = area.y.checked_sub(1) {
            upwards(&error.message, theme.bad(), Rect { y, ..area }, theme, buf);
        }
        Line::from(spans).render(area.intersection(buf.area), buf);
        return;
    }
    let tail = match prompt.kind {
        PromptKind::Filter(..) => {
            let reading = match app.jobs.replies().asked() {
                0 => String::new(),
                asked => format!(", reading {}{}", human::counted(asked, "response"), theme.either("…", "...")),
            };
            spans.extend(language(app, prompt, width.saturating_sub(used + 24), theme));
            format!("{} of {} match{reading} ", app.list.order().len(), app.jobs.stats().counts().total())
        }
        PromptKind::Search(pane) => match pane {
            Pane::List => String::new(),
            Pane::Detail => "search in the detail ".to_owned(),
            Pane::Log => "search in the log ".to_owned(),
        },
    };
    both_ends(spans, vec![Span::styled(tail, theme.dim())], area, theme, buf);
}

/// The language of the filter in the free cells: examples before anything is typed, then what fits.
fn language<'a>(app: &App, prompt: &Prompt, room: usize, theme: &Theme) -> Vec<Span<'a>> {
    let words: Vec<String> = if prompt.input.is_selected() {
        vec!["typing replaces it, an arrow key edits it".to_owned()]
    } else if prompt.input.text().is_empty() {
        SYNTAX.iter().map(|(text, _)| (*text).to_owned()).collect()
    } else {
        app.offers()
    };
    let mut line = String::new();
    for word in words {
        if line.width() + word.width() + 3 > room {
            break;
        }
        line.push_str("   ");
        line.push_str(&word);
    }
    vec![Span::styled(line, theme.dim())]
}
