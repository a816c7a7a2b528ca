//! The detail: the tabs in its frame, and the open tab.
//!
//! ```text
//! ╭ ²Summary · Output · Files 3 · Raw · History ─────────────────── fax-887.pdf +1 ╮
//! │  FAILED   fax-887.pdf +1   invoices · 17:28                                   │
//! │  File type not supported or file is corrupt (status 400)                      │
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Widget};

use crate::app::App;
use crate::app::action::Action;
use crate::app::detail::regions::Regions;
use crate::app::detail::summary::files_text;
use crate::app::detail::{Loaded, LoadedBody, Tab, TabContent};
use crate::app::event::Content;
use crate::app::layout::Pane;
use crate::app::list::jobs::Row;
use crate::app::text;
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::ui::theme::Theme;
use crate::ui::widgets::{TextLines, Titles, frame, key_hint, pane_key, say, scrollbar};
use crate::ui::{files, raw, tree};

pub fn draw(app: &App, theme: &Theme, buf: &mut Buffer) {
    let Some(place) = app.layout().detail else { return };
    let focused = super::is_focused(app, Pane::Detail);
    let inner = place.inner().intersection(buf.area);
    let Some((ix, row)) = app.selected() else {
        let group = app.list.group().map(|group| group.name().to_string()).unwrap_or_default();
        let batch = app.detail.tab == Tab::Batch;
        let group = if batch { app.batch().to_string() } else { group };
        let key = pane_key(&app.keymap.first_key(Action::FocusDetail), theme);
        let left = if group.is_empty() { Vec::new() } else { vec![key, Span::styled(group, theme.title(focused))] };
        frame(place, Titles { left, ..Titles::default() }, focused, theme, buf);
        let (width, height) = (inner.width.into(), inner.height.into());
        let lines = if batch { app.batch_lines(width, height) } else { app.group_lines(width, height) };
        text_tab(&lines, 0, "", inner, theme, buf);
        return;
    };
    frame(place, titles(app, ix, row, inner.width, theme), focused, theme, buf);
    let regions = app.regions(ix);
    divider(regions.divider, theme, buf);
    let mut state = app.detail.view(ix);
    let tab = app.detail.tab;
    match tab.content() {
        TabContent::Text => match app.text_lines(tab, ix, regions.size(false)) {
            Some(lines) => {
                let top = *state.top(tab);
                text_tab(&lines, top, &state.search, regions.main, theme, buf);
                scrollbar(place, lines.len(), top, focused, theme, buf);
                preview(app, ix, &regions, theme, buf);
            }
            None => say("loading…", regions.main, theme, buf),
        },
        TabContent::Tree | TabContent::Bytes | TabContent::Files => saved(app, (ix, row), &regions, theme, buf),
    }
    if !regions.aside.is_empty() {
        let lines = app.summary_lines(ix, regions.aside.width);
        text_tab(&lines, 0, "", regions.aside, theme, buf);
    }
}

fn titles<'a>(app: &App, ix: JobIx, row: &Row, width: u16, theme: &Theme) -> Titles<'a> {
    let focused = super::is_focused(app, Pane::Detail);
    let files = row.known.files.map(|files| files.total).filter(|files| *files > 0);
    let name = |tab: Tab| match (tab, files) {
        (Tab::Files, Some(files)) => format!("{} {files}", tab.as_str()),
        (_, _) => tab.as_str().to_owned(),
    };
    let whole: usize = Tab::ALL.into_iter().map(|tab| name(tab).len() + 3).sum();
    let mut left = vec![pane_key(&app.keymap.first_key(Action::FocusDetail), theme)];
    for tab in Tab::ALL {
        let open = tab == app.detail.tab;
        // Where there is no room for all, the other tabs have three letters.
        let brief: String =
            name(tab).chars().take(if whole + 4 > usize::from(width) && !open { 3 } else { 20 }).collect();
        if left.len() > 1 {
            left.push(Span::styled(format!(" {} ", theme.dot()), theme.dim()));
        }
        let style = if open { theme.title(focused).add_modifier(Modifier::UNDERLINED) } else { theme.dim() };
        left.push(Span::styled(brief, style));
    }
    let percent = app.percent(ix).map(|percent| format!(" {} {percent}%", theme.dot())).unwrap_or_default();
    let whose = if app.detail.tab == Tab::Batch { app.batch() } else { row.title.clone() };
    let right = vec![Span::raw(whose.to_string()), Span::styled(percent, theme.dim())];
    let hint = |action, words| key_hint(&app.keymap.first_key(action), words, theme);
    let mut hints = vec![hint(Action::NextTab, "tab")];
    match app.detail.tab.content() {
        TabContent::Tree => hints.extend([hint(Action::Unfold, "unfold"), hint(Action::CopyPath, "copy path")]),
        TabContent::Files => hints.extend([hint(Action::Open, "open file"), hint(Action::CopyRaw, "copy its result")]),
        TabContent::Text if app.detail.tab == Tab::Batch => {}
        TabContent::Text | TabContent::Bytes => hints.push(hint(Action::Wrap, "wrap")),
    }
    hints.extend([hint(Action::Find, "search"), hint(Action::Pager, "pager"), hint(Action::Zoom, "zoom")]);
    Titles { left, right, keys: hints.join(&Span::raw("  ")) }
}

fn text_tab(lines: &[text::TextLine], top: usize, search: &str, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let top = top.min(lines.len().saturating_sub(area.height.into()));
    TextLines { lines, top, search, theme }.render(area.intersection(buf.area), buf);
}

fn divider(area: Rect, theme: &Theme, buf: &mut Buffer) {
    let block = Block::new().borders(Borders::LEFT).border_set(theme.border()).border_style(theme.dim());
    block.render(area.intersection(buf.area), buf);
}

/// The output beside or below the summary, where there is room.
fn preview(app: &App, ix: JobIx, regions: &Regions, theme: &Theme, buf: &mut Buffer) {
    let area = regions.below;
    let Some(body) = app.detail.body(ix).filter(|_| !area.is_empty()) else { return };
    let Loaded::Ready(content) = &body.content else { return };
    let is_text = content.output.is_none() && content.raw.is_some();
    let title = match &body.output {
        Loaded::Ready(view) if !is_text => {
            tree::preview(view, area, &theme.tree(), buf);
            if content.output.is_some() { "output" } else { "response" }
        }
        Loaded::Ready(_) | Loaded::Failed(_) => {
            if let Some(view) = &body.raw {
                raw::draw(view, area, &theme.raw(), buf);
            }
            if content.raw.is_some() { "raw output" } else { "response" }
        }
        Loaded::No | Loaded::Asked => return,
    };
    rule(title, regions.title, theme, buf);
}

/// A dim line with a word in it.
pub fn rule(title: &str, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let block = Block::new().borders(Borders::TOP).border_set(theme.border()).border_style(theme.dim());
    let title = text::cut(title, usize::from(area.width).saturating_sub(4), theme.cut());
    let title = Line::from(vec![Span::raw(" "), Span::styled(title, theme.strong()), Span::raw(" ")]);
    block.title_top(title).render(area.intersection(buf.area), buf);
}

fn saved(app: &App, (ix, row): (JobIx, &Row), regions: &Regions, theme: &Theme, buf: &mut Buffer) {
    let area = regions.main;
    let Some(body) = app.detail.body(ix) else {
        let over = row.known.state.is_terminal();
        let words =
            if over { "no response of this job was saved" } else { "nothing saved yet: the job is not finished" };
        let words = nameless(app, row).unwrap_or_else(|| words.to_owned());
        say(&words, area, theme, buf);
        return;
    };
    match &body.content {
        Loaded::No | Loaded::Asked => say("loading…", area, theme, buf),
        Loaded::Failed(why) => say(why, area, theme, buf),
        Loaded::Ready(content) => opened(app, ix, (body, content), regions, theme, buf),
    }
}

/// In the tab of files: how many there are of a job whose service counts them and names none.
fn nameless(app: &App, row: &Row) -> Option<String> {
    let files = row.known.files.filter(|files| app.detail.tab == Tab::Files && files.total > 0)?;
    Some(format!("{}: the service counts them and names none", files_text(files, row.known.state)))
}

fn opened(
    app: &App,
    ix: JobIx,
    (body, content): (&LoadedBody, &Content),
    regions: &Regions,
    theme: &Theme,
    buf: &mut Buffer,
) {
    let area = regions.main;
    let focused = super::is_focused(app, Pane::Detail);
    TextLines { lines: &regions.head, top: 0, search: "", theme }.render(regions.head_area.intersection(buf.area), buf);
    match app.detail.tab.content() {
        TabContent::Text => {}
        TabContent::Bytes => {
            if let Some(view) = &body.raw {
                raw::draw(view, area, &theme.raw(), buf);
            }
        }
        TabContent::Tree => match &body.output {
            Loaded::Ready(view) => tree::draw(view, area, focused, &theme.tree(), buf),
            Loaded::Failed(why) => {
                let size = human::bytes(content.body.len() as u64);
                let kind = content.content_type.as_ref().map(|kind| format!(", {kind}")).unwrap_or_default();
                say(&format!("not JSON: {why} ({size}{kind}); Raw shows the bytes"), area, theme, buf);
            }
            Loaded::No | Loaded::Asked => say("building the tree… Raw shows the bytes already", area, theme, buf),
        },
        TabContent::Files if content.files.is_empty() => {
            let counted = app.jobs.get(ix).and_then(|row| nameless(app, row));
            say(&counted.unwrap_or_else(|| "no files in this response".to_owned()), area, theme, buf);
        }
        TabContent::Files => {
            let state = app.detail.view(ix);
            files::draw(&state, (body, content), app.shown_file(ix), regions, focused, theme, buf);
        }
    }
}
