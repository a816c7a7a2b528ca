//! What each action does to the model, and what it asks for outside.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::action::Action;
use super::detail::Tab;
use super::detail::tree::FoldAction;
use super::effect::Effect;
use super::layout::{Class, Pane, SPLIT, SPLITS};
use super::list::ListFilter;
use super::list::folds::FoldBy;
use super::overlay::durations::Durations;
use super::overlay::file_errors::FileErrors;
use super::overlay::help::Help;
use super::overlay::palette::CommandPalette;
use super::overlay::reasons::Reasons;
use super::overlay::sort_menu::SortMenu;
use super::scroll::Motion;
use super::{App, Leaving, TimeFormat};
use crate::domain::command::UserCommand;
use crate::domain::human;
use crate::domain::job::JobIx;

impl App {
    /// Does what the user meant.
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Go(motion) => self.go_in(self.focus, motion),
            Action::NextPane => self.focus = self.focus.next(),
            Action::PreviousPane => self.focus = self.focus.previous(),
            Action::FocusList => self.focus = Pane::List,
            Action::FocusDetail => self.focus = Pane::Detail,
            Action::FocusLog => self.focus = Pane::Log,
            Action::Open => return self.open(),
            Action::Back => return self.back(),
            Action::NextProblem => return self.next_problem(true),
            Action::PreviousProblem => return self.next_problem(false),
            Action::CopyRaw => {
                let Some(ix) = self.list.selected() else { return self.say_bad("there is no job to copy from") };
                return self.copy_raw(ix);
            }
            Action::CopyMenu => return self.open_copy_menu(),
            Action::CopyPath => return self.copy_path(),
            Action::Save => return self.save_chosen(),
            Action::Pager => return self.open_pager(),
            Action::Errors => self.show(Reasons::default()),
            Action::Batch if self.detail.tab == Tab::Batch => {
                self.leave_batch();
                if self.detail.tab == Tab::Batch {
                    self.detail.tab = Tab::Summary;
                }
            }
            Action::Batch => {
                self.show_batch();
                if self.layout().detail.is_none() {
                    self.focus = Pane::Detail;
                }
            }
            Action::Durations => self.show(Durations::default()),
            Action::Groups => {
                let mut by = self.list.folds().by().next();
                // A single batch is no group.
                if by == FoldBy::Batch && !self.has_batches() {
                    by = by.next();
                }
                self.list.set_folds(by, HashSet::new());
            }
            Action::FileErrors => {
                if self.file_trouble.is_none() {
                    return self.say("the jobs file has no errors");
                }
                self.show(FileErrors::default());
            }
            Action::Find => return self.find(),
            Action::NextMatch => return self.next_match(true),
            Action::PreviousMatch => return self.next_match(false),
            Action::ProblemsOnly => {
                let wanted = self.list.wanted().clone();
                self.list.want(ListFilter { problems: !wanted.problems, ..wanted });
            }
            Action::SortBy => self.show(SortMenu::new(&self.list)),
            Action::Mark => {
                if let Some(jobs) = self.list.group_jobs() {
                    let jobs = jobs.to_vec();
                    self.mark_all(&jobs);
                } else if let Some(ix) = self.list.selected() {
                    self.jobs.toggle_mark(ix);
                    self.list.note_change(ix);
                    self.list.go(Motion::Down, self.list_rows());
                }
            }
            Action::Report => return self.write_report(),
            Action::MarkAll => {
                let listed = self.list.order().to_vec();
                self.mark_all(&listed);
            }
            Action::NextTab | Action::PreviousTab => {
                self.detail.turn(action == Action::NextTab);
                if self.layout().detail.is_none() {
                    self.focus = Pane::Detail;
                }
            }
            Action::Fold | Action::Unfold if self.focus == Pane::List => {
                self.list.open_group(Some(action == Action::Unfold));
            }
            Action::FoldAll | Action::UnfoldAll if self.focus == Pane::List => {
                self.list.open_groups(action == Action::UnfoldAll);
            }
            Action::Fold => return self.fold(FoldAction::Fold),
            Action::Unfold => return self.fold(FoldAction::Unfold),
            Action::FoldAll => return self.fold(FoldAction::FoldAll),
            Action::UnfoldAll => return self.fold(FoldAction::UnfoldAll),
            Action::Decode => return self.fold(FoldAction::Decode),
            Action::DetailDown => self.go_in(Pane::Detail, Motion::Down),
            Action::DetailUp => self.go_in(Pane::Detail, Motion::Up),
            Action::Wrap => self.toggle_wrap(),
            Action::Zoom => self.zoom = !self.zoom,
            Action::Turn => {
                let class = self.layout().class;
                if !class.can_be_beside() {
                    return self.say("the screen is too narrow for list beside detail");
                }
                let turned = !self.beside.get(&class).copied().unwrap_or_default();
                self.beside.insert(class, turned);
            }
            Action::Shrink => self.move_split(false),
            Action::Grow => self.move_split(true),
            Action::Times => {
                self.times = match self.times {
                    TimeFormat::Relative => TimeFormat::Local,
                    TimeFormat::Local => TimeFormat::Utc,
                    TimeFormat::Utc => TimeFormat::Relative,
                };
                let _ = self.say(match self.times {
                    TimeFormat::Relative => "times: durations",
                    TimeFormat::Local => "times: local",
                    TimeFormat::Utc => "times: UTC",
                });
            }
            Action::ReadNow => {
                let jobs = self.chosen();
                if jobs.is_empty() {
                    return self.say_bad("there is no job to poll");
                }
                let _ = self.say(match jobs.len() {
                    1 => "polling the job now".to_owned(),
                    many => format!("polling {many} jobs now"),
                });
                return vec![Effect::ReadNow(jobs)];
            }
            Action::Pause => {
                self.paused = !self.paused;
                return vec![Effect::Pause(self.paused)];
            }
            Action::Mouse => {
                self.mouse = !self.mouse;
                let hint = self.keymap.hint(Action::Mouse, "turns it off");
                let _ = self.say(if self.mouse { format!("mouse on{hint}") } else { "mouse off".to_owned() });
                return vec![Effect::SetMouse(self.mouse)];
            }
            Action::MoreLog => self.log.set_level(true),
            Action::LessLog => self.log.set_level(false),
            Action::Palette => self.show(CommandPalette::default()),
            Action::Help => self.show(Help::new(Some(self.context()))),
            Action::Redraw => return vec![Effect::ClearScreen],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Quit => return self.quit(false),
            Action::Interrupt => return self.interrupt(),
            Action::Run(number) => {
                let selected = self.list.selected().into_iter().collect();
                return self.run_command(number, selected);
            }
        }
        Vec::new()
    }

    /// `Ctrl-c`, or a signal: the first waits for the one-shot reads in flight, the second does not, whatever else
    /// was pressed before.
    pub(super) fn interrupt(&mut self) -> Vec<Effect> {
        self.redraw = true;
        match &mut self.leaving {
            Leaving::No => self.quit(true),
            Leaving::Draining { warned, .. } if !*warned => {
                *warned = true;
                Vec::new()
            }
            Leaving::Draining { .. } => {
                self.leaving = Leaving::Aborting;
                vec![Effect::Abort]
            }
            Leaving::Aborting => vec![Effect::Exit],
        }
    }

    /// Moves the cursor or the window of a pane.
    pub(super) fn go_in(&mut self, pane: Pane, motion: Motion) {
        let rows = self.layout().rows(pane);
        match pane {
            Pane::List => self.list.go(motion, rows),
            Pane::Detail => self.go_in_detail(motion),
            Pane::Log => self.log.go(motion, rows),
        }
    }

    /// The marked jobs in the list's order, those that are not listed last; without any, the selected one.
    pub(super) fn chosen(&self) -> Vec<JobIx> {
        let mut marked: Vec<JobIx> = self.jobs.iter().filter(|(_, row)| row.marked).map(|(ix, _)| ix).collect();
        if marked.is_empty() {
            return self.list.selected().into_iter().collect();
        }
        let places: HashMap<JobIx, usize> = self.list.order().iter().copied().zip(0..).collect();
        marked.sort_by_key(|ix| places.get(ix).copied().unwrap_or(usize::MAX));
        marked
    }

    /// A report of the marked jobs, else of all that are listed.
    fn write_report(&mut self) -> Vec<Effect> {
        let marked = self.jobs.iter().any(|(_, row)| row.marked);
        let jobs = if marked { self.chosen() } else { self.list.order().to_vec() };
        let jobs = self.subjects(&jobs);
        let Some(first) = jobs.first() else { return self.say_bad("there is no job to report on") };
        let title = first.job.batch.as_deref().unwrap_or("jobs").to_owned();
        vec![Effect::WriteReport { title, jobs }]
    }

    /// Marks these jobs; if all of them are marked, takes the marks off.
    pub(super) fn mark_all(&mut self, jobs: &[JobIx]) {
        let all = jobs.iter().all(|ix| self.jobs.get(*ix).is_none_or(|row| row.marked));
        for ix in jobs {
            if self.jobs.get(*ix).is_some_and(|row| row.marked == all) {
                self.jobs.toggle_mark(*ix);
                self.list.note_change(*ix);
            }
        }
        // What marks are for, where the user has a command for these.
        let is_for = |command: &&Arc<UserCommand>| {
            let row = jobs.iter().find_map(|ix| self.jobs.get(*ix));
            command.key.is_some() && row.is_some_and(|row| row.fits(&command.when, self.now.wall))
        };
        let command = (0..).zip(self.keymap.commands()).find(|(_, command)| is_for(command) && self.jobs.marked() > 0);
        let hint = command.map(|(n, command)| self.keymap.hint(Action::Run(n), &command.name)).unwrap_or_default();
        let _ = self.say(format!("{} marked{hint}", human::counted(self.jobs.marked(), "job")));
    }

    fn has_batches(&self) -> bool {
        let mut batches = self.jobs.iter().map(|(_, row)| &row.job.batch);
        let first = batches.next();
        batches.any(|batch| Some(batch) != first)
    }

    fn open(&mut self) -> Vec<Effect> {
        match self.focus {
            Pane::List => {
                if self.list.open_group(None) {
                    return Vec::new();
                }
                if self.list.selected().is_some() {
                    self.leave_batch();
                    self.focus = Pane::Detail;
                }
            }
            Pane::Detail => return self.open_in_detail(),
            Pane::Log => self.log.go(Motion::Bottom, self.layout().rows(Pane::Log)),
        }
        Vec::new()
    }

    fn back(&mut self) -> Vec<Effect> {
        if self.focus == Pane::Detail
            && let Some(ix) = self.list.selected()
            && self.detail.tab == Tab::Files
            && self.detail.view_mut(ix).file.take().is_some()
        {
            return Vec::new();
        }
        if self.zoom {
            self.zoom = false;
        } else if self.focus != Pane::List {
            self.focus = Pane::List;
        } else if self.list.wanted().is_narrow() {
            self.list.want(ListFilter::default());
        } else if self.jobs.marked() > 0 {
            let marks = human::counted(self.jobs.marked(), "job");
            if !self.drops_marks {
                let _ = self.say(format!("{marks} marked{}", self.keymap.hint(Action::Back, "again drops the marks")));
                self.drops_marks = true;
                return Vec::new();
            }
            self.jobs.clear_marks();
            return self.say(format!("marks dropped: {marks}"));
        } else {
            let quit = self.keymap.first_key(Action::Quit);
            return self.say(format!("{quit} quits"));
        }
        Vec::new()
    }

    fn next_problem(&mut self, forward: bool) -> Vec<Effect> {
        let rows = self.list_rows();
        let (before, selected) = (self.list.at(), self.list.selected());
        let (jobs, now) = (&self.jobs, self.now.wall);
        let found = self.list.go_to_next(forward, rows, |ix| jobs.get(ix).is_some_and(|row| row.needs_a_look(now)));
        if !found {
            return self.say("no problem in the list");
        }
        self.list.touch(self.now.mono);
        let at = self.list.at();
        if self.list.selected() == selected {
            return self.say("this is the only problem in the list");
        }
        match forward {
            true if at <= before => self.say("that was the last: wrapped to the first problem"),
            false if at >= before => self.say("that was the first: wrapped to the last problem"),
            true | false => Vec::new(),
        }
    }

    /// `warned`: this was an interrupt, of which the second does not wait.
    fn quit(&mut self, warned: bool) -> Vec<Effect> {
        if self.leaving != Leaving::No {
            return Vec::new();
        }
        self.overlay = None;
        self.prompt = None;
        self.leaving = Leaving::Draining { since: self.now.mono, reads: None, warned };
        vec![Effect::SaveView(self.view_text()), Effect::Drain]
    }

    fn move_split(&mut self, more: bool) {
        let (width, height) = self.size;
        let class = Class::of(width, height);
        let split = self.splits.entry(class).or_insert(SPLIT);
        *split = if more { (*split + 4).min(SPLITS.1) } else { split.saturating_sub(4).max(SPLITS.0) };
    }
}
