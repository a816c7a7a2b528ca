//! Replies on their way to the disk: saved, tried again every second while the disk fails, rescued at the end.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::attempt::{Attempt, Change};
use crate::domain::fact::Fact;
use crate::domain::job::JobIx;
use crate::domain::observation::{Keep, Observation, Role};
use crate::store::{self, Reads, Save, SaveBody, StoreError};

use super::reader::Received;
use super::run::{Mode, Run};
use super::settle::News;
use super::slot::{Next, Slot};

/// How long a polite end waits for a disk that fails before it writes rescue files.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an end at once waits for what has come of its reads to be saved.
const HASTE: Duration = Duration::from_secs(2);

/// What is done once a save has succeeded.
#[derive(Debug, Clone)]
pub struct Step {
    /// Whether the user sees a change.
    pub changed: bool,
    /// What follows for the schedule.
    pub next: Next,
    /// The read to tell of.
    pub news: Option<News>,
}

/// A save that is under way, or waits for the disk.
#[derive(Debug, Clone)]
pub struct Pending {
    save: Save,
    step: Step,
    /// Whether what it brings was shown already, marked as unsaved.
    shown: bool,
    attempts_loaded: bool,
}

/// What a save's task came back with.
#[derive(Debug)]
pub struct SaveDone {
    ix: JobIx,
    pending: Pending,
    result: Result<Observation, StoreError>,
}

impl Pending {
    /// The save of a reply.
    pub fn new(slot: &Slot, observation: Observation, keep: Keep, reply: Option<Received>, step: Step) -> Self {
        let change = observation.changed_at.filter(|_| step.changed).map(|at| Change {
            at,
            previous: slot.known.is_observed().then_some(slot.known.state),
            state: observation.state,
            word: observation.word.clone(),
        });
        let body =
            reply.filter(|_| keep != Keep::Nothing).filter(|reply| keep == Keep::Result || !reply.bytes.is_empty());
        let body = body.map(|reply| SaveBody {
            keep,
            role: Role::Status,
            broken: reply.broken,
            bytes: reply.bytes,
            spooled: reply.spooled,
            http_status: reply.status,
            headers: reply.headers,
            masked: reply.masked,
            at: reply.at,
        });
        let attempts = slot.attempts.clone();
        let save = Save { change, attempts, body, ..Save::new(Arc::clone(&slot.job), observation) };
        Self { save, step, shown: false, attempts_loaded: slot.attempts_loaded }
    }

    fn is_one_shot(&self) -> bool {
        self.save.job.traits.one_shot
    }
}

impl Run {
    /// Starts a save. Nothing of it is told before it has succeeded.
    pub(super) fn save(&mut self, ix: JobIx, mut pending: Pending) {
        let store = self.store.clone();
        if let Some(body) = &pending.save.body {
            self.saving.insert(ix, (pending.save.job.key.clone(), body.bytes.clone()));
        }
        self.saves.spawn(async move {
            if !pending.attempts_loaded
                && let Ok((mut attempts, _)) = store.history(pending.save.job.key.clone()).await
            {
                for attempt in std::mem::take(&mut pending.save.attempts) {
                    Attempt::push(&mut attempts, attempt);
                }
                pending.save.attempts = attempts;
                pending.attempts_loaded = true;
            }
            let result = store.save(pending.save.clone()).await;
            SaveDone { ix, pending, result }
        });
    }

    /// Takes what a save came back with.
    pub(super) fn save_done(&mut self, done: Result<SaveDone, tokio::task::JoinError>) {
        let SaveDone { ix, mut pending, result } = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!("a save failed inside jobdeck: {error}");
                return;
            }
        };
        self.saving.remove(&ix);
        match result {
            Ok(known) => {
                self.unsaved.remove(&ix);
                // That one write succeeded does not say that there is room for a result: only a probe does.
                if self.trouble.is_some() && !self.probing {
                    self.start_probe();
                }
                if let Some(slot) = self.slot_mut(ix) {
                    slot.attempts = std::mem::take(&mut pending.save.attempts);
                    slot.attempts_loaded = pending.attempts_loaded;
                    slot.unwritten = false;
                }
                self.learned(ix, known, pending.step.changed && !pending.shown);
                if !pending.shown {
                    self.proceed(ix, pending.step.next, pending.step.news);
                }
                self.tell_draining();
            }
            Err(error) => {
                self.tell_trouble(Some(error.to_string()));
                if !pending.is_one_shot() && !pending.shown {
                    // It can be read again, so it may be shown, marked as unsaved, while the disk is tried.
                    pending.shown = true;
                    let mut known = pending.save.observation.clone();
                    known.warning.get_or_insert_with(|| "not saved: the state directory cannot be written".to_owned());
                    self.learned(ix, known, pending.step.changed);
                    self.proceed(ix, pending.step.next, pending.step.news.take());
                }
                self.unsaved.insert(ix, pending);
            }
        }
    }

    /// What the disk does not know yet of the reads of these jobs. It counts as known from now on.
    pub(super) fn unwritten_reads(&mut self, list: &[JobIx]) -> Vec<Reads> {
        let mut unwritten = Vec::new();
        for ix in list {
            let Some(slot) = self.slot_mut(*ix) else { continue };
            let Some(last) = slot.known.last_poll.clone().filter(|_| std::mem::take(&mut slot.unwritten)) else {
                continue;
            };
            let complete = slot.attempts_loaded;
            let attempts = if complete { slot.attempts.clone() } else { std::mem::take(&mut slot.attempts) };
            unwritten.push(Reads { job: slot.job.key.clone(), last, attempts, complete });
        }
        unwritten
    }

    /// Tries every reply again that the disk did not take.
    pub(super) fn retry_unsaved(&mut self) {
        if self.saves.is_empty() {
            let waiting = std::mem::take(&mut self.unsaved);
            for (ix, pending) in waiting {
                self.save(ix, pending);
            }
        }
        if self.trouble.is_some() && !self.probing {
            self.start_probe();
        }
    }

    pub(super) fn probe_done(&mut self, result: Result<(), String>) {
        self.probing = false;
        match result {
            Ok(()) => {
                self.probed = Some(self.now());
                if self.unsaved.is_empty() {
                    self.tell_trouble(None);
                }
            }
            Err(error) => {
                self.probed = Some(self.now());
                self.tell_trouble(Some(error));
            }
        }
    }

    /// Says that the store fails, or does no more: once each.
    pub(super) fn tell_trouble(&mut self, trouble: Option<String>) {
        if self.trouble.is_some() == trouble.is_some() {
            self.trouble = trouble;
            return;
        }
        match &trouble {
            Some(reason) => {
                tracing::error!("{reason}; reads that can be made only once wait until it can be written again");
            }
            None => {
                tracing::info!("the state directory can be written again");
                self.unclaimed = (0..).map(JobIx).take(self.slots.len()).collect();
            }
        }
        self.trouble.clone_from(&trouble);
        self.tell(Fact::StoreTrouble(trouble));
        for service in 0..self.services.len() {
            self.refresh_service_health(service);
        }
    }

    /// Whether an end that has been waiting since then waits no longer for the disk.
    pub(super) fn is_rescue_due(&self, since: Duration) -> bool {
        let waited = self.now().saturating_sub(since);
        match self.mode {
            Mode::Aborting(_) => waited >= HASTE,
            Mode::Draining(_) => {
                self.reads.is_empty() && self.saves.is_empty() && self.trouble.is_some() && waited >= PATIENCE
            }
            Mode::Running | Mode::Paused | Mode::Suspending | Mode::Suspended => false,
        }
    }

    /// Writes what the disk did not take, or has not yet, to wherever it can be written.
    pub(super) fn rescue_unsaved(&mut self) {
        for (ix, pending) in std::mem::take(&mut self.unsaved) {
            if let Some(body) = pending.save.body {
                self.saving.insert(ix, (pending.save.job.key.clone(), body.bytes));
            }
        }
        for (ix, (key, bytes)) in std::mem::take(&mut self.saving) {
            match store::rescue(self.store.dir(), &key, &bytes) {
                Ok(path) => self.ending.rescued.push(path),
                Err(_) => self.ending.abandoned.push(ix),
            }
        }
    }
}
