//! What the team's threads know together: whether the lease is good, what changed, who polls what.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::deadline::SharedDeadline;
use super::uploads::Uploads;
use crate::domain::job::JobKey;
use crate::domain::owner::Owner;
use crate::store::postgres::leases::{InstanceId, RENEWED_EVERY};
use crate::store::{Changes, StoreError, StoreErrorKind};

/// Shared by the ledger's handle, the keeper of leases and the mover of results.
#[derive(Debug, Default)]
pub struct TeamShared {
    /// Until when our lease is good.
    pub lease: SharedDeadline,
    pub wake: Notify,
    /// Whether others saved something that was not looked at yet.
    news: AtomicBool,
    /// Tells the keeper that the mover has nothing more to upload.
    pub uploaded: Notify,
    /// How often the keeper asked for all to be uploaded, and up to which of these that is done.
    wanted: AtomicU64,
    done: AtomicU64,
    state: Mutex<TeamState>,
    uploads: Mutex<Uploads>,
}

/// What changes under a lock that is held for a moment only.
#[derive(Debug, Default)]
pub struct TeamState {
    /// Why the team's store cannot be used, if it cannot.
    pub trouble: Option<String>,
    /// The instance that we are, while connected.
    pub us: Option<InstanceId>,
    /// How many one-shot jobs count as ours here while the team's store has not said so.
    pub unconfirmed: usize,
    /// Whether all jobs are to be claimed anew.
    pub claims_lost: bool,
    /// Jobs of which others saved something that the engine has not asked for yet.
    pub changed: BTreeSet<JobKey>,
    /// Jobs that others poll.
    pub theirs: HashMap<JobKey, Arc<Owner>>,
    /// Jobs of which the team's store knows more than is known here: to be taken over whatever was read before.
    pub behind: BTreeSet<JobKey>,
    /// How many jobs wait for upload.
    pub waiting: usize,
    /// Why nothing is exchanged, although there is a lease.
    pub not_moving: Option<String>,
    /// What did not reach the team's store before the end, as a sentence.
    pub left_behind: Option<String>,
}

impl TeamShared {
    /// The state, for a moment.
    pub fn state(&self) -> MutexGuard<'_, TeamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits for upload, for a moment.
    pub fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one-shot polls may be sent: our lease has longer to run than the time in which it must be renewed, and
    /// covers all that we poll.
    pub fn check(&self) -> Result<(), StoreError> {
        let state = self.state();
        if self.lease.left() > RENEWED_EVERY && state.unconfirmed == 0 {
            return Ok(());
        }
        let what = state
            .trouble
            .clone()
            .unwrap_or_else(|| "the team's store has not confirmed this jobdeck's leases yet".to_owned());
        let help = "Polls that can be made only once wait for it".to_owned();
        Err(StoreError { kind: StoreErrorKind::Unreachable, what, help })
    }

    /// Others have saved something: to be looked at.
    pub fn tell_of_news(&self) {
        self.news.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether they have, since that was last looked at.
    pub fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }

    /// What they saved up to now is about to be looked at.
    pub fn look_at_news(&self) {
        self.news.store(false, Ordering::Release);
    }

    /// Others have changed what is known of these.
    pub fn changed(&self, jobs: Vec<JobKey>) {
        self.state().changed.extend(jobs);
    }

    /// What others changed since this was last asked, beside what happened on this machine.
    pub fn changes(&self, local: Changes) -> Changes {
        let mut state = self.state();
        if std::mem::take(&mut state.claims_lost) {
            return Changes::Claims;
        }
        let of_team: Vec<JobKey> = std::mem::take(&mut state.changed).into_iter().collect();
        match local {
            Changes::Nothing if of_team.is_empty() => Changes::Nothing,
            Changes::Nothing => Changes::Of(of_team),
            Changes::Of(keys) => Changes::Of(keys.into_iter().chain(of_team).collect()),
            Changes::Something | Changes::Claims => {
                // Whoever looks at all that is followed sees the rest only if it is reported again.
                state.changed.extend(of_team);
                local
            }
        }
    }

    /// Wants all that waits now to be uploaded; the number is done once [`is_uploaded`](Self::is_uploaded) says so.
    pub fn want_upload(&self) -> u64 {
        let number = self.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake.notify_one();
        number
    }

    /// What the mover begins with: to be passed to [`set_uploaded`](Self::set_uploaded) when nothing waits any more.
    pub fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Acquire)
    }

    /// All that waited when this was wanted is uploaded.
    pub fn set_uploaded(&self, number: u64) {
        self.done.fetch_max(number, Ordering::AcqRel);
        self.uploaded.notify_one();
    }

    /// Whether that is so.
    pub fn is_uploaded(&self, number: u64) -> bool {
        self.done.load(Ordering::Acquire) >= number
    }
}
