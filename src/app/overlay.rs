//! What stands over the panes: how much room it has, and what keys and wheel do in it.

use crossterm::event::KeyCode;
use unicode_width::UnicodeWidthStr;

use super::App;
use super::action::Action;
use super::dialog::{self, Overlay};
use super::effect::{Effect, What};
use super::input::{Input, Typed};
use super::keys::Key;
use super::layout::{Area, Class, Pane};
use super::list::{Group, Wanted};
use super::press::motion_of;
use super::scroll::{self, Cursor, Motion};
use super::text::{self, Line};

/// Cells of a line of the help page and of the palette, where there are so many.
pub const TEXT_WIDTH: u16 = 76;
/// Cells of a line of the failures by reason, where there are so many.
pub const TABLE_WIDTH: u16 = 150;

/// Cells of a line of the copy menu.
pub const MENU_WIDTH: u16 = 58;

/// How what is chosen from is laid out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices {
    /// How many choices are seen at once.
    pub rows: usize,
    /// What is said below them, as far as there is room, row by row: the text of the choice under the cursor in full, or
    /// a warning.
    pub full: Vec<String>,
    /// How many rows are kept for that, so that the box stays as it is while the cursor moves.
    pub below: usize,
}

impl Choices {
    /// For choices of these texts, of which at most `wanted` are shown, in a box of so many rows and cells.
    fn of<'a>(
        texts: impl Iterator<Item = &'a str> + Clone,
        at: usize,
        wanted: usize,
        (rows, width): (usize, usize),
    ) -> Self {
        let split = |text: &str| text::split(text, width.saturating_sub(2).max(1));
        let longest = texts.clone().max_by_key(|text| text.len()).map_or(0, |text| split(text).len());
        let mut full = texts.clone().nth(at).map(split).unwrap_or_default();
        let below = longest.max(full.len()).min(rows / 2);
        full.truncate(below);
        Self { rows: wanted.min(rows.saturating_sub(below + 1)).max(1), full, below }
    }
}

impl App {
    /// Where a box over the panes may stand: below the header if the screen has room for that, and never over the
    /// footer, which tells its keys.
    pub fn overlay_area(&self) -> Area {
        let layout = self.layout();
        let top = match layout.class {
            Class::Tiny | Class::Single => 0,
            Class::Stacked | Class::Side | Class::Wide => layout.header.height,
        };
        let (width, height) = self.size;
        Area { x: 0, y: top, width, height: height.saturating_sub(top + layout.footer.height) }
    }

    /// Rows inside of the highest box, its frame not counted.
    pub fn overlay_rows(&self) -> usize {
        usize::from(self.overlay_area().height.saturating_sub(2)).max(1)
    }

    /// Cells inside of a box that wants so many, its frame not counted.
    pub fn overlay_width(&self, wanted: u16) -> usize {
        wanted.min(self.size.0.saturating_sub(2)).into()
    }

    /// The rows of what is read and scrolled, and the first of them that is seen; None if nothing such stands there.
    pub fn overlay_lines(&self) -> Option<(Vec<Line>, usize)> {
        match &self.overlay {
            Overlay::Help { top, context, search, .. } => {
                let lines = dialog::help(&self.keymap, *context, &search.text());
                Some((text::wrapped(lines, self.overlay_width(TEXT_WIDTH), true), *top))
            }
            Overlay::File { top } => {
                let width = self.overlay_width(TABLE_WIDTH).saturating_sub(1);
                let lines = self.file.as_ref().err().or(self.file_trouble.as_ref());
                let rows = lines.into_iter().flatten().flat_map(|line| hanging(line, width));
                Some((rows.map(|row| Line::new("", row)).collect(), *top))
            }
            Overlay::None | Overlay::Copy { .. } | Overlay::Errors { .. } | Overlay::Palette { .. } => None,
        }
    }

    /// The rows of what is chosen from: how many choices are seen at once, and what is written in full below them.
    pub fn overlay_choices(&self) -> Choices {
        let rows = self.overlay_rows();
        match &self.overlay {
            Overlay::None | Overlay::Help { .. } | Overlay::File { .. } => Choices::default(),
            Overlay::Copy { items, .. } => {
                let width = self.overlay_width(MENU_WIDTH).saturating_sub(2).max(1);
                let warned = items.iter().find(|item| !item.warning.is_empty());
                let mut full = warned
                    .map(|item| text::split(&format!("{}: {}", item.key, item.warning), width))
                    .unwrap_or_default();
                full.truncate(rows / 2);
                let below = full.len();
                Choices { rows: items.len().min(rows.saturating_sub(1 + below).max(1)), full, below }
            }
            Overlay::Errors { reasons, cursor } => {
                let texts = reasons.iter().map(|reason| reason.pattern.as_str());
                let room = (rows, self.overlay_width(TABLE_WIDTH));
                Choices::of(texts, cursor.at, reasons.len(), room)
            }
            Overlay::Palette { input, cursor } => {
                let found = dialog::palette(&input.text());
                let texts = found.iter().map(|binding| binding.help);
                let room = ((rows - 1).max(1), self.overlay_width(TEXT_WIDTH));
                Choices::of(texts, cursor.at, rows, room)
            }
        }
    }

    /// Keys while nothing but the message stands there that there is no jobs file, or what is wrong with it.
    pub(super) fn press_without_a_file(&mut self, action: Option<Action>) -> Vec<Effect> {
        match action {
            Some(Action::Quit) => return self.act(Action::Quit),
            Some(action) => {
                if let Some(motion) = motion_of(action) {
                    self.go_in_overlay(motion);
                }
            }
            None => {}
        }
        Vec::new()
    }

    pub(super) fn press_in_overlay(&mut self, key: Key, action: Option<Action>) -> Vec<Effect> {
        match &mut self.overlay {
            Overlay::Palette { .. } => return self.press_in_palette(key),
            Overlay::Help { top, search, typing, .. } if *typing => {
                match search.key(key) {
                    Typed::Changed => *top = 0,
                    Typed::Same => {}
                    Typed::Done => *typing = false,
                    Typed::Cancelled => {
                        *typing = false;
                        *search = Input::default();
                    }
                }
                return Vec::new();
            }
            Overlay::Copy { items, jobs, .. } => {
                let plain =
                    |item: &&dialog::CopyItem| key == Key { code: KeyCode::Char(item.key), ctrl: false, alt: false };
                if let Some(item) = items.iter().find(plain) {
                    let (what, jobs) = (item.what.clone(), jobs.clone());
                    self.overlay = Overlay::None;
                    return self.copy(what, &jobs);
                }
            }
            Overlay::None | Overlay::Help { .. } | Overlay::Errors { .. } | Overlay::File { .. } => {}
        }
        match action {
            Some(Action::Back | Action::Quit) => self.overlay = Overlay::None,
            Some(action) if self.opens_overlay(action) => self.overlay = Overlay::None,
            Some(action) => match motion_of(action) {
                Some(motion) => self.go_in_overlay(motion),
                None => return self.act_in_overlay(action),
            },
            None => {}
        }
        Vec::new()
    }

    /// Moves the cursor of what stands over the panes, or its text.
    pub(super) fn go_in_overlay(&mut self, motion: Motion) {
        let (height, choices) = (self.overlay_rows(), self.overlay_choices().rows);
        let lines = self.overlay_lines().map_or(0, |(lines, _)| lines.len());
        match &mut self.overlay {
            Overlay::None => {}
            Overlay::Help { top, .. } | Overlay::File { top } => *top = scroll::slide(*top, motion, lines, height),
            Overlay::Copy { items, cursor, .. } => cursor.go(motion, items.len(), choices),
            Overlay::Errors { reasons, cursor } => cursor.go(motion, reasons.len(), choices),
            Overlay::Palette { input, cursor } => cursor.go(motion, dialog::palette(&input.text()).len(), choices),
        }
    }

    /// Whether this action has opened what stands there: its key closes it too.
    fn opens_overlay(&self, action: Action) -> bool {
        let opener = match &self.overlay {
            Overlay::None => return false,
            Overlay::Help { .. } => Action::Help,
            Overlay::Copy { .. } => Action::CopyMenu,
            Overlay::Errors { .. } => Action::Errors,
            Overlay::Palette { .. } => Action::Palette,
            Overlay::File { .. } => Action::FileErrors,
        };
        action == opener
    }

    fn act_in_overlay(&mut self, action: Action) -> Vec<Effect> {
        match &mut self.overlay {
            Overlay::None | Overlay::Palette { .. } => {}
            Overlay::Help { typing, .. } if action == Action::Find => *typing = true,
            Overlay::Help { .. } | Overlay::File { .. } => {
                if action == Action::Open {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Copy { items, cursor, jobs, .. } => {
                let (chosen, jobs) = (items.get(cursor.at).map(|item| item.what.clone()), jobs.clone());
                if action == Action::Save {
                    self.overlay = Overlay::None;
                    return self.save(&jobs);
                }
                if let Some(what) = chosen.filter(|_| action == Action::Open) {
                    self.overlay = Overlay::None;
                    return self.copy(what, &jobs);
                }
            }
            Overlay::Errors { reasons, cursor } => {
                if action == Action::CopyRaw {
                    let table = dialog::reasons_table(reasons);
                    return self.copy(What::Text(table.into()), &[]);
                }
                if action == Action::Save {
                    let csv = dialog::reasons_csv(reasons).into();
                    self.overlay = Overlay::None;
                    return vec![Effect::SaveTable { name: "failures", csv }];
                }
                if let Some(reason) = reasons.get(cursor.at).cloned().filter(|_| action == Action::Open) {
                    self.overlay = Overlay::None;
                    let group = Group { heading: reason.pattern, jobs: reason.jobs.into_iter().collect() };
                    self.list.want(Wanted { group: Some(group), ..Wanted::default() });
                    self.focus = Pane::List;
                }
            }
        }
        Vec::new()
    }

    fn press_in_palette(&mut self, key: Key) -> Vec<Effect> {
        let motion = match (key.code, key.ctrl) {
            (KeyCode::Up, _) | (KeyCode::Char('p'), true) => Some(Motion::Up),
            (KeyCode::Down, _) | (KeyCode::Char('n'), true) => Some(Motion::Down),
            (KeyCode::PageUp, _) => Some(Motion::PageUp),
            (KeyCode::PageDown, _) => Some(Motion::PageDown),
            _ => None,
        };
        if let Some(motion) = motion {
            self.go_in_overlay(motion);
            return Vec::new();
        }
        let Overlay::Palette { input, cursor } = &mut self.overlay else { return Vec::new() };
        match input.key(key) {
            Typed::Changed => *cursor = Cursor::default(),
            Typed::Same => {}
            Typed::Cancelled => self.overlay = Overlay::None,
            Typed::Done => {
                let chosen = dialog::palette(&input.text()).get(cursor.at).map(|binding| binding.action);
                self.overlay = Overlay::None;
                if let Some(action) = chosen {
                    return self.act(action);
                }
            }
        }
        Vec::new()
    }
}

/// A line in rows, those after the first further in than it.
fn hanging(line: &str, width: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start_matches(' ').len() + 2;
    if line.width() <= width || indent * 2 > width {
        return text::split(line, width);
    }
    let mut rows = text::split(line, width - indent);
    for row in rows.iter_mut().skip(1) {
        row.insert_str(0, &" ".repeat(indent));
    }
    rows
}
