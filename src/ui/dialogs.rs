//! What stands over the panes: help, copy menu, failures by reason, palette, and the question at the end.
//!
//! ```text
//! ┌ quit? ───────────────────────────────────────────────┐
//! │ 2 Unstract reads are in flight. Each can be read     │
//! │ once; leaving now would lose those results.          │
//! │ Waiting for them: 3s ...   Ctrl-C again: lose them   │
//! └──────────────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::app::dialog::{self, CopyItem, Overlay, Reason};
use crate::app::scroll::Cursor;
use crate::app::text;
use crate::app::{App, Leaving};
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::ui::pen::{self, Span, plain, span};
use crate::ui::theme::Theme;

/// Draws what stands over the panes, if anything does.
pub fn draw(app: &App, theme: &Theme, buf: &mut Buffer) {
    match &app.overlay {
        Overlay::None => {}
        Overlay::Help { top, context, search, typing } => {
            let inner = frame("help", 76, app.overlay_rows(), theme, buf);
            let lines = dialog::help(&app.keymap, *context, &search.text());
            super::detail::lines(&lines, *top, inner, "", theme, buf);
            let hint = if *typing || !search.text().is_empty() {
                format!(" /{} ", Clean::new(&search.text()))
            } else {
                " / searches, Esc closes ".to_owned()
            };
            bottom(&hint, inner, theme, buf);
        }
        Overlay::Copy { title, items, cursor, .. } => copy_menu(title, items, *cursor, theme, buf),
        Overlay::Errors { reasons, cursor } => errors(app, reasons, *cursor, theme, buf),
        Overlay::Palette { input, cursor } => {
            let found = dialog::palette(&input.text());
            let inner = frame("command", 76, app.overlay_rows(), theme, buf);
            let typed = [plain(" :"), plain(input.text()), span(" ", theme.selected())];
            pen::write(&typed, pen::row(inner, 0), theme, buf);
            let rows = usize::from(inner.height).saturating_sub(1);
            for (n, (at, binding)) in found.iter().enumerate().skip(cursor.top).take(rows).enumerate() {
                let keys = dialog::key_names(&app.keymap, binding);
                let name = pen::fit(binding.name, 18, theme);
                let text = format!(" {name} {} {}", pen::fit(&keys, 12, theme), binding.help);
                choice(&[plain(text)], at == cursor.at, pen::row(inner, n + 1), theme, buf);
            }
        }
    }
    quit(app, theme, buf);
}

fn copy_menu(title: &str, items: &[CopyItem], cursor: Cursor, theme: &Theme, buf: &mut Buffer) {
    let inner = frame(&format!("Y  copy from {title}"), 58, items.len() + 2, theme, buf);
    for (n, item) in items.iter().enumerate() {
        let name = pen::fit(item.name, 30, theme);
        let text = [span(format!(" {}", item.key), theme.strong()), plain(format!("  {name} {}", item.detail))];
        choice(&text, n == cursor.at, pen::row(inner, n), theme, buf);
    }
    pen::write(&[plain(" s  raw output to a file instead")], pen::row(inner, items.len() + 1), theme, buf);
}

fn errors(app: &App, reasons: &[Reason], cursor: Cursor, theme: &Theme, buf: &mut Buffer) {
    let jobs = dialog::jobs_of(reasons);
    let title = format!("e  failures by reason ({jobs} jobs, {} reasons)", reasons.len());
    let rows = (reasons.len() + 2).max(3).min(app.overlay_rows());
    let inner = frame(&title, 110, rows, theme, buf);
    if reasons.is_empty() {
        pen::write(&[plain(" no job has failed, is partial or lost")], pen::row(inner, 0), theme, buf);
    }
    let height = usize::from(inner.height).saturating_sub(2);
    let wide = usize::from(inner.width).saturating_sub(10 + 21);
    let top = crate::app::scroll::window(cursor.top, cursor.at, reasons.len(), height);
    for (n, (at, reason)) in reasons.iter().enumerate().skip(top).take(height).enumerate() {
        let text = format!(
            " {} {:>4}  {} {}",
            if at == cursor.at { ">" } else { " " },
            reason.jobs.len(),
            pen::fit(&reason.pattern, wide, theme),
            pen::fit(&of_whom(reason), 20, theme)
        );
        choice(&[plain(text)], at == cursor.at, pen::row(inner, n), theme, buf);
    }
    let last = usize::from(inner.height).saturating_sub(1);
    let keys = plain(" Enter list them   y copy the table   s save as CSV");
    pen::write(&[keys], pen::row(inner, last), theme, buf);
    let reading = app.jobs.replies().asked();
    if reading > 0 {
        let word = if reading == 1 { "reply" } else { "replies" };
        let text = format!("reading {reading} {word}{} ", theme.either("…", "..."));
        pen::write_right(&[span(text, theme.warn())], pen::row(inner, last), theme, buf);
    }
}

/// The services that gave a reason, and for how many files.
fn of_whom(reason: &Reason) -> String {
    match reason.files {
        0 => reason.providers.clone(),
        1 => format!("{}, 1 file", reason.providers),
        files => format!("{}, {files} files", reason.providers),
    }
}

/// What is waited for at the end: which reads, and for how long already.
fn quit(app: &App, theme: &Theme, buf: &mut Buffer) {
    let (since, reads) = match &app.leaving {
        Leaving::No => return,
        Leaving::Draining { since, reads } => (*since, reads),
        Leaving::Aborting => {
            let inner = frame("quit", 56, 1, theme, buf);
            pen::write(&[plain(" leaving: saving what has come")], pen::row(inner, 0), theme, buf);
            return;
        }
    };
    let Some(reads) = reads.as_ref().filter(|reads| !reads.is_empty()) else { return };
    let count = match reads.len() {
        1 => "1 one-shot read is in flight. It can be read once;".to_owned(),
        many => format!("{many} one-shot reads are in flight. Each can be read once;"),
    };
    let names: Vec<String> = reads.iter().take(3).map(|ix| name(app, *ix)).collect();
    let more = if reads.len() > 3 { format!(" and {} more", reads.len() - 3) } else { String::new() };
    let waited = human::duration(app.now.mono.saturating_sub(since));
    let them = if reads.len() == 1 { "it" } else { "them" };
    let lines = [
        format!(" {count}"),
        " leaving now would lose those results.".to_owned(),
        format!(" {}{more}", names.join(", ")),
        format!(" Waiting for {them}: {waited} ...   Ctrl-c again: lose {them}"),
    ];
    let inner = frame("quit?", 60, lines.len(), theme, buf);
    for (n, line) in lines.into_iter().enumerate() {
        pen::write(&[plain(line)], pen::row(inner, n), theme, buf);
    }
}

fn name(app: &App, ix: JobIx) -> String {
    app.jobs.get(ix).map(|row| Clean::new(row.job.title()).to_string()).unwrap_or_default()
}

fn choice(spans: &[Span], chosen: bool, area: Rect, theme: &Theme, buf: &mut Buffer) {
    pen::write(spans, area, theme, buf);
    if chosen {
        pen::restyle(area, theme.selected(), buf);
    }
}

fn bottom(text: &str, inner: Rect, theme: &Theme, buf: &mut Buffer) {
    let line = Rect { y: inner.bottom(), height: 1, ..inner };
    pen::write_right(&[span(text, Style::new())], line, theme, buf);
}

/// A box in the middle of the screen with room for so many cells and rows; what is inside of it.
fn frame(title: &str, width: u16, rows: usize, theme: &Theme, buf: &mut Buffer) -> Rect {
    let screen = buf.area;
    let width = (width + 2).min(screen.width);
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(screen.height);
    let area =
        Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height };
    pen::clear(area, buf);
    let [upper_left, upper_right, lower_left, lower_right] = theme.corners();
    let inside = usize::from(width.saturating_sub(2));
    let title = text::cut(&format!(" {title} "), inside, theme.cut());
    let rest = theme.line().repeat(inside.saturating_sub(title.width()));
    let line = [plain(upper_left), span(title, theme.strong()), plain(rest), plain(upper_right)];
    pen::write(&line, pen::row(area, 0), theme, buf);
    let last = usize::from(height).saturating_sub(1);
    for n in 1..last {
        let row = pen::row(area, n);
        pen::write(&[plain(theme.column())], row, theme, buf);
        pen::write_right(&[plain(theme.column())], row, theme, buf);
    }
    if last > 0 {
        let line = [plain(lower_left), plain(theme.line().repeat(inside)), plain(lower_right)];
        pen::write(&line, pen::row(area, last), theme, buf);
    }
    Rect {
        x: area.x.saturating_add(1),
        y: area.y.saturating_add(1),
        width: width.saturating_sub(2),
        height: height.saturating_sub(2),
    }
}
