//! What the engine says, taken into the model.

use std::sync::Arc;

use super::action::Action;
use super::detail::summary::History;
use super::effect::{Effect, Notice, NoticeKind};
use super::layout::Pane;
use super::{App, Leaving};
use crate::domain::clean::Clean;
use crate::domain::fact::{Ending, Fact, reloaded};
use crate::domain::job::JobIx;
use crate::domain::note;
use crate::domain::observation::Observation;

/// How long the header says "now" of a poll that was due and is on its way.
const IN_FLIGHT: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

impl App {
    pub(super) fn learn(&mut self, fact: Fact) -> Vec<Effect> {
        let now = self.monotonic_now();
        match fact {
            Fact::Declared { ix, job, known } => {
                self.jobs.declare(ix, job, known);
                self.loading = self.loading.filter(|all| self.jobs.stats().counts().total() < *all);
                self.restore_place(ix);
                self.settled = false;
                self.move_row(ix);
            }
            Fact::Withdrawn(ix) => {
                let _ = self.jobs.withdraw(ix);
                self.detail.forget(ix);
                self.move_row(ix);
                return self.go_on_reporting(ix);
            }
            Fact::Reloaded { added, removed } => {
                self.file_trouble = None;
                if self.overlay.as_deref().is_some_and(|overlay| overlay.opener() == Action::FileErrors) {
                    self.overlay = None;
                }
                // What was just said of a command told of the jobs that it added.
                self.redraw = true;
                let is_told = removed == 0 && self.toast.as_ref().is_some_and(|toast| toast.of_command);
                return if is_told { Vec::new() } else { self.say(reloaded(added, removed)) };
            }
            Fact::Observed { ix, known, changed, .. } => {
                let before = self.jobs.get(ix).map(|row| row.known.clone());
                if !self.jobs.observe(ix, known.clone(), now) {
                    return Vec::new();
                }
                self.detail.outdate_past(ix);
                // A pointer that was changed takes other values from the same result.
                let is_other =
                    |before: &Arc<Observation>| before.fields != known.fields || before.sent_again != known.sent_again;
                if changed || before.as_ref().is_some_and(is_other) {
                    self.move_row(ix);
                }
                // When it was last read is seen of the selected job alone.
                let selected = self.list.selected() == Some(ix);
                self.counted.1 = true;
                let is_seen =
                    |before: &Observation| differs(before, &known) || selected && before.last_poll != known.last_poll;
                if before.is_none_or(|before| is_seen(&before)) {
                    self.redraw = true;
                }
                if changed && known.state.is_problem() {
                    return self.tell_first_failure(ix);
                }
            }
            Fact::NotOk { ix, .. } => {
                self.detail.outdate_past(ix);
                self.redraw = true;
            }
            Fact::Health { ix, health } => {
                if self.jobs.set_health(ix, health, now) {
                    self.move_row(ix);
                    self.redraw = true;
                }
            }
            Fact::Gate { service, gate } => {
                self.jobs.set_gate(service, gate, now);
                self.redraw = true;
            }
            Fact::Unanswered { service, silence } => {
                match silence {
                    Some(silence) => self.silences.insert(service, silence),
                    None => self.silences.remove(&service),
                };
                self.redraw = true;
            }
            Fact::StoreTrouble(why) => {
                self.store_trouble = why;
                self.redraw = true;
            }
            Fact::LogGrows(bytes) => {
                self.long_log = bytes;
                self.redraw = true;
            }
            Fact::NextRead(at) => {
                let seconds = |at: Option<jiff::Timestamp>| at.map(|at| at.as_second().max(now.as_second()));
                // While polls are in flight none is due: the last one that was stays, so that nothing comes and goes.
                let at = at.or(self.next_read.filter(|at| *at + IN_FLIGHT > now));
                self.redraw |= seconds(at) != seconds(self.next_read);
                self.next_read = at;
            }
            Fact::Refused { ix, why } => {
                let title = self.jobs.get(ix).map(|row| row.title.to_string()).unwrap_or_default();
                let resume = self.keymap.first_key(Action::Pause);
                return self.say_bad(format!("{title}: {}", why.sentence(Some(&resume))));
            }
            Fact::History { ix, attempts, changes } => {
                self.detail.take_past(ix, History { attempts, changes });
                self.redraw = true;
                return self.go_on_reporting(ix);
            }
            Fact::Settled => return self.settle_down(),
            Fact::Draining(waiting) => {
                if let Leaving::Draining { reads, .. } = &mut self.leaving {
                    *reads = Some(waiting);
                    self.redraw = true;
                }
            }
            // The loop stops the process.
            Fact::Suspended => {}
            Fact::Ended(ending) => return self.end(&ending),
        }
        Vec::new()
    }

    fn move_row(&mut self, ix: JobIx) {
        self.list.note_change(ix);
        self.redraw = true;
    }

    /// A failure that comes while the user is elsewhere is reported once.
    fn tell_first_failure(&mut self, ix: JobIx) -> Vec<Effect> {
        if self.failure_told || self.focused == Some(true) {
            self.failure_told = true;
            return Vec::new();
        }
        self.failure_told = true;
        let Some(row) = self.jobs.get(ix) else { return Vec::new() };
        let reason = note::reason(&row.known).unwrap_or_else(|| row.known.state.as_str());
        let text = Clean::from(format!("{}: {} {}: {reason}", self.batch(), row.title, row.known.state));
        vec![Effect::Notify(Notice { kind: NoticeKind::FirstFailure, text })]
    }

    fn settle_down(&mut self) -> Vec<Effect> {
        self.redraw = true;
        if std::mem::replace(&mut self.settled, true) {
            return Vec::new();
        }
        // Whoever reads a job, types or looks at something else goes on doing so.
        if self.focus == Pane::List && self.overlay.is_none() && self.prompt.is_none() {
            self.show_batch();
        }
        let text = self.summary_line();
        vec![Effect::Notify(Notice { kind: NoticeKind::Finished, text })]
    }

    fn end(&mut self, _: &Ending) -> Vec<Effect> {
        self.redraw = true;
        vec![Effect::SaveView(self.view_text()), Effect::Exit]
    }
}

/// Whether anything that is seen differs: not only when the last read was.
fn differs(before: &Observation, after: &Observation) -> bool {
    let mut before = before.clone();
    before.applied = after.applied;
    if let (Some(last), Some(next)) = (&mut before.last_poll, &after.last_poll) {
        last.at = next.at;
    }
    before != *after
}
