//! The one table from outcome to exit code, for `watch`, `once`, `status` and the dashboard with `--exit-status`.

use crate::domain::state::State;
use crate::domain::stats::Counts;

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

/// The exit code of a run over these jobs: the first line of the table that applies.
pub fn exit_code(signal: Option<Signal>, trouble: Option<Trouble>, jobs: &Counts) -> u8 {
    if let Some(signal) = signal {
        return signal.exit_code();
    }
    if let Some(trouble) = trouble {
        return trouble.exit_code();
    }
    let any = |states: &[State]| states.iter().any(|state| jobs.of(*state) > 0);
    if any(&[State::Lost]) {
        5
    } else if any(&[State::Failed, State::Partial, State::Cancelled]) {
        3
    } else if jobs.never_observed() > 0 {
        6
    } else if jobs.finished() < jobs.total() {
        4
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::Observation;

    fn seen(state: State) -> Observation {
        Observation { state, first_seen: Some(jiff::Timestamp::UNIX_EPOCH), ..Observation::default() }
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
            let mut jobs = Counts::default();
            present.iter().for_each(|(_, (observation, _))| jobs.add(observation));
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
                    assert_eq!(exit_code(signal, trouble, &jobs), expected, "{signal:?} {trouble:?} {jobs:?}");
                }
            }
        }
    }
}
