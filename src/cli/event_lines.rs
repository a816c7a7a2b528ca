//! What `watch` and `once` say of each fact: a line of JSON, or a line for a person.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::output::OutputStyle;
use super::style;
use crate::domain::clean::Clean;
use crate::domain::fact::Health;
use crate::domain::job::Job;
use crate::domain::observation::Observation;
use crate::domain::state::{PollOutcome, State};
use crate::domain::stats::StateCounts;
use crate::domain::{human, note};
use crate::session::jsonl::{ReadLine, StateLine, SummaryLine, json};

/// What is printed in place of a time for what was known already. As wide as a time.
const KNOWN: &str = "known   ";

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// JSON lines.
    Jsonl,
    /// Lines for a person.
    Plain(OutputStyle),
}

/// A read that was not `ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOk {
    pub read: PollOutcome,
    /// HTTP code; None if no reply came.
    pub http_status: Option<u16>,
    /// Why. Foreign text.
    pub reason: String,
    /// When the job is read again.
    pub retry_in: Option<Duration>,
}

impl LineFormat {
    fn known(self, now: Timestamp, job: &Job, known: &Observation) -> String {
        match self {
            Self::Jsonl => json(&StateLine::new(now, job, None, known)),
            Self::Plain(look) => standing(KNOWN, now, job, known, look),
        }
    }

    /// A change. None where it says nothing to a person: a step of progress, or another word for the same state.
    pub fn state(self, now: Timestamp, job: &Job, previous: Option<State>, known: &Observation) -> Option<String> {
        match self {
            Self::Jsonl => Some(json(&StateLine::new(now, job, previous, known))),
            Self::Plain(_) if previous == Some(known.state) && known.state != State::Unknown => None,
            Self::Plain(look) => Some(standing(&human::clock(now, &TimeZone::system()), now, job, known, look)),
        }
    }

    /// A read that was not `ok`.
    pub fn read(self, now: Timestamp, job: &Arc<Job>, not_ok: &NotOk) -> String {
        let NotOk { read, http_status, reason, retry_in } = not_ok;
        match self {
            Self::Jsonl => json(&ReadLine::new(now, job, *read, *http_status, reason, *retry_in)),
            Self::Plain(_) => {
                let again = retry_in.map_or_else(String::new, |wait| format!("(again in {})", human::wait(wait)));
                let said = format!("{}: {}", note::read_in_words(*read), Clean::new(reason));
                line(&[human::clock(now, &TimeZone::system()), "~ poll".to_owned(), named(job), said, again])
            }
        }
    }

    /// The last line.
    pub fn summary(self, now: Timestamp, jobs: &StateCounts, exit: u8) -> String {
        match self {
            Self::Jsonl => json(&SummaryLine::new(now, jobs, exit)),
            Self::Plain(_) => jobs.sentence(),
        }
    }
}

/// How many jobs that were over before have a line each, for a person.
const MOST_KNOWN: usize = 5;

/// The jobs of which something was known from before. For a person those that were over are summed up where they are many.
#[derive(Debug, Default)]
pub struct KnownBefore {
    over: usize,
    besides: StateCounts,
}

impl KnownBefore {
    /// The line of one; None if it has none of its own.
    pub fn line(&mut self, format: LineFormat, job: &Job, known: &Observation) -> Option<String> {
        if known.is_over() && format != LineFormat::Jsonl {
            self.over += 1;
            if self.over > MOST_KNOWN {
                self.besides.add(known);
                return None;
            }
        }
        Some(format.known(Timestamp::now(), job, known))
    }

    /// One line for all that had none.
    pub fn besides(&mut self) -> Option<String> {
        let besides = std::mem::take(&mut self.besides);
        (besides.total() > 0).then(|| line(&[KNOWN.to_owned(), format!("and {}", besides.sentence())]))
    }
}

fn standing(when: &str, now: Timestamp, job: &Job, known: &Observation, look: OutputStyle) -> String {
    let mark = style::painted(&format!("{:<6}", style::mark(known.state, look)), known.state, look);
    let note = note::note(known, &Health::Fresh, now, &TimeZone::system());
    line(&[when.to_owned(), mark, named(job), note.to_string()])
}

/// `service/id` and, where it has one, the job's name; harmless.
pub fn named(job: &Job) -> String {
    let label = Clean::new(&job.label());
    match &job.name {
        Some(name) => format!("{label} \"{}\"", Clean::new(name)),
        None => label.to_string(),
    }
}

fn line(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobKey, ProviderName};

    fn job() -> Job {
        let key = JobKey { provider: ProviderName::OPTEXITY, endpoint: "https://h".into(), id: "7".to_owned() };
        crate::tests::job(key, "portals")
    }

    fn seen(state: State, word: &str, progress: f64) -> Observation {
        let first_seen = Some(Timestamp::UNIX_EPOCH);
        Observation {
            state,
            word: Some(word.to_owned()),
            progress: Some(progress),
            first_seen,
            ..Observation::default()
        }
    }

    #[test]
    fn of_many_jobs_that_were_over_before_a_person_gets_one_line_and_a_program_one_each() {
        let mut known = seen(State::Succeeded, "success", 100.0);
        known.finished_at = Some(Timestamp::UNIX_EPOCH);
        let lines = |format| {
            let mut before = KnownBefore::default();
            let own = (0..60).filter_map(|_| before.line(format, &job(), &known)).count();
            (own, before.besides(), before.besides())
        };
        let plain = LineFormat::Plain(OutputStyle::default());
        assert_eq!(lines(plain), (5, Some("known     and 55 jobs: 55 succeeded".to_owned()), None));
        assert_eq!(lines(LineFormat::Jsonl), (60, None, None));
    }

    #[test]
    fn a_person_is_told_of_states_and_a_program_of_every_change() {
        let cases = [
            (None, seen(State::Queued, "queued", 0.0), Some("◌ WAIT  portals/7  queued, 0%")),
            (Some(State::Queued), seen(State::Queued, "allocated", 0.0), None),
            (Some(State::Queued), seen(State::Running, "running", 5.0), Some("▸ RUN   portals/7  running, 5%")),
            (Some(State::Running), seen(State::Running, "running", 10.0), None),
            (Some(State::Unknown), seen(State::Unknown, "resting", 10.0), Some("? ?     portals/7  resting, 10%")),
        ];
        for (previous, known, told) in cases {
            let plain =
                LineFormat::Plain(OutputStyle::default()).state(Timestamp::UNIX_EPOCH, &job(), previous, &known);
            let plain = plain.as_deref().and_then(|line| line.split_once("  ")).map(|(_, rest)| rest);
            assert_eq!(plain, told);
            assert!(LineFormat::Jsonl.state(Timestamp::UNIX_EPOCH, &job(), previous, &known).is_some());
        }
    }

    #[test]
    fn what_was_known_before_is_told_apart_from_what_happens_now() {
        let known = seen(State::Running, "running", 40.0);
        let plain = LineFormat::Plain(OutputStyle::default()).known(Timestamp::UNIX_EPOCH, &job(), &known);
        assert_eq!(plain, "known     ▸ RUN   portals/7  running, 40%");
        let line = LineFormat::Jsonl.known(Timestamp::UNIX_EPOCH, &job(), &known);
        assert_eq!(Some(line), LineFormat::Jsonl.state(Timestamp::UNIX_EPOCH, &job(), None, &known));
    }
}
