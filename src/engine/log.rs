//! The engine's words for the log: what changed, what went wrong, and what follows from it.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::attempt::Attempt;
use crate::domain::clean::Clean;
use crate::domain::fact::Gate;
use crate::domain::human;
use crate::domain::job::Job;
use crate::domain::observation::Observation;
use crate::domain::state::{PollOutcome, State};

use super::Purpose;

/// A job's state, word or progress changed; `attempt` is the read that brought it.
pub fn change(job: &Job, previous: Option<State>, known: &Observation, attempt: Option<&Attempt>) {
    let job = Clean::new(job.title());
    let from = previous.map_or("new", State::label);
    let to = known.state.label();
    if let Some(cause) = known.lost {
        tracing::warn!(%job, "{from} -> {to}: {}", cause.sentence());
        return;
    }
    let word = Clean::new(known.word.as_deref().unwrap_or("-"));
    match (&known.saved, attempt) {
        (Some(saved), Some(attempt)) if known.state.is_terminal() => {
            let size = human::bytes(saved.bytes);
            let took = human::latency(attempt.latency);
            tracing::info!(%job, "{from} -> {to}  HTTP {} {size} in {took}, saved before display", saved.http_status);
        }
        _ if previous == Some(known.state) => match known.progress {
            Some(percent) => tracing::debug!(%job, "{to}  {word}, {percent:.0}%"),
            None => tracing::info!(%job, "{to}  {word}"),
        },
        _ => tracing::info!(%job, "{from} -> {to}  {word}"),
    }
}

/// A read was not `ok`, and the one before was another.
pub fn not_ok(job: &Job, state: State, read: PollOutcome, reason: &str, retry: Option<Duration>) {
    let job = Clean::new(job.title());
    let reason = unended(reason);
    let kept = state.label();
    match retry {
        Some(pause) => {
            tracing::warn!(%job, "{read}: {reason}. retry in {}, state kept: {kept}", human::wait(pause));
        }
        None => tracing::warn!(%job, "{read}: {reason}. State kept: {kept}"),
    }
}

/// A job is given up in this run.
pub fn given_up(job: &Job, reason: &str, purpose: Purpose) {
    let job = Clean::new(job.title());
    let again = match purpose {
        Purpose::Dashboard => "it is polled again when you ask for it",
        Purpose::Watch | Purpose::Once => "a new start polls it again",
    };
    tracing::warn!(%job, "given up: {}; {again}", unended(reason));
}

/// A whole service is read differently from now on.
pub fn gate(service: &str, gate: &Gate, now: Timestamp) {
    let wait = |until: &Timestamp| human::wait(human::age(now, *until));
    match gate {
        Gate::Open => tracing::info!(job = service, "its reads resume"),
        Gate::Throttled(until) => {
            tracing::info!(job = service, "asked to wait: all its reads are held for {}", wait(until));
        }
        Gate::BackingOff(until) => {
            tracing::warn!(job = service, "three reads in a row failed: the next is tried in {}", wait(until));
        }
        Gate::KeyRefused(reason) => tracing::warn!(job = service, "key refused: {}", Clean::new(reason)),
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
