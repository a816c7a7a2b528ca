//! The one table from outcome to exit code, for `watch`, `once`, `status` and the dashboard with `--exit-status`.

use crate::domain::observation::Observation;
use crate::domain::state::State;

/// A signal that ends the program in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, or `Ctrl-c`.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
}

impl Signal {
    /// Every signal that ends the program.
    pub const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::Hangup];

    /// Its name in the manual.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        }
    }

    /// 128 and the signal's number, as a shell would say it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Hangup => 129,
        }
    }
}

/// What went wrong with the run itself, whatever became of the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Usage, jobs file, unknown job, a filter that no job matches.
    Usage,
    /// An internal error, or the state directory cannot be written.
    Internal,
}

impl Trouble {
    /// Its exit code in every command.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Internal => 1,
        }
    }
}

/// All selected jobs by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Accepted, not started.
    pub queued: usize,
    /// Being processed.
    pub running: usize,
    /// Everything worked.
    pub succeeded: usize,
    /// Some parts failed.
    pub partial: usize,
    /// Did not work.
    pub failed: usize,
    /// Stopped on request.
    pub cancelled: usize,
    /// The result can no longer be had.
    pub lost: usize,
    /// Never read, or an unfamiliar word; those of `never_observed` among them.
    pub unknown: usize,
    /// Those of `unknown` that no answer was ever had for.
    pub never_observed: usize,
}

impl Tally {
    /// The tally of these jobs.
    pub fn of<'a>(jobs: impl IntoIterator<Item = &'a Observation>) -> Self {
        let mut tally = Self::default();
        for observation in jobs {
            tally.add(observation);
        }
        tally
    }

    /// Counts one more job.
    pub fn add(&mut self, observation: &Observation) {
        *self.slot(observation.state) += 1;
        if observation.state == State::Unknown && !observation.is_observed() {
            self.never_observed += 1;
        }
    }

    /// How many jobs are in a state.
    pub fn count(&self, state: State) -> usize {
        let mut copy = *self;
        *copy.slot(state)
    }

    /// All jobs: the eight states add up to it.
    pub fn total(&self) -> usize {
        State::ALL.into_iter().map(|state| self.count(state)).sum()
    }

    /// Those that are not over.
    pub fn unfinished(&self) -> usize {
        State::ALL.into_iter().filter(|state| !state.is_terminal()).map(|state| self.count(state)).sum()
    }

    fn slot(&mut self, state: State) -> &mut usize {
        match state {
            State::Queued => &mut self.queued,
            State::Running => &mut self.running,
            State::Succeeded => &mut self.succeeded,
            State::Partial => &mut self.partial,
            State::Failed => &mut self.failed,
            State::Cancelled => &mut self.cancelled,
            State::Lost => &mut self.lost,
            State::Unknown => &mut self.unknown,
        }
    }
}

/// The exit code of a run over these jobs: the first line of the table that applies.
pub fn exit_code(signal: Option<Signal>, trouble: Option<Trouble>, tally: &Tally) -> u8 {
    if let Some(signal) = signal {
        return signal.exit_code();
    }
    if let Some(trouble) = trouble {
        return trouble.exit_code();
    }
    if tally.lost > 0 {
        5
    } else if tally.failed + tally.partial + tally.cancelled > 0 {
        3
    } else if tally.never_observed > 0 {
        6
    } else if tally.unfinished() > 0 {
        4
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(state: State) -> Observation {
        Observation { state, first_seen: Some(jiff::Timestamp::UNIX_EPOCH), ..Observation::default() }
    }

    #[test]
    fn the_eight_states_add_up_to_the_total_and_the_never_observed_are_among_the_unknown() {
        let mut jobs: Vec<Observation> = State::ALL.into_iter().map(seen).collect();
        jobs.push(Observation::default());
        let tally = Tally::of(&jobs);
        assert_eq!((tally.total(), tally.unfinished(), tally.unknown, tally.never_observed), (9, 4, 2, 1));
        assert!(State::ALL.into_iter().filter(|state| *state != State::Unknown).all(|state| tally.count(state) == 1));
    }

    #[test]
    fn every_mixture_of_outcomes_exits_by_the_first_line_of_the_table_that_applies() {
        let kinds = [
            (Observation::default(), 6),
            (seen(State::Lost), 5),
            (seen(State::Failed), 3),
            (seen(State::Partial), 3),
            (seen(State::Cancelled), 3),
            (seen(State::Queued), 4),
            (seen(State::Running), 4),
            (seen(State::Unknown), 4),
            (seen(State::Succeeded), 0),
        ];
        let signals = [None, Some(Signal::Interrupt), Some(Signal::Terminate), Some(Signal::Hangup)];
        let troubles = [None, Some(Trouble::Usage), Some(Trouble::Internal)];
        for mixture in 0..1_usize << kinds.len() {
            let present: Vec<_> = kinds.iter().enumerate().filter(|(bit, _)| mixture >> bit & 1 == 1).collect();
            let tally = Tally::of(present.iter().map(|(_, (observation, _))| observation));
            let by_jobs =
                [5, 3, 6, 4].into_iter().find(|code| present.iter().any(|(_, (_, kind))| kind == code)).unwrap_or(0);
            for signal in signals {
                for trouble in troubles {
                    let expected = match (signal, trouble) {
                        (Some(Signal::Interrupt), _) => 130,
                        (Some(Signal::Terminate), _) => 143,
                        (Some(Signal::Hangup), _) => 129,
                        (None, Some(Trouble::Usage)) => 2,
                        (None, Some(Trouble::Internal)) => 1,
                        (None, None) => by_jobs,
                    };
                    assert_eq!(exit_code(signal, trouble, &tally), expected, "{signal:?} {trouble:?} {tally:?}");
                }
            }
        }
    }
}
