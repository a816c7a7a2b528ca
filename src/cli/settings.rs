//! The user's own file, and the keys that follow from it.

use super::failure::Failure;
use crate::app::keys::{self, Binding, Key, Keymap};
use crate::config::user::{self, Actions, User};

/// Reads it. Everything that is wrong with it is one error.
pub fn read() -> Result<(User, Keymap), Failure> {
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

fn binding(name: &str) -> Option<&'static Binding> {
    keys::table().iter().find(|binding| binding.name == name)
}
