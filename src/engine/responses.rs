//! What follows from a response: applied to what is known, saved if it has to survive, reported only then, and the
//! job's next poll set. This is where "save before show" is held.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::checksum::Checksum;
use crate::domain::clean::Clean;
use crate::domain::fact::{Fact, Health};
use crate::domain::hook;
use crate::domain::job::JobIx;
use crate::domain::observation::{Applied, Keep, Observation, Seen};
use crate::domain::state::PollOutcome;
use crate::store::{HookNews, Save};

use super::disk::{AfterSave, Bodies, DiskEvent, Pending, UnreportedPoll};
use super::intake::ReceivedResponse;
use super::job_entry::{NextPoll, Phase};
use super::poll::{Fetching, PollResult};
use super::polls::{InFlight, PollEvent};
use super::reporter::Observed;
use super::run::{EngineLoop, EngineMode};
use super::{Purpose, log};

impl EngineLoop {
    /// Takes what has become of a poll.
    pub(super) fn poll_event(&mut self, event: PollEvent) {
        match event {
            PollEvent::Fetching(fetching) => {
                self.fetching(&fetching);
                if let Some(why) = fetching.withheld {
                    self.disk.fail(why);
                }
                self.tell_draining();
            }
            PollEvent::WaitsForRoom => self.tell_draining(),
            PollEvent::Ended(flight, result) => {
                let now = self.now();
                let service = &mut self.schedule[flight.service];
                service.poll_ended(result.reading.read, now);
                service.further_requests(result.seq.saturating_sub(flight.seq));
                if let Some(reason) = result.peek_failed.as_deref().filter(|_| service.peek_failed(now)) {
                    let (name, reason) = (&service.service.name, Clean::new(reason));
                    tracing::warn!(
                        "{name}: the platform does not say how far its jobs are, they are polled without: {reason}"
                    );
                }
                self.tell_silence(flight.service);
                self.apply(&flight, *result);
                self.tell_draining();
            }
        }
    }

    /// A job is over by its status: it runs on until its result is durable, with a word that says so. Other processes
    /// learn of it by a write where the job is new or changes its state; a word alone is not worth one.
    fn fetching(&mut self, fetching: &Fetching) {
        let (ix, draw) = (fetching.ix, self.rng.f64());
        let seen = Seen {
            reading: &fetching.meanwhile,
            seq: fetching.seq,
            at: fetching.at,
            http_status: Some(fetching.http_status),
            one_shot: self.schedule[ix].is_one_shot(),
            takes_result: false,
            sent: true,
            broken: false,
            now: self.now(),
            draw,
        };
        if let Applied::Known { observation, changed, .. } = self.schedule[ix].known.apply(seen) {
            let entry = &self.schedule[ix];
            let previous = entry.known.is_observed().then_some(entry.known.state);
            if previous != Some(observation.state) {
                let (state, word) = (observation.state, observation.word.clone());
                let change = observation.changed_at.map(|at| StateChange { at, previous, state, word });
                let save = Save::new(Arc::clone(&entry.job), Observation::clone(&observation));
                self.disk.store().post(Save { change, ..save });
            }
            self.learned(ix, *observation, changed);
        }
    }

    fn apply(&mut self, flight: &InFlight, result: PollResult) {
        let ix = flight.ix;
        let PollResult { reading, seq, sent, takes_result, response, role, further, attempt, .. } = result;
        let entry = &mut self.schedule[ix];
        entry.seq = entry.seq.max(seq);
        let one_shot = entry.is_one_shot();
        let is_whole = response.as_ref().is_some_and(|response| !response.broken);
        if self.polls.has_left() && !takes_result && !is_whole {
            if self.schedule[ix].phase == Phase::Withdrawn {
                self.claims.release(ix);
            } else {
                self.schedule.set_due(ix, self.now());
            }
            return;
        }
        let seen = Seen {
            reading: &reading,
            seq,
            at: response.as_ref().map_or_else(|| self.clock.now(), |response| response.at),
            http_status: response.as_ref().map(|response| response.status),
            one_shot,
            takes_result: one_shot && takes_result,
            sent,
            broken: response.as_ref().is_some_and(|response| response.broken),
            now: self.now(),
            draw: self.rng.f64(),
        };
        let grace = self.poll.not_found_grace;
        let entry = &mut self.schedule[ix];
        Attempt::push(&mut entry.attempts, attempt);
        let applied = entry.known.apply(seen);
        let changed = matches!(&applied, Applied::Known { changed: true, .. });
        let own_service = entry.service;
        let pace = self.schedule[own_service].pace();
        let next = self.schedule[ix].replied(seen, changed, pace, grace);
        self.seen_by_service(flight, seen);
        let news = self.schedule[ix].take_news(seen);
        self.settle(
            ix,
            applied,
            Bodies { response, role, further },
            AfterSave { changed, next, news, hooks: HookNews::default() },
        );
    }

    /// What a response says about the service that it came from.
    fn seen_by_service(&mut self, flight: &InFlight, seen: Seen<'_>) {
        let read = seen.reading.read;
        let pace = self.schedule[flight.service].pace();
        let service = &mut self.schedule[flight.service];
        // Each job is asked but once: what a service answers about one says nothing yet about the others.
        let of_one_job =
            self.purpose == Purpose::Once && matches!(read, PollOutcome::ServerError | PollOutcome::Malformed);
        // What a service says to a token that it was shown before says nothing about the one that it has now.
        let of_old_token = read == PollOutcome::Unauthorized && service.token.as_ref() != Some(&flight.token);
        if !of_one_job
            && !of_old_token
            && let Some(spread) = service.gate.arrived(seen, pace)
        {
            self.respread(flight.service, spread);
        }
        self.gate_changed(flight.service);
    }

    fn settle(&mut self, ix: JobIx, applied: Applied, bodies: Bodies, step: AfterSave) {
        let AfterSave { next, news, .. } = step;
        let Applied::Known { observation, changed, durable, keep } = applied else {
            self.forget_files(&bodies);
            self.proceed(ix, next, news);
            return;
        };
        let entry = &mut self.schedule[ix];
        let (mut observation, mut changed) = (*observation, changed);
        if next == NextPoll::Gone {
            let gone = observation.gone(self.clock.now());
            changed |= gone.state != observation.state;
            observation = gone;
        }
        let keep = if is_kept_already(&entry.known, keep, bodies.response.as_ref()) { Keep::Nothing } else { keep };
        let gives_up = !matches!(next, NextPoll::In(_)) && !matches!(entry.health, Health::GivenUp(_));
        if !durable && !changed && !gives_up && keep == Keep::Nothing {
            // Not written: a job that stays as it is costs the disk nothing. See `JobEntry::take_unwritten`.
            entry.unwritten = true;
            let known = Arc::new(observation);
            entry.known = Arc::clone(&known);
            let now = self.now();
            self.report.unchanged(ix, known, now);
            self.forget_files(&bodies);
            self.proceed(ix, next, news);
            return;
        }
        let change = hook::Transition {
            job: &entry.job,
            before: &entry.known,
            after: &observation,
            gives_up: next == NextPoll::GiveUp,
        };
        let hooks = self.hooks.news(change, self.clock.now());
        let step = AfterSave { changed, next, news, hooks };
        let pending = Pending::new((ix, entry), observation, keep, bodies, step);
        let service = self.schedule[ix].service;
        self.disk.save(pending.described(self.schedule[service].description.clone()));
    }

    /// Responses that are not kept leave no file behind.
    fn forget_files(&self, bodies: &Bodies) {
        let all = bodies.response.iter().chain(bodies.further.iter().map(|(_, response)| response));
        for path in all.filter_map(|response| response.spooled.as_ref()) {
            self.disk.store().spool().discard(path);
        }
    }

    /// Takes what has become of a save.
    pub(super) fn disk_event(&mut self, event: DiskEvent) {
        self.tell_store_trouble();
        match event {
            DiskEvent::Saved { ix, known, attempts, attempts_loaded, step } => {
                self.tell_log();
                let entry = &mut self.schedule[ix];
                entry.attempts = attempts;
                entry.attempts_loaded = attempts_loaded;
                entry.unwritten = false;
                self.learned(ix, *known, step.as_ref().is_some_and(|step| step.changed));
                if let Some(AfterSave { next, news, .. }) = step {
                    self.proceed(ix, next, news);
                }
                self.tell_draining();
            }
            DiskEvent::Shown { ix, known, step: AfterSave { changed, next, news, .. } } => {
                self.learned(ix, *known, changed);
                self.proceed(ix, next, news);
            }
            DiskEvent::Nothing => {}
        }
    }

    /// What is known of a job is on disk now (or cannot be, for a job that can be polled again): tell it.
    pub(super) fn learned(&mut self, ix: JobIx, known: Observation, changed: bool) {
        let entry = &mut self.schedule[ix];
        let previous = entry.known.is_observed().then_some(entry.known.state);
        self.hooks.seen(&known);
        entry.known = Arc::new(known);
        let known = Arc::clone(&entry.known);
        if changed {
            log::change(&entry.job, previous, &known, entry.attempts.last());
        }
        self.report.observed(Observed { ix, previous, changed, known });
    }

    /// Sets what happens to a job next, once its last response needs nothing more.
    pub(super) fn proceed(&mut self, ix: JobIx, next: NextPoll, news: Option<UnreportedPoll>) {
        let entry = &self.schedule[ix];
        let service = &self.schedule[entry.service];
        let pace = service.pace();
        let reason = entry.known.last_poll.as_ref().and_then(|read| read.reason.clone()).unwrap_or_default();
        let now = self.now();
        let pause = match next {
            _ if entry.phase == Phase::Withdrawn => None,
            _ if entry.known.is_over() || self.purpose == Purpose::Once => {
                self.schedule.set_phase(ix, Phase::Done);
                None
            }
            NextPoll::In(_) if let Some(why) = &service.given_up => {
                let why = why.clone();
                self.schedule.set_phase(ix, Phase::GivenUp(why));
                None
            }
            NextPoll::In(pause) => Some(pause),
            NextPoll::GiveUp if self.purpose == Purpose::Dashboard => Some(pace.max_interval.max(pace.interval)),
            NextPoll::GiveUp | NextPoll::Gone => {
                self.schedule.set_phase(ix, Phase::GivenUp(reason.clone()));
                None
            }
        };
        match pause {
            Some(pause) => self.schedule.set_due(ix, now + pause),
            None => self.claims.release(ix),
        }
        if next == NextPoll::GiveUp && self.purpose == Purpose::Dashboard {
            self.tell_health(ix, Health::GivenUp(reason));
        } else {
            self.refresh_health(ix);
        }
        if let Some(news) = news {
            self.tell_not_ok(ix, news, pause);
        }
        if self.mode != EngineMode::Running && pause.is_some() {
            self.claims.release(ix);
        }
    }

    fn tell_not_ok(&mut self, ix: JobIx, (read, http_status, reason): UnreportedPoll, pause: Option<Duration>) {
        let entry = &self.schedule[ix];
        let gate = self.schedule[entry.service].gate.opens_at(self.now());
        let held = gate.map(|until| until.saturating_sub(self.now()));
        let retry_in = pause.map(|pause| held.map_or(pause, |held| held.max(pause)));
        log::not_ok(&entry.job, read, &reason, retry_in);
        self.report.tell(Fact::NotOk { ix, read, http_status, reason, retry_in });
    }
}

/// Bytes that were kept before are not kept again: a service that answers the same page for ever fills no disk.
fn is_kept_already(known: &Observation, keep: Keep, response: Option<&ReceivedResponse>) -> bool {
    let (Keep::Evidence, Some(evidence), Some(response)) = (keep, &known.evidence, response) else { return false };
    evidence.bytes == response.bytes.len() as u64 && evidence.sha256 == Checksum(Sha256::digest(&response.bytes).into())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::sync::mpsc::unbounded_channel;
    use url::Url;

    use super::*;
    use crate::domain::clock::Clock;
    use crate::domain::job::{JobKey, ProviderName};
    use crate::domain::observation::Doubt;
    use crate::domain::secret::{Token, TokenSource};
    use crate::domain::service::{Include, PollSettings, Service};
    use crate::engine::Setup;
    use crate::engine::schedule::ServiceIx;
    use crate::store::{Changes, Store};
    use crate::tests::WakeCounter;

    /// An engine with this many jobs of one one-shot service, which nothing drives but the test.
    async fn run(dir: &std::path::Path, jobs: usize) -> EngineLoop {
        let store = Store::open(dir).unwrap().0;
        let base = Url::parse("http://127.0.0.1:9/deployment/api/org/api/").unwrap();
        let service = Arc::new(Service {
            name: "s".into(),
            provider: crate::tests::provider(ProviderName::UNSTRACT),
            endpoint: "http://127.0.0.1:9".into(),
            base,
            settings: Default::default(),
            secrets: Vec::new(),
            token: TokenSource::Env("TOKEN".to_owned()),
            pace: PollSettings::default().pace,
            in_flight: None,
            rate: None,
            include: Include::default(),
            alert_after: None,
            fields: Arc::default(),
        });
        let endpoint = service.endpoint.clone();
        let job = |id: usize| {
            let key = JobKey { provider: ProviderName::UNSTRACT, endpoint: endpoint.clone(), id: id.to_string() };
            Arc::new(crate::tests::job(key, "s"))
        };
        let list = (0..jobs).map(job).collect();
        let (clock, services) = (Clock::new(jiff::Timestamp::now), vec![(service, Ok(Token::new("secret").unwrap()))]);
        let (poll, jobs) = (PollSettings::default(), Vec::new());
        let setup = Setup {
            purpose: Purpose::Watch,
            poll,
            services,
            jobs,
            hooks: Vec::new(),
            store: store.into(),
            seed: 1,
            clock,
        };
        let mut run = EngineLoop::new(setup, unbounded_channel().0).unwrap();
        run.declare(list).await.unwrap();
        run
    }

    #[tokio::test]
    async fn a_poll_that_panics_leaves_the_doubt_that_it_used_the_result_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = run(dir.path(), 1).await;
        let (ix, service) = (JobIx(0), ServiceIx::default());
        run.schedule.set_phase(ix, Phase::Polling);
        let flight = InFlight { ix, seq: 1, service, token: Token::new("secret").unwrap() };
        run.polls.spawn_for_test(flight, async { panic!("a poll that panics") });
        let event = run.polls.next(jiff::Timestamp::now).await;
        assert!(run.polls.one_shots().is_empty());
        run.poll_event(event);
        let event = run.disk.next(|| Duration::ZERO).await;
        run.disk_event(event);
        let entry = &run.schedule[ix];
        assert_eq!((entry.known.doubt, &entry.phase), (Some(Doubt::NoReply), &Phase::Waiting));
    }

    /// A step that leaves a job in doubt.
    fn doubtful(run: &EngineLoop, ix: JobIx) -> Pending {
        let known = Observation { doubt: Some(Doubt::Cut), ..Observation::default() };
        let step = AfterSave {
            changed: false,
            next: NextPoll::In(Duration::from_secs(9)),
            news: None,
            hooks: HookNews::default(),
        };
        Pending::new((ix, &run.schedule[ix]), known, Keep::Nothing, Bodies::default(), step)
    }

    #[tokio::test]
    async fn what_becomes_durable_while_the_engine_waits_wakes_it_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = run(dir.path(), 50).await;
        for ix in (0..50).map(JobIx) {
            run.disk.save(doubtful(&run, ix));
        }
        let (store, woken) = (run.disk.store().clone(), Arc::new(WakeCounter::default()));
        let mut saved = 0;
        {
            let mut next = pin!(run.disk.next(|| Duration::ZERO));
            let waker = Waker::from(Arc::clone(&woken));
            saved += usize::from(next.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
            // It may have woken itself to go on sending them.
            let before = woken.count();
            // What stands behind them in line is answered: so are they.
            store.lock().await.unwrap();
            assert!(woken.count() <= before + 1, "{} times", woken.count() - before);
        }
        while !run.disk.is_empty() {
            let event = run.disk.next(|| Duration::ZERO).await;
            saved += usize::from(matches!(event, DiskEvent::Saved { .. }));
        }
        assert_eq!(saved, 50);
    }

    #[tokio::test]
    async fn a_response_is_saved_though_what_a_pause_waits_for_at_its_end_takes_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = run(dir.path(), 1).await;
        let ix = JobIx(0);
        run.schedule.set_phase(ix, Phase::Polling);
        run.disk.save(doubtful(&run, ix));
        let (results, key) = (run.disk.store().results().clone(), run.schedule[ix].job.key.clone());
        // As a token's program would, but for as long as it is not saved.
        run.background.spawn(async move {
            while results.load(vec![key.clone()]).await.unwrap().remove(0).doubt.is_none() {}
            crate::engine::run::Background::Done
        });
        run.mode = EngineMode::Suspended;
        tokio::time::timeout(Duration::from_secs(20), run.resume()).await.unwrap();
        assert!(run.disk.is_empty());
    }

    #[tokio::test]
    async fn a_poll_in_flight_holds_a_few_kilobytes() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path(), 1).await;
        let entry = &run.schedule[JobIx(0)];
        let service = &run.schedule[entry.service];
        let poll = crate::engine::poll::PollRequest {
            ix: JobIx(0),
            job: Arc::clone(&entry.job),
            service: Arc::clone(&service.service),
            token: Token::new("secret").unwrap(),
            seq: 1,
            peeks: false,
            clock: run.clock.clone(),
        };
        let leave = tokio::sync::watch::channel(false).1;
        let around = crate::engine::poll::PollContext {
            net: Arc::clone(&run.net),
            store: run.disk.store().clone(),
            leave: leave.clone(),
            leave_result: leave,
            news: unbounded_channel().0,
        };
        let size = size_of_val(&crate::engine::poll::poll(poll, around));
        assert!(size <= 5000, "{size} bytes");
    }

    #[tokio::test]
    async fn a_save_that_panics_is_tried_again_and_its_job_neither_hangs_nor_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = run(dir.path(), 1).await;
        let ix = JobIx(0);
        run.schedule.set_phase(ix, Phase::Polling);
        run.disk.save_that_panics(doubtful(&run, ix));
        let event = run.disk.next(|| Duration::ZERO).await;
        run.disk_event(event);
        assert!(run.disk.is_unsaved(ix) && run.disk.trouble().is_some());
        assert_eq!(run.schedule[ix].phase, Phase::Polling, "nothing is asked before it is saved");
        run.disk.retry();
        while run.schedule[ix].phase == Phase::Polling {
            let event = run.disk.next(|| Duration::ZERO).await;
            run.disk_event(event);
        }
        let entry = &run.schedule[ix];
        assert_eq!((entry.known.doubt, &entry.phase), (Some(Doubt::Cut), &Phase::Waiting));
    }

    #[tokio::test]
    async fn what_came_and_is_not_durable_yet_holds_64_mib_at_most_and_then_polls_wait() {
        const EACH: usize = 60_000;
        let dir = tempfile::tempdir().unwrap();
        let mut run = run(dir.path(), 2000).await;
        let spool = run.disk.store().spool().clone();
        let response = |key| ReceivedResponse {
            status: 200,
            headers: crate::domain::response::Headers::default(),
            bytes: {
                let mut writer = spool.begin(key, 1, false);
                writer.push(&[b'x'; EACH]);
                writer.finish().bytes().unwrap().0
            },
            spooled: None,
            masked: false,
            broken: false,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut held = 0;
        for ix in run.schedule.jobs() {
            if !run.disk.has_room(0) {
                break;
            }
            let step = AfterSave {
                changed: false,
                next: NextPoll::In(Duration::from_secs(9)),
                news: None,
                hooks: HookNews::default(),
            };
            let known = Observation { applied: 1, ..Observation::default() };
            let bodies = Bodies { response: Some(response(&run.schedule[ix].job.key)), ..Bodies::default() };
            run.disk.save(Pending::new((ix, &run.schedule[ix]), known, Keep::Result, bodies, step));
            held += EACH;
        }
        assert!((62 << 20..=64 << 20).contains(&held), "{held} bytes");
        while !run.disk.is_empty() {
            let event = run.disk.next(|| Duration::ZERO).await;
            run.disk_event(event);
        }
        assert!(run.disk.has_room(900), "what is durable holds nothing");
    }

    #[tokio::test]
    async fn only_what_others_changed_is_looked_at_where_the_ledger_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path(), 3).await;
        let all: Vec<JobIx> = run.schedule.jobs().collect();
        let key_of = |ix: u32| run.schedule[JobIx(ix)].job.key.clone();
        let elsewhere = JobKey { id: "of another file".to_owned(), ..key_of(0) };
        let cases = [
            (Changes::Nothing, vec![]),
            (Changes::Something, all.clone()),
            (Changes::Of(vec![key_of(2), elsewhere]), vec![JobIx(2)]),
        ];
        for (changes, expected) in cases {
            assert_eq!(run.changed(changes.clone(), all.iter()), expected, "{changes:?}");
        }
    }

    #[tokio::test]
    async fn after_an_outage_the_jobs_that_failed_with_their_service_are_due_at_once_spread() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = run(dir.path(), 20).await;
        let (hour, spread) = (Duration::from_secs(3600), Duration::from_secs(10));
        for ix in run.schedule.jobs() {
            run.schedule.set_due(ix, hour);
            run.schedule[ix].failures = if ix.0 < 15 { 9 } else { 0 };
        }
        run.respread(ServiceIx::default(), spread);
        let due = run.schedule[ServiceIx::default()].due.iter();
        let (soon, late): (Vec<_>, Vec<_>) = due.partition(|(at, _)| *at <= run.now() + spread);
        assert_eq!((soon.len(), late.len()), (15, 5), "who was well waits for its turn as before");
        let seconds: std::collections::BTreeSet<u64> = soon.iter().map(|(at, _)| at.as_secs()).collect();
        assert!(seconds.len() > 4, "not all at one moment: {seconds:?}");
    }
}
