//! What is shown over the panes, one at a time: each has its state, its keys and its look as data, behind one
//! interface.

pub mod confirm;
pub mod copy_menu;
pub mod durations;
pub mod file_errors;
pub mod help;
pub mod palette;
pub mod reasons;
pub mod sort_menu;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::action::Action;
use super::effect::{Effect, What};
use super::input::LineInput;
use super::keys::press::motion_of;
use super::keys::{Key, Keymap};
use super::layout::{Class, Pane};
use super::list::jobs::Jobs;
use super::list::{ChosenJobs, ListFilter, SortBy};
use super::scroll::Motion;
use super::text::{self, TextLine, Tone};
use super::{App, detail::view::Size};
use crate::domain::clean::Clean;
use crate::domain::command::UserCommand;
use crate::domain::job::JobIx;

/// Something over the panes.
pub trait Overlay: fmt::Debug {
    /// The action that opens it: its key closes it too.
    fn opener(&self) -> Action;

    /// Moves its cursor or its text.
    fn go(&mut self, motion: Motion, context: &OverlayContext<'_>);

    /// A key that neither moves nor closes it.
    fn press(&mut self, key: Key, action: Option<Action>) -> KeyOutcome;

    /// Whether every key is typed into it.
    fn is_typing(&self) -> bool {
        false
    }

    /// Text was pasted.
    fn paste(&mut self, _: &str) {}

    /// Whether it wants to know the files of failed jobs.
    fn needs_files(&self) -> bool {
        false
    }

    /// The job whose saved response it wants to know.
    fn needs_body(&self) -> Option<JobIx> {
        None
    }

    /// Something may have changed in the jobs.
    fn refresh(&mut self, _: &Jobs) {}

    /// What the user can press, for the footer; `Esc` is added.
    fn hints(&self, context: &OverlayContext<'_>) -> Vec<(Press, &'static str)>;

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows;
}

/// A key for the footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    Of(Action),
    /// One that cannot be bound.
    Fixed(&'static str),
}

/// What an overlay answers to a key.
#[derive(Debug, PartialEq)]
pub enum KeyOutcome {
    Stay,
    Close,
    /// It stays, and is to be filled anew.
    Refresh,
    /// It stays, and this is done.
    Also(OverlayRequest),
    /// It is closed, and this is done.
    CloseAnd(OverlayRequest),
}

/// What an overlay wants the dashboard to do.
#[derive(Debug, PartialEq)]
pub enum OverlayRequest {
    Act(Action),
    /// The action of this number among those that match what was typed.
    Choose(String, usize),
    /// Run this command over these jobs.
    Run(Arc<UserCommand>, Vec<JobIx>),
    /// The user's own command of this number, over the marked jobs or, where none is marked, over these.
    Command(u16, Vec<JobIx>),
    /// Copy something of these jobs.
    Copy(What, Vec<JobIx>),
    /// Save the results of these jobs to files.
    Save(Vec<JobIx>),
    /// Save a text under this name, with this ending.
    SaveText(String, &'static str, bytes::Bytes),
    /// List these jobs only.
    List(ChosenJobs),
    Select(JobIx),
    /// Sort the list; the same column again reverses it.
    Sort(SortBy),
    /// Mark these jobs, or take the mark off if all have it.
    Mark(Vec<JobIx>),
}

#[derive(Debug, Clone, Copy)]
pub struct OverlayContext<'a> {
    pub jobs: &'a Jobs,
    pub keymap: &'a Keymap,
    /// How a copy goes, in words.
    pub copies_by: &'a Clean,
    /// What is wrong with the jobs file.
    pub file_errors: &'a [Clean],
    pub now: Timestamp,
    /// In which times are shown.
    pub zone: &'a TimeZone,
    /// Cells inside of the largest frame.
    pub room: Size,
}

impl OverlayContext<'_> {
    /// Cells inside of a frame that wants this many.
    pub fn width(&self, wanted: u16) -> usize {
        wanted.min(self.room.width).into()
    }

    /// Rows inside of the highest frame.
    pub fn rows(&self) -> usize {
        usize::from(self.room.height).max(1)
    }
}

/// How an overlay looks: rows of one frame.
#[derive(Debug, Clone, Default)]
pub struct OverlayRows {
    /// In the frame's upper edge.
    pub title: String,
    /// In its lower edge, at the right.
    pub corner: String,
    /// Cells inside of the frame, if there are that many.
    pub width: u16,
    /// The line that is typed in, after this sign.
    pub input: Option<(&'static str, LineInput)>,
    pub rows: Vec<TextLine>,
    /// Which of them is under the cursor.
    pub selected: Option<usize>,
    /// How many rows there is always room for.
    pub height: usize,
    pub below: Vec<TextLine>,
}

/// The window of a list that has a cursor: as many rows as fit above what is said below, and which of them is chosen.
pub fn window(
    mut rows: Vec<TextLine>,
    cursor: super::scroll::RowCursor,
    height: usize,
) -> (Vec<TextLine>, Option<usize>) {
    let top = super::scroll::window(cursor.top, cursor.at, rows.len(), height);
    let selected = (!rows.is_empty()).then(|| cursor.at.saturating_sub(top));
    rows.drain(..top.min(rows.len()));
    rows.truncate(height);
    (rows, selected)
}

/// A text in full, in this many cells.
pub fn in_full(text: &str, width: usize) -> Vec<TextLine> {
    text::split(text, width.saturating_sub(2).max(1)).iter().map(|row| TextLine::of(Tone::Plain, row)).collect()
}

impl App {
    /// Where a frame over the panes may be: below the header if the screen has room for that, and never over the
    /// footer, which shows its keys.
    pub fn overlay_area(&self) -> Rect {
        let layout = self.layout();
        let top = match layout.class {
            Class::Tiny | Class::Single => 0,
            Class::Stacked | Class::Side | Class::Wide => layout.header.height,
        };
        let (width, height) = self.size;
        Rect { x: 0, y: top, width, height: height.saturating_sub(top + layout.footer.height) }
    }

    pub fn overlay_context(&self) -> OverlayContext<'_> {
        let area = self.overlay_area();
        let none: &[Clean] = &[];
        OverlayContext {
            jobs: &self.jobs,
            keymap: &self.keymap,
            copies_by: &self.copies_by,
            file_errors: self.file.as_ref().err().or(self.file_trouble.as_ref()).map_or(none, Vec::as_slice),
            now: self.now.wall,
            zone: self.zone(),
            room: Size { width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) },
        }
    }

    /// How the open overlay looks.
    pub fn overlay_look(&self) -> Option<OverlayRows> {
        self.overlay.as_deref().map(|overlay| overlay.look(&self.overlay_context()))
    }

    pub(super) fn show(&mut self, mut overlay: impl Overlay + 'static) {
        overlay.refresh(&self.jobs);
        self.overlay = Some(Box::new(overlay));
    }

    /// Moves the cursor of the overlay, or its text.
    pub(super) fn go_in_overlay(&mut self, motion: Motion) {
        let Some(mut overlay) = self.overlay.take() else { return };
        overlay.go(motion, &self.overlay_context());
        self.overlay = Some(overlay);
    }

    /// Keys while nothing is shown but the message that there is no jobs file, or what is wrong with it.
    pub(super) fn press_without_a_file(&mut self, action: Option<Action>) -> Vec<Effect> {
        match action {
            Some(Action::Quit) => return self.act(Action::Quit),
            Some(Action::Go(motion)) => self.go_in_overlay(motion),
            Some(_) | None => {}
        }
        Vec::new()
    }

    pub(super) fn press_in_overlay(&mut self, key: Key, action: Option<Action>) -> Vec<Effect> {
        let Some(overlay) = &mut self.overlay else { return Vec::new() };
        let answer = match action {
            _ if overlay.is_typing() => match motion_of(key) {
                Some(motion) => {
                    self.go_in_overlay(motion);
                    KeyOutcome::Stay
                }
                None => overlay.press(key, None),
            },
            Some(Action::Go(motion)) => {
                self.go_in_overlay(motion);
                KeyOutcome::Stay
            }
            Some(Action::Back | Action::Quit) => KeyOutcome::Close,
            Some(Action::Help) if overlay.opener() != Action::Help => {
                KeyOutcome::CloseAnd(OverlayRequest::Act(Action::Help))
            }
            _ => {
                let answer = overlay.press(key, action);
                let is_toggled = matches!(answer, KeyOutcome::Stay) && action == Some(overlay.opener());
                if is_toggled { KeyOutcome::Close } else { answer }
            }
        };
        match answer {
            KeyOutcome::Stay => Vec::new(),
            KeyOutcome::Refresh => {
                if let Some(overlay) = &mut self.overlay {
                    overlay.refresh(&self.jobs);
                }
                Vec::new()
            }
            KeyOutcome::Close => {
                self.overlay = None;
                Vec::new()
            }
            KeyOutcome::Also(request) => self.fulfil(request),
            KeyOutcome::CloseAnd(request) => {
                self.overlay = None;
                self.fulfil(request)
            }
        }
    }

    fn fulfil(&mut self, request: OverlayRequest) -> Vec<Effect> {
        match request {
            OverlayRequest::Act(action) => return self.act(action),
            OverlayRequest::Choose(typed, at) => {
                return match palette::found(&typed, &self.keymap).get(at).map(|named| named.action) {
                    Some(action) => self.act(action),
                    None => self.say_bad(format!("no command matches `{}`", Clean::new(&typed))),
                };
            }
            OverlayRequest::Command(number, jobs) => return self.run_command(number, jobs),
            OverlayRequest::Run(command, jobs) => return self.start_command(command, &jobs),
            OverlayRequest::Copy(what, jobs) => return self.copy(what, &jobs),
            OverlayRequest::Save(jobs) => return self.save(&jobs),
            OverlayRequest::SaveText(name, ending, text) => return vec![Effect::SaveText { name, ending, text }],
            OverlayRequest::List(group) => {
                self.list.want(ListFilter { group: Some(group), ..ListFilter::default() });
                self.focus = Pane::List;
            }
            OverlayRequest::Select(ix) => {
                let rows = self.list_rows();
                if !self.list.order().contains(&ix) {
                    self.list.want(ListFilter::default());
                    self.list.prefer(Some(ix));
                }
                self.list.select(ix, rows);
                self.focus = Pane::List;
            }
            OverlayRequest::Sort(by) => self.list.sort_by(by),
            OverlayRequest::Mark(jobs) => {
                self.mark_all(&jobs);
            }
        }
        Vec::new()
    }
}
