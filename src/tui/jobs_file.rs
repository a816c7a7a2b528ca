//! A changed jobs file under the dashboard: what is broken is shown, what is ready goes to the engine.

use std::future::ready;
use std::sync::Arc;

use super::fields;
use super::run::Dashboard;
use super::sources::Sources;
use crate::app::event::Event;
use crate::domain::clean::Clean;
use crate::domain::command::UserCommand;
use crate::engine::EngineCommand;
use crate::engine::token::Prompts;
use crate::session::reload::ReloadNews;

impl Dashboard {
    pub(super) fn on_reload(&mut self, news: ReloadNews, sources: &mut Sources) {
        match news {
            ReloadNews::Saved(file) => {
                self.change_commands(&file.commands);
                self.apply(Event::FieldsChanged(fields(&file.services)));
                sources.reloads.prepare(ready(file), Prompts::Refused, |waiting| tracing::info!("{waiting}"));
            }
            ReloadNews::Broken(error) => {
                for first in error.heads() {
                    tracing::warn!(job = "config", "{first} (the previous file still applies)");
                }
                self.apply(Event::ConfigBroken(error.to_string().lines().map(Clean::new).collect()));
            }
            ReloadNews::Ready(reload) => {
                if let Some(hooks) = &sources.hooks {
                    hooks.set_hooks(reload.hooks.clone());
                }
                self.effects.set_services(reload.services.iter().map(|(service, _)| Arc::clone(service)));
                self.effects.ask(EngineCommand::Reload(reload));
            }
        }
    }

    /// The commands of a changed file, beside the user's own.
    fn change_commands(&mut self, of_file: &[Arc<UserCommand>]) {
        let all: Vec<_> = of_file.iter().chain(&self.own.commands).cloned().collect();
        match self.own.keymap.with_commands(&all) {
            Ok(keymap) => self.apply(Event::KeysChanged(Box::new(keymap))),
            Err(conflicts) => {
                for conflict in conflicts {
                    tracing::warn!(job = "config", "{conflict} (the commands before stay)");
                }
            }
        }
    }
}
