//! The user's own file, and the keys that follow from it.

use std::sync::Arc;

use super::error::SessionError;
use crate::app::keys::{self, Key, KeyBinding, Keymap};
use crate::config::user::{self, Actions, User};
use crate::config::{ConfigError, JobsFile};
use crate::domain::command::UserCommand;

/// Reads config.toml; everything that is wrong with it is one error.
pub fn read() -> Result<(User, Keymap), ConfigError> {
    let names: Vec<&str> = keys::table().iter().map(|binding| binding.name).collect();
    let key = |text: &str| Key::parse(text).map(|key| key.to_string());
    let own = |name: &str| binding(name).into_iter().flat_map(|own| own.keys).filter_map(|text| key(text)).collect();
    let clash = |one: &str, other: &str| match (binding(one), binding(other)) {
        (Some(one), Some(other)) => one.overlaps(other),
        (None, _) | (_, None) => false,
    };
    let user = user::user(&Actions { names: &names, own: &own, key: &key, clash: &clash })?;
    let changes = user.keys.iter().map(|binding| (binding.action.as_str(), binding.keys.as_slice()));
    let keymap = Keymap::rebound(changes);
    Ok((user, keymap))
}

/// The user's own commands, those of the jobs file first, and the keys with theirs. A name or a key that is taken is an
/// error that names both places.
pub fn commands(
    user: &User,
    file: Option<&JobsFile>,
    keymap: &Keymap,
) -> Result<(Keymap, Vec<Arc<UserCommand>>), SessionError> {
    let of_file = file.map(|file| file.commands.as_slice()).unwrap_or_default();
    let all: Vec<Arc<UserCommand>> = of_file.iter().chain(&user.commands).cloned().collect();
    let keymap = keymap.with_commands(&all).map_err(SessionError::Commands)?;
    Ok((keymap, all))
}

/// The keys with those of the user's own commands and, where there is a valid one, of the jobs file's.
pub fn keymap(file: Option<&JobsFile>) -> Result<Keymap, SessionError> {
    let (user, keymap) = read()?;
    Ok(commands(&user, file, &keymap)?.0)
}

fn binding(name: &str) -> Option<&'static KeyBinding> {
    keys::table().iter().find(|binding| binding.name == name)
}
