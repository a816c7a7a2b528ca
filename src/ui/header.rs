//! The header: what the batch has come to.
//!
//! ```text
//!  jobdeck  invoices-nov.toml        ▸ 12  ◌ 31  ✓ 104  ◧ 2  ✗ 3  ∅ 0   95.4% ok
//!  ██████████████████░░░░░░░ 109/152  6.2/min  ETA 6-9m  poll in 3s  ~1 stale
//! ```

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::App;
use crate::app::action::Action;
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

/// The whole screen of a terminal that is too small for more: counts and the newest failure.
pub fn tiny(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let mut spans = counts(app, theme, false);
    let progress = app.jobs.stats().counts();
    spans.push(plain(format!("{}/{}", progress.finished(), progress.total())));
    let newest = app.jobs.iter().filter(|(_, row)| row.is_problem()).max_by_key(|(_, row)| row.moved);
    if let Some((_, row)) = newest {
        let note = note::note(&row.known, &row.health, app.now.wall, app.zone());
        let title = crate::domain::clean::Clean::new(row.job.title());
        let text =
            [span(theme.symbol(row.known.state), theme.state(row.known.state)), plain(format!(" {title} {note}"))];
        if area.height > 1 {
            pen::write(&text, pen::row(area, 1), theme, buf);
        } else {
            spans.push(plain(" "));
            spans.extend(text);
        }
    }
    pen::write(&spans, pen::row(area, 0), theme, buf);
}

fn first(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let Ok(file) = &app.file else { return };
    let words = area.width >= 112;
    let mut right = counts(app, theme, words);
    let stats = app.jobs.stats().counts();
    if let Some(rate) = stats.success().filter(|_| !words) {
        right.push(plain(format!(" {rate} ok  ")));
    }
    let room = usize::from(area.width).saturating_sub(pen::width(&right) + 1);
    let mut left = vec![plain(" "), span("jobdeck", theme.strong())];
    if room >= 14 {
        let file = crate::app::text::cut(file, room.saturating_sub(11), theme.cut());
        left.push(plain(format!("  {file}")));
    }
    if pen::width(&left) + pen::width(&right) <= area.width.into() {
        pen::write(&left, area, theme, buf);
    }
    if pen::width(&right) > area.width.into() {
        pen::write(&right, area, theme, buf);
    } else {
        pen::write_right(&right, area, theme, buf);
    }
}

fn counts(app: &App, theme: &Theme, words: bool) -> Vec<Span> {
    let counts = app.jobs.stats().counts();
    let mut spans = Vec::new();
    for (state, word, always) in COUNTED {
        let count = counts.of(state);
        if count == 0 && !always {
            continue;
        }
        let style = if count > 0 { theme.state(state) } else { Style::new() };
        spans.push(span(theme.symbol(state), style));
        let word = if words { format!(" {word}") } else { String::new() };
        spans.push(plain(format!(" {}{word}  ", human::count(count.into()))));
    }
    spans
}

/// Parts of the second row that can be left out, the first of these first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Strip,
    Success,
    Rate,
    NextRead,
    Eta,
    Always,
}

fn second(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let mut parts = parts(app, width, theme);
    for worth in [Worth::Strip, Worth::Success, Worth::Rate, Worth::NextRead, Worth::Eta] {
        let cells: usize = parts.iter().map(|(_, span)| pen::width(std::slice::from_ref(span))).sum();
        if cells > width {
            parts.retain(|(other, _)| *other != worth);
        }
    }
    let spans: Vec<Span> = parts.into_iter().map(|(_, span)| span).collect();
    pen::write(&spans, area, theme, buf);
}

fn parts(app: &App, width: usize, theme: &Theme) -> Vec<(Worth, Span)> {
    let stats = app.jobs.stats();
    let counts = stats.counts();
    let wide = width >= 100;
    let cells = if wide { 45 } else { 25 }.min(width / 3);
    let (finished, total) = (u64::from(counts.finished()), u64::from(counts.total()));
    let filled =
        (finished * cells as u64).checked_div(total).and_then(|cells| usize::try_from(cells).ok()).unwrap_or(0);
    let (full, empty) = theme.blocks();
    let mut parts = vec![
        (Worth::Always, plain(" ")),
        (Worth::Always, span(full.repeat(filled), theme.bar())),
        (Worth::Always, plain(empty.repeat(cells - filled))),
        (Worth::Always, plain(format!(" {}/{}", human::count(finished), human::count(total)))),
    ];
    let gap = if wide { "   " } else { "  " };
    let mut add = |worth, text: String, style| parts.push((worth, span(format!("{gap}{text}"), style)));
    if let Some(rate) = counts.success().filter(|_| wide) {
        add(Worth::Success, format!("{rate} ok"), Style::new());
    }
    let (now, steady) = (app.now.wall, app.steady());
    if let Some(rate) = stats.per_minute(steady).filter(|_| finished < total) {
        add(Worth::Rate, per_minute(rate), Style::new());
        if wide {
            add(Worth::Strip, strip(app, if width >= 160 { 20 } else { 6 }, theme), Style::new());
        }
    }
    if let Some((low, high)) = stats.eta(steady) {
        add(Worth::Eta, format!("ETA {}", human::range(low, high)), Style::new());
    }
    if let Some(all) = app.loading {
        add(Worth::Always, format!("loading {} jobs", human::count(all.into())), theme.warn());
    } else if finished == total && total > 0 {
        add(Worth::Always, format!("all done, exit code {}", app.exit_code()), Style::new());
    } else if app.paused {
        let key = app.keymap.first_key(Action::Pause);
        add(Worth::Always, format!("paused ({key} goes on)"), theme.warn());
    } else if let Some(at) = app.next_read {
        let what = if wide { "next poll" } else { "poll in" };
        let text = match u64::try_from(at.as_second() - now.as_second()) {
            Err(_) | Ok(0) => "reading".to_owned(),
            Ok(wait) => format!("{what} {}", human::duration(Duration::from_secs(wait))),
        };
        add(Worth::NextRead, text, Style::new());
    }
    if let Some((text, style)) = alert(app, theme) {
        add(Worth::Always, text, style);
    }
    parts
}

/// The one alert: key refused, held, throttled, offline, stale, file error, whichever comes first.
fn alert(app: &App, theme: &Theme) -> Option<(String, Style)> {
    let mut gates: Vec<_> = app.jobs.gates().collect();
    gates.sort_by_key(|(service, _)| *service);
    let name = |service: &str| crate::domain::clean::Clean::new(service).to_string();
    let refused = gates.iter().find(|(_, gate)| matches!(gate, Gate::KeyRefused(_)));
    if let Some((service, _)) = refused {
        return Some((format!("{} {}: key refused", theme.health(&Health::KeyRefused), name(service)), theme.bad()));
    }
    if app.store_trouble.is_some() {
        return Some((format!("{} held: cannot save", theme.health(&Health::Held)), theme.bad()));
    }
    let mut later = None;
    for (service, gate) in &gates {
        match gate {
            Gate::Throttled(until) => {
                let until = human::clock(*until, app.zone());
                return Some((format!("# {} throttled until {until}", name(service)), theme.warn()));
            }
            Gate::BackingOff(until) => later = later.or(Some((service, until))),
            Gate::Open | Gate::KeyRefused(_) => {}
        }
    }
    if let Some((service, until)) = later {
        return Some((
            format!("~ {} offline, next try {}", name(service), human::clock(*until, app.zone())),
            theme.warn(),
        ));
    }
    if app.jobs.stale() > 0 {
        return Some((format!("~{} stale", app.jobs.stale()), theme.warn()));
    }
    app.file_trouble.as_ref().map(|_| ("jobs file has errors: the old one is in force".to_owned(), theme.bad()))
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
