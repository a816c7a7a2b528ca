//! The jobs file while jobdeck runs: a valid change is made ready for the engine, an invalid one is reported.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use super::batch::Batch;
use super::renew_fields;
use crate::config::files::watch::{self, FileChange, FileWatch, WatchError};
use crate::config::{ConfigError, JobsFile};
use crate::domain::hook::Hook;
use crate::domain::secret::TokenSource;
use crate::domain::service::Service;
use crate::engine::Reload;
use crate::engine::saved::{Notes, Results};
use crate::engine::token::{self, Prompts, Renewal};

/// What became of the jobs file.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, when a person has saved the file")]
pub enum ReloadNews {
    /// It was saved and is valid. `Reloads::prepare` takes what is meant of it.
    Saved(JobsFile),
    /// It was saved and is not valid, or is gone: the previous one stays.
    Broken(ConfigError),
    /// What was saved last is ready for the engine.
    Ready(Box<Reload>),
}

/// A jobs file that is watched. Only what was saved last counts: what was being prepared before is dropped.
#[derive(Debug, Default)]
pub struct Reloads {
    changes: Option<(FileWatch, UnboundedReceiver<FileChange>)>,
    preparing: JoinSet<Reload>,
    trouble: Option<WatchError>,
    /// The commands that gave the present tokens, by service: they are not run again at every save of the file.
    gave: HashMap<Arc<str>, TokenSource>,
    /// The hooks of the user's own file, which hold besides.
    own_hooks: Vec<Arc<Hook>>,
    /// Where the user's fields are taken anew; None where nothing is watched.
    saved: Option<(Results, Notes)>,
}

impl Reloads {
    /// Watches the file that a batch was made of. The default watches none.
    pub fn of(file: &JobsFile, batch: &Batch) -> Self {
        let (changed, changes) = unbounded_channel();
        let watch = watch::watch(file, changed);
        let trouble = match &watch {
            Ok(watch) => watch.polled().cloned(),
            Err(error) => Some(error.clone()),
        };
        if let Some(why) = &trouble {
            tracing::warn!("{why}");
        }
        let gave = batch
            .services
            .iter()
            .filter(|(_, token)| token.is_ok())
            .filter_map(|(service, _)| command(service))
            .collect();
        Self {
            changes: watch.ok().map(|watch| (watch, changes)),
            preparing: JoinSet::new(),
            trouble,
            gave,
            own_hooks: batch.own_hooks.clone(),
            saved: Some((batch.store.results(), batch.store.notes())),
        }
    }

    /// Why a change of the file is noticed late or not at all; None if it is watched.
    pub fn trouble(&self) -> Option<&WatchError> {
        self.trouble.as_ref()
    }

    /// The next news; nothing is lost where it is not waited for to the end.
    pub async fn next(&mut self) -> ReloadNews {
        let Some((_, changes)) = &mut self.changes else { return pending().await };
        tokio::select! {
            biased;
            Some(change) = changes.recv() => {
                self.preparing = JoinSet::new();
                change.map_or_else(ReloadNews::Broken, ReloadNews::Saved)
            }
            Some(Ok(reload)) = self.preparing.join_next() => {
                let gave = |renewal: &Renewal| !matches!(renewal, Renewal::Asked(Err(_)));
                let good = reload.services.iter().filter(|(_, renewal)| gave(renewal));
                self.gave = good.filter_map(|(service, _)| command(service)).collect();
                ReloadNews::Ready(Box::new(reload))
            }
            else => pending().await,
        }
    }

    /// Asks for the tokens of a file, which may take its time: then it is said what is waited for. `ReloadNews::Ready` comes
    /// of it.
    pub fn prepare(&mut self, file: impl Future<Output = JobsFile> + Send + 'static, prompts: Prompts, say: fn(&str)) {
        let (gave, own_hooks, saved) = (self.gave.clone(), self.own_hooks.clone(), self.saved.clone());
        self.preparing.spawn(async move {
            let JobsFile { poll, services, jobs, hooks, .. } = file.await;
            let hooks = hooks.into_iter().chain(own_hooks).collect();
            let holds =
                |service: &Service| service.secrets.is_empty() && gave.get(&service.name) == Some(&service.token);
            let others: Vec<_> = services.iter().filter(|service| !holds(service)).cloned().collect();
            let mut asked = token::resolve_all(&others, prompts, say).await.into_iter();
            let renew = |service: Arc<Service>| {
                let renewal = if holds(&service) { None } else { asked.next().map(|(_, token)| token) };
                (service, renewal.map_or(Renewal::AsBefore, Renewal::Asked))
            };
            if let Some((results, notes)) = saved {
                renew_fields::keep((&results, &notes), &services, &jobs).await;
            }
            let services = services.into_iter().map(renew).collect();
            Reload { poll, services, jobs, hooks }
        });
    }

    /// Whether something is being prepared.
    pub fn is_preparing(&self) -> bool {
        !self.preparing.is_empty()
    }
}

fn command(service: &Arc<Service>) -> Option<(Arc<str>, TokenSource)> {
    match &service.token {
        source @ TokenSource::Command(_) if service.secrets.is_empty() => {
            Some((Arc::clone(&service.name), source.clone()))
        }
        TokenSource::Command(_) | TokenSource::Env(_) | TokenSource::File(_) => None,
    }
}
