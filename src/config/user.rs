//! The user's own settings, `$XDG_CONFIG_HOME/jobdeck/config.toml`: keys, theme, charset, clipboard, notify, store.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::files::paths;
use super::problems::excerpt::Excerpts;
use super::problems::{Problem, Problems, known_keys};
use super::tables::field::{TomlField, TomlTable};
use super::tables::service::PathBase;
use super::tables::team_store::{StoreSetting, team_store};
use super::{ConfigError, directory, read};
use crate::domain::command::UserCommand;
use crate::domain::hook::Hook;

/// What is the user's and not the batch's. The default is that of a missing file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// `[keys]`: the actions that get other keys, in the file's order.
    pub keys: Vec<UserBinding>,
    pub theme: ThemeChoice,
    pub charset: CharsetChoice,
    pub clipboard: Clipboard,
    /// When and how the user is called.
    pub notify: Notify,
    /// `[[commands]]`, in the file's order.
    pub commands: Vec<Arc<UserCommand>>,
    /// `[[hooks]]`, in the file's order.
    pub hooks: Vec<Arc<Hook>>,
    /// The store that a team shares.
    pub store: Option<StoreSetting>,
}

/// The keys of one action, in place of the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserBinding {
    /// The action's name, one of [`Actions::names`].
    pub action: String,
    /// The keys as [`Actions::key`] spelt them; none: the action has no key.
    pub keys: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// The sixteen colours of the terminal.
    #[default]
    Default,
    /// Blue, orange, vermilion: for colour-blind users.
    Cvd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CharsetChoice {
    #[default]
    Auto,
    Utf8,
    Ascii,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Clipboard {
    /// By where we run.
    #[default]
    Auto,
    Osc52,
    Tmux,
    Native,
    /// This program with these arguments, which gets the text on its standard input. No shell.
    Command(Vec<String>),
}

/// When the user is called, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    pub first_failure: bool,
    /// When all jobs are finished.
    pub finished: bool,
    /// A program and its arguments, run without a shell besides the bell.
    pub command: Option<Vec<String>>,
}

impl Default for Notify {
    fn default() -> Self {
        Self { first_failure: true, finished: true, command: None }
    }
}

/// What the dashboard knows of keys: its table of actions, in four questions.
#[derive(Clone, Copy)]
pub struct Actions<'a> {
    /// The name of every action.
    pub names: &'a [&'a str],
    /// The keys of an action unless others are bound, as `key` spells them.
    pub own: &'a dyn Fn(&str) -> Vec<String>,
    /// A key as it is always spelt; None for what is no key.
    pub key: &'a dyn Fn(&str) -> Option<String>,
    /// Whether two actions can be meant at the same time, so that they must not share a key.
    pub clash: &'a dyn Fn(&str, &str) -> bool,
}

/// Reads the user's settings; a missing file is all defaults.
pub fn user(actions: &Actions<'_>) -> Result<User, ConfigError> {
    match paths::user_file() {
        Some(path) if path.symlink_metadata().is_ok() => parse_user(&read(&path)?, &path, actions),
        Some(_) | None => Ok(User::default()),
    }
}

/// Reads the text of a config.toml; `path` is for messages.
pub fn parse_user(text: &str, path: &Path, actions: &Actions<'_>) -> Result<User, ConfigError> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let broken = !errors.is_empty();
    let (of_syntax, mended) = super::problems::syntax(text, errors);
    let mut problems = Problems::of_syntax(of_syntax);
    let again = broken.then(|| DeTable::parse_recoverable(&mended).0);
    let file = TomlTable::of_file(again.as_ref().unwrap_or(&table).get_ref());
    file.expect_only(known_keys::USER, "at the top of the file", &mut problems);
    let user = User {
        keys: keys(&file, &Excerpts::new(text), actions, &mut problems),
        theme: file.one_of("theme", &[("default", ThemeChoice::Default), ("cvd", ThemeChoice::Cvd)], &mut problems),
        charset: file.one_of(
            "charset",
            &[("auto", CharsetChoice::Auto), ("utf8", CharsetChoice::Utf8), ("ascii", CharsetChoice::Ascii)],
            &mut problems,
        ),
        clipboard: clipboard(&file, &mut problems),
        notify: notify(&file, &mut problems),
        commands: super::tables::commands::commands(&file, None, text, path, &mut problems),
        hooks: super::tables::hooks::hooks(&file, text, path, &mut problems),
        store: team_store(&file, &PathBase { directory: directory(path), home: paths::home() }, &mut problems),
    };
    if problems.is_empty() { Ok(user) } else { Err(problems.into_error(path, text)) }
}

fn keys(
    file: &TomlTable<'_>,
    excerpts: &Excerpts<'_>,
    actions: &Actions<'_>,
    problems: &mut Problems,
) -> Vec<UserBinding> {
    let help = "write it as [keys], and below it next-problem = [\"f\"]";
    let Some(table) = file.get("keys").and_then(|field| field.table(help, problems)) else { return Vec::new() };
    table.expect_only(actions.names, "in [keys]", problems);
    let mut bindings: Vec<UserBinding> = Vec::new();
    let mut taken: HashMap<String, Vec<(String, usize)>> = HashMap::new();
    for field in table.all().into_iter().filter(|field| actions.names.contains(&field.key)) {
        let line = excerpts.position(field.key_span.start).line;
        let mut keys = Vec::new();
        for (text, span) in one_or_many(&field, problems) {
            let Some(key) = (actions.key)(text) else {
                let message = format!("there is no such key for `{}`", field.key);
                problems.add(
                    Problem::at(span, message).help("write keys like \"f\", \"F\", \"Ctrl-d\", \"Enter\" or \"PgDn\""),
                );
                continue;
            };
            let holders = taken.entry(key.clone()).or_default();
            for (other, first) in holders.iter() {
                if other == field.key || (actions.clash)(other, field.key) {
                    let message =
                        format!("this key of `{}` in line {line} is a key of `{other}` in line {first}", field.key);
                    problems.add(Problem::at(span.clone(), message).help("give one of the two another key"));
                }
            }
            // An action that is not in the file keeps its own keys.
            let kept = actions.names.iter().filter(|name| table.get(name).is_none());
            for other in kept.filter(|other| (actions.clash)(other, field.key) && (actions.own)(other).contains(&key)) {
                let message = format!("this key of `{}` in line {line} is `{other}`'s own", field.key);
                problems.add(Problem::at(span.clone(), message).help(format!("give `{other}` another key too")));
            }
            holders.push((field.key.to_owned(), line));
            keys.push(key);
        }
        bindings.push(UserBinding { action: field.key.to_owned(), keys });
    }
    bindings
}

/// A string, or the strings of an array.
fn one_or_many<'a>(field: &TomlField<'a>, problems: &mut Problems) -> Vec<(&'a str, std::ops::Range<usize>)> {
    match field.value.as_str() {
        Some(text) => vec![(text, field.span.clone())],
        None => field.texts("[\"f\", \"Ctrl-f\"]", problems).unwrap_or_default(),
    }
}

const ARGV: &str = "a program and its arguments, as in [\"notify-send\", \"jobdeck\"]";

fn clipboard(file: &TomlTable<'_>, problems: &mut Problems) -> Clipboard {
    let Some(field) = file.get("clipboard") else { return Clipboard::Auto };
    if field.value.is_array() {
        return field.argv(ARGV, problems).map_or(Clipboard::Auto, Clipboard::Command);
    }
    match field.value.as_str().map(str::trim) {
        Some("auto") => Clipboard::Auto,
        Some("osc52") => Clipboard::Osc52,
        Some("tmux") => Clipboard::Tmux,
        Some("native") => Clipboard::Native,
        Some(_) | None => {
            field.wrong(
                "`clipboard` has no such value",
                "write \"auto\", \"osc52\", \"tmux\", \"native\" or a command like [\"wl-copy\"]",
                problems,
            );
            Clipboard::Auto
        }
    }
}

fn notify(file: &TomlTable<'_>, problems: &mut Problems) -> Notify {
    let mut notify = Notify::default();
    let Some(table) = file.get("notify").and_then(|field| field.table("write it as [notify]", problems)) else {
        return notify;
    };
    table.expect_only(known_keys::NOTIFY, "in [notify]", problems);
    let example = "on = [\"first_failure\", \"finished\"]";
    if let Some(on) = table.get("on").and_then(|field| field.texts(example, problems)) {
        (notify.first_failure, notify.finished) = (false, false);
        for (word, span) in on {
            match word {
                "first_failure" => notify.first_failure = true,
                "finished" => notify.finished = true,
                _ => problems.add(Problem::at(span, "there is no such event in `on`").help(format!("write {example}"))),
            }
        }
    }
    notify.command = table.get("command").and_then(|field| field.argv(ARGV, problems));
    notify
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<User, String> {
        let actions = Actions {
            names: &["next-problem", "previous-problem", "copy-raw", "tree-fold"],
            own: &|name| if name == "previous-problem" { vec!["F".to_owned()] } else { Vec::new() },
            key: &|text| {
                (text.len() == 1 || text.to_lowercase().starts_with("ctrl-")).then(|| text.replace("ctrl-", "Ctrl-"))
            },
            clash: &|one, other| !one.starts_with("tree") && !other.starts_with("tree"),
        };
        parse_user(text, Path::new("config.toml"), &actions).map_err(|error| error.to_string())
    }

    #[test]
    fn the_settings_are_read_and_whatever_is_left_out_has_its_default() {
        assert_eq!(read(""), Ok(User::default()));
        let text = "theme = 'cvd'\ncharset = 'ascii'\nclipboard = ['wl-copy']\n[keys]\nnext-problem = ['f', 'ctrl-f']\ncopy-raw = 'Y'\ntree-fold = 'Y'\n[notify]\non = ['finished']\ncommand = ['notify-send', 'x']\n";
        let user = read(text).unwrap();
        let binding = |action: &str, keys: &[&str]| UserBinding {
            action: action.to_owned(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let keys =
            [binding("next-problem", &["f", "Ctrl-f"]), binding("copy-raw", &["Y"]), binding("tree-fold", &["Y"])];
        assert_eq!(user.keys, keys);
        assert_eq!((user.theme, user.charset), (ThemeChoice::Cvd, CharsetChoice::Ascii));
        assert_eq!(user.clipboard, Clipboard::Command(vec!["wl-copy".to_owned()]));
        assert_eq!((user.notify.first_failure, user.notify.finished), (false, true));
        assert_eq!(user.notify.command.map(|argv| argv.len()), Some(2));
    }

    #[test]
    fn mistakes_are_said_in_the_same_way_and_conflicts_with_both_lines() {
        let cases = [
            ("them = 'cvd'", "config.toml:1:1: unknown key `them` at the top of the file"),
            ("theme = 'dark'", "1:9: `theme` has no such value"),
            ("charset = 3", "1:11: key `charset` must be a string, not an integer"),
            ("clipboard = 'xclip'", "1:13: `clipboard` has no such value"),
            ("[keys]\nnext-problm = 'f'", "did you mean `next-problem`?"),
            ("[keys]\ncopy-raw = 'Hyper-x'", "2:12: there is no such key for `copy-raw`"),
            (
                "[keys]\nnext-problem = 'x'\ncopy-raw = ['y', 'x']",
                "3:18: this key of `copy-raw` in line 3 is a key of `next-problem` in line 2",
            ),
            (
                "[keys]\ncopy-raw = ['ctrl-x', 'Ctrl-x']",
                "2:23: this key of `copy-raw` in line 2 is a key of `copy-raw` in line 2",
            ),
            (
                "[keys]\nnext-problem = ['f', 'F']",
                "2:22: this key of `next-problem` in line 2 is `previous-problem`'s own",
            ),
            ("[notify]\non = ['never']", "2:7: there is no such event in `on`"),
            ("[notify]\ncommand = []", "2:11: this command names no program"),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}\n{error}");
        }
        assert!(read("[keys]\nnext-problem = 'F'\nprevious-problem = 'f'").is_ok(), "two keys change places");
    }
}
