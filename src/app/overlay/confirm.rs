//! Whether a command of the user's own shall be run.

use std::collections::HashSet;
use std::sync::Arc;

use super::{KeyOutcome, Overlay, OverlayContext, OverlayRequest, OverlayRows, Press};
use crate::app::action::Action;
use crate::app::keys::{Key, plain_char};
use crate::app::scroll::Motion;
use crate::app::text::{TextLine, Tone};
use crate::domain::command::UserCommand;
use crate::domain::human::{self, counted};
use crate::domain::job::JobIx;

const WIDTH: u16 = 60;

#[derive(Debug)]
pub struct Confirm {
    number: u16,
    command: Arc<UserCommand>,
    /// What would be sent twice comes first.
    jobs: Vec<JobIx>,
    /// Those of them that were sent again already.
    again: HashSet<JobIx>,
}

impl Confirm {
    /// Whether the command of this number shall be run over these jobs, some of which were sent again already.
    pub fn new(number: u16, command: Arc<UserCommand>, mut jobs: Vec<JobIx>, again: HashSet<JobIx>) -> Self {
        jobs.sort_by_key(|ix| !again.contains(ix));
        Self { number, command, jobs, again }
    }
}

impl Overlay for Confirm {
    fn opener(&self) -> Action {
        Action::Run(self.number)
    }

    fn go(&mut self, _: Motion, _: &OverlayContext<'_>) {}

    fn press(&mut self, key: Key, action: Option<Action>) -> KeyOutcome {
        match plain_char(key) {
            Some('y') => KeyOutcome::CloseAnd(OverlayRequest::Run(Arc::clone(&self.command), self.jobs.clone())),
            Some('n') => KeyOutcome::Close,
            _ if action == Some(Action::Open) => {
                KeyOutcome::CloseAnd(OverlayRequest::Run(Arc::clone(&self.command), self.jobs.clone()))
            }
            Some(_) | None => KeyOutcome::Stay,
        }
    }

    fn hints(&self, _: &OverlayContext<'_>) -> Vec<(Press, &'static str)> {
        vec![(Press::Fixed("y"), "run it"), (Press::Fixed("n"), "leave it")]
    }

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows {
        let question = format!("{} {}?", self.command.name, counted(self.jobs.len(), "job"));
        let most = context.rows().saturating_sub(4).min(10);
        let some = self.jobs.iter().take(most).filter_map(|ix| Some((ix, context.jobs.get(*ix)?)));
        let named = some.map(|(ix, row)| match row.again.and_then(|ix| context.jobs.get(ix)) {
            _ if !self.again.contains(ix) => TextLine::of(Tone::Dim, &format!("{}  {}", row.title, row.job.service)),
            Some(again) => TextLine::of(Tone::Caution, &format!("{}  sent again as {}", row.title, again.title)),
            None if row.is_sent_again() => TextLine::of(Tone::Caution, &format!("{}  sent again", row.title)),
            None => TextLine::of(Tone::Caution, &format!("{}  begun a moment ago", row.title)),
        });
        let mut rows = vec![TextLine::of(Tone::Strong, &question)];
        if !self.again.is_empty() {
            let sent = human::count(self.again.len() as u64);
            rows.push(TextLine::of(Tone::Warn, &format!("{sent} sent again already: once more costs again")));
        }
        rows.push(TextLine::default());
        rows.extend(named);
        if self.jobs.len() > most {
            rows.push(TextLine::of(Tone::Dim, &format!("and {} more", self.jobs.len() - most)));
        }
        let height = rows.len();
        OverlayRows { title: self.command.name.to_string(), width: WIDTH, rows, height, ..OverlayRows::default() }
    }
}
