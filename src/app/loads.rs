//! What has to be loaded for what is seen: derived from the model after each event, never remembered as a duty.

use super::App;
use super::detail::{Tab, TabContent};
use super::effect::{BodyPart, Effect, JobSnapshot};
use crate::domain::fact::Fact;
use crate::domain::job::JobIx;

impl App {
    /// What is seen, or about to be copied, and not loaded yet. `elsewhere`: nothing has happened to the selected job.
    pub(super) fn ask(&mut self, elsewhere: bool) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.ask_for_files().into_iter().collect();
        let Some(ix) = self.list.selected().filter(|_| !elsewhere) else { return effects };
        let tab = self.detail.tab;
        let seen = self.layout().detail.is_some();
        let menu = self.overlay.as_deref().and_then(|overlay| overlay.needs_body()) == Some(ix);
        let preview = seen && self.previews(ix);
        let needs_body = tab.content() != TabContent::Text;
        if (seen && needs_body) || menu || preview {
            effects.extend(self.ask_for_body(ix));
        }
        // Loading for one job gives up what is built for another.
        if effects.iter().any(|effect| matches!(effect, Effect::LoadBody { .. })) {
            self.detail.give_up_other_trees(ix);
        }
        if !seen {
            return effects;
        }
        let part = match tab.content() {
            TabContent::Tree => Some(BodyPart::Output),
            TabContent::Text => preview.then_some(BodyPart::Output),
            TabContent::Files => self.shown_file(ix).map(BodyPart::File),
            TabContent::Bytes => None,
        };
        if let Some(part) = part
            && let Some((body, text)) = self.detail.want_tree(ix, part)
        {
            self.detail.give_up_other_trees(ix);
            effects.push(Effect::BuildTree { ix, body, part, text });
        }
        if tab == Tab::History && self.detail.want_past(ix) {
            effects.push(Effect::LoadHistory(ix));
        }
        effects
    }

    /// Whether a fact is about another job than the selected one, as nearly all of a flood of them are.
    pub(super) fn is_elsewhere(&self, fact: &Fact) -> bool {
        let about = match fact {
            Fact::Declared { ix, .. }
            | Fact::Observed { ix, .. }
            | Fact::NotOk { ix, .. }
            | Fact::Health { ix, .. }
            | Fact::History { ix, .. }
            | Fact::Refused { ix, .. }
            | Fact::Withdrawn(ix) => *ix,
            Fact::Gate { .. }
            | Fact::Unanswered { .. }
            | Fact::StoreTrouble(_)
            | Fact::LogGrows(_)
            | Fact::NextRead(_)
            | Fact::Settled
            | Fact::Reloaded { .. } => {
                return true;
            }
            Fact::Draining(_) | Fact::Suspended | Fact::Ended(_) => return false,
        };
        self.list.selected() != Some(about)
    }

    /// A job with all that is known of it, for an effect.
    pub(super) fn subject(&self, ix: JobIx) -> Option<JobSnapshot> {
        let row = self.jobs.get(ix)?;
        Some(JobSnapshot { ix, job: row.job.clone(), known: row.known.clone() })
    }

    fn ask_for_body(&mut self, ix: JobIx) -> Option<Effect> {
        let subject = self.subject(ix)?;
        let body = subject.known.kept_body()?.body;
        self.detail.want_body(ix, body).then_some(Effect::LoadBody { subject, body })
    }
}
