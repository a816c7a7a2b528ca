//! The words of one service, and what each of them means.

use crate::domain::state::State;

/// A service's words for its states.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateWords(Vec<(Word, State)>);

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Is(String),
    /// Every word that begins so: `stage_*`.
    Begins(String),
}

/// A word as words are compared: trimmed, in small letters, `-` and space as `_`.
pub fn normal(word: &str) -> String {
    compared(word).collect()
}

/// Whether two words are one.
pub fn is_same(one: &str, other: &str) -> bool {
    compared(one).eq(compared(other))
}

fn compared(word: &str) -> impl Iterator<Item = char> {
    word.trim().chars().map(|c| if c == '-' || c == ' ' { '_' } else { c }).flat_map(char::to_lowercase)
}

impl StateWords {
    /// Adds a word, or with a `*` at its end the beginning of words. The state that it means already, if it means one.
    pub fn add(&mut self, word: &str, state: State) -> Option<State> {
        let word = match word.strip_suffix('*') {
            Some(beginning) => Word::Begins(normal(beginning)),
            None => Word::Is(normal(word)),
        };
        let known = self.0.iter().find(|(known, _)| *known == word).map(|(_, state)| *state);
        self.0.push((word, state));
        known
    }

    /// What a word means: the word itself before a beginning, a longer beginning before a shorter.
    pub fn state(&self, word: &str) -> Option<State> {
        let word = normal(word);
        let fits = self.0.iter().filter_map(|(known, state)| match known {
            Word::Is(known) => (*known == word).then_some((usize::MAX, *state)),
            Word::Begins(beginning) => word.starts_with(beginning.as_str()).then_some((beginning.len(), *state)),
        });
        fits.max_by_key(|(length, _)| *length).map(|(_, state)| state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_compared_without_case_and_the_longest_beginning_wins() {
        let mut words = StateWords::default();
        for (word, state) in [
            ("In Progress", State::Running),
            ("stage_*", State::Running),
            ("stage_done*", State::Succeeded),
            ("stage_done_badly", State::Failed),
        ] {
            assert_eq!(words.add(word, state), None);
        }
        let cases = [
            (" IN-PROGRESS ", Some(State::Running)),
            ("stage_ocr", Some(State::Running)),
            ("STAGE-DONE", Some(State::Succeeded)),
            ("stage_done_2", Some(State::Succeeded)),
            ("stage_done_badly", Some(State::Failed)),
            ("stag", None),
            ("", None),
        ];
        for (word, state) in cases {
            assert_eq!(words.state(word), state, "{word}");
        }
        assert_eq!(words.add("in_progress", State::Queued), Some(State::Running));
    }
}
