//! Whose a job is: claims taken at the start and given up in time, jobs of other instances followed and taken over
//! when those end.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::fact::Fact;
use crate::domain::job::{Job, JobIx, JobKey};
use crate::domain::observation::Observation;
use crate::store::{Changes, Claim, Reads, StoreError};

use super::Purpose;
use super::job_entry::{JobEntry, Phase};
use super::recovery::recover;
use super::run::{Background, EngineLoop, EngineMode};
use super::schedule::Schedule;

/// How many jobs are read from disk at once: each portion is reported before the next is read, so that never all are in
/// memory twice.
const LOADED_AT_ONCE: usize = 4096;
/// How many followed jobs are tried for a takeover at once.
const TRIED_AT_ONCE: usize = 256;

/// Claims that are to be given up, or to be asked for anew.
#[derive(Debug, Default)]
pub struct Claims {
    to_release: Vec<JobIx>,
    to_renew: BTreeSet<JobIx>,
    /// Jobs of ours of which a dead instance left something that could not be looked through yet.
    to_recover: BTreeSet<JobIx>,
}

impl Claims {
    /// A claim is given up at the next turn of the loop.
    pub fn release(&mut self, ix: JobIx) {
        self.to_release.push(ix);
    }

    /// The state directory failed and may be another one now, where another instance polls: all are claimed again.
    pub fn renew_all(&mut self, schedule: &Schedule) {
        self.to_renew = schedule.jobs().collect();
    }

    /// Those of them that wait for a poll. What is being polled is claimed when its response is here.
    fn take_renewable(&mut self, schedule: &Schedule) -> Vec<JobIx> {
        let list = std::mem::take(&mut self.to_renew).into_iter();
        let (waiting, others): (Vec<JobIx>, Vec<JobIx>) = list.partition(|ix| schedule[*ix].phase == Phase::Waiting);
        self.to_renew = others.into_iter().filter(|ix| schedule[*ix].phase == Phase::Polling).collect();
        waiting
    }

    /// The jobs whose claims are to be given up, and their polls that are to be written before.
    fn take_releases(&mut self, schedule: &mut Schedule) -> (Vec<JobKey>, Vec<Reads>) {
        let list = std::mem::take(&mut self.to_release);
        let reads = list.iter().filter_map(|ix| schedule[*ix].take_unwritten()).collect();
        (list.iter().map(|ix| schedule[*ix].job.key.clone()).collect(), reads)
    }
}

impl EngineLoop {
    /// Puts jobs on the list, tells what is known of them, and claims those that are unfinished.
    pub(super) async fn declare(&mut self, jobs: Vec<Arc<Job>>) -> Result<(), StoreError> {
        let mut unfinished = Vec::new();
        self.schedule.reserve(jobs.len());
        for jobs in jobs.chunks(LOADED_AT_ONCE) {
            let keys: Vec<JobKey> = jobs.iter().map(|job| job.key.clone()).collect();
            let known = self.disk.store().results().load(keys).await?;
            for (job, known) in jobs.iter().zip(known) {
                let Some(service) = self.schedule.service_named(&job.service) else {
                    tracing::error!("internal error: the job {} names a service that is not given", job.label());
                    continue;
                };
                let entry = JobEntry::new(Arc::clone(job), service, known);
                let (known, is_over) = (Arc::clone(&entry.known), entry.known.is_over());
                self.hooks.seen(&known);
                let ix = self.schedule.add_job(entry);
                if !is_over {
                    unfinished.push(ix);
                }
                self.report.tell(Fact::Declared { ix, job: Arc::clone(job), known });
            }
            self.report.flush();
        }
        self.claim(&unfinished).await;
        let declared = self.schedule.entries().iter().map(|entry| Arc::clone(&entry.job)).collect();
        let store = self.disk.store().clone();
        self.background.spawn(async move {
            if let Err(error) = store.declare(declared).await {
                tracing::warn!("{error}");
            }
            Background::Done
        });
        Ok(())
    }

    /// Claims again what was claimed before the state directory failed, and what could not be claimed.
    pub(super) async fn renew_claims(&mut self) {
        let waiting = self.claims.take_renewable(&self.schedule);
        self.claim(&waiting).await;
    }

    /// Claims jobs: ours are polled now, in the order of the file; the others are followed.
    pub(super) async fn claim(&mut self, list: &[JobIx]) {
        if self.mode != EngineMode::Running {
            // They are claimed when polling goes on.
            for ix in list {
                self.schedule.set_due(*ix, self.now());
                self.refresh_health(*ix);
            }
            return;
        }
        if list.is_empty() {
            return;
        }
        let jobs = list.iter().map(|ix| Arc::clone(&self.schedule[*ix].job)).collect();
        let claims = match self.disk.store().claim(jobs).await {
            Ok(claims) => claims,
            Err(error) => {
                // Without a claim nothing may be polled: tried again with the next tick.
                self.disk.fail(error);
                for ix in list {
                    self.schedule.set_phase(*ix, Phase::Unclaimed);
                    self.refresh_health(*ix);
                }
                return;
            }
        };
        let mut orphans = Vec::new();
        let now = self.now();
        for (place, (ix, claim)) in list.iter().zip(claims).enumerate() {
            match claim {
                Claim::Ours { orphaned } => {
                    if orphaned || self.claims.to_recover.contains(ix) {
                        orphans.push(*ix);
                    }
                    self.schedule.set_due(*ix, now + Duration::from_nanos(place as u64));
                }
                Claim::Blocked(why) => {
                    self.recover_later(*ix, &why);
                    continue;
                }
                Claim::Theirs(_) if self.purpose == Purpose::Once => self.schedule.set_phase(*ix, Phase::Done),
                Claim::Theirs(owner) => self.schedule.set_phase(*ix, Phase::Followed(owner)),
            }
            self.refresh_health(*ix);
        }
        // A dead instance leaves a doubt, and perhaps what it had received: if that is the result, nothing is asked.
        for ix in &orphans {
            let entry = &self.schedule[*ix];
            let service = Arc::clone(&self.schedule[entry.service].service);
            let recovered = recover(self.disk.store(), &mut self.hooks, &service, &Arc::clone(&entry.job)).await;
            match recovered {
                Ok(_) => {
                    self.claims.to_recover.remove(ix);
                }
                Err(error) => self.recover_later(*ix, &error.to_string()),
            }
        }
        let mut news = orphans;
        // The last holder may have finished and given up a job between our look at it and our claim: it must not be
        // asked for again. This question is answered once, so whoever is followed is looked at too.
        let changes = self.disk.store().changes().await.unwrap_or(Changes::Something);
        if changes == Changes::Claims {
            self.claims.renew_all(&self.schedule);
        }
        news.extend(self.changed(changes, list.iter().chain(self.schedule.followed())));
        news.sort_unstable();
        news.dedup();
        self.reload_known(&news).await;
    }

    /// What was left behind of a job may be its result: the job is not polled before that was looked at, and saved.
    fn recover_later(&mut self, ix: JobIx, why: &str) {
        if self.claims.to_recover.insert(ix) {
            let job = self.schedule[ix].job.label();
            tracing::warn!("what was left behind of {job} cannot be taken in, and it is not polled before that: {why}");
        }
        let phase = if self.purpose == Purpose::Once { Phase::Done } else { Phase::Unclaimed };
        self.schedule.set_phase(ix, phase);
        self.refresh_health(ix);
    }

    /// Takes over what others have written about these jobs.
    pub(super) async fn reload_known(&mut self, list: &[JobIx]) {
        for list in list.chunks(LOADED_AT_ONCE) {
            let known = match self.disk.store().results().load(self.keys(list)).await {
                Ok(known) => known,
                Err(error) => {
                    tracing::warn!("what others have saved cannot be read: {error}");
                    return;
                }
            };
            for (ix, known) in list.iter().zip(known) {
                self.learn_from_others(*ix, known);
            }
        }
    }

    fn learn_from_others(&mut self, ix: JobIx, known: Observation) {
        // What is ours and the disk has not taken yet is newer than what is on it.
        if self.disk.is_unsaved(ix) {
            return;
        }
        let entry = &mut self.schedule[ix];
        entry.seq = entry.seq.max(known.applied);
        if tells_nothing_new(&known, entry) {
            return;
        }
        let before = (entry.known.is_observed(), entry.known.state, &entry.known.word, entry.known.progress);
        let changed = before != (known.is_observed(), known.state, &known.word, known.progress);
        entry.attempts_loaded = false;
        entry.unwritten = false;
        entry.attempts.clear();
        let (was_over, over) = (entry.known.is_over(), known.is_over());
        self.learned(ix, known, changed);
        if was_over && !over {
            // Restarted elsewhere: somebody has to poll it, perhaps we.
            self.schedule.set_phase(ix, Phase::Unclaimed);
        }
        if over {
            self.schedule.set_phase(ix, Phase::Done);
            self.claims.release(ix);
            self.refresh_health(ix);
        }
    }

    /// Shows what other instances have saved, takes over the jobs of those that have ended, and claims what could not
    /// be claimed before.
    pub(super) async fn follow(&mut self) {
        if !matches!(self.mode, EngineMode::Running | EngineMode::Paused) {
            return;
        }
        let unclaimed: Vec<JobIx> = self.schedule.unclaimed().iter().copied().collect();
        self.claim(&unclaimed).await;
        let followed: Vec<JobIx> = self.schedule.followed().iter().copied().collect();
        if followed.is_empty() && !self.disk.store().is_shared() {
            return;
        }
        self.mark_saved_here();
        let changes = self.disk.store().changes().await.unwrap_or(Changes::Nothing);
        if changes == Changes::Claims {
            self.claims.renew_all(&self.schedule);
        }
        self.reload_known(&self.changed(changes, followed.iter())).await;
        if followed.is_empty() {
            return;
        }
        if self.mode == EngineMode::Running {
            let from = self.rng.usize(..followed.len());
            let tried = followed.iter().cycle().skip(from).take(TRIED_AT_ONCE.min(followed.len())).copied();
            let tried: Vec<JobIx> = tried.filter(|ix| self.schedule.followed().contains(ix)).collect();
            self.take_over(&tried).await;
        }
    }

    /// Marks what is over and was not uploaded to the team's store yet, as far as that has changed.
    fn mark_saved_here(&mut self) {
        let Some(keys) = self.disk.store().not_uploaded() else { return };
        let waits = |ix: &JobIx| keys.contains(&self.schedule[*ix].job.key) && self.schedule[*ix].known.is_over();
        let now: HashSet<JobIx> =
            if keys.is_empty() { HashSet::new() } else { self.schedule.jobs().filter(waits).collect() };
        let before = std::mem::replace(&mut self.saved_here, now);
        let other: Vec<JobIx> = before.symmetric_difference(&self.saved_here).copied().collect();
        for ix in other {
            self.refresh_health(ix);
        }
    }

    async fn take_over(&mut self, tried: &[JobIx]) {
        let Ok(owners) = self.disk.store().results().owners(self.keys(tried)).await else { return };
        let free: Vec<JobIx> =
            tried.iter().zip(owners).filter(|(_, owner)| owner.is_none()).map(|(ix, _)| *ix).collect();
        if free.is_empty() {
            return;
        }
        tracing::info!("{} jobs are no longer polled by another jobdeck: taking them over", free.len());
        self.claim(&free).await;
        // What was saved before the claim was given up is known before it is asked for.
        self.reload_known(&free).await;
    }

    /// Gives up the claims that are no longer needed.
    pub(super) fn flush_releases(&mut self) {
        let (keys, reads) = self.claims.take_releases(&mut self.schedule);
        if keys.is_empty() {
            return;
        }
        let store = self.disk.store().clone();
        self.background.spawn(async move {
            if let Err(error) = store.release(keys, reads).await {
                tracing::warn!("{error}");
            }
            Background::Done
        });
    }

    /// Gives up every claim, and says so when it is done.
    pub(super) fn give_up_claims(&mut self) {
        for ix in self.schedule.all_waiting() {
            self.claims.release(ix);
        }
        let (keys, reads) = self.claims.take_releases(&mut self.schedule);
        let (store, facts) = (self.disk.store().clone(), self.report.sender());
        self.background.spawn(async move {
            if let Err(error) = store.release(keys, reads).await {
                tracing::warn!("{error}");
            }
            let _ = facts.send(Fact::Suspended);
            Background::Done
        });
    }

    /// Which of these jobs others have changed.
    pub(super) fn changed<'a>(&self, changes: Changes, among: impl Iterator<Item = &'a JobIx>) -> Vec<JobIx> {
        match changes {
            Changes::Nothing => Vec::new(),
            Changes::Something | Changes::Claims => among.copied().collect(),
            // Where others can save what is ours, as a result that came late, any job may be meant.
            Changes::Of(keys) => {
                let keys: HashSet<JobKey> = keys.into_iter().collect();
                self.schedule.jobs().filter(|ix| keys.contains(&self.schedule[*ix].job.key)).collect()
            }
        }
    }

    fn keys(&self, list: &[JobIx]) -> Vec<JobKey> {
        list.iter().map(|ix| self.schedule[*ix].job.key.clone()).collect()
    }
}

/// Whether the disk knows no more than we do. The numbers of the requests do not tell: ours run ahead of the disk's,
/// for a poll that changes nothing is not written, and whoever takes a job over counts on from the disk's.
fn tells_nothing_new(on_disk: &Observation, entry: &JobEntry) -> bool {
    let ours = &*entry.known;
    let read_at = |known: &Observation| known.last_poll.as_ref().map(|read| read.at);
    // A database that was begun anew knows nothing of what was.
    if on_disk == ours || *on_disk == Observation::default() {
        return true;
    }
    // Of what another polls the disk knows all, whatever its clock says.
    if matches!(entry.phase, Phase::Followed(_)) {
        return false;
    }
    let same = Observation { applied: ours.applied, last_poll: ours.last_poll.clone(), ..on_disk.clone() };
    read_at(on_disk) <= read_at(ours) && same == *ours
}
