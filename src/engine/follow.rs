//! Whose a job is: claims taken at the start and given up in time, jobs of other instances followed and taken over
//! when those end.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::fact::Fact;
use crate::domain::job::{Job, JobIx, JobKey};
use crate::domain::observation::Observation;
use crate::store::{Claim, Reads};

use super::Purpose;
use super::gate::Closed;
use super::run::{Chore, Mode, Run};
use super::slot::{Denials, Phase, Slot};

/// How many jobs are read from disk at once: those before are told of meanwhile, and never all are held twice.
const LOADED_AT_ONCE: usize = 4096;
/// How many followed jobs are tried for a takeover at once.
const TRIED_AT_ONCE: usize = 256;

/// Gives up our claim on a job at the next turn of the loop.
pub(super) fn release(run: &mut Run, ix: JobIx) {
    run.to_release.push(ix);
}

impl Run {
    /// Puts jobs on the list, tells what is known of them, and claims those that are unfinished.
    pub(super) async fn declare(&mut self, jobs: Vec<Arc<Job>>) -> Result<(), String> {
        let mut unfinished = Vec::new();
        self.slots.reserve_exact(jobs.len());
        for jobs in jobs.chunks(LOADED_AT_ONCE) {
            let keys: Vec<JobKey> = jobs.iter().map(|job| job.key.clone()).collect();
            let known = self.store.load(keys).await.map_err(|error| error.to_string())?;
            for (job, known) in jobs.iter().zip(known) {
                let Some(service) = self.service_of(&job.service) else { continue };
                let ix = JobIx(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
                let slot = Slot::new(Arc::clone(job), service, known);
                self.unsettled += usize::from(slot.is_unsettled());
                if !slot.known.is_over() {
                    unfinished.push(ix);
                }
                self.tell(Fact::Declared { ix, job: Arc::clone(job), known: Arc::clone(&slot.known) });
                self.slots.push(slot);
            }
        }
        self.claim(&unfinished).await;
        let (store, declared) = (self.store.clone(), self.slots.iter().map(|slot| Arc::clone(&slot.job)).collect());
        self.chores.spawn(async move {
            if let Err(error) = store.declare(declared).await {
                tracing::warn!("{error}");
            }
            Chore::Done
        });
        Ok(())
    }

    /// Claims jobs: ours are read now, in the order of the file; the others are followed.
    pub(super) async fn claim(&mut self, list: &[JobIx]) {
        if self.mode != Mode::Running {
            // They are claimed when reading goes on.
            for ix in list {
                self.schedule(*ix, self.now());
                self.refresh_health(*ix);
            }
            return;
        }
        let jobs: Vec<Arc<Job>> =
            list.iter().filter_map(|ix| self.slot(*ix)).map(|slot| Arc::clone(&slot.job)).collect();
        if jobs.is_empty() {
            return;
        }
        let claims = match self.store.claim(jobs).await {
            Ok(claims) => claims,
            Err(error) => {
                // Without a claim nothing may be read: tried again with the next tick.
                self.tell_trouble(Some(error.to_string()));
                list.iter().map(|_| Claim::Theirs(0)).collect()
            }
        };
        let mut orphans = Vec::new();
        let now = self.now();
        for (place, (ix, claim)) in list.iter().zip(claims).enumerate() {
            match claim {
                Claim::Ours { orphaned } => {
                    if orphaned {
                        orphans.push(*ix);
                    }
                    self.schedule(*ix, now + Duration::from_nanos(place as u64));
                }
                Claim::Theirs(_) if self.purpose == Purpose::Once => self.set_phase(*ix, Phase::Done),
                Claim::Theirs(pid) => self.set_phase(*ix, Phase::Followed(pid)),
            }
            self.refresh_health(*ix);
        }
        // A dead instance leaves a doubt, and perhaps what it had received.
        let mut news = orphans;
        // The last holder may have finished and given up a job between our look at it and our claim: it must not be
        // asked for again. This question is answered once, so whoever is followed is looked at too.
        if self.store.changed_by_others().await.unwrap_or(true) {
            news = list.iter().chain(&self.followed).copied().collect();
        }
        self.reload_known(&news).await;
    }

    /// Takes over what others have written about these jobs.
    pub(super) async fn reload_known(&mut self, list: &[JobIx]) {
        for list in list.chunks(LOADED_AT_ONCE) {
            let slots = list.iter().filter_map(|ix| self.slot(*ix));
            let keys: Vec<JobKey> = slots.map(|slot| slot.job.key.clone()).collect();
            let Ok(known) = self.store.load(keys).await else { return };
            for (ix, known) in list.iter().zip(known) {
                self.learn_from_others(*ix, known);
            }
        }
    }

    fn learn_from_others(&mut self, ix: JobIx, known: Observation) {
        // What is ours and the disk has not taken yet is newer than what is on it.
        if self.unsaved.contains_key(&ix) {
            return;
        }
        let Some(slot) = self.slot_mut(ix) else { return };
        slot.seq = slot.seq.max(known.applied);
        if tells_nothing_new(&known, slot) {
            return;
        }
        let before = (slot.known.is_observed(), slot.known.state, slot.known.word.clone(), slot.known.progress);
        let changed = before != (known.is_observed(), known.state, known.word.clone(), known.progress);
        slot.attempts_loaded = false;
        slot.unwritten = false;
        slot.attempts.clear();
        let over = known.is_over();
        self.learned(ix, known, changed);
        if over {
            self.set_phase(ix, Phase::Done);
            release(self, ix);
            self.refresh_health(ix);
        }
    }

    /// Shows what other instances have saved, and takes over the jobs of those that have ended.
    pub(super) async fn follow(&mut self) {
        if self.followed.is_empty() || !matches!(self.mode, Mode::Running | Mode::Paused) {
            return;
        }
        let followed: Vec<JobIx> = self.followed.iter().copied().collect();
        if self.store.changed_by_others().await.unwrap_or(false) {
            self.reload_known(&followed).await;
        }
        if self.mode == Mode::Running {
            let from = self.rng.usize(..followed.len());
            let tried: Vec<JobIx> = followed
                .iter()
                .cycle()
                .skip(from)
                .take(TRIED_AT_ONCE.min(followed.len()))
                .copied()
                .filter(|ix| self.followed.contains(ix))
                .collect();
            self.take_over(&tried).await;
        }
    }

    async fn take_over(&mut self, tried: &[JobIx]) {
        let keys: Vec<JobKey> = tried.iter().filter_map(|ix| self.slot(*ix)).map(|slot| slot.job.key.clone()).collect();
        let Ok(owners) = self.store.owners(keys).await else { return };
        let free: Vec<JobIx> =
            tried.iter().zip(owners).filter(|(_, owner)| owner.is_none()).map(|(ix, _)| *ix).collect();
        if free.is_empty() {
            return;
        }
        tracing::info!("{} jobs are no longer read by another jobdeck: taking them over", free.len());
        self.claim(&free).await;
        // What was saved before the claim was given up is known before it is asked for.
        self.reload_known(&free).await;
    }

    /// Gives up the claims that are no longer needed.
    pub(super) fn flush_releases(&mut self) {
        if self.to_release.is_empty() {
            return;
        }
        let (keys, reads) = self.parting();
        let store = self.store.clone();
        self.chores.spawn(async move {
            if let Err(error) = store.release(keys, reads).await {
                tracing::warn!("{error}");
            }
            Chore::Done
        });
    }

    /// The jobs whose claims are to be given up, and their reads that are to be written before.
    fn parting(&mut self) -> (Vec<JobKey>, Vec<Reads>) {
        let list = std::mem::take(&mut self.to_release);
        let reads = self.unwritten_reads(&list);
        (list.iter().filter_map(|ix| self.slot(*ix)).map(|slot| slot.job.key.clone()).collect(), reads)
    }

    /// Gives up every claim, and says so when it is done.
    pub(super) fn give_up_claims(&mut self) {
        let waiting: Vec<JobIx> = (0..self.services.len()).flat_map(|service| self.waiting(service)).collect();
        for ix in waiting {
            release(self, ix);
        }
        let (keys, reads) = self.parting();
        let (store, facts) = (self.store.clone(), self.facts.clone());
        self.chores.spawn(async move {
            let _ = store.release(keys, reads).await;
            let _ = facts.send(Fact::Suspended);
            Chore::Done
        });
    }

    pub(super) async fn pause(&mut self, pause: bool) {
        match (pause, self.mode) {
            (true, Mode::Running) => {
                self.mode = Mode::Paused;
                for service in 0..self.services.len() {
                    for ix in self.waiting(service) {
                        release(self, ix);
                    }
                    self.refresh_service_health(service);
                }
            }
            (false, Mode::Paused) => self.go_on().await,
            (
                true | false,
                Mode::Running
                | Mode::Paused
                | Mode::Suspending
                | Mode::Suspended
                | Mode::Draining(_)
                | Mode::Aborting(_),
            ) => {}
        }
    }

    pub(super) async fn resume(&mut self) {
        if matches!(self.mode, Mode::Suspending | Mode::Suspended) {
            self.leave_reads.send_replace(false);
            if self.paused {
                self.mode = Mode::Paused;
            } else {
                self.go_on().await;
            }
        }
    }

    /// Claims what is still unfinished after a pause: others may have gone on with it.
    async fn go_on(&mut self) {
        self.mode = Mode::Running;
        let waiting: Vec<JobIx> = (0..self.services.len()).flat_map(|service| self.waiting(service)).collect();
        self.flush_releases();
        // Claims are given up before they are asked for again; what else comes to its end meanwhile still counts.
        while let Some(done) = self.chores.join_next().await {
            if let Ok(chore) = done {
                self.chore_done(chore);
            }
        }
        self.reload_known(&waiting).await;
        let still: Vec<JobIx> =
            waiting.into_iter().filter(|ix| self.slot(*ix).is_some_and(|slot| slot.phase == Phase::Waiting)).collect();
        self.claim(&still).await;
        for service in 0..self.services.len() {
            self.respread(service, Duration::from_secs(2));
            self.refresh_service_health(service);
        }
    }

    /// Reads jobs now because the user wants it, or says why not.
    pub(super) async fn read_now(&mut self, list: &[JobIx]) {
        let mut wanted = Vec::new();
        for ix in list {
            match self.objection(*ix) {
                Some(why) => self.tell(Fact::Refused { ix: *ix, why }),
                None => wanted.push(*ix),
            }
        }
        let (waiting, idle): (Vec<JobIx>, Vec<JobIx>) =
            wanted.into_iter().partition(|ix| self.slot(*ix).is_some_and(|slot| slot.phase == Phase::Waiting));
        self.flush_releases();
        self.claim(&idle).await;
        // Nobody has told us of these since we were done with them.
        self.reload_known(&idle).await;
        for ix in idle.iter().chain(&waiting) {
            let Some(slot) = self.slot_mut(*ix) else { continue };
            slot.denials = Denials::default();
            match slot.phase.clone() {
                Phase::Waiting => {}
                Phase::Followed(pid) => {
                    self.tell(Fact::Refused { ix: *ix, why: followed_by(pid) });
                    continue;
                }
                Phase::Reading | Phase::Done | Phase::GivenUp(_) | Phase::Withdrawn => continue,
            }
            let service = slot.service;
            let now = self.now();
            self.schedule(*ix, Duration::ZERO);
            let Some(run) = self.services.get_mut(service) else { continue };
            match run.gate.closed() {
                Closed::KeyRefused(_) => self.ask_for_token(service, true),
                Closed::BackingOff(_) => {
                    run.gate.reopen(now);
                    self.gate_changed(service);
                }
                Closed::No | Closed::Throttled(_) => {}
            }
        }
    }

    /// Why a job cannot be read now.
    fn objection(&self, ix: JobIx) -> Option<String> {
        let slot = self.slot(ix)?;
        if slot.holds_the_only_copy() {
            return Some("its result is saved here, and the service deleted its own copy when it was read".to_owned());
        }
        match &slot.phase {
            Phase::Reading => return Some("a read of it is under way".to_owned()),
            Phase::Followed(pid) => return Some(followed_by(*pid)),
            Phase::Withdrawn => return Some("it is no longer in the jobs file".to_owned()),
            Phase::Waiting | Phase::Done | Phase::GivenUp(_) => {}
        }
        if self.mode != Mode::Running {
            return Some("reading is paused: p goes on".to_owned());
        }
        if slot.job.traits.one_shot
            && let Some(trouble) = &self.trouble
        {
            return Some(format!("its result could not be saved: {trouble}"));
        }
        let run = self.services.get(slot.service)?;
        match run.gate.closed() {
            Closed::Throttled(until) if *until > self.now() => {
                Some(format!("{} asked to wait until {:.0}", run.service.name, self.wall(*until)))
            }
            Closed::No | Closed::Throttled(_) | Closed::BackingOff(_) | Closed::KeyRefused(_) => None,
        }
    }
}

/// Whether the disk knows no more than we do. The numbers of the reads do not tell: ours run ahead of the disk's, for a
/// read that changes nothing is not written, and whoever takes a job over counts on from the disk's.
fn tells_nothing_new(on_disk: &Observation, slot: &Slot) -> bool {
    let ours = &*slot.known;
    let read_at = |known: &Observation| known.last_poll.as_ref().map(|read| read.at);
    // A database that was begun anew knows nothing of what was.
    if on_disk == ours || *on_disk == Observation::default() {
        return true;
    }
    // Of what another reads the disk knows all, whatever its clock says.
    if matches!(slot.phase, Phase::Followed(_)) {
        return false;
    }
    let same = Observation { applied: ours.applied, last_poll: ours.last_poll.clone(), ..on_disk.clone() };
    read_at(on_disk) <= read_at(ours) && same == *ours
}

fn followed_by(pid: u32) -> String {
    format!("another jobdeck (process {pid}) reads it")
}
