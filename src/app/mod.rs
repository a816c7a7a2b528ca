//! What the dashboard is showing. Pure: an event in, effects out.

pub mod action;
mod actions;
mod complete;
mod copying;
pub mod detail;
pub mod effect;
pub mod event;
pub mod input;
mod kept_view;
pub mod keys;
pub mod layout;
pub mod list;
mod loads;
pub mod log;
mod on_fact;
pub mod outcome;
pub mod overlay;
mod own_commands;
pub mod scroll;
pub mod text;
mod timers;
pub mod toast;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::clean::Clean;
use crate::domain::fact::{Silence, StoreTrouble};
use crate::domain::field::Field;
use crate::domain::filter::FilterError;
use crate::domain::human;
use crate::domain::job::{JobIx, JobKey};
use action::Action;
use detail::Detail;
use detail::summary::TextContext;
use effect::Effect;
use event::{Event, FilesOf, Now};
use input::LineInput;
use keys::{Key, Keymap};
use layout::{Class, Layout, LogSize, Pane, Wish};
use list::jobs::{Jobs, Row};
use list::{List, ListFilter};
use log::Log;
use overlay::Overlay;
use overlay::file_errors::FileErrors;
use toast::Toast;

/// How long the log stays open after the last problem.
const CALM: Duration = Duration::from_secs(60);

/// How long a row is highlighted after its state changed.
const FRESH: Duration = Duration::from_secs(2);

static UTC: TimeZone = TimeZone::UTC;

/// What the dashboard starts with.
#[derive(Debug, Clone)]
pub struct DashboardOptions {
    /// The jobs file's name as the header shows it; Err: there is no jobs file, or it is broken: the message, line by
    /// line, which fills the screen.
    pub file: Result<Clean, Vec<Clean>>,
    /// How many jobs are in it: they come as facts.
    pub jobs: u32,
    pub keymap: Keymap,
    /// How a copy goes, in words.
    pub copies_by: Clean,
    pub fields: Vec<Field>,
    pub zone: TimeZone,
    /// What `Effect::SaveView` kept the last time.
    pub view: Option<String>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    pub now: Now,
}

/// In which form times are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeFormat {
    /// How long ago.
    #[default]
    Relative,
    Local,
    Utc,
}

/// A line that is being typed in the footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub kind: PromptKind,
    pub input: LineInput,
    pub error: Option<FilterError>,
}

/// What a line is typed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptKind {
    /// A filter of the list; what was wanted and selected before it, for `Esc`.
    Filter(Box<ListFilter>, Option<JobIx>),
    Search(Pane),
}

/// How far leaving has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Leaving {
    /// Not at all.
    #[default]
    No,
    /// The one-shot reads in flight are waited for.
    Draining {
        since: Duration,
        /// Which they are; None as long as the engine has not said.
        reads: Option<Vec<JobIx>>,
        /// Whether the next interrupt no longer waits: one was heard already.
        warned: bool,
    },
    /// Nothing is waited for.
    Aborting,
}

/// The dashboard's model.
#[derive(Debug)]
pub struct App {
    /// The jobs file's name, or why there is none.
    pub file: Result<Clean, Vec<Clean>>,
    pub keymap: Keymap,
    /// How a copy goes, in words.
    pub copies_by: Clean,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// When the last event came.
    pub now: Now,
    /// When it started.
    born: Now,
    pub jobs: Jobs,
    pub list: List,
    pub detail: Detail,
    pub log: Log,
    pub focus: Pane,
    /// Whether it has the whole screen.
    pub zoom: bool,
    /// What is shown over the panes.
    pub overlay: Option<Box<dyn Overlay>>,
    pub prompt: Option<Prompt>,
    /// In which form times are shown.
    pub times: TimeFormat,
    /// Whether the mouse is ours.
    pub mouse: bool,
    pub paused: bool,
    /// A word to the user.
    pub toast: Option<Toast>,
    /// How far leaving has come.
    pub leaving: Leaving,
    /// Why the store cannot be written.
    pub store_trouble: Option<StoreTrouble>,
    /// Bytes of the database's log, while another program keeps it from being taken in.
    pub long_log: Option<u64>,
    /// The services that do not answer.
    pub silences: BTreeMap<Arc<str>, Silence>,
    /// What is wrong with the changed jobs file, whose previous version stays active.
    pub file_trouble: Option<Vec<Clean>>,
    /// When the next poll is due.
    pub next_read: Option<Timestamp>,
    /// Whether every job is over or given up.
    pub settled: bool,
    /// How many jobs there are, as long as they are not all on the list: what is counted until then says little.
    pub loading: Option<u32>,
    zone: TimeZone,
    splits: HashMap<Class, u16>,
    /// Whether list and detail are side by side, per class.
    beside: HashMap<Class, bool>,
    /// Keys without a meaning about which the user was told.
    unbound: HashSet<Key>,
    /// The jobs for which a command was begun whose ids are added: their jobs may not be in the file yet.
    sent: HashSet<JobKey>,
    /// The jobs of the copy menu.
    copying: Vec<JobIx>,
    /// When what overlay and batch show was last counted, and whether the jobs have changed since.
    counted: (Duration, bool),
    /// What was counted for the batch's page.
    figures: detail::Figures,
    /// Whether the terminal has the focus; None as long as it has not said.
    focused: Option<bool>,
    failure_told: bool,
    /// Another job was selected by the order of the rows: what its detail needs is asked for at the next event.
    unasked: bool,
    /// Where a search goes on in slices.
    searching: Option<(JobIx, detail::Tab)>,
    dragging: bool,
    /// Whether the last key asked whether the marks shall go.
    drops_marks: bool,
    reporting: copying::Reporting,
    waiting: kept_view::Waiting,
    /// When the last key was pressed, and how many jobs were over then, and problems.
    last_input: (Duration, u32, u32),
    /// The terminal's title, and since when.
    title: (String, Duration),
    redraw: bool,
}

impl App {
    /// A dashboard without jobs: they come as facts.
    pub fn new(options: DashboardOptions) -> Self {
        let view = options.view;
        let overlay: Option<Box<dyn Overlay>> = options.file.is_err().then(|| Box::new(FileErrors::default()) as _);
        let mut app = Self {
            file: options.file,
            keymap: options.keymap,
            copies_by: options.copies_by,
            size: options.size,
            now: options.now,
            born: options.now,
            jobs: Jobs::new(options.now.wall, options.jobs),
            list: List::default(),
            detail: Detail::default(),
            log: Log::default(),
            focus: Pane::List,
            zoom: false,
            overlay,
            prompt: None,
            times: TimeFormat::Relative,
            mouse: false,
            paused: false,
            toast: None,
            leaving: Leaving::No,
            store_trouble: None,
            long_log: None,
            silences: BTreeMap::new(),
            file_trouble: None,
            next_read: None,
            settled: false,
            loading: (options.jobs > 0).then_some(options.jobs),
            zone: options.zone,
            splits: HashMap::new(),
            beside: HashMap::new(),
            unbound: HashSet::new(),
            sent: HashSet::new(),
            copying: Vec::new(),
            counted: (Duration::ZERO, false),
            figures: detail::Figures::default(),
            focused: None,
            failure_told: false,
            unasked: false,
            searching: None,
            dragging: false,
            drops_marks: false,
            reporting: copying::Reporting::default(),
            waiting: kept_view::Waiting::default(),
            last_input: (options.now.mono, 0, 0),
            title: (String::new(), Duration::ZERO),
            redraw: true,
        };
        app.list.set_fields(options.fields);
        app.restore(&view.unwrap_or_default());
        app
    }

    /// Now, by the time of day at the start and a clock that never jumps: for numbers per minute and the order of
    /// changes.
    pub fn monotonic_now(&self) -> Timestamp {
        self.born.wall + self.now.mono.saturating_sub(self.born.mono)
    }

    /// Takes in what has happened and says what must be done.
    pub fn apply(&mut self, event: Event, now: Now) -> Vec<Effect> {
        self.now = now;
        let elsewhere = matches!(&event, Event::Fact(fact) if self.is_elsewhere(fact)) && !self.unasked;
        let chosen = matches!(event, Event::Key(_) | Event::Mouse(_)).then(|| self.list.selected());
        let mut effects = match event {
            Event::Key(key) => self.press(key),
            Event::Paste(text) => self.paste(&text),
            Event::Mouse(mouse) => self.point(mouse),
            Event::Fact(fact) => self.learn(fact),
            Event::Tick => self.tick(),
            Event::Resize { width, height } => {
                self.size = (width, height);
                self.redraw = true;
                Vec::new()
            }
            Event::Focus(focused) => {
                self.focused = Some(focused);
                Vec::new()
            }
            Event::Log(line) => {
                let seen = self.log.push(line);
                self.redraw |= seen && self.layout().log.is_some();
                Vec::new()
            }
            Event::BodyLoaded { ix, body, result } => {
                let files = result.as_ref().map(|content| content.files.clone()).ok();
                if self.detail.take_body(ix, body, result) {
                    self.take_files(files.map(|files| FilesOf { ix, body, files }).into_iter().collect());
                    self.refresh_copy_menu();
                    self.redraw = true;
                }
                Vec::new()
            }
            Event::FilesRead(files) => {
                self.take_files(files);
                Vec::new()
            }
            Event::TreeReady { ix, body, part, tree } => {
                if self.jobs.get(ix).is_some() {
                    self.redraw |= self.detail.take_tree(ix, body, part, tree);
                }
                Vec::new()
            }
            Event::Decoded { ix, body, part, decoded: Some(decoded) } => {
                self.redraw |= self.detail.take_decoded(ix, body, part, decoded);
                Vec::new()
            }
            Event::Decoded { decoded: None, .. } => self.say("this string is not JSON"),
            Event::Copied { of, copied } => self.say_copied(&of, &copied),
            Event::Saved(Ok(path)) => self.say(format!("saved to {path}")),
            Event::Saved(Err(why)) | Event::PagerFailed(why) => self.say_bad(why.to_string()),
            Event::CommandEnded { said, good, unsent } => {
                self.sent.retain(|key| !unsent.contains(key));
                self.say_ended(&said, good)
            }
            Event::KeysChanged(keymap) => {
                self.keymap = *keymap;
                Vec::new()
            }
            Event::FieldsChanged(fields) => {
                self.list.set_fields(fields);
                self.redraw = true;
                Vec::new()
            }
            Event::ConfigBroken(lines) => {
                let first = lines.first().cloned().unwrap_or_default();
                let more = lines.len() > 1;
                let all = if more { self.keymap.hint(Action::FileErrors, "shows all") } else { String::new() };
                self.file_trouble = Some(lines);
                self.say_bad(format!("the jobs file has errors, the previous version stays active: {first}{all}"))
            }
            Event::Resumed => {
                self.redraw = true;
                vec![Effect::ClearScreen]
            }
            Event::Signal => self.interrupt(),
        };
        if chosen.is_some_and(|before| before != self.list.selected()) {
            self.leave_batch();
        }
        self.unasked = false;
        effects.extend(self.ask(elsewhere));
        effects.extend(self.retitle());
        effects
    }

    /// The terminal's title, at most once a second, and at the end.
    fn retitle(&mut self) -> Option<Effect> {
        let counts = self.jobs.stats().counts();
        let (text, at) = &self.title;
        let over = self.jobs.over() == counts.total();
        if self.loading.is_some() || counts.total() == 0 || (self.now.mono < *at + Duration::from_secs(1) && !over) {
            return None;
        }
        let problems = match self.jobs.problems() {
            0 => String::new(),
            problems => format!(", {}", human::counted(problems, "problem")),
        };
        let fresh = format!("jobdeck {}/{}{problems}", self.jobs.over(), counts.total());
        if fresh == *text {
            return None;
        }
        self.title = (fresh.clone(), self.now.mono);
        Some(Effect::SetTitle(fresh))
    }

    /// Whether the screen must be drawn. To be asked once after each batch of events, just before drawing: it brings
    /// the list into order and takes the bit away.
    pub fn needs_redraw(&mut self, now: Now) -> bool {
        self.now = now;
        let rows = self.list_rows();
        let selected = self.list.selected();
        for ix in self.jobs.tell_again() {
            self.list.note_change(ix);
        }
        self.redraw |= self.list.settle(&self.jobs, now, rows);
        self.recount();
        if self.list.selected() != selected {
            self.unasked = true;
            if self.list.is_held() {
                self.leave_batch();
            }
        }
        std::mem::take(&mut self.redraw)
    }

    pub fn layout(&self) -> Layout {
        let (width, height) = self.size;
        let class = Class::of(width, height);
        let wish = Wish {
            focus: self.focus,
            zoom: self.zoom,
            split: self.splits.get(&class).copied(),
            beside: self.beside.get(&class).copied().unwrap_or_default(),
            log: self.log_size(),
        };
        layout::layout(width, height, wish)
    }

    /// A line while nothing went wrong in the last minute; nothing once the batch is finished.
    fn log_size(&self) -> LogSize {
        if self.settled && self.is_finished() {
            return LogSize::Hidden;
        }
        if self.log_closes_in().is_some() { LogSize::Open } else { LogSize::Line }
    }

    /// In how many seconds the log closes, if it is open because something went wrong.
    fn log_closes_in(&self) -> Option<u64> {
        let age = human::age(self.log.last_problem()?, self.now.wall);
        CALM.checked_sub(age).map(|left| left.as_secs() + 1)
    }

    /// Whether every job is finished or no longer polled.
    pub fn is_finished(&self) -> bool {
        let total = self.jobs.stats().counts().total();
        total > 0 && self.loading.is_none() && self.jobs.over() == total
    }

    pub fn selected(&self) -> Option<(JobIx, &Row)> {
        let ix = self.list.selected()?;
        Some((ix, self.jobs.get(ix)?))
    }

    /// In which zone times are shown.
    pub fn zone(&self) -> &TimeZone {
        match self.times {
            TimeFormat::Relative | TimeFormat::Local => &self.zone,
            TimeFormat::Utc => &UTC,
        }
    }

    /// What the texts of a job's detail are made of besides the job.
    fn text_context(&self) -> TextContext<'_> {
        TextContext { now: self.now.wall, zone: self.zone(), jobs: &self.jobs, keymap: &self.keymap, for_report: false }
    }

    /// Whether a row changed its state just now: it is highlighted for two seconds, or until the next key.
    pub fn is_fresh(&self, row: &Row) -> bool {
        let age = human::age(row.moved, self.monotonic_now());
        let since_key = self.now.mono.saturating_sub(self.last_input.0);
        row.moved > self.born.wall && age < FRESH && age < since_key
    }

    /// The exit code with which the headless commands would end now.
    pub fn exit_code(&self) -> u8 {
        crate::exit::exit_code(None, None, self.jobs.stats().counts())
    }

    /// Rows of the list, its header row not counted.
    fn list_rows(&self) -> usize {
        self.layout().rows(Pane::List)
    }
}
