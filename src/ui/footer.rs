//! The last row: what can be pressed, what was just done, or what is being typed.
//!
//! ```text
//!  f next fail  y copy raw  Y copy…  Enter open  / filter  e errors  : cmd  ? help
//! ```

use std::iter;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::app::action::Action;
use crate::app::dialog::Overlay;
use crate::app::layout::{Class, Pane};
use crate::app::{App, Leaving, Prompt, PromptKind, keys, text};
use crate::ui::pen::{self, Span, plain, span};
use crate::ui::theme::Theme;
use crate::ui::typed;

/// What the footer shows, in this order, as far as there is room.
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

/// What it shows before anything else.
const FIRST: [Action; 5] = [Action::NextProblem, Action::CopyRaw, Action::Open, Action::Find, Action::Errors];
/// In fewer columns the longest hints are a word long.
const NARROW: usize = 70;

/// Draws the footer. What does not fit into one row takes others above it.
pub fn draw(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    if let Some((keys, last)) = leaving_keys(app) {
        hinted(keys, last, area, theme, buf);
    } else if let Some(prompt) = &app.prompt {
        prompt_line(app, prompt, area, theme, buf);
    } else if let Some(toast) = &app.toast {
        let style = if toast.bad { theme.bad() } else { theme.strong() };
        upwards(&toast.text, style, area, theme, buf);
    } else if let Some((keys, last)) = own_keys(app) {
        hinted(keys, last, area, theme, buf);
    } else if app.layout().class == Class::Tiny {
        let hint = |action, words| key_and_words(app.keymap.first_key(action), words, theme);
        let quit = hint(Action::Quit, "quit");
        pen::write(&fitting(quit, iter::empty(), hint(Action::Help, "help"), area.width.into()), area, theme, buf);
    } else {
        pen::write(&hints(app, area.width.into(), theme), area, theme, buf);
    }
}

/// A key and what it does.
type Hint = (String, &'static str);

/// The keys that act while leaving, and the one by which it is done at once; None if nobody is.
fn leaving_keys(app: &App) -> Option<(Vec<Hint>, Hint)> {
    let words = match app.leaving {
        Leaving::No => return None,
        Leaving::Draining { warned: false, .. } => "twice: leave at once",
        Leaving::Draining { warned: true, .. } | Leaving::Aborting => "again: leave at once",
    };
    let hint = |action, words| (app.keymap.first_key(action), words);
    Some((vec![hint(Action::Redraw, "draw again")], hint(Action::Interrupt, words)))
}

/// The keys of what stands over the panes, and the one by which it is left; None if nothing does.
fn own_keys(app: &App) -> Option<(Vec<Hint>, Hint)> {
    let first = |action, words| (app.keymap.first_key(action), words);
    let fixed = |key: &str, words| (key.to_owned(), words);
    let either = |(one, _): Hint, (other, words): Hint| match (one.is_empty(), other.is_empty()) {
        (false, false) => (format!("{one} {other}"), words),
        (true, _) | (_, true) => (one + &other, words),
    };
    let scroll = || either(first(Action::Down, ""), first(Action::Up, "scroll"));
    let close = [Action::Back, Action::Quit].map(|action| first(action, "close"));
    let close = close.into_iter().find(|(key, _)| !key.is_empty()).unwrap_or_default();
    let keys = match &app.overlay {
        _ if app.file.is_err() => (vec![scroll()], first(Action::Quit, "quit")),
        Overlay::None => return None,
        Overlay::Help { typing: true, .. } => (vec![fixed("Enter", "keep the search")], fixed("Esc", "drop it")),
        Overlay::Help { .. } => (vec![first(Action::Find, "search"), scroll()], close),
        Overlay::File { .. } => (vec![scroll()], close),
        Overlay::Copy { .. } => (vec![first(Action::Open, "copy it"), first(Action::Save, "save to a file")], close),
        Overlay::Errors { .. } => {
            let table = [first(Action::CopyRaw, "copy the table"), first(Action::Save, "save as CSV")];
            (iter::once(first(Action::Open, "list them")).chain(table).collect(), close)
        }
        Overlay::Palette { .. } => (vec![fixed("Enter", "do it"), fixed("Down Up", "choose")], fixed("Esc", "close")),
    };
    Some(keys)
}

fn hinted(keys: Vec<Hint>, last: Hint, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let hint = |(key, words)| key_and_words(key, words, theme);
    let hints = keys.into_iter().filter(|(key, _)| !key.is_empty()).map(hint);
    pen::write(&fitting(Vec::new(), hints, hint(last), area.width.into()), area, theme, buf);
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
    let area = Rect { y: area.y - above, height: area.height.saturating_add(above), ..area };
    pen::clear(area, buf);
    for (n, row) in rows.iter().enumerate() {
        pen::write(&[span(format!(" {row}"), style)], pen::row(area, n), theme, buf);
    }
}

fn hints(app: &App, width: usize, theme: &Theme) -> Vec<Span> {
    let usual = hints_in(if width < NARROW { Words::Brief } else { Words::Usual }, app, width, theme);
    // Only where no key gives way to the longer words.
    let fits = width >= NARROW && pen::width(&usual) + "problem".len() - "fail".len() <= width;
    if fits { hints_in(Words::Long, app, width, theme) } else { usual }
}

fn hints_in(words: Words, app: &App, width: usize, theme: &Theme) -> Vec<Span> {
    let hint = |action| hint(app, action, words, theme);
    let trouble = app.file_trouble.as_ref().map(|_| hint(Action::FileErrors)).unwrap_or_default();
    let help = hint(Action::Help);
    let mut room = (width + 1).saturating_sub(pen::width(&trouble) + pen::width(&help));
    let others = ORDER.into_iter().filter(|action| *action != Action::Help && !FIRST.contains(action));
    let mut chosen = Vec::new();
    for action in FIRST.into_iter().chain(others) {
        let hint = hint(action);
        if pen::width(&hint) <= room {
            room -= pen::width(&hint);
            chosen.push((ORDER.iter().position(|other| *other == action), hint));
        }
    }
    chosen.sort_by_key(|(at, _)| *at);
    fitting(trouble, chosen.into_iter().map(|(_, hint)| hint), help, width)
}

/// As many hints as there is room for; the last always.
fn fitting(first: Vec<Span>, others: impl Iterator<Item = Vec<Span>>, last: Vec<Span>, width: usize) -> Vec<Span> {
    let mut spans = first;
    for next in others {
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

/// How long the words of a hint may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Brief,
    Usual,
    Long,
}

fn hint(app: &App, action: Action, words: Words, theme: &Theme) -> Vec<Span> {
    let Some(binding) = keys::table().iter().find(|binding| binding.action == action) else { return Vec::new() };
    let key = app.keymap.first_key(action);
    if key.is_empty() {
        return Vec::new();
    }
    let words = match (action, app.focus) {
        (Action::Find, Pane::Detail | Pane::Log) => "search",
        (Action::Open, Pane::Detail | Pane::Log) => "open",
        (Action::NextProblem, _) if words == Words::Brief => "fail",
        (Action::NextProblem, _) if words == Words::Long => "next problem",
        (Action::CopyRaw, _) if words == Words::Brief => "copy",
        _ => binding.footer,
    };
    key_and_words(key, words, theme)
}

fn key_and_words(key: String, words: &str, theme: &Theme) -> Vec<Span> {
    let words = words.replace('…', theme.either("…", "..."));
    vec![plain(" "), span(key, theme.strong()), plain(format!(" {words} "))]
}

fn prompt_line(app: &App, prompt: &Prompt, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let mut spans = vec![span(" /", theme.strong())];
    let room = usize::from(area.width).saturating_sub(2);
    spans.extend(typed::line(&prompt.input, prompt.error.as_ref().map(|error| &error.span), room, theme));
    if let Some(error) = &prompt.error {
        let beside = format!("  {}", error.message);
        if pen::width(&spans) + beside.width() <= area.width.into() {
            spans.push(span(beside, theme.bad()));
        } else if let Some(y) = area.y.checked_sub(1) {
            upwards(&error.message, theme.bad(), Rect { y, ..area }, theme, buf);
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
