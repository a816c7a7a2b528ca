//! One service as it is being polled: its token, its gate, its rate limit, its queue. Pure; times are since the
//! engine's start.

use super::token::TokenError;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::fact::Gate;
use crate::domain::job::JobIx;
use crate::domain::provider::OneShot;
use crate::domain::schedule::Bucket;
use crate::domain::secret::Token;
use crate::domain::service::{Pace, Service};
use crate::domain::state::PollOutcome;

use super::service_gate::ServiceGate;

/// A watch gives a service up once asking for its token has failed this often, and for this long: a key that is being
/// rotated must have its chance also where the jobs file asks every second.
const TOKEN_RETRIES: u32 = 5;
const TOKEN_RETRY_TIME: Duration = Duration::from_secs(5 * 60);

/// A service that has polls in flight and says nothing for so long is named.
const QUIET_FOR: Duration = Duration::from_secs(8);

/// How long it is not asked how far its jobs are where that fails: the polls themselves go on without it.
const NO_PEEK_FOR: Duration = Duration::from_secs(5 * 60);

/// A service as it is being polled.
#[derive(Debug)]
pub struct ServiceEntry {
    /// What the jobs file says.
    pub service: Arc<Service>,
    pub token: Option<Token>,
    /// Whether it may be polled.
    pub gate: ServiceGate,
    /// What was last reported of the gate.
    pub reported: Gate,
    /// Its rate limit.
    pub bucket: Option<Bucket>,
    /// Until when it is not asked how far a job is by a request that takes nothing.
    no_peek_before: Duration,
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
    /// When it last answered about a job.
    last_answer: Option<Duration>,
    /// Since when polls are in flight without a word of it.
    quiet_since: Option<Duration>,
    /// The silence that was reported.
    silence: Option<(Duration, usize)>,
    /// How often a token was asked for that did not help, and since when.
    token_retries: u32,
    refused_since: Option<Duration>,
}

impl ServiceEntry {
    /// A service as it is at the start.
    pub fn new(service: Arc<Service>, token: Result<Token, TokenError>) -> Self {
        let bucket = service.rate.map(|rate| Bucket::new(rate, Duration::ZERO));
        let (token, gate) = match token {
            Ok(token) => (Some(token), ServiceGate::default()),
            Err(error) => (None, ServiceGate::without_token(error.into())),
        };
        let description = service.provider.description().map(Arc::from);
        Self {
            service,
            token,
            gate,
            description,
            reported: Gate::Open,
            bucket,
            no_peek_before: Duration::ZERO,
            limited_until: Duration::ZERO,
            due: BTreeSet::new(),
            in_flight: 0,
            next_token_retry: None,
            given_up: None,
            last_answer: None,
            quiet_since: None,
            silence: None,
            token_retries: 0,
            refused_since: None,
        }
    }

    /// Whether the status request itself takes a result from the service. One that is taken by a separate request is
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

    /// A poll made this many requests beyond its first, which its rate limit has not seen.
    pub fn further_requests(&mut self, requests: u64) {
        if let Some(bucket) = &mut self.bucket {
            bucket.owe(requests);
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

    /// Whether it may be asked how far a job is by a request that takes nothing.
    pub fn peeks(&self, now: Duration) -> bool {
        self.no_peek_before <= now
    }

    /// Such a request failed: true if that is news. It is not repeated for a while.
    pub fn peek_failed(&mut self, now: Duration) -> bool {
        let is_news = self.peeks(now);
        self.no_peek_before = now + NO_PEEK_FOR;
        is_news
    }

    pub fn poll_sent(&mut self, now: Duration) {
        self.in_flight += 1;
        self.quiet_since.get_or_insert(now);
    }

    /// A poll has ended: with an answer about its job, with another response, or without any.
    pub fn poll_ended(&mut self, outcome: PollOutcome, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let spoke = outcome != PollOutcome::Unreachable;
        if outcome == PollOutcome::Answered {
            self.last_answer = Some(now);
        }
        if spoke || self.in_flight == 0 {
            self.quiet_since = (self.in_flight > 0).then_some(now);
        }
    }

    /// When it has to be said that it does not answer.
    pub fn silent_at(&self) -> Option<Duration> {
        let quiet_since = self.quiet_since.filter(|_| self.silence.is_none())?;
        Some(quiet_since + QUIET_FOR)
    }

    /// What is to be reported of its silence, if that is news: since when it gave no good answer, and how many polls
    /// wait. While the next poll is tried alone after others failed, it has not spoken either.
    pub fn take_silence(&mut self, now: Duration) -> Option<Option<(Duration, usize)>> {
        let waits = self.quiet_since.filter(|since| now.saturating_sub(*since) >= QUIET_FOR);
        let still =
            self.silence.filter(|_| self.quiet_since.is_some() || matches!(self.gate.gate(), Gate::BackingOff(_)));
        let since = waits.map(|since| self.last_answer.unwrap_or(since)).or(still.map(|(since, _)| since));
        let silence = since.map(|since| (since, self.in_flight));
        if silence == self.silence {
            return None;
        }
        self.silence = silence;
        Some(silence)
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

    /// Its token was asked for and is the same, or could not be read: true if that happened so often that a watch gives
    /// up.
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
            self.no_peek_before = Duration::ZERO;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::ProviderName;
    use crate::domain::schedule;

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn entry() -> ServiceEntry {
        let service = crate::tests::wire_cases::service(ProviderName::VESSL, "http://h/api");
        ServiceEntry::new(Arc::new(service), Err(TokenError::never_asked()))
    }

    #[test]
    fn a_service_that_hangs_is_named_within_ten_seconds_counted_from_its_last_good_answer() {
        let mut entry = entry();
        entry.poll_sent(at(1));
        entry.poll_ended(PollOutcome::Answered, at(2));
        assert_eq!((entry.silent_at(), entry.take_silence(at(60))), (None, None), "nothing is asked of it");
        entry.poll_sent(at(100));
        entry.poll_sent(at(101));
        assert_eq!((entry.take_silence(at(107)), entry.silent_at()), (None, Some(at(108))));
        assert_eq!(entry.take_silence(at(108)), Some(Some((at(2), 2))));
        assert_eq!((entry.take_silence(at(109)), entry.silent_at()), (None, None), "once");
        entry.poll_sent(at(110));
        assert_eq!(entry.take_silence(at(110)), Some(Some((at(2), 3))));
        entry.poll_ended(PollOutcome::Unreachable, at(220));
        assert_eq!(entry.take_silence(at(220)), Some(Some((at(2), 2))), "a time-out is no word of it");
        entry.poll_ended(PollOutcome::Answered, at(221));
        entry.poll_ended(PollOutcome::Answered, at(221));
        assert_eq!(entry.take_silence(at(221)), Some(None));
    }

    #[test]
    fn a_service_that_never_answered_is_silent_since_it_was_first_asked() {
        let mut entry = entry();
        entry.poll_sent(at(5));
        assert_eq!(entry.take_silence(at(13)), Some(Some((at(5), 1))));
        entry.poll_ended(PollOutcome::ServerError, at(14));
        assert_eq!(entry.take_silence(at(14)), Some(None), "any response is a word of it");
    }

    #[test]
    fn results_that_do_not_last_are_polled_within_half_of_the_time_that_they_are_kept_whatever_the_file_says() {
        let hour = Duration::from_secs(3600);
        let paces = [
            Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) },
            Pace { interval: Duration::from_secs(5), max_interval: 24 * hour },
            Pace { interval: 10 * hour, max_interval: 24 * hour },
        ];
        for (provider, keeps) in
            [("datalab", Some(hour)), ("replicate", Some(hour)), ("runpod", Some(hour / 2)), ("vessl", None)]
        {
            for pace in paces {
                let service = crate::tests::wire_cases::service(ProviderName::new(provider), "http://h/api");
                let entry = ServiceEntry::new(Arc::new(Service { pace, ..service }), Err(TokenError::never_asked()));
                assert_eq!(entry.is_urgent(), keeps.is_some(), "{provider}");
                let Some(keeps) = keeps else {
                    assert_eq!(entry.pace(), pace, "{provider}");
                    continue;
                };
                for n in [0, 1, 7, u32::MAX] {
                    for draw in [0.0, 0.5, 1.0] {
                        let longest =
                            schedule::pause(entry.pace(), n, draw).max(schedule::back_off(entry.pace(), n, draw));
                        assert!(longest <= keeps / 2, "{provider} {pace:?} {n} {draw}: {longest:?}");
                    }
                }
            }
        }
    }
}
