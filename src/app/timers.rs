//! When something on the screen changes by time alone, and what happens then.

use std::time::Duration;

use jiff::Timestamp;

use super::effect::Effect;
use super::layout::{Class, Pane};
use super::list::jobs::{Need, Row};
use super::{App, Leaving, detail};
use crate::domain::fact::Gate;
use crate::domain::{human, note};

/// The shortest time between two counts over all jobs.
const RECOUNT: Duration = Duration::from_secs(1);

impl App {
    /// When something on the screen changes by time alone, on the clock of `Now::mono`; None if nothing does. An
    /// `Event::Tick` is due then. All clocks change together, once a second at most.
    pub fn wake_at(&self) -> Option<Duration> {
        if self.searching.is_some() || self.unasked {
            return Some(self.now.mono);
        }
        let toast = self.toast.as_ref().map(|toast| toast.until);
        let clocks = self.next_clock().map(|wait| self.now.mono + wait);
        [toast, self.list.settles_at(), clocks, self.recount_at()].into_iter().flatten().min()
    }

    /// When what an overlay and the batch's page show is to be counted anew: at most once a second, if the jobs have
    /// changed.
    fn recount_at(&self) -> Option<Duration> {
        let (at, changed) = self.counted;
        let is_shown = self.detail.tab == detail::Tab::Batch || self.overlay.is_some();
        (changed && is_shown).then_some(at + RECOUNT)
    }

    /// Counts it anew, if it is time.
    pub(super) fn recount(&mut self) {
        if self.recount_at().is_none_or(|at| self.now.mono < at) {
            return;
        }
        let batch = self.detail.tab == detail::Tab::Batch;
        if let Some(overlay) = &mut self.overlay {
            overlay.refresh(&self.jobs);
        }
        if batch {
            self.figures = detail::Figures::of(&self.jobs);
        }
        self.counted = (self.now.mono, false);
        self.redraw = true;
    }

    /// The time that was named has come.
    pub(super) fn tick(&mut self) -> Vec<Effect> {
        if self.toast.as_ref().is_some_and(|toast| toast.until <= self.now.mono) {
            self.toast = None;
        }
        // What was only to be asked for changes nothing by itself.
        if std::mem::take(&mut self.unasked) {
            return Vec::new();
        }
        if self.searching.is_some() {
            self.go_on_searching();
        }
        let second = self.now.wall.as_second();
        let every = i64::try_from(self.recheck_every()).unwrap_or(i64::MAX);
        if self.list.wanted().filter.depends_on_time() && second % every == 0 {
            self.list.recheck(&self.jobs, self.now.wall);
        }
        self.redraw = true;
        Vec::new()
    }

    /// Seconds between two looks at a filter that asks for ages: the longer, the more jobs it has to be asked about.
    fn recheck_every(&self) -> u64 {
        1 + u64::from(self.jobs.stats().counts().total()) / 10_000
    }

    /// How long until a visible clock shows something else, on a whole second.
    fn next_clock(&self) -> Option<Duration> {
        let wall = self.now.wall;
        let reads = self.next_read.filter(|at| *at > wall && !self.paused).map(|_| 1);
        let quitting = matches!(self.leaving, Leaving::Draining { .. }).then_some(1);
        let rows = self.visible_rows().filter_map(|row| self.ticks_in(row)).min();
        let filter = self.list.wanted().filter.depends_on_time().then_some(self.recheck_every());
        let offline =
            |(_, gate, since)| matches!(gate, &Gate::BackingOff(_)).then(|| next_step(since, self.monotonic_now()));
        let offline = self.jobs.gates().filter_map(offline).min();
        // The time of the batch, and the log that closes a minute after the last problem.
        let running = (!self.is_finished() && self.jobs.tally().begun.is_some() && self.file.is_ok()).then_some(1);
        let log = self.log_closes_in();
        let seconds = [reads, quitting, rows, filter, offline, running, log].into_iter().flatten().min()?;
        let into_second = u64::try_from(wall.subsec_nanosecond()).unwrap_or_default();
        let rest = Duration::from_secs(seconds).saturating_sub(Duration::from_nanos(into_second));
        Some(rest.max(Duration::from_millis(1)))
    }

    /// In how many seconds a row's clock shows something else.
    fn ticks_in(&self, row: &Row) -> Option<u64> {
        if row.known.state.is_terminal() {
            return None;
        }
        if row.need() == Need::Stale {
            return Some(1);
        }
        Some(next_step(note::since(&row.known)?, self.now.wall))
    }

    fn visible_rows(&self) -> impl Iterator<Item = &Row> {
        let layout = self.layout();
        let rows = if layout.class == Class::Tiny { 0 } else { layout.rows(Pane::List) };
        self.list.jobs_seen(rows).filter_map(|ix| self.jobs.get(ix))
    }
}

/// Seconds until an age is written otherwise: see `human::duration`.
fn next_step(then: Timestamp, now: Timestamp) -> u64 {
    let age = human::age(then, now).as_secs();
    if age < 600 { 1 } else { 60 - age % 60 }
}
