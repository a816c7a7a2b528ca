//! Keys, pasted text and the mouse: to the line that is being typed, to the overlay, or to an action.

use std::time::Duration;

use crossterm::event::KeyCode;

use super::{Key, KeyContext};
use crate::app::action::Action;
use crate::app::effect::Effect;
use crate::app::event::{Mouse, MouseKind};
use crate::app::input::{LineInput, Typed};
use crate::app::layout::Pane;
use crate::app::list::ListFilter;
use crate::app::overlay::help::Help;
use crate::app::scroll::Motion;
use crate::app::{App, Leaving, Prompt, PromptKind};
use crate::domain::filter::Filter;
use crate::domain::human;

/// How long without a key it takes to be away.
const AWAY: Duration = Duration::from_secs(60);
/// How long the word about it stays, whatever is pressed.
const UNREAD: Duration = Duration::from_secs(2);

impl App {
    pub(in crate::app) fn press(&mut self, key: Key) -> Vec<Effect> {
        self.redraw = true;
        let now = self.now.mono;
        self.toast = self.toast.take().filter(|toast| toast.kept > now);
        self.tell_what_happened_meanwhile();
        let asked = std::mem::take(&mut self.drops_marks);
        self.list.hold();
        if self.focus == Pane::List {
            self.list.touch(self.now.mono);
        }
        let action = self.keymap.action(key, self.context());
        if action == Some(Action::Interrupt) {
            return self.interrupt();
        }
        if self.leaving != Leaving::No {
            return if action == Some(Action::Redraw) { self.act(Action::Redraw) } else { Vec::new() };
        }
        // The shell and a clean screen are a Ctrl away from everywhere, whatever is being typed or is open.
        if key.ctrl
            && let Some(action @ (Action::Suspend | Action::Redraw)) = action
        {
            return self.act(action);
        }
        if self.file.is_err() {
            return self.press_without_a_file(action);
        }
        if self.prompt.is_some() {
            return self.type_in_prompt(key);
        }
        if self.overlay.is_some() {
            return self.press_in_overlay(key, action);
        }
        match action {
            Some(action) => {
                self.drops_marks = asked && action == Action::Back;
                let effects = self.act(action);
                self.drops_marks &= !asked;
                effects
            }
            None => self.say_where(key),
        }
    }

    /// A key without a meaning in this pane may have one in another.
    fn say_where(&mut self, key: Key) -> Vec<Effect> {
        let Some(context) = self.keymap.context(key) else {
            // Said once for each key: whoever goes on pressing it knows.
            if self.unbound.insert(key) {
                return self.say(format!("{key} is not bound{}", self.keymap.hint(Action::Help, "lists the keys")));
            }
            return Vec::new();
        };
        let pane = match context {
            KeyContext::Everywhere => return Vec::new(),
            KeyContext::List => Action::FocusList,
            KeyContext::Detail => Action::FocusDetail,
            KeyContext::Log => Action::FocusLog,
        };
        let there = self.keymap.hint(pane, "goes there");
        self.say(format!("{key} works in the {}{there}", context.as_str()))
    }

    /// After a minute without a key: what has come to an end since.
    fn tell_what_happened_meanwhile(&mut self) {
        let (finished, problems) = (self.jobs.over(), self.jobs.problems());
        let before = std::mem::replace(&mut self.last_input, (self.now.mono, finished, problems));
        let away = self.now.mono.saturating_sub(before.0);
        let (finished, problems) = (finished.saturating_sub(before.1), problems.saturating_sub(before.2));
        if away >= AWAY && finished > 0 {
            let away = human::duration(away);
            let jobs = human::counted(finished, "job");
            let _ = self.say(format!("while away ({away}): {jobs} finished, {problems} of them with problems"));
            // Whoever comes back presses more than one key before reading.
            if let Some(toast) = &mut self.toast {
                toast.kept += UNREAD;
            }
        }
    }

    /// Text was pasted: it is typed, where something is being typed, and otherwise ignored.
    pub(in crate::app) fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.redraw = true;
        if let Some(prompt) = &mut self.prompt {
            prompt.input.paste(text);
            self.prompt_changed();
        } else if let Some(overlay) = &mut self.overlay {
            overlay.paste(text);
        }
        Vec::new()
    }

    /// The mouse: a click selects, the wheel scrolls, a drag of the divider moves it.
    pub(in crate::app) fn point(&mut self, mouse: Mouse) -> Vec<Effect> {
        if self.leaving != Leaving::No {
            return Vec::new();
        }
        let layout = self.layout();
        let pane = layout.at(mouse.x, mouse.y);
        self.redraw = true;
        match mouse.kind {
            MouseKind::WheelUp => self.wheel(pane, Motion::Up),
            MouseKind::WheelDown => self.wheel(pane, Motion::Down),
            MouseKind::Press => {
                self.dragging = self.overlay.is_none() && layout.is_split_at(mouse.x, mouse.y);
                if let Some(pane) = pane.filter(|_| self.overlay.is_none()) {
                    self.focus = pane;
                    let first =
                        layout.inner(pane).bottom().saturating_sub(u16::try_from(layout.rows(pane)).unwrap_or(0));
                    if pane == Pane::List && mouse.y >= first && mouse.y < layout.inner(pane).bottom() {
                        self.list.hold();
                        self.list.touch(self.now.mono);
                        let rows = layout.rows(Pane::List);
                        self.list.go_to(self.list.top() + usize::from(mouse.y - first), rows);
                        // Also of the job that was selected before: a click on it means that job.
                        self.leave_batch();
                    }
                }
            }
            MouseKind::Drag if self.dragging => {
                self.splits.insert(layout.class, layout.split_at(mouse.x, mouse.y));
            }
            MouseKind::Drag => {}
            MouseKind::Release => self.dragging = false,
        }
        Vec::new()
    }

    /// The pane whose keys are meant.
    pub(in crate::app) fn context(&self) -> KeyContext {
        match self.focus {
            Pane::List => KeyContext::List,
            Pane::Detail => KeyContext::Detail,
            Pane::Log => KeyContext::Log,
        }
    }

    fn wheel(&mut self, pane: Option<Pane>, motion: Motion) {
        self.list.hold();
        for _ in 0..3 {
            match pane {
                _ if self.overlay.is_some() => self.go_in_overlay(motion),
                Some(pane) => self.go_in(pane, motion),
                None => return,
            }
        }
    }

    fn type_in_prompt(&mut self, key: Key) -> Vec<Effect> {
        let Some(prompt) = &mut self.prompt else { return Vec::new() };
        if matches!(prompt.kind, PromptKind::Filter(..)) {
            if key.code == KeyCode::Tab {
                prompt.input.keep();
                self.complete();
                return Vec::new();
            }
            if key.code == KeyCode::F(1) {
                self.show(Help::new(None));
                return Vec::new();
            }
        }
        match prompt.input.key(key) {
            Typed::Changed => self.prompt_changed(),
            Typed::Same => {}
            Typed::Done => return self.prompt_done(),
            Typed::Cancelled => {
                let before = self.prompt.take().map(|prompt| prompt.kind);
                match before {
                    Some(PromptKind::Filter(wanted, selected)) => {
                        self.list.want(*wanted);
                        self.list.prefer(selected);
                    }
                    Some(PromptKind::Search(_)) | None => {}
                }
            }
        }
        Vec::new()
    }

    /// A broken filter lists what is meant without the bad word; an unfinished one is none.
    pub(in crate::app) fn prompt_changed(&mut self) {
        let Some(prompt) = &mut self.prompt else { return };
        if let PromptKind::Filter(_, selected) = prompt.kind {
            let text = prompt.input.text();
            let own = self.list.field_names();
            let filter = Filter::parse_unfinished(&text, &own);
            let good =
                filter.as_ref().map_or_else(|error| Filter::without(&text, error, &own), |good| Some(good.clone()));
            prompt.error = filter.err();
            if let Some(filter) = good {
                self.list.want(ListFilter { filter, ..self.list.wanted().clone() });
                self.list.prefer(selected);
            }
        }
    }

    fn prompt_done(&mut self) -> Vec<Effect> {
        let Some(prompt) = &mut self.prompt else { return Vec::new() };
        match prompt.kind {
            PromptKind::Filter(_, selected) => {
                match Filter::parse_with(&prompt.input.text(), &self.list.field_names()) {
                    Ok(filter) => {
                        self.prompt = None;
                        let wanted = ListFilter { filter, ..self.list.wanted().clone() };
                        if *self.list.wanted() != wanted {
                            self.list.want(wanted);
                            self.list.prefer(selected);
                        }
                    }
                    // A broken filter stays open, so that it can be mended.
                    Err(error) => prompt.error = Some(error),
                }
                Vec::new()
            }
            PromptKind::Search(pane) => {
                let text = prompt.input.text();
                self.prompt = None;
                self.search(pane, text)
            }
        }
    }

    /// Opens the line in which a filter or a search is typed.
    pub(in crate::app) fn find(&mut self) -> Vec<Effect> {
        let (kind, text) = match self.focus {
            Pane::List => {
                let wanted = self.list.wanted().clone();
                let text = wanted.filter.source().to_owned();
                (PromptKind::Filter(Box::new(wanted), self.list.selected()), text)
            }
            Pane::Detail | Pane::Log => (PromptKind::Search(self.focus), String::new()),
        };
        // Whoever opens it again most often looks for something else.
        self.prompt = Some(Prompt { kind, input: LineInput::selected(&text), error: None });
        Vec::new()
    }
}

/// The motion that a key means while text is typed.
pub(in crate::app) fn motion_of(key: Key) -> Option<Motion> {
    match (key.code, key.ctrl) {
        (KeyCode::Up, _) | (KeyCode::Char('p'), true) => Some(Motion::Up),
        (KeyCode::Down, _) | (KeyCode::Char('n'), true) => Some(Motion::Down),
        (KeyCode::PageUp, _) => Some(Motion::PageUp),
        (KeyCode::PageDown, _) => Some(Motion::PageDown),
        _ => None,
    }
}
