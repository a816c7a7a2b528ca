//! The list folded into groups, by service or by tag: each with a bar of its states, and its counts.

use super::{Answer, Context, Look, Overlay, Press, Request, window};
use crate::app::action::Action;
use crate::app::keys::Key;
use crate::app::list::Group;
use crate::app::list::jobs::Jobs;
use crate::app::scroll::{Cursor, Motion};
use crate::app::text::{Line, Tone};
use crate::domain::clean::Clean;
use crate::domain::durations::{self, By, Sample};
use crate::domain::job::JobIx;
use crate::domain::state::State;
use crate::domain::stats::Counts;
use crate::domain::{cost::Cost, human};

const WIDTH: u16 = 120;

/// The figures of all jobs.
pub fn samples(jobs: &Jobs) -> Vec<Sample<'_, JobIx>> {
    jobs.iter().map(|(ix, row)| Sample::new(ix, &row.job.service, &row.job.tags, &row.known)).collect()
}

/// A group's name as it is shown.
pub fn shown_name(name: &str) -> Clean {
    if name.is_empty() { Clean::from("no tag") } else { Clean::new(name) }
}

#[derive(Debug)]
struct Entry {
    name: Clean,
    jobs: Vec<JobIx>,
    counts: Counts,
    cost: Option<Cost>,
}

/// The groups.
#[derive(Debug, Default)]
pub struct Groups {
    by: By,
    entries: Vec<Entry>,
    cursor: Cursor,
}

impl Groups {
    fn row(entry: &Entry, context: &Context<'_>) -> Line {
        let width = context.width(WIDTH);
        let name = width.saturating_sub(60).clamp(12, 40);
        let name_text = crate::app::text::cut(&entry.name, name, "…");
        let blanks = " ".repeat((name + 1).saturating_sub(unicode_width::UnicodeWidthStr::width(name_text.as_str())));
        let mut line = Line::of(Tone::Plain, &name_text).with(Tone::Plain, &blanks);
        let bar = 24.min(width.saturating_sub(name + 20));
        let states = State::ALL.map(|state| u64::from(entry.counts.of(state)));
        for (state, cells) in State::ALL.into_iter().zip(shares(&states, bar)) {
            let cell = if state.is_terminal() { "█" } else { "░" };
            line = line.with(Tone::Fill(state), &cell.repeat(cells));
        }
        line = line.with(Tone::Strong, &format!(" {:>5}", human::count(u64::from(entry.counts.total()))));
        if let Some(cost) = entry.cost {
            line = line.with(Tone::Plain, &format!("  {:>8}", cost.to_string()));
        }
        for state in [State::Running, State::Succeeded, State::Partial, State::Failed, State::Lost] {
            let count = entry.counts.of(state);
            if count > 0 {
                line = line.with(Tone::State(state), &format!("  {}", human::count(u64::from(count))));
                line = line.with(Tone::Dim, &format!(" {state}"));
            }
        }
        line
    }
}

impl Overlay for Groups {
    fn opener(&self) -> Action {
        Action::Groups
    }

    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        self.cursor.go(motion, self.entries.len(), context.rows());
    }

    fn press(&mut self, _: Key, action: Option<Action>) -> Answer {
        match (action, self.entries.get(self.cursor.at)) {
            (Some(Action::Groups), _) if self.by == By::Service => {
                (self.by, self.cursor) = (By::Tag, Cursor::default());
                Answer::Refresh
            }
            (Some(Action::Open), Some(entry)) => Answer::CloseAnd(Request::List(Group {
                heading: Clean::from(format!("{} {}", self.by.as_str(), entry.name)),
                jobs: entry.jobs.iter().copied().collect(),
            })),
            (Some(Action::Mark), Some(entry)) => Answer::Also(Request::Mark(entry.jobs.clone())),
            (_, _) => Answer::Stay,
        }
    }

    fn refresh(&mut self, jobs: &Jobs) {
        let entry = |group: durations::Group<JobIx>| {
            let mut counts = Counts::default();
            group.jobs.iter().filter_map(|ix| jobs.get(*ix)).for_each(|row| counts.add(&row.known));
            Entry { name: shown_name(&group.name), jobs: group.jobs, counts, cost: group.cost }
        };
        self.entries = durations::groups(&samples(jobs), self.by).into_iter().map(entry).collect();
        self.cursor.at = self.cursor.at.min(self.entries.len().saturating_sub(1));
    }

    fn hints(&self) -> Vec<(Press, &'static str)> {
        let next = if self.by == By::Service { "by tag" } else { "close" };
        vec![
            (Press::Of(Action::Open), "show jobs"),
            (Press::Of(Action::Mark), "mark them"),
            (Press::Of(Action::Groups), next),
        ]
    }

    fn look(&self, context: &Context<'_>) -> Look {
        let height = self.entries.len().clamp(1, context.rows());
        let rows = self.entries.iter().map(|entry| Self::row(entry, context)).collect();
        let (rows, selected) = window(rows, self.cursor, height);
        let title = format!("Groups by {}: {}", self.by.as_str(), self.entries.len());
        Look { title, width: WIDTH, rows, selected, height, ..Look::default() }
    }
}

/// Cells of a bar by these counts: what is not nothing has one at least, and together they fill the bar.
pub fn shares(counts: &[u64], cells: usize) -> Vec<usize> {
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return vec![0; counts.len()];
    }
    let exact = |count: u64| count as f64 * cells as f64 / total as f64;
    let least = |count: u64| usize::from(count > 0);
    let mut shares: Vec<usize> =
        counts.iter().map(|count| (exact(*count).floor() as usize).max(least(*count))).collect();
    // What is missing goes where most was cut off, what is too much is taken from the longest.
    loop {
        let sum: usize = shares.iter().sum();
        let by = |n: &usize| {
            let off =
                counts.get(*n).copied().map(exact).unwrap_or_default() - shares.get(*n).copied().unwrap_or(0) as f64;
            (off * 1e6) as i64
        };
        if sum < cells {
            let Some(share) = (0..counts.len()).max_by_key(by).and_then(|n| shares.get_mut(n)) else { return shares };
            *share += 1;
        } else if sum > cells {
            let Some(share) = shares.iter_mut().max().filter(|share| **share > 1) else { return shares };
            *share -= 1;
        } else {
            return shares;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_one_job_never_vanishes_from_the_bar() {
        assert_eq!(shares(&[1, 9998, 1], 10), [1, 8, 1]);
        assert_eq!(shares(&[5, 5], 10), [5, 5]);
        assert_eq!(shares(&[0, 0], 10), [0, 0]);
        assert_eq!(shares(&[1, 1, 1], 10).iter().sum::<usize>(), 10);
        assert_eq!(shares(&[1, 1, 1], 2), [1, 1, 1], "no room for all: the frame cuts");
    }
}
