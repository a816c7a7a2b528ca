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
use unicode_width::UnicodeWidthStr;

use crate::app::App;
use crate::app::detail::{Body, Loaded, Place, Tab};
use crate::app::event::Content;
use crate::app::jobs::Row;
use crate::app::layout::Pane;
use crate::app::parts::Parts;
use crate::app::text::{LABEL, Line, Tone};
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::ui::pen::{self, plain, span};
use crate::ui::theme::Theme;
use crate::ui::{files, raw, tree};

/// Draws title and tab. `ruled`: the title is a line across the pane.
pub fn draw(app: &App, area: Rect, ruled: bool, theme: &Theme, buf: &mut Buffer) {
    let body = pen::body(area);
    let Some((ix, row)) = app.selected() else {
        pen::rule(&[plain("no job")], &[], area, theme, buf);
        return;
    };
    let place = app.detail.place(ix);
    title(app, row, &place, area, ruled, theme, buf);
    let parts = app.parts(ix);
    match place.tab {
        Tab::Summary => {
            text(app, place.summary, pen::rect(parts.main), &place.search, theme, buf);
            preview(app, ix, &parts, theme, buf);
        }
        Tab::Attempts => match app.detail.past(ix).map(|past| &past.history) {
            Some(Loaded::Ready(_)) => text(app, place.attempts, body, &place.search, theme, buf),
            Some(Loaded::Failed(why)) => say(why, body, theme, buf),
            Some(Loaded::Asked | Loaded::No) | None => say("loading…", body, theme, buf),
        },
        Tab::Output | Tab::Raw | Tab::Files => saved(app, (ix, row), &place, &parts, theme, buf),
    }
}

/// Text lines from one on, matches marked.
pub fn lines(lines: &[Line], top: usize, area: Rect, search: &str, theme: &Theme, buf: &mut Buffer) {
    let search = search.to_lowercase();
    for (n, line) in lines.iter().skip(top).take(area.height.into()).enumerate() {
        let found = !search.is_empty() && line.text.to_lowercase().contains(&search);
        let mut style = match line.tone {
            Tone::Plain | Tone::Warn | Tone::State(_) => Style::new(),
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
                let cells = line.label.width().max(LABEL - 1);
                // The colour is on the label alone: what has to be read looks like text on any background.
                let label = if line.tone == Tone::Warn { theme.warn().patch(theme.strong()) } else { Style::new() };
                vec![plain(" "), span(pen::fit(&line.label, cells, theme), label), plain(" ")]
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
    let percent = percent(app, place).map(|percent| format!("{percent}%"));
    let room = usize::from(area.width).saturating_sub(if ruled { 6 } else { 3 });
    let tabs = tabs(place.tab, name.width(), room);
    let name = crate::app::text::cut(&name, room.saturating_sub(tabs.width()), theme.cut());
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
    if pen::width(&left) + right.len() <= area.width.into() {
        pen::write_right(&[plain(right)], line, theme, buf);
    }
}

/// The least of a job's name that its title tells.
const NAME: usize = 8;

/// The tabs as they stand beside a name: a long name is cut first, then the closed tabs are told in three letters,
/// then those that are farthest from the open one are left out.
fn tabs(open: Tab, name: usize, room: usize) -> String {
    let of = |tabs: &[Tab], letters: usize, gap: &str| {
        let tabs = tabs.iter().map(|tab| match *tab == open {
            true => format!("{}[{}]", if gap.is_empty() { " " } else { "" }, tab.as_str()),
            false => format!(" {:.letters$}{gap}", tab.as_str()),
        });
        tabs.collect::<String>().trim().to_owned()
    };
    let at = Tab::ALL.iter().position(|tab| *tab == open).unwrap_or_default();
    let some = (1..=Tab::ALL.len()).rev().flat_map(|many| Tab::ALL.windows(many));
    let some = some.filter(|tabs| tabs.contains(&open)).map(|tabs| (of(tabs, 3, ""), NAME));
    let all = [(of(&Tab::ALL, 9, " "), name), (of(&Tab::ALL, 9, ""), NAME)];
    let fitting = all.into_iter().chain(some).find(|(tabs, least)| tabs.width() + name.min(*least) <= room);
    fitting.map_or_else(|| of(Tab::ALL.get(at..=at).unwrap_or_default(), 9, ""), |(tabs, _)| tabs)
}

/// How far down the reader stands.
fn percent(app: &App, place: &Place) -> Option<u8> {
    let (ix, _) = app.selected()?;
    let body = app.parts(ix).main;
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

/// The beginning of the output under the summary, where there is room.
fn preview(app: &App, ix: JobIx, parts: &Parts, theme: &Theme, buf: &mut Buffer) {
    let area = indented(pen::rect(parts.below));
    let Some(body) = app.detail.body(ix).filter(|_| !area.is_empty()) else { return };
    let Loaded::Ready(content) = &body.content else { return };
    let text = content.output.is_none() && content.raw.is_some();
    let title = match &body.output {
        Loaded::Ready(view) if !text => {
            tree::preview(view, area, &theme.tree(), buf);
            if content.output.is_some() { "output" } else { "reply" }
        }
        Loaded::Ready(_) | Loaded::Failed(_) => {
            if let Some(view) = &body.raw {
                raw::draw(view, area, &theme.raw(), buf);
            }
            if content.raw.is_some() { "raw output" } else { "reply" }
        }
        Loaded::No | Loaded::Asked => return,
    };
    pen::write(&[plain(" "), span(title, theme.strong())], pen::rect(parts.title), theme, buf);
}

fn saved(app: &App, (ix, row): (JobIx, &Row), place: &Place, parts: &Parts, theme: &Theme, buf: &mut Buffer) {
    let area = pen::rect(parts.main);
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
        Loaded::Ready(content) => opened(app, ix, place, (body, content), parts, theme, buf),
    }
}

fn opened(
    app: &App,
    ix: JobIx,
    place: &Place,
    (body, content): (&Body, &Content),
    parts: &Parts,
    theme: &Theme,
    buf: &mut Buffer,
) {
    let area = pen::rect(parts.main);
    let focused = super::is_focused(app, Pane::Detail);
    match place.tab {
        Tab::Summary | Tab::Attempts => {}
        Tab::Raw => {
            lines(&parts.head, 0, pen::rect(parts.head_area), "", theme, buf);
            if let Some(view) = &body.raw {
                raw::draw(view, indented(area), &theme.raw(), buf);
            }
        }
        Tab::Output => {
            lines(&parts.head, 0, pen::rect(parts.head_area), "", theme, buf);
            match &body.output {
                Loaded::Ready(view) => tree::draw(view, indented(area), focused, &theme.tree(), buf),
                Loaded::Failed(why) => {
                    let size = human::bytes(content.body.len() as u64);
                    let kind = content.content_type.as_ref().map(|kind| format!(", {kind}")).unwrap_or_default();
                    say(&format!("no JSON: {why} ({size}{kind}); the tab Raw shows the bytes"), area, theme, buf);
                }
                Loaded::No | Loaded::Asked => {
                    say("building the tree…   the tab Raw shows the bytes already", area, theme, buf);
                }
            }
        }
        Tab::Files if content.files.is_empty() => {
            say("this reply names no files   (those of Unstract do)", area, theme, buf);
        }
        Tab::Files => files::draw(place, (body, content), app.shown_file(ix), parts, focused, theme, buf),
    }
}

/// A blank column at the left, as every pane has it.
pub fn indented(area: Rect) -> Rect {
    Rect { x: area.x.saturating_add(1), width: area.width.saturating_sub(1), ..area }
}

/// A sentence in place of what cannot be shown.
pub fn say(text: &str, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let text = if theme.is_ascii() { text.replace('…', "...") } else { text.to_owned() };
    for (n, row) in crate::app::text::split(&text, usize::from(area.width).saturating_sub(2)).into_iter().enumerate() {
        pen::write(&[plain(format!(" {row}"))], pen::row(area, n), theme, buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_then_tabs_become_short_and_the_open_one_always_stays() {
        let cases = [
            (Tab::Summary, 20, 60, "[Summary] Output  Raw  Files  Attempts"),
            (Tab::Output, 20, 56, "Summary [Output] Raw Files Attempts"),
            (Tab::Summary, 36, 59, "[Summary] Output Raw Files Attempts"),
            (Tab::Files, 36, 45, "Summary Output Raw [Files] Attempts"),
            (Tab::Files, 36, 40, "Sum Out Raw [Files] Att"),
            (Tab::Attempts, 36, 29, "Raw Fil [Attempts]"),
            (Tab::Attempts, 36, 18, "[Attempts]"),
            (Tab::Attempts, 36, 3, "[Attempts]"),
            (Tab::Raw, 3, 11, "[Raw]"),
        ];
        for (open, name, room, shown) in cases {
            assert_eq!(tabs(open, name, room), shown, "{name} in {room}");
        }
    }
}
