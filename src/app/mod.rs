//! What the dashboard is showing. Pure: an event in, effects out.

pub mod action;
pub mod effect;
pub mod event;
pub mod jobs;
pub mod keys;
pub mod layout;
pub mod list;
pub mod log;
pub mod raw;
pub mod scroll;
pub mod summary;
pub mod text;
pub mod tree;

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::clean::Clean;
use effect::Effect;
use event::{Event, Now};
use keys::Keymap;

/// What the dashboard starts with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The jobs file's name as the header shows it; Err: there is no jobs file, or it is broken: the message, line by
    /// line, which fills the screen.
    pub file: Result<Clean, Vec<Clean>>,
    /// The keys in force.
    pub keymap: Keymap,
    /// The user's time zone.
    pub zone: TimeZone,
    /// What `Effect::SaveView` kept the last time.
    pub view: Option<String>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// When it starts.
    pub now: Now,
}

/// The dashboard's model.
#[derive(Debug)]
pub struct App {
    redraw: bool,
}

impl App {
    /// A dashboard without jobs: they come as facts.
    pub fn new(options: Options) -> Self {
        let _ = options;
        Self { redraw: true }
    }

    /// Takes in what has happened and says what must be done.
    pub fn apply(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let _ = (event, now);
        Vec::new()
    }

    /// When something on the screen changes by time alone, on the clock of [`Now::mono`]; None if nothing does. An
    /// `Event::Tick` is due then.
    pub fn wake_at(&self) -> Option<Duration> {
        None
    }

    /// Whether the screen must be drawn. To be asked once after each batch of events, just before drawing: it brings
    /// the list into order and takes the bit away.
    pub fn needs_redraw(&mut self, now: Now) -> bool {
        let _ = now;
        std::mem::take(&mut self.redraw)
    }
}
