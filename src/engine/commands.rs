//! What the user asks a running engine for: poll now, pause and go on, history.

use std::time::Duration;

use crate::domain::attempt::Attempt;
use crate::domain::fact::{Fact, Gate, Refusal};
use crate::domain::job::JobIx;

use super::job_entry::{Denials, Phase};
use super::run::{Background, EngineLoop, EngineMode};

impl EngineLoop {
    pub(super) async fn pause(&mut self, pause: bool) {
        match (pause, self.mode) {
            (true, EngineMode::Running) => {
                self.mode = EngineMode::Paused;
                for ix in self.schedule.all_waiting() {
                    self.claims.release(ix);
                    self.refresh_health(ix);
                }
            }
            (false, EngineMode::Paused) => self.go_on().await,
            (
                true | false,
                EngineMode::Running
                | EngineMode::Paused
                | EngineMode::Suspending
                | EngineMode::Suspended
                | EngineMode::Draining(_)
                | EngineMode::Aborting(_),
            ) => {}
        }
    }

    pub(super) async fn resume(&mut self) {
        if matches!(self.mode, EngineMode::Suspending | EngineMode::Suspended) {
            self.polls.leave(false);
            if self.was_paused {
                self.mode = EngineMode::Paused;
            } else {
                self.go_on().await;
            }
        }
    }

    /// Claims what is still unfinished after a pause: others may have gone on with it.
    async fn go_on(&mut self) {
        self.mode = EngineMode::Running;
        let waiting = self.schedule.all_waiting();
        self.flush_releases();
        // Claims are given up before they are asked for again; what else comes to its end meanwhile still counts.
        // Saves go on beside them: a token's program may take its time.
        let started = self.started;
        while !self.background.is_empty() {
            tokio::select! {
                Some(done) = self.background.join_next() => self.background_done(done),
                event = self.disk.next(|| started.elapsed()) => self.disk_event(event),
            }
        }
        self.reload_known(&waiting).await;
        let still: Vec<JobIx> = waiting.into_iter().filter(|ix| self.schedule[*ix].phase == Phase::Waiting).collect();
        self.claim(&still).await;
        for service in self.schedule.services() {
            self.respread(service, Duration::from_secs(2));
            self.refresh_service_health(service);
        }
    }

    /// Polls jobs now because the user wants it, or says why not.
    pub(super) async fn poll_now(&mut self, list: &[JobIx]) {
        let (mut waiting, mut idle) = (Vec::new(), Vec::new());
        for ix in list.iter().copied().filter(|ix| self.schedule.has(*ix)) {
            match self.objection(ix) {
                Some(why) => self.report.tell(Fact::Refused { ix, why }),
                None if self.schedule[ix].phase == Phase::Waiting => waiting.push(ix),
                None => idle.push(ix),
            }
        }
        self.flush_releases();
        self.claim(&idle).await;
        // Nobody has reported these to us since we were done with them.
        self.reload_known(&idle).await;
        for ix in idle.into_iter().chain(waiting) {
            let entry = &mut self.schedule[ix];
            entry.denials = Denials::default();
            match entry.phase.clone() {
                Phase::Waiting => {}
                Phase::Followed(owner) => {
                    self.report.tell(Fact::Refused { ix, why: Refusal::Following(owner) });
                    continue;
                }
                Phase::Polling | Phase::Unclaimed | Phase::Done | Phase::GivenUp(_) | Phase::Withdrawn => continue,
            }
            let service = entry.service;
            let now = self.now();
            self.schedule.set_due(ix, Duration::ZERO);
            let entry = &mut self.schedule[service];
            match entry.gate.gate() {
                Gate::KeyRefused(_) => self.ask_for_token(service, true),
                Gate::BackingOff(_) => {
                    entry.gate.reopen(now);
                    self.gate_changed(service);
                }
                Gate::Open | Gate::Throttled(_) => {}
            }
        }
    }

    /// Why a job cannot be polled now.
    fn objection(&self, ix: JobIx) -> Option<Refusal> {
        let entry = &self.schedule[ix];
        if entry.holds_the_only_copy() {
            return Some(Refusal::OnlyCopySaved);
        }
        match &entry.phase {
            Phase::Polling => return Some(Refusal::InFlight),
            Phase::Followed(owner) => return Some(Refusal::Following(owner.clone())),
            Phase::Withdrawn => return Some(Refusal::Withdrawn),
            Phase::Waiting | Phase::Unclaimed | Phase::Done | Phase::GivenUp(_) => {}
        }
        if self.mode != EngineMode::Running {
            return Some(Refusal::Paused);
        }
        if let (true, Some(trouble)) = (entry.is_one_shot(), self.disk.trouble()) {
            return Some(Refusal::StoreTrouble(trouble.to_string()));
        }
        let service = &self.schedule[entry.service];
        match service.gate.gate() {
            Gate::Throttled(until) if *until > self.now() => {
                Some(Refusal::Throttled { service: service.service.name.clone(), until: self.wall(*until) })
            }
            Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_) | Gate::KeyRefused(_) => None,
        }
    }

    /// Answers with a job's attempts and changes.
    pub(super) fn history(&mut self, ix: JobIx) {
        if !self.schedule.has(ix) {
            return;
        }
        let entry = &self.schedule[ix];
        let (key, unsaved, complete) = (entry.job.key.clone(), entry.attempts.clone(), entry.attempts_loaded);
        let (results, facts) = (self.disk.store().results().clone(), self.report.sender());
        self.background.spawn(async move {
            let (mut attempts, changes) = results.history(key).await.unwrap_or_default();
            if complete {
                attempts.clear();
            }
            for attempt in unsaved {
                Attempt::push(&mut attempts, attempt);
            }
            let _ = facts.send(Fact::History { ix, attempts, changes });
            Background::Done
        });
    }
}
