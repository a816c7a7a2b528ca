//! The engine's words for the log: what changed, what went wrong, and what follows from it.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::attempt::Attempt;
use crate::domain::clean::Clean;
use crate::domain::fact::Gate;
use crate::domain::human;
use crate::domain::job::Job;
use crate::domain::note;
use crate::domain::observation::Observation;
use crate::domain::state::{PollOutcome, State};

use super::Purpose;

/// A job's state, word or progress changed; `attempt` is the read that brought it.
pub fn change(job: &Job, previous: Option<State>, known: &Observation, attempt: Option<&Attempt>) {
    let job = Clean::new(job.title());
    let to = known.state;
    if let Some(cause) = known.lost {
        tracing::warn!(%job, "{to}: {}", cause.sentence());
        return;
    }
    let word = known.word.as_deref().filter(|word| !word.eq_ignore_ascii_case(to.as_str())).map(Clean::new);
    let word = word.map(|word| format!(" ({word})")).unwrap_or_default();
    match (&known.saved, attempt) {
        (Some(saved), Some(attempt)) if to.is_terminal() => {
            let size = human::bytes(saved.bytes);
            let took = human::latency(attempt.latency);
            match note::reason(known).map(Clean::new).filter(|_| to.is_problem()) {
                Some(reason) => tracing::warn!(%job, "{to}: {}", unended(&reason)),
                None => tracing::info!(%job, "{to}{word}, HTTP {}, {size} in {took}", saved.http_status),
            }
        }
        _ if previous == Some(to) => match known.progress {
            Some(percent) => tracing::debug!(%job, "{to}{word}, {percent:.0}%"),
            None => tracing::info!(%job, "{to}{word}"),
        },
        _ => tracing::info!(%job, "{to}{word}"),
    }
}

/// A poll did not bring an answer, and the previous one had another outcome. The job's state stays as it was.
pub fn not_ok(job: &Job, outcome: PollOutcome, reason: &str, retry: Option<Duration>) {
    let job = Clean::new(job.title());
    let reason = unended(reason);
    let what = note::read_in_words(outcome);
    match retry {
        Some(pause) => tracing::warn!(%job, "{what}: {reason}; retry in {}", human::wait(pause)),
        None => tracing::warn!(%job, "{what}: {reason}"),
    }
}

/// A job is given up in this run.
pub fn given_up(job: &Job, reason: &str, purpose: Purpose) {
    let job = Clean::new(job.title());
    let again = match purpose {
        Purpose::Dashboard => "it is polled again when you ask for it",
        Purpose::Watch | Purpose::Once => "a new start polls it again",
    };
    tracing::warn!(%job, "stopped polling: {}; {again}", unended(reason));
}

/// A whole service is read differently from now on.
pub fn gate(service: &str, gate: &Gate, now: Timestamp) {
    let wait = |until: &Timestamp| human::wait(human::age(now, *until));
    match gate {
        Gate::Open => tracing::info!(job = service, "polling resumed"),
        Gate::Throttled(until) => {
            tracing::info!(job = service, "rate limited, polling paused {}", wait(until));
        }
        Gate::BackingOff(until) => {
            tracing::warn!(job = service, "3 polls failed, next retry in {}", wait(until));
        }
        Gate::KeyRefused(trouble) => {
            tracing::warn!(job = service, "token missing or rejected: {}", Clean::from(trouble.to_string()));
        }
    }
}

/// A service's text without the full stop that a sentence of ours goes on after.
fn unended(reason: &str) -> Clean {
    Clean::new(reason.trim_end_matches(|c: char| c == '.' || c.is_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_s_sentence_brings_no_second_full_stop() {
        let cases = [("Request not found.", "Request not found"), ("wait... ", "wait"), ("v1.2", "v1.2"), (".", "")];
        for (reason, told) in cases {
            assert_eq!(unended(reason).as_str(), told);
        }
    }
}
