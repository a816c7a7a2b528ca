//! A changed jobs file is applied: what stays keeps its place, what goes is finished, what comes is declared.

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::fact::Fact;
use crate::domain::field;
use crate::domain::job::{Job, JobIx};
use crate::net::Net;

use super::Reload;
use super::job_entry::{Denials, Phase};
use super::run::EngineLoop;
use super::schedule::ServiceIx;
use super::service_entry::ServiceEntry;
use super::token::{Renewal, TokenError};

impl EngineLoop {
    /// Applies it. `Fact::Reloaded` reports that it was.
    pub(super) async fn reload(&mut self, reload: Reload) {
        let Reload { poll, services, jobs, hooks } = reload;
        self.hooks.list = hooks;
        self.poll = poll;
        self.net = Arc::new(Net::new(&poll, self.clock.clone()));
        self.look_for_room();
        for entry in self.schedule.service_entries_mut() {
            // The token of a service that is no longer in the file is not asked for.
            let is_there = services.iter().any(|(new, _)| new.name == entry.service.name);
            entry.next_token_retry = entry.next_token_retry.filter(|_| is_there);
        }
        for (service, token) in services {
            let name = service.name.clone();
            let old = self.schedule.service_named(&name);
            let token = match token {
                Renewal::Asked(token) => token,
                // It may be a newer one than the front end has seen.
                Renewal::AsBefore => {
                    old.and_then(|old| self.schedule[old].token.clone()).ok_or_else(TokenError::never_asked)
                }
            };
            let new = ServiceEntry::new(service, token);
            match old {
                Some(old) => self.schedule[old].reload(new),
                None => self.schedule.add_service(new),
            }
        }
        let places = self.schedule.places();
        let places: Vec<Option<JobIx>> = jobs.iter().map(|job| places.get(&job.key).copied()).collect();
        let mut kept = HashSet::new();
        let mut new = Vec::new();
        let mut again = Vec::new();
        let (mut added, mut removed) = (0, 0);
        for (job, place) in jobs.into_iter().zip(places) {
            match (place, self.schedule.service_named(&job.service)) {
                (Some(ix), Some(service)) => {
                    kept.insert(ix);
                    added += usize::from(self.schedule[ix].phase == Phase::Withdrawn);
                    if self.keep(ix, job, service) {
                        again.push(ix);
                    }
                }
                (None, Some(_)) => new.push(job),
                (_, None) => {
                    tracing::error!("internal error: the job {} names a service that is not given", job.label());
                }
            }
        }
        for ix in self.schedule.jobs() {
            if !kept.contains(&ix) && self.schedule[ix].phase != Phase::Withdrawn {
                self.withdraw(ix);
                removed += 1;
            }
        }
        self.flush_releases();
        self.claim(&again).await;
        // Whose fields are defined otherwise were taken anew in the store.
        again.extend(kept.iter().filter(|ix| self.has_other_fields(**ix)));
        // What a command has sent again was added to the file.
        let sent_again = self.disk.store().results().sent_again().await.unwrap_or_default();
        let places = self.schedule.places();
        let new_of = sent_again.iter().filter_map(|key| places.get(key).copied());
        again.extend(new_of.filter(|ix| kept.contains(ix) && !self.schedule[*ix].known.sent_again));
        self.reload_known(&again).await;
        added += new.len();
        if let Err(error) = self.declare(new).await {
            self.disk.fail(error);
        }
        for service in self.schedule.services() {
            self.gate_changed(service);
            // A service that a watch has given up is not polled for its new jobs either, until its token changes.
            if let Some(why) = self.schedule[service].given_up.clone() {
                self.give_up_service(service, &why);
            }
        }
        tracing::info!(job = "config", "the jobs file was reloaded: +{added} jobs, {removed} removed");
        self.report.reloaded(added, removed);
    }

    fn has_other_fields(&self, ix: JobIx) -> bool {
        let entry = &self.schedule[ix];
        if entry.known.saved.is_none() {
            return false;
        }
        let defined = &self.schedule[entry.service].service.fields;
        let taken_by = entry.known.fields.as_ref().map(|fields| &*fields.taken_by).unwrap_or_default();
        taken_by != field::definition(defined)
    }

    /// Takes a job's new declaration; true if it has to be claimed and polled again.
    fn keep(&mut self, ix: JobIx, job: Arc<Job>, service: ServiceIx) -> bool {
        let entry = &self.schedule[ix];
        let (was, due) = (entry.phase.clone(), entry.due);
        if entry.job != job || was == Phase::Withdrawn {
            self.report.tell(Fact::Declared { ix, job: Arc::clone(&job), known: Arc::clone(&entry.known) });
        }
        // What was asked for before the job was taken out is not asked for a second time.
        let busy = self.is_busy(ix);
        let again = match was {
            Phase::GivenUp(_) => true,
            Phase::Withdrawn => !busy && (!entry.known.is_over() || entry.is_gone()),
            Phase::Done => entry.is_gone(),
            Phase::Waiting | Phase::Polling | Phase::Followed(_) | Phase::Unclaimed => false,
        };
        let moved = entry.service != service;
        if was == Phase::Withdrawn {
            self.schedule.set_phase(ix, if busy { Phase::Polling } else { Phase::Done });
        }
        if moved && was == Phase::Waiting {
            self.schedule.set_phase(ix, Phase::Done);
        }
        let entry = &mut self.schedule[ix];
        entry.job = job;
        entry.service = service;
        entry.denials = Denials::default();
        if moved && let (Phase::Waiting, Some(due)) = (was, due) {
            self.schedule.set_due(ix, due);
        }
        again
    }

    /// Whether a poll of a job is in flight, or the one response that it will ever get is being saved.
    fn is_busy(&self, ix: JobIx) -> bool {
        self.polls.is_polling(ix) || self.schedule[ix].is_one_shot() && self.disk.is_saving(ix)
    }

    fn withdraw(&mut self, ix: JobIx) {
        self.report.tell(Fact::Withdrawn(ix));
        let polling = self.schedule[ix].phase == Phase::Polling;
        self.schedule.set_phase(ix, Phase::Withdrawn);
        // A poll in flight is finished and saved before its claim is given up.
        if !polling {
            self.claims.release(ix);
        }
    }
}
