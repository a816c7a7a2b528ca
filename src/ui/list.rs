//! The list of jobs: one row each, of which only the visible ones are made.
//!
//! ```text
//!    ST   NAME                     PROVIDER    AGE   TOOK S NOTE   sort:status
//! >✗ FAIL acme-2211                optexity  14:21  1m58s ⤓ Login page did not lo…
//!  ▸ RUN  scan-0421                unstract  2m07s      -   ~ stale 38s, no link
//! ```

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::app::action::Action;
use crate::app::jobs::Row;
use crate::app::layout::{Class, Pane};
use crate::app::list::SortBy;
use crate::app::{App, Times};
use crate::domain::clean::Clean;
use crate::domain::{human, note};
use crate::ui::pen::{self, Span, plain, span};
use crate::ui::theme::{Theme, label};

/// Cells of each column; 0: it is not there.
#[derive(Debug, Clone, Copy)]
struct Columns {
    name: usize,
    provider: usize,
    id: usize,
    reads: usize,
    size: usize,
    tags: usize,
    note: usize,
}

/// What every row has: cursor, symbol, label, age, took, saved.
const FIXED: usize = 24;
/// The least that a note is worth.
const NOTE: usize = 12;

impl Columns {
    fn of(width: usize, class: Class) -> Self {
        let mut columns = Self { name: 0, provider: 9, id: 0, reads: 0, size: 0, tags: 0, note: 0 };
        if width < 70 && class == Class::Single {
            columns.provider = 0;
            let room = width.saturating_sub(FIXED + 1);
            columns.name = (room * 3 / 5).min(24);
            columns.note = room - columns.name;
            return columns;
        }
        let room = width.saturating_sub(FIXED + columns.provider);
        if room < 24 + 1 + NOTE {
            columns.name = room.saturating_sub(4);
            return columns;
        }
        columns.name = if class == Class::Wide { 20 } else { 24 };
        let mut spare = room - columns.name - 1;
        let mut take = |least: usize, cells: usize| {
            let fits = spare >= least + cells;
            spare -= if fits { cells } else { 0 };
            if fits { cells } else { 0 }
        };
        columns.size = take(18, 8);
        columns.id = take(18, 10);
        columns.reads = take(18, 6);
        columns.tags = take(24, 10);
        columns.name += take(36, 8);
        columns.id += take(30, 4);
        columns.name += take(48, 8);
        columns.note = spare;
        columns
    }
}

/// Draws heading and rows.
pub fn draw(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let columns = Columns::of(area.width.into(), app.layout().class);
    heading(app, columns, pen::row(area, 0), theme, buf);
    let body = pen::body(area);
    let order = app.list.order();
    if order.is_empty() {
        empty(app, body, theme, buf);
        return;
    }
    let seen = order.iter().enumerate().skip(app.list.top()).take(body.height.into());
    for (n, (at, ix)) in seen.enumerate() {
        let Some(row) = app.jobs.get(*ix) else { continue };
        let selected = at == app.list.at();
        let line = pen::row(body, n);
        // A blank stands between the row and what is beside it.
        let text = Rect { width: line.width.saturating_sub(u16::from(app.layout().divider.is_some())), ..line };
        pen::write(&cells(app, row, selected, columns, theme), text, theme, buf);
        if selected && super::is_focused(app, Pane::List) {
            pen::restyle(line, theme.selected(), buf);
        }
    }
}

fn heading(app: &App, columns: Columns, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let style = if super::is_focused(app, Pane::List) { theme.strong() } else { Style::new() };
    let mut text = format!("   ST   {}", pen::fit("NAME", columns.name, theme));
    let mut column = |cells: usize, title: &str| {
        if cells > 0 {
            text.push(' ');
            text.push_str(&pen::fit(title, cells - 1, theme));
        }
    };
    column(columns.provider, "PROVIDER");
    column(columns.id, "ID");
    column(columns.tags, "TAGS");
    text.push_str("    AGE   TOOK");
    if columns.reads > 0 {
        text.push_str(" READS");
    }
    if columns.size > 0 {
        text.push_str("    SIZE");
    }
    text.push_str(" S");
    if columns.note > 0 {
        text.push_str(" NOTE");
    }
    let (tail, matters) = standing(app, columns, theme);
    let used = text.width();
    let room = usize::from(area.width).saturating_sub(used);
    if room < tail.width() + 4 && matters {
        // What is listed says more than the names of the columns, but none of them is left half covered.
        let left = usize::from(area.width).saturating_sub(tail.width() + 3);
        let shown: String = text.chars().take(left).collect();
        let whole = shown.trim_end().rsplit_once(' ').map_or("", |(whole, _)| whole);
        pen::write(&[span(whole, style)], area, theme, buf);
        pen::write_right(&[span(format!(" {tail} "), theme.strong())], area, theme, buf);
        return;
    }
    pen::write(&[span(&text, style)], area, theme, buf);
    if room >= tail.width() + 4 && !tail.is_empty() {
        let rest = Rect {
            x: area.x + u16::try_from(used).unwrap_or(0) + 3,
            width: area.width - u16::try_from(used + 3).unwrap_or(0),
            ..area
        };
        pen::write(&[span(tail, if matters { theme.strong() } else { style })], rest, theme, buf);
    }
}

/// What the rows are: how many are marked, what they were chosen by or how they are sorted; and whether that has to be
/// seen because it is out of the ordinary.
fn standing(app: &App, columns: Columns, theme: &Theme) -> (String, bool) {
    let (wanted, (sort, reversed), marked) = (app.list.wanted(), app.list.sort(), app.jobs.marked());
    let mut parts = Vec::new();
    if marked > 0 {
        parts.push(format!("{} marked", human::count(marked.into())));
    }
    if wanted.is_narrow() {
        let mut text = format!("{} of {}", app.list.order().len(), app.jobs.stats().counts().total());
        if wanted.problems {
            text.push_str(" problems");
        }
        if let Some(group) = &wanted.group {
            text.push_str(&format!(" {}", pen::fit(&group.heading, 16, theme).trim_end()));
        }
        if !wanted.filter.is_empty() {
            let filter = Clean::new(wanted.filter.source());
            text.push_str(&format!(" /{}", pen::fit(&filter, 20, theme).trim_end()));
        }
        parts.push(text);
    }
    let sorted = (sort, reversed) != (SortBy::default(), false);
    if parts.is_empty() && (sorted || columns.note > 0) {
        parts.push(format!("sort:{}{}", sort.as_str(), if reversed { " reversed" } else { "" }));
    }
    (parts.join("  "), sorted || marked > 0 || wanted.is_narrow())
}

fn cells(app: &App, row: &Row, selected: bool, columns: Columns, theme: &Theme) -> Vec<Span> {
    let known = &row.known;
    let style = theme.state(known.state);
    let title = Clean::new(row.job.title());
    let mut spans = vec![
        plain(if selected { ">" } else { " " }),
        span(theme.symbol(known.state), style),
        plain(" "),
        span(pen::fit(label(known.state), 4, theme), style),
        plain(if row.marked { "*" } else { " " }),
        plain(pen::fit(&title, columns.name, theme)),
    ];
    let mut column = |cells: usize, text: &str| {
        if cells > 0 {
            spans.push(plain(format!(" {}", pen::fit(text, cells - 1, theme))));
        }
    };
    column(columns.provider, row.job.key.provider.as_str());
    column(columns.id, &Clean::new(&row.job.key.id));
    column(columns.tags, &Clean::new(&row.job.tags.join(" ")));
    spans.push(plain(pen::fit_right(&age(app, row), 7, theme)));
    spans.push(plain(pen::fit_right(&note::took(known).map_or_else(|| "-".to_owned(), human::duration), 7, theme)));
    if columns.reads > 0 {
        let reads = if row.reads > 0 { human::count(row.reads.into()) } else { "-".to_owned() };
        spans.push(plain(pen::fit_right(&reads, columns.reads, theme)));
    }
    if columns.size > 0 {
        let size = known.saved.as_ref().map(|saved| human::bytes(saved.bytes)).unwrap_or_default();
        spans.push(plain(pen::fit_right(&size, columns.size, theme)));
    }
    let health = if known.state.is_terminal() { " " } else { theme.health(&row.health) };
    let saved = if known.saved.is_some() { theme.saved() } else { " " };
    if columns.note == 0 {
        let sign = if known.saved.is_some() { saved } else { health };
        spans.push(plain(format!(" {sign}")));
        return spans;
    }
    spans.push(plain(format!(" {saved} ")));
    if health != " " {
        spans.push(span(format!("{health} "), theme.warn()));
    }
    let note = note::note(known, &row.health, app.now.wall, app.zone());
    // Bold and no colour: it has to be read on any background.
    let style = if known.state.is_problem() { theme.strong() } else { Style::new() };
    spans.push(span(note.to_string(), style));
    spans
}

/// Unfinished jobs tick; a finished one shows its clock time.
fn age(app: &App, row: &Row) -> String {
    let Some(since) = note::since(&row.known) else { return "-".to_owned() };
    if row.known.state.is_terminal() || app.times != Times::Relative {
        return clock(since, app);
    }
    human::duration(human::age(since, app.now.wall))
}

/// A clock time in five cells, a date in six.
fn clock(at: Timestamp, app: &App) -> String {
    let (then, today) = (at.to_zoned(app.zone().clone()), app.now.wall.to_zoned(app.zone().clone()));
    let form = if then.date() == today.date() { "%H:%M" } else { "%d %b" };
    then.strftime(form).to_string()
}

fn empty(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let total = app.jobs.stats().counts().total();
    let wanted = app.list.wanted();
    // While a filter is typed, Esc is the key: those of the line cannot be bound.
    let back = |words: &str| match app.prompt {
        Some(_) => format!("   (Esc {words})"),
        None => app.keymap.hint(Action::Back, words),
    };
    let lines = if let Some(all) = app.loading {
        vec![format!("loading {} jobs", human::count(all.into()))]
    } else if total == 0 {
        vec!["there are no jobs in the jobs file yet".to_owned(), "jobdeck add SERVICE ID   adds one".to_owned()]
    } else if wanted.problems && wanted.filter.is_empty() && wanted.group.is_none() {
        vec![format!("none of {total} jobs has failed, is partial or lost{}", back("shows all"))]
    } else {
        vec![format!("0 of {total} match {}{}", Clean::new(wanted.filter.source()), back("clears"))]
    };
    for (n, line) in lines.into_iter().enumerate() {
        pen::write(&[plain(format!("  {line}"))], pen::row(area, n + 1), theme, buf);
    }
}
