//! What has to be loaded for what is seen: derived from the model after each event, never remembered as a duty.

use super::App;
use super::detail::{self, Tab};
use super::dialog::Overlay;
use super::effect::{Effect, Part, Subject};
use crate::domain::job::JobIx;

impl App {
    /// What is seen, or about to be copied, and not loaded yet.
    pub(super) fn ask(&mut self) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.ask_for_files().into_iter().collect();
        let Some(ix) = self.list.selected() else { return effects };
        let place = self.detail.place(ix);
        let seen = self.layout().detail.is_some();
        let menu = matches!(self.overlay, Overlay::Copy { .. });
        if (seen && place.tab.needs_body()) || menu {
            effects.extend(self.ask_for_body(ix));
        }
        // Loading for one job gives up what is built for another.
        if effects.iter().any(|effect| matches!(effect, Effect::LoadBody { .. })) {
            self.detail.give_up_other_trees(ix);
        }
        if !seen {
            return effects;
        }
        let part = match (place.tab, place.file) {
            (Tab::Output, _) => Some(Part::Output),
            (Tab::Files, Some(file)) => Some(Part::File(file)),
            (Tab::Files, None) | (Tab::Summary | Tab::Raw | Tab::Attempts, _) => None,
        };
        if let Some(part) = part
            && let Some((body, text)) = self.detail.want_tree(ix, part)
        {
            self.detail.give_up_other_trees(ix);
            effects.push(Effect::BuildTree { ix, body, part, text });
        }
        if place.tab == Tab::Attempts && self.detail.want_past(ix) {
            effects.push(Effect::LoadHistory(ix));
        }
        effects
    }

    /// A job with all that is known of it, for an effect.
    pub(super) fn subject(&self, ix: JobIx) -> Option<Subject> {
        let row = self.jobs.get(ix)?;
        Some(Subject { ix, job: row.job.clone(), known: row.known.clone() })
    }

    fn ask_for_body(&mut self, ix: JobIx) -> Option<Effect> {
        let subject = self.subject(ix)?;
        let body = detail::shown_body(&subject.known)?;
        self.detail.want_body(ix, body).then_some(Effect::LoadBody { subject, body })
    }
}
