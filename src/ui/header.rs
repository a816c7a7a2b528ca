//! The header: what the batch has come to.
//!
//! ```text
//!  jobdeck  invoices-nov.toml        ▸ 12  ◌ 31  ✓ 104  ◧ 2  ✗ 3  ∅ 0   95.4% ok
//!  ██████████████████░░░░░░░ 109/152  6.2/min  ETA 6-9m  poll in 3s  ~1 stale
//! ```

use std::cmp::Reverse;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::app::action::Action;
use crate::app::{App, text};
use crate::domain::clean::Clean;
use crate::domain::fact::{Gate, Health};
use crate::domain::state::State;
use crate::domain::{human, note};
use crate::ui::pen::{self, Span, plain, span};
use crate::ui::theme::Theme;

/// States that are always counted, and those that are only where there are any.
const COUNTED: [(State, &str, bool); 8] = [
    (State::Running, "running", true),
    (State::Queued, "waiting", true),
    (State::Succeeded, "done", true),
    (State::Partial, "partial", true),
    (State::Failed, "failed", true),
    (State::Cancelled, "cancelled", false),
    (State::Lost, "lost", true),
    (State::Unknown, "unknown", false),
];

/// Draws the header's one or two rows.
pub fn draw(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    first(app, pen::row(area, 0), theme, buf);
    second(app, pen::row(area, 1), theme, buf);
}

/// The whole screen of a terminal that is too small for more: counts and, the newest first, the problems.
pub fn tiny(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let mut spans = counts(app, theme, false, false);
    let progress = app.jobs.stats().counts();
    spans.push(plain(format!("{}/{}", progress.finished(), progress.total())));
    let mut problems: Vec<_> = app.jobs.iter().map(|(_, row)| row).filter(|row| row.is_problem()).collect();
    problems.sort_by_key(|row| Reverse(row.moved));
    for (n, row) in (1..usize::from(area.height).max(2)).zip(problems) {
        let note = note::note(&row.known, &row.health, app.now.wall, app.zone());
        let title = Clean::new(row.job.title());
        let text =
            [span(theme.symbol(row.known.state), theme.state(row.known.state)), plain(format!(" {title} {note}"))];
        if area.height > 1 {
            pen::write(&text, pen::row(area, n), theme, buf);
        } else {
            spans.push(plain(" "));
            spans.extend(text);
        }
    }
    pen::write(&spans, pen::row(area, 0), theme, buf);
}

fn first(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let Ok(file) = &app.file else { return };
    let width = usize::from(area.width);
    let words = has_words(width);
    let mut right = counts(app, theme, words, true);
    let rate = app.jobs.stats().counts().success().filter(|_| !words).map(|rate| plain(format!(" {rate} ok  ")));
    if pen::width(&right) > width {
        right = counts(app, theme, words, false);
    }
    right.extend(rate.filter(|rate| pen::width(&right) + pen::width(std::slice::from_ref(rate)) <= width));
    let room = width.saturating_sub(pen::width(&right) + 1);
    let mut left = vec![plain(" "), span("jobdeck", theme.strong())];
    if room >= 14 {
        let file = text::cut(file, room.saturating_sub(11), theme.cut());
        left.push(plain(format!("  {file}")));
    }
    if pen::width(&left) + 2 + pen::width(&right) <= width {
        pen::write(&left, area, theme, buf);
    }
    if pen::width(&right) > width {
        pen::write(&right, area, theme, buf);
    } else {
        pen::write_right(&right, area, theme, buf);
    }
}

/// How many jobs are in each state. `zeros`: some states are counted even where there are none.
fn counts(app: &App, theme: &Theme, words: bool, zeros: bool) -> Vec<Span> {
    let counts = app.jobs.stats().counts();
    let mut spans = Vec::new();
    for (state, word, always) in COUNTED {
        let count = counts.of(state);
        if count == 0 && !(always && zeros) {
            continue;
        }
        let style = if count > 0 { theme.state(state) } else { Style::new() };
        spans.push(span(theme.symbol(state), style));
        let word = if words { format!(" {word}") } else { String::new() };
        spans.push(plain(format!(" {}{word}  ", human::count(count.into()))));
    }
    spans
}

/// What the second row has room for. It depends on the screen alone, not on what there is to say: nothing jumps when
/// an alert comes, an estimate goes or a number gets a digit more.
#[derive(Debug, Clone, Copy)]
struct Plan {
    bar: usize,
    gap: usize,
    eta: bool,
    rate: bool,
    success: bool,
    strip: usize,
}

/// Cells of the bar at most, of an estimate, of a rate and of the next read; a longer one moves what follows.
const BAR: usize = 45;
const ETA: usize = 10;
const RATE: usize = 8;
const NEXT: usize = 13;
const NEXT_SHORT: usize = 11;

impl Plan {
    /// Of a row this wide in which "finished/total" takes so many cells.
    fn of(width: usize, progress: usize) -> Self {
        let wide = is_wide(width);
        let (gap, end, longest) = if wide { (3, 40, BAR) } else { (2, 22, 25) };
        let least = width / 5;
        let mut room = width.saturating_sub(2 + least + progress + gap + end);
        let mut take = |cells: usize| {
            let fits = room >= cells;
            room -= if fits { cells } else { 0 };
            fits
        };
        let (eta, rate) = (take(gap + ETA), take(gap + RATE));
        let success = has_words(width) && take(gap + RATE);
        let minutes = if width >= 160 { 20 } else { 6 };
        let strip = if wide && rate && take(1 + minutes) { minutes } else { 0 };
        Self { bar: (least + room).min(longest), gap, eta, rate, success, strip }
    }
}

/// Whether the states' names stand in the first row; the success rate stands in the second then.
fn has_words(width: usize) -> bool {
    width >= 112
}

fn is_wide(width: usize) -> bool {
    width >= 100
}

fn second(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let (stats, now) = (app.jobs.stats(), app.steady());
    let counts = stats.counts();
    let (finished, total) = (u64::from(counts.finished()), u64::from(counts.total()));
    let all = human::count(total);
    let plan = Plan::of(width, 2 * all.len() + 1);
    let cells = finished * plan.bar as u64;
    let filled = cells.checked_div(total).and_then(|cells| usize::try_from(cells).ok()).unwrap_or(0);
    let (full, empty) = theme.blocks();
    let progress = format!("{}/{all}", human::count(finished));
    let mut spans = vec![
        plain(" "),
        span(full.repeat(filled), theme.bar()),
        plain(format!("{} {progress:<1$}", empty.repeat(plan.bar - filled), 2 * all.len() + 1)),
    ];
    let gap = " ".repeat(plan.gap);
    let mut add = |cells: usize, text: String| spans.push(plain(format!("{gap}{text:<cells$}")));
    if plan.success {
        add(RATE, counts.success().map(|rate| format!("{rate} ok")).unwrap_or_default());
    }
    if let Some(jobs) = app.loading {
        add(0, format!("loading {} jobs", human::count(jobs.into())));
    } else if finished == total && total > 0 {
        add(0, format!("all done, exit code {}", app.exit_code()));
    } else if app.paused {
        add(0, format!("paused{}", app.keymap.hint(Action::Pause, "goes on")));
    } else {
        if plan.rate {
            let rate = stats.per_minute(now);
            let strip = if plan.strip > 0 { format!(" {}", strip(app, plan.strip, theme)) } else { String::new() };
            add(
                RATE + strip.chars().count(),
                rate.map(|rate| format!("{:<RATE$}{strip}", per_minute(rate))).unwrap_or_default(),
            );
        }
        if plan.eta {
            add(ETA, stats.eta(now).map(|(low, high)| format!("ETA {}", human::range(low, high))).unwrap_or_default());
        }
    }
    let room = width.saturating_sub(pen::width(&spans) + plan.gap);
    spans.push(plain(gap));
    spans.extend(end(app, width, room, theme));
    pen::write(&spans, area, theme, buf);
}

/// The end of the row: the next read and the alert; where there is no room for both, the alert.
fn end(app: &App, width: usize, room: usize, theme: &Theme) -> Vec<Span> {
    let (gap, least, what) = if is_wide(width) { (3, NEXT, "next poll") } else { (2, NEXT_SHORT, "poll in") };
    let wait = app.next_read.map(|at| u64::try_from(at.as_second() - app.now.wall.as_second()));
    let next = wait.filter(|_| !app.paused).map(|wait| match wait {
        Err(_) | Ok(0) => "reading".to_owned(),
        Ok(wait) => format!("{what} {}", human::duration(Duration::from_secs(wait))),
    });
    let Some(alert) = alert(app, theme) else { return next.map(plain).into_iter().collect() };
    let text = alert.within(room, theme);
    let mut spans = Vec::new();
    if let Some(next) = next.filter(|_| text.width() + least + gap <= room) {
        spans.push(plain(format!("{next:<0$}", least + gap)));
    }
    // The colour is on the sign, the words look like text on any background.
    let (sign, words) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    spans.extend([span(sign, alert.style), span(words, theme.strong())]);
    spans
}

/// What needs the user: who it is about, and what is the matter, at length and in short.
struct Alert {
    who: String,
    long: String,
    short: String,
    style: Style,
}

impl Alert {
    fn new(who: String, long: &str, short: &str, style: Style) -> Self {
        Self { who, long: long.to_owned(), short: short.to_owned(), style }
    }

    /// As it fits: a long name gives way to what is the matter.
    fn within(&self, room: usize, theme: &Theme) -> String {
        let fits = |what: &&String| self.who.width() + what.width() <= room;
        let what = [&self.long, &self.short].into_iter().find(fits).unwrap_or(&self.short);
        format!("{}{what}", text::cut(&self.who, room.saturating_sub(what.width()), theme.cut()))
    }
}

/// The one alert: key refused, held, throttled, offline, stale, file error, whichever comes first.
fn alert(app: &App, theme: &Theme) -> Option<Alert> {
    let mut gates: Vec<_> = app.jobs.gates().collect();
    gates.sort_by_key(|(service, ..)| *service);
    let who = |sign: &str, service: &str| format!("{sign} {}", Clean::new(service));
    let refused = gates.iter().find(|(_, gate, _)| matches!(gate, Gate::KeyRefused(_)));
    if let Some((service, ..)) = refused {
        let who = who(theme.health(&Health::KeyRefused), service);
        return Some(Alert::new(who, ": key refused", ": key refused", theme.bad()));
    }
    if app.store_trouble.is_some() {
        let who = theme.health(&Health::Held).to_owned();
        return Some(Alert::new(who, " held: cannot save", " held: cannot save", theme.bad()));
    }
    let mut offline = None;
    for (service, gate, since) in &gates {
        match gate {
            Gate::Throttled(until) => {
                let until = human::clock(*until, app.zone());
                let (long, short) = (format!(" throttled until {until}"), format!(" until {until}"));
                return Some(Alert::new(who("#", service), &long, &short, theme.warn()));
            }
            Gate::BackingOff(_) => offline = offline.or(Some((service, since))),
            Gate::Open | Gate::KeyRefused(_) => {}
        }
    }
    if let Some((service, since)) = offline {
        let text = format!(" offline {}", human::duration(human::age(*since, app.steady())));
        return Some(Alert::new(who("~", service), &text, &text, theme.warn()));
    }
    if app.jobs.stale() > 0 {
        let text = format!("~{} stale", human::count(app.jobs.stale().into()));
        return Some(Alert::new(String::new(), &text, &text, theme.warn()));
    }
    let (long, short) = ("jobs file has errors: the old one is in force", "jobs file has errors");
    app.file_trouble.as_ref().map(|_| Alert::new(String::new(), long, short, theme.bad()))
}

fn per_minute(rate: f64) -> String {
    if rate >= 100.0 { format!("{rate:.0}/min") } else { format!("{rate:.1}/min") }
}

/// Finishes of the last minutes, a cell each.
fn strip(app: &App, minutes: usize, theme: &Theme) -> String {
    let recent = app.jobs.stats().recent(app.steady(), Duration::from_secs(60), minutes);
    let most = recent.iter().copied().max().unwrap_or(0).max(1);
    let steps = theme.steps();
    let top = steps.len().saturating_sub(1);
    let step = |count: u32| (count as usize * top).div_ceil(most as usize).min(top);
    recent.into_iter().map(|count| steps.get(step(count)).copied().unwrap_or(" ")).collect()
}
