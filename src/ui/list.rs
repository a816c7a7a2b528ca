//! The list of jobs: one row each, of which only the visible ones are made.
//!
//! ```text
//! ╭ ¹Jobs 152 · problems first ─────────────────────────────────── 4/152 ╮
//! │▌✗ fax-887.pdf +1        File type not supported       invoices   28s │
//! │ ▸ price-watch-0034      ▂▂▂▂▂▆▆▆▆▆▆▆▆▆▆▆ 65%          browser    48s │
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, HighlightSpacing, Paragraph, Row as TableRow, StatefulWidget, Table, TableState, Widget};
use unicode_width::UnicodeWidthStr;

use crate::app::action::Action;
use crate::app::detail::Tab;
use crate::app::detail::summary::bar_cells;
use crate::app::layout::Pane;
use crate::app::list::folds::{FoldBy, Item, JobGroup};
use crate::app::list::jobs::Row;
use crate::app::list::sort::{SortBy, value};
use crate::app::list::tally;
use crate::app::outcome::STACK;
use crate::app::text::Tone;
use crate::app::{App, TimeFormat, text};
use crate::domain::clean::Clean;
use crate::domain::state::State;
use crate::domain::{human, note};
use crate::ui::theme::Theme;
use crate::ui::widgets::{TextLines, Titles, bar_of, cut, frame, highlight, key_hint, pane_key, say, scrollbar};

/// Cells of each column; 0: it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ListColumns {
    name: usize,
    fact: usize,
    service: usize,
    id: usize,
    polls: usize,
    cost: usize,
    size: usize,
    tags: usize,
    time: usize,
    /// How many of the user's fields there is room for.
    fields: usize,
}

/// Cells before the name: cursor, symbol and mark.
const SIGNS: usize = 3;
/// Cells of a column of the user's own at most.
const FIELD: usize = 14;
/// The least cells of the name.
const NAME: usize = 10;
/// The least that a fact is worth.
const FACT: usize = 14;
/// Cells from which on polls, sizes, costs and ids may be beside it.
const OTHERS: usize = 130;

impl ListColumns {
    /// Other columns give way before the fact does, and it before the name.
    fn of(width: usize, fields: usize, longest: usize) -> Self {
        let mut columns =
            Self { name: 0, fact: 0, service: 0, id: 0, polls: 0, cost: 0, size: 0, tags: 0, time: 6, fields: 0 };
        let room = width.saturating_sub(SIGNS + 1 + columns.time);
        columns.name = (width / 4).clamp(17, 32).min(longest.max(NAME) + 1).min(room);
        let mut spare = room.saturating_sub(columns.name + 1);
        if spare < FACT {
            columns.name = room;
            return columns;
        }
        // The fact has a good part of the row before the next column comes.
        let mut take = |cells: usize, least: usize| {
            let fits = spare >= cells + 1 + least;
            spare -= if fits { cells + 1 } else { 0 };
            if fits { cells } else { 0 }
        };
        columns.service = take(10, 40);
        // The others come where the fact keeps room for a reason.
        let least = if width < OTHERS { usize::MAX / 2 } else { 60 };
        columns.fields = (0..fields).take_while(|_| take(FIELD, 40) > 0).count();
        columns.size = take(7, least);
        columns.cost = take(8, least);
        columns.id = take(20, least);
        columns.polls = take(6, least);
        columns.tags = take(14, least);
        columns.fact = spare - 1;
        columns
    }

    fn widths(self) -> Vec<Constraint> {
        let mut widths = vec![Constraint::Length(2)];
        let fields = std::iter::repeat_n(FIELD, self.fields);
        let others = [self.service, self.id, self.tags, self.polls, self.size, self.cost, self.time];
        let cells = [self.name, self.fact].into_iter().chain(fields).chain(others).filter(|cells| *cells > 0);
        widths.extend(cells.map(|cells| Constraint::Length(u16::try_from(cells).unwrap_or(u16::MAX))));
        widths
    }
}

pub fn draw(app: &App, theme: &Theme, buf: &mut Buffer) {
    let layout = app.layout();
    let Some(place) = layout.list else { return };
    let focused = super::is_focused(app, Pane::List);
    frame(place, titles(app, theme), focused, theme, buf);
    let inner = place.inner().intersection(buf.area);
    if app.list.order().is_empty() {
        empty(app, inner, theme, buf);
    } else {
        let columns = ListColumns::of(inner.width.into(), app.list.columns().len(), app.jobs.longest_title());
        let rows = layout.rows(Pane::List);
        let seen = app.list.seen(rows).filter_map(|item| match item {
            Item::Job(ix) => app.jobs.get(ix).map(|row| table_row(app, row, columns, theme)),
            Item::Group(n) => app.list.folds().groups().get(n).map(|group| group_row(app, group, columns, theme)),
        });
        let mut table = Table::new(seen, columns.widths())
            .column_spacing(1)
            .highlight_symbol(Span::styled(if focused { " " } else { theme.cursor() }, theme.accent()))
            .highlight_spacing(HighlightSpacing::Always);
        if layout.has_header_row() {
            table = table.header(header_row(app, columns, theme).style(theme.dim()));
        }
        let mut state = TableState::new().with_selected(app.list.at().checked_sub(app.list.top()));
        StatefulWidget::render(table, inner, buf, &mut state);
        if let Some(at) = state.selected().and_then(|at| u16::try_from(at).ok()) {
            let y = inner.y.saturating_add(at).saturating_add(layout.has_header_row().into());
            let style = if focused { theme.selected() } else { theme.selected_away() };
            highlight(Rect { y, height: 1, ..inner }.intersection(inner), style, theme, buf);
        }
        scrollbar(place, app.list.len(), app.list.top(), focused, theme, buf);
    }
    if let Some(area) = layout.reason {
        reason(app, area, theme, buf);
    }
}

/// What is to be said of the selected job, or of the batch, where its detail is not seen.
fn reason(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    if app.detail.tab == Tab::Batch {
        let lines = app.batch_lines(area.width.into(), area.height.into());
        TextLines { lines: &lines, top: 0, search: "", theme }.render(area.intersection(buf.area), buf);
    } else if let Some((_, row)) = app.selected() {
        say(&app.fact(row).0, area, theme, buf);
    }
}

fn titles<'a>(app: &App, theme: &Theme) -> Titles<'a> {
    let focused = super::is_focused(app, Pane::List);
    let (listed, total) = (app.list.order().len(), app.jobs.stats().counts().total());
    let wanted = app.list.wanted();
    let narrow = wanted.is_narrow();
    let dim = |text: String| Span::styled(theme.shown(&text).into_owned(), theme.dim());
    let key = pane_key(&app.keymap.first_key(Action::FocusList), theme);
    let mut left = vec![key, Span::styled("Jobs", theme.title(focused)), Span::raw(" ")];
    let count = match narrow {
        true => format!("{} of {}", human::count(listed as u64), human::count(total.into())),
        false => human::count(total.into()),
    };
    left.push(Span::styled(count, theme.strong()));
    if app.jobs.marked() > 0 {
        left.push(Span::styled(format!("  {} marked", human::count(app.jobs.marked().into())), theme.warn()));
    }
    let mut chosen: Vec<String> = Vec::new();
    if wanted.problems {
        chosen.push("problems only".to_owned());
    }
    if let Some(group) = &wanted.group {
        chosen.push(group.heading.to_string());
    }
    if !wanted.filter.is_empty() {
        chosen.push(format!("/{}", Clean::new(wanted.filter.source())));
    }
    for chosen in chosen {
        left.push(dim(format!(" {} ", theme.dot())));
        left.push(Span::styled(chosen, theme.warn()));
    }
    if app.list.folds().by() != FoldBy::Nothing {
        left.push(dim(format!(" {} folded by {}", theme.dot(), app.list.folds().by().as_str())));
    }
    let (sort, reversed) = app.list.sort();
    let reversed = if reversed { ", reversed" } else { "" };
    let each = if app.list.folds().by() == FoldBy::Nothing { "" } else { " in each" };
    left.push(dim(format!(" {} {}{reversed}{each}", theme.dot(), sort.title(app.list.columns()))));
    let here = match app.list.item(app.list.at()) {
        Some(Item::Job(ix)) => app.list.selected() == Some(ix),
        Some(Item::Group(_)) => true,
        None => false,
    };
    let at = if here { app.list.at() + 1 } else { 0 };
    let right = if listed == 0 { Vec::new() } else { vec![dim(format!("{at}/{}", app.list.len()))] };
    let hint = |action, words| key_hint(&app.keymap.first_key(action), words, theme);
    let hints = [
        hint(Action::Find, "filter"),
        hint(Action::SortBy, "sort"),
        hint(Action::Mark, "mark"),
        hint(Action::ProblemsOnly, "problems"),
        hint(Action::Groups, "groups"),
    ];
    let keys = hints.join(&Span::raw("  "));
    Titles { left, right, keys }
}

fn header_row<'a>(app: &App, columns: ListColumns, theme: &Theme) -> TableRow<'a> {
    let time = match app.times {
        TimeFormat::Relative => "TIME",
        TimeFormat::Local => "AT",
        TimeFormat::Utc => "UTC",
    };
    let cells = [
        (columns.name, "NAME", false, Some(SortBy::Name)),
        (columns.fact, "WHAT", false, None),
        (columns.service, "SERVICE", false, Some(SortBy::Service)),
        (columns.id, "ID", false, None),
        (columns.tags, "TAGS", false, None),
        (columns.polls, "POLLS", true, None),
        (columns.size, "SIZE", true, Some(SortBy::Size)),
        (columns.cost, "COST", true, Some(SortBy::Cost)),
        (columns.time, time, true, Some(SortBy::Time)),
    ];
    // The column that the list is sorted by stands out.
    let (sort, _) = app.list.sort();
    let cell = |title: String, right: bool, by: Option<SortBy>| {
        let style = if by == Some(sort) { theme.accent().remove_modifier(Modifier::DIM) } else { Style::new() };
        Cell::from(Line::from(title).alignment(if right { Alignment::Right } else { Alignment::Left })).style(style)
    };
    let shown = cells.into_iter().filter(|(cells, ..)| *cells > 0);
    let mut shown: Vec<Cell<'_>> = shown.map(|(_, title, right, by)| cell(title.to_owned(), right, by)).collect();
    let fields = (0..).zip(app.list.columns()).take(columns.fields);
    let fields = fields.map(|(n, field)| cell(Clean::new(&field.heading()).to_string(), false, Some(SortBy::Field(n))));
    shown.splice(2.min(shown.len())..2.min(shown.len()), fields);
    TableRow::new(std::iter::once(Cell::default()).chain(shown))
}

/// A group: its name, how many, a bar of their states, counts and cost.
fn group_row<'a>(app: &App, group: &JobGroup, columns: ListColumns, theme: &Theme) -> TableRow<'a> {
    let sign = if app.list.folds().is_open(group) { theme.either("▾", "-") } else { theme.either("▸", "+") };
    let count = format!(" {}", human::count(group.counts.total().into()));
    let name = text::cut(&group.name(), columns.name.saturating_sub(count.width()), theme.cut());
    let name = vec![Span::styled(name, theme.strong()), Span::styled(count, theme.dim())];
    let wide = columns.fact >= WORDY;
    let mut fact = bar_of(&group.counts, (columns.fact / 3).min(BAR), theme, Theme::row_cell);
    fact.push(Span::raw("  "));
    if let Some(cost) = group.cost {
        fact.push(Span::styled(format!("{cost}  "), theme.strong()));
    }
    for state in STACK.into_iter().filter(|state| group.counts.of(*state) > 0) {
        fact.push(Span::styled(theme.symbol(state), theme.state(state)));
        fact.push(Span::raw(format!(" {}", human::count(group.counts.of(state).into()))));
        let word = if wide { format!(" {state}  ") } else { "  ".to_owned() };
        fact.push(Span::styled(word, theme.dim()));
    }
    let cells = [Line::styled(sign, theme.accent()), Line::from(name), Line::from(cut(fact, columns.fact, theme))];
    TableRow::new(cells.map(Cell::from))
}

fn table_row<'a>(app: &App, row: &Row, columns: ListColumns, theme: &Theme) -> TableRow<'a> {
    let known = &row.known;
    let lost_sight = row.gave_up().is_some();
    let symbol =
        Span::styled(theme.symbol(known.state), if lost_sight { theme.bad() } else { theme.state(known.state) });
    let mark = if row.marked { Span::styled(theme.mark(), theme.accent()) } else { Span::raw(" ") };
    let quiet = known.state == State::Queued;
    let fit = |text: &str, cells: usize| text::cut(text, cells, theme.cut());
    let weight = if app.is_fresh(row) { theme.strong() } else { Style::new() };
    let mut cells = vec![Cell::from(Line::from(vec![symbol, mark]))];
    let name_style = if quiet { theme.dim() } else { weight };
    cells.push(Cell::from(Span::styled(fit(&row.title, columns.name), name_style)));
    if columns.fact > 0 {
        cells.push(fact(app, row, columns, theme));
    }
    for field in app.list.columns().iter().take(columns.fields) {
        let value = value(row, field).map(|value| Clean::new(value.text())).unwrap_or_default();
        let cells_of = usize::from(field.width.unwrap_or(u16::MAX)).min(FIELD);
        cells.push(Cell::from(fit(&value, cells_of)));
    }
    let mut dim = |width: usize, text: &str, right: bool| {
        if width > 0 {
            let line = Line::from(Span::styled(fit(text, width), theme.dim()));
            cells.push(Cell::from(line.alignment(if right { Alignment::Right } else { Alignment::Left })));
        }
    };
    dim(columns.service, &Clean::new(&row.job.service), false);
    if columns.id > 0 {
        dim(columns.id, &theme.shown(&human::short_id(&row.job.key.id)), false);
    }
    dim(columns.tags, &Clean::new(&row.job.tags.join(" ")), false);
    if columns.polls > 0 {
        dim(columns.polls, &human::count(row.reads.into()), true);
    }
    if columns.size > 0 {
        dim(columns.size, &known.saved.as_ref().map(|saved| human::bytes(saved.bytes)).unwrap_or_default(), true);
    }
    if columns.cost > 0 {
        dim(columns.cost, &tally::cost(row).map(|cost| cost.to_string()).unwrap_or_default(), true);
    }
    dim(columns.time, &time(app, row), true);
    TableRow::new(cells)
}

/// Cells from which on the counts of a group have words.
const WORDY: usize = 80;
/// Cells of a bar beside a fact, and the least cells of a fact that has one.
const BAR: usize = 20;
const BESIDE_BAR: usize = 18;

/// The one most useful fact; beside it, where there is room and nothing went wrong, the bar of the times.
fn fact<'a>(app: &App, row: &Row, columns: ListColumns, theme: &Theme) -> Cell<'a> {
    let (known, width) = (&row.known, columns.fact);
    let (words, tone) = app.fact(row);
    let cut = |cells: usize| text::cut(&theme.shown(&words), cells, theme.cut());
    let well = tone == Tone::Dim && matches!(known.state, State::Running | State::Succeeded);
    if well && width >= BESIDE_BAR + BAR + 2 {
        let words = format!("{:<1$}  ", cut(width - BAR - 2), width - BAR - 2);
        let mut spans = vec![Span::styled(words, theme.dim())];
        spans.extend(bar(app, row, BAR, theme));
        return Cell::from(Line::from(spans));
    }
    if !well || known.state == State::Succeeded {
        return Cell::from(Span::styled(cut(width), theme.tone(tone)));
    }
    let progress = known.progress.map(|progress| format!(" {progress:.0}%")).unwrap_or_default();
    let mut spans = bar(app, row, width.saturating_sub(progress.width() + 1).min(BAR), theme);
    spans.push(Span::styled(progress, theme.dim()));
    Cell::from(Line::from(spans))
}

/// Queued and running time on one scale for the whole batch.
fn bar<'a>(app: &App, row: &Row, cells: usize, theme: &Theme) -> Vec<Span<'a>> {
    let known = &row.known;
    let now = app.now.wall;
    let (wait, run) = bar_cells(note::queued(known, now), note::ran(known, now), app.jobs.tally().longest, cells);
    let (queued, running) = theme.spans();
    vec![Span::styled(queued.repeat(wait), theme.dim()), Span::styled(running.repeat(run), theme.fill(known.state))]
}

/// How long an unfinished job has been in its state, how long a finished one took; or when that was.
fn time(app: &App, row: &Row) -> String {
    if app.times == TimeFormat::Relative {
        return note::time(&row.known, app.now.wall).map(human::duration).unwrap_or_default();
    }
    let Some(at) = note::since(&row.known) else { return String::new() };
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
    let file = app.file.as_deref().unwrap_or_default();
    let lines: Vec<String> = if let Some(all) = app.loading {
        vec![format!("loading {} jobs", human::count(all.into()))]
    } else if total == 0 {
        vec![
            "No jobs yet".to_owned(),
            String::new(),
            format!("Add some:      jobdeck add SERVICE ID…   (or edit {file})"),
            "From a script: … | jobdeck add SERVICE -".to_owned(),
            "Look around:   jobdeck demo".to_owned(),
            String::new(),
            "They appear here as soon as the file is saved.".to_owned(),
        ]
    } else if wanted.problems && wanted.filter.is_empty() && wanted.group.is_none() {
        vec![format!("none of {total} jobs is lost, failed or partial{}", back("shows all"))]
    } else {
        vec![format!("0 of {total} match {}{}", Clean::new(wanted.filter.source()), back("clears"))]
    };
    let above = usize::from(area.height).saturating_sub(lines.len()) / 2;
    // One block in the middle, its rows aligned.
    let longest = lines.iter().map(|line| line.width()).max().unwrap_or_default();
    let lines = lines.into_iter().map(|line| format!("{line}{}", " ".repeat(longest - line.width())));
    let rows = std::iter::repeat_n(String::new(), above.min(4)).chain(lines);
    let text: Vec<Line<'_>> = rows.map(|row| Line::from(theme.shown(&row).into_owned())).collect();
    Paragraph::new(text).alignment(Alignment::Center).render(area, buf);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_columns_give_way_before_the_fact_and_the_name() {
        let shown = |width: usize| {
            let columns = ListColumns::of(width, 0, 99);
            let others = [("service", columns.service), ("size", columns.size), ("id", columns.id)];
            let others: Vec<&str> = others.into_iter().filter(|(_, cells)| *cells > 0).map(|(name, _)| name).collect();
            (columns.name, columns.fact, others.join(" "))
        };
        let cases = [
            (20, (10, 0, "")),
            (38, (28, 0, "")),
            (58, (17, 29, "")),
            (78, (19, 47, "")),
            (98, (24, 51, "service")),
            (118, (29, 66, "service")),
            (138, (32, 59, "service size")),
            (198, (32, 83, "service size id")),
        ];
        for (width, (name, fact, others)) in cases {
            assert_eq!(shown(width), (name, fact, others.to_owned()), "{width}");
        }
    }
}
