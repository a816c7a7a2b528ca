//! How long and how much: queued and running time per service, tag or reason, and the slowest jobs.

use std::time::Duration;

use jiff::Timestamp;

use super::groups::{By, grouped};
use super::{Answer, Context, Look, Overlay, Press, Request, window};
use crate::app::action::Action;
use crate::app::keys::Key;
use crate::app::list::Group;
use crate::app::list::jobs::Jobs;
use crate::app::scroll::{Cursor, Motion};
use crate::app::text::{self, Line, Tone};
use crate::domain::clean::Clean;
use crate::domain::job::JobIx;
use crate::domain::state::State;
use crate::domain::{human, note};

const WIDTH: u16 = 130;
/// Cells of the histogram.
const HISTOGRAM: usize = 12;
/// How many of the slowest jobs are listed.
const SLOWEST: usize = 10;
const STEPS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Median, 90th percentile and longest of some durations.
#[derive(Debug, Clone, Copy, Default)]
struct Three {
    median: Duration,
    p90: Duration,
    longest: Duration,
}

impl Three {
    fn of(times: &mut [Duration]) -> Option<Self> {
        times.sort_unstable();
        let at = |per_cent: usize| times.get((times.len() * per_cent).div_ceil(100).max(1) - 1).copied();
        Some(Self { median: at(50)?, p90: at(90)?, longest: at(100)? })
    }
}

#[derive(Debug)]
struct Entry {
    name: Clean,
    jobs: Vec<JobIx>,
    queued: Option<Three>,
    ran: Option<Three>,
    histogram: String,
    per_minute: Option<f64>,
}

/// The table.
#[derive(Debug, Default)]
pub struct Durations {
    by: By,
    entries: Vec<Entry>,
    slowest: Vec<(JobIx, Duration)>,
    cursor: Cursor,
}

impl Durations {
    fn len(&self) -> usize {
        self.entries.len() + self.slowest.len()
    }

    fn lines(&self, context: &Context<'_>) -> Vec<Line> {
        let width = context.width(WIDTH);
        let name = width.saturating_sub(if width >= 100 { 84 } else { 52 }).clamp(10, 44);
        let fit = |text: &str| {
            let text = text::cut(text, name, "…");
            let blanks = " ".repeat(name.saturating_sub(unicode_width::UnicodeWidthStr::width(text.as_str())));
            text + &blanks
        };
        let three = |three: Option<Three>| match three {
            Some(Three { median, p90, longest }) => [median, p90, longest].map(human::duration),
            None => ["–", "–", "–"].map(str::to_owned),
        };
        let entry = |entry: &Entry| {
            let (queued, ran) = (three(entry.queued), three(entry.ran));
            let columns = |times: &[String; 3]| times.iter().map(|time| format!("{time:>6} ")).collect::<String>();
            let mut line = Line::of(Tone::Plain, &fit(&entry.name))
                .with(Tone::Strong, &format!("{:>6} ", human::count(entry.jobs.len() as u64)))
                .with(Tone::Dim, &format!(" {}", columns(&queued)))
                .with(Tone::Plain, &format!(" {}", columns(&ran)));
            if width >= 100 {
                line = line.with(Tone::Fill(State::Running), &format!(" {:<HISTOGRAM$}", entry.histogram));
                let rate = entry.per_minute.map_or_else(String::new, |rate| format!("{rate:.1}/min"));
                line = line.with(Tone::Dim, &format!(" {rate:>9}"));
            }
            line
        };
        let slow = |(ix, time): &(JobIx, Duration)| {
            let row = context.jobs.get(*ix);
            let title = row.map(|row| row.title.to_string()).unwrap_or_default();
            let state = row.map(|row| row.known.state).unwrap_or_default();
            let service = row.map(|row| Clean::new(&row.job.service)).unwrap_or_default();
            Line::of(Tone::Plain, &fit(&title))
                .with(Tone::Strong, &format!("{:>6} ", human::duration(*time)))
                .with(Tone::State(state), &format!("  {state:<10}"))
                .with(Tone::Dim, &format!(" {service}"))
        };
        self.entries.iter().map(entry).chain(self.slowest.iter().map(slow)).collect()
    }

    fn rows(&self, context: &Context<'_>) -> usize {
        self.len().clamp(1, context.rows().saturating_sub(3).max(1))
    }
}

impl Overlay for Durations {
    fn opener(&self) -> Action {
        Action::Durations
    }

    fn go(&mut self, motion: Motion, context: &Context<'_>) {
        let (len, rows) = (self.len(), self.rows(context));
        self.cursor.go(motion, len, rows);
    }

    fn press(&mut self, _: Key, action: Option<Action>) -> Answer {
        match action {
            Some(Action::NextPane | Action::NextTab) => {
                (self.by, self.cursor) = (self.by.next(), Cursor::default());
                Answer::Refresh
            }
            Some(Action::Open) => {
                let group = self.entries.get(self.cursor.at).map(|entry| Group {
                    heading: Clean::from(format!("{} {}", self.by.as_str(), entry.name)),
                    jobs: entry.jobs.iter().copied().collect(),
                });
                let slow = self.cursor.at.checked_sub(self.entries.len()).and_then(|n| self.slowest.get(n));
                match (group, slow) {
                    (Some(group), _) => Answer::CloseAnd(Request::List(group)),
                    (None, Some((ix, _))) => Answer::CloseAnd(Request::Select(*ix)),
                    (None, None) => Answer::Close,
                }
            }
            Some(_) | None => Answer::Stay,
        }
    }

    fn refresh(&mut self, jobs: &Jobs) {
        let entry = |(name, members): (Clean, Vec<JobIx>)| {
            let rows = || members.iter().filter_map(|ix| jobs.get(*ix));
            let now = Timestamp::MAX;
            let waited = |started: Option<Timestamp>, known| started.and_then(|at| note::queued(known, at));
            let mut queued: Vec<Duration> =
                rows().filter_map(|row| waited(row.known.running_since, &row.known)).collect();
            let mut ran: Vec<Duration> = rows()
                .filter(|row| row.known.state.is_terminal())
                .filter_map(|row| note::ran(&row.known, now))
                .collect();
            let finished: Vec<Timestamp> =
                rows().filter(|row| row.known.state.is_terminal()).filter_map(|row| row.known.finished_at).collect();
            let begun = rows().filter_map(|row| row.known.first_seen).min();
            let span = begun.zip(finished.iter().max().copied()).map(|(from, to)| human::age(from, to).as_secs_f64());
            let per_minute = span.filter(|span| *span >= 1.0).map(|span| finished.len() as f64 * 60.0 / span);
            let histogram = histogram(&ran);
            let (queued, ran) = (Three::of(&mut queued), Three::of(&mut ran));
            Entry { name, jobs: members, queued, ran, histogram, per_minute }
        };
        self.entries = grouped(jobs, self.by).into_iter().map(entry).collect();
        let mut all: Vec<(JobIx, Duration)> = jobs
            .iter()
            .filter(|(_, row)| row.known.state.is_terminal())
            .filter_map(|(ix, row)| Some((ix, note::took(&row.known)?)))
            .collect();
        let cut = all.len().saturating_sub(SLOWEST);
        if cut > 0 {
            all.select_nth_unstable_by_key(cut, |(_, time)| *time);
            all.drain(..cut);
        }
        all.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        self.slowest = all;
        self.cursor.at = self.cursor.at.min(self.len().saturating_sub(1));
    }

    fn hints(&self) -> Vec<(Press, &'static str)> {
        let turn = match self.by.next() {
            By::Service => "by service",
            By::Tag => "by tag",
            By::Reason => "by reason",
        };
        vec![(Press::Of(Action::Open), "show"), (Press::Of(Action::NextPane), turn)]
    }

    fn look(&self, context: &Context<'_>) -> Look {
        let width = context.width(WIDTH);
        let name = width.saturating_sub(if width >= 100 { 84 } else { 52 }).clamp(10, 44);
        let times = "median    p90   most ";
        let mut head = format!("{:<name$}  jobs  {times}  {times}", self.by.as_str());
        if width >= 100 {
            head.push_str(&format!(" {:<HISTOGRAM$} {:>9}", "running time", "finished"));
        }
        let gap = " ".repeat(name + 8);
        let over = format!("{gap}{:<21}  running", "queued");
        let height = self.rows(context);
        let (mut rows, selected) = window(self.lines(context), self.cursor, height);
        rows.insert(0, Line::of(Tone::Dim, &head));
        rows.insert(0, Line::of(Tone::Dim, &over));
        // The slowest jobs have a heading of their own, if they are in sight.
        let top = crate::app::scroll::window(self.cursor.top, self.cursor.at, self.len(), height);
        let at = self.entries.len().checked_sub(top).filter(|at| *at <= height && !self.slowest.is_empty());
        let mut selected = selected.map(|selected| selected + 2);
        if let Some(at) = at {
            rows.insert(at + 2, Line::of(Tone::Dim, "slowest jobs"));
            selected = selected.map(|selected| if selected >= at + 2 { selected + 1 } else { selected });
        }
        let title = format!("Durations by {}", self.by.as_str());
        Look { title, width: WIDTH, rows, selected, height: height + 3, ..Look::default() }
    }
}

/// How the durations are distributed, from none to the longest.
fn histogram(times: &[Duration]) -> String {
    let longest = times.iter().max().copied().unwrap_or_default().as_secs_f64().max(1.0);
    let mut counts = [0_usize; HISTOGRAM];
    for time in times {
        let at = (time.as_secs_f64() / longest * HISTOGRAM as f64) as usize;
        if let Some(count) = counts.get_mut(at.min(HISTOGRAM - 1)) {
            *count += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0).max(1);
    let step = |count: usize| match count {
        0 => " ",
        count => STEPS.get((count * STEPS.len()).div_ceil(most) - 1).copied().unwrap_or(" "),
    };
    counts.into_iter().map(step).collect()
}
