//! What is said in the last row for a few seconds: what was just done, or why it was not.

use std::time::Duration;

use super::App;
use super::effect::{CopyName, Effect};
use super::event::Copied;
use crate::domain::clean::Clean;
use crate::domain::human;

/// How long a toast is seen.
const TOAST: Duration = Duration::from_secs(6);

/// A word to the user that goes away by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    pub text: Clean,
    pub bad: bool,
    /// Whether it tells how a command of the user's own ended.
    pub(super) of_command: bool,
    pub(super) until: Duration,
    /// Until when no key takes it away.
    pub(super) kept: Duration,
}

impl App {
    pub(super) fn say(&mut self, text: impl Into<String>) -> Vec<Effect> {
        let now = self.now.mono;
        self.toast = Some(Toast {
            text: Clean::from(text.into()),
            bad: false,
            of_command: false,
            until: now + TOAST,
            kept: now,
        });
        self.redraw = true;
        Vec::new()
    }

    pub(super) fn say_bad(&mut self, text: impl Into<String>) -> Vec<Effect> {
        let effects = self.say(text);
        if let Some(toast) = &mut self.toast {
            toast.bad = true;
        }
        effects
    }

    /// How a command of the user's own ended.
    pub(super) fn say_ended(&mut self, text: &str, good: bool) -> Vec<Effect> {
        let effects = if good { self.say(text) } else { self.say_bad(text) };
        if let Some(toast) = &mut self.toast {
            toast.of_command = true;
        }
        effects
    }

    /// Never claims more than is known.
    pub(super) fn say_copied(&mut self, of: &CopyName, copied: &Copied) -> Vec<Effect> {
        let what = |bytes: u64| {
            let size = human::bytes(bytes);
            if of.whose.is_empty() { size } else { format!("{of}, {size}") }
        };
        match copied {
            Copied::By { bytes, tool } => self.say(format!("copied {} ({tool})", what(*bytes))),
            Copied::Sent { bytes } => self.say(format!("sent {} by OSC 52, the terminal must allow it", what(*bytes))),
            Copied::Path { bytes, path } => {
                self.say(format!("too large for OSC 52 ({}): copied the path {path}", what(*bytes)))
            }
            Copied::Failed(why) => self.say_bad(why.to_string()),
        }
    }
}
