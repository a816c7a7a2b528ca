//! How long jobs waited and ran, how fast they finished and what they cost: by service, tag or reason.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::cost::Cost;
use super::human;
use super::note;
use super::observation::Observation;
use super::reason;
use super::state::State;

/// Bars of a histogram.
pub const BARS: usize = 12;

/// The figures of one job. `job` is whatever the caller knows it by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a, T> {
    pub job: T,
    pub service: &'a str,
    pub tags: &'a [String],
    pub state: State,
    /// Why it is not a plain success. Foreign text.
    pub reason: Option<&'a str>,
    /// How long it waited; None as long as it waits, or where it was running when it was first seen.
    pub queued: Option<Duration>,
    /// How long it ran; None as long as it is not over, or where nobody knows when it began.
    pub ran: Option<Duration>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    pub cost: Option<Cost>,
}

impl<'a, T> Sample<'a, T> {
    /// The figures of what is known of a job.
    pub fn new(job: T, service: &'a str, tags: &'a [String], known: &'a Observation) -> Self {
        Self {
            job,
            service,
            tags,
            state: known.state,
            reason: note::reason(known),
            queued: queued(known),
            ran: note::took(known),
            finished_at: known.finished_at.filter(|_| known.state.is_terminal()),
            cost: known.cost.as_deref().and_then(Cost::parse),
        }
    }
}

/// How long a job waited before it ran; None where its wait was not seen from its beginning to its end.
pub fn queued(known: &Observation) -> Option<Duration> {
    let running = known.running_since?;
    // By the service's own clock where it says when it took the job.
    let began = known.created_at.filter(|created| *created <= running).or(known.first_seen)?;
    (running > began).then(|| human::age(began, running))
}

/// What jobs are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupBy {
    #[default]
    Service,
    /// Each of a job's tags.
    Tag,
    /// The reason, folded as in the table of failures; only jobs that have one.
    Reason,
}

impl GroupBy {
    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Tag => "tag",
            Self::Reason => "reason",
        }
    }

    /// The way after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Service => Self::Tag,
            Self::Tag => Self::Reason,
            Self::Reason => Self::Service,
        }
    }
}

/// Jobs that belong together, and their figures.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationGroup<T> {
    /// The service, tag or reason; empty for jobs without a tag. Foreign text.
    pub name: String,
    /// The jobs, in the order in which they were given.
    pub jobs: Vec<T>,
    /// How many are over.
    pub finished: usize,
    pub succeeded: usize,
    /// Waiting times.
    pub queued: Option<Spread>,
    pub ran: Option<Spread>,
    /// Finishes per minute, from the first finish to the last; None with fewer than two.
    pub per_minute: Option<f64>,
    /// The sum of what is known to have been paid; None where no cost is known.
    pub cost: Option<Cost>,
    /// How many jobs' costs are known.
    pub costed: usize,
}

impl<T> DurationGroup<T> {
    /// What one job costs, of those whose cost is known.
    pub fn cost_per_job(&self) -> Option<Cost> {
        self.cost.map(|cost| cost.per(self.costed))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// How many there are; at least one.
    pub count: usize,
    /// Half of them are no longer.
    pub median: Duration,
    /// Nine of ten are no longer.
    pub p90: Duration,
    pub longest: Duration,
    /// How many lie in each of [`BARS`] spans of equal length from zero to the longest.
    pub histogram: [u32; BARS],
}

impl Spread {
    /// The spread of some durations; None of none.
    pub fn of(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort_unstable();
        let longest = *durations.last()?;
        let mut histogram = [0; BARS];
        for duration in &durations {
            let part = if longest.is_zero() { 0.0 } else { duration.as_secs_f64() / longest.as_secs_f64() };
            // The longest of all belongs to the last span. A part is between 0 and 1.
            let bar = ((part * BARS as f64) as usize).min(BARS - 1);
            if let Some(count) = histogram.get_mut(bar) {
                *count += 1;
            }
        }
        Some(Self {
            count: durations.len(),
            median: percentile(&durations, 50)?,
            p90: percentile(&durations, 90)?,
            longest,
            histogram,
        })
    }
}

/// The smallest of some sorted durations that this percentage of them is not longer than.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// The jobs put together, the largest groups first, those of one size by name.
pub fn groups<T: Clone>(samples: &[Sample<'_, T>], by: GroupBy) -> Vec<DurationGroup<T>> {
    let mut parts: HashMap<String, Vec<&Sample<'_, T>>> = HashMap::new();
    for sample in samples {
        match by {
            GroupBy::Service => parts.entry(sample.service.to_owned()).or_default().push(sample),
            GroupBy::Tag if sample.tags.is_empty() => parts.entry(String::new()).or_default().push(sample),
            GroupBy::Tag => {
                for tag in sample.tags {
                    parts.entry(tag.clone()).or_default().push(sample);
                }
            }
            GroupBy::Reason => {
                if let Some(why) = sample.reason {
                    parts.entry(reason::fold(why)).or_default().push(sample);
                }
            }
        }
    }
    let mut groups: Vec<DurationGroup<T>> = parts.into_iter().map(|(name, samples)| group(name, &samples)).collect();
    groups.sort_by(|one, other| other.jobs.len().cmp(&one.jobs.len()).then_with(|| one.name.cmp(&other.name)));
    groups
}

/// All jobs as one group without a name.
pub fn all<T: Clone>(samples: &[Sample<'_, T>]) -> DurationGroup<T> {
    group(String::new(), &samples.iter().collect::<Vec<_>>())
}

fn group<T: Clone>(name: String, samples: &[&Sample<'_, T>]) -> DurationGroup<T> {
    let costs: Vec<Cost> = samples.iter().filter_map(|sample| sample.cost).collect();
    DurationGroup {
        name,
        jobs: samples.iter().map(|sample| sample.job.clone()).collect(),
        finished: samples.iter().filter(|sample| sample.state.is_terminal()).count(),
        succeeded: samples.iter().filter(|sample| sample.state == State::Succeeded).count(),
        queued: Spread::of(samples.iter().filter_map(|sample| sample.queued).collect()),
        ran: Spread::of(samples.iter().filter_map(|sample| sample.ran).collect()),
        per_minute: per_minute(samples.iter().filter_map(|sample| sample.finished_at)),
        cost: (!costs.is_empty()).then(|| costs.iter().copied().sum()),
        costed: costs.len(),
    }
}

/// Finishes per minute from the first to the last, which ends the time and does not begin another span.
fn per_minute(finishes: impl Iterator<Item = Timestamp>) -> Option<f64> {
    let finishes: Vec<Timestamp> = finishes.collect();
    let (first, last) = (finishes.iter().min()?, finishes.iter().max()?);
    let span = human::age(*first, *last).as_secs_f64();
    (span > 0.0).then(|| (finishes.len() - 1) as f64 * 60.0 / span)
}

/// How many jobs finished in each of this many spans of equal length over the whole batch, oldest first; and the length
/// of a span. None before the first finish.
pub fn over_time<T>(samples: &[Sample<'_, T>], spans: usize) -> Option<(Timestamp, Duration, Vec<u32>)> {
    let finishes: Vec<Timestamp> = samples.iter().filter_map(|sample| sample.finished_at).collect();
    let (first, last) = (*finishes.iter().min()?, *finishes.iter().max()?);
    let spans = spans.max(1);
    let length = (human::age(first, last) / u32::try_from(spans).unwrap_or(u32::MAX)).max(Duration::from_secs(1));
    let mut counts = vec![0; spans];
    for finish in finishes {
        let span = (human::age(first, finish).as_secs_f64() / length.as_secs_f64()) as usize;
        if let Some(count) = counts.get_mut(span.min(spans - 1)) {
            *count += 1;
        }
    }
    Some((first, length, counts))
}

/// The jobs that ran longest, longest first, and how long.
pub fn slowest<T: Clone>(samples: &[Sample<'_, T>], most: usize) -> Vec<(T, Duration)> {
    let mut ran: Vec<(&Sample<'_, T>, Duration)> =
        samples.iter().filter_map(|sample| Some((sample, sample.ran?))).collect();
    ran.sort_by_key(|(_, ran)| std::cmp::Reverse(*ran));
    ran.into_iter().take(most).map(|(sample, ran)| (sample.job.clone(), ran)).collect()
}

/// Whether an unfinished job has been in one state with the same progress for longer than the user allows.
pub fn is_stuck(known: &Observation, alert_after: Option<Duration>, now: Timestamp) -> bool {
    let (Some(limit), false) = (alert_after, known.state.is_terminal()) else { return false };
    known.changed_at.or(known.first_seen).is_some_and(|since| human::age(since, now) > limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn known(state: State, seen: i64, running: i64, finished: Option<i64>) -> Observation {
        Observation {
            state,
            first_seen: Some(at(seen)),
            running_since: Some(at(running)),
            finished_at: finished.map(at),
            changed_at: Some(at(finished.unwrap_or(running))),
            cost: finished.map(|finished| format!("0.{finished}").into()),
            fail_reason: (state == State::Failed).then(|| format!("page {finished:?} was blank")),
            ..Observation::default()
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_group_has_waiting_and_running_times_apart_a_rate_and_costs() {
        let tags = ["nov".to_owned(), "eu".to_owned()];
        let jobs: Vec<Observation> = vec![
            known(State::Succeeded, 0, 10, Some(20)),
            known(State::Succeeded, 0, 20, Some(50)),
            known(State::Failed, 0, 0, Some(80)),
            known(State::Running, 0, 30, None),
        ];
        let samples: Vec<_> =
            jobs.iter().enumerate().map(|(n, known)| Sample::new(n, "a", &tags[..n.min(2)], known)).collect();
        let [group] = &groups(&samples, GroupBy::Service)[..] else { panic!() };
        assert_eq!((group.jobs.len(), group.finished, group.succeeded), (4, 3, 2));
        let queued = group.queued.as_ref().unwrap();
        assert_eq!(
            (queued.count, queued.median, queued.p90, queued.longest),
            (3, seconds(20), seconds(30), seconds(30))
        );
        let ran = group.ran.as_ref().unwrap();
        assert_eq!((ran.count, ran.median, ran.longest), (3, seconds(30), seconds(80)));
        assert_eq!(group.per_minute, Some(2.0));
        assert_eq!(group.cost.map(Cost::digits).as_deref(), Some("1.5"));
        assert_eq!(group.cost_per_job().map(Cost::digits).as_deref(), Some("0.5"));
        assert_eq!(slowest(&samples, 2), [(2, seconds(80)), (1, seconds(30))]);
        let by_tag: Vec<_> = groups(&samples, GroupBy::Tag).into_iter().map(|group| (group.name, group.jobs)).collect();
        let expected = [("nov", vec![1, 2, 3]), ("eu", vec![2, 3]), ("", vec![0])];
        assert_eq!((GroupBy::Service.next(), GroupBy::Reason.next()), (GroupBy::Tag, GroupBy::Service));
        assert_eq!(by_tag, expected.map(|(name, jobs)| (name.to_owned(), jobs)));
        let by_reason = groups(&samples, GroupBy::Reason);
        assert_eq!(by_reason.iter().map(|group| group.jobs.clone()).collect::<Vec<_>>(), [vec![2]]);
    }

    #[test]
    fn a_histogram_spans_zero_to_the_longest_and_holds_every_duration() {
        let spread = Spread::of((0..=120).map(seconds).collect()).unwrap();
        assert_eq!(spread.histogram.iter().sum::<u32>(), 121);
        assert_eq!((spread.histogram[0], spread.histogram[BARS - 1]), (10, 11));
        let alike = Spread::of(vec![Duration::ZERO; 3]).unwrap();
        assert_eq!((alike.histogram[0], alike.median), (3, Duration::ZERO));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn the_chart_spans_the_batch_from_the_first_finish_to_the_last() {
        let jobs: Vec<Observation> = [0, 10, 20, 100].map(|end| known(State::Succeeded, -9, -5, Some(end))).into();
        let samples: Vec<_> = jobs.iter().map(|known| Sample::new((), "a", &[], known)).collect();
        let (first, length, counts) = over_time(&samples, 10).unwrap();
        assert_eq!((first, length, counts), (at(0), seconds(10), vec![1, 1, 1, 0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(over_time::<()>(&[], 10), None);
    }

    #[test]
    fn a_job_is_stuck_when_nothing_of_it_has_changed_for_longer_than_allowed() {
        let running = known(State::Running, 0, 10, None);
        let cases = [(Some(20), 30, false), (Some(20), 31, true), (None, 9999, false)];
        for (limit, now, stuck) in cases {
            assert_eq!(is_stuck(&running, limit.map(seconds), at(now)), stuck);
        }
        assert!(!is_stuck(&known(State::Failed, 0, 0, Some(1)), Some(seconds(1)), at(99)));
        assert!(!is_stuck(&Observation::default(), Some(seconds(1)), at(99)));
    }
}
