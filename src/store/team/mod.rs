//! The team's ledger: this machine's own, which stays what is true here, and beside it the one that a team shares. What
//! is saved here is uploaded, what others save is taken over; jobs are claimed in both.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};

use super::ledger::{Ledger, ReadCommand, WriteCommand};
use super::postgres::session::ServerTarget;
use super::{Spool, StoreError, StoreErrorKind, instance};
use crate::domain::job::JobKey;
use crate::domain::owner::Owner;

pub mod admin;
mod deadline;
mod keeper;
mod move_loop;
mod mover;
mod opening;
pub mod record;
pub mod share;
mod state;
#[cfg(test)]
mod tests;
mod uploads;

pub use move_loop::{Caught, catch_up};

use keeper::{Keeper, KeeperRequest};
use mover::Mover;
use state::TeamShared;

/// Who we are on this machine.
#[derive(Debug, Clone)]
pub struct Here {
    /// The machine's name.
    pub host: String,
    /// The user's.
    pub user: String,
}

impl Here {
    /// As the system says.
    pub fn this() -> Self {
        let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
        let user = name("USER").or_else(|| name("LOGNAME")).unwrap_or_else(login_name);
        Self { host: instance::host().as_str().to_owned(), user }
    }
}

/// The name of the user that this process runs as, else its number: CI sets no variable.
fn login_name() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid-{uid}"))
}

/// A handle on the thread that speaks with the team's store. Ends with it.
#[derive(Debug)]
pub struct Team {
    local: Arc<dyn Ledger>,
    common: Arc<TeamShared>,
    runtime: Handle,
    asks: Option<mpsc::UnboundedSender<KeeperRequest>>,
    thread: Option<JoinHandle<()>>,
}

impl Team {
    /// Begins to keep this machine's ledger and the team's in step. Returns at once, whether or not that can be
    /// reached.
    pub fn start(local: Arc<dyn Ledger>, spool: Spool, target: ServerTarget, here: Here) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError {
            kind: StoreErrorKind::Other,
            what: format!("failed to start a thread: {error}"),
            help: "End some programs, then try again".to_owned(),
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (asks, inbox) = mpsc::unbounded_channel();
        let common = Arc::new(TeamShared::default());
        let mover = Arc::new(Mover { local: Arc::clone(&local), spool });
        let target = Arc::new(target);
        let keeper = Keeper::new(Arc::clone(&target), here, Arc::clone(&mover), Arc::clone(&common));
        let (handle, shared) = (runtime.handle().clone(), Arc::clone(&common));
        let work = move || {
            let moving = runtime.spawn(move_loop::run(target, mover, shared));
            runtime.block_on(keeper.run(inbox));
            moving.abort();
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("team".to_owned()).spawn(work).map_err(failed)?;
        Ok(Self { local, common, runtime: handle, asks: Some(asks), thread: Some(thread) })
    }

    fn ask(&self, ask: KeeperRequest) {
        if let Some(asks) = &self.asks {
            let _ = asks.send(ask);
        }
    }
}

impl Ledger for Team {
    fn write(&self, command: WriteCommand) {
        match command {
            WriteCommand::Claim(jobs, reply) => self.ask(KeeperRequest::Claim(jobs, reply)),
            WriteCommand::Release(keys, reads, reply) => self.ask(KeeperRequest::Release(keys, reads, reply)),
            WriteCommand::Close(done) => self.ask(KeeperRequest::Close(done)),
            WriteCommand::Changes(reply) => {
                let (own, local) = oneshot::channel();
                self.local.write(WriteCommand::Changes(own));
                let common = Arc::clone(&self.common);
                self.runtime.spawn(async move {
                    let local = local.await.unwrap_or_else(|_| Err(StoreError::closed()));
                    let _ = reply.send(local.map(|local| common.changes(local)));
                });
            }
            WriteCommand::Probe(reply) => {
                let (own, local) = oneshot::channel();
                self.local.write(WriteCommand::Probe(own));
                let common = Arc::clone(&self.common);
                self.runtime.spawn(async move {
                    let local = local.await.unwrap_or_else(|_| Err(StoreError::closed()));
                    let _ = reply.send(local.and_then(|()| common.check()));
                });
            }
            WriteCommand::Save(ref save, _) => {
                let key = save.job.key.clone();
                // The mover's question stands behind the save in line, and counts it only then.
                self.common.uploads().saved(key, || self.local.write(command));
                self.common.wake.notify_one();
            }
            WriteCommand::EndSending(..) => {
                self.local.write(command);
                self.common.wake.notify_one();
            }
            WriteCommand::Declare(..)
            | WriteCommand::BeginSending(..)
            | WriteCommand::SetFields(..)
            | WriteCommand::NoteExported(..)
            | WriteCommand::HookEvents(_)
            | WriteCommand::HookEndings(_)
            | WriteCommand::AddHookEvents(..)
            | WriteCommand::NoteHookEvents(..)
            | WriteCommand::Forget(..)
            | WriteCommand::Compact(_)
            | WriteCommand::Share(..)
            | WriteCommand::Lock(_) => self.local.write(command),
        }
    }

    fn read(&self, command: ReadCommand) {
        let ReadCommand::Owners(keys, reply) = command else { return self.local.read(command) };
        let (own, local) = oneshot::channel();
        self.local.read(ReadCommand::Owners(keys.clone(), own));
        let common = Arc::clone(&self.common);
        self.runtime.spawn(async move {
            let local = local.await.unwrap_or_else(|_| Err(StoreError::closed()));
            // What is claimed here by us alone is not ours until the team's store says so: it is free to be asked for.
            let is_us = |owner: &Arc<Owner>| owner.is_here && owner.pid == std::process::id();
            let theirs = |(key, owner): (&JobKey, Option<Arc<Owner>>)| {
                common.state().theirs.get(key).cloned().or_else(|| owner.filter(|owner| !is_us(owner)))
            };
            let _ = reply.send(local.map(|local| keys.iter().zip(local).map(theirs).collect()));
        });
    }

    fn check_claims(&self) -> Result<(), StoreError> {
        self.local.check_claims()?;
        self.common.check()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn left_behind(&self) -> Option<String> {
        self.common.state().left_behind.clone()
    }

    fn not_uploaded(&self) -> Option<HashSet<JobKey>> {
        self.common.uploads().news(deadline::now())
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        drop(self.asks.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
