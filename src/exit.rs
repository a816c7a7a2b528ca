//! The one table from outcome to exit code, for `watch`, `once`, `status` and the dashboard with `--exit-status`.

use std::fmt;

use rustix::process::Signal as Number;

use crate::domain::state::State;
use crate::domain::stats::StateCounts;

/// A signal that ends the program in good order: each that would otherwise end it at once and can be caught, but for
/// those that tell of a fault in the program itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    number: i32,
}

/// Their names in the manual, without the `SIG`.
const NAMES: &[(Number, &str)] = &[
    (Number::INT, "INT"),
    (Number::TERM, "TERM"),
    (Number::HUP, "HUP"),
    (Number::QUIT, "QUIT"),
    (Number::USR1, "USR1"),
    (Number::USR2, "USR2"),
    (Number::ALARM, "ALRM"),
    (Number::VTALARM, "VTALRM"),
    (Number::PROF, "PROF"),
    (Number::XCPU, "XCPU"),
    (Number::IO, "IO"),
    #[cfg(target_os = "linux")]
    (Number::POWER, "PWR"),
    #[cfg(target_os = "linux")]
    (Number::STKFLT, "STKFLT"),
];

/// Linux has a row of signals without a fixed meaning (`systemd`, SLURM and others send some of them).
#[cfg(target_os = "linux")]
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;
#[cfg(not(target_os = "linux"))]
const REAL_TIME: std::ops::RangeInclusive<i32> = 1..=0;

impl Signal {
    /// SIGINT, or `Ctrl-c`.
    pub const INTERRUPT: Self = Self { number: Number::INT.as_raw() };
    pub const TERMINATE: Self = Self { number: Number::TERM.as_raw() };
    /// SIGHUP: the terminal is gone.
    pub const HANGUP: Self = Self { number: Number::HUP.as_raw() };

    /// Every signal that ends the program, the likeliest first.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(number, _)| number.as_raw()).chain(REAL_TIME).map(|number| Self { number })
    }

    /// As the system counts them.
    pub fn number(self) -> i32 {
        self.number
    }

    /// 128 and the signal's number, as a shell would say it.
    pub fn exit_code(self) -> u8 {
        u8::try_from(self.number).map_or(u8::MAX, |number| number.saturating_add(128))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| number.as_raw() == self.number) {
            Some((_, name)) => write!(f, "SIG{name}"),
            None => write!(f, "SIGRTMIN+{}", self.number - REAL_TIME.start()),
        }
    }
}

/// What went wrong with the run itself, whatever became of the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Usage, jobs file, unknown job, a filter that no job matches.
    Usage,
    /// An internal error, or the state directory cannot be written.
    Internal,
}

impl FailureKind {
    /// Its exit code in every command.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Internal => 1,
        }
    }
}

/// The exit code of a run over these jobs: the first line of the table that applies.
pub fn exit_code(signal: Option<Signal>, trouble: Option<FailureKind>, jobs: &StateCounts) -> u8 {
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
        let signals = [None, Some(Signal::INTERRUPT), Some(Signal::TERMINATE), Some(Signal::HANGUP)];
        let troubles = [None, Some(FailureKind::Usage), Some(FailureKind::Internal)];
        for mixture in 0..1_usize << kinds.len() {
            let present: Vec<_> = kinds.iter().enumerate().filter(|(bit, _)| mixture >> bit & 1 == 1).collect();
            let mut jobs = StateCounts::default();
            present.iter().for_each(|(_, (observation, _))| jobs.add(observation));
            let by_jobs =
                [5, 3, 6, 4].into_iter().find(|code| present.iter().any(|(_, (_, kind))| kind == code)).unwrap_or(0);
            for signal in signals {
                for trouble in troubles {
                    let expected = match (signal, trouble) {
                        (Some(Signal::INTERRUPT), _) => 130,
                        (Some(Signal::TERMINATE), _) => 143,
                        (Some(Signal::HANGUP), _) => 129,
                        (Some(other), _) => other.exit_code(),
                        (None, Some(FailureKind::Usage)) => 2,
                        (None, Some(FailureKind::Internal)) => 1,
                        (None, None) => by_jobs,
                    };
                    assert_eq!(exit_code(signal, trouble, &jobs), expected, "{signal:?} {trouble:?} {jobs:?}");
                }
            }
        }
    }

    #[test]
    fn a_signal_is_called_by_its_name_and_exits_with_128_and_its_number() {
        let cases = [(Number::QUIT, "SIGQUIT", 131), (Number::USR1, "SIGUSR1", 138), (Number::XCPU, "SIGXCPU", 152)];
        for (number, name, code) in cases {
            let signal = Signal::all().find(|signal| signal.number() == number.as_raw()).unwrap();
            assert_eq!((signal.to_string().as_str(), signal.exit_code()), (name, code));
        }
        #[cfg(target_os = "linux")]
        assert_eq!(Signal { number: 37 }.to_string(), "SIGRTMIN+3");
    }
}
