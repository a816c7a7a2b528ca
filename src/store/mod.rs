//! What survives: a spool for bytes as they arrive, always on this machine, and a ledger of what is known of jobs, who
//! polls them, what has changed, and their bodies. No other folder names SQL.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::domain::job::{Job, JobKey};
use crate::domain::observation::Observation;

mod dir;
mod error;
mod instance;
mod ledger;
mod name;
mod notes;
mod postgres;
mod results;
mod save;
mod spool;
mod sqlite;
mod team;
#[cfg(test)]
mod tests;
mod trouble;
mod views;

pub use error::{StoreError, StoreErrorKind};
pub use ledger::{Changes, Claim};
pub use notes::{HookQueue, Notes};
pub use results::Results;
pub use save::{HookNews, KeptBody, NewHookEvent, PendingHook, Reads, Save, SaveBody};
pub use spool::{Spool, SpoolWriter, Spooled};
pub use views::VIEWS;

use dir::StateDir;
use ledger::{Ledger, ReplyTo, WriteCommand};
pub use postgres::session::ServerTarget;
use sqlite::Sqlite;
pub use team::Caught;
pub use team::admin::{Presence, TeamStatus, forget_instance, init_team_store, team_status};
pub use team::share::Waiting;
use team::share::{ShareOutcome, ShareStep};
use team::{Here, Team};

/// A store that is open for polling: it registers an instance that can hold claims. Cheap to clone; all clones speak to
/// the same ledger.
#[derive(Clone, Debug)]
pub struct Store {
    spool: Spool,
    ledger: Arc<dyn Ledger>,
    results: Results,
}

impl Store {
    /// Opens a state directory: it is made where it is missing (0700, files 0600), migrated, and an instance is
    /// registered. The strings are notes for the user: a corrupt database that was moved aside.
    pub fn open(dir: &Path) -> Result<(Self, Vec<String>), StoreError> {
        let dir = StateDir::new(dir);
        let (sqlite, note) = Sqlite::open(dir.clone())?;
        let spool = Spool::new(dir, sqlite.instance_name());
        let ledger: Arc<dyn Ledger> = Arc::new(sqlite);
        Ok((Self::over(spool, ledger), note.into_iter().collect()))
    }

    /// The same store, kept in step with the one that a team shares from now on. Returns at once, whether or not that
    /// can be reached.
    pub fn shared(self, target: ServerTarget) -> Result<Self, StoreError> {
        self.shared_by(target, Here::this())
    }

    fn shared_by(self, target: ServerTarget, here: Here) -> Result<Self, StoreError> {
        let Self { spool, ledger, .. } = self;
        let team = Team::start(ledger, spool.clone(), target, here)?;
        Ok(Self::over(spool, Arc::new(team)))
    }

    /// What is saved here and was not uploaded to the team's store yet.
    pub async fn waiting_for_upload(&self) -> Result<Waiting, StoreError> {
        match self.order(|reply| WriteCommand::Share(ShareStep::Waiting(0), reply)).await? {
            ShareOutcome::Waiting(waiting, _) => Ok(waiting),
            ShareOutcome::Joined(..) | ShareOutcome::Imported(_) | ShareOutcome::Done => Ok(Waiting::default()),
        }
    }

    /// Which jobs these are, for who polls; None if they are the same as when this was last asked.
    pub fn not_uploaded(&self) -> Option<HashSet<JobKey>> {
        self.ledger.not_uploaded()
    }

    /// Takes over what others have saved in the store that a team shares, for who does not poll. Tells
    /// meanwhile how many jobs were looked at, of how many.
    pub async fn catch_up(&self, target: ServerTarget, told: impl FnMut(u64, u64)) -> Result<Caught, StoreError> {
        team::catch_up(&Arc::new(target), Arc::clone(&self.ledger), self.spool.clone(), told).await
    }

    fn over(spool: Spool, ledger: Arc<dyn Ledger>) -> Self {
        let results = Results::new(Arc::clone(&ledger));
        Self { spool, ledger, results }
    }

    /// Whether others than this machine's jobdecks can change what is known.
    pub fn is_shared(&self) -> bool {
        self.ledger.is_shared()
    }

    /// What is known and kept, to be read.
    pub fn results(&self) -> &Results {
        &self.results
    }

    /// What front ends may note about results.
    pub fn notes(&self) -> Notes {
        Notes::new(Arc::clone(&self.ledger))
    }

    /// The events that hooks are to be run for.
    pub fn hook_queue(&self) -> HookQueue {
        HookQueue::new(Arc::clone(&self.ledger))
    }

    /// Where responses go as they arrive.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Keeps what the jobs file says about these jobs, in one transaction. Nothing is written where nothing changed.
    pub async fn declare(&self, jobs: Vec<Arc<Job>>) -> Result<(), StoreError> {
        self.order(|reply| WriteCommand::Declare(jobs, reply)).await
    }

    /// Claims these jobs, in their order: ours if free, already ours, or a dead instance's. Where it says `orphaned`,
    /// what is known of the job may have changed by it (doubt, evidence): load it again.
    pub async fn claim(&self, jobs: Vec<Arc<Job>>) -> Result<Vec<Claim>, StoreError> {
        self.order(|reply| WriteCommand::Claim(jobs, reply)).await
    }

    /// Notes when jobs were last polled, and gives up our claims on these, in one transaction.
    pub async fn release(&self, keys: Vec<JobKey>, reads: Vec<Reads>) -> Result<(), StoreError> {
        self.order(|reply| WriteCommand::Release(keys, reads, reply)).await
    }

    /// Saves one step durably and answers with the observation as it now is. Steps that wait at the same time are
    /// committed together. After an error the same step can be saved again.
    pub async fn save(&self, save: impl Into<Arc<Save>>) -> Result<Observation, StoreError> {
        let save = save.into();
        self.order(|reply| WriteCommand::Save(save, reply)).await
    }

    /// Saves without waiting for it: what is saved later is behind it in the queue. A failure is reported to nobody;
    /// that the store takes nothing shows with whatever is saved next.
    pub fn post(&self, save: Save) {
        let (reply, _) = oneshot::channel();
        self.ledger.write(WriteCommand::Save(Arc::new(save), reply));
    }

    /// What others have changed since this was last asked, or since the store was opened.
    pub async fn changes(&self) -> Result<Changes, StoreError> {
        self.order(WriteCommand::Changes).await
    }

    /// Tries to write (a row and a sync) and asks for the free space and memory: whether one-shot polls may be sent. An error,
    /// once, also if claims ceased to count: jobs are to be claimed again.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.spool.check_memory()?;
        self.order(WriteCommand::Probe).await
    }

    /// Waits for its turn to write and writes nothing: whether no other program holds the database. Cheap, for nothing
    /// is synced.
    pub async fn lock(&self) -> Result<(), StoreError> {
        self.order(WriteCommand::Lock).await
    }

    /// Asks for the free space and memory, makes a file without a sync, and looks whether our claims still count: cheap enough to
    /// be done before every one-shot poll, where [`probe`](Self::probe) is not.
    pub fn quick_check(&self) -> Result<(), StoreError> {
        self.spool.check()?;
        self.ledger.check_claims()
    }

    /// Bytes of the local database's log, where it is so long that only a reader that does not end can keep it from
    /// being taken in.
    pub fn long_log(&self) -> Option<u64> {
        sqlite::long_log(self.spool.dir())
    }

    /// Gives up all claims, unregisters the instance and waits for the ledger to end. Answers what is saved on this
    /// machine alone, as a sentence for the user, where that should be in the store that a team shares.
    pub async fn close(&self) -> Option<String> {
        let (done, closed) = oneshot::channel();
        self.ledger.write(WriteCommand::Close(done));
        let _ = closed.await;
        self.ledger.left_behind()
    }

    async fn order<T>(&self, command: impl FnOnce(ReplyTo<T>) -> WriteCommand) -> Result<T, StoreError> {
        ledger::order(&*self.ledger, command).await
    }
}
