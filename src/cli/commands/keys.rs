//! `jobdeck keys`: the dashboard's keys, from its one table, as the user has bound them.

use crate::app::action::Action;
use crate::app::keys::{self, Key, KeyContext, Keymap};
use crate::cli::args::CommonArgs;
use crate::cli::failure::Failure;
use crate::cli::output::StdoutWriter;
use crate::session::settings;

/// Prints them: keys, the action's name in `config.toml`, what it does.
pub fn run(common: &CommonArgs) -> Result<u8, Failure> {
    let table = table(&settings::keymap(common.jobs_file().ok().as_ref())?);
    let widest = |part: fn(&KeyLine) -> &String| table.iter().map(|line| part(line).chars().count()).max().unwrap_or(0);
    let (keys, name) = (widest(|line| &line.keys), widest(|line| &line.name));
    let mut out = StdoutWriter::new();
    for line in &table {
        out.line(&format!("{:<keys$}  {:<name$}  {}", line.keys, line.name, line.help))?;
    }
    out.flush()?;
    Ok(0)
}

/// One action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLine {
    /// Its keys, a blank between; `:name` where it has none and is reached by that.
    pub keys: String,
    pub name: String,
    /// What it does, and in which pane if not in all.
    pub help: String,
}

/// Every action with these keys, in the order of the help page, then the commands of the user's own.
pub fn table(keymap: &Keymap) -> Vec<KeyLine> {
    let keys_of = |action, name: &str| {
        let keys: Vec<String> = keymap.keys(action).iter().map(Key::to_string).collect();
        if keys.is_empty() { format!(":{name}") } else { keys.join(" ") }
    };
    let line = |binding: &keys::KeyBinding| {
        let keys = keys_of(binding.action, binding.name);
        let help = match binding.context {
            KeyContext::Everywhere => binding.help.to_owned(),
            pane @ (KeyContext::List | KeyContext::Detail | KeyContext::Log) => {
                format!("{} ({})", binding.help, pane.as_str())
            }
        };
        KeyLine { keys, name: binding.name.to_owned(), help }
    };
    let own = keymap.named_actions().filter(|named| matches!(named.action, Action::Run(_)));
    let own = own.map(|named| {
        let keys = keys_of(named.action, named.name);
        KeyLine { keys, name: named.name.to_owned(), help: named.help.into_owned() }
    });
    keys::table().iter().map(line).chain(own).collect()
}
