//! Failures by reason, over all services: each with a bar, its services, and when it was first and last seen.

use std::cmp::Reverse;
use std::collections::HashSet;

use jiff::Timestamp;

use super::{KeyOutcome, Overlay, OverlayContext, OverlayRequest, OverlayRows, Press, in_full, window};
use crate::app::action::Action;
use crate::app::effect::What;
use crate::app::keys::Key;
use crate::app::list::ChosenJobs;
use crate::app::list::jobs::Jobs;
use crate::app::scroll::{Motion, RowCursor};
use crate::app::text::{self, BAR_CELL, TextLine, Tone};
use crate::domain::cell::cell;
use crate::domain::clean::Clean;
use crate::domain::job::JobIx;
use crate::domain::state::State;
use crate::domain::{human, reason};

const WIDTH: u16 = 150;
const BAR: usize = 10;

/// Failures that share a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The reason with its details as `#`.
    pub pattern: Clean,
    /// The services that gave it.
    pub services: String,
    pub jobs: Vec<JobIx>,
    /// How many of their files, where it is a reason of files.
    pub files: usize,
    /// When the first and the last of the jobs finished.
    pub seen: Option<(Timestamp, Timestamp)>,
}

#[derive(Debug, Default)]
pub struct Reasons {
    reasons: Vec<Reason>,
    cursor: RowCursor,
}

impl Reasons {
    fn rows(&self, context: &OverlayContext<'_>) -> usize {
        self.reasons.len().clamp(1, context.rows().saturating_sub(self.below(context) + 1).max(1))
    }

    /// Rows for the chosen reason in full: as many for each, so that the frame stays as it is.
    fn below(&self, context: &OverlayContext<'_>) -> usize {
        let width = context.width(WIDTH).saturating_sub(2).max(1);
        let rows = self.reasons.iter().map(|reason| text::split(&reason.pattern, width).len());
        rows.max().unwrap_or(0).min(context.rows() / 2)
    }

    fn row(reason: &Reason, most: usize, context: &OverlayContext<'_>) -> TextLine {
        let width = context.width(WIDTH);
        let jobs = reason.jobs.len();
        let cells = (jobs * BAR).div_ceil(most.max(1));
        let bar = if width < 70 { String::new() } else { format!("{:<BAR$} ", BAR_CELL.repeat(cells)) };
        let seen = match reason.seen {
            Some((first, last)) if width >= 110 => {
                let clock = |at| human::clock(at, context.zone).chars().take(5).collect::<String>();
                if clock(first) == clock(last) { clock(first) } else { format!("{}–{}", clock(first), clock(last)) }
            }
            _ => String::new(),
        };
        let who = match reason.files {
            0 => reason.services.clone(),
            files => format!("{}, {}", reason.services, human::counted(files, "file")),
        };
        let times = if width >= 110 { 12 } else { 0 };
        let names = if width >= 60 { 22 } else { 0 };
        let room = width.saturating_sub(1 + bar.chars().count() + 5 + names + times + 3);
        let fit = text::padded;
        TextLine::of(Tone::Fill(State::Failed), &bar)
            .with(Tone::Strong, &format!("{jobs:>4}  "))
            .with(Tone::Plain, &format!("{}  ", fit(&reason.pattern, room)))
            .with(Tone::Dim, &format!("{} {seen:>times$}", fit(&who, names.saturating_sub(1))))
    }
}

impl Overlay for Reasons {
    fn opener(&self) -> Action {
        Action::Errors
    }

    fn go(&mut self, motion: Motion, context: &OverlayContext<'_>) {
        let rows = self.rows(context);
        self.cursor.go(motion, self.reasons.len(), rows);
    }

    fn press(&mut self, _: Key, action: Option<Action>) -> KeyOutcome {
        let chosen = self.reasons.get(self.cursor.at).cloned();
        match (action, chosen) {
            (Some(Action::CopyRaw), _) => {
                KeyOutcome::Also(OverlayRequest::Copy(What::Text(table(&self.reasons).into()), Vec::new()))
            }
            (Some(Action::Save), _) => {
                KeyOutcome::CloseAnd(OverlayRequest::SaveText("failures".to_owned(), "csv", csv(&self.reasons).into()))
            }
            (Some(Action::Mark), Some(reason)) => KeyOutcome::Also(OverlayRequest::Mark(reason.jobs)),
            (Some(Action::Run(number)), Some(reason)) => {
                KeyOutcome::CloseAnd(OverlayRequest::Command(number, reason.jobs))
            }
            (Some(Action::Open), Some(reason)) => KeyOutcome::CloseAnd(OverlayRequest::List(ChosenJobs {
                heading: reason.pattern,
                jobs: reason.jobs.into_iter().collect(),
            })),
            (_, _) => KeyOutcome::Stay,
        }
    }

    fn needs_files(&self) -> bool {
        true
    }

    fn refresh(&mut self, jobs: &Jobs) {
        let at = self.reasons.get(self.cursor.at).map(|reason| reason.pattern.clone());
        self.reasons = reasons(jobs);
        if self.cursor.at > 0 {
            let same = self.reasons.iter().position(|reason| Some(&reason.pattern) == at.as_ref());
            self.cursor.at = same.unwrap_or(self.cursor.at).min(self.reasons.len().saturating_sub(1));
        }
    }

    fn hints(&self, _: &OverlayContext<'_>) -> Vec<(Press, &'static str)> {
        vec![
            (Press::Of(Action::Open), "show jobs"),
            (Press::Of(Action::Mark), "mark them"),
            (Press::Of(Action::CopyRaw), "copy table"),
            (Press::Of(Action::Save), "save CSV"),
        ]
    }

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows {
        let (height, below) = (self.rows(context), self.below(context));
        let most = self.reasons.iter().map(|reason| reason.jobs.len()).max().unwrap_or(0);
        let rows = self.reasons.iter().map(|reason| Self::row(reason, most, context)).collect();
        let (mut rows, selected) = window(rows, self.cursor, height);
        if self.reasons.is_empty() {
            let none = if context.jobs.tally().again > 0 {
                "nothing is left to do"
            } else {
                "no job is lost, failed or partial"
            };
            rows.push(TextLine::of(Tone::Plain, none));
        }
        let chosen = self.reasons.get(self.cursor.at);
        let mut full = chosen.map(|reason| in_full(&reason.pattern, context.width(WIDTH))).unwrap_or_default();
        full.resize(below, TextLine::default());
        let (jobs, many) =
            (human::counted(jobs_of(&self.reasons), "job"), human::counted(self.reasons.len(), "reason"));
        let corner = match context.jobs.replies().asked() {
            0 => String::new(),
            asked => format!("reading {}…", human::counted(asked, "response")),
        };
        let again = match context.jobs.tally().again {
            0 => String::new(),
            again => format!(" · {} sent again", human::count(again.into())),
        };
        let title = format!("Failures by reason: {jobs}, {many}{again}");
        OverlayRows { title, corner, width: WIDTH, rows, selected, height, below: full, ..OverlayRows::default() }
    }
}

/// What is still to do, grouped over all services. Each failed file counts by its own reason, as far as it is known.
pub fn reasons(jobs: &Jobs) -> Vec<Reason> {
    let given = jobs.iter().filter(|(_, row)| row.is_to_do()).flat_map(|(ix, row)| {
        let of_file = !row.errors().is_empty();
        row.reasons().map(move |reason| (reason, (ix, of_file)))
    });
    let mut reasons: Vec<Reason> = reason::groups(given)
        .into_iter()
        .map(|group| {
            let files = group.items.iter().filter(|(_, file)| *file).count();
            let mut owners: Vec<JobIx> = group.items.into_iter().map(|(ix, _)| ix).collect();
            owners.dedup();
            let mut services: Vec<String> = Vec::new();
            let mut seen: Option<(Timestamp, Timestamp)> = None;
            for row in owners.iter().filter_map(|ix| jobs.get(*ix)) {
                let service = Clean::new(&row.job.service).to_string();
                if !services.contains(&service) {
                    services.push(service);
                }
                if let Some(at) = row.known.finished_at.or(row.known.changed_at) {
                    seen = Some(seen.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
                }
            }
            Reason { pattern: group.pattern, services: services.join(" "), jobs: owners, files, seen }
        })
        .collect();
    reasons.sort_by_key(|reason| Reverse((reason.jobs.len(), reason.files)));
    reasons
}

/// How many jobs have any of these reasons.
fn jobs_of(reasons: &[Reason]) -> usize {
    reasons.iter().flat_map(|reason| &reason.jobs).collect::<HashSet<_>>().len()
}

/// The reasons as a table of tab-separated values.
fn table(reasons: &[Reason]) -> String {
    let mut out = "jobs\tfiles\treason\tservices\n".to_owned();
    for Reason { pattern, services, jobs, files, .. } in reasons {
        out.push_str(&format!("{}\t{files}\t{pattern}\t{services}\n", jobs.len()));
    }
    out
}

/// The reasons as comma-separated values.
pub fn csv(reasons: &[Reason]) -> String {
    let mut out = "jobs,files,reason,services\n".to_owned();
    for reason in reasons {
        let (pattern, services) = (cell(&reason.pattern), cell(&reason.services));
        out.push_str(&format!("{},{},{pattern},{services}\n", reason.jobs.len(), reason.files));
    }
    out
}
