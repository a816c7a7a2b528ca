//! The list: order, selection, filter and scroll. The selection is a job, never a row.
//!
//! The order is kept, not made for each drawing: changed rows are taken out and merged in again, once per batch of
//! events, and not within two seconds of a key press.

mod fact;
pub mod files;
pub mod folds;
pub mod jobs;
pub mod sort;
pub mod tally;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::app::event::Now;
use crate::app::scroll::{self, Motion};
use crate::domain::clean::Clean;
use crate::domain::field::Field;
use crate::domain::filter::Filter;
use crate::domain::job::JobIx;
use folds::{FoldBy, GroupFolds, Item};
use jobs::{Jobs, Row, place};
pub use sort::SortBy;

/// How long rows stand still after a key press in the list.
pub const HANDS_OFF: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub struct List {
    order: Vec<JobIx>,
    folds: GroupFolds,
    selected: Option<JobIx>,
    /// The group whose row the cursor is on.
    group: Option<String>,
    at: usize,
    top: usize,
    /// Rows that were last seen of it.
    height: usize,
    sort: SortBy,
    reversed: bool,
    /// The user's fields: all of them, and those that are columns.
    fields: Vec<Field>,
    columns: Vec<Field>,
    wanted: ListFilter,
    changed: HashSet<JobIx>,
    rebuild: bool,
    preferred: Option<JobIx>,
    touched: Option<Duration>,
    /// Whether the user has a place in the list. Before the first key the most urgent job is selected.
    held: bool,
}

/// Which jobs are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListFilter {
    /// Those that this means.
    pub filter: Filter,
    /// Whether only problems are.
    pub problems: bool,
    /// Only these, under this heading.
    pub group: Option<ChosenJobs>,
}

/// Some jobs that were chosen together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenJobs {
    /// What they have in common.
    pub heading: Clean,
    pub jobs: HashSet<JobIx>,
}

impl ListFilter {
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
    pub fn order(&self) -> &[JobIx] {
        &self.order
    }

    pub fn folds(&self) -> &GroupFolds {
        &self.folds
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        if self.folds.by() == FoldBy::Nothing { self.order.len() } else { self.folds.rows().len() }
    }

    /// The row at this place.
    pub fn item(&self, at: usize) -> Option<Item> {
        if self.folds.by() == FoldBy::Nothing {
            return self.order.get(at).copied().map(Item::Job);
        }
        self.folds.rows().get(at).copied()
    }

    /// The rows that are seen in a window of this height.
    pub fn seen(&self, height: usize) -> impl Iterator<Item = Item> {
        (self.top..self.top.saturating_add(height)).map_while(|at| self.item(at))
    }

    /// The jobs among them.
    pub fn jobs_seen(&self, height: usize) -> impl Iterator<Item = JobIx> {
        self.seen(height).filter_map(|item| match item {
            Item::Job(ix) => Some(ix),
            Item::Group(_) => None,
        })
    }

    /// The group whose row the cursor is on.
    pub fn group(&self) -> Option<&folds::JobGroup> {
        let key = self.group.as_ref()?;
        self.folds.groups().iter().find(|group| group.key == *key)
    }

    /// The jobs of the group whose row the cursor is on.
    pub fn group_jobs(&self) -> Option<&[JobIx]> {
        self.order.get(self.group()?.jobs.clone())
    }

    /// Folds the list so, with these groups open.
    pub fn set_folds(&mut self, by: FoldBy, open: HashSet<String>) {
        self.folds.set(by, open);
        (self.group, self.rebuild) = (None, true);
    }

    /// Opens or closes the group under the cursor; None: the other. From a job it closes the group that it is in. False
    /// if nothing is folded.
    pub fn open_group(&mut self, open: Option<bool>) -> bool {
        let above = self.folds.groups().iter().rev().find(|group| group.at <= self.at);
        let Some(group) = self.group().or(above.filter(|_| open == Some(false))) else { return false };
        let open = open.unwrap_or(!self.folds.is_open(group));
        let key = group.key.clone();
        self.folds.open(&key, open);
        (self.group, self.rebuild) = (Some(key), true);
        true
    }

    /// Opens or closes all groups.
    pub fn open_groups(&mut self, open: bool) {
        self.folds.open_all(open);
        self.rebuild = true;
    }

    /// The selected job; None if there is none at all, or the cursor is on a group.
    pub fn selected(&self) -> Option<JobIx> {
        self.selected.filter(|_| self.group.is_none())
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

    /// The user's fields that are columns.
    pub fn columns(&self) -> &[Field] {
        &self.columns
    }

    /// The names of the user's fields: a filter may have them.
    pub fn field_names(&self) -> Vec<&str> {
        self.fields.iter().map(|field| &*field.name).collect()
    }

    /// Other fields are the user's. A list that is sorted by one that is no column any more has problems first again.
    pub fn set_fields(&mut self, fields: Vec<Field>) {
        let columns: Vec<Field> = fields.iter().filter(|field| field.column).cloned().collect();
        if let SortBy::Field(n) = self.sort {
            let name = self.columns.get(usize::from(n)).map(|field| &field.name);
            let at = columns.iter().position(|field| Some(&field.name) == name);
            self.sort = at.and_then(|at| u8::try_from(at).ok()).map(SortBy::Field).unwrap_or_default();
        }
        (self.fields, self.columns, self.rebuild) = (fields, columns, true);
    }

    /// Which jobs are listed.
    pub fn wanted(&self) -> &ListFilter {
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
    pub fn want(&mut self, wanted: ListFilter) {
        self.rebuild |= self.wanted != wanted;
        self.wanted = wanted;
    }

    /// Selects a job, whether it is listed or not.
    pub fn select(&mut self, ix: JobIx, height: usize) {
        (self.selected, self.group) = (Some(ix), None);
        if let Some(at) = self.place_of(ix) {
            self.at = at;
            self.show(height);
        } else if self.folds.by() != FoldBy::Nothing {
            self.prefer(Some(ix));
        }
    }

    /// The row of a job, if it is seen: not in a closed group.
    fn place_of(&self, ix: JobIx) -> Option<usize> {
        if self.folds.by() == FoldBy::Nothing {
            return self.order.iter().position(|other| *other == ix);
        }
        self.folds.rows().iter().position(|item| *item == Item::Job(ix))
    }

    /// Selects this job when the list is brought into order next, if it is listed then.
    pub fn prefer(&mut self, ix: Option<JobIx>) {
        self.preferred = ix;
        self.rebuild = true;
    }

    /// Moves the selection.
    pub fn go(&mut self, motion: Motion, height: usize) {
        self.go_to(motion.from(self.at, self.len(), height), height);
    }

    /// Selects a row.
    pub fn go_to(&mut self, at: usize, height: usize) {
        let Some(item) = self.item(at) else { return };
        self.at = at;
        match item {
            Item::Job(ix) => (self.selected, self.group) = (Some(ix), None),
            Item::Group(n) => self.group = self.folds.groups().get(n).map(|group| group.key.clone()),
        }
        self.show(height);
    }

    /// Selects the next listed job (or the one before) that this holds for, round the end; whether there was one.
    pub fn go_to_next(&mut self, forward: bool, height: usize, mut fits: impl FnMut(JobIx) -> bool) -> bool {
        let len = self.order.len();
        // From a group's row the first step is onto its first job, or onto the last one above it.
        let (at, first) = match self.group() {
            Some(group) => (group.jobs.start, usize::from(!forward)),
            None if self.folds.by() == FoldBy::Nothing => (self.at, 1),
            None => (self.order.iter().position(|ix| self.selected == Some(*ix)).unwrap_or(0), 1),
        };
        let place = |step: usize| if forward { (at + step) % len } else { (at + len - step % len) % len };
        let found = (first..first + len).map(place).filter_map(|at| self.order.get(at)).find(|ix| fits(**ix)).copied();
        if let Some(ix) = found {
            self.select(ix, height);
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
        self.reveal(jobs);
        self.folds.arrange(jobs, &self.order);
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

    /// The job that is to be selected is in an open group.
    fn reveal(&mut self, jobs: &Jobs) {
        if let Some(row) = self.preferred.and_then(|ix| jobs.get(ix)).filter(|_| self.folds.by() != FoldBy::Nothing) {
            self.folds.open(self.folds.by().key(row), true);
            self.group = None;
        }
    }

    /// Follows the selected job to its new row, and keeps it in the same row of the screen where that can be.
    fn find_selection(&mut self, jobs: &Jobs, height: usize) {
        let len = self.len();
        let preferred = self.preferred.take().filter(|ix| self.order.contains(ix));
        self.held |= preferred.is_some();
        if !self.held {
            (self.selected, self.at, self.top) = (self.order.first().copied(), 0, 0);
            self.go_to(0, height);
            return;
        }
        self.selected = preferred.or(self.selected);
        let gone = self.selected.is_none_or(|ix| jobs.get(ix).is_none());
        let own = self.selected.filter(|_| self.group.is_none());
        let found = own.and_then(|ix| self.place_of(ix)).or(self.group().map(|group| group.at));
        // The group of a job that is not seen stands for it.
        let hidden = own.filter(|_| found.is_none()).and_then(|ix| jobs.get(ix)).map(|row| self.folds.by().key(row));
        let closed = self.folds.groups().iter().find(|group| hidden == Some(&group.key));
        if let Some(at) = closed.map(|group| group.at) {
            self.go_to(at, height);
            return;
        }
        match found {
            Some(at) => {
                if self.top > 0 {
                    self.top = (self.top + at).saturating_sub(self.at);
                }
                self.at = at;
            }
            None => {
                self.at = self.at.min(len.saturating_sub(1));
                let neighbour = self.item(self.at);
                self.group = None;
                if gone || neighbour.is_some() {
                    self.selected = None;
                    self.go_to(self.at, height);
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
            self.top = scroll::window(self.top, self.at, self.len(), height);
        }
    }

    fn sort_rows(&self, jobs: &Jobs, rows: &mut [JobIx]) {
        if self.sort == SortBy::Status && !self.reversed && self.folds.by() == FoldBy::Nothing {
            rows.sort_by_cached_key(|ix| (jobs.get(*ix).map(Row::rank), *ix));
        } else {
            rows.sort_by(|a, b| self.compare(jobs, *a, *b));
        }
    }

    fn compare(&self, jobs: &Jobs, a: JobIx, b: JobIx) -> Ordering {
        let (Some(one), Some(two)) = (jobs.get(a), jobs.get(b)) else { return a.cmp(&b) };
        let by_column = self.sort.compare(one, two, &self.columns);
        let order = by_column.then(a.cmp(&b));
        let group = self.folds.by().key(one).cmp(self.folds.by().key(two));
        group.then(if self.reversed { order.reverse() } else { order })
    }
}
