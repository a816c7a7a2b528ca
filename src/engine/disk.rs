//! Responses on their way to the disk: saved, tried again every second while it fails, rescued at the end; and whether
//! it takes a result now.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::task::JoinSet;

use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::job::JobIx;
use crate::domain::observation::{Keep, Observation, Role};
use crate::domain::state::PollOutcome;
use crate::store::{HookNews, Save, SaveBody, Store, StoreError, StoreErrorKind};

use super::intake::ReceivedResponse;
use super::job_entry::{JobEntry, NextPoll};

/// How long a successful write to the store is believed.
const WRITE_CHECK_LASTS: Duration = Duration::from_secs(60);
/// How many saves are under way before polls wait for them: enough for the largest transactions to follow each other,
/// and a few megabytes of what is known of their jobs.
const MOST_SAVES: usize = 2048;
/// How long a look at the state directory is believed.
const QUICK_CHECK_LASTS: Duration = Duration::from_secs(1);

/// A poll that was not `ok` and that was not reported yet: its outcome, HTTP code and reason.
pub type UnreportedPoll = (PollOutcome, Option<u16>, String);

/// What is done once a save has succeeded.
#[derive(Debug, Clone)]
pub struct AfterSave {
    /// Whether the user sees a change.
    pub changed: bool,
    /// What follows for the schedule.
    pub next: NextPoll,
    /// The poll to report.
    pub news: Option<UnreportedPoll>,
    /// What hooks are to be run for, once this is saved.
    pub hooks: HookNews,
}

/// What came of a poll, to be kept.
#[derive(Debug, Default)]
pub struct Bodies {
    /// The response that the observation speaks of.
    pub response: Option<ReceivedResponse>,
    /// What it is of its job.
    pub role: Role,
    /// The others that belong to a result.
    pub further: Vec<(Role, ReceivedResponse)>,
}

/// A save that is under way, or waits for the disk.
#[derive(Debug, Clone)]
pub struct Pending {
    ix: JobIx,
    /// Shared with the store, which has it until it is on disk.
    save: Arc<Save>,
    step: AfterSave,
    /// Whether what it brings was shown already, marked as unsaved.
    shown: bool,
    attempts_loaded: bool,
}

/// What has become of a save.
#[derive(Debug)]
pub enum DiskEvent {
    Saved {
        ix: JobIx,
        /// What is known now, as it is on disk.
        known: Box<Observation>,
        /// All its attempts that are on disk now, if they are all there are.
        attempts: Vec<Attempt>,
        /// Whether they are.
        attempts_loaded: bool,
        /// What is done now; None if that was done before, because it could be read again.
        step: Option<AfterSave>,
    },
    /// The disk did not take it; it can be read again, so it may be shown, marked as unsaved.
    Shown {
        ix: JobIx,
        known: Box<Observation>,
        /// What is done now.
        step: AfterSave,
    },
    /// Nothing that concerns a job.
    Nothing,
}

/// Whether the disk takes a write.
#[derive(Debug)]
enum DiskCheck {
    /// Something was written.
    Write(Result<(), StoreError>),
    /// It was looked whether another program holds the store.
    Lock(Result<(), StoreError>),
}

/// A save's number and what came of it; None where it failed inside jobdeck.
type SaveEnded = (u64, Option<SaveDone>);

#[derive(Debug)]
struct SaveDone {
    pending: Pending,
    result: Result<Observation, StoreError>,
}

/// The way to the disk.
#[derive(Debug)]
pub struct Disk {
    store: Store,
    /// No tasks: what becomes durable in one transaction is answered one by one from the writer's thread, and wakes the
    /// engine once, not once a task.
    saves: FuturesUnordered<BoxFuture<'static, SaveEnded>>,
    saving: HashMap<u64, Pending>,
    /// The number of the last save.
    last_save: u64,
    unsaved: BTreeMap<JobIx, Pending>,
    checks: JoinSet<DiskCheck>,
    trouble: Option<StoreError>,
    /// Bytes of the database's log, while another program keeps it from being taken in.
    long_log: Option<u64>,
    log_checked: Duration,
    /// Whether `trouble` began or ended and nobody has asked yet.
    is_news: bool,
    write_checked: Option<Duration>,
    is_write_checking: bool,
    quick_checked: Duration,
    is_lock_checking: bool,
}

impl Pending {
    /// The save of a response.
    pub fn new(
        (ix, entry): (JobIx, &JobEntry),
        observation: Observation,
        keep: Keep,
        bodies: Bodies,
        step: AfterSave,
    ) -> Self {
        let change = observation.changed_at.filter(|_| step.changed).map(|at| StateChange {
            at,
            previous: entry.known.is_observed().then_some(entry.known.state),
            state: observation.state,
            word: observation.word.clone(),
        });
        let Bodies { response, role, further } = bodies;
        let body = response.filter(|response| match keep {
            Keep::Nothing => false,
            Keep::Result => true,
            Keep::Evidence => !response.bytes.is_empty(),
        });
        let body = body.map(|response| body_of(response, keep, role));
        let further = if keep == Keep::Result { further } else { Vec::new() };
        let further = further.into_iter().map(|(role, response)| body_of(response, keep, role)).collect();
        let attempts = entry.attempts.clone();
        let hooks = step.hooks.clone();
        let save = Save { change, attempts, body, further, hooks, ..Save::new(Arc::clone(&entry.job), observation) };
        Self { ix, save: Arc::new(save), step, shown: false, attempts_loaded: entry.attempts_loaded }
    }

    /// With the provider's description, by which its result stays readable.
    pub fn described(mut self, description: Option<Arc<str>>) -> Self {
        let is_result = self.save.body.as_ref().is_some_and(|body| body.keep == Keep::Result);
        if is_result {
            Arc::make_mut(&mut self.save).description = description;
        }
        self
    }

    fn is_one_shot(&self) -> bool {
        self.save.job.traits.one_shot
    }

    async fn save(mut self, store: Store) -> SaveDone {
        if !self.attempts_loaded
            && let Ok((mut attempts, _)) = store.results().history(self.save.job.key.clone()).await
        {
            let save = Arc::make_mut(&mut self.save);
            for attempt in std::mem::take(&mut save.attempts) {
                Attempt::push(&mut attempts, attempt);
            }
            save.attempts = attempts;
            self.attempts_loaded = true;
        }
        let result = store.save(Arc::clone(&self.save)).await;
        SaveDone { pending: self, result }
    }
}

fn body_of(response: ReceivedResponse, keep: Keep, role: Role) -> SaveBody {
    SaveBody {
        keep,
        role,
        broken: response.broken,
        bytes: response.bytes,
        spooled: response.spooled,
        http_status: response.status,
        headers: response.headers,
        masked: response.masked,
        at: response.at,
    }
}

#[cfg(test)]
impl Disk {
    /// A save whose task panics.
    pub fn save_that_panics(&mut self, pending: Pending) {
        self.start(pending, async { panic!("a save that panics") });
    }
}

impl Disk {
    /// Nothing on its way.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            saves: FuturesUnordered::new(),
            saving: HashMap::new(),
            last_save: 0,
            unsaved: BTreeMap::new(),
            checks: JoinSet::new(),
            trouble: None,
            long_log: None,
            log_checked: Duration::ZERO,
            is_news: false,
            write_checked: None,
            is_write_checking: false,
            quick_checked: Duration::ZERO,
            is_lock_checking: false,
        }
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Why it cannot be written, if it cannot.
    pub fn trouble(&self) -> Option<&StoreError> {
        self.trouble.as_ref()
    }

    /// The trouble, or its end, if it has begun or ended since this was last asked.
    pub fn take_news(&mut self) -> Option<Option<StoreError>> {
        std::mem::take(&mut self.is_news).then(|| self.trouble.clone())
    }

    /// How long the log of the database has grown, if that has begun or ended since this was last asked.
    /// The file is looked at once a second, not at every save.
    pub fn take_log_news(&mut self, now: Duration) -> Option<Option<u64>> {
        if now.saturating_sub(self.log_checked) < QUICK_CHECK_LASTS {
            return None;
        }
        self.log_checked = now;
        let before = std::mem::replace(&mut self.long_log, self.store.long_log());
        (before.is_some() != self.long_log.is_some()).then_some(self.long_log)
    }

    /// Whether a result that can be read once could be saved: it was just seen to take a write.
    pub fn takes_results(&self) -> bool {
        self.trouble.is_none() && self.write_checked.is_some()
    }

    /// Whether there is memory for what one more poll may bring, beside those in flight: else it waits for the disk.
    pub fn has_room(&self, in_flight: usize) -> bool {
        self.saving.len() < MOST_SAVES && self.store.spool().has_room(in_flight)
    }

    /// Whether no save is under way.
    pub fn is_idle(&self) -> bool {
        self.saves.is_empty()
    }

    /// The jobs whose responses the disk has not taken.
    pub fn unsaved(&self) -> impl Iterator<Item = JobIx> + '_ {
        self.unsaved.keys().copied()
    }

    /// Whether the disk did not take a response of this job.
    pub fn is_unsaved(&self, ix: JobIx) -> bool {
        self.unsaved.contains_key(&ix)
    }

    /// Whether a response of this job is not durable yet.
    pub fn is_saving(&self, ix: JobIx) -> bool {
        self.is_unsaved(ix) || self.saving.values().any(|pending| pending.ix == ix)
    }

    /// Whether everything is on disk.
    pub fn is_empty(&self) -> bool {
        self.saves.is_empty() && self.unsaved.is_empty()
    }

    /// Whether it is being found out if the trouble is over.
    pub fn is_recovering(&self) -> bool {
        self.is_write_checking && self.trouble.is_some()
    }

    /// Starts a save. Nothing of it may be reported before it has succeeded.
    pub fn save(&mut self, pending: Pending) {
        let kept = pending.clone();
        self.start(kept, pending.save(self.store.clone()));
    }

    fn start(&mut self, kept: Pending, save: impl Future<Output = SaveDone> + Send + 'static) {
        self.last_save += 1;
        let number = self.last_save;
        self.saving.insert(number, kept);
        let ended = AssertUnwindSafe(save).catch_unwind().map(move |done| (number, done.ok()));
        self.saves.push(ended.boxed());
    }

    /// Saves again what the disk did not take, and asks whether it takes writes again.
    pub fn retry(&mut self) {
        if self.saves.is_empty() {
            for pending in std::mem::take(&mut self.unsaved).into_values() {
                self.save(pending);
            }
        }
        if self.trouble.is_some() && !self.is_write_checking {
            self.check_write();
        }
    }

    /// What happens next. Waits for ever if nothing is under way.
    pub async fn next(&mut self, now: impl Fn() -> Duration) -> DiskEvent {
        tokio::select! {
            Some((number, done)) = self.saves.next() => {
                let kept = self.saving.remove(&number);
                match done {
                    Some(done) => {
                        drop(kept);
                        self.save_done(done)
                    }
                    None => self.save_failed(kept),
                }
            }
            Some(check) = self.checks.join_next() => {
                let failed = |error| {
                    tracing::error!("internal error: a look at the state directory failed: {error}");
                    DiskCheck::Write(Err(StoreError::internal("write to the state directory")))
                };
                self.check_done(check.unwrap_or_else(failed), now());
                DiskEvent::Nothing
            }
            else => std::future::pending().await,
        }
    }

    /// A save that failed inside jobdeck is one that the disk did not take.
    fn save_failed(&mut self, kept: Option<Pending>) -> DiskEvent {
        tracing::error!("internal error: a save failed inside jobdeck");
        let Some(pending) = kept else {
            tracing::error!("internal error: nobody knows what it was to save");
            return DiskEvent::Nothing;
        };
        let result = Err(StoreError::internal("save a response"));
        self.save_done(SaveDone { pending, result })
    }

    fn save_done(&mut self, SaveDone { mut pending, result }: SaveDone) -> DiskEvent {
        let ix = pending.ix;
        match result {
            Ok(known) => {
                self.unsaved.remove(&ix);
                // That one write succeeded does not say that there is room for a result: only a check does.
                if self.trouble.is_some() && !self.is_write_checking {
                    self.check_write();
                }
                let attempts = Arc::unwrap_or_clone(pending.save).attempts;
                let attempts_loaded = pending.attempts_loaded;
                let step = (!pending.shown).then_some(pending.step);
                DiskEvent::Saved { ix, known: Box::new(known), attempts, attempts_loaded, step }
            }
            Err(error) => {
                self.fail(error);
                let is_to_be_shown = !pending.is_one_shot() && !pending.shown;
                pending.shown |= is_to_be_shown;
                let shown = is_to_be_shown.then(|| {
                    let mut known = pending.save.observation.clone();
                    known.warning.get_or_insert_with(|| "not saved: the state directory cannot be written".to_owned());
                    (known, pending.step.clone())
                });
                self.unsaved.remove(&ix);
                self.unsaved.insert(ix, pending);
                match shown {
                    Some((known, step)) => DiskEvent::Shown { ix, known: Box::new(known), step },
                    None => DiskEvent::Nothing,
                }
            }
        }
    }

    /// Before one-shot polls are sent the store is tried: a result that cannot be saved must not be asked for.
    pub fn check_if_stale(&mut self, now: Duration) {
        if self.is_write_checking || self.trouble.is_some() {
            return;
        }
        if self.write_checked.is_none_or(|at| now.saturating_sub(at) >= WRITE_CHECK_LASTS) {
            self.check_write();
        } else if now.saturating_sub(self.quick_checked) >= QUICK_CHECK_LASTS {
            self.quick_check(now);
        }
    }

    /// While a team's store cannot be reached, what others save is unknown here, and what is saved here to them: that is
    /// told even if no one-shot poll waits for it.
    pub fn check_team(&mut self, now: Duration) {
        if self.trouble.is_none() && now.saturating_sub(self.quick_checked) >= QUICK_CHECK_LASTS {
            self.quick_check(now);
        }
    }

    /// Looks at the state directory between two write checks. Whether another program holds the database is known a
    /// little later: polls do not wait for that answer, which may stand behind a large result that is being saved.
    fn quick_check(&mut self, now: Duration) {
        self.quick_checked = now;
        if let Err(error) = self.store.quick_check() {
            self.fail(error);
        } else if !std::mem::replace(&mut self.is_lock_checking, true) {
            let store = self.store.clone();
            self.checks.spawn(async move { DiskCheck::Lock(store.lock().await) });
        }
    }

    fn check_write(&mut self) {
        self.is_write_checking = true;
        // Until the answer is here, one-shot polls wait: it is a matter of milliseconds.
        self.write_checked = None;
        let store = self.store.clone();
        self.checks.spawn(async move { DiskCheck::Write(store.probe().await) });
    }

    fn check_done(&mut self, check: DiskCheck, now: Duration) {
        match check {
            DiskCheck::Lock(result) => {
                self.is_lock_checking = false;
                if let Err(error) = result {
                    self.fail(error);
                }
            }
            DiskCheck::Write(result) => {
                self.is_write_checking = false;
                self.write_checked = Some(now);
                match result {
                    Ok(()) if self.unsaved.is_empty() => self.is_news |= self.trouble.take().is_some(),
                    Ok(()) => {}
                    Err(error) => self.fail(error),
                }
            }
        }
    }

    /// Whether what comes cannot be saved on this machine: that a team's store cannot be reached is no reason, nor that
    /// there is no memory for further results.
    pub fn fails_to_save(&self) -> bool {
        let saves = |why: &StoreError| matches!(why.kind, StoreErrorKind::Unreachable | StoreErrorKind::NoMemory);
        self.trouble.as_ref().is_some_and(|why| !saves(why))
    }

    /// The store cannot be written, for this reason.
    pub fn fail(&mut self, why: StoreError) {
        self.is_news |= self.trouble.is_none();
        self.trouble = Some(why);
    }

    /// Writes what the disk did not take, or has not yet, to wherever it can be written: the files that were written,
    /// and the jobs whose response could not be saved anywhere yet.
    pub fn rescue(&mut self) -> (Vec<PathBuf>, Vec<JobIx>) {
        let mut rescued = Vec::new();
        for pending in std::mem::take(&mut self.saving).into_values() {
            self.unsaved.insert(pending.ix, pending);
        }
        self.unsaved.retain(|_, pending| {
            let Some(body) = &pending.save.body else { return false };
            let written = self.store.spool().rescue(&pending.save.job.key, &body.bytes);
            written.map(|path| rescued.push(path)).is_err()
        });
        (rescued, self.unsaved.keys().copied().collect())
    }
}
