//! The few things that a front end may write beside an engine: values of the user's own fields, what was exported,
//! what was sent again, which hooks were run. None of them touches what is known of a job.

use std::sync::Arc;

use super::ledger::{Ledger, WriteCommand, order};
use super::{NewHookEvent, PendingHook, StoreError};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, FieldValues};

/// Notes about results. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notes {
    ledger: Arc<dyn Ledger>,
}

/// The events that hooks are to be run for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HookQueue {
    ledger: Arc<dyn Ledger>,
}

impl Notes {
    /// Into this ledger.
    pub(super) fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger }
    }

    /// Keeps what the user's fields hold of jobs, where their definitions changed after the result was saved.
    pub async fn set_fields(&self, fields: Vec<(JobKey, FieldValues)>) -> Result<(), StoreError> {
        order(&*self.ledger, |reply| WriteCommand::SetFields(fields, reply)).await
    }

    /// Deletes these jobs with all that is kept of them, but for those that a living instance has claimed, and gives
    /// the space back to the disk.
    pub async fn forget(&self, jobs: Vec<JobKey>) -> Result<(), StoreError> {
        order(&*self.ledger, |reply| WriteCommand::Forget(jobs, reply)).await?;
        order(&*self.ledger, WriteCommand::Compact).await
    }

    /// Claims jobs to send them again; the flag says whether the caller knows that a job was sent again before. Answers
    /// for each, in their order, whether it may be sent: not while a living instance is at it, nor where it was sent, or
    /// an instance died at it, and the caller does not know.
    pub async fn begin_sending(&self, jobs: Vec<(Arc<Job>, bool)>) -> Result<Vec<bool>, StoreError> {
        order(&*self.ledger, |reply| WriteCommand::BeginSending(jobs, reply)).await
    }

    /// Gives up what `begin_sending` claimed. `was_sent` notes that further jobs came of these: who is asked to send them
    /// again can say so.
    pub async fn end_sending(&self, jobs: Vec<Arc<Job>>, was_sent: bool) -> Result<(), StoreError> {
        order(&*self.ledger, |reply| WriteCommand::EndSending(jobs, was_sent, reply)).await
    }

    /// Notes that these bodies were written out, as `forget` wants to know.
    pub async fn note_exported(&self, bodies: Vec<BodyId>) -> Result<(), StoreError> {
        order(&*self.ledger, |reply| WriteCommand::NoteExported(bodies, reply)).await
    }
}

impl HookQueue {
    pub(super) fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger }
    }

    /// What this instance has to deliver, oldest first: its own, and what dead ones left.
    pub async fn undelivered(&self) -> Result<Vec<PendingHook>, StoreError> {
        order(&*self.ledger, WriteCommand::HookEvents).await
    }

    /// The jobs that ended where it has yet to be looked whether their run did, with the hooks that wait for it.
    pub async fn endings(&self) -> Result<Vec<(JobKey, String)>, StoreError> {
        order(&*self.ledger, WriteCommand::HookEndings).await
    }

    /// Keeps events that come with time, or with a whole run, and notes in the same step that these endings were looked
    /// at. An event that is there already is not kept again.
    pub async fn add(
        &self,
        events: Vec<(JobKey, NewHookEvent)>,
        endings: Vec<(JobKey, String)>,
    ) -> Result<(), StoreError> {
        order(&*self.ledger, |reply| WriteCommand::AddHookEvents(events, endings, reply)).await
    }

    /// Notes that a hook was run for these events, well or not. After three failed runs an event is given up.
    pub async fn note(&self, events: Vec<i64>, delivered: bool) -> Result<(), StoreError> {
        order(&*self.ledger, |reply| WriteCommand::NoteHookEvents(events, delivered, reply)).await
    }
}
