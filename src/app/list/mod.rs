//! The list: order, selection, filter and scroll. The selection is a job, never a row.
//!
//! The order is kept, not made for each drawing: changed rows are taken out and merged in again, once per batch of
//! events, and not within two seconds of a key press.

pub mod files;
pub mod jobs;
pub mod tally;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::app::event::Now;
use crate::app::scroll::{self, Motion};
use crate::domain::clean::Clean;
use crate::domain::filter::Filter;
use crate::domain::job::JobIx;
use crate::domain::note;
use jobs::{Jobs, Row, place};

/// How long rows stand still after a key press in the list.
pub const HANDS_OFF: Duration = Duration::from_secs(2);

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// Problems first, then running jobs, the longest first.
    #[default]
    Status,
    /// What the job is called.
    Name,
    /// The service.
    Service,
    /// The time of the row, the longest first.
    Time,
    /// The last change, the newest first.
    Changed,
    /// The saved size, the largest first.
    Size,
    /// The cost, the dearest first.
    Cost,
    /// As in the jobs file.
    File,
}

impl SortBy {
    /// Every column, in the order of the menu.
    pub const ALL: [Self; 8] =
        [Self::Status, Self::Name, Self::Service, Self::Time, Self::Changed, Self::Size, Self::Cost, Self::File];

    /// The word of the kept view.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Name => "name",
            Self::Service => "service",
            Self::Time => "time",
            Self::Changed => "changed",
            Self::Size => "size",
            Self::Cost => "cost",
            Self::File => "file",
        }
    }

    /// The words of the title and the menu.
    pub fn title(self) -> &'static str {
        match self {
            Self::Status => "problems first",
            Self::Name => "name",
            Self::Service => "service",
            Self::Time => "longest first",
            Self::Changed => "newest first",
            Self::Size => "largest first",
            Self::Cost => "dearest first",
            Self::File => "file order",
        }
    }

    /// Its letter in the menu.
    pub fn letter(self) -> char {
        match self {
            Self::Status => 'p',
            Self::Name => 'n',
            Self::Service => 's',
            Self::Time => 't',
            Self::Changed => 'a',
            Self::Size => 'z',
            Self::Cost => 'c',
            Self::File => 'f',
        }
    }
}

/// The list.
#[derive(Debug, Default)]
pub struct List {
    order: Vec<JobIx>,
    selected: Option<JobIx>,
    at: usize,
    top: usize,
    /// Rows that were last seen of it.
    height: usize,
    sort: SortBy,
    reversed: bool,
    wanted: Wanted,
    changed: HashSet<JobIx>,
    rebuild: bool,
    preferred: Option<JobIx>,
    touched: Option<Duration>,
    /// Whether the user has a place in the list. Before the first key the most urgent job is selected.
    held: bool,
}

/// Which jobs are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Those that this means.
    pub filter: Filter,
    /// Whether only problems are.
    pub problems: bool,
    /// Only these, under this heading.
    pub group: Option<Group>,
}

/// Some jobs that were chosen together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common.
    pub heading: Clean,
    /// Which they are.
    pub jobs: HashSet<JobIx>,
}

impl Wanted {
    /// Whether anything is left out.
    pub fn is_narrow(&self) -> bool {
        self.problems || self.group.is_some() || !self.filter.is_empty()
    }

    fn takes(&self, ix: JobIx, row: &Row, now: Timestamp) -> bool {
        (!self.problems || row.is_problem() || row.is_stuck(now))
            && self.group.as_ref().is_none_or(|group| group.jobs.contains(&ix))
            && row.fits(&self.filter, now)
    }
}

impl List {
    /// The listed jobs, in order.
    pub fn order(&self) -> &[JobIx] {
        &self.order
    }

    /// The selected job; None only if there is none at all.
    pub fn selected(&self) -> Option<JobIx> {
        self.selected
    }

    /// The selected row.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first row that is seen.
    pub fn top(&self) -> usize {
        self.top
    }

    /// What it is sorted by, and whether reversed.
    pub fn sort(&self) -> (SortBy, bool) {
        (self.sort, self.reversed)
    }

    /// Which jobs are listed.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// A job came, went or changed: its row may have to move.
    pub fn note_change(&mut self, ix: JobIx) {
        self.changed.insert(ix);
    }

    /// The user pressed a key somewhere: from now on the selection is the user's alone.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Whether the selection is the user's.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// The user pressed a key here: rows stand still for a while.
    pub fn touch(&mut self, now: Duration) {
        self.touched = Some(now);
    }

    /// When rows that wait may move; None if none wait.
    pub fn settles_at(&self) -> Option<Duration> {
        if self.changed.is_empty() {
            return None;
        }
        Some(self.touched.map_or(Duration::ZERO, |at| at + HANDS_OFF))
    }

    /// Sorts by a column; by the same again reverses.
    pub fn sort_by(&mut self, by: SortBy) {
        self.set_sort(by, self.sort == by && !self.reversed);
    }

    /// Sorts so.
    pub fn set_sort(&mut self, sort: SortBy, reversed: bool) {
        (self.sort, self.reversed, self.rebuild) = (sort, reversed, true);
    }

    /// Lists these jobs only.
    pub fn want(&mut self, wanted: Wanted) {
        self.rebuild |= self.wanted != wanted;
        self.wanted = wanted;
    }

    /// Selects a job, whether it is listed or not.
    pub fn select(&mut self, ix: JobIx, height: usize) {
        self.selected = Some(ix);
        if let Some(at) = self.order.iter().position(|other| *other == ix) {
            self.at = at;
            self.show(height);
        }
    }

    /// Selects this job when the list is brought into order next, if it is listed then.
    pub fn prefer(&mut self, ix: Option<JobIx>) {
        self.preferred = ix;
        self.rebuild = true;
    }

    /// Moves the selection.
    pub fn go(&mut self, motion: Motion, height: usize) {
        self.go_to(motion.from(self.at, self.order.len(), height), height);
    }

    /// Selects a row.
    pub fn go_to(&mut self, at: usize, height: usize) {
        if let Some(ix) = self.order.get(at) {
            (self.selected, self.at) = (Some(*ix), at);
            self.show(height);
        }
    }

    /// Selects the next listed job (or the one before) that this holds for, round the end; whether there was one.
    pub fn go_to_next(&mut self, forward: bool, height: usize, mut fits: impl FnMut(JobIx) -> bool) -> bool {
        let len = self.order.len();
        let steps = 1..=len;
        let place = |step: usize| if forward { (self.at + step) % len } else { (self.at + len - step) % len };
        let found = steps.map(place).find(|at| self.order.get(*at).is_some_and(|ix| fits(*ix)));
        if let Some(at) = found {
            self.go_to(at, height);
        }
        found.is_some()
    }

    /// Brings the rows into order, unless they have to stand still; whether anything moved.
    pub fn settle(&mut self, jobs: &Jobs, now: Now, height: usize) -> bool {
        self.resize(height);
        let still = self.touched.is_some_and(|at| now.mono < at + HANDS_OFF);
        if self.rebuild {
            let chosen = jobs.iter().filter(|(ix, row)| self.wanted.takes(*ix, row, now.wall)).map(|(ix, _)| ix);
            let mut order: Vec<JobIx> = chosen.collect();
            self.sort_rows(jobs, &mut order);
            self.order = order;
        } else if !self.changed.is_empty() && !still {
            self.merge(jobs, now.wall);
        } else {
            if self.held {
                self.show(height);
            }
            return false;
        }
        self.rebuild = false;
        self.changed.clear();
        self.find_selection(jobs, height);
        true
    }

    /// Looks which jobs a filter means by now that asks for something that changes by time alone.
    pub fn recheck(&mut self, jobs: &Jobs, now: Timestamp) {
        let listed: HashSet<JobIx> = self.order.iter().copied().collect();
        let other = |(ix, row): &(JobIx, &Row)| self.wanted.takes(*ix, row, now) != listed.contains(ix);
        let changed: Vec<JobIx> = jobs.iter().filter(other).map(|(ix, _)| ix).collect();
        let stays = |ix: &JobIx| self.selected == Some(*ix) && self.order.get(self.at) == Some(ix);
        let changed: Vec<JobIx> = changed.into_iter().filter(|ix| !stays(ix)).collect();
        self.changed.extend(changed);
    }

    /// Takes the changed rows out and puts them in again where they belong: each is looked for by halves.
    fn merge(&mut self, jobs: &Jobs, now: Timestamp) {
        let keeps = |ix: JobIx| {
            let row = jobs.get(ix)?;
            // The selected job stays in sight even if a change of it no longer fits the filter.
            let stays = self.selected == Some(ix) && self.order.get(self.at) == Some(&ix);
            (stays || self.wanted.takes(ix, row, now)).then_some(ix)
        };
        let mut moved: Vec<JobIx> = self.changed.iter().filter_map(|ix| keeps(*ix)).collect();
        self.sort_rows(jobs, &mut moved);
        // Asking a set a hundred thousand times costs more than all the rest.
        let mut changed = vec![false; jobs.places()];
        for ix in &self.changed {
            if let Some(changed) = changed.get_mut(place(*ix)) {
                *changed = true;
            }
        }
        let mut stand = std::mem::take(&mut self.order);
        stand.retain(|ix| !changed.get(place(*ix)).is_some_and(|changed| *changed));
        let mut order = Vec::with_capacity(stand.len() + moved.len());
        let mut rest = stand.as_slice();
        for ix in moved {
            let at = rest.partition_point(|other| self.compare(jobs, *other, ix) == Ordering::Less);
            let (before, after) = rest.split_at(at);
            order.extend_from_slice(before);
            order.push(ix);
            rest = after;
        }
        order.extend_from_slice(rest);
        self.order = order;
    }

    /// Follows the selected job to its new row, and keeps it in the same row of the screen where that can be.
    fn find_selection(&mut self, jobs: &Jobs, height: usize) {
        let len = self.order.len();
        let preferred = self.preferred.take().filter(|ix| self.order.contains(ix));
        self.held |= preferred.is_some();
        if !self.held {
            (self.selected, self.at, self.top) = (self.order.first().copied(), 0, 0);
            return;
        }
        self.selected = preferred.or(self.selected);
        let gone = self.selected.is_none_or(|ix| jobs.get(ix).is_none());
        let found = self.selected.and_then(|ix| self.order.iter().position(|other| *other == ix));
        match found {
            Some(at) => {
                if self.top > 0 {
                    self.top = (self.top + at).saturating_sub(self.at);
                }
                self.at = at;
            }
            None => {
                self.at = self.at.min(len.saturating_sub(1));
                let neighbour = self.order.get(self.at).copied();
                if gone || neighbour.is_some() {
                    self.selected = neighbour;
                }
            }
        }
        self.show(height);
    }

    /// A window that has grown shows the first rows again, the most urgent ones, if the selected one is seen then.
    fn resize(&mut self, height: usize) {
        if height > self.height && self.at < height {
            self.top = 0;
        }
        if height > 0 {
            self.height = height;
        }
    }

    /// Brings the window over the selection. A list that is not seen keeps its place.
    fn show(&mut self, height: usize) {
        if height > 0 {
            self.top = scroll::window(self.top, self.at, self.order.len(), height);
        }
    }

    fn sort_rows(&self, jobs: &Jobs, rows: &mut [JobIx]) {
        if self.sort == SortBy::Status && !self.reversed {
            rows.sort_by_cached_key(|ix| (jobs.get(*ix).map(Row::rank), *ix));
        } else {
            rows.sort_by(|a, b| self.compare(jobs, *a, *b));
        }
    }

    fn compare(&self, jobs: &Jobs, a: JobIx, b: JobIx) -> Ordering {
        let (Some(one), Some(two)) = (jobs.get(a), jobs.get(b)) else { return a.cmp(&b) };
        let by_column = match self.sort {
            SortBy::Status => one.rank().cmp(&two.rank()),
            SortBy::Name => one.title.cmp(&two.title),
            SortBy::Service => one.job.service.cmp(&two.job.service),
            SortBy::Time => ran(two).cmp(&ran(one)),
            SortBy::Changed => note::since(&two.known).cmp(&note::since(&one.known)),
            SortBy::Size => size(two).cmp(&size(one)),
            SortBy::Cost => tally::cost(two).cmp(&tally::cost(one)),
            SortBy::File => Ordering::Equal,
        };
        let order = by_column.then(a.cmp(&b));
        if self.reversed { order.reverse() } else { order }
    }
}

fn size(row: &Row) -> Option<u64> {
    row.known.saved.as_ref().map(|saved| saved.bytes)
}

/// How long a job took, or has taken until its last change: an order by running clocks would never rest.
fn ran(row: &Row) -> Option<Duration> {
    note::took(&row.known).or_else(|| note::time(&row.known, row.known.changed_at?))
}
