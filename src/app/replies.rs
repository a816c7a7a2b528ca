//! The files in saved replies: looked into only where a filter or the table of failures asks for them.

use std::collections::{BTreeSet, HashMap};

use super::App;
use super::detail::shown_body;
use super::dialog::Overlay;
use super::effect::Effect;
use super::event::FilesOf;
use super::jobs::Row;
use crate::domain::job::{JobIx, ProviderName};

/// Which saved replies were not looked into yet.
#[derive(Debug, Default)]
pub struct Replies {
    problems: BTreeSet<JobIx>,
    others: BTreeSet<JobIx>,
    asked: HashMap<JobIx, i64>,
}

impl Replies {
    /// A job's reply is a new one, or there is none any more.
    pub fn note(&mut self, ix: JobIx, row: Option<&Row>) {
        for jobs in [&mut self.problems, &mut self.others] {
            jobs.remove(&ix);
        }
        self.asked.remove(&ix);
        if let Some(row) = row.filter(|row| reply(row).is_some()) {
            let jobs = if row.is_problem() { &mut self.problems } else { &mut self.others };
            jobs.insert(ix);
        }
    }

    /// How many are being looked into.
    pub fn asked(&self) -> usize {
        self.asked.len()
    }

    /// What is in a job's reply came; whether it is the reply that is the job's now.
    fn take(&mut self, ix: JobIx, row: &Row, body: i64) -> bool {
        let current = reply(row) == Some(body);
        if current {
            self.note(ix, None);
        }
        current
    }
}

impl App {
    /// Asks for what a filter or the table of failures has to know and does not.
    pub(super) fn ask_for_files(&mut self) -> Option<Effect> {
        let all = self.list.wanted().filter.needs_files();
        let problems = all || matches!(self.overlay, Overlay::Errors { .. });
        let replies = self.jobs.replies_mut();
        let mut wanted = BTreeSet::new();
        if problems {
            wanted.append(&mut replies.problems);
        }
        if all {
            wanted.append(&mut replies.others);
        }
        let bodies: Vec<(JobIx, ProviderName, i64)> = wanted
            .into_iter()
            .filter_map(|ix| self.jobs.get(ix).and_then(|row| Some((ix, row.job.key.provider, reply(row)?))))
            .collect();
        if bodies.is_empty() {
            return None;
        }
        self.jobs.replies_mut().asked.extend(bodies.iter().map(|(ix, _, body)| (*ix, *body)));
        self.redraw = true;
        Some(Effect::ReadFiles(bodies))
    }

    /// Some replies were looked into.
    pub(super) fn take_files(&mut self, read: Vec<FilesOf>) {
        for FilesOf { ix, body, files } in read {
            let current = self.jobs.get(ix).cloned().is_some_and(|row| self.jobs.replies_mut().take(ix, &row, body));
            if current {
                self.jobs.set_files(ix, &files);
                if self.list.wanted().filter.needs_files() {
                    self.list.note_change(ix);
                }
            }
        }
        self.redraw = true;
        self.refresh_reasons();
    }

    /// The table of failures anew, the cursor on the reason on which it was.
    fn refresh_reasons(&mut self) {
        let rows = self.overlay_choices().rows;
        let Overlay::Errors { reasons, cursor } = &mut self.overlay else { return };
        let at = reasons.get(cursor.at).map(|reason| reason.pattern.clone());
        *reasons = super::dialog::reasons(&self.jobs);
        if cursor.at > 0 {
            let same = reasons.iter().position(|reason| Some(&reason.pattern) == at.as_ref());
            cursor.at = same.unwrap_or(cursor.at);
        }
        cursor.show(reasons.len(), rows);
    }
}

/// The number of the reply in which a job's files stand.
fn reply(row: &Row) -> Option<i64> {
    row.known.files.and_then(|_| shown_body(&row.known))
}
