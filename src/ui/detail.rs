//! The detail: title with tabs, and the open tab.
//!
//! ```text
//! ── acme-2211 ─ [Summary] Output  Raw  Files  Attempts ────────── 1/152 ─ 96% ──
//!  ✗ FAILED  optexity task 6b1f…c2   status failed   took 1m58s   at 14:21:40
//!  reason    Login page did not load within 60s: selector #user not found
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::App;
use crate::app::detail::{Body, Loaded, Place, Tab, share_files};
use crate::app::event::Content;
use crate::app::jobs::Row;
use crate::app::layout::Pane;
use crate::app::text::{LABEL, Line, Tone};
use crate::domain::clean::Clean;
use crate::domain::files::FileResult;
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::domain::state::State;
use crate::ui::pen::{self, plain, span};
use crate::ui::theme::Theme;
use crate::ui::{raw, tree};

/// Draws title and tab. `ruled`: the title is a line across the pane.
pub fn draw(app: &App, area: Rect, ruled: bool, theme: &Theme, buf: &mut Buffer) {
    let body = pen::body(area);
    let Some((ix, row)) = app.selected() else {
        pen::rule(&[plain("no job")], &[], area, theme, buf);
        return;
    };
    let place = app.detail.place(ix);
    title(app, row, &place, area, ruled, theme, buf);
    match place.tab {
        Tab::Summary => text(app, place.summary, body, &place.search, theme, buf),
        Tab::Attempts => match app.detail.past(ix).map(|past| &past.history) {
            Some(Loaded::Ready(_)) => text(app, place.attempts, body, &place.search, theme, buf),
            Some(Loaded::Failed(why)) => say(why, body, theme, buf),
            Some(Loaded::Asked | Loaded::No) | None => say("loading…", body, theme, buf),
        },
        Tab::Output | Tab::Raw | Tab::Files => saved(app, ix, row, &place, body, theme, buf),
    }
}

/// Text lines from one on, matches marked.
pub fn lines(lines: &[Line], top: usize, area: Rect, search: &str, theme: &Theme, buf: &mut Buffer) {
    let search = search.to_lowercase();
    for (n, line) in lines.iter().skip(top).take(area.height.into()).enumerate() {
        let found = !search.is_empty() && line.text.to_lowercase().contains(&search);
        let mut style = match line.tone {
            Tone::Plain | Tone::State(_) => Style::new(),
            Tone::Warn => theme.warn(),
            Tone::Heading => theme.strong(),
        };
        if found {
            style = style.patch(theme.found());
        }
        let head = match line.tone {
            Tone::State(state) => {
                let name = state.as_str().to_uppercase();
                vec![plain(" "), span(format!("{} {name}", theme.symbol(state)), theme.state(state)), plain("  ")]
            }
            Tone::Heading => vec![plain(" ")],
            Tone::Plain | Tone::Warn => {
                let cells = unicode_width::UnicodeWidthStr::width(&*line.label).max(LABEL - 1);
                vec![plain(format!(" {} ", pen::fit(&line.label, cells, theme)))]
            }
        };
        let mut spans = head;
        let ascii = theme.is_ascii().then(|| line.text.replace('…', "~"));
        spans.push(span(ascii.unwrap_or_else(|| line.text.clone()), style));
        pen::write(&spans, pen::row(area, n), theme, buf);
    }
}

fn title(app: &App, row: &Row, place: &Place, area: Rect, ruled: bool, theme: &Theme, buf: &mut Buffer) {
    let focus = if super::is_focused(app, Pane::Detail) { theme.strong() } else { Style::new() };
    let name = Clean::new(row.job.title());
    let listed = app.list.order().get(app.list.at()) == app.list.selected().as_ref();
    let at = if listed { (app.list.at() + 1).to_string() } else { "-".to_owned() };
    let position = format!("{at}/{}", app.list.order().len());
    let percent = percent(app, place, area).map(|percent| format!("{percent}%"));
    let tabs_of = |gap: bool| {
        Tab::ALL.map(|tab| match (tab == place.tab, gap) {
            (true, true) => format!("[{}]", tab.as_str()),
            (true, false) => format!(" [{}]", tab.as_str()),
            (false, true) => format!(" {} ", tab.as_str()),
            (false, false) => format!(" {}", tab.as_str()),
        })
    };
    let mut tabs = tabs_of(true).concat().trim().to_owned();
    let room = usize::from(area.width);
    if tabs.len() + 20 > room {
        tabs = tabs_of(false).concat().trim().to_owned();
    }
    if tabs.len() + 16 > room {
        tabs = format!("[{}]", place.tab.as_str());
    }
    let name = crate::app::text::cut(&name, room.saturating_sub(tabs.len() + 9).min(28), theme.cut());
    if ruled {
        let mut right = position;
        if let Some(percent) = percent {
            right.push_str(&format!(" {} {percent}", theme.line()));
        }
        pen::rule(&[span(name, focus), span(tabs, focus)], &[plain(right)], area, theme, buf);
        return;
    }
    let line = pen::row(area, 0);
    let left = [plain(" "), span(name, focus), plain("  "), span(tabs, focus)];
    pen::write(&left, line, theme, buf);
    let right = match percent {
        Some(percent) => format!(" {position}  {percent} "),
        None => format!(" {position} "),
    };
    if pen::width(&left) + right.len() <= room {
        pen::write_right(&[plain(right)], line, theme, buf);
    }
}

/// How far down the reader stands.
fn percent(app: &App, place: &Place, area: Rect) -> Option<u8> {
    let (ix, _) = app.selected()?;
    let body = pen::body(area);
    let rows = usize::from(body.height);
    let of_text = |top: usize| {
        let len = app.detail_lines(body.width.into()).map_or(0, |lines| lines.len());
        if len <= rows { 100 } else { u8::try_from((top + rows).min(len) * 100 / len).unwrap_or(100) }
    };
    match place.tab {
        Tab::Summary => Some(of_text(place.summary)),
        Tab::Attempts => Some(of_text(place.attempts)),
        Tab::Raw => Some(app.detail.body(ix)?.raw.as_ref()?.percent(body.width.saturating_sub(1), body.height)),
        Tab::Output => Some(app.detail.body(ix)?.output.ready()?.percent()),
        Tab::Files => Some(app.detail.body(ix)?.files.get(&place.file?)?.ready()?.percent()),
    }
}

fn text(app: &App, top: usize, area: Rect, search: &str, theme: &Theme, buf: &mut Buffer) {
    let all = app.detail_lines(area.width.into()).unwrap_or_default();
    let top = top.min(all.len().saturating_sub(area.height.into()));
    lines(&all, top, area, search, theme, buf);
}

fn saved(app: &App, ix: JobIx, row: &Row, place: &Place, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let Some(body) = app.detail.body(ix) else {
        let over = row.known.state.is_terminal();
        say(
            if over { "nothing of this job was saved" } else { "nothing is saved yet: the job is not over" },
            area,
            theme,
            buf,
        );
        return;
    };
    match &body.content {
        Loaded::No | Loaded::Asked => say("loading…", area, theme, buf),
        Loaded::Failed(why) => say(why, area, theme, buf),
        Loaded::Ready(content) => opened(app, place, body, content, area, theme, buf),
    }
}

fn opened(app: &App, place: &Place, body: &Body, content: &Content, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let focused = super::is_focused(app, Pane::Detail);
    match place.tab {
        Tab::Summary | Tab::Attempts => {}
        Tab::Raw => {
            if content.body.is_empty() {
                say("the reply was empty: 0 bytes", area, theme, buf);
            } else if let Some(view) = &body.raw {
                raw::draw(view, indented(area), &theme.raw(), buf);
            }
        }
        Tab::Output => match &body.output {
            Loaded::Ready(view) => tree::draw(view, indented(area), focused, &theme.tree(), buf),
            Loaded::Failed(why) => {
                let size = human::bytes(content.body.len() as u64);
                let kind = content.content_type.as_ref().map(|kind| format!(", {kind}")).unwrap_or_default();
                say(&format!("{why} ({size}{kind}); the tab Raw shows the bytes"), area, theme, buf);
            }
            Loaded::No | Loaded::Asked => {
                say("building the tree…   the tab Raw shows the bytes already", area, theme, buf)
            }
        },
        Tab::Files if content.files.is_empty() => say("this reply names no files", area, theme, buf),
        Tab::Files => files(place, body, content, focused, area, theme, buf),
    }
}

fn files(place: &Place, body: &Body, content: &Content, focused: bool, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let (table, below) = share_files(area.height.into(), body.order.len());
    let name = usize::from(area.width).saturating_sub(5 + 10 + 7 + 9 + 9).max(8);
    let heading = format!("    {} STATUS       KEYS     SIZE     COST", pen::fit("FILE", name, theme));
    pen::write(&[plain(heading)], pen::row(area, 0), theme, buf);
    let rows = table.saturating_sub(1);
    for (n, (at, number)) in body.order.iter().enumerate().skip(place.files.top).take(rows).enumerate() {
        let Some(file) = content.files.get(*number) else { continue };
        let selected = at == place.files.at;
        let line = pen::row(area, n + 1);
        let state = if file.failed { State::Failed } else { State::Succeeded };
        let spans = [
            plain(if selected { "> " } else { "  " }),
            span(theme.symbol(state), theme.state(state)),
            plain(format!(" {} {}", pen::fit(&Clean::new(&file.name), name, theme), file_cells(file, theme))),
        ];
        pen::write(&spans, line, theme, buf);
        if selected && focused && place.file.is_none() {
            pen::restyle(line, theme.selected(), buf);
        }
    }
    let Some(file) = body.order.get(place.files.at) else { return };
    let rest =
        Rect { y: area.y + u16::try_from(table).unwrap_or(0), height: u16::try_from(below).unwrap_or(0), ..area };
    below_files(place.file.unwrap_or(*file), place, body, content, focused, rest, theme, buf);
}

fn file_cells(file: &FileResult, theme: &Theme) -> String {
    let keys = file.keys.map_or_else(|| "-".to_owned(), |keys| keys.to_string());
    let cost = file.cost.as_ref().map_or_else(|| "-".to_owned(), |cost| dollars(cost));
    format!(
        "{}{}{}{}",
        pen::fit(&Clean::new(&file.status), 10, theme),
        pen::fit_right(&keys, 7, theme),
        pen::fit_right(&human::bytes(file.size), 9, theme),
        pen::fit_right(&cost, 9, theme)
    )
}

/// A cost that is too long for its column is rounded, so that it keeps its distance from the size.
fn dollars(cost: &str) -> String {
    match cost.parse::<f64>() {
        Ok(amount) if cost.len() > 7 => format!("${amount:.4}"),
        Ok(_) | Err(_) => format!("${}", Clean::new(cost)),
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one pane, used in one place")]
fn below_files(
    number: usize,
    place: &Place,
    body: &Body,
    content: &Content,
    focused: bool,
    area: Rect,
    theme: &Theme,
    buf: &mut Buffer,
) {
    let Some(file) = content.files.get(number) else { return };
    let name = Clean::new(&file.name).to_string();
    pen::rule(&[span(name, theme.strong())], &[], area, theme, buf);
    let rest = pen::body(area);
    if place.file.is_some() {
        match body.files.get(&number) {
            Some(Loaded::Ready(view)) => tree::draw(view, indented(rest), focused, &theme.tree(), buf),
            Some(Loaded::Failed(why)) => say(why, rest, theme, buf),
            Some(Loaded::No | Loaded::Asked) | None => say("building the tree…", rest, theme, buf),
        }
        return;
    }
    let all = match &file.error {
        Some(error) => vec![Line::warn("error", Clean::new(error).to_string())],
        None => vec![Line::new("", "Enter opens the file's own tree")],
    };
    lines(&crate::app::text::wrapped(all, rest.width.into(), true), 0, rest, "", theme, buf);
}

/// A blank column at the left, as every pane has it.
fn indented(area: Rect) -> Rect {
    Rect { x: area.x.saturating_add(1), width: area.width.saturating_sub(1), ..area }
}

fn say(text: &str, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let text = if theme.is_ascii() { text.replace('…', "...") } else { text.to_owned() };
    for (n, row) in crate::app::text::split(&text, usize::from(area.width).saturating_sub(2)).into_iter().enumerate() {
        pen::write(&[plain(format!(" {row}"))], pen::row(area, n), theme, buf);
    }
}
