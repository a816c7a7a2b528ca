//! The list folded into groups: by service, tag or batch, each a row with its counts, its jobs below it while it is open.

use std::collections::HashSet;

use super::jobs::{Jobs, Row};
use super::tally;
use crate::domain::clean::Clean;
use crate::domain::cost::Cost;
use crate::domain::job::JobIx;
use crate::domain::stats::StateCounts;

/// What the list is folded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FoldBy {
    /// Nothing: every row is a job.
    #[default]
    Nothing,
    Service,
    /// The first of a job's tags.
    Tag,
    Batch,
}

impl FoldBy {
    /// Every way, in the order of the key.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Service, Self::Tag, Self::Batch];

    /// The word of the title and of the kept view.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Service => "service",
            Self::Tag => "tag",
            Self::Batch => "batch",
        }
    }

    /// The way after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Nothing => Self::Service,
            Self::Service => Self::Tag,
            Self::Tag => Self::Batch,
            Self::Batch => Self::Nothing,
        }
    }

    /// What a job has in common with its group. Empty without a fold or a tag. Foreign text.
    pub fn key(self, row: &Row) -> &str {
        match self {
            Self::Nothing => "",
            Self::Service => &row.job.service,
            Self::Tag => row.job.tags.first().map_or("", String::as_str),
            Self::Batch => row.job.batch.as_deref().unwrap_or_default(),
        }
    }
}

/// A row of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A group, by its number.
    Group(usize),
    Job(JobIx),
}

/// Listed jobs that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct JobGroup {
    by: FoldBy,
    /// What they have in common; empty for jobs without one. Foreign text.
    pub key: String,
    /// Its row.
    pub at: usize,
    /// Its jobs are these of the list's order.
    pub jobs: std::ops::Range<usize>,
    /// How many are in which state.
    pub counts: StateCounts,
    /// What they cost, as far as that is known of any.
    pub cost: Option<Cost>,
}

impl JobGroup {
    pub fn name(&self) -> Clean {
        if self.key.is_empty() { Clean::from(format!("no {}", self.by.as_str())) } else { Clean::new(&self.key) }
    }
}

/// Which groups there are, which are open, and the rows that this makes.
#[derive(Debug, Default)]
pub struct GroupFolds {
    by: FoldBy,
    open: HashSet<String>,
    groups: Vec<JobGroup>,
    rows: Vec<Item>,
}

impl GroupFolds {
    /// What the list is folded by.
    pub fn by(&self) -> FoldBy {
        self.by
    }

    /// Folds so, with these groups open.
    pub fn set(&mut self, by: FoldBy, open: HashSet<String>) {
        (self.by, self.open) = (by, open);
    }

    /// The groups, in the order of their rows.
    pub fn groups(&self) -> &[JobGroup] {
        &self.groups
    }

    /// The rows; of a list that is not folded none.
    pub fn rows(&self) -> &[Item] {
        &self.rows
    }

    /// The names of the open groups.
    pub fn opened(&self) -> &HashSet<String> {
        &self.open
    }

    pub fn is_open(&self, group: &JobGroup) -> bool {
        self.open.contains(&group.key)
    }

    /// Opens or closes the group of this name.
    pub fn open(&mut self, key: &str, open: bool) {
        if open {
            self.open.insert(key.to_owned());
        } else {
            self.open.remove(key);
        }
    }

    /// Opens or closes all groups.
    pub fn open_all(&mut self, open: bool) {
        self.open = self.groups.iter().filter(|_| open).map(|group| group.key.clone()).collect();
    }

    /// The rows of these jobs, which are in the order of their groups.
    pub fn arrange(&mut self, jobs: &Jobs, order: &[JobIx]) {
        self.groups.clear();
        self.rows.clear();
        if self.by == FoldBy::Nothing {
            return;
        }
        for (n, ix) in order.iter().enumerate() {
            let Some(row) = jobs.get(*ix) else { continue };
            let key = self.by.key(row);
            if self.groups.last().is_none_or(|group| group.key != key) {
                let at = self.rows.len();
                self.rows.push(Item::Group(self.groups.len()));
                let (by, key, counts) = (self.by, key.to_owned(), StateCounts::default());
                self.groups.push(JobGroup { by, key, at, jobs: n..n, counts, cost: None });
            }
            let Some(group) = self.groups.last_mut() else { continue };
            group.jobs.end = n + 1;
            group.counts.add(&row.known);
            if let Some(cost) = tally::cost(row) {
                group.cost = Some(group.cost.map_or(cost, |sum| sum + cost));
            }
            if self.open.contains(&group.key) {
                self.rows.push(Item::Job(*ix));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_have_nothing_in_common_are_called_by_what_they_have_none_of() {
        let group =
            |by| JobGroup { by, key: String::new(), at: 0, jobs: 0..1, counts: StateCounts::default(), cost: None };
        assert_eq!(group(FoldBy::Tag).name().as_str(), "no tag");
        assert_eq!(group(FoldBy::Batch).name().as_str(), "no batch");
    }
}
