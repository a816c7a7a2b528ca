//! What is shown over the panes: every overlay is rows in one frame, over a dimmed screen; and what is waited for at
//! the end.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

use crate::app::action::Action;
use crate::app::overlay::OverlayRows;
use crate::app::text;
use crate::app::{App, Leaving};
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::ui::theme::Theme;
use crate::ui::typed;
use crate::ui::widgets::{cut, highlight, styled};

/// Cells of a line of what is said at the end.
const LEAVING: u16 = 64;

/// Draws the overlay, if there is one, and what is waited for.
pub fn draw(app: &App, theme: &Theme, buf: &mut Buffer) {
    if let Some(look) = app.overlay_look() {
        draw_look(app, &look, theme, buf);
    }
    leaving(app, theme, buf);
}

fn draw_look(app: &App, look: &OverlayRows, theme: &Theme, buf: &mut Buffer) {
    let typed = usize::from(look.input.is_some());
    let rows = look.height.max(look.rows.len()) + look.below.len() + typed;
    let inner = frame(app, &look.title, &look.corner, look.width, rows, theme, buf);
    let mut area = inner;
    if let Some((sign, input)) = &look.input {
        let mut spans = vec![Span::styled(format!(" {sign}"), theme.accent())];
        spans.extend(typed::line(input, None, usize::from(inner.width).saturating_sub(3), theme));
        Line::from(spans).render(super::first_row(area), buf);
        area = Rect { y: area.y + area.height.min(1), height: area.height.saturating_sub(1), ..area };
    }
    let below = u16::try_from(look.below.len()).unwrap_or(0).min(area.height);
    let list = Rect { height: area.height - below, ..area };
    for (n, (row, line)) in list.rows().zip(&look.rows).enumerate() {
        Line::from(cut(styled(line, theme).spans, row.width.into(), theme)).render(row, buf);
        if look.selected == Some(n) {
            highlight(row, theme.selected(), theme, buf);
        }
    }
    let foot = Rect { y: list.bottom(), height: below, ..area };
    for (row, line) in foot.rows().zip(&look.below) {
        Line::from(cut(styled(line, theme).spans, row.width.into(), theme)).render(row, buf);
    }
}

/// What is waited for at the end: which responses, and for how long already.
fn leaving(app: &App, theme: &Theme, buf: &mut Buffer) {
    let (since, polls, warned) = match &app.leaving {
        Leaving::No => return,
        Leaving::Draining { since, reads, warned } => (*since, reads, *warned),
        Leaving::Aborting => {
            let inner = frame(app, "Leaving", "", LEAVING, 1, theme, buf);
            Span::raw(" saving what was received").render(inner, buf);
            return;
        }
    };
    let Some(polls) = polls.as_ref().filter(|polls| !polls.is_empty()) else { return };
    let count = match polls.len() {
        1 => "1 response is in flight that can be fetched only once: leaving now would lose it.".to_owned(),
        many => format!("{many} responses are in flight that can be fetched only once: leaving now would lose them."),
    };
    let names: Vec<String> = polls.iter().take(3).map(|ix| name(app, *ix)).collect();
    let more = if polls.len() > 3 { format!(" and {} more", polls.len() - 3) } else { String::new() };
    let waited = human::duration(app.now.mono.saturating_sub(since));
    let them = if polls.len() == 1 { "it" } else { "them" };
    let key = app.keymap.first_key(Action::Interrupt);
    let times = if warned { "again" } else { "twice" };
    let again = if key.is_empty() { String::new() } else { format!("   {key} {times}: lose {them}") };
    let said = [count, format!("{}{more}", names.join(", ")), format!("waiting for {them}: {waited}{again}")];
    let width = usize::from(LEAVING.min(app.overlay_area().width.saturating_sub(2))).saturating_sub(2).max(1);
    let rows: Vec<String> = said.iter().flat_map(|text| text::split(text, width)).collect();
    let inner = frame(app, "Leaving", "", LEAVING, rows.len(), theme, buf);
    // What can be done is last, and has to be seen.
    let top = rows.len().saturating_sub(inner.height.into());
    for (row, text) in inner.rows().zip(rows.iter().skip(top)) {
        Span::raw(format!(" {text}")).render(row, buf);
    }
}

fn name(app: &App, ix: JobIx) -> String {
    app.jobs.get(ix).map(|row| row.title.to_string()).unwrap_or_default()
}

/// A frame in the middle of the screen with room for this many cells and rows, over what is dimmed; what is inside.
fn frame(app: &App, title: &str, corner: &str, width: u16, rows: usize, theme: &Theme, buf: &mut Buffer) -> Rect {
    let screen = app.overlay_area().intersection(buf.area);
    let width = (width + 2).min(screen.width);
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(screen.height);
    // Beside a frame as wide as the screen only scraps of rows would be left.
    let height = if width == screen.width { screen.height } else { height };
    let area =
        Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height };
    let behind = buf.area;
    buf.set_style(behind, theme.dim().remove_modifier(Modifier::BOLD | Modifier::REVERSED));
    Clear.render(area, buf);
    let room = usize::from(width.saturating_sub(4));
    let title = text::cut(&theme.shown(title), room, theme.cut());
    let mut block = Block::bordered()
        .border_set(theme.border())
        .border_style(theme.accent())
        .title_top(Line::from(vec![Span::raw(" "), Span::styled(title, theme.accent()), Span::raw(" ")]));
    if !corner.is_empty() {
        let corner = format!(" {} ", theme.shown(corner));
        block = block.title_bottom(Line::styled(corner, theme.dim()).alignment(Alignment::Right));
    }
    let inner = block.inner(area);
    block.render(area, buf);
    inner
}
