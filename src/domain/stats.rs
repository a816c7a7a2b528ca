//! The header's numbers: jobs per state, success rate, finishes per minute and an honest estimate of the end.
//!
//! Every change costs the same, however many jobs there are. All is counted from what is known of the jobs, so the
//! numbers cannot drift away from the list.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::cost::Cost;
use super::human;
use super::observation::Observation;
use super::state::State;

/// How far back finishes are remembered.
const MEMORY: Duration = Duration::from_secs(1800);
/// Over which time the rate is taken, if enough has happened in it.
const WINDOW: Duration = Duration::from_secs(300);
/// Finishes that an estimate needs.
const ENOUGH: u64 = 5;
/// How many standard deviations to both sides the estimate spans: four of five ends lie within.
const SPREAD: f64 = 1.28;

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateCounts {
    by_state: [u32; State::ALL.len()],
    never_observed: u32,
    cost: Cost,
    costed: u32,
}

impl StateCounts {
    /// Jobs in this state.
    pub fn of(&self, state: State) -> u32 {
        self.by_state.get(place(state)).copied().unwrap_or_default()
    }

    pub fn total(&self) -> u32 {
        self.by_state.iter().sum()
    }

    /// Those that are over.
    pub fn finished(&self) -> u32 {
        State::ALL.into_iter().filter(|state| state.is_terminal()).map(|state| self.of(state)).sum()
    }

    /// Those of `unknown` that no answer was ever had for.
    pub fn never_observed(&self) -> u32 {
        self.never_observed
    }

    /// The sum of what is known to have been paid; None where no cost is known.
    pub fn cost(&self) -> Option<Cost> {
        (self.costed > 0).then_some(self.cost)
    }

    /// Those that failed, are partial or lost.
    pub fn problems(&self) -> u32 {
        State::ALL.into_iter().filter(|state| state.is_problem()).map(|state| self.of(state)).sum()
    }

    /// In words: `9 jobs: 5 succeeded, 1 partial, 2 failed, 1 lost`.
    pub fn sentence(&self) -> String {
        let known = State::ALL
            .into_iter()
            .filter(|state| *state != State::Unknown)
            .map(|state| (self.of(state), state.as_str()));
        let unknown = self.of(State::Unknown).saturating_sub(self.never_observed());
        let parts: Vec<String> = known
            .chain([(unknown, "unknown"), (self.never_observed(), "never polled successfully")])
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let total = human::counted(self.total(), "job");
        if parts.is_empty() { total } else { format!("{total}: {}", parts.join(", ")) }
    }

    /// The success rate of the finished as text; None as long as none is.
    pub fn success(&self) -> Option<String> {
        let finished = self.finished();
        (finished > 0).then(|| human::percent(self.of(State::Succeeded).into(), finished.into()))
    }

    /// Counts one more job.
    pub fn add(&mut self, known: &Observation) {
        if let Some(count) = self.by_state.get_mut(place(known.state)) {
            *count = count.saturating_add(1);
        }
        self.never_observed = self.never_observed.saturating_add(u32::from(!known.is_observed()));
        if let Some(cost) = known.cost.as_deref().and_then(Cost::parse) {
            (self.cost, self.costed) = (self.cost + cost, self.costed.saturating_add(1));
        }
    }

    /// Counts one job less.
    pub fn remove(&mut self, known: &Observation) {
        if let Some(count) = self.by_state.get_mut(place(known.state)) {
            *count = count.saturating_sub(1);
        }
        self.never_observed = self.never_observed.saturating_sub(u32::from(!known.is_observed()));
        if let Some(cost) = known.cost.as_deref().and_then(Cost::parse) {
            (self.cost, self.costed) = (self.cost - cost, self.costed.saturating_sub(1));
        }
    }
}

#[derive(Debug, Clone)]
pub struct Stats {
    counts: StateCounts,
    started: Timestamp,
    /// Finishes of this run by second, oldest first.
    finishes: VecDeque<(Timestamp, u32)>,
    finished_here: u64,
}

impl Stats {
    /// Of a run that starts now.
    pub fn new(started: Timestamp) -> Self {
        Self { counts: StateCounts::default(), started, finishes: VecDeque::new(), finished_here: 0 }
    }

    pub fn counts(&self) -> &StateCounts {
        &self.counts
    }

    /// A job is on the list.
    pub fn declared(&mut self, known: &Observation) {
        self.counts.add(known);
    }

    /// A job was taken off the list.
    pub fn withdrawn(&mut self, known: &Observation) {
        self.counts.remove(known);
    }

    /// What is known of a job has changed. A finish counts for the rate if it came to pass in this run: one that was
    /// over when it was first seen does so only if the service's own clock says it.
    pub fn observed(&mut self, before: &Observation, known: &Observation, now: Timestamp) {
        self.counts.remove(before);
        self.counts.add(known);
        if before.state.is_terminal() || !known.state.is_terminal() {
            return;
        }
        let told = known.finished_at.filter(|at| Some(*at) != known.changed_at);
        let here = if before.is_observed() { Some(now) } else { told.filter(|at| *at >= self.started) };
        if here.is_some() {
            self.finish(now);
        }
    }

    /// Finishes per minute; None before the first of this run.
    pub fn per_minute(&self, now: Timestamp) -> Option<f64> {
        let (count, time) = self.window(now, 1)?;
        Some(count * 60.0 / time)
    }

    /// When all jobs will be over but for those that are no longer polled, as a range from now; None before five
    /// finishes, at the end, or after a standstill.
    ///
    /// The rate is what it was of late, the range what chance would make of such a rate, widened where the newest
    /// finishes came faster or slower than those before.
    pub fn eta(&self, now: Timestamp, given_up: u32) -> Option<(Duration, Duration)> {
        let left = f64::from(self.counts.total().saturating_sub(self.counts.finished() + given_up));
        if left <= 0.0 || self.finished_here < ENOUGH {
            return None;
        }
        let (count, time) = self.window(now, ENOUGH)?;
        if count < 1.0 {
            return None;
        }
        let spread = SPREAD * count.sqrt();
        let (mut slow, mut fast) = ((count - spread).max(0.5) / time, (count + spread) / time);
        let half = Duration::from_secs_f64(time / 2.0);
        let newest = self.since(now, half) as f64 / half.as_secs_f64().max(1.0);
        if newest > 0.0 {
            (slow, fast) = (slow.min(newest), fast.max(newest));
        }
        let longest = Duration::from_secs(365 * 86_400);
        let after = |rate: f64| Duration::try_from_secs_f64(left / rate).unwrap_or(longest).min(longest);
        Some((after(fast), after(slow)))
    }

    /// Finishes in each of the last `slots` spans of time, oldest first.
    pub fn recent(&self, now: Timestamp, span: Duration, slots: usize) -> Vec<u32> {
        let mut counts = vec![0; slots];
        let span = span.as_secs().max(1);
        for (at, count) in &self.finishes {
            let back = usize::try_from(human::age(*at, now).as_secs() / span).unwrap_or(usize::MAX);
            if let Some(slot) = slots.checked_sub(back.saturating_add(1)).and_then(|slot| counts.get_mut(slot)) {
                *slot += count;
            }
        }
        counts
    }

    fn finish(&mut self, now: Timestamp) {
        self.finished_here += 1;
        match self.finishes.back_mut() {
            // A clock that was set back counts on where it was.
            Some((at, count)) if now.as_second() <= at.as_second() => *count += 1,
            Some(_) | None => self.finishes.push_back((now, 1)),
        }
        while self.finishes.front().is_some_and(|(at, _)| human::age(*at, now) > MEMORY) {
            self.finishes.pop_front();
        }
    }

    /// The shortest of a few windows that holds at least this many finishes: their number and its length in seconds.
    fn window(&self, now: Timestamp, least: u64) -> Option<(f64, f64)> {
        let run = human::age(self.started, now).max(Duration::from_secs(1));
        for window in [WINDOW, WINDOW * 2, MEMORY] {
            let count = self.since(now, window);
            if count >= least || window >= run {
                return (count > 0).then_some((count as f64, window.min(run).as_secs_f64()));
            }
        }
        None
    }

    fn since(&self, now: Timestamp, window: Duration) -> u64 {
        let recent = self.finishes.iter().rev().take_while(|(at, _)| human::age(*at, now) <= window);
        recent.map(|(_, count)| u64::from(*count)).sum()
    }
}

fn place(state: State) -> usize {
    match state {
        State::Queued => 0,
        State::Running => 1,
        State::Succeeded => 2,
        State::Partial => 3,
        State::Failed => 4,
        State::Cancelled => 5,
        State::Lost => 6,
        State::Unknown => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn job(state: State) -> Observation {
        Observation { state, first_seen: Some(at(-100)), ..Observation::default() }
    }

    /// A run of `total` running jobs of which one finishes at each of these seconds.
    fn run(total: usize, finishes: &[i64]) -> Stats {
        let mut stats = Stats::new(at(0));
        for _ in 0..total {
            stats.declared(&job(State::Running));
        }
        for second in finishes {
            stats.observed(&job(State::Running), &job(State::Succeeded), at(*second));
        }
        stats
    }

    #[test]
    fn counts_name_only_what_there_is() {
        let never = Observation::default();
        let cases = [
            (vec![], "0 jobs"),
            (vec![never.clone()], "1 job: 1 never polled successfully"),
            (vec![job(State::Lost), job(State::Succeeded), job(State::Lost)], "3 jobs: 1 succeeded, 2 lost"),
            (vec![never, job(State::Unknown)], "2 jobs: 1 unknown, 1 never polled successfully"),
        ];
        for (jobs, text) in cases {
            let mut counts = StateCounts::default();
            jobs.iter().for_each(|known| counts.add(known));
            assert_eq!(counts.sentence(), text);
        }
    }

    #[test]
    fn counts_follow_every_change_and_add_up() {
        let mut stats = Stats::new(at(0));
        stats.declared(&Observation::default());
        stats.declared(&job(State::Queued));
        assert_eq!((stats.counts().total(), stats.counts().never_observed()), (2, 1));
        stats.observed(&Observation::default(), &job(State::Failed), at(1));
        stats.observed(&job(State::Queued), &job(State::Succeeded), at(2));
        let counts = *stats.counts();
        assert_eq!((counts.total(), counts.finished(), counts.never_observed(), counts.problems()), (2, 2, 0, 1));
        assert_eq!(counts.success().as_deref(), Some("50.0%"));
        stats.withdrawn(&job(State::Failed));
        assert_eq!(stats.counts().success().as_deref(), Some("100%"));
        for state in State::ALL {
            assert_eq!(State::ALL[place(state)], state);
        }
    }

    #[test]
    fn a_job_that_was_over_before_this_run_is_no_finish_of_it() {
        let mut stats = Stats::new(at(0));
        let seen_over = Observation { finished_at: Some(at(9)), changed_at: Some(at(9)), ..job(State::Succeeded) };
        let over_long_ago =
            Observation { finished_at: Some(at(-50)), changed_at: Some(at(9)), ..job(State::Succeeded) };
        let over_just_now = Observation { finished_at: Some(at(5)), changed_at: Some(at(9)), ..job(State::Succeeded) };
        for (known, finishes) in [(seen_over, 0), (over_long_ago, 0), (over_just_now, 1)] {
            stats.declared(&Observation::default());
            stats.observed(&Observation::default(), &known, at(9));
            assert_eq!(stats.finished_here, finishes);
        }
    }

    #[test]
    fn the_estimate_waits_for_five_finishes_and_is_a_range_around_the_rate() {
        assert_eq!(run(20, &[10, 20, 30, 40]).eta(at(40), 0), None);
        let stats = run(20, &[10, 20, 30, 40, 50, 60]);
        assert_eq!(stats.per_minute(at(60)), Some(6.0));
        let (low, high) = stats.eta(at(60), 0).unwrap();
        let even = Duration::from_secs(140);
        assert!(low < even && even < high, "{low:?} {high:?}");
        assert!(low > even / 3 && high < even * 4, "{low:?} {high:?}");
    }

    #[test]
    fn more_finishes_make_the_range_narrower_and_a_standstill_makes_it_wider_then_none() {
        let width =
            |stats: &Stats, now| stats.eta(at(now), 0).map(|(low, high)| high.as_secs_f64() / low.as_secs_f64());
        let few = run(200, &[10, 20, 30, 40, 50, 60]);
        let many = run(200, &(1..=30).map(|n| n * 10).collect::<Vec<_>>());
        assert!(width(&many, 300).unwrap() < width(&few, 60).unwrap());
        assert!(few.eta(at(240), 0).unwrap().1 > few.eta(at(60), 0).unwrap().1);
        assert_eq!(few.eta(at(4000), 0), None);
    }

    #[test]
    fn nothing_is_left_to_estimate_when_all_is_over() {
        let stats = run(5, &[1, 2, 3, 4, 5]);
        assert_eq!(stats.eta(at(6), 0), None);
        assert_eq!(stats.recent(at(6), Duration::from_secs(2), 4), [0, 2, 2, 1]);
    }

    #[test]
    fn a_hundred_thousand_finishes_are_remembered_by_the_second() {
        let stats = run(100_000, &vec![7; 100_000]);
        assert_eq!((stats.finishes.len(), stats.finished_here), (1, 100_000));
    }
}
