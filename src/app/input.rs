//! A line of text that is being typed: filter, search, palette.

use crossterm::event::KeyCode;
use unicode_segmentation::UnicodeSegmentation;

use super::keys::Key;
use crate::domain::clean;

/// A line of text and the cursor in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineInput {
    before: String,
    after: String,
    /// Whether all of it is selected: what is typed next takes its place, any other key keeps it.
    selected: bool,
}

/// What a key did to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// The text is another.
    Changed,
    /// Only the cursor moved, or nothing did.
    Same,
    /// `Enter`.
    Done,
    /// `Esc`, or `Backspace` in an empty line.
    Cancelled,
}

impl LineInput {
    /// A line with the cursor at its end.
    pub fn new(text: &str) -> Self {
        Self { before: text.to_owned(), ..Self::default() }
    }

    /// The same, all of it selected.
    pub fn selected(text: &str) -> Self {
        Self { selected: !text.is_empty(), ..Self::new(text) }
    }

    /// Selects nothing of it.
    pub fn keep(&mut self) {
        self.selected = false;
    }

    /// Whether all of it is selected.
    pub fn is_selected(&self) -> bool {
        self.selected
    }

    pub fn text(&self) -> String {
        format!("{}{}", self.before, self.after)
    }

    /// What is before the cursor.
    pub fn before(&self) -> &str {
        &self.before
    }

    pub fn key(&mut self, key: Key) -> Typed {
        let selected = std::mem::take(&mut self.selected);
        let is_text = matches!(key.code, KeyCode::Char(c) if !key.ctrl && !key.alt && clean::is_harmless(c));
        let replaced = selected && is_text;
        if replaced {
            self.before.clear();
        } else if selected && matches!(key.code, KeyCode::Backspace | KeyCode::Delete) {
            self.before.clear();
            return Typed::Changed;
        }
        let length = self.before.len() + self.after.len();
        match (key.code, key.ctrl) {
            (KeyCode::Enter, _) => return Typed::Done,
            (KeyCode::Esc, _) => return Typed::Cancelled,
            (KeyCode::Backspace, false) if length == 0 => return Typed::Cancelled,
            (KeyCode::Backspace, false) | (KeyCode::Char('h'), true) => self.before.truncate(last_start(&self.before)),
            (KeyCode::Delete, _) => self.after.drain(..first_end(&self.after)).for_each(drop),
            (KeyCode::Char('u'), true) => self.before.clear(),
            (KeyCode::Char('k'), true) => self.after.clear(),
            (KeyCode::Char('w'), true) | (KeyCode::Backspace, true) => {
                let kept = self.before.trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.before.truncate(kept);
            }
            (KeyCode::Left, _) | (KeyCode::Char('b'), true) => {
                let tail = self.before.split_off(last_start(&self.before));
                self.after.insert_str(0, &tail);
            }
            (KeyCode::Right, _) | (KeyCode::Char('f'), true) => {
                let head: String = self.after.drain(..first_end(&self.after)).collect();
                self.before.push_str(&head);
            }
            (KeyCode::Home, _) | (KeyCode::Char('a'), true) => {
                self.after.insert_str(0, &std::mem::take(&mut self.before));
            }
            (KeyCode::End, _) | (KeyCode::Char('e'), true) => {
                self.before.push_str(&std::mem::take(&mut self.after));
            }
            (KeyCode::Char(c), false) if !key.alt && clean::is_harmless(c) => self.before.push(c),
            _ => return Typed::Same,
        }
        if self.before.len() + self.after.len() == length && !replaced { Typed::Same } else { Typed::Changed }
    }

    /// Text was pasted: its first line, without anything harmful.
    pub fn paste(&mut self, text: &str) {
        if std::mem::take(&mut self.selected) {
            self.before.clear();
        }
        let line = text.lines().next().unwrap_or_default();
        self.before.push_str(&clean::Clean::new(line));
    }
}

fn last_start(text: &str) -> usize {
    text.grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
}

fn first_end(text: &str) -> usize {
    text.graphemes(true).next().map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_selected_gives_way_to_what_is_typed_and_stays_for_any_other_key() {
        let cases = [
            ("x y", "xy"),
            ("Backspace", ""),
            ("Delete", ""),
            ("Left x", "axb"),
            ("End x", "abx"),
            ("Ctrl-w x", "x"),
            ("Enter", "ab"),
            ("Esc", "ab"),
        ];
        for (keys, expected) in cases {
            let mut input = LineInput::selected("ab");
            let typed: Vec<Typed> = keys.split(' ').map(|key| input.key(Key::parse(key).unwrap())).collect();
            assert_eq!(input.text(), expected, "{keys}");
            assert_eq!(typed.contains(&Typed::Changed), expected != "ab", "{keys}");
        }
        let mut input = LineInput::selected("ab");
        input.paste("cd");
        assert_eq!((input.text().as_str(), input.is_selected()), ("cd", false));
    }

    #[test]
    fn a_line_is_edited_as_in_a_shell() {
        let cases = [
            ("a b", "Backspace", "a "),
            ("a bc", "Ctrl-w", "a "),
            ("a b", "Ctrl-u", ""),
            ("aé", "Left Backspace", "é"),
            ("ab", "Home x", "xab"),
            ("ab", "Home Delete End c", "bc"),
            ("", "Ctrl-d Space", " "),
        ];
        for (text, keys, expected) in cases {
            let mut input = LineInput::new(text);
            for key in keys.split(' ') {
                input.key(Key::parse(key).unwrap());
            }
            assert_eq!(input.text(), expected, "{text:?} {keys}");
        }
    }
}
