//! The keys of the user's own commands, beside those of the table.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Key, Keymap};
use crate::app::action::Action;
use crate::domain::clean::Clean;
use crate::domain::command::UserCommand;

/// An action, its name and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAction<'a> {
    pub action: Action,
    pub name: &'a str,
    pub help: Cow<'a, str>,
}

/// What a command does, as far as that can be known.
fn help(command: &UserCommand) -> String {
    let program = Clean::new(command.program.argv().first().map_or("", String::as_str));
    let when =
        if command.when.is_empty() { String::new() } else { format!(", for {}", Clean::new(command.when.source())) };
    format!("run {program}{when} ({})", command.place)
}

/// Why a command is refused as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandConflict {
    #[error("{place}: there is no such key for `{command}`; write keys like \"R\", \"Ctrl-r\", \"Alt-x\" or \"F5\"")]
    NoKey {
        /// Where it is declared.
        place: String,
        command: Arc<str>,
    },
    #[error("{place}: the key {key} of `{command}` is that of {other}; give one of the two another key")]
    Key {
        /// Where it is declared.
        place: String,
        command: Arc<str>,
        key: Key,
        /// Whose key it is, and where that is declared.
        other: String,
    },
    #[error("{place}: there is a command `{command}` at {other} already; give one of the two another name")]
    Name {
        /// Where it is declared.
        place: String,
        command: Arc<str>,
        /// Where the other is declared.
        other: String,
    },
}

impl Keymap {
    /// The same with the keys of these commands; the place of each is its number.
    pub fn with_commands(&self, commands: &[Arc<UserCommand>]) -> Result<Self, Vec<CommandConflict>> {
        let mut bound = self.bound.clone();
        let mut conflicts = Vec::new();
        for (number, command) in (0_u16..).zip(commands) {
            let (place, name) = (command.place.clone(), Arc::clone(&command.name));
            let before = commands.iter().take(usize::from(number));
            if let Some(other) = before.clone().find(|other| other.name == command.name) {
                conflicts.push(CommandConflict::Name { place, command: name, other: other.place.clone() });
                continue;
            }
            let Some(written) = &command.key else { continue };
            let Some(key) = Key::parse(written) else {
                conflicts.push(CommandConflict::NoKey { place, command: name });
                continue;
            };
            let twin = before.clone().find(|other| other.key.as_deref().and_then(Key::parse) == Some(key));
            let other = match (twin, self.owner(key)) {
                (Some(twin), _) => format!("`{}` at {}", twin.name, twin.place),
                (None, Some(action)) => {
                    format!("`{action}` in the table of keys (`jobdeck keys`, [keys] in config.toml)")
                }
                (None, None) => {
                    bound.push((Action::Run(number), vec![key]));
                    continue;
                }
            };
            conflicts.push(CommandConflict::Key { place, command: name, key, other });
        }
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        Ok(Self { commands: commands.to_vec(), ..Self::of(bound) })
    }

    /// The user's own commands; the place of each is its number.
    pub fn commands(&self) -> &[Arc<UserCommand>] {
        &self.commands
    }

    /// Every action that has a name: those of the table, then the user's own commands.
    pub fn named_actions(&self) -> impl Iterator<Item = NamedAction<'_>> {
        let of_table =
            super::table().iter().map(|one| NamedAction { action: one.action, name: one.name, help: one.help.into() });
        let own = (0_u16..).zip(&self.commands).map(|(number, command)| NamedAction {
            action: Action::Run(number),
            name: &command.name,
            help: help(command).into(),
        });
        of_table.chain(own)
    }

    /// The name of the action that a key means, in whatever pane.
    fn owner(&self, key: Key) -> Option<&'static str> {
        let (_, action) = self.by_key.get(&key)?.first()?;
        super::table().iter().find(|binding| binding.action == *action).map(|binding| binding.name)
    }
}
