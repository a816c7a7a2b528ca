//! What the loop listens to, and who else hears of it.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::message::Message;
use crate::app::keys::Keymap;
use crate::domain::command::UserCommand;
use crate::domain::fact::Fact;
use crate::logging::LoggedEvent;
use crate::run::hooks::HookRunner;
use crate::session::exporter::Exporter;
use crate::session::owners::PollOwners;
use crate::session::reload::Reloads;

/// What the loop listens to.
#[derive(Debug)]
pub struct Sources {
    /// Keys, signals, results.
    pub inputs: UnboundedReceiver<Message>,
    /// What the engine says; ends with it.
    pub facts: UnboundedReceiver<Fact>,
    /// Lines for the log pane.
    pub log: UnboundedReceiver<LoggedEvent>,
    /// What becomes of the jobs file.
    pub reloads: Reloads,
    /// Which other instances poll our jobs.
    pub owners: PollOwners,
    /// Writes results out as they arrive.
    pub exporter: Option<Exporter>,
    /// Runs hooks; None without a jobs file.
    pub hooks: Option<HookRunner>,
}

impl Sources {
    /// What a fact means to those who listen beside the app.
    pub fn hear(&mut self, fact: &Fact) {
        self.owners.on_fact(fact);
        if let Some(hooks) = &mut self.hooks {
            hooks.on_fact(fact);
        }
        if let Some(exporter) = &mut self.exporter {
            exporter.on_fact(fact);
        }
    }
}

/// What is the user's and not the jobs file's.
#[derive(Debug)]
pub struct UserSettings {
    /// The keys, without those of commands.
    pub keymap: Keymap,
    /// Commands of config.toml.
    pub commands: Vec<Arc<UserCommand>>,
}
