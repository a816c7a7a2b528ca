//! Keys, and what they mean: the keymap in use.

pub mod own_keys;
pub mod press;
mod table;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::Action;
use crate::domain::command::UserCommand;
pub use table::table;

/// A key as the dashboard knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which key; a shifted letter is its upper case.
    pub code: KeyCode,
    pub ctrl: bool,
    pub alt: bool,
}

impl Key {
    /// What the terminal sent; None for a release.
    pub fn from_event(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let shift = event.modifiers.contains(KeyModifiers::SHIFT);
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let code = match (event.code, ctrl, shift) {
            (KeyCode::Char(c), true, _) => KeyCode::Char(c.to_ascii_lowercase()),
            (KeyCode::Char(c), false, true) => KeyCode::Char(c.to_ascii_uppercase()),
            (KeyCode::Tab, _, true) => KeyCode::BackTab,
            (code, _, _) => code,
        };
        Some(Self { code, ctrl, alt: event.modifiers.contains(KeyModifiers::ALT) })
    }

    /// The key that is written so: `j`, `G`, `Ctrl-d`, `Alt-x`, `Shift-Tab`, `PgDn`, `Space`, `F5`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = strip_prefix_any_case(text, "ctrl-") {
            return Self::parse(rest).map(Self::with_ctrl);
        }
        if let Some(rest) = strip_prefix_any_case(text, "alt-") {
            let key = Self::parse(rest)?;
            return Some(Self { alt: true, ..key });
        }
        let mut chars = text.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => KeyCode::Char(c),
            _ => named(text)?,
        };
        Some(Self { code, ctrl: false, alt: false })
    }

    /// What a terminal sends for it with Ctrl: it knows no case, and three of the letters are other keys.
    fn with_ctrl(self) -> Self {
        let KeyCode::Char(c) = self.code else { return Self { ctrl: true, ..self } };
        match c.to_ascii_lowercase() {
            'i' => Self { code: KeyCode::Tab, ..self },
            'm' => Self { code: KeyCode::Enter, ..self },
            '[' => Self { code: KeyCode::Esc, ..self },
            c => Self { code: KeyCode::Char(c), ctrl: true, ..self },
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("Ctrl-")?;
        }
        if self.alt {
            f.write_str("Alt-")?;
        }
        if let Some((name, _)) = NAMES.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        if let KeyCode::Char(c) = self.code {
            return write!(f, "{c}");
        }
        if let KeyCode::F(n) = self.code {
            return write!(f, "F{n}");
        }
        f.write_str("?")
    }
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyContext {
    Everywhere,
    List,
    Detail,
    Log,
}

impl KeyContext {
    /// The word of the help page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::List => "list",
            Self::Detail => "detail",
            Self::Log => "log",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyBinding {
    pub action: Action,
    /// Its keys unless the user has bound others, as [`Key::parse`] reads them.
    pub keys: &'static [&'static str],
    /// Where they mean it.
    pub context: KeyContext,
    /// Its name in the palette and in `config.toml`.
    pub name: &'static str,
    /// What it does, for help page and manual.
    pub help: &'static str,
    /// Its words in the footer; empty: it is not there.
    pub footer: &'static str,
}

impl KeyBinding {
    /// Whether two actions can be meant at the same time, so that they must not share a key.
    pub fn overlaps(&self, other: &Self) -> bool {
        let everywhere = |binding: &Self| binding.context == KeyContext::Everywhere;
        self.context == other.context || everywhere(self) || everywhere(other)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bound: Vec<(Action, Vec<Key>)>,
    by_key: HashMap<Key, Vec<(KeyContext, Action)>>,
    /// The user's own, by their numbers.
    commands: Vec<Arc<UserCommand>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::rebound(std::iter::empty())
    }
}

impl Keymap {
    /// The table with the user's changes: the names of actions, and their keys from now on in place of those of the
    /// table. A key that is shared is the earlier action's: whoever reads the user's file sees to it that none is.
    pub fn rebound<'a>(changes: impl Iterator<Item = (&'a str, &'a [String])> + Clone) -> Self {
        let keys = |binding: &KeyBinding| match changes.clone().find(|(name, _)| *name == binding.name) {
            Some((_, keys)) => keys.iter().filter_map(|key| Key::parse(key)).collect(),
            None => parsed(binding.keys),
        };
        Self::of(table().iter().map(|binding| (binding.action, keys(binding))).collect())
    }

    /// What a key means in a pane.
    pub fn action(&self, key: Key, context: KeyContext) -> Option<Action> {
        let meanings = self.by_key.get(&key)?;
        let here = meanings.iter().find(|(at, _)| *at == context);
        here.or_else(|| meanings.iter().find(|(at, _)| *at == KeyContext::Everywhere)).map(|(_, action)| *action)
    }

    /// A pane in which a key means something.
    pub fn context(&self, key: Key) -> Option<KeyContext> {
        self.by_key.get(&key)?.first().map(|(context, _)| *context)
    }

    pub fn keys(&self, action: Action) -> &[Key] {
        self.bound.iter().find(|(bound, _)| *bound == action).map_or(&[], |(_, keys)| keys)
    }

    /// The first key of an action as text; empty if it has none.
    pub fn first_key(&self, action: Action) -> String {
        self.keys(action).first().map(Key::to_string).unwrap_or_default()
    }

    /// What the key of an action does, in parentheses after a text: `   (e groups failures)`. Empty if it has no key.
    pub fn hint(&self, action: Action, words: &str) -> String {
        let key = self.first_key(action);
        if key.is_empty() { String::new() } else { format!("   ({key} {words})") }
    }

    fn of(bound: Vec<(Action, Vec<Key>)>) -> Self {
        let mut by_key: HashMap<Key, Vec<(KeyContext, Action)>> = HashMap::new();
        for (action, keys) in &bound {
            for key in keys {
                by_key.entry(*key).or_default().push((context_of(*action), *action));
            }
        }
        Self { bound, by_key, commands: Vec::new() }
    }
}

/// The character of a key that is pressed without Ctrl and Alt.
pub fn plain_char(key: Key) -> Option<char> {
    if let KeyCode::Char(c) = key.code
        && !key.ctrl
        && !key.alt
    {
        return Some(c);
    }
    None
}

fn context_of(action: Action) -> KeyContext {
    table().iter().find(|binding| binding.action == action).map_or(KeyContext::Everywhere, |binding| binding.context)
}

fn parsed(keys: &[&str]) -> Vec<Key> {
    keys.iter().filter_map(|key| Key::parse(key)).collect()
}

fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    let rest = text.get(prefix.len()..)?;
    (head.eq_ignore_ascii_case(prefix) && !rest.is_empty()).then_some(rest)
}

fn named(text: &str) -> Option<KeyCode> {
    if let Some(number) = text.strip_prefix(['F', 'f']).and_then(|number| number.parse::<u8>().ok()) {
        return (1..=24).contains(&number).then_some(KeyCode::F(number));
    }
    NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, code)| *code)
}

const NAMES: &[(&str, KeyCode)] = &[
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Shift-Tab", KeyCode::BackTab),
    ("Space", KeyCode::Char(' ')),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_can_be_read_and_means_one_thing_in_a_pane() {
        for (n, binding) in table().iter().enumerate() {
            let keys = parsed(binding.keys);
            assert_eq!(keys.len(), binding.keys.len(), "{}", binding.name);
            for other in table().iter().skip(n + 1).filter(|other| binding.overlaps(other)) {
                let shared = parsed(other.keys).into_iter().find(|key| keys.contains(key));
                assert_eq!(shared, None, "{} and {}", binding.name, other.name);
            }
        }
    }

    #[test]
    fn every_action_has_one_line_and_one_name() {
        for (n, binding) in table().iter().enumerate() {
            let twin = table().iter().skip(n + 1);
            assert_eq!(twin.clone().filter(|other| other.name == binding.name).count(), 0, "{}", binding.name);
            assert_eq!(twin.filter(|other| other.action == binding.action).count(), 0, "{}", binding.name);
        }
    }

    #[test]
    fn keys_are_written_as_they_are_read() {
        for text in ["j", "G", "Ctrl-d", "Alt-x", "PgDn", "Space", "F5", "Shift-Tab", "-", "Ctrl--"] {
            assert_eq!(Key::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "Hyper-x", "jj", "F99"] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_key_with_ctrl_is_the_one_that_a_terminal_sends() {
        for (text, same) in [("Ctrl-Q", "Ctrl-q"), ("ctrl-i", "Tab"), ("Ctrl-M", "Enter"), ("Ctrl-[", "Esc")] {
            assert_eq!(Key::parse(text), Key::parse(same), "{text}");
        }
    }

    #[test]
    fn keys_can_be_bound_anew_and_taken_away() {
        let changes = [("help", vec!["F1".to_owned(), "F2".to_owned()]), ("save", vec![])];
        let keymap = Keymap::rebound(changes.iter().map(|(name, keys)| (*name, keys.as_slice())));
        let action = |key| keymap.action(Key::parse(key).unwrap(), KeyContext::List);
        assert_eq!((action("F1"), action("F2"), action("?")), (Some(Action::Help), Some(Action::Help), None));
        assert_eq!((action("s"), keymap.first_key(Action::Save)), (None, String::new()));
        assert_eq!(action("q"), Some(Action::Quit));
    }
}
