//! How long and how much: queued and running time per service, tag or reason, and the slowest jobs.

use std::time::Duration;

use super::{KeyOutcome, Overlay, OverlayContext, OverlayRequest, OverlayRows, Press, window};
use crate::app::action::Action;
use crate::app::keys::Key;
use crate::app::list;
use crate::app::list::jobs::Jobs;
use crate::app::scroll::{Motion, RowCursor};
use crate::app::text::{self, TextLine, Tone};
use crate::domain::clean::Clean;
use crate::domain::durations::{self, BARS, DurationGroup, GroupBy, Sample, Spread};
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::domain::state::State;

const WIDTH: u16 = 130;
/// How many of the slowest jobs are listed.
const SLOWEST: usize = 10;
/// Other cells than those of bars, which keep their colours under the cursor.
const STEPS: [&str; 5] = ["▁", "▃", "▅", "▇", "█"];

/// The figures of all jobs.
pub fn samples(jobs: &Jobs) -> Vec<Sample<'_, JobIx>> {
    jobs.iter().map(|(ix, row)| Sample::new(ix, &row.job.service, &row.job.tags, &row.known)).collect()
}

/// A group's name as it is shown.
fn shown_name(name: &str) -> Clean {
    if name.is_empty() { Clean::from("no tag") } else { Clean::new(name) }
}

#[derive(Debug, Default)]
pub struct Durations {
    by: GroupBy,
    entries: Vec<DurationGroup<JobIx>>,
    slowest: Vec<(JobIx, Duration)>,
    cursor: RowCursor,
}

impl Durations {
    fn len(&self) -> usize {
        self.entries.len() + self.slowest.len()
    }

    fn lines(&self, context: &OverlayContext<'_>) -> Vec<TextLine> {
        let DurationColumns { name, times, wide } = DurationColumns::of(context);
        let fit = |text: &str| text::padded(text, name);
        let long = is_long(context);
        let columns = |spread: &Option<Spread>| {
            let time = |column: &TimeColumn| {
                spread.as_ref().map_or_else(|| "–".to_owned(), |it| human::duration((column.1)(it)))
            };
            times.iter().map(|column| format!("{:>6} ", time(column))).collect::<String>()
        };
        let entry = |entry: &DurationGroup<JobIx>| {
            let mut line = TextLine::of(Tone::Plain, &fit(&shown_name(&entry.name)))
                .with(Tone::Strong, &format!("{:>6} ", human::count(entry.jobs.len() as u64)))
                .with(Tone::Dim, &format!(" {}", columns(&entry.queued)))
                .with(Tone::Plain, &format!(" {}", columns(&entry.ran)));
            if wide {
                line = line.with(
                    Tone::Fill(State::Running),
                    &format!(" {:<BARS$}", entry.ran.as_ref().map(histogram).unwrap_or_default()),
                );
                let rate = entry.per_minute.filter(|_| long).map_or_else(String::new, |rate| format!("{rate:.1}/min"));
                line = line.with(Tone::Dim, &format!(" {rate:>9}"));
                let costs = entry.cost.map(|cost| (cost.to_string(), entry.cost_per_job()));
                if let Some((cost, per_job)) = costs {
                    // Many services name a cost of some jobs only.
                    let of = if entry.costed < entry.jobs.len() { "priced job" } else { "job" };
                    let per_job = per_job.map(|cost| format!(" {cost}/{of}")).unwrap_or_default();
                    line = line.with(Tone::Plain, &format!("  {cost}")).with(Tone::Dim, &per_job);
                }
            }
            line
        };
        let slow = |(ix, time): &(JobIx, Duration)| {
            let row = context.jobs.get(*ix);
            let title = row.map(|row| row.title.to_string()).unwrap_or_default();
            let state = row.map(|row| row.known.state).unwrap_or_default();
            let service = row.map(|row| Clean::new(&row.job.service)).unwrap_or_default();
            TextLine::of(Tone::Plain, &fit(&title))
                .with(Tone::Strong, &format!("{:>6} ", human::duration(*time)))
                .with(Tone::State(state), &format!("  {state:<10}"))
                .with(Tone::Dim, &format!(" {service}"))
        };
        self.entries.iter().map(entry).chain(self.slowest.iter().map(slow)).collect()
    }

    fn rows(&self, context: &OverlayContext<'_>) -> usize {
        self.len().clamp(1, context.rows().saturating_sub(3).max(1))
    }
}

impl Overlay for Durations {
    fn opener(&self) -> Action {
        Action::Durations
    }

    fn go(&mut self, motion: Motion, context: &OverlayContext<'_>) {
        let (len, rows) = (self.len(), self.rows(context));
        self.cursor.go(motion, len, rows);
    }

    fn press(&mut self, _: Key, action: Option<Action>) -> KeyOutcome {
        match action {
            Some(Action::NextPane | Action::NextTab) => {
                (self.by, self.cursor) = (self.by.next(), RowCursor::default());
                KeyOutcome::Refresh
            }
            Some(Action::Open) => {
                let group = self.entries.get(self.cursor.at).map(|entry| list::ChosenJobs {
                    heading: Clean::from(format!("{} {}", self.by.as_str(), shown_name(&entry.name))),
                    jobs: entry.jobs.iter().copied().collect(),
                });
                let slow = self.cursor.at.checked_sub(self.entries.len()).and_then(|n| self.slowest.get(n));
                match (group, slow) {
                    (Some(group), _) => KeyOutcome::CloseAnd(OverlayRequest::List(group)),
                    (None, Some((ix, _))) => KeyOutcome::CloseAnd(OverlayRequest::Select(*ix)),
                    (None, None) => KeyOutcome::Close,
                }
            }
            Some(_) | None => KeyOutcome::Stay,
        }
    }

    fn refresh(&mut self, jobs: &Jobs) {
        let samples = samples(jobs);
        self.entries = durations::groups(&samples, self.by);
        self.slowest = durations::slowest(&samples, SLOWEST);
        self.cursor.at = self.cursor.at.min(self.len().saturating_sub(1));
    }

    fn hints(&self, _: &OverlayContext<'_>) -> Vec<(Press, &'static str)> {
        let turn = match self.by.next() {
            GroupBy::Service => "by service",
            GroupBy::Tag => "by tag",
            GroupBy::Reason => "by reason",
        };
        vec![(Press::Of(Action::Open), "show"), (Press::Of(Action::NextPane), turn)]
    }

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows {
        let DurationColumns { name, times: shown, wide } = DurationColumns::of(context);
        let times: String = shown.iter().map(|(title, _)| format!("{title:>6} ")).collect();
        let mut head = format!("{:<name$}  jobs  {times} {times}", self.by.as_str());
        if wide {
            let pace = if is_long(context) { "finished" } else { "" };
            let cost = if context.jobs.tally().costed > 0 { "cost" } else { "" };
            head.push_str(&format!(" {:<BARS$} {pace:>9}  {cost}", "running time"));
        }
        let gap = " ".repeat(name + 8);
        let over = format!("{gap}  {:<1$} running", "queued", times.len());
        let height = self.rows(context);
        let (mut rows, selected) = window(self.lines(context), self.cursor, height);
        rows.insert(0, TextLine::of(Tone::Dim, &head));
        rows.insert(0, TextLine::of(Tone::Dim, &over));
        // The slowest jobs have their own heading, if they are in sight.
        let top = crate::app::scroll::window(self.cursor.top, self.cursor.at, self.len(), height);
        let at = self.entries.len().checked_sub(top).filter(|at| *at <= height && !self.slowest.is_empty());
        let mut selected = selected.map(|selected| selected + 2);
        if let Some(at) = at {
            rows.insert(at + 2, TextLine::of(Tone::Dim, "slowest jobs"));
            selected = selected.map(|selected| if selected >= at + 2 { selected + 1 } else { selected });
        }
        let title = format!("Durations by {}", self.by.as_str());
        let tally = context.jobs.tally();
        let cost = tally.cost_of().map(|of| format!("{} in all, {of}", tally.cost));
        let late = tally.ran_at_least().then(|| "running: at least, many ran before they were seen".to_owned());
        let corner = late.into_iter().chain(cost).collect::<Vec<_>>().join(" · ");
        OverlayRows { corner, title, width: WIDTH, rows, selected, height: height + 3, ..OverlayRows::default() }
    }
}

/// A time of a spread, and its title.
type TimeColumn = (&'static str, fn(&Spread) -> Duration);

const MEDIAN: TimeColumn = ("median", |spread| spread.median);
const P90: TimeColumn = ("p90", |spread| spread.p90);
const MOST: TimeColumn = ("most", |spread| spread.longest);

struct DurationColumns {
    /// Cells of the name.
    name: usize,
    times: &'static [TimeColumn],
    /// Whether histogram, pace and cost are there too.
    wide: bool,
}

impl DurationColumns {
    /// Where the name would be cut there is no 90th percentile.
    fn of(context: &OverlayContext<'_>) -> Self {
        let width = context.width(WIDTH);
        let times: &'static [TimeColumn] = if width < 66 { &[MEDIAN, MOST] } else { &[MEDIAN, P90, MOST] };
        let taken = 10 + 2 * (1 + 7 * times.len());
        let wide = width >= 100;
        let name = width.saturating_sub(if wide { taken + 50 } else { taken }).clamp(10, 44);
        Self { name, times, wide }
    }
}

/// Whether the batch took a minute at least: of less a number per minute says nothing.
fn is_long(context: &OverlayContext<'_>) -> bool {
    let tally = context.jobs.tally();
    let took = tally.begun.zip(tally.ended).map(|(begun, ended)| human::age(begun, ended));
    took.is_some_and(|took| took.as_secs() >= 60)
}

/// How running times are spread from zero to the longest.
fn histogram(spread: &Spread) -> String {
    let most = spread.histogram.iter().max().copied().unwrap_or(0).max(1) as usize;
    let step = |count: &u32| match *count as usize {
        0 => " ",
        count => STEPS.get((count * STEPS.len()).div_ceil(most) - 1).copied().unwrap_or(" "),
    };
    spread.histogram.iter().map(step).collect()
}
