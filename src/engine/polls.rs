//! The polls in flight, and whose turn it is: within the limits of all services and of each, none starving the others.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use crate::domain::job::JobIx;
use crate::domain::secret::Token;
use crate::net::Net;
use crate::store::Store;

use super::poll::{self, Fetching, PollContext, PollNews, PollRequest, PollResult};
use super::schedule::{Schedule, ServiceIx};

/// A poll in flight: a changed jobs file may give its job to another service, or its service another token.
#[derive(Debug, Clone)]
pub struct InFlight {
    pub ix: JobIx,
    /// The number of its first request.
    pub seq: u64,
    /// The service for which it is counted.
    pub service: ServiceIx,
    /// The token that it shows.
    pub token: Token,
}

/// What bounds the polls of all services together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Polls at once.
    pub in_flight: usize,
    /// Whether a result that can be read once could be saved.
    pub takes_results: bool,
}

/// A task that has ended.
type Joined = Result<(Id, (InFlight, Box<PollResult>)), JoinError>;

/// What becomes of a poll.
#[derive(Debug)]
pub enum PollEvent {
    /// Its job is over by its status, and its result is being fetched.
    Fetching(Box<Fetching>),
    /// The only response of a job waits in a file for room to be read.
    WaitsForRoom,
    Ended(InFlight, Box<PollResult>),
}

#[derive(Debug)]
pub struct Polls {
    tasks: JoinSet<(InFlight, Box<PollResult>)>,
    in_flight: HashMap<Id, InFlight>,
    one_shots: BTreeSet<JobIx>,
    /// The jobs whose only response waits in a file for room to be read.
    waiting: BTreeSet<JobIx>,
    leave: watch::Sender<bool>,
    leave_results: watch::Sender<bool>,
    news: (mpsc::UnboundedSender<PollNews>, mpsc::UnboundedReceiver<PollNews>),
    /// The service that was served last.
    last: Option<ServiceIx>,
    /// When polls were last sent, or could have been.
    dispatched: Duration,
}

impl Polls {
    /// None in flight.
    pub fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            in_flight: HashMap::new(),
            one_shots: BTreeSet::new(),
            waiting: BTreeSet::new(),
            leave: watch::Sender::new(false),
            leave_results: watch::Sender::new(false),
            news: mpsc::unbounded_channel(),
            last: None,
            dispatched: Duration::ZERO,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether a stop or an end has to wait for none: what waits in a file for room goes on after a stop, and after an end
    /// the next start finds it.
    pub fn is_idle(&self) -> bool {
        self.tasks.len() == self.waiting.len()
    }

    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether a poll of this job is in flight.
    pub fn is_polling(&self, ix: JobIx) -> bool {
        self.in_flight.values().any(|flight| flight.ix == ix)
    }

    /// The jobs whose only response may be on its way.
    pub fn one_shots(&self) -> &BTreeSet<JobIx> {
        &self.one_shots
    }

    /// Polls are sent as from this moment.
    pub fn dispatching(&mut self, now: Duration) {
        self.dispatched = now;
    }

    /// The service that is polled next, its rate already taken; None if nothing can be sent now.
    pub fn pick(&mut self, schedule: &mut Schedule, limits: Limits, now: Duration) -> Option<ServiceIx> {
        if self.len() >= limits.in_flight {
            return None;
        }
        let half = (limits.in_flight / 2).max(1);
        loop {
            let is_able = |schedule: &Schedule, at: ServiceIx| {
                let service = &schedule[at];
                service.can_poll(now) && (limits.takes_results || !service.is_one_shot())
            };
            let is_contended = schedule.services().filter(|at| is_able(schedule, *at)).nth(1).is_some();
            let last = self.last;
            let mut is_limited = false;
            // Results that do not last come first; then whose turn it is.
            for (wants_urgent, wants_after) in [(true, true), (true, false), (false, true), (false, false)] {
                for at in schedule.services() {
                    let is_of_this_round = (schedule[at].is_urgent(), Some(at) > last) == (wants_urgent, wants_after);
                    if !is_of_this_round || !is_able(schedule, at) || (is_contended && schedule[at].in_flight >= half) {
                        continue;
                    }
                    if schedule[at].takes_rate(now) {
                        self.last = Some(at);
                        return Some(at);
                    }
                    is_limited = true;
                }
            }
            // A service that may not be polled yet is no reason for the others to hold back.
            if !is_limited {
                return None;
            }
        }
    }

    /// When a poll may be sent next, if that only takes time. What could have been sent last time and was not is held
    /// by the share of its service: it waits for a response, not for the clock.
    pub fn next_at(&self, schedule: &Schedule, limits: Limits) -> Option<Duration> {
        if self.len() >= limits.in_flight {
            return None;
        }
        let able = schedule.service_entries().filter(|service| limits.takes_results || !service.is_one_shot());
        able.filter_map(super::service_entry::ServiceEntry::ready_at).filter(|at| *at > self.dispatched).min()
    }

    /// Sends one. `is_one_shot`: the response to its status request may be the only one.
    pub fn send(&mut self, poll: PollRequest, service: ServiceIx, is_one_shot: bool, net: Arc<Net>, store: Store) {
        let flight = InFlight { ix: poll.ix, seq: poll.seq, service, token: poll.token.clone() };
        if is_one_shot {
            self.one_shots.insert(poll.ix);
        }
        let (leave, leave_result) = (self.leave.subscribe(), self.leave_results.subscribe());
        let around = PollContext { net, store, leave, leave_result, news: self.news.0.clone() };
        self.spawn(flight, poll::poll(poll, around));
    }

    fn spawn(&mut self, flight: InFlight, work: impl Future<Output = PollResult> + Send + 'static) {
        let own = flight.clone();
        // Some kilobytes that the runtime would move at each step of a task's life.
        let work = Box::pin(work);
        let handle = self.tasks.spawn(async move { (own, Box::new(work.await)) });
        self.in_flight.insert(handle.id(), flight);
    }

    /// What happens next. One that failed inside jobdeck may have used a result up, which must not be forgotten: it
    /// counts as one whose response never came. `now` is asked for only then. Waits for ever if none is in flight.
    pub async fn next(&mut self, now: impl Fn() -> Timestamp) -> PollEvent {
        loop {
            let joined = tokio::select! {
                biased;
                Some(news) = self.news.1.recv() => return self.told(news),
                Some(joined) = self.tasks.join_next_with_id() => joined,
                else => return std::future::pending().await,
            };
            if let Some(event) = self.ended(joined, &now) {
                return event;
            }
        }
    }

    /// What has happened already.
    pub fn next_at_once(&mut self, now: impl Fn() -> Timestamp) -> Option<PollEvent> {
        if let Ok(news) = self.news.1.try_recv() {
            return Some(self.told(news));
        }
        let joined = self.tasks.try_join_next_with_id()?;
        self.ended(joined, now)
    }

    fn told(&mut self, news: PollNews) -> PollEvent {
        match news {
            PollNews::Fetching(fetching) => {
                if fetching.takes_result {
                    self.one_shots.insert(fetching.ix);
                }
                PollEvent::Fetching(fetching)
            }
            PollNews::WaitsForRoom(ix) => {
                self.one_shots.remove(&ix);
                self.waiting.insert(ix);
                PollEvent::WaitsForRoom
            }
        }
    }

    fn ended(&mut self, joined: Joined, now: impl Fn() -> Timestamp) -> Option<PollEvent> {
        let (id, ended) = match joined {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(error) => (error.id(), Err(error)),
        };
        let known = self.in_flight.remove(&id);
        let (flight, result) = match (ended, known) {
            (Ok((flight, result)), _) => (flight, result),
            (Err(error), Some(flight)) => {
                tracing::error!("internal error: a poll failed inside jobdeck: {error}");
                let result = poll::failed(flight.seq, now());
                (flight, Box::new(result))
            }
            (Err(error), None) => {
                tracing::error!("internal error: a poll that nobody knows failed: {error}");
                return None;
            }
        };
        self.one_shots.remove(&flight.ix);
        self.waiting.remove(&flight.ix);
        Some(PollEvent::Ended(flight, result))
    }

    /// Those whose response can be fetched again are dropped from now on, or (false) waited for again.
    pub fn leave(&self, leave: bool) {
        self.leave.send_replace(leave);
    }

    /// All are broken off: what has come of them is kept.
    pub fn leave_all(&self) {
        self.leave.send_replace(true);
        self.leave_results.send_replace(true);
    }

    /// Whether those whose response can be fetched again are being dropped.
    pub fn has_left(&self) -> bool {
        *self.leave.borrow()
    }

    /// Ends all, and closes their connections.
    pub async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }
}

#[cfg(test)]
impl Polls {
    /// One that does this.
    pub fn spawn_for_test(&mut self, flight: InFlight, work: impl Future<Output = PollResult> + Send + 'static) {
        self.one_shots.insert(flight.ix);
        self.spawn(flight, work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{Job, JobKey, ProviderName};
    use crate::domain::observation::Observation;
    use crate::domain::service::{Rate, Service};
    use crate::engine::job_entry::JobEntry;
    use crate::engine::service_entry::ServiceEntry;

    const LIMITS: Limits = Limits { in_flight: 100, takes_results: true };

    /// Services of these providers, each with so many jobs that are due.
    fn schedule(services: &[(&str, u32, Option<Rate>)]) -> Schedule {
        let mut schedule = Schedule::default();
        for (provider, jobs, rate) in services {
            let service = crate::tests::wire_cases::service(ProviderName::new(provider), "http://h/api");
            let service = Service { name: (*provider).into(), rate: *rate, ..service };
            schedule.add_service(ServiceEntry::new(Arc::new(service), Ok(Token::new("t").unwrap())));
            let at = schedule.service_named(provider).unwrap();
            for n in 0..*jobs {
                let provider = ProviderName::new(provider);
                let key = JobKey { provider, endpoint: "http://h".into(), id: n.to_string() };
                let (traits, service, tags) =
                    (crate::tests::traits(provider), provider.as_str().into(), Arc::default());
                let job =
                    Arc::new(Job { key, service, name: None, tags, traits, batch: None, resubmits: Arc::default() });
                let ix = schedule.add_job(JobEntry::new(job, at, Observation::default()));
                schedule.set_due(ix, Duration::ZERO);
            }
        }
        schedule
    }

    /// Picks until nothing can be sent: whose turn it was, in order. Each response comes before the next is picked.
    fn turns(schedule: &mut Schedule, polls: &mut Polls, now: Duration) -> Vec<String> {
        let mut turns = Vec::new();
        while let Some(at) = polls.pick(schedule, LIMITS, now) {
            let job = *schedule.waiting(at).first().unwrap();
            schedule.poll_sent(job, now);
            turns.push(schedule[at].service.name.to_string());
        }
        turns
    }

    #[tokio::test]
    async fn jobs_whose_results_do_not_last_are_polled_before_all_others_and_the_others_in_turn() {
        let jobs = [("vessl", 2, None), ("datalab", 3, None), ("optexity", 2, None), ("replicate", 1, None)];
        let turns = turns(&mut schedule(&jobs), &mut Polls::new(), Duration::ZERO);
        let urgent = ["datalab", "replicate", "datalab", "datalab"];
        assert_eq!(turns, [urgent, ["optexity", "vessl", "optexity", "vessl"]].concat());
    }

    #[tokio::test]
    async fn no_job_is_polled_sooner_than_its_provider_allows_whatever_makes_it_due() {
        let mut schedule = schedule(&[("runway", 3, None), ("vessl", 1, None)]);
        turns(&mut schedule, &mut Polls::new(), Duration::ZERO);
        let now = Duration::from_secs(1);
        let [runway, vessl] = schedule.services().collect::<Vec<_>>()[..] else { panic!("two services") };
        let all: Vec<JobIx> = schedule.jobs().collect();
        for ix in all {
            schedule.set_due(ix, now);
        }
        // The service is well again.
        for service in [runway, vessl] {
            schedule.respread(service, now, Duration::from_secs(2), &mut fastrand::Rng::with_seed(1));
        }
        assert!(schedule[runway].due.iter().all(|(at, _)| *at == Duration::from_secs(5)), "5 s a task");
        assert!(schedule[vessl].due.iter().all(|(at, _)| *at < Duration::from_secs(3)), "this one asks for nothing");
    }

    #[tokio::test]
    async fn a_rate_that_is_used_up_holds_back_its_service_and_no_other() {
        let rate = |requests, per| Some(Rate { requests, per: Duration::from_secs(per) });
        let jobs = [("datalab", 500, rate(400, 60)), ("runpod", 3000, rate(2000, 10)), ("vessl", 5, None)];
        let (mut schedule, mut polls) = (schedule(&jobs), Polls::new());
        let mut sent: Vec<(Duration, String)> = Vec::new();
        let mut now = Duration::ZERO;
        while now < Duration::from_secs(60) {
            sent.extend(turns(&mut schedule, &mut polls, now).into_iter().map(|name| (now, name)));
            now += Duration::from_millis(2);
        }
        let of = |name: &str, from: u64, until: u64| {
            let span = Duration::from_secs(from)..Duration::from_secs(until);
            sent.iter().filter(|(at, sent)| sent == name && span.contains(at)).count()
        };
        let datalab = of("datalab", 0, 60);
        assert!((385..=400).contains(&datalab), "{datalab}");
        let runpod = of("runpod", 0, 10);
        assert!((1900..=2000).contains(&runpod), "{runpod}");
        assert_eq!(of("vessl", 0, 1), 5, "whoever has no limit waits for nobody");
    }
}
