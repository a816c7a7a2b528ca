//! The jobs file while the dashboard runs: what was saved to it is put in force, what is broken is told.

use std::collections::HashSet;
use std::sync::Arc;

use super::run::{Dashboard, Input};
use crate::app::event::Event;
use crate::config::watch::Change;
use crate::domain::clean::Clean;
use crate::engine::{Command, Reload, token};

impl Dashboard {
    pub(super) fn reload(&mut self, change: Change) {
        let file = match change {
            Ok(file) => file,
            Err(error) => {
                // What is wrong stands in front of each excerpt.
                for first in error.text.split("\n\n").filter_map(|problem| problem.lines().next()) {
                    tracing::warn!(job = "config", "{first} (the old file is in force)");
                }
                self.apply(Event::ConfigBroken(error.to_string().lines().map(Clean::new).collect()));
                return;
            }
        };
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let services = token::resolve_all(&file.services, |waiting| tracing::info!("{waiting}")).await;
            let reload = Reload { poll: file.poll, services, jobs: file.jobs };
            let _ = inputs.send(Input::Reloaded(Box::new(reload)));
        });
    }

    pub(super) fn put_in_force(&mut self, reload: Reload) {
        let before: HashSet<_> = self.end.jobs.values().map(|(job, _)| &job.key).collect();
        let kept = reload.jobs.iter().filter(|job| before.contains(&job.key)).count();
        let (added, removed) = (reload.jobs.len() - kept, before.len().saturating_sub(kept));
        self.hands.know(reload.services.iter().map(|(service, _)| Arc::clone(service)));
        self.hands.ask(Command::Reload(Box::new(reload)));
        tracing::info!(job = "config", "the jobs file was reloaded: {added} added, {removed} removed");
        self.apply(Event::ConfigReloaded { added, removed });
    }
}
