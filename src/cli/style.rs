//! How commands put things for people: a state's symbol, label and colour, the counts of a batch.

use super::output::OutputStyle;
use crate::domain::state::State;
use crate::domain::stats::StateCounts;
use crate::ui::theme::{Charset, Palette, Theme};

/// A state's symbol and label, such as `✗ FAIL`, without colour. At most six cells.
pub fn mark(state: State, look: OutputStyle) -> String {
    let charset = if look.ascii { Charset::Ascii } else { Charset::Utf8 };
    format!("{} {}", Theme::new(charset, Palette::Plain).symbol(state), state.label())
}

/// Text in a state's colour, the same as in the dashboard.
pub fn painted(text: &str, state: State, look: OutputStyle) -> String {
    if !look.colour {
        return text.to_owned();
    }
    let palette = if look.cvd { Palette::Cvd } else { Palette::Ansi };
    Theme::new(Charset::Utf8, palette).painted(text, state)
}

/// The counts of a batch in words: `9 jobs: 5 succeeded, 1 partial, 2 failed, 1 lost`.
pub fn counts(jobs: &StateCounts) -> String {
    jobs.sentence()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::Observation;

    #[test]
    fn counts_name_only_what_there_is() {
        let seen =
            |state| Observation { state, first_seen: Some(jiff::Timestamp::UNIX_EPOCH), ..Observation::default() };
        let never = Observation::default();
        let cases = [
            (vec![], "0 jobs"),
            (vec![never.clone()], "1 job: 1 never observed"),
            (vec![seen(State::Lost), seen(State::Succeeded), seen(State::Lost)], "3 jobs: 1 succeeded, 2 lost"),
            (vec![never, seen(State::Unknown)], "2 jobs: 1 unknown, 1 never observed"),
        ];
        for (jobs, text) in cases {
            let mut counted = StateCounts::default();
            jobs.iter().for_each(|known| counted.add(known));
            assert_eq!(counts(&counted), text);
        }
    }
}
