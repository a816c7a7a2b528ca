//! The engine's loop: commands, responses, saves and timers, one at a time, on one task that owns everything. The parts
//! own their state and answer with data; here it is passed on between them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::domain::clock::Clock;
use crate::domain::fact::{Ending, Fact, Gate, StoreTrouble, log_grows};
use crate::domain::job::{Job, JobIx};
use crate::domain::secret::Token;
use crate::domain::service::PollSettings;
use crate::net::Net;

use super::claims::Claims;
use super::descriptors;
use super::disk::{Disk, DiskEvent};
use super::hook_news::Hooks;
use super::job_entry::Phase;
use super::poll::PollRequest;
use super::polls::{Limits, PollEvent, Polls};
use super::reporter::Reporter;
use super::schedule::{Schedule, ServiceIx};
use super::service_entry::ServiceEntry;
use super::token::TokenError;
use super::{EngineCommand, Purpose, Setup, StartError};

/// How often followed jobs, unsaved responses and a failing store are looked at again.
const TICK: Duration = Duration::from_secs(1);
/// How often the clocks are compared as long as polls are to come: a machine that slept must not go on waiting.
const COMPARED_EVERY: Duration = Duration::from_secs(30);
/// How long a polite end waits for a disk that fails before it writes rescue files.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often rescue files are tried again.
const RESCUES: usize = 20;
/// How long an end at once waits for what has come of its polls to be saved.
const HASTE: Duration = Duration::from_secs(2);

/// What the engine is doing as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineMode {
    /// Polling.
    Running,
    /// Sending nothing, by the user.
    Paused,
    /// Finishing the one-shot polls before the process is stopped.
    Suspending,
    /// Waiting to be resumed.
    Suspended,
    /// Finishing the one-shot polls before the end; since then.
    Draining(Duration),
    /// Ending at once; since then.
    Aborting(Duration),
}

/// Small work that must not hold up the loop.
#[derive(Debug)]
pub enum Background {
    /// A service's token was asked for; true if the user had asked for it.
    Token(ServiceIx, Result<Token, TokenError>, bool),
    /// Something that answers for itself.
    Done,
}

/// What the loop has waited for.
enum Turn {
    Command(Option<EngineCommand>),
    Poll(PollEvent),
    Disk(DiskEvent),
    Background(Result<Background, JoinError>),
    Tick,
}

#[derive(Debug)]
pub struct EngineLoop {
    pub(super) purpose: Purpose,
    pub(super) poll: PollSettings,
    pub(super) clock: Clock,
    pub(super) net: Arc<Net>,
    pub(super) rng: fastrand::Rng,
    pub(super) mode: EngineMode,
    /// Whether the user had paused it before it was suspended.
    pub(super) was_paused: bool,
    pub(super) schedule: Schedule,
    pub(super) claims: Claims,
    pub(super) polls: Polls,
    pub(super) disk: Disk,
    pub(super) report: Reporter,
    pub(super) background: JoinSet<Background>,
    /// At which events programs of the user's own are run.
    pub(super) hooks: Hooks,
    /// Jobs that are over and that the team's store has not got yet.
    pub(super) saved_here: HashSet<JobIx>,
    /// What the two clocks showed when they were last compared.
    pub(super) clocks: (Duration, Timestamp),
    /// How many polls descriptors are left for; None: any number.
    room: Option<usize>,
    pub(super) started: Instant,
    next_tick: Option<Duration>,
    ending: Ending,
    setup_jobs: Vec<Arc<Job>>,
}

impl EngineLoop {
    /// An engine that has done nothing yet.
    pub fn new(setup: Setup, facts: mpsc::UnboundedSender<Fact>) -> Result<Self, StartError> {
        let Setup { purpose, poll, services, jobs, hooks, store, seed, clock } = setup;
        let mut schedule = Schedule::default();
        for (service, token) in services {
            schedule.add_service(ServiceEntry::new(service, token));
        }
        if let Some(job) = jobs.iter().find(|job| schedule.service_named(&job.service).is_none()) {
            return Err(StartError::UnknownService(job.label()));
        }
        Ok(Self {
            purpose,
            poll,
            net: Arc::new(Net::new(&poll, clock.clone())),
            rng: fastrand::Rng::with_seed(seed),
            mode: EngineMode::Running,
            was_paused: false,
            schedule,
            claims: Claims::default(),
            polls: Polls::new(),
            disk: Disk::new(store.0),
            report: Reporter::new(facts),
            background: JoinSet::new(),
            hooks: Hooks::new(hooks),
            saved_here: HashSet::new(),
            clocks: (Duration::ZERO, clock.now()),
            clock,
            room: None,
            started: Instant::now(),
            next_tick: None,
            ending: Ending::default(),
            setup_jobs: jobs,
        })
    }

    pub async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<EngineCommand>) {
        let jobs = std::mem::take(&mut self.setup_jobs);
        if let Err(error) = self.declare(jobs).await {
            self.disk.fail(error);
            self.tell_store_trouble();
            self.ending.store_failed = true;
            self.report.tell(Fact::Ended(self.ending.clone()));
            self.report.flush();
            return;
        }
        // Services that have no token to show are closed.
        for service in self.schedule.services() {
            self.gate_changed(service);
        }
        self.look_for_room();
        let mut is_heard = true;
        while !self.is_over() {
            self.renew_claims().await;
            self.dispatch();
            self.flush_releases();
            self.tell_store_trouble();
            self.tell_progress();
            let wake = self.wake_at();
            let (clock, started) = (self.clock.clone(), self.started);
            let (polls, disk, background) = (&mut self.polls, &mut self.disk, &mut self.background);
            let turn = async {
                tokio::select! {
                    biased;
                    // A front end that is gone, as after a panic, says nothing more: asked again it would answer at once,
                    // and nothing else would get its turn.
                    command = inbox.recv(), if is_heard => Turn::Command(command),
                    event = polls.next(|| clock.now()) => Turn::Poll(event),
                    event = disk.next(|| started.elapsed()) => Turn::Disk(event),
                    Some(done) = background.join_next() => Turn::Background(done),
                    () = sleep_until(started, wake) => Turn::Tick,
                }
            };
            match self.report.tell_while_waiting(turn).await {
                Turn::Command(command) => {
                    is_heard = command.is_some();
                    self.command(command.unwrap_or(EngineCommand::Drain)).await;
                }
                Turn::Poll(event) => {
                    self.poll_event(event);
                    // All that have ended before the next are sent: a turn for each would cost more than what it does.
                    while let Some(event) = self.polls.next_at_once(|| self.clock.now()) {
                        self.poll_event(event);
                    }
                }
                Turn::Disk(event) => self.disk_event(event),
                Turn::Background(done) => self.background_done(done),
                Turn::Tick => self.tick().await,
            }
            self.notice_jump();
            self.report.tell_due(self.started.elapsed());
        }
        self.end().await;
    }

    /// The time since the engine's start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    async fn command(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::ReadNow(list) => self.poll_now(&list).await,
            EngineCommand::Pause(pause) => self.pause(pause).await,
            EngineCommand::History(ix) => self.history(ix),
            EngineCommand::Reload(reload) => self.reload(*reload).await,
            EngineCommand::Suspend => {
                // An end that has begun is not put off.
                if matches!(self.mode, EngineMode::Running | EngineMode::Paused) {
                    self.was_paused = self.mode == EngineMode::Paused;
                    self.polls.leave(true);
                    self.mode = EngineMode::Suspending;
                }
            }
            EngineCommand::Resume => self.resume().await,
            EngineCommand::Drain => {
                if !matches!(self.mode, EngineMode::Draining(_) | EngineMode::Aborting(_)) {
                    self.polls.leave(true);
                    self.mode = EngineMode::Draining(self.now());
                    self.disk.retry();
                    self.tell_draining();
                }
            }
            EngineCommand::Abort => {
                self.polls.leave_all();
                self.ending.abandoned = self.polls.one_shots().iter().copied().collect();
                self.mode = EngineMode::Aborting(self.now());
            }
        }
    }

    fn limits(&self) -> Limits {
        Limits { in_flight: self.most_in_flight(), takes_results: self.disk.takes_results() }
    }

    /// How many polls may be in flight: as many as the user wants and descriptors are left for.
    fn most_in_flight(&self) -> usize {
        self.poll.in_flight.min(self.room.unwrap_or(usize::MAX))
    }

    /// Looks how many polls there may be at once.
    pub(super) fn look_for_room(&mut self) {
        descriptors::raise_limit(self.poll.in_flight);
        // Those in flight hold some of what is open.
        self.room = descriptors::room_for_polls().map(|room| room.saturating_add(self.polls.len()));
        if let Some(room) = self.room.filter(|room| *room < self.poll.in_flight) {
            tracing::warn!(
                "{room} polls at once, not {}: the limit of open files is low (ulimit -n)",
                self.poll.in_flight
            );
        }
    }

    /// Sends every poll that may be sent now.
    fn dispatch(&mut self) {
        if self.mode != EngineMode::Running {
            return;
        }
        let now = self.now();
        self.polls.dispatching(now);
        if self.purpose == Purpose::Once {
            self.pass_over_closed_services(now);
        }
        if self.polls.len() < self.most_in_flight()
            && self.schedule.service_entries().any(|service| service.is_one_shot() && service.is_due(now))
        {
            self.disk.check_if_stale(now);
        }
        let limits = self.limits();
        while self.disk.has_room(self.polls.len())
            && let Some(service) = self.polls.pick(&mut self.schedule, limits, now)
        {
            self.send_next(service);
        }
    }

    fn send_next(&mut self, at: ServiceIx) {
        let now = self.now();
        let service = &mut self.schedule[at];
        let (Some((_, ix)), Some(token)) = (service.due.first().copied(), service.token.clone()) else {
            tracing::error!("internal error: nothing can be sent to {}, though it was its turn", service.service.name);
            return;
        };
        service.poll_sent(now);
        let is_one_shot = service.is_one_shot();
        let peeks = service.peeks(now);
        let service = Arc::clone(&service.service);
        self.schedule.poll_sent(ix, now);
        let entry = &mut self.schedule[ix];
        entry.seq += 1;
        let (job, seq) = (Arc::clone(&entry.job), entry.seq);
        let poll = PollRequest { ix, job, service, token, seq, peeks, clock: self.clock.clone() };
        self.polls.send(poll, at, is_one_shot, self.net.clone(), self.disk.store().clone());
    }

    /// `once` does not wait for a service that asked to wait, or that refuses the token.
    fn pass_over_closed_services(&mut self, now: Duration) {
        for at in self.schedule.services() {
            let service = &self.schedule[at];
            let is_shut = match service.gate.gate() {
                Gate::Open => service.is_one_shot() && self.disk.trouble().is_some(),
                Gate::Throttled(until) | Gate::BackingOff(until) => *until > now,
                Gate::KeyRefused(_) => true,
            };
            if is_shut {
                for ix in self.schedule.waiting(at) {
                    self.schedule.set_phase(ix, Phase::Done);
                    self.claims.release(ix);
                }
            }
        }
    }

    fn is_over(&mut self) -> bool {
        let ended = self.polls.is_idle() && self.disk.is_idle();
        if let EngineMode::Draining(since) = &mut self.mode
            && !self.polls.is_idle()
        {
            // The wait for a disk that fails begins when the last poll has ended.
            *since = self.started.elapsed();
        }
        match self.mode {
            EngineMode::Running | EngineMode::Paused | EngineMode::Suspended => false,
            EngineMode::Suspending => {
                // What the disk does not take stays in memory over a stop.
                if ended {
                    self.mode = EngineMode::Suspended;
                    self.give_up_claims();
                }
                false
            }
            // Whether the disk is well again at the end decides the exit code.
            EngineMode::Draining(since) => {
                let waited = self.now().saturating_sub(since);
                let is_idle = self.polls.is_idle() && self.disk.is_empty() && !self.disk.is_recovering();
                is_idle || (ended && self.disk.trouble().is_some() && waited >= PATIENCE)
            }
            EngineMode::Aborting(since) => {
                (self.polls.is_idle() && self.disk.is_empty()) || self.now().saturating_sub(since) >= HASTE
            }
        }
    }

    async fn end(&mut self) {
        self.report.flush();
        // Connections hold descriptors, and rescue files need some.
        self.polls.shutdown().await;
        self.net = Arc::new(Net::new(&self.poll, self.clock.clone()));
        let (mut rescued, mut lost) = self.disk.rescue();
        for _ in 0..RESCUES {
            if lost.is_empty() {
                break;
            }
            // Connections close in their own time.
            tokio::time::sleep(TICK / 10).await;
            let (more, still) = self.disk.rescue();
            rescued.extend(more);
            lost = still;
        }
        self.ending.abandoned.retain(|ix| !lost.contains(ix));
        self.ending.rescued = rescued;
        self.ending.lost = lost;
        self.background.shutdown().await;
        let is_well = !self.disk.fails_to_save();
        let entries = self.schedule.jobs().filter(|_| is_well).collect::<Vec<_>>();
        let reads: Vec<_> = entries.into_iter().filter_map(|ix| self.schedule[ix].take_unwritten()).collect();
        // Whoever hears of the end closes the store: hooks and what is written out as it arrives still need it.
        // The claims are given up all at once as it is closed. But what a poll in flight has received lies in the spool, where
        // nobody looks before our end: until then its job is ours, and the others are given up here.
        let is_kept = |ix: &JobIx| self.polls.is_polling(*ix);
        let keeps_some = self.schedule.jobs().any(|ix| is_kept(&ix));
        let is_free = |ix: &JobIx| keeps_some && !self.schedule[*ix].known.is_over() && !is_kept(ix);
        let released = self.schedule.jobs().filter(is_free);
        let released: Vec<_> = released.map(|ix| self.schedule[ix].job.key.clone()).collect();
        let store = self.disk.store().clone();
        let note = async {
            if (!reads.is_empty() || keeps_some)
                && let Err(error) = store.release(released, reads).await
            {
                tracing::warn!("{error}");
            }
        };
        // A store that does not answer must not keep the process.
        let _ = tokio::time::timeout(TICK * 5, note).await;
        self.ending.store_failed |= !is_well;
        self.report.tell_unchanged();
        self.report.tell(Fact::Ended(self.ending.clone()));
        self.report.flush();
    }

    async fn tick(&mut self) {
        let now = self.now();
        self.expire_gates(now);
        self.ask_for_tokens(now);
        self.tell_silences();
        if self.next_tick.is_some_and(|at| at <= now) {
            self.next_tick = None;
            self.disk.retry();
            self.follow().await;
            if self.disk.store().is_shared() {
                self.disk.check_team(now);
            }
        }
    }

    pub(super) fn background_done(&mut self, done: Result<Background, JoinError>) {
        match done {
            Ok(Background::Token(service, result, asked)) => self.token_arrived(service, result, asked),
            Ok(Background::Done) => {}
            Err(error) => tracing::error!("internal error: background work failed: {error}"),
        }
    }

    /// When the loop has to look again though nothing arrives.
    fn wake_at(&mut self) -> Option<Duration> {
        let now = self.now();
        let waits = !self.schedule.followed().is_empty() || !self.schedule.unclaimed().is_empty();
        let waits = waits || self.disk.store().is_shared();
        let needs_tick = waits || self.disk.unsaved().next().is_some() || self.disk.trouble().is_some();
        let ends_soon = matches!(self.mode, EngineMode::Draining(_) | EngineMode::Aborting(_));
        if needs_tick || ends_soon {
            self.next_tick.get_or_insert(now + if ends_soon { TICK / 4 } else { TICK });
        }
        let is_running = self.mode == EngineMode::Running;
        let silences = self.schedule.service_entries().filter_map(ServiceEntry::silent_at);
        let asks =
            self.schedule.service_entries().filter_map(|service| service.next_token_retry).filter(|_| is_running);
        let expiries = self.schedule.service_entries().filter_map(|service| service.gate.expires_at());
        let due = if is_running { self.polls.next_at(&self.schedule, self.limits()) } else { None };
        let wake = asks.chain(expiries).chain(due).chain(silences).chain(self.report.due()).chain(self.next_tick).min();
        // Never at once: what could be done at once has been done.
        wake.map(|at| at.clamp(now + Duration::from_millis(1), now + COMPARED_EVERY))
    }

    fn tell_progress(&mut self) {
        let due = if self.mode == EngineMode::Running { self.schedule.next_due() } else { None };
        self.report.next_poll(due.map(|at| self.wall(at)));
        self.report.settled(self.schedule.is_settled() && self.polls.is_empty() && self.disk.is_empty());
    }

    /// Which one-shot polls, and which unsaved responses, a drain waits for.
    pub(super) fn tell_draining(&mut self) {
        if matches!(self.mode, EngineMode::Draining(_) | EngineMode::Suspending) {
            let waiting: BTreeSet<JobIx> = self.polls.one_shots().iter().copied().chain(self.disk.unsaved()).collect();
            self.report.tell(Fact::Draining(waiting.into_iter().collect()));
        }
    }

    /// Says that another program keeps the database's log growing, or does no more: once each.
    pub(super) fn tell_log(&mut self) {
        let Some(bytes) = self.disk.take_log_news(self.started.elapsed()) else { return };
        tracing::warn!("{}", log_grows(bytes));
        self.report.tell(Fact::LogGrows(bytes));
    }

    /// Says that the store fails, or does no more: once each.
    pub(super) fn tell_store_trouble(&mut self) {
        let Some(trouble) = self.disk.take_news() else { return };
        let trouble = trouble.map(StoreTrouble::from);
        if let Some(trouble) = &trouble {
            tracing::error!("{}", trouble.begun());
        } else {
            tracing::info!("results can be saved again");
            self.claims.renew_all(&self.schedule);
        }
        self.report.tell(Fact::StoreTrouble(trouble));
        for service in self.schedule.services() {
            self.refresh_service_health(service);
        }
    }
}

async fn sleep_until(started: Instant, at: Option<Duration>) {
    match at {
        Some(at) => tokio::time::sleep_until(started + at).await,
        None => std::future::pending().await,
    }
}
