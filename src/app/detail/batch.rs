//! The batch as a page: its outcome in a sentence, times and money, failures by reason, the slowest jobs, what to press
//! next. It is beside the list once the batch is finished.

use std::time::Duration;

use crate::app::App;
use crate::app::action::Action;
use crate::app::list::jobs::{Jobs, Row};
use crate::app::outcome::STACK;
use crate::app::overlay::durations::samples;
use crate::app::overlay::reasons::{Reason, reasons};
use crate::app::text::{self, BAR_CELL, LABEL, TextLine, Tone};
use crate::domain::clean::Clean;
use crate::domain::durations;
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::domain::note;
use crate::domain::state::State;

use super::Tab;

/// From this many columns on reasons and slowest jobs are side by side.
const TWO_COLUMNS: usize = 110;
/// Cells of a bar.
const BAR: usize = 10;
/// How many of the slowest jobs are counted.
const SLOWEST: usize = 8;
/// Columns from which on there are all keys.
const WIDE: usize = 100;
/// Cells of a block of the outcome at most.
const WIDEST: usize = 28;
/// Rows from which on there are blank ones between the parts, and the outcome is three rows high.
const ROOMY: usize = 14;

/// What is counted over all jobs when the page is opened, and at most once a second after that.
#[derive(Debug, Default)]
pub struct Figures {
    reasons: Vec<Reason>,
    slowest: Vec<(JobIx, Duration)>,
}

impl Figures {
    /// The figures of the jobs as they are.
    pub fn of(jobs: &Jobs) -> Self {
        Self { reasons: reasons(jobs), slowest: durations::slowest(&samples(jobs), SLOWEST) }
    }
}

impl App {
    /// Shows the batch in place of the job's tab, until another job is selected or opened.
    pub(in crate::app) fn show_batch(&mut self) {
        if self.detail.tab != Tab::Batch {
            self.detail.returns_to = Some(self.detail.tab);
        }
        self.detail.tab = Tab::Batch;
        self.figures = Figures::of(&self.jobs);
    }

    /// The tab that was open before the batch was shown, if it was shown in its place.
    pub(in crate::app) fn leave_batch(&mut self) {
        if let Some(tab) = self.detail.returns_to.take().filter(|_| self.detail.tab == Tab::Batch) {
            self.detail.tab = tab;
        }
    }

    /// The lines of the page for this many cells.
    pub fn batch_lines(&self, width: usize, height: usize) -> Vec<TextLine> {
        if self.jobs.stats().counts().total() == 0 {
            return Vec::new();
        }
        let mut parts = vec![self.blocks(width, height >= ROOMY)];
        parts.push(text::wrapped(vec![self.outcome_line(width)], width, true));
        let side = width >= TWO_COLUMNS;
        let column = if side { width * 3 / 5 } else { width };
        let next = text::wrapped(vec![self.next_line(width, height)], width, true);
        let taken: usize = parts.iter().chain([&next]).map(Vec::len).sum();
        let gaps = if height >= ROOMY { 3 } else { 0 };
        let room = height.saturating_sub(taken + gaps).clamp(2, SLOWEST + 1);
        let reasons = self.reason_lines(column, room);
        if side && !reasons.is_empty() {
            parts.extend([text::beside(reasons, self.slowest_lines(width - column, room), column), next]);
        } else {
            // Only whole: `D` has them too.
            let left = height.saturating_sub(taken + reasons.len() + gaps + 1);
            let slowest = if left > 2 { self.slowest_lines(column, left) } else { Vec::new() };
            parts.extend([reasons, slowest, next]);
        }
        parts.retain(|part| !part.is_empty());
        let gap: &[TextLine] = if gaps > 0 { &[TextLine::default()] } else { &[] };
        parts.join(gap)
    }

    /// What is said of the group under the list's cursor.
    pub fn group_lines(&self, width: usize, height: usize) -> Vec<TextLine> {
        let Some(group) = self.list.group() else { return Vec::new() };
        let states = State::ALL.into_iter().filter(|state| group.counts.of(*state) > 0);
        let counts = states.fold(
            TextLine::labelled("jobs", Tone::Strong, &human::count(group.counts.total().into())),
            |line, state| {
                let count = human::count(group.counts.of(state).into());
                line.with(Tone::State(state), &format!("   {count}")).with(Tone::Dim, &format!(" {state}"))
            },
        );
        let mut lines = vec![counts];
        lines.extend(group.cost.map(|cost| TextLine::labelled("cost", Tone::Strong, &cost.to_string())));
        let word = if self.list.folds().is_open(group) { "closes it" } else { "lists its jobs" };
        let keys = [(Action::Open, word), (Action::Mark, "marks them"), (Action::Groups, "folds otherwise")];
        let keys = keys.iter().fold(TextLine::labelled("keys", Tone::Plain, ""), |line, (action, words)| {
            line.with(Tone::Accent, &self.keymap.first_key(*action)).with(Tone::Plain, &format!(" {words}   "))
        });
        lines.extend([TextLine::default(), keys]);
        let mut lines = text::wrapped(lines, width, true);
        // The first of its jobs, as far as there is room: of a closed group they are seen nowhere else.
        let room = height.saturating_sub(lines.len() + 2);
        if room > 1 && !self.list.folds().is_open(group) {
            lines.extend([TextLine::default(), TextLine::of(Tone::Dim, "first of them")]);
            let first = self.list.order().get(group.jobs.clone()).into_iter().flatten().take(room);
            lines.extend(first.filter_map(|ix| self.jobs.get(*ix)).map(|row| self.group_job_line(row, width)));
        }
        lines
    }

    fn group_job_line(&self, row: &Row, width: usize) -> TextLine {
        let name = (width / 4).clamp(10, 32);
        let (fact, _) = self.fact(row);
        let time = note::time(&row.known, self.now.wall).map(human::duration).unwrap_or_default();
        TextLine::of(Tone::State(row.known.state), row.known.state.as_str())
            .with(Tone::Plain, &" ".repeat(LABEL.saturating_sub(row.known.state.as_str().len() + 1)))
            .with(Tone::Plain, &text::padded(&row.title, name))
            .with(Tone::Dim, &format!(" {time:>6}  {}", text::cut(&fact, width.saturating_sub(name + LABEL + 9), "…")))
    }

    /// ` 37 SUCCEEDED   8 PARTIAL   13 FAILED   2 LOST `: a block for each state in its colour, where there is room all of
    /// one width and three rows high: read from two metres away. The share of each is the header's bar.
    fn blocks(&self, width: usize, tall: bool) -> Vec<TextLine> {
        let counts = self.jobs.stats().counts();
        let states = STACK.into_iter().map(|state| (state, counts.of(state))).filter(|(_, count)| *count > 0);
        let blocks: Vec<(State, String)> = states
            .map(|(state, count)| {
                (state, format!(" {} {} ", human::count(count.into()), state.as_str().to_uppercase()))
            })
            .collect();
        let longest = blocks.iter().map(|(_, words)| words.len() + 2).max().unwrap_or_default();
        let cells = (width.saturating_sub(1) / blocks.len().max(1)).saturating_sub(1).min(WIDEST);
        let tall = tall && cells >= longest;
        let row = |said: bool| {
            let mut rows = vec![TextLine::default()];
            for (state, words) in &blocks {
                // Lost has the red of failed, and stripes.
                let is_lost = *state == State::Lost;
                let cells = if tall { cells } else { words.len() + 2 * usize::from(is_lost) };
                let words = if said { words.as_str() } else { "" };
                let block = if is_lost { format!("{words:/^cells$}") } else { format!("{words:^cells$}") };
                if rows.last().is_some_and(|row| row.width() > 0 && row.width() + cells + 1 > width) {
                    rows.push(TextLine::default());
                }
                let row = rows.pop().unwrap_or_default();
                rows.push(row.with(Tone::Plain, " ").with(Tone::Badge(*state), &block));
            }
            rows
        };
        if tall { [row(false), row(true), row(false)].concat() } else { row(true) }
    }

    /// `37 of 60 succeeded, 2 not found or rejected`, and where the header has no room for them the figures.
    fn outcome_line(&self, width: usize) -> TextLine {
        let tally = self.jobs.tally();
        let mut line = TextLine::of(Tone::Strong, &self.success());
        if tally.given_up > 0 {
            let given_up = human::count(tally.given_up.into());
            line = line.with(Tone::Plain, &format!(", {given_up} not found or rejected"));
        }
        let unfinished = self.jobs.stats().counts().total().saturating_sub(self.jobs.over());
        if unfinished > 0 {
            line = line.with(Tone::Plain, &format!(", {} unfinished", human::count(unfinished.into())));
        }
        let figures = if self.layout().header.height > 2 { Vec::new() } else { self.figures() };
        for figure in figures {
            if line.width() + 3 + figure.width() <= width {
                line = line.with(Tone::Plain, "   ");
                line.pieces.extend(figure.pieces);
            }
        }
        line
    }

    fn reason_lines(&self, width: usize, room: usize) -> Vec<TextLine> {
        let reasons = &self.figures.reasons;
        let most = reasons.iter().map(|reason| reason.jobs.len()).max().unwrap_or(0).max(1);
        if reasons.is_empty() {
            return Vec::new();
        }
        let shown = if reasons.len() < room { reasons.len() } else { room.saturating_sub(2).max(1) };
        let mut lines = vec![TextLine::of(Tone::Dim, "failed by reason")];
        for reason in reasons.iter().take(shown) {
            let jobs = reason.jobs.len();
            let bar = BAR_CELL.repeat((jobs * BAR).div_ceil(most));
            let room = width.saturating_sub(BAR + 9);
            lines.push(
                TextLine::of(Tone::Fill(State::Failed), &format!("{bar:<BAR$}"))
                    .with(Tone::Strong, &format!("{:>4}  ", human::count(jobs as u64)))
                    .with(Tone::Plain, &text::cut(&reason.pattern, room, "…")),
            );
        }
        if shown < reasons.len() {
            let hint = self.keymap.hint(Action::Errors, "lists all");
            let more = human::counted(reasons.len() - shown, "more reason");
            lines.push(TextLine::of(Tone::Dim, &format!("{}{more}{hint}", " ".repeat(BAR + 6))));
        }
        lines
    }

    fn slowest_lines(&self, width: usize, room: usize) -> Vec<TextLine> {
        let slowest = &self.figures.slowest;
        let most = slowest.first().map(|(_, time)| time.as_secs_f64()).unwrap_or_default().max(1.0);
        let mut lines = vec![TextLine::of(Tone::Dim, "slowest")];
        for (ix, time) in slowest.iter().take(room.saturating_sub(1)) {
            let Some(row) = self.jobs.get(*ix) else { continue };
            let name = width.saturating_sub(BAR + 24).clamp(10, 32);
            let cells = ((time.as_secs_f64() / most * BAR as f64).round() as usize).clamp(1, BAR);
            lines.push(
                TextLine::of(Tone::Fill(row.known.state), &format!("{:<BAR$}", BAR_CELL.repeat(cells)))
                    .with(Tone::Strong, &format!(" {:>6}  ", human::duration(*time)))
                    .with(Tone::Plain, &text::padded(&row.title, name))
                    .with(Tone::Dim, &format!(" {}", Clean::new(&row.job.service))),
            );
        }
        if lines.len() > 1 { lines } else { Vec::new() }
    }

    /// What to press next: the first problem, all reasons, the user's commands for what failed, durations.
    fn next_line(&self, width: usize, height: usize) -> TextLine {
        let mut hints: Vec<(String, String)> = Vec::new();
        let mut add = |action: Action, words: &str| hints.push((self.keymap.first_key(action), words.to_owned()));
        // Where rows are few the footer's are not said twice.
        if self.jobs.problems() > 0 && height >= ROOMY {
            add(Action::NextProblem, "next problem");
            add(Action::Errors, "mark or list them by reason");
        }
        for (number, command) in (0..).zip(self.keymap.commands()) {
            let meant = self.figures.reasons.iter().flat_map(|reason| &reason.jobs);
            let mut meant = meant.filter_map(|ix| self.jobs.get(*ix));
            if meant.any(|row| row.fits(&command.when, self.now.wall)) {
                add(Action::Run(number), &command.name);
            }
        }
        add(Action::Durations, "durations");
        if width >= WIDE {
            add(Action::Save, "save a result");
        }
        add(Action::Quit, "quit");
        let mut line = TextLine { indent: 7, ..TextLine::default() }.with(Tone::Dim, " next ");
        for (key, words) in hints.into_iter().filter(|(key, _)| !key.is_empty()) {
            line = line.with(Tone::Accent, &format!(" {key}")).with(Tone::Plain, &format!(" {words} "));
        }
        line
    }
}
