//! The files in saved replies: looked into only where a filter or the table of failures asks for them.

use std::sync::Arc;

use std::collections::{BTreeSet, HashMap};

use super::jobs::Row;
use crate::app::App;
use crate::app::detail::Tab;
use crate::app::effect::Effect;
use crate::app::event::FilesOf;
use crate::app::layout::Pane;
use crate::domain::job::{Job, JobIx};
use crate::domain::observation::BodyId;

/// How many responses are looked into for a summary alone.
const FEW: usize = 500;

/// Which saved replies were not looked into yet.
#[derive(Debug, Default)]
pub struct Replies {
    problems: BTreeSet<JobIx>,
    others: BTreeSet<JobIx>,
    asked: HashMap<JobIx, BodyId>,
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

    /// Whether some problem's response was not looked into.
    pub fn may_hide_reasons(&self) -> bool {
        !self.problems.is_empty() || !self.asked.is_empty()
    }

    /// How many are being looked into.
    pub fn asked(&self) -> usize {
        self.asked.len()
    }
}

impl App {
    /// Asks for what a filter or the table of failures has to know and does not.
    pub(in crate::app) fn ask_for_files(&mut self) -> Option<Effect> {
        let all = self.list.wanted().filter.needs_files();
        let counted = self.detail.tab == Tab::Batch || self.counts_reasons();
        let problems = all
            || counted && self.layout().detail.is_some()
            || self.overlay.as_deref().is_some_and(|overlay| overlay.needs_files());
        let nameless: Vec<JobIx> = self.nameless_rows();
        let replies = self.jobs.replies_mut();
        let mut wanted = BTreeSet::new();
        for ix in nameless {
            wanted.extend(replies.problems.take(&ix).or_else(|| replies.others.take(&ix)));
        }
        if problems {
            wanted.append(&mut replies.problems);
        }
        if all {
            wanted.append(&mut replies.others);
        }
        let bodies: Vec<(JobIx, Arc<Job>, BodyId)> = wanted
            .into_iter()
            .filter_map(|ix| self.jobs.get(ix).and_then(|row| Some((ix, Arc::clone(&row.job), reply(row)?))))
            .collect();
        if bodies.is_empty() {
            return None;
        }
        self.jobs.replies_mut().asked.extend(bodies.iter().map(|(ix, _, body)| (*ix, *body)));
        self.redraw = true;
        Some(Effect::ReadFiles(bodies))
    }

    /// Whether the selected job's summary tells how many others have the errors of its files: of a few it is looked up.
    fn counts_reasons(&self) -> bool {
        let of_files = |(_, row): (JobIx, &Row)| row.is_to_do() && row.known.files.is_some();
        self.detail.tab == Tab::Summary
            && self.jobs.replies().problems.len() <= FEW
            && self.selected().is_some_and(of_files)
    }

    /// The visible jobs without a name: they are called after their first file.
    fn nameless_rows(&self) -> Vec<JobIx> {
        let rows = self.layout().rows(Pane::List);
        self.list.jobs_seen(rows).filter(|ix| self.jobs.get(*ix).is_some_and(|row| row.job.name.is_none())).collect()
    }

    /// Some responses were looked into.
    pub(in crate::app) fn take_files(&mut self, read: Vec<FilesOf>) {
        for FilesOf { ix, body, files } in read {
            let current = self.jobs.take_reply(ix, body);
            if current {
                self.jobs.set_files(ix, &files);
                if self.list.wanted().filter.needs_files() {
                    self.list.note_change(ix);
                }
            }
        }
        self.redraw = true;
        self.counted.1 = true;
        if let Some(overlay) = &mut self.overlay {
            overlay.refresh(&self.jobs);
        }
    }
}

/// The number of the response that holds a job's files.
pub(super) fn reply(row: &Row) -> Option<BodyId> {
    row.known.files.and_then(|_| Some(row.known.kept_body()?.body))
}
