//! What hooks are to be run for because of what a response brings: part of the step that saves it, so that nobody's death
//! comes in between.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::hook::{Hook, Transition};
use crate::domain::observation::Observation;
use crate::store::{HookNews, NewHookEvent};

/// The hooks that apply, and what they need to know of all jobs.
#[derive(Debug)]
pub struct Hooks {
    /// Their definitions.
    pub list: Vec<Arc<Hook>>,
    has_failed: bool,
}

impl Hooks {
    /// These hooks; no job has failed yet.
    pub fn new(list: Vec<Arc<Hook>>) -> Self {
        Self { list, has_failed: false }
    }

    /// What is known of a job, whoever learned it.
    pub fn seen(&mut self, known: &Observation) {
        self.has_failed |= known.state.is_bad_end();
    }

    /// What a change is news of. The first failure is decided here, before the save of a later one begins.
    pub fn news(&mut self, change: Transition<'_>, now: Timestamp) -> HookNews {
        let is_first = !self.has_failed && change.after.state.is_bad_end();
        self.seen(change.after);
        let at = change.after.changed_at.unwrap_or(now);
        let mut news = HookNews::default();
        for hook in &self.list {
            let events = hook.events(change, is_first, now).into_iter();
            news.events.extend(events.map(|event| NewHookEvent {
                hook: hook.id.clone(),
                event: event.as_str().to_owned(),
                at,
            }));
            if hook.waits_for_end(change) {
                news.endings.push(hook.id.clone());
            }
        }
        news
    }
}
