//! One service as it is being polled: its token, its gate, its rate limit, its queue. Pure; times are since the
//! engine's start.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::fact::Gate;
use crate::domain::job::JobIx;
use crate::domain::provider::OneShot;
use crate::domain::schedule::Bucket;
use crate::domain::secret::Token;
use crate::domain::service::{Pace, Service};

use super::service_gate::ServiceGate;

/// A watch gives a service up once its token was asked for in vain so often, and for so long: a key that is being
/// rotated must have its chance also where the jobs file asks every second.
const TOKEN_RETRIES: u32 = 5;
const TOKEN_RETRY_TIME: Duration = Duration::from_secs(5 * 60);

/// A service as it is being polled.
#[derive(Debug)]
pub struct ServiceEntry {
    /// What the jobs file says.
    pub service: Arc<Service>,
    /// Its token.
    pub token: Option<Token>,
    /// Whether it may be polled.
    pub gate: ServiceGate,
    /// What was last reported of the gate.
    pub reported: Gate,
    /// Its rate limit.
    pub bucket: Option<Bucket>,
    /// Until when that limit is used up.
    pub limited_until: Duration,
    /// Its waiting jobs by when they are due: one entry a job. Kept by `Schedule`.
    pub due: BTreeSet<(Duration, JobIx)>,
    /// Its polls in flight.
    pub in_flight: usize,
    /// When it is asked for its token again.
    pub next_token_retry: Option<Duration>,
    /// Why a watch has given all its jobs up.
    pub given_up: Option<String>,
    /// The description of its provider, which is kept with results.
    pub description: Option<Arc<str>>,
    /// How often a token was asked for that did not help, and since when.
    token_retries: u32,
    refused_since: Option<Duration>,
}

impl ServiceEntry {
    /// A service as it stands at the start.
    pub fn new(service: Arc<Service>, token: Result<Token, String>) -> Self {
        let bucket = service.rate.map(|rate| Bucket::new(rate, Duration::ZERO));
        let (token, gate) = match token {
            Ok(token) => (Some(token), ServiceGate::default()),
            Err(reason) => (None, ServiceGate::without_token(reason)),
        };
        let description = service.provider.description().map(Arc::from);
        Self {
            service,
            token,
            gate,
            description,
            reported: Gate::Open,
            bucket,
            limited_until: Duration::ZERO,
            due: BTreeSet::new(),
            in_flight: 0,
            next_token_retry: None,
            given_up: None,
            token_retries: 0,
            refused_since: None,
        }
    }

    /// Whether the status request itself takes a result from the service. One that is taken by a request of its own is
    /// not asked for before the disk was seen to take a write.
    pub fn is_one_shot(&self) -> bool {
        self.service.provider.one_shot() == OneShot::Status
    }

    /// How often its jobs are polled: where results do not last, never slower than half of the time that they are kept.
    pub fn pace(&self) -> Pace {
        let pace = self.service.pace;
        match self.service.provider.keeps() {
            Some(keeps) => {
                let longest = (keeps / 2).max(Duration::from_millis(1));
                Pace { interval: pace.interval.min(longest), max_interval: pace.max_interval.min(longest) }
            }
            None => pace,
        }
    }

    /// Whether its results do not last: such jobs are polled before others.
    pub fn is_urgent(&self) -> bool {
        self.service.provider.keeps().is_some()
    }

    /// Whether a poll of it is due.
    pub fn is_due(&self, now: Duration) -> bool {
        self.due.first().is_some_and(|(due, _)| *due <= now)
    }

    /// Whether a poll of it may be sent now, but for its rate and for what holds for all services.
    pub fn can_poll(&self, now: Duration) -> bool {
        self.is_due(now)
            && self.limited_until <= now
            && self.has_room()
            && self.token.is_some()
            && self.gate.admits(now, self.in_flight)
    }

    /// When its next poll may be sent, if that only takes time.
    pub fn ready_at(&self) -> Option<Duration> {
        let (due, _) = self.due.first()?;
        if !self.has_room() {
            return None;
        }
        match self.gate.gate() {
            Gate::Open => Some((*due).max(self.limited_until)),
            Gate::Throttled(until) => Some((*due).max(*until)),
            Gate::BackingOff(until) if self.in_flight == 0 => Some((*due).max(*until)),
            Gate::BackingOff(_) | Gate::KeyRefused(_) => None,
        }
    }

    /// Takes a request out of its rate limit; false if there is none left for now.
    pub fn takes_rate(&mut self, now: Duration) -> bool {
        let Some(bucket) = &mut self.bucket else { return true };
        match bucket.take(now) {
            Ok(()) => true,
            Err(wait) => {
                self.limited_until = now + wait.max(Duration::from_micros(1));
                false
            }
        }
    }

    /// What its gate has become was reported: true if it is to be given up for good in a watch.
    pub fn gate_reported(&mut self, gate: Gate, now: Duration) -> bool {
        let (can_change, max_interval) = (self.service.token.can_change(), self.service.pace.max_interval);
        let is_refused = matches!(gate, Gate::KeyRefused(_));
        self.next_token_retry = (is_refused && can_change).then_some(now + max_interval);
        if gate == Gate::Open {
            self.token_retries = 0;
            self.refused_since = None;
        }
        self.reported = gate;
        is_refused && !can_change
    }

    /// Its token was asked for and is the same, or cannot be had: true if that happened so often that a watch gives up.
    pub fn token_stayed_refused(&mut self, now: Duration) -> bool {
        self.token_retries += 1;
        let max_interval = self.service.pace.max_interval;
        self.next_token_retry = self.service.token.can_change().then_some(now + max_interval);
        let since = *self.refused_since.get_or_insert(now);
        self.token_retries >= TOKEN_RETRIES && now.saturating_sub(since) >= TOKEN_RETRY_TIME
    }

    /// Takes a new declaration; its gate and its polls stay unless its token changed.
    pub fn reload(&mut self, new: Self) {
        if self.token != new.token {
            self.gate = new.gate;
            self.token = new.token;
            self.given_up = None;
        }
        if self.service.rate != new.service.rate {
            self.bucket = new.bucket;
        }
        self.service = new.service;
        self.description = new.description;
    }

    fn has_room(&self) -> bool {
        self.service.in_flight.is_none_or(|limit| self.in_flight < limit)
    }
}
