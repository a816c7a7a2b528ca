//! What the batch has come to, in one sentence: for whoever is elsewhere, and for whoever leaves.

use super::App;
use super::text::{TextLine, Tone};
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::domain::percentiles::Percentiles;
use crate::domain::state::State;

/// The states from left to right, in the bar, the counts and the outcome: what is finished well, what went wrong, what
/// runs, what waits.
pub const STACK: [State; 8] = [
    State::Succeeded,
    State::Partial,
    State::Failed,
    State::Lost,
    State::Cancelled,
    State::Running,
    State::Queued,
    State::Unknown,
];

impl App {
    /// The batch's name: that of its file without the ending.
    pub fn batch(&self) -> Clean {
        let file = self.file.clone().unwrap_or_default();
        Clean::new(file.strip_suffix(".toml").unwrap_or(&file))
    }

    /// `nov: finished: 27 of 40 succeeded, 12 failed, 1 lost; took 12m04s`.
    pub(super) fn summary_line(&self) -> Clean {
        let counts = self.jobs.stats().counts();
        let mut text = format!("{}: finished: {}", self.batch(), self.success());
        for (_, count, word) in self.bad_ends() {
            text.push_str(&format!(", {} {word}", human::count(count.into())));
        }
        if self.jobs.tally().costed > 0 {
            text.push_str(&format!("; {}", self.jobs.tally().cost));
        }
        if let Some(took) = self.took().filter(|_| counts.total() > 0) {
            text.push_str(&format!("; took {}", human::duration(took)));
        }
        Clean::from(text)
    }

    /// `27 of 40 succeeded`.
    pub fn success(&self) -> String {
        let counts = self.jobs.stats().counts();
        format!(
            "{} of {} succeeded",
            human::count(counts.of(State::Succeeded).into()),
            human::count(counts.total().into())
        )
    }

    /// What is said on the normal screen when the dashboard is left; None without jobs.
    pub fn farewell(&self) -> Option<String> {
        let counts = self.jobs.stats().counts();
        if counts.total() == 0 || self.file.is_err() {
            return None;
        }
        let mut parts = vec![(counts.of(State::Succeeded), State::Succeeded.as_str())];
        parts.extend(self.bad_ends().into_iter().map(|(_, count, word)| (count, word)));
        parts.push((counts.total().saturating_sub(self.jobs.over()), "unfinished"));
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, word)| format!("{} {word}", human::count(count.into()))).collect();
        let jobs = human::counted(counts.total(), "job");
        let mut text = format!("{}: {jobs}: {}", self.batch(), parts.join(", "));
        if self.jobs.tally().costed > 0 {
            text.push_str(&format!(" · {}", self.jobs.tally().cost));
        }
        if self.jobs.tally().bytes > 0 {
            text.push_str(&format!(" · {} saved", human::bytes(self.jobs.tally().bytes)));
        }
        Some(text)
    }

    /// Queued and running times, cost, saved size: `queued 1m53s, p90 4m`.
    pub fn figures(&self) -> Vec<TextLine> {
        let tally = self.jobs.tally();
        let spread = |(word, times): (&str, &Percentiles)| {
            let (median, p90) = (times.percentile(50)?, times.percentile(90)?);
            let line = TextLine::default().with(Tone::Dim, word).with(Tone::Plain, &human::duration(median));
            Some(line.with(Tone::Dim, ", p90 ").with(Tone::Plain, &human::duration(p90)))
        };
        let cost = (tally.costed > 0).then(|| TextLine::default().with(Tone::Strong, &tally.cost.to_string()));
        // Last: where there is no room for all, the cost itself is said.
        let of = tally.cost_of().map(|of| TextLine::default().with(Tone::Dim, &format!("cost: {of}")));
        let saved = TextLine::default().with(Tone::Plain, &human::bytes(tally.bytes)).with(Tone::Dim, " saved");
        let ran = if tally.ran_at_least() { "ran at least " } else { "ran " };
        let times = [("queued ", &tally.queued), (ran, &tally.ran)].into_iter().filter_map(spread);
        times.chain(cost).chain((tally.bytes > 0).then_some(saved)).chain(of).collect()
    }

    /// `6.2/min`; None for less than a minute, of which it would say nothing.
    pub fn pace(&self) -> Option<String> {
        let now = self.monotonic_now();
        let (begun, finished) = (self.jobs.tally().begun?, self.is_finished());
        let time = human::age(begun, self.jobs.tally().ended.filter(|_| finished).unwrap_or(now));
        let over_all = f64::from(self.jobs.stats().counts().finished()) * 60.0 / time.as_secs_f64().max(1.0);
        let pace = if finished { Some(over_all) } else { self.jobs.stats().per_minute(now) };
        let pace = pace.filter(|_| time.as_secs() >= 60)?;
        Some(if pace >= 100.0 { format!("{pace:.0}/min") } else { format!("{pace:.1}/min") })
    }

    /// How long the batch took, from its first job's first sight to its last one's end.
    pub fn took(&self) -> Option<std::time::Duration> {
        let tally = self.jobs.tally();
        Some(human::age(tally.begun?, tally.ended?))
    }

    /// What did not succeed, in which state, how many, and in words.
    pub(super) fn bad_ends(&self) -> Vec<(State, u32, &'static str)> {
        let counts = self.jobs.stats().counts();
        let states = [State::Partial, State::Failed, State::Cancelled, State::Lost];
        let mut ends: Vec<_> = states.into_iter().map(|state| (state, counts.of(state), state.as_str())).collect();
        ends.push((State::Unknown, self.jobs.tally().given_up, "not found or rejected"));
        ends.retain(|(_, count, _)| *count > 0);
        ends
    }
}
