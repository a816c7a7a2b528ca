//! What a jump of the time of day means. Reads, waits and graces go by a clock that only runs forward, and stops
//! while the machine sleeps; the time of day is for people, and for telling that the machine slept.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::schedule::after_sleep;
use crate::net::Net;

use super::run::EngineLoop;

/// A difference between the clocks that means that the machine slept, or that its clock was set.
const JUMPED: Duration = Duration::from_secs(30);

impl EngineLoop {
    /// A time since the engine's start as a time of day.
    pub(super) fn wall(&self, at: Duration) -> Timestamp {
        let ahead = at.saturating_sub(self.now());
        self.clock.now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// A time since the engine's start that is past, as a time of day.
    pub(super) fn wall_before(&self, at: Duration) -> Timestamp {
        let ago = self.now().saturating_sub(at);
        self.clock.now().saturating_sub(ago).unwrap_or(Timestamp::MIN)
    }

    /// Looks whether the two clocks went apart since it last looked.
    pub(super) fn notice_jump(&mut self) {
        let (mono, wall) = self.clocks;
        self.clocks = (self.now(), self.clock.now());
        let ran = SignedDuration::try_from(self.clocks.0.saturating_sub(mono)).unwrap_or(SignedDuration::MAX);
        let ahead = self.clocks.1.duration_since(wall).saturating_sub(ran);
        if ahead.unsigned_abs() < JUMPED {
            return;
        }
        if ahead.is_positive() {
            tracing::info!("the machine slept or its clock was set: all jobs are read again, spread out");
            self.slept(ahead.unsigned_abs());
        } else {
            tracing::info!("the clock was set back");
        }
        // What was reported as a time of day has changed.
        for service in self.schedule.services() {
            self.gate_changed(service);
            self.refresh_service_health(service);
        }
    }

    /// A machine that slept finds its connections dead, waits over and jobs overdue: those are polled spread out. The
    /// grace of a denied job is not shortened: a clock that was only set must not make it `gone`.
    fn slept(&mut self, slept: Duration) {
        self.net = Arc::new(Net::new(&self.poll, self.clock.clone()));
        let now = self.now();
        for service in self.schedule.service_entries_mut() {
            service.gate.slept(slept);
            service.next_token_retry = service.next_token_retry.map(|at| at.saturating_sub(slept));
        }
        self.expire_gates(now);
        for ix in self.schedule.all_waiting() {
            let Some(due) = self.schedule[ix].due else { continue };
            let (at, overdue) = after_sleep(due, slept, now, self.rng.f64());
            self.schedule.set_due(ix, at);
            self.schedule[ix].overslept |= overdue;
        }
    }
}
