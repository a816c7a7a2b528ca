//! What stands over the panes: help, copy menu, failures by reason, palette, errors of the jobs file, and the question
//! at the end. Their keys stand in the footer.
//!
//! ```text
//! ┌ quit? ───────────────────────────────────────────────┐
//! │ 2 one-shot reads are in flight. Each can be read     │
//! │ once; leaving now would lose those results.          │
//! │ scan-0422, scan-0421                                 │
//! │ Waiting for them: 3s ...   Ctrl-c again: lose them   │
//! └──────────────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::app::action::Action;
use crate::app::dialog::{self, CopyItem, Overlay, Reason};
use crate::app::input::Input;
use crate::app::overlay::{Choices, TABLE_WIDTH, TEXT_WIDTH};
use crate::app::scroll::{Cursor, window};
use crate::app::text;
use crate::app::{App, Leaving};
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::ui::pen::{self, Span, plain, span};
use crate::ui::theme::Theme;
use crate::ui::typed;

/// Cells of a line of the copy menu.
const MENU_WIDTH: u16 = 58;
/// Cells of a line of the question at the end.
const QUIT_WIDTH: u16 = 60;

/// Draws what stands over the panes, if anything does.
pub fn draw(app: &App, theme: &Theme, buf: &mut Buffer) {
    match &app.overlay {
        Overlay::None => {}
        Overlay::Help { search, typing, .. } => {
            let inner = frame(app, "help", TEXT_WIDTH, app.overlay_rows(), theme, buf);
            reading(app, inner, theme, buf);
            if *typing || !search.text().is_empty() {
                let mut spans = vec![plain(" /")];
                spans.extend(typed::line(search, None, usize::from(inner.width).saturating_sub(4), theme));
                pen::write_right(&spans, Rect { y: inner.bottom(), height: 1, ..inner }, theme, buf);
            }
        }
        Overlay::File { .. } => {
            let rows = app.overlay_lines().map_or(0, |(lines, _)| lines.len()).min(app.overlay_rows());
            let inner = frame(app, "errors in the jobs file: the old one is in force", TABLE_WIDTH, rows, theme, buf);
            reading(app, inner, theme, buf);
        }
        Overlay::Copy { title, items, cursor, .. } => copy_menu(app, title, items, *cursor, theme, buf),
        Overlay::Errors { reasons, cursor } => errors(app, reasons, *cursor, theme, buf),
        Overlay::Palette { input, cursor } => palette(app, input, *cursor, theme, buf),
    }
    quit(app, theme, buf);
}

/// What is read and scrolled: the help page, the errors of a file.
pub fn reading(app: &App, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let Some((lines, top)) = app.overlay_lines() else { return };
    let top = top.min(lines.len().saturating_sub(area.height.into()));
    if matches!(app.overlay, Overlay::Help { .. }) {
        super::detail::lines(&lines, top, area, "", theme, buf);
        return;
    }
    for (n, line) in lines.iter().skip(top).take(area.height.into()).enumerate() {
        pen::write(&[plain(format!(" {}", line.text))], pen::row(area, n), theme, buf);
    }
}

fn copy_menu(app: &App, title: &str, items: &[CopyItem], cursor: Cursor, theme: &Theme, buf: &mut Buffer) {
    let choices = app.overlay_choices();
    let title = headed(app, Action::CopyMenu, &format!("copy from {title}"));
    let rows = (choices.rows + 2).min(app.overlay_rows());
    let inner = frame(app, &title, MENU_WIDTH, rows, theme, buf);
    let top = window(cursor.top, cursor.at, items.len(), choices.rows);
    for (n, (at, item)) in items.iter().enumerate().skip(top).take(choices.rows).enumerate() {
        let name = pen::fit(item.name, usize::from(inner.width).saturating_sub(15).min(28), theme);
        let text = [span(format!(" {}", item.key), theme.strong()), plain(format!("  {name} {}", item.detail))];
        choice(&text, at == cursor.at, pen::row(inner, n), theme, buf);
    }
    pen::write(&[plain(format!(" {}", app.copies_by))], pen::row(inner, rows - 1), theme, buf);
}

fn palette(app: &App, input: &Input, cursor: Cursor, theme: &Theme, buf: &mut Buffer) {
    let found = dialog::palette(&input.text());
    let inner = frame(app, "command", TEXT_WIDTH, app.overlay_rows(), theme, buf);
    let mut spans = vec![plain(" :")];
    spans.extend(typed::line(input, None, usize::from(inner.width).saturating_sub(2), theme));
    pen::write(&spans, pen::row(inner, 0), theme, buf);
    if found.is_empty() {
        pen::write(&[plain(" no action is called so")], pen::row(inner, 1), theme, buf);
    }
    let choices = app.overlay_choices();
    let top = window(cursor.top, cursor.at, found.len(), choices.rows);
    for (n, (at, binding)) in found.iter().enumerate().skip(top).take(choices.rows).enumerate() {
        let keys = dialog::key_names(&app.keymap, binding);
        let name = pen::fit(binding.name, 16, theme);
        let text = format!(" {name} {} {}", pen::fit(&keys, 9, theme), binding.help);
        choice(&[plain(text)], at == cursor.at, pen::row(inner, n + 1), theme, buf);
    }
    in_full(&choices, inner, theme, buf);
}

fn errors(app: &App, reasons: &[Reason], cursor: Cursor, theme: &Theme, buf: &mut Buffer) {
    let jobs = dialog::jobs_of(reasons);
    let (jobs, many) = (human::counted(jobs, "job"), human::counted(reasons.len(), "reason"));
    let counts = format!("failures by reason ({jobs}, {many})");
    let title = headed(app, Action::Errors, &counts);
    let choices = app.overlay_choices();
    let inner = frame(app, &title, TABLE_WIDTH, choices.rows + 1 + choices.below, theme, buf);
    if reasons.is_empty() {
        pen::write(&[plain(" no job has failed, is partial or lost")], pen::row(inner, 0), theme, buf);
    }
    let wide = usize::from(inner.width).saturating_sub(10 + 21);
    let top = window(cursor.top, cursor.at, reasons.len(), choices.rows);
    for (n, (at, reason)) in reasons.iter().enumerate().skip(top).take(choices.rows).enumerate() {
        let text = format!(
            " {} {:>4}  {} {}",
            if at == cursor.at { ">" } else { " " },
            reason.jobs.len(),
            pen::fit(&reason.pattern, wide, theme),
            pen::fit(&of_whom(reason), 20, theme)
        );
        choice(&[plain(text)], at == cursor.at, pen::row(inner, n), theme, buf);
    }
    in_full(&choices, inner, theme, buf);
    let reading = app.jobs.replies().asked();
    if reading > 0 {
        let word = if reading == 1 { "reply" } else { "replies" };
        bottom(&format!(" reading {reading} {word}{} ", theme.either("…", "...")), inner, theme, buf);
    }
}

/// A title that begins with the key that leads there.
fn headed(app: &App, action: Action, title: &str) -> String {
    format!("{}  {title}", app.keymap.first_key(action)).trim_start().to_owned()
}

/// The text of the choice under the cursor, at the foot of the box.
fn in_full(choices: &Choices, inner: Rect, theme: &Theme, buf: &mut Buffer) {
    let first = usize::from(inner.height).saturating_sub(choices.below);
    for (n, row) in choices.full.iter().enumerate() {
        pen::write(&[plain(format!(" {row}"))], pen::row(inner, first + n), theme, buf);
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
            let inner = frame(app, "quit", QUIT_WIDTH, 1, theme, buf);
            pen::write(&[plain(" leaving: saving what has come")], pen::row(inner, 0), theme, buf);
            return;
        }
    };
    let Some(reads) = reads.as_ref().filter(|reads| !reads.is_empty()) else { return };
    let count = match reads.len() {
        1 => "1 one-shot read is in flight. It can be read once; leaving now would lose that result.".to_owned(),
        many => {
            format!("{many} one-shot reads are in flight. Each can be read once; leaving now would lose those results.")
        }
    };
    let names: Vec<String> = reads.iter().take(3).map(|ix| name(app, *ix)).collect();
    let more = if reads.len() > 3 { format!(" and {} more", reads.len() - 3) } else { String::new() };
    let waited = human::duration(app.now.mono.saturating_sub(since));
    let them = if reads.len() == 1 { "it" } else { "them" };
    let key = app.keymap.first_key(Action::Interrupt);
    let again = if key.is_empty() { String::new() } else { format!("   {key} again: lose {them}") };
    let told = [count, format!("{}{more}", names.join(", ")), format!("Waiting for {them}: {waited} ...{again}")];
    let width = app.overlay_width(QUIT_WIDTH).saturating_sub(2).max(1);
    let rows: Vec<String> = told.iter().flat_map(|text| text::split(text, width)).collect();
    let inner = frame(app, "quit?", QUIT_WIDTH, rows.len(), theme, buf);
    // What can be done stands last, and is what has to be seen.
    let top = rows.len().saturating_sub(inner.height.into());
    for (n, row) in rows.iter().skip(top).enumerate() {
        pen::write(&[plain(format!(" {row}"))], pen::row(inner, n), theme, buf);
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
fn frame(app: &App, title: &str, width: u16, rows: usize, theme: &Theme, buf: &mut Buffer) -> Rect {
    let screen = pen::rect(app.overlay_area()).intersection(buf.area);
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
