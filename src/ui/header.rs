//! The header: how far, how well, what is wrong, until when.
//!
//! ```text
//!  jobdeck  november               4m02s so far · done about 17:55 (17:52-17:58) · next poll 3s
//!  ███████████████████████▒▒▒▒▒▒░░░░░░░░  109/152   ✓ 98 done  ✗ 6 failed  ▸ 12 running  ◌ 31 queued
//!  ▁▂▅▇▇▆▅▃▂▁  6.2/min   queued 1m53s, p90 4m   ran 24s, p90 1m05s   1.2 MB   ! portals: rate limited
//! ```

use std::cmp::Reverse;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget};
use unicode_width::UnicodeWidthStr;

use crate::app::App;
use crate::app::action::Action;
use crate::app::outcome::STACK;
use crate::domain::clean::Clean;
use crate::domain::fact::{Gate, KeyTrouble, StoreTrouble};
use crate::domain::state::State;
use crate::domain::{human, note};
use crate::ui::first_row;
use crate::ui::theme::Theme;
use crate::ui::widgets::{StackedBar, both_ends, cut, styled};

/// Cells that an alert leaves for the name of the batch.
const NAME: usize = 20;

/// What the chart shows, and its cells.
const CHART: &str = "finishes ";
const LABEL: u16 = 9;

/// The fewest cells of the bar beside words.
const LEAST_BAR: usize = 8;

pub fn draw(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let row = |n: u16| Rect { y: area.y + n, height: u16::from(n < area.height), ..area };
    if area.height < 2 {
        let mut spans = counts(app, theme, Words::Symbols);
        spans.insert(0, Span::raw(" "));
        Line::from(cut(spans, area.width.into(), theme)).render(row(0), buf);
        return;
    }
    // Where there is no third row, what needs the user takes the place of the times.
    let alert = alert(app, theme);
    let third = area.height > 2;
    let right = match &alert {
        Some(alert) if !third => with_end(app, alert.clone(), area, theme),
        Some(_) | None => when(app, area.width, theme),
    };
    both_ends(name(app, theme), right, row(0), theme, buf);
    progress(app, row(1), theme, buf);
    if third {
        numbers(app, alert.unwrap_or_default(), row(2), theme, buf);
    }
}

/// The whole screen of a terminal that is too small for more: counts and, the newest first, the problems.
pub fn tiny(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let mut spans = counts(app, theme, Words::Symbols);
    spans.push(Span::raw(format!(" {}/{}", app.jobs.over(), app.jobs.stats().counts().total())));
    let mut problems: Vec<_> = app.jobs.iter().map(|(_, row)| row).filter(|row| row.is_problem()).collect();
    problems.sort_by_key(|row| Reverse(row.moved));
    for (n, row) in (1..area.height.max(2)).zip(problems) {
        let note = note::note(&row.known, &row.health, app.now.wall, app.zone());
        let symbol = Span::styled(theme.symbol(row.known.state), theme.state(row.known.state));
        let text = [symbol, Span::raw(format!(" {} {note}", row.title))];
        if area.height > 1 {
            let row = Rect { y: area.y + n, height: 1, ..area };
            Line::from(cut(text.to_vec(), area.width.into(), theme)).render(row, buf);
        } else {
            spans.push(Span::raw("  "));
            spans.extend(text);
        }
    }
    Line::from(cut(spans, area.width.into(), theme)).render(first_row(area), buf);
}

fn name<'a>(app: &App, theme: &Theme) -> Vec<Span<'a>> {
    let mut spans = vec![Span::raw(" "), Span::styled("jobdeck", theme.accent())];
    spans.push(Span::styled(format!("  {}", app.batch()), theme.strong()));
    let wanted = app.list.wanted();
    if wanted.is_narrow() && app.loading.is_none() {
        let (listed, total) = (app.list.order().len(), app.jobs.stats().counts().total());
        let words = format!("  {} of {} jobs match", human::count(listed as u64), human::count(total.into()));
        spans.push(Span::styled(words, theme.warn()));
    }
    spans
}

/// Elapsed time, the end, the next poll; once all is over, when and how long.
fn when<'a>(app: &App, width: u16, theme: &Theme) -> Vec<Span<'a>> {
    let tally = app.jobs.tally();
    let dim = |text: String| Span::styled(text, theme.dim());
    let mut parts: Vec<Vec<Span<'a>>> = Vec::new();
    if let Some(all) = app.loading {
        parts.push(vec![Span::raw(format!("loading {} jobs", human::count(all.into())))]);
    } else if app.is_finished() {
        let ended = tally.ended.map(|at| human::moment(at, app.now.wall, app.zone())).unwrap_or_default();
        parts.push(vec![Span::styled(format!("finished {ended}"), theme.strong())]);
        if let Some(took) = app.took() {
            parts.push(vec![dim("took ".to_owned()), Span::raw(human::duration(took))]);
        }
    } else {
        if let Some(begun) = tally.begun {
            let elapsed = human::duration(human::age(begun, app.now.wall));
            parts.push(vec![Span::raw(format!("{elapsed:>6}")), dim(" so far".to_owned())]);
        }
        if let Some([low, middle, high]) = end(app) {
            let mut end = vec![dim("done about ".to_owned()), Span::styled(middle, theme.strong())];
            if low != high && width >= 80 {
                end.push(dim(format!(" ({low}–{high})")));
            }
            parts.push(end);
        }
        // First, so that nothing moves when it comes and goes.
        if app.paused {
            let hint = app.keymap.hint(Action::Pause, "resumes");
            parts.insert(0, vec![Span::styled(format!("polling paused{hint}"), theme.warn())]);
        } else if let Some(next) = next_poll(app).filter(|_| width >= 100) {
            parts.insert(0, vec![dim(format!("next poll {next}"))]);
        }
    }
    let mut spans = Vec::new();
    for (n, part) in parts.into_iter().enumerate() {
        if n > 0 {
            spans.push(dim(format!(" {} ", theme.dot())));
        }
        spans.extend(part.into_iter().map(|span| Span::styled(theme.shown(&span.content).into_owned(), span.style)));
    }
    spans.push(Span::raw(" "));
    spans
}

/// When all will be done, as clock times: at the earliest, about, and at the latest. None where no poll succeeds.
fn end(app: &App) -> Option<[String; 3]> {
    let stuck = app.jobs.gates().any(|(_, gate, _)| matches!(gate, Gate::BackingOff(_))) || !app.silences.is_empty();
    if stuck || app.paused || app.loading.is_some() {
        return None;
    }
    let (low, high) = app.jobs.stats().eta(app.monotonic_now(), app.jobs.tally().given_up)?;
    let clock = |after: Duration| {
        let at = app.now.wall + jiff::SignedDuration::try_from(after).unwrap_or_default();
        at.to_zoned(app.zone().clone()).strftime("%H:%M").to_string()
    };
    Some([low, (low + high) / 2, high].map(clock))
}

/// An alert with the end of the batch behind it, where there is room for both.
fn with_end(app: &App, alert: Vec<Span<'_>>, area: Rect, theme: &Theme) -> Vec<Span<'static>> {
    let ends = end(app).filter(|_| !app.is_finished()).map(|[_, middle, _]| format!(" {} done {middle} ", theme.dot()));
    let ends = ends.unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(NAME + ends.width());
    let mut spans = cut(alert, room, theme);
    spans.push(Span::styled(ends, theme.dim()));
    spans
}

/// In how many seconds the next poll is said not to be worth a word: it nearly always is.
const SOON: u64 = 5;

fn next_poll(app: &App) -> Option<String> {
    let wait = app.next_read?.as_second() - app.now.wall.as_second();
    // Long past: nothing is due, and nothing comes back.
    let wait = u64::try_from(wait.max(0)).ok().filter(|_| wait > -10)?;
    (wait > SOON).then(|| human::duration(Duration::from_secs(wait)))
}

fn progress(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let counts_of = app.jobs.stats().counts();
    let (over, total) = (u64::from(app.jobs.over()), u64::from(counts_of.total()));
    let all = human::count(total);
    let done = format!("  {:>1$}/{all}  ", human::count(over), all.len());
    let width = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
    let room = usize::from(area.width).saturating_sub(done.len() + 2);
    // As long as the screen allows and no longer, whatever words there are: a bar that grows is progress.
    let bar = match area.width {
        0..80 => LEAST_BAR,
        80..100 => usize::from(area.width) / 5,
        100.. => usize::from(area.width) / 4,
    };
    let bar = bar.min(room);
    let said = [Words::Each, Words::Merged, Words::Bare].into_iter().map(|words| counts(app, theme, words));
    let found = said.into_iter().find(|said| width(said) <= room - bar);
    let words = found.unwrap_or_else(|| counts(app, theme, Words::Symbols));
    let cells = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
    let bar_area = Rect { x: area.x + 1, width: cells(bar).min(area.width.saturating_sub(1)), ..area };
    StackedBar { counts: counts_of, theme }.render(bar_area.intersection(buf.area), buf);
    let rest = Rect { x: bar_area.right(), width: area.right().saturating_sub(bar_area.right()), ..area };
    let mut spans = vec![Span::styled(done, theme.strong())];
    spans.extend(words);
    Line::from(cut(spans, rest.width.into(), theme)).render(rest.intersection(buf.area), buf);
}

/// How the counts are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// Each state with its symbol and its word.
    Each,
    /// The same, all problems as one: the list below names them.
    Merged,
    /// All problems as one, and words without symbols.
    Bare,
    /// Each state with its symbol alone.
    Symbols,
}

/// How many jobs are in each state that any is in.
fn counts<'a>(app: &App, theme: &Theme, words: Words) -> Vec<Span<'a>> {
    let counts = app.jobs.stats().counts();
    let given_up = app.jobs.tally().given_up;
    let merged = matches!(words, Words::Merged | Words::Bare);
    let mut spans = Vec::new();
    let mut add = |symbol: &'static str, style: Style, count: u32, word: &str| {
        let count_of = human::count(count.into());
        match words {
            _ if count == 0 => {}
            Words::Each | Words::Merged => {
                spans.extend([Span::styled(symbol, style), Span::raw(format!(" {count_of}"))]);
                spans.push(Span::styled(format!(" {word}  "), theme.dim()));
            }
            Words::Bare => {
                spans.extend([Span::styled(count_of, style), Span::styled(format!(" {word}  "), theme.dim())]);
            }
            Words::Symbols => spans.extend([Span::styled(symbol, style), Span::raw(format!(" {count_of}  "))]),
        }
    };
    for state in STACK {
        let less = match (merged && state.is_problem(), state == State::Unknown) {
            (true, _) => counts.of(state),
            (false, true) => given_up,
            (false, false) => 0,
        };
        let count = counts.of(state).saturating_sub(less);
        let word = if state == State::Succeeded { "done" } else { state.as_str() };
        add(theme.symbol(state), theme.state(state), count, word);
        if state == State::Succeeded && merged {
            let problems = app.jobs.problems();
            add(theme.symbol(State::Failed), theme.bad(), problems, if problems == 1 { "problem" } else { "problems" });
        }
    }
    if !merged {
        add("?", theme.bad(), given_up, "not found");
    }
    if app.jobs.tally().again > 0 {
        let again = human::count(app.jobs.tally().again.into());
        spans.push(Span::styled(format!("{again} sent again  "), theme.dim()));
    }
    let stuck = app.jobs.tally().stuck(app.now.wall);
    if stuck > 0 {
        spans.push(Span::styled(format!("{} stuck  ", human::count(stuck.into())), theme.warn()));
    }
    spans
}

/// The chart over the whole batch, the pace, times, sizes, and what needs the user.
fn numbers(app: &App, alert: Vec<Span<'_>>, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let tally = app.jobs.tally();
    let chart = if area.width >= 160 { 40 } else { 20 };
    let until = if app.is_finished() { tally.ended } else { Some(app.monotonic_now()) };
    if let Some((from, to)) = tally.begun.zip(until) {
        let counts = tally.finishes.heights(from, to, chart);
        Span::styled(CHART, theme.dim())
            .render(Rect { x: area.x + 1, ..area }.intersection(area).intersection(buf.area), buf);
        let area = Rect { x: area.x + 1 + LABEL, width: u16::try_from(chart).unwrap_or(0), ..area };
        Sparkline::default()
            .data(&counts)
            .bar_set(theme.chart())
            .style(theme.fill(State::Running))
            .render(area.intersection(buf.area), buf);
    }
    let beside = (u16::try_from(chart + 3).unwrap_or(0) + LABEL).min(area.width);
    let area = Rect { x: area.x + beside, width: area.width - beside, ..area };
    let mut parts: Vec<Vec<Span<'_>>> = Vec::new();
    parts.extend(app.pace().map(|pace| vec![Span::raw(format!("{pace:>9}"))]));
    let figures = app.figures();
    parts.extend(figures.iter().map(|figure| styled(figure, theme).spans));
    let mut right = short(alert, area, theme);
    right.push(Span::raw(" "));
    // What is not there in full is left out.
    let mut room = usize::from(area.width).saturating_sub(Line::from(right.clone()).width() + 2);
    let fits = |part: &Vec<Span<'_>>| {
        let left = room.checked_sub(part.iter().map(Span::width).sum::<usize>() + 3);
        room = left.unwrap_or_default();
        left.is_some()
    };
    let spans = parts.into_iter().take_while(fits).flat_map(|part| part.into_iter().chain([Span::raw("   ")]));
    both_ends(spans.collect(), right, area, theme, buf);
}

/// An alert is cut rather than left out: whatever else is said gives way to it.
fn short(alert: Vec<Span<'_>>, area: Rect, theme: &Theme) -> Vec<Span<'static>> {
    cut(alert, usize::from(area.width).saturating_sub(10), theme)
}

/// The one alert, in words with its cure: token, disk, rate limit, no connection, no response, broken file.
fn alert(app: &App, theme: &Theme) -> Option<Vec<Span<'static>>> {
    let (text, style) = alert_text(app, theme)?;
    Some(vec![Span::styled(format!("! {}", theme.shown(&text)), style.patch(theme.strong()))])
}

fn alert_text(app: &App, theme: &Theme) -> Option<(String, Style)> {
    let mut gates: Vec<_> = app.jobs.gates().collect();
    gates.sort_by_key(|(service, ..)| *service);
    let refused = gates.iter().find_map(|(service, gate, _)| match gate {
        Gate::KeyRefused(why) => Some((service, why)),
        Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_) => None,
    });
    if let Some((name, why)) = refused {
        let service = Clean::new(name);
        let text = match why {
            KeyTrouble::Rejected(_) => format!("{service}: token rejected"),
            // What to do about it is in the log; the header has room for what it is.
            KeyTrouble::Missing { what, .. } => format!("{service}: {}", Clean::new(what)),
        };
        return Some((text, theme.bad()));
    }
    // Only what can be fetched once waits.
    let waits = app.jobs.tally().one_shot > 0;
    let trouble = app.store_trouble.as_ref().map(|trouble| match trouble {
        StoreTrouble::Local(_) if waits => "cannot save: polling for results is on hold".to_owned(),
        StoreTrouble::Local(_) => "cannot save results".to_owned(),
        StoreTrouble::Memory(_) if waits => "memory is short: polling for results is on hold".to_owned(),
        StoreTrouble::Memory(_) => "memory is short".to_owned(),
        StoreTrouble::Team(why) => {
            // What to do about it, and the server's own words, are in the log.
            let what = why.split(": ").next().and_then(|why| why.split(". ").next()).unwrap_or_default();
            format!("{}: results {}", Clean::new(what), if waits { "on hold" } else { "stay here" })
        }
    });
    if let Some(trouble) = trouble {
        return Some((trouble, theme.bad()));
    }
    let limited = gates.iter().find_map(|(service, gate, _)| match gate {
        Gate::Throttled(until) => Some((service, until)),
        Gate::Open | Gate::KeyRefused(_) | Gate::BackingOff(_) => None,
    });
    let cut_off: Vec<_> = gates.iter().filter(|(_, gate, _)| matches!(gate, Gate::BackingOff(_))).collect();
    if let Some(since) = cut_off.iter().map(|(.., since)| *since).min() {
        let names: Vec<String> = cut_off.iter().map(|(service, ..)| Clean::new(service).to_string()).collect();
        let age = human::duration(human::age(since, app.monotonic_now()));
        return Some((format!("no connection to {} for {age}", names.join(", ")), theme.bad()));
    }
    if let Some((service, until)) = limited {
        let until = human::clock(*until, app.zone());
        return Some((format!("{}: rate limited until {until}", Clean::new(service)), theme.warn()));
    }
    if let Some(since) = app.silences.values().map(|silence| silence.since).min() {
        let names: Vec<String> = app.silences.keys().map(|name| Clean::new(name).to_string()).collect();
        let polls: usize = app.silences.values().map(|silence| silence.polls).sum();
        let age = human::duration(human::age(since, app.now.wall));
        let waiting = human::counted(polls, "poll");
        return Some((format!("no response for {age} from {} ({waiting} waiting)", names.join(", ")), theme.bad()));
    }
    if let Some(bytes) = app.long_log {
        let size = human::bytes(bytes);
        let text = format!("another program has the database open, its log grew to {size}: end that program");
        return Some((text, theme.warn()));
    }
    if app.jobs.stale() > 0 {
        let stale = app.jobs.stale();
        return Some((format!("no recent response for {}", human::counted(stale, "job")), theme.warn()));
    }
    let errors = "jobs file has errors, previous version active".to_owned();
    app.file_trouble.as_ref().map(|_| (errors, theme.bad()))
}
