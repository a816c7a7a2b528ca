//! The jobs on the screen: what is declared and known of each, and what is counted over all of them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

pub use super::files::Replies;
use super::tally::Tally;
use crate::domain::clean::Clean;
use crate::domain::fact::{Gate, Health};
use crate::domain::files::FileResult;
use crate::domain::filter::{Filter, FilterSubject, SearchText};
use crate::domain::job::{Job, JobIx, JobKey};
use crate::domain::observation::{BodyId, LastPoll, Observation};
use crate::domain::state::PollOutcome;
use crate::domain::stats::Stats;
use crate::domain::{durations, human, note, reason};

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What the file says.
    pub job: Arc<Job>,
    pub known: Arc<Observation>,
    /// What it is called on the screen: its name, else its first file, else the ends of its id.
    pub title: Clean,
    /// How well it is polled.
    pub health: Health,
    /// Whether the user marked it.
    pub marked: bool,
    /// When its need of attention last changed: the newest comes first among those of equal need.
    pub moved: Timestamp,
    /// How many times it was polled: in earlier runs up to the last saved poll, and in this run.
    pub reads: u32,
    /// The job that was submitted again for it, if one was.
    pub again: Option<JobIx>,
    /// What is known of its files, as far as its response was looked into. Most jobs have none: no cells are spent on them.
    found: Option<Box<Found>>,
    text: SearchText,
}

/// The files of a job.
#[derive(Debug, Clone, PartialEq, Default)]
struct Found {
    names: Vec<String>,
    /// Why each of the failed ones failed; empty: no reason was given.
    errors: Vec<String>,
    /// The patterns of these: they are counted at each response, and folding takes longer than counting.
    patterns: BTreeSet<String>,
}

/// How much a job needs attention, the most needy first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Its result is lost.
    Lost,
    Failed,
    /// Some of it failed.
    Partial,
    /// It cannot be read until somebody does something.
    Refused,
    /// It was not read in time.
    Stale,
    /// Its state has a name that we don't know.
    Odd,
    Running,
    Queued,
    /// It was never read.
    Unread,
    /// It went wrong and was submitted again.
    Again,
    /// It is done.
    Succeeded,
    /// It was stopped.
    Cancelled,
}

impl Row {
    /// How much it needs attention.
    pub fn need(&self) -> Need {
        use crate::domain::state::State;
        match self.known.state {
            State::Lost | State::Failed | State::Partial if self.is_sent_again() => return Need::Again,
            State::Lost => return Need::Lost,
            State::Failed => return Need::Failed,
            State::Partial => return Need::Partial,
            State::Succeeded => return Need::Succeeded,
            State::Cancelled => return Need::Cancelled,
            State::Queued | State::Running | State::Unknown => {}
        }
        match self.health {
            Health::KeyRefused | Health::Held | Health::GivenUp(_) => return Need::Refused,
            Health::Stale => return Need::Stale,
            Health::Fresh | Health::Paused | Health::Throttled(_) | Health::Following(_) | Health::SavedHere => {}
        }
        match self.known.state {
            State::Running => Need::Running,
            State::Queued => Need::Queued,
            State::Unknown if self.known.is_observed() => Need::Odd,
            State::Unknown => Need::Unread,
            State::Lost | State::Failed | State::Partial | State::Succeeded | State::Cancelled => Need::Unread,
        }
    }

    /// What it is sorted by in the list of problems first: the need, then running jobs the longest first, others the
    /// newest change first.
    pub fn rank(&self) -> (Need, i64) {
        let need = self.need();
        let running = self.known.running_since.filter(|_| need == Need::Running);
        (need, running.map_or_else(|| -self.moved.as_microsecond(), |since| since.as_microsecond()))
    }

    /// Whether a filter matches it.
    pub fn fits(&self, filter: &Filter, now: Timestamp) -> bool {
        let subject = FilterSubject {
            stale: self.need() == Need::Stale,
            given_up: self.gave_up().is_some(),
            marked: self.marked,
            files: self.files(),
            ..FilterSubject::new(&self.job, &self.known, &self.text)
        };
        filter.matches(&subject, now)
    }

    /// Whether it is lost, failed, partial, or no longer polled.
    pub fn is_problem(&self) -> bool {
        self.known.state.is_problem() || self.gave_up().is_some()
    }

    /// Whether it was submitted again, as the jobs file or the store knows.
    pub fn is_sent_again(&self) -> bool {
        self.again.is_some() || self.known.sent_again
    }

    /// Whether it is a problem that nobody has done anything about yet: it was not submitted again.
    pub fn is_to_do(&self) -> bool {
        self.is_problem() && !self.is_sent_again()
    }

    /// Whether it is for the user to see to: such a problem, stuck, or refused by its service.
    pub fn needs_a_look(&self, now: Timestamp) -> bool {
        let refused = |last: &LastPoll| matches!(last.read, PollOutcome::NotFound | PollOutcome::Rejected);
        let is_refused = !self.known.state.is_terminal() && self.known.last_poll.as_ref().is_some_and(refused);
        self.is_to_do() || self.is_stuck(now) || is_refused
    }

    /// Why it is a problem, as the service, its files or we say: of each failed file by itself, as far as its response
    /// was looked into. Nothing of a job that is none. Foreign text.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        let own = note::reason(&self.known).or(self.gave_up()).unwrap_or_default();
        let own = self.errors().is_empty().then_some(own);
        let all = own.into_iter().chain(self.errors().iter().map(String::as_str)).filter(|_| self.is_problem());
        all.map(or_none)
    }

    /// The same, each once, as the patterns under which jobs are counted.
    fn patterns(&self) -> Cow<'_, BTreeSet<String>> {
        match &self.found {
            _ if !self.is_to_do() => Cow::default(),
            Some(found) if !found.errors.is_empty() => Cow::Borrowed(&found.patterns),
            Some(_) | None => Cow::Owned(self.reasons().map(reason::fold).collect()),
        }
    }

    /// Whether it has been as it is for longer than its service's `alert_after` allows.
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        durations::is_stuck(&self.known, self.job.traits.alert_after, now)
    }

    /// Why it is no longer polled, though it is not finished.
    pub fn gave_up(&self) -> Option<&str> {
        let Health::GivenUp(why) = &self.health else { return None };
        (!self.known.state.is_terminal()).then_some(why.as_str())
    }

    /// The names of its files, as far as its response was looked into.
    pub fn files(&self) -> &[String] {
        self.found.as_ref().map_or(&[], |found| &found.names)
    }

    /// Why each of its failed files failed, as far as its response was looked into; empty: no reason was given.
    pub fn errors(&self) -> &[String] {
        self.found.as_ref().map_or(&[], |found| &found.errors)
    }

    fn retitle(&mut self) {
        self.title = match (&self.job.name, self.files().first()) {
            (Some(name), _) => Clean::new(name),
            (None, Some(first)) if self.files().len() > 1 => {
                Clean::from(format!("{} +{}", Clean::new(first), self.files().len() - 1))
            }
            (None, Some(first)) => Clean::new(first),
            (None, None) => Clean::from(human::short_id(&self.job.key.id)),
        };
    }
}

#[derive(Debug)]
pub struct Jobs {
    rows: Vec<Option<Row>>,
    stats: Stats,
    tally: Tally,
    gates: HashMap<Arc<str>, (Gate, Timestamp)>,
    /// How many problems that are still to do share a folded reason.
    reasons: HashMap<String, u32>,
    /// The jobs that were submitted again: the last job that was for each, and itself if it is on the list. And whether
    /// that has to be made out anew.
    again: HashMap<JobKey, (JobIx, Option<JobIx>)>,
    untold: bool,
    stale: u32,
    marked: u32,
    longest_title: usize,
    replies: Replies,
}

impl Jobs {
    /// None yet; room for this many.
    pub fn new(started: Timestamp, jobs: u32) -> Self {
        Self {
            rows: Vec::with_capacity(place(JobIx(jobs))),
            stats: Stats::new(started),
            tally: Tally::default(),
            gates: HashMap::new(),
            reasons: HashMap::new(),
            again: HashMap::new(),
            untold: false,
            stale: 0,
            marked: 0,
            longest_title: 0,
            replies: Replies::default(),
        }
    }

    pub fn get(&self, ix: JobIx) -> Option<&Row> {
        self.rows.get(place(ix)).and_then(Option::as_ref)
    }

    /// How many places there are: all are smaller than this.
    pub fn places(&self) -> usize {
        self.rows.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (JobIx, &Row)> {
        let numbered = self.rows.iter().zip(0u32..);
        numbered.filter_map(|(row, ix)| row.as_ref().map(|row| (JobIx(ix), row)))
    }

    /// Jobs per state, and the pace.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Times, sizes, finishes over the batch.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Jobs that are finished or no longer polled.
    pub fn over(&self) -> u32 {
        self.stats.counts().finished() + self.tally.given_up
    }

    /// Jobs that are lost, failed, partial or no longer polled.
    pub fn problems(&self) -> u32 {
        self.stats.counts().problems() + self.tally.given_up
    }

    /// How many unfinished jobs are stale.
    pub fn stale(&self) -> u32 {
        self.stale
    }

    /// How many jobs are marked, listed or not.
    pub fn marked(&self) -> u32 {
        self.marked
    }

    /// Cells of the longest title that any job had.
    pub fn longest_title(&self) -> usize {
        self.longest_title
    }

    /// The services that are not read as asked for, how they are, and since when.
    pub fn gates(&self) -> impl Iterator<Item = (&str, &Gate, Timestamp)> {
        self.gates.iter().map(|(service, (gate, since))| (&**service, gate, *since))
    }

    /// How many jobs that are still to do have each of this one's reasons, the most frequent first.
    pub fn same_reasons(&self, row: &Row) -> Vec<u32> {
        let mut counts: Vec<u32> =
            row.patterns().iter().map(|pattern| self.reasons.get(pattern).copied().unwrap_or(1)).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    }

    /// A job is on the list, or is called or tagged otherwise. What was marked stays so.
    pub fn declare(&mut self, ix: JobIx, job: Arc<Job>, known: Arc<Observation>) {
        let marked = self.get(ix).is_some_and(|row| row.marked);
        let reads = self.get(ix).map_or(0, |row| row.reads).max(reads(&known));
        let health = self.get(ix).map(|row| row.health.clone()).unwrap_or_default();
        if self.rows.len() <= place(ix) {
            self.rows.resize_with(place(ix) + 1, || None);
        }
        self.stats.declared(&known);
        let moved = known.changed_at.or(note::since(&known)).unwrap_or(Timestamp::MIN);
        let text = SearchText::new(&job, &known);
        let before = self.withdraw(ix);
        let again = before.as_ref().and_then(|row| row.again);
        let found = before.and_then(|row| row.found);
        self.untold |= self.is_in_resubmission(&job);
        let mut row = Row { job, known, title: Clean::default(), health, marked, moved, reads, again, found, text };
        row.retitle();
        self.longest_title = self.longest_title.max(row.title.width());
        self.tally.add(&row);
        count(&mut self.reasons, &row, true);
        self.stale += u32::from(row.need() == Need::Stale);
        self.marked += u32::from(marked);
        self.replies.note(ix, Some(&row));
        if let Some(slot) = self.rows.get_mut(place(ix)) {
            *slot = Some(row);
        }
    }

    /// A job is off the list.
    pub fn withdraw(&mut self, ix: JobIx) -> Option<Row> {
        let row = self.rows.get_mut(place(ix)).and_then(Option::take)?;
        self.tally.remove(&row);
        self.stats.withdrawn(&row.known);
        self.stale = self.stale.saturating_sub(u32::from(row.need() == Need::Stale));
        self.marked = self.marked.saturating_sub(u32::from(row.marked));
        count(&mut self.reasons, &row, false);
        self.replies.note(ix, None);
        self.untold |= self.is_in_resubmission(&row.job);
        Some(row)
    }

    fn is_in_resubmission(&self, job: &Job) -> bool {
        !job.resubmits.is_empty() || self.again.contains_key(&job.key)
    }

    /// The job of this key, if it is on the list and was submitted again.
    pub fn submitted_again(&self, key: &JobKey) -> Option<&Row> {
        self.get(self.again.get(key)?.1?)
    }

    /// Tells the rows of jobs that were submitted again which job that was; the rows for which that is news. To be asked
    /// once after each batch of facts: what was submitted again is made out anew over all rows.
    pub fn tell_again(&mut self) -> Vec<JobIx> {
        let mut told = Vec::new();
        if !std::mem::take(&mut self.untold) {
            return told;
        }
        let all = self.iter().flat_map(|(new, row)| row.job.resubmits.iter().map(move |old| (old.clone(), new)));
        self.again = all.map(|(old, new)| (old, (new, None))).collect();
        for (row, ix) in self.rows.iter_mut().zip(0..) {
            let Some(row) = row else { continue };
            let known = self.again.get_mut(&row.job.key);
            let again = known.map(|(new, old)| {
                *old = Some(JobIx(ix));
                *new
            });
            if row.again != again {
                self.tally.remove(row);
                count(&mut self.reasons, row, false);
                row.again = again;
                self.tally.add(row);
                count(&mut self.reasons, row, true);
                told.push(JobIx(ix));
            }
        }
        told
    }

    /// Something was learned about a job. False for a job that is not on the list.
    pub fn observe(&mut self, ix: JobIx, known: Arc<Observation>, now: Timestamp) -> bool {
        let Some(before) = self.get(ix).map(|row| row.known.clone()) else { return false };
        self.stats.observed(&before, &known, now);
        let other_reply = before.kept_body().map(|kept| kept.body) != known.kept_body().map(|kept| kept.body);
        let listed = self.change(ix, now, |row| {
            row.text = SearchText::new(&row.job, &known);
            row.reads = row.reads.saturating_add(1).max(reads(&known));
            row.known = known;
        });
        if other_reply {
            self.replies.note(ix, self.rows.get(place(ix)).and_then(Option::as_ref));
        }
        listed
    }

    /// A job is read better or worse. False for a job that is not on the list.
    pub fn set_health(&mut self, ix: JobIx, health: Health, now: Timestamp) -> bool {
        self.change(ix, now, |row| row.health = health)
    }

    /// A job's files were found in its reply.
    pub fn set_files(&mut self, ix: JobIx, files: &[FileResult]) {
        if let Some(row) = self.rows.get_mut(place(ix)).and_then(Option::as_mut) {
            let names = files.iter().map(|file| file.name.clone()).collect();
            let failed = files.iter().filter(|file| file.failed);
            let errors: Vec<String> = failed.map(|file| file.error.clone().unwrap_or_default()).collect();
            let patterns = errors.iter().map(|error| reason::fold(or_none(error))).collect();
            count(&mut self.reasons, row, false);
            row.found = Some(Box::new(Found { names, errors, patterns }));
            count(&mut self.reasons, row, true);
            row.retitle();
            self.longest_title = self.longest_title.max(row.title.width());
        }
    }

    /// The saved replies, and which of them were looked into.
    pub fn replies(&self) -> &Replies {
        &self.replies
    }

    /// What is in a job's response came; whether it is the response that is the job's now.
    pub fn take_reply(&mut self, ix: JobIx, body: BodyId) -> bool {
        let current = self.get(ix).and_then(super::files::reply) == Some(body);
        if current {
            self.replies.note(ix, None);
        }
        current
    }

    /// The same, to be changed.
    pub fn replies_mut(&mut self) -> &mut Replies {
        &mut self.replies
    }

    /// A service is read otherwise. One that fails again has failed since it began to.
    pub fn set_gate(&mut self, service: Arc<str>, gate: Gate, now: Timestamp) {
        let before = self.gates.remove(&service);
        let same = before.filter(|(before, _)| std::mem::discriminant(before) == std::mem::discriminant(&gate));
        if gate != Gate::Open {
            self.gates.insert(service, (gate, same.map_or(now, |(_, since)| since)));
        }
    }

    /// Marks a job, or takes the mark off.
    pub fn toggle_mark(&mut self, ix: JobIx) {
        if let Some(row) = self.rows.get_mut(place(ix)).and_then(Option::as_mut) {
            row.marked = !row.marked;
            self.marked = if row.marked { self.marked + 1 } else { self.marked.saturating_sub(1) };
        }
    }

    /// Takes all marks off; whether there were any.
    pub fn clear_marks(&mut self) -> bool {
        self.rows.iter_mut().flatten().for_each(|row| row.marked = false);
        std::mem::take(&mut self.marked) > 0
    }

    fn change(&mut self, ix: JobIx, now: Timestamp, change: impl FnOnce(&mut Row)) -> bool {
        let Some(row) = self.rows.get_mut(place(ix)).and_then(Option::as_mut) else { return false };
        let before = row.need();
        self.tally.remove(row);
        count(&mut self.reasons, row, false);
        change(row);
        self.tally.add(row);
        count(&mut self.reasons, row, true);
        let after = row.need();
        if before != after {
            row.moved = now;
        }
        self.stale = self.stale.saturating_sub(u32::from(before == Need::Stale)) + u32::from(after == Need::Stale);
        true
    }
}

/// Counts a job under its reasons, or takes that back.
fn count(reasons: &mut HashMap<String, u32>, row: &Row, more: bool) {
    for pattern in row.patterns().iter() {
        if more {
            *reasons.entry(pattern.clone()).or_default() += 1;
        } else if let Some(count) = reasons.get_mut(pattern) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                reasons.remove(pattern);
            }
        }
    }
}

/// A reason, or what stands for one that nobody gave.
fn or_none(reason: &str) -> &str {
    if reason.is_empty() { "no reason given" } else { reason }
}

/// The number of the last read that was applied: reads are counted over all runs.
fn reads(known: &Observation) -> u32 {
    u32::try_from(known.applied).unwrap_or(u32::MAX)
}

/// A job's place as an index.
pub(super) fn place(ix: JobIx) -> usize {
    usize::try_from(ix.0).unwrap_or(usize::MAX)
}
