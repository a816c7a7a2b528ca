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
use crate::app::{App, Times, text};
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
    age: usize,
    took: usize,
    reads: usize,
    size: usize,
    tags: usize,
    note: usize,
}

/// What every row has: cursor, symbol, label, saved.
const FIXED: usize = 10;
/// Age and took, each.
const TIME: usize = 7;
/// The least that a name is told by: other columns give way to it.
const NAME: usize = 16;
/// The least that a note is worth.
const NOTE: usize = 12;

impl Columns {
    fn of(width: usize, class: Class) -> Self {
        let mut columns =
            Self { name: 0, provider: 9, id: 0, age: TIME, took: TIME, reads: 0, size: 0, tags: 0, note: 0 };
        if width < 70 && class == Class::Single {
            columns.provider = 0;
            let room = width.saturating_sub(FIXED + 2 * TIME + 1);
            columns.name = (room * 3 / 5).clamp(NAME.min(room), 24);
            columns.note = room - columns.name;
            if columns.note < NOTE / 2 {
                (columns.name, columns.note) = (room, 0);
            }
            return columns;
        }
        let room = width.saturating_sub(FIXED + 2 * TIME + columns.provider);
        if room < 24 + 1 + NOTE {
            // The service in three letters, then not at all; how long it took; since when.
            let fewer = [(9, TIME, TIME), (4, TIME, TIME), (0, TIME, TIME), (0, TIME, 0), (0, 0, 0)];
            for (provider, age, took) in fewer {
                let room = width.saturating_sub(FIXED + provider + age + took);
                // A blank is left at the end, or four where that is no loss.
                columns.name = room.saturating_sub(1).min(NAME).max(room.saturating_sub(4));
                (columns.provider, columns.age, columns.took) = (provider, age, took);
                if columns.name >= NAME {
                    break;
                }
            }
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
            text.extend(format!("{title:<0$}", cells - 1).chars().take(cells - 1));
        }
    };
    column(columns.provider, "PROVIDER");
    column(columns.id, "ID");
    column(columns.tags, "TAGS");
    let since = if app.times == Times::Utc { "UTC" } else { "AGE" };
    for (cells, title) in
        [(columns.age, since), (columns.took, "TOOK"), (columns.reads, "READS"), (columns.size, "SIZE")]
    {
        text.push_str(&format!("{:>cells$}", if cells > 0 { title } else { "" }));
    }
    text.push_str(" S");
    let note = if columns.note > 0 { " NOTE" } else { "" };
    let standing = standing(app, columns, theme);
    let width = usize::from(area.width);
    let beside = (text.width() + note.len() + 3, width);
    let in_note = (text.width() + 2, width);
    // Where a service's name, a time and a tick stand is seen without a heading.
    let name = "   ST   NAME ".len();
    let begins = text.char_indices().zip(text.chars().skip(1)).filter(|((_, one), next)| *one == ' ' && *next != ' ');
    let over = begins.map(|((at, _), _)| (name, at)).filter(|(from, to)| from < to).chain([(name, width)]);
    let room = |(from, to): (usize, usize)| to.saturating_sub(from);
    let place = if room(beside) >= standing.width() {
        Some(beside)
    } else {
        let mut places = [in_note].into_iter().chain(over);
        places.find(|place| standing.matters && room(*place) >= standing.least())
    };
    if place != Some(in_note) {
        text.push_str(note);
    }
    pen::write(&[span(text, style)], area, theme, buf);
    let Some(place) = place else { return };
    let cells = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
    let rest = Rect { x: area.x.saturating_add(cells(place.0)), width: cells(room(place)), ..area };
    let told = pen::fit(&standing.within(room(place), theme), room(place), theme);
    pen::write(&[span(told, if standing.matters { theme.strong() } else { style })], rest, theme, buf);
}

/// What the rows are.
struct Standing {
    /// How many are marked, how many are listed, or how they are sorted.
    count: String,
    /// What they were chosen by.
    chosen: String,
    /// Whether that has to be seen because it is out of the ordinary.
    matters: bool,
}

impl Standing {
    /// Cells of what is told of a choice at the least.
    const CHOSEN: usize = 7;

    fn width(&self) -> usize {
        self.count.width() + self.chosen.width()
    }

    fn least(&self) -> usize {
        self.count.width() + self.chosen.width().min(Self::CHOSEN)
    }

    /// As it fits: the count whole.
    fn within(&self, room: usize, theme: &Theme) -> String {
        format!("{}{}", self.count, text::cut(&self.chosen, room.saturating_sub(self.count.width()), theme.cut()))
    }
}

fn standing(app: &App, columns: Columns, theme: &Theme) -> Standing {
    let (wanted, (sort, reversed), marked) = (app.list.wanted(), app.list.sort(), app.jobs.marked());
    let (mut parts, mut chosen) = (Vec::new(), String::new());
    if marked > 0 {
        parts.push(format!("{} marked", human::count(marked.into())));
    }
    if wanted.is_narrow() {
        parts.push(format!("{} of {}", app.list.order().len(), app.jobs.stats().counts().total()));
        if wanted.problems {
            chosen.push_str(" problems");
        }
        if let Some(group) = &wanted.group {
            chosen.push_str(&format!(" {}", text::cut(&group.heading, 16, theme.cut())));
        }
        if !wanted.filter.is_empty() {
            chosen.push_str(&format!(" /{}", text::cut(&Clean::new(wanted.filter.source()), 20, theme.cut())));
        }
    }
    let sorted = (sort, reversed) != (SortBy::default(), false);
    if parts.is_empty() && (sorted || columns.note > 0) {
        parts.push(format!("sort:{}{}", sort.as_str(), if reversed { " reversed" } else { "" }));
    }
    Standing { count: parts.join("  "), chosen, matters: sorted || marked > 0 || wanted.is_narrow() }
}

/// What is to be said of the selected job, where its row has no room for it.
pub fn reason(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let Some((_, row)) = app.selected() else { return };
    let note = note::note(&row.known, &row.health, app.now.wall, app.zone());
    for (n, line) in text::split(&note, usize::from(area.width).saturating_sub(4).max(1)).into_iter().enumerate() {
        let sign = if n == 0 { theme.symbol(row.known.state) } else { " " };
        let spans = [plain(" "), span(sign, theme.state(row.known.state)), span(format!(" {line}"), theme.strong())];
        pen::write(&spans, pen::row(area, n), theme, buf);
    }
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
    let provider: String = row.job.key.provider.as_str().chars().take(columns.provider.saturating_sub(1)).collect();
    column(columns.provider, &provider);
    column(columns.id, &Clean::new(&row.job.key.id));
    column(columns.tags, &Clean::new(&row.job.tags.join(" ")));
    spans.push(plain(pen::fit_right(&age(app, row), columns.age, theme)));
    let took = note::took(known).map_or_else(|| "-".to_owned(), human::duration);
    spans.push(plain(pen::fit_right(&took, columns.took, theme)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_columns_give_way_before_a_name_does() {
        let shown = |width: usize, class: Class| {
            let columns = Columns::of(width, class);
            let others = [("provider", columns.provider), ("age", columns.age), ("took", columns.took)];
            let others: Vec<&str> = others.into_iter().filter(|(_, cells)| *cells > 0).map(|(name, _)| name).collect();
            (columns.name, others.join(" "))
        };
        let cases = [
            (57, Class::Side, 20, "provider age took"),
            (48, Class::Side, 16, "provider age took"),
            (42, Class::Side, 16, "age took"),
            (40, Class::Side, 19, "age"),
            (34, Class::Side, 16, "age"),
            (32, Class::Side, 18, ""),
            (24, Class::Side, 13, ""),
            (41, Class::Single, 16, "age took"),
            (60, Class::Single, 21, "age took"),
        ];
        for (width, class, name, others) in cases {
            assert_eq!(shown(width, class), (name, others.to_owned()), "{width}");
        }
    }
}
