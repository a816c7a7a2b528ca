//! What a gate's opening and closing means for the jobs behind it: reported, spread out again, given up; tokens that
//! are asked for again; and how well each job is being polled.

use super::token::TokenError;
use std::time::Duration;

use crate::domain::fact::{Fact, Gate, Health, Silence};
use crate::domain::job::JobIx;
use crate::domain::secret::Token;

use super::job_entry::Phase;
use super::run::{Background, EngineLoop, EngineMode};
use super::schedule::ServiceIx;
use super::service_gate::ServiceGate;
use super::token::Prompts;
use super::{Purpose, log, token};

/// Polls in a row without an answer that make a job stale.
const MISSED: u32 = 2;

impl EngineLoop {
    /// Tells what has become of a service's gate, if it is news, and what follows.
    pub(super) fn gate_changed(&mut self, service: ServiceIx) {
        let entry = &self.schedule[service];
        let gate = entry.gate.gate().map(|until| self.wall(*until));
        if is_same(&gate, &entry.reported) {
            return;
        }
        let name = entry.service.name.clone();
        log::gate(&name, &gate, self.clock.now());
        let now = self.now();
        let is_final = self.schedule[service].gate_reported(gate.clone(), now);
        self.report.tell(Fact::Gate { service: name, gate: gate.clone() });
        self.refresh_service_health(service);
        if let (Gate::KeyRefused(trouble), true, Purpose::Watch) = (&gate, is_final, self.purpose) {
            self.give_up_service(service, &trouble.to_string());
        }
    }

    /// Says which services do not answer, and which do again.
    pub(super) fn tell_silences(&mut self) {
        for service in self.schedule.services() {
            self.tell_silence(service);
        }
    }

    pub(super) fn tell_silence(&mut self, service: ServiceIx) {
        let now = self.now();
        let Some(silence) = self.schedule[service].take_silence(now) else { return };
        let silence = silence.map(|(since, polls)| Silence { since: self.wall_before(since), polls });
        let service = self.schedule[service].service.name.clone();
        self.report.tell(Fact::Unanswered { service, silence });
    }

    /// Opens the gates whose throttling is over: their polls resume spread out.
    pub(super) fn expire_gates(&mut self, now: Duration) {
        for service in self.schedule.services() {
            if let Some(spread) = self.schedule[service].gate.expire(now) {
                self.respread(service, spread);
                self.gate_changed(service);
            }
        }
    }

    /// Spreads the waiting polls of a service over a time that begins now.
    pub(super) fn respread(&mut self, service: ServiceIx, spread: Duration) {
        let now = self.now();
        self.schedule.respread(service, now, spread, &mut self.rng);
    }

    /// Asks again for the tokens that were refused and may have changed.
    pub(super) fn ask_for_tokens(&mut self, now: Duration) {
        for service in self.schedule.services() {
            let is_due = self.schedule[service].next_token_retry.is_some_and(|at| at <= now);
            if is_due && matches!(self.mode, EngineMode::Running) {
                self.ask_for_token(service, false);
            }
        }
    }

    /// Asks for a service's token; `asked` by the user, so that even the same token is shown again.
    pub(super) fn ask_for_token(&mut self, service: ServiceIx, asked: bool) {
        let entry = &mut self.schedule[service];
        entry.next_token_retry = None;
        let declared = std::sync::Arc::clone(&entry.service);
        let prompts = match self.purpose {
            Purpose::Dashboard => Prompts::Refused,
            Purpose::Watch | Purpose::Once => Prompts::Allowed,
        };
        let resolved =
            async move { Background::Token(service, token::resolve_service(&declared, prompts).await, asked) };
        self.background.spawn(resolved);
    }

    pub(super) fn token_arrived(&mut self, service: ServiceIx, result: Result<Token, TokenError>, asked: bool) {
        let now = self.now();
        let entry = &mut self.schedule[service];
        let stayed_refused = match result {
            Ok(token) if asked || entry.token.as_ref() != Some(&token) => {
                entry.token = Some(token);
                let spread = entry.gate.reopen(now);
                self.respread(service, spread);
                false
            }
            Ok(_) => true,
            Err(error) => {
                if entry.token.is_none() {
                    entry.gate = ServiceGate::without_token(error.into());
                }
                true
            }
        };
        if stayed_refused && self.schedule[service].token_stayed_refused(now) && self.purpose == Purpose::Watch {
            self.give_up_service(service, "its key is refused");
        }
        self.gate_changed(service);
    }

    pub(super) fn give_up_service(&mut self, service: ServiceIx, reason: &str) {
        self.schedule[service].given_up = Some(reason.to_owned());
        for ix in self.schedule.waiting(service) {
            self.schedule.set_phase(ix, Phase::GivenUp(reason.to_owned()));
            self.claims.release(ix);
        }
    }

    pub(super) fn refresh_service_health(&mut self, service: ServiceIx) {
        for ix in self.schedule.waiting(service) {
            self.refresh_health(ix);
        }
    }

    /// Tells how well a job is being polled, if that is news.
    pub(super) fn refresh_health(&mut self, ix: JobIx) {
        let health = self.health_of(ix);
        self.tell_health(ix, health);
    }

    pub(super) fn tell_health(&mut self, ix: JobIx, health: Health) {
        let entry = &mut self.schedule[ix];
        if entry.health != health {
            let before = std::mem::replace(&mut entry.health, health.clone());
            if let (Health::GivenUp(reason), false) = (&health, matches!(before, Health::GivenUp(_))) {
                log::given_up(&entry.job, reason, self.purpose);
            }
            self.report.tell(Fact::Health { ix, health });
        }
    }

    fn health_of(&self, ix: JobIx) -> Health {
        let entry = &self.schedule[ix];
        match &entry.phase {
            Phase::Followed(owner) => return Health::Following(owner.clone()),
            Phase::GivenUp(reason) => return Health::GivenUp(reason.clone()),
            Phase::Done if self.saved_here.contains(&ix) => return Health::SavedHere,
            Phase::Done | Phase::Withdrawn => return Health::Fresh,
            Phase::Unclaimed => return Health::Held,
            Phase::Waiting | Phase::Polling => {}
        }
        if self.mode == EngineMode::Paused {
            return Health::Paused;
        }
        if self.disk.trouble().is_some() && entry.is_one_shot() {
            return Health::Held;
        }
        match self.schedule[entry.service].gate.gate() {
            Gate::Throttled(until) => Health::Throttled(self.wall(*until)),
            Gate::KeyRefused(_) => Health::KeyRefused,
            Gate::BackingOff(_) => Health::Stale,
            Gate::Open if entry.overslept || entry.failures >= MISSED => Health::Stale,
            Gate::Open => Health::Fresh,
        }
    }
}

/// Whether two gates are reported in the same words: instants are computed from our own clock and may differ a little.
fn is_same(one: &Gate, other: &Gate) -> bool {
    match (one, other) {
        (Gate::Throttled(a), Gate::Throttled(b)) | (Gate::BackingOff(a), Gate::BackingOff(b)) => {
            a.as_second().abs_diff(b.as_second()) <= 1
        }
        (
            Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_) | Gate::KeyRefused(_),
            Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_) | Gate::KeyRefused(_),
        ) => one == other,
    }
}
