//! The jobs file while we run: what was saved to it is made ready to be put in force, what is broken is told. For the
//! dashboard and for `watch`.

use std::future::{Future, pending, ready};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use super::run::Dashboard;
use crate::app::event::Event;
use crate::config::watch::{self, Change, Watch, WatchError};
use crate::config::{ConfigError, JobsFile};
use crate::domain::clean::Clean;
use crate::engine::{Command, Reload, token};

/// What became of the jobs file.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, when a person has saved the file")]
pub enum News {
    /// It was saved and is valid. `Reloads::prepare` takes what is meant of it.
    Saved(JobsFile),
    /// It was saved and is not valid, or is gone: the one before stays in force.
    Broken(ConfigError),
    /// What was saved last can be put in force.
    Ready(Box<Reload>),
}

/// A jobs file that is watched. Only what was saved last counts: what was being prepared before is dropped.
#[derive(Debug, Default)]
pub struct Reloads {
    changes: Option<(Watch, UnboundedReceiver<Change>)>,
    preparing: JoinSet<Reload>,
    trouble: Option<WatchError>,
}

impl Reloads {
    /// Watches a file that is in force from now on. The default watches none.
    pub fn of(file: &JobsFile) -> Self {
        let (changed, changes) = unbounded_channel();
        let watch = watch::watch(file, changed);
        let trouble = match &watch {
            Ok(watch) => watch.polled().cloned(),
            Err(error) => Some(error.clone()),
        };
        if let Some(why) = &trouble {
            tracing::warn!("{why}");
        }
        Self { changes: watch.ok().map(|watch| (watch, changes)), preparing: JoinSet::new(), trouble }
    }

    /// Why a change of the file is noticed late or not at all; None if it is watched.
    pub fn trouble(&self) -> Option<&WatchError> {
        self.trouble.as_ref()
    }

    /// The next news; nothing is lost where it is not waited for to the end.
    pub async fn next(&mut self) -> News {
        let Some((_, changes)) = &mut self.changes else { return pending().await };
        tokio::select! {
            biased;
            Some(change) = changes.recv() => {
                self.preparing = JoinSet::new();
                change.map_or_else(News::Broken, News::Saved)
            }
            Some(Ok(reload)) = self.preparing.join_next() => News::Ready(Box::new(reload)),
            else => pending().await,
        }
    }

    /// Asks for the tokens of a file, which may take its time: then it is said what is waited for. `News::Ready` comes
    /// of it.
    pub fn prepare(&mut self, file: impl Future<Output = JobsFile> + Send + 'static, say: fn(&str)) {
        self.preparing.spawn(async move {
            let JobsFile { poll, services, jobs, .. } = file.await;
            let services = token::resolve_all(&services, say).await;
            Reload { poll, services, jobs }
        });
    }

    /// Whether something is being prepared.
    pub fn is_preparing(&self) -> bool {
        !self.preparing.is_empty()
    }
}

impl Dashboard {
    pub(super) fn on_reload(&mut self, news: News, reloads: &mut Reloads) {
        match news {
            News::Saved(file) => reloads.prepare(ready(file), |waiting| tracing::info!("{waiting}")),
            News::Broken(error) => {
                for first in error.heads() {
                    tracing::warn!(job = "config", "{first} (the old file is in force)");
                }
                self.apply(Event::ConfigBroken(error.to_string().lines().map(Clean::new).collect()));
            }
            News::Ready(reload) => {
                self.effects.set_services(reload.services.iter().map(|(service, _)| Arc::clone(service)));
                self.effects.ask(Command::Reload(reload));
            }
        }
    }
}
