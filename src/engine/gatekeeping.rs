//! What a gate's opening and closing means for the jobs behind it: told, spread out again, given up; and tokens that
//! are asked for again.

use std::time::Duration;

use crate::domain::fact::{Fact, Gate as Told, Health};
use crate::domain::job::JobIx;
use crate::domain::secret::Token;

use super::gate::{Closed, Gate};
use super::run::{Chore, Mode, Run};
use super::slot::{Phase, Slot};
use super::{Purpose, chronicle, follow, token};

/// A watch gives a service up once its token was asked for in vain so often, and for so long: a key that is being
/// rotated must have its chance also where the jobs file asks every second.
const VAIN_ASKS: u32 = 5;
const VAIN_TIME: Duration = Duration::from_secs(5 * 60);
/// Reads in a row without an answer that make a job stale.
const MISSED: u32 = 2;

impl Run {
    /// Closes the services that have no token to show.
    pub(super) fn refuse_missing_tokens(&mut self) {
        for service in 0..self.services.len() {
            self.gate_changed(service);
        }
    }

    /// Tells what has become of a service's gate, if it is news, and what follows.
    pub(super) fn gate_changed(&mut self, service: usize) {
        let Some(run) = self.services.get(service) else { return };
        let told = match run.gate.closed() {
            Closed::No => Told::Open,
            Closed::Throttled(until) => Told::Throttled(self.wall(*until)),
            Closed::BackingOff(until) => Told::BackingOff(self.wall(*until)),
            Closed::KeyRefused(reason) => Told::KeyRefused(reason.clone()),
        };
        if is_same(&told, &run.told) {
            return;
        }
        let name = run.service.name.clone();
        let (can_change, max_interval) = (run.service.token.can_change(), run.service.pace.max_interval);
        chronicle::gate(&name, &told, self.clock.now());
        let refused = if let Told::KeyRefused(reason) = &told { Some(reason.clone()) } else { None };
        let now = self.now();
        if let Some(run) = self.services.get_mut(service) {
            run.told = told.clone();
            run.next_ask = (refused.is_some() && can_change).then_some(now + max_interval);
            if told == Told::Open {
                run.asks = 0;
                run.refused_since = None;
            }
        }
        self.tell(Fact::Gate { service: name, gate: told });
        self.refresh_service_health(service);
        if let Some(reason) = refused
            && self.purpose == Purpose::Watch
            && !can_change
        {
            self.give_up_service(service, &reason);
        }
    }

    /// Opens the gates whose throttling is over: their reads resume spread out.
    pub(super) fn expire_gates(&mut self, now: Duration) {
        for service in 0..self.services.len() {
            let spread = self.services.get_mut(service).and_then(|run| run.gate.expire(now));
            if let Some(spread) = spread {
                self.respread(service, spread);
                self.gate_changed(service);
            }
        }
    }

    /// Asks again for the tokens that were refused and may have changed.
    pub(super) fn ask_for_tokens(&mut self, now: Duration) {
        for service in 0..self.services.len() {
            let due = self.services.get(service).and_then(|run| run.next_ask).is_some_and(|at| at <= now);
            if due && matches!(self.mode, Mode::Running) {
                self.ask_for_token(service, false);
            }
        }
    }

    /// Asks for a service's token; `asked` by the user, so that even the same token is shown again.
    pub(super) fn ask_for_token(&mut self, service: usize, asked: bool) {
        let Some(run) = self.services.get_mut(service) else { return };
        run.next_ask = None;
        let source = run.service.token.clone();
        self.chores.spawn(async move { Chore::Token(service, token::resolve(&source).await, asked) });
    }

    pub(super) fn token_arrived(&mut self, service: usize, result: Result<Token, String>, asked: bool) {
        let now = self.now();
        let Some(run) = self.services.get_mut(service) else { return };
        let max_interval = run.service.pace.max_interval;
        match result {
            Ok(token) if asked || run.token.as_ref() != Some(&token) => {
                run.token = Some(token);
                let spread = run.gate.reopen(now);
                self.respread(service, spread);
            }
            Ok(_) => self.asked_in_vain(service, now, max_interval),
            Err(reason) => {
                if run.token.is_none() {
                    run.gate = Gate::without_token(reason);
                }
                self.asked_in_vain(service, now, max_interval);
            }
        }
        self.gate_changed(service);
    }

    fn asked_in_vain(&mut self, service: usize, now: Duration, max_interval: Duration) {
        let Some(run) = self.services.get_mut(service) else { return };
        run.asks += 1;
        run.next_ask = run.service.token.can_change().then_some(now + max_interval);
        let since = *run.refused_since.get_or_insert(now);
        let is_vain = run.asks >= VAIN_ASKS && now.saturating_sub(since) >= VAIN_TIME;
        if is_vain && self.purpose == Purpose::Watch {
            let reason = "its key is refused".to_owned();
            self.give_up_service(service, &reason);
        }
    }

    pub(super) fn give_up_service(&mut self, service: usize, reason: &str) {
        if let Some(run) = self.services.get_mut(service) {
            run.given_up = Some(reason.to_owned());
        }
        for ix in self.waiting(service) {
            self.set_phase(ix, Phase::GivenUp(reason.to_owned()));
            follow::release(self, ix);
        }
    }

    /// A service's jobs that wait for a read.
    pub(super) fn waiting(&self, service: usize) -> Vec<JobIx> {
        self.services.get(service).map(|run| run.due.iter().map(|(_, ix)| *ix).collect()).unwrap_or_default()
    }

    pub(super) fn refresh_service_health(&mut self, service: usize) {
        for ix in self.waiting(service) {
            self.refresh_health(ix);
        }
    }

    /// Tells how well a job is being read, if that is news.
    pub(super) fn refresh_health(&mut self, ix: JobIx) {
        if let Some(health) = self.slot(ix).map(|slot| self.health_of(slot)) {
            self.tell_health(ix, health);
        }
    }

    pub(super) fn tell_health(&mut self, ix: JobIx, health: Health) {
        let purpose = self.purpose;
        let Some(slot) = self.slot_mut(ix) else { return };
        if slot.health != health {
            let before = std::mem::replace(&mut slot.health, health.clone());
            if let (Health::GivenUp(reason), false) = (&health, matches!(before, Health::GivenUp(_))) {
                chronicle::given_up(&slot.job, reason, purpose);
            }
            self.tell(Fact::Health { ix, health });
        }
    }

    fn health_of(&self, slot: &Slot) -> Health {
        match &slot.phase {
            Phase::Followed(pid) => return Health::Following(*pid),
            Phase::GivenUp(reason) => return Health::GivenUp(reason.clone()),
            Phase::Done | Phase::Withdrawn => return Health::Fresh,
            Phase::Waiting | Phase::Reading => {}
        }
        if self.mode == Mode::Paused {
            return Health::Paused;
        }
        if self.trouble.is_some() && slot.job.traits.one_shot {
            return Health::Held;
        }
        let closed = self.services.get(slot.service).map_or(&Closed::No, |run| run.gate.closed());
        match closed {
            Closed::Throttled(until) => Health::Throttled(self.wall(*until)),
            Closed::KeyRefused(_) => Health::KeyRefused,
            Closed::BackingOff(_) => Health::Stale,
            Closed::No if slot.overslept || slot.failures >= MISSED => Health::Stale,
            Closed::No => Health::Fresh,
        }
    }
}

/// Whether two gates are told in the same words: instants are reckoned back from our own clock and may differ a little.
fn is_same(one: &Told, other: &Told) -> bool {
    match (one, other) {
        (Told::Throttled(a), Told::Throttled(b)) | (Told::BackingOff(a), Told::BackingOff(b)) => {
            a.as_second().abs_diff(b.as_second()) <= 1
        }
        (
            Told::Open | Told::Throttled(_) | Told::BackingOff(_) | Told::KeyRefused(_),
            Told::Open | Told::Throttled(_) | Told::BackingOff(_) | Told::KeyRefused(_),
        ) => one == other,
    }
}
