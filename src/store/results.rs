//! Results to look at: what is known of jobs and what is kept of them. Nothing can be written through it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::dir::StateDir;
use super::ledger::{Ledger, ReadCommand, ReplyTo, WriteCommand, order};
use super::sqlite::Sqlite;
use super::{KeptBody, StoreError, StoreErrorKind};
use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, Observation};
use crate::domain::owner::Owner;

/// A read-only handle on a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Results {
    ledger: Arc<dyn Ledger>,
}

impl Results {
    /// Opens a state directory for looking only: nothing is made, not even the directory.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self { ledger: Arc::new(Sqlite::look(StateDir::new(dir))?) })
    }

    /// What this ledger holds.
    pub(super) fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger }
    }

    /// What is known of these jobs, in their order; a default observation for one never heard of.
    pub async fn load(&self, keys: Vec<JobKey>) -> Result<Vec<Observation>, StoreError> {
        match self.ask(|reply| ReadCommand::Load(keys.clone(), reply)).await {
            Err(error) if self.is_mended(&error).await => self.ask(|reply| ReadCommand::Load(keys, reply)).await,
            known => known,
        }
    }

    /// Every job on disk with its last declaration, in the order in which they were first seen.
    pub async fn load_all(&self) -> Result<Vec<(Job, Observation)>, StoreError> {
        match self.ask(ReadCommand::LoadAll).await {
            Err(error) if self.is_mended(&error).await => self.ask(ReadCommand::LoadAll).await,
            all => all,
        }
    }

    /// The jobs that commands of the user's own have sent again.
    pub async fn sent_again(&self) -> Result<Vec<JobKey>, StoreError> {
        self.ask(ReadCommand::SentAgain).await
    }

    /// A job's last polls and its changes, oldest first.
    pub async fn history(&self, key: JobKey) -> Result<(Vec<Attempt>, Vec<StateChange>), StoreError> {
        self.ask(|reply| ReadCommand::History(key, reply)).await
    }

    /// All bodies that are kept for a job, oldest first: copies, and evidence, among it what dead instances left.
    pub async fn kept(&self, key: JobKey) -> Result<Vec<KeptBody>, StoreError> {
        self.ask(|reply| ReadCommand::Kept(key, reply)).await
    }

    /// A saved body: in memory, or mapped from its file where that is very long.
    pub async fn body(&self, body: BodyId) -> Result<Bytes, StoreError> {
        self.ask(|reply| ReadCommand::Body(body, reply)).await
    }

    /// Where a saved body is a separate file, if it is.
    pub async fn body_path(&self, body: BodyId) -> Result<Option<PathBuf>, StoreError> {
        self.ask(|reply| ReadCommand::BodyPath(body, reply)).await
    }

    /// The description of the provider that a job was last polled with, as TOML; None where it needs none.
    pub async fn description(&self, key: JobKey) -> Result<Option<String>, StoreError> {
        self.ask(|reply| ReadCommand::Description(key, reply)).await
    }

    /// The living instance that holds the claim on each of these jobs; None where it is free.
    pub async fn owners(&self, keys: Vec<JobKey>) -> Result<Vec<Option<Arc<Owner>>>, StoreError> {
        self.ask(|reply| ReadCommand::Owners(keys, reply)).await
    }

    /// Whether a read failed of a damaged database that has been replaced since: whoever may write looks through it
    /// before it does anything, even nothing.
    async fn is_mended(&self, error: &StoreError) -> bool {
        if error.kind != StoreErrorKind::Damaged {
            return false;
        }
        order(&*self.ledger, WriteCommand::Lock).await.is_ok()
    }

    async fn ask<T>(&self, command: impl FnOnce(ReplyTo<T>) -> ReadCommand) -> Result<T, StoreError> {
        let (reply, replied) = oneshot::channel();
        self.ledger.read(command(reply));
        replied.await.map_err(|_| StoreError::closed())?
    }
}
