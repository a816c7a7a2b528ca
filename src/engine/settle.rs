//! What follows from a reply: applied to what is known, saved if it has to survive, told only then, and the job's next
//! read set. This is where "save before show" is held.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::task::{Id, JoinError};

use crate::domain::attempt::Attempt;
use crate::domain::checksum::Checksum;
use crate::domain::fact::{Fact, Health};
use crate::domain::job::JobIx;
use crate::domain::observation::{self, Applied, Keep, Observation};
use crate::domain::reading::Verdict;
use crate::domain::state::{PollOutcome, State};

use super::gate::Arrival;
use super::reader::{PollResult, Received};
use super::run::{Flight, Mode, Run};
use super::saving::{Pending, Step};
use super::slot::{Next, Outcome, Phase};
use super::{Purpose, chronicle, follow, reader};

impl Run {
    /// Takes what a read's task came back with.
    pub(super) fn arrived(&mut self, done: Result<(Id, PollResult), JoinError>) {
        match done {
            Ok((id, outcome)) => {
                let Some(flight) = self.reading.remove(&id) else { return };
                self.read_ended(&flight);
                self.take(outcome, &flight);
            }
            Err(error) => {
                let Some(flight) = self.reading.remove(&error.id()) else { return };
                self.read_ended(&flight);
                let ix = flight.ix;
                tracing::error!("a read failed inside jobdeck: {error}");
                // Its request may have used a result up, which must not be forgotten.
                let seq = self.slot(ix).map_or(0, |slot| slot.seq);
                self.take(reader::failed(ix, seq, self.clock.now()), &flight);
            }
        }
        self.tell_draining();
    }

    fn read_ended(&mut self, flight: &Flight) {
        self.one_shots.remove(&flight.ix);
        if let Some(run) = self.services.get_mut(flight.service) {
            run.in_flight = run.in_flight.saturating_sub(1);
        }
    }

    fn take(&mut self, outcome: PollResult, flight: &Flight) {
        let PollResult { ix, seq, reading, sent, reply, attempt } = outcome;
        let one_shot = self.slot(ix).is_some_and(|slot| slot.job.traits.one_shot);
        let whole = reply.as_ref().is_some_and(|reply| !reply.broken);
        let left = *self.leave_reads.borrow() && !one_shot && !whole;
        if left {
            if self.is_withdrawn(ix) {
                follow::release(self, ix);
            } else {
                self.schedule(ix, self.now());
            }
            return;
        }
        let now = self.now();
        let draw = self.draw();
        let Some(slot) = self.slots.get_mut(ix.0 as usize) else { return };
        let pace = self.services.get(slot.service).map_or(self.poll.pace, |run| run.service.pace);
        let Some(run) = self.services.get_mut(flight.service) else { return };
        Attempt::push(&mut slot.attempts, attempt);
        let http_status = reply.as_ref().map(|reply| reply.status);
        let received = observation::Received {
            reading: &reading,
            seq,
            at: reply.as_ref().map_or_else(|| self.clock.now(), |reply| reply.at),
            http_status,
            one_shot,
            sent,
            broken: reply.as_ref().is_some_and(|reply| reply.broken),
        };
        let applied = slot.known.apply(received);
        let changed = matches!(&applied, Applied::Known { changed: true, .. });
        let reason = reading.reason.clone().unwrap_or_default();
        let unfamiliar =
            matches!(reading.answer.as_ref().map(|answer| answer.verdict), Some(Verdict::State(State::Unknown)));
        let reply_seen =
            Outcome { read: reading.read, changed, told_when: reading.retry_after.is_some(), unfamiliar, now, draw };
        let next = slot.replied(reply_seen, pace, self.poll.not_found_grace);
        let arrival = Arrival { read: reading.read, retry_after: reading.retry_after, reason: &reason, now, draw };
        // Each job is asked but once: what a service answers about one says nothing yet about the others.
        let of_one_job =
            self.purpose == Purpose::Once && matches!(reading.read, PollOutcome::ServerError | PollOutcome::Malformed);
        // What a service says to a token that it was shown before says nothing about the one that it has now.
        let of_old_token = reading.read == PollOutcome::Unauthorized && run.token.as_ref() != Some(&flight.token);
        let resumes = if of_one_job || of_old_token { None } else { run.gate.arrived(arrival, run.service.pace) };
        let service = flight.service;
        if let Some(spread) = resumes {
            self.respread(service, spread);
        }
        self.gate_changed(service);
        let told = (reading.read, http_status);
        let is_news =
            reading.read != PollOutcome::Answered && self.slot(ix).is_some_and(|slot| slot.told != Some(told));
        if let Some(slot) = self.slot_mut(ix) {
            slot.told = (reading.read != PollOutcome::Answered).then_some(told);
        }
        let news = is_news.then_some((reading.read, http_status, reason));
        self.settle(ix, applied, next, reply, news);
    }

    fn settle(&mut self, ix: JobIx, applied: Applied, next: Next, reply: Option<Received>, news: Option<News>) {
        let Some(slot) = self.slots.get_mut(ix.0 as usize) else { return };
        let Applied::Known { observation, changed, durable, keep } = applied else {
            self.forget_file(reply.as_ref());
            self.proceed(ix, next, news);
            return;
        };
        let mut observation = *observation;
        let mut changed = changed;
        if next == Next::Gone {
            let gone = observation.gone(self.clock.now());
            changed |= gone.state != observation.state;
            observation = gone;
        }
        let keep = if is_kept_already(&slot.known, keep, reply.as_ref()) { Keep::Nothing } else { keep };
        let gives_up = !matches!(next, Next::In(_)) && !matches!(slot.health, Health::GivenUp(_));
        if !durable && !changed && !gives_up && keep == Keep::Nothing {
            // Not written: a job that stays as it is costs the disk nothing. See `Run::unwritten_reads`.
            slot.unwritten = true;
            self.learned(ix, observation, false);
            self.forget_file(reply.as_ref());
            self.proceed(ix, next, news);
            return;
        }
        let step = Step { changed, next, news };
        let pending = Pending::new(slot, observation, keep, reply, step);
        self.save(ix, pending);
    }

    /// A reply that is not kept leaves no file behind.
    fn forget_file(&self, reply: Option<&Received>) {
        if let Some(path) = reply.and_then(|reply| reply.spooled.as_ref()) {
            self.store.discard(path);
        }
    }

    /// What is known of a job is on disk now (or cannot be, for a job that can be read again): tell it.
    pub(super) fn learned(&mut self, ix: JobIx, known: Observation, changed: bool) {
        let Some(slot) = self.slots.get_mut(ix.0 as usize) else { return };
        let previous = slot.known.is_observed().then_some(slot.known.state);
        slot.known = Arc::new(known);
        let known = Arc::clone(&slot.known);
        if changed {
            chronicle::change(&slot.job, previous, &known, slot.attempts.last());
        }
        self.tell(Fact::Observed { ix, previous, changed, known });
    }

    /// Sets what happens to a job next, once its last reply needs nothing more.
    pub(super) fn proceed(&mut self, ix: JobIx, next: Next, news: Option<News>) {
        let Some(slot) = self.slot(ix) else { return };
        let over = slot.known.is_over();
        let withdrawn = slot.phase == Phase::Withdrawn;
        let service = self.services.get(slot.service);
        let pace = service.map_or(self.poll.pace, |run| run.service.pace);
        let refused = service.and_then(|run| run.given_up.clone());
        let reason = slot.known.last_poll.as_ref().and_then(|read| read.reason.clone()).unwrap_or_default();
        let now = self.now();
        let retry = match next {
            _ if withdrawn => None,
            _ if over || self.purpose == Purpose::Once => {
                self.set_phase(ix, Phase::Done);
                None
            }
            Next::In(_) if let Some(why) = refused => {
                self.set_phase(ix, Phase::GivenUp(why));
                None
            }
            Next::In(pause) => Some(pause),
            Next::GiveUp if self.purpose == Purpose::Dashboard => Some(pace.max_interval.max(pace.interval)),
            Next::GiveUp | Next::Gone => {
                self.set_phase(ix, Phase::GivenUp(reason.clone()));
                None
            }
        };
        match retry {
            Some(pause) => self.schedule(ix, now + pause),
            None => follow::release(self, ix),
        }
        if next == Next::GiveUp && self.purpose == Purpose::Dashboard {
            self.tell_health(ix, Health::GivenUp(reason));
        } else {
            self.refresh_health(ix);
        }
        if let Some(news) = news {
            self.tell_not_ok(ix, news, retry);
        }
        if self.mode != Mode::Running && retry.is_some() {
            follow::release(self, ix);
        }
    }

    fn tell_not_ok(&mut self, ix: JobIx, (read, http_status, reason): News, retry: Option<Duration>) {
        let Some(slot) = self.slot(ix) else { return };
        let gate = self.services.get(slot.service).and_then(|run| run.gate.opens_at(self.now()));
        let held = gate.map(|until| until.saturating_sub(self.now()));
        let retry_in = retry.map(|pause| held.map_or(pause, |held| held.max(pause)));
        chronicle::not_ok(&slot.job, slot.known.state, read, &reason, retry_in);
        self.tell(Fact::NotOk { ix, read, http_status, reason, retry_in });
    }
}

/// A read that was not `ok` and that was not told yet: its outcome, HTTP code and reason.
pub(super) type News = (PollOutcome, Option<u16>, String);

/// Bytes that were kept before are not kept again: a service that answers the same page for ever fills no disk.
fn is_kept_already(known: &Observation, keep: Keep, reply: Option<&Received>) -> bool {
    let (Keep::Evidence, Some(evidence), Some(reply)) = (keep, &known.evidence, reply) else { return false };
    evidence.bytes == reply.bytes.len() as u64 && evidence.sha256 == Checksum(Sha256::digest(&reply.bytes).into())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;
    use url::Url;

    use super::*;
    use crate::domain::clock::Clock;
    use crate::domain::job::{Job, JobKey, ProviderName};
    use crate::domain::observation::Doubt;
    use crate::domain::secret::{Token, TokenSource};
    use crate::domain::service::{Include, Poll, Service};
    use crate::engine::Setup;
    use crate::store::{Access, Store};

    /// An engine with so many jobs of one one-shot service, which nothing drives but the test.
    async fn run(dir: &std::path::Path, jobs: usize) -> Run {
        let store = Store::open(dir, Access::ReadWrite).unwrap().0;
        let base = Url::parse("http://127.0.0.1:9/deployment/api/org/api/").unwrap();
        let service = Arc::new(Service {
            name: "s".into(),
            provider: crate::tests::provider(ProviderName::UNSTRACT),
            endpoint: "http://127.0.0.1:9".into(),
            base,
            token: TokenSource::Env("TOKEN".to_owned()),
            pace: Poll::default().pace,
            in_flight: None,
            rate: None,
            include: Include::default(),
        });
        let endpoint = service.endpoint.clone();
        let job = |id: usize| {
            let key = JobKey { provider: ProviderName::UNSTRACT, endpoint: endpoint.clone(), id: id.to_string() };
            Arc::new(Job {
                traits: crate::tests::traits(key.provider),
                batch: None,
                key,
                service: "s".into(),
                name: None,
                tags: Arc::default(),
            })
        };
        let list = (0..jobs).map(job).collect();
        let (clock, services) = (Clock::new(jiff::Timestamp::now), vec![(service, Ok(Token::new("secret").unwrap()))]);
        let (poll, jobs) = (Poll::default(), Vec::new());
        let setup = Setup { purpose: Purpose::Watch, poll, services, jobs, store, seed: 1, clock };
        let mut run = Run::new(setup, unbounded_channel().0).unwrap();
        run.declare(list).await.unwrap();
        run
    }

    #[tokio::test]
    async fn a_read_that_panics_leaves_the_doubt_that_it_used_the_result_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = run(dir.path(), 1).await;
        run.set_phase(JobIx(0), Phase::Reading);
        run.slot_mut(JobIx(0)).unwrap().seq = 1;
        let id = run.reads.spawn(async { panic!("a read that panics") }).id();
        let token = Token::new("secret").unwrap();
        run.reading.insert(id, Flight { ix: JobIx(0), service: 0, token });
        let panicked = run.reads.join_next_with_id().await.unwrap();
        run.arrived(panicked);
        let saved = run.saves.join_next().await.unwrap();
        run.save_done(saved);
        let slot = run.slot(JobIx(0)).unwrap();
        assert_eq!((slot.known.doubt, &slot.phase), (Some(Doubt::NoReply), &Phase::Waiting));
    }

    #[tokio::test]
    async fn after_an_outage_the_jobs_that_failed_with_their_service_are_due_at_once_spread() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = run(dir.path(), 20).await;
        let (hour, spread) = (Duration::from_secs(3600), Duration::from_secs(10));
        for ix in (0..20).map(JobIx) {
            run.schedule(ix, hour);
            run.slot_mut(ix).unwrap().failures = if ix.0 < 15 { 9 } else { 0 };
        }
        run.respread(0, spread);
        let (soon, late): (Vec<_>, Vec<_>) = run.services[0].due.iter().partition(|(at, _)| *at <= run.now() + spread);
        assert_eq!((soon.len(), late.len()), (15, 5), "who was well waits for its turn as before");
        let seconds: std::collections::BTreeSet<u64> = soon.iter().map(|(at, _)| at.as_secs()).collect();
        assert!(seconds.len() > 4, "not all at one moment: {seconds:?}");
    }
}
