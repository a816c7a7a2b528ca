//! A changed jobs file is put in force: what stays keeps its place, what goes is finished, what comes is declared.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::domain::fact::Fact;
use crate::domain::job::{Job, JobIx, JobKey};
use crate::net::Net;

use super::run::{Run, ServiceRun};
use super::slot::{Denials, Phase};
use super::{Reload, follow};

impl Run {
    /// Applies it. Told by `Fact::Reloaded` when it is in force.
    pub(super) async fn reload(&mut self, reload: Reload) {
        let Reload { poll, services, jobs } = reload;
        self.poll = poll;
        self.net = Arc::new(Net::new(&poll, self.clock.clone()));
        for run in &mut self.services {
            // The token of a service that is no longer in the file is not asked for.
            run.next_ask = run.next_ask.filter(|_| services.iter().any(|(new, _)| new.name == run.service.name));
        }
        for (service, token) in services {
            self.reload_service(ServiceRun::new(service, token));
        }
        let places = self.places(&jobs);
        let mut kept = HashSet::new();
        let mut new = Vec::new();
        let mut again = Vec::new();
        let (mut added, mut removed) = (0, 0);
        for (job, place) in jobs.into_iter().zip(places) {
            match (place, self.service_of(&job.service)) {
                (Some(ix), Some(service)) => {
                    kept.insert(ix);
                    added += usize::from(self.is_withdrawn(ix));
                    if self.keep(ix, job, service) {
                        again.push(ix);
                    }
                }
                (None, Some(_)) => new.push(job),
                (_, None) => {}
            }
        }
        for ix in (0..self.slots.len()).filter_map(|at| u32::try_from(at).ok()).map(JobIx) {
            if !kept.contains(&ix) && !self.is_withdrawn(ix) {
                self.withdraw(ix);
                removed += 1;
            }
        }
        self.flush_releases();
        self.claim(&again).await;
        self.reload_known(&again).await;
        added += new.len();
        if let Err(error) = self.declare(new).await {
            self.tell_trouble(Some(error));
        }
        for service in 0..self.services.len() {
            self.gate_changed(service);
            // A service that a watch has given up is not read for its new jobs either, until its token changes.
            if let Some(why) = self.services.get(service).and_then(|run| run.given_up.clone()) {
                self.give_up_service(service, &why);
            }
        }
        tracing::info!(job = "config", "the jobs file was reloaded: +{added} jobs, {removed} removed");
        self.tell(Fact::Reloaded { added, removed });
        self.told_settled = false;
    }

    /// The place of each of these jobs; None for one that was never on the list.
    fn places(&self, jobs: &[Arc<Job>]) -> Vec<Option<JobIx>> {
        let places = (0..).map(JobIx).zip(&self.slots);
        let places: HashMap<&JobKey, JobIx> = places.map(|(ix, slot)| (&slot.job.key, ix)).collect();
        jobs.iter().map(|job| places.get(&job.key).copied()).collect()
    }

    /// Takes a service's new declaration; its gate and its reads stay unless its token changed.
    fn reload_service(&mut self, new: ServiceRun) {
        let Some(old) = self.services.iter_mut().find(|run| run.service.name == new.service.name) else {
            self.services.push(new);
            return;
        };
        if old.token != new.token {
            old.gate = new.gate;
            old.token = new.token;
            old.given_up = None;
        }
        if old.service.rate != new.service.rate {
            old.bucket = new.bucket;
        }
        old.service = new.service;
    }

    /// Takes a job's new declaration; true if it has to be claimed and read again.
    fn keep(&mut self, ix: JobIx, job: Arc<Job>, service: usize) -> bool {
        let Some(slot) = self.slot(ix) else { return false };
        let was = slot.phase.clone();
        if slot.job != job || was == Phase::Withdrawn {
            self.tell(Fact::Declared { ix, job: Arc::clone(&job), known: Arc::clone(&slot.known) });
        }
        let due = slot.due;
        // What was asked for before the job was taken out is not asked for a second time.
        let busy = self.is_busy(ix);
        let again = match was {
            Phase::GivenUp(_) => true,
            Phase::Withdrawn => !busy && (!slot.known.is_over() || slot.is_gone()),
            Phase::Done => slot.is_gone(),
            Phase::Waiting | Phase::Reading | Phase::Followed(_) => false,
        };
        if was == Phase::Withdrawn {
            self.set_phase(ix, if busy { Phase::Reading } else { Phase::Done });
        }
        let moved = self.slot(ix).is_some_and(|slot| slot.service != service);
        if moved && was == Phase::Waiting {
            self.set_phase(ix, Phase::Done);
        }
        if let Some(slot) = self.slot_mut(ix) {
            slot.job = job;
            slot.service = service;
            slot.denials = Denials::default();
        }
        if moved && let (Phase::Waiting, Some(due)) = (was, due) {
            self.schedule(ix, due);
        }
        again
    }

    pub(super) fn is_withdrawn(&self, ix: JobIx) -> bool {
        self.slot(ix).is_some_and(|slot| slot.phase == Phase::Withdrawn)
    }

    /// Whether a read of a job is under way, or the one reply that it will ever get is being saved.
    fn is_busy(&self, ix: JobIx) -> bool {
        let is_one_shot = self.slot(ix).is_some_and(|slot| slot.job.traits.one_shot);
        let saving = self.saving.contains_key(&ix) || self.unsaved.contains_key(&ix);
        self.reading.values().any(|flight| flight.ix == ix) || is_one_shot && saving
    }

    fn withdraw(&mut self, ix: JobIx) {
        self.tell(Fact::Withdrawn(ix));
        let reading = self.slot(ix).is_some_and(|slot| slot.phase == Phase::Reading);
        self.set_phase(ix, Phase::Withdrawn);
        // A read under way is finished and saved before its claim is given up.
        if !reading {
            follow::release(self, ix);
        }
    }
}
