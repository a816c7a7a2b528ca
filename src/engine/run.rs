//! The engine's loop: commands, replies, saves and timers, one at a time, on one task that owns everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use crate::domain::clock::Clock;
use crate::domain::fact::{Ending, Fact, Gate as ToldGate};
use crate::domain::job::{JobIx, JobKey};
use crate::domain::schedule::Bucket;
use crate::domain::secret::Token;
use crate::domain::service::{Poll, Service};
use crate::net::Net;
use crate::store::Store;

use super::gate::Gate;
use super::reader::PollResult;
use super::saving::{Pending, SaveDone};
use super::slot::{Phase, Slot};
use super::{Command, Purpose, Setup, StartError};

/// How often followed jobs, unsaved replies and a failing store are looked at again.
const TICK: Duration = Duration::from_secs(1);
/// How often the clocks are compared as long as reads are to come: a machine that slept must not go on waiting.
const COMPARED_EVERY: Duration = Duration::from_secs(30);

/// What the engine is doing as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reading.
    Running,
    /// Sending nothing, by the user.
    Paused,
    /// Finishing the one-shot reads before the process is stopped.
    Suspending,
    /// Waiting to be resumed.
    Suspended,
    /// Finishing the one-shot reads before the end; since then.
    Draining(Duration),
    /// Ending at once; since then.
    Aborting(Duration),
}

/// A service as it is being read.
#[derive(Debug)]
pub struct ServiceRun {
    /// What the jobs file says.
    pub service: Arc<Service>,
    /// Its token.
    pub token: Option<Token>,
    /// Whether it may be read.
    pub gate: Gate,
    /// What was last told of the gate.
    pub told: ToldGate,
    /// Its rate limit.
    pub bucket: Option<Bucket>,
    /// Until when that limit is used up.
    pub limited_until: Duration,
    /// Its waiting jobs by when they are due: one entry a job.
    pub due: BTreeSet<(Duration, JobIx)>,
    /// Its reads under way.
    pub in_flight: usize,
    /// How often a token was asked for in vain.
    pub asks: u32,
    /// When the first of these was.
    pub refused_since: Option<Duration>,
    /// When it is asked for again.
    pub next_ask: Option<Duration>,
    /// Why a watch has given all its jobs up.
    pub given_up: Option<String>,
}

/// Small work that must not hold up the loop.
#[derive(Debug)]
pub enum Chore {
    /// The store was probed.
    Probed(Result<(), String>),
    /// It was looked whether another program holds the store.
    Glanced(Result<(), String>),
    /// A service's token was asked for; true if the user had asked for it.
    Token(usize, Result<Token, String>, bool),
    /// Something that answers for itself.
    Done,
}

/// A read under way: a changed jobs file may give its job to another service, or its service another token.
#[derive(Debug)]
pub struct Flight {
    /// Whose slot it is for.
    pub ix: JobIx,
    /// The service for which it is counted.
    pub service: usize,
    /// The token that it shows.
    pub token: Token,
}

/// The engine.
#[derive(Debug)]
pub struct Run {
    pub(super) purpose: Purpose,
    pub(super) poll: Poll,
    pub(super) clock: Clock,
    pub(super) net: Arc<Net>,
    pub(super) store: Store,
    pub(super) facts: mpsc::UnboundedSender<Fact>,
    pub(super) services: Vec<ServiceRun>,
    pub(super) slots: Vec<Slot>,
    pub(super) followed: BTreeSet<JobIx>,
    pub(super) to_release: Vec<JobIx>,
    /// Jobs to be claimed again before they are asked for.
    pub(super) unclaimed: BTreeSet<JobIx>,
    pub(super) unsettled: usize,
    pub(super) mode: Mode,
    /// Whether the user had paused it before it was suspended.
    pub(super) paused: bool,
    pub(super) turn: usize,
    pub(super) dispatched: Duration,
    pub(super) reads: JoinSet<PollResult>,
    pub(super) reading: HashMap<Id, Flight>,
    pub(super) one_shots: BTreeSet<JobIx>,
    pub(super) saves: JoinSet<SaveDone>,
    pub(super) unsaved: BTreeMap<JobIx, Pending>,
    pub(super) saving: BTreeMap<JobIx, (JobKey, Bytes)>,
    pub(super) chores: JoinSet<Chore>,
    pub(super) trouble: Option<String>,
    pub(super) probed: Option<Duration>,
    pub(super) probing: bool,
    pub(super) glanced: Duration,
    pub(super) glancing: bool,
    pub(super) next_tick: Option<Duration>,
    pub(super) leave_reads: watch::Sender<bool>,
    pub(super) leave_one_shots: watch::Sender<bool>,
    pub(super) ending: Ending,
    pub(super) rng: fastrand::Rng,
    started: Instant,
    /// What the two clocks showed when they were last compared.
    pub(super) clocks: (Duration, Timestamp),
    setup_jobs: Vec<Arc<crate::domain::job::Job>>,
    told_next: Option<i64>,
    pub(super) told_settled: bool,
    told_suspended: bool,
}

impl Run {
    /// An engine that has done nothing yet.
    pub fn new(setup: Setup, facts: mpsc::UnboundedSender<Fact>) -> Result<Self, StartError> {
        let Setup { purpose, poll, services, jobs, store, seed, clock } = setup;
        let run = Self {
            purpose,
            poll,
            net: Arc::new(Net::new(&poll, clock.clone())),
            store,
            facts,
            services: services.into_iter().map(|(service, token)| ServiceRun::new(service, token)).collect(),
            slots: Vec::new(),
            followed: BTreeSet::new(),
            to_release: Vec::new(),
            unclaimed: BTreeSet::new(),
            unsettled: 0,
            mode: Mode::Running,
            paused: false,
            turn: 0,
            dispatched: Duration::ZERO,
            reads: JoinSet::new(),
            reading: HashMap::new(),
            one_shots: BTreeSet::new(),
            saves: JoinSet::new(),
            unsaved: BTreeMap::new(),
            saving: BTreeMap::new(),
            chores: JoinSet::new(),
            trouble: None,
            probed: None,
            probing: false,
            glanced: Duration::ZERO,
            glancing: false,
            next_tick: None,
            leave_reads: watch::Sender::new(false),
            leave_one_shots: watch::Sender::new(false),
            ending: Ending::default(),
            rng: fastrand::Rng::with_seed(seed),
            started: Instant::now(),
            clocks: (Duration::ZERO, clock.now()),
            clock,
            setup_jobs: jobs,
            told_next: None,
            told_settled: false,
            told_suspended: false,
        };
        for job in &run.setup_jobs {
            if run.service_of(&job.service).is_none() {
                return Err(StartError(format!("the job {} names a service that is not given", job.label())));
            }
        }
        Ok(run)
    }

    /// Runs to the end.
    pub async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let jobs = std::mem::take(&mut self.setup_jobs);
        if let Err(error) = self.declare(jobs).await {
            self.tell_trouble(Some(error));
            self.ending.store_failed = true;
            self.tell(Fact::Ended(self.ending.clone()));
            return;
        }
        self.refuse_missing_tokens();
        while !self.is_over() {
            self.claim_again().await;
            self.dispatch();
            self.flush_releases();
            self.tell_progress();
            let wake = self.wake_at();
            tokio::select! {
                biased;
                command = inbox.recv() => self.command(command.unwrap_or(Command::Drain)).await,
                Some(done) = self.reads.join_next_with_id() => self.arrived(done),
                Some(done) = self.saves.join_next() => self.save_done(done),
                Some(done) = self.chores.join_next() => if let Ok(chore) = done { self.chore_done(chore) },
                () = sleep_until(self.started, wake) => self.tick().await,
            }
            self.notice_jump();
        }
        self.end().await;
    }

    /// The time since the engine's start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A number between 0 and 1.
    pub(super) fn draw(&mut self) -> f64 {
        self.rng.f64()
    }

    pub(super) fn tell(&self, fact: Fact) {
        // Nobody listening any more is no reason to stop saving.
        let _ = self.facts.send(fact);
    }

    pub(super) fn slot(&self, ix: JobIx) -> Option<&Slot> {
        self.slots.get(ix.0 as usize)
    }

    pub(super) fn slot_mut(&mut self, ix: JobIx) -> Option<&mut Slot> {
        self.slots.get_mut(ix.0 as usize)
    }

    pub(super) fn service_of(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|run| &*run.service.name == name)
    }

    /// Puts a slot into another phase and keeps every set that depends on it in step.
    pub(super) fn set_phase(&mut self, ix: JobIx, phase: Phase) {
        let Some(slot) = self.slots.get_mut(ix.0 as usize) else { return };
        let was_unsettled = slot.is_unsettled();
        if let Some(due) = slot.due.take()
            && let Some(run) = self.services.get_mut(slot.service)
        {
            run.due.remove(&(due, ix));
        }
        match phase {
            Phase::Followed(_) => self.followed.insert(ix),
            Phase::Waiting | Phase::Reading | Phase::Done | Phase::GivenUp(_) | Phase::Withdrawn => {
                self.followed.remove(&ix)
            }
        };
        slot.phase = phase;
        match (was_unsettled, slot.is_unsettled()) {
            (false, true) => self.unsettled += 1,
            (true, false) => self.unsettled -= 1,
            (true, true) | (false, false) => {}
        }
    }

    /// Sets when a job is read next: replaces, never adds.
    pub(super) fn schedule(&mut self, ix: JobIx, at: Duration) {
        self.set_phase(ix, Phase::Waiting);
        let Some(slot) = self.slots.get_mut(ix.0 as usize) else { return };
        if let Some(run) = self.services.get_mut(slot.service) {
            slot.due = Some(at);
            run.due.insert((at, ix));
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::ReadNow(list) => self.read_now(&list).await,
            Command::Pause(pause) => self.pause(pause).await,
            Command::History(ix) => self.history(ix),
            Command::Reload(reload) => self.reload(*reload).await,
            Command::Suspend => {
                // An end that has begun is not put off.
                if matches!(self.mode, Mode::Running | Mode::Paused) {
                    self.paused = self.mode == Mode::Paused;
                    self.leave_reads.send_replace(true);
                    self.mode = Mode::Suspending;
                    self.told_suspended = false;
                }
            }
            Command::Resume => self.resume().await,
            Command::Drain => {
                if !matches!(self.mode, Mode::Draining(_) | Mode::Aborting(_)) {
                    self.leave_reads.send_replace(true);
                    self.mode = Mode::Draining(self.now());
                    self.retry_unsaved();
                    self.tell_draining();
                }
            }
            Command::Abort => {
                self.leave_reads.send_replace(true);
                self.leave_one_shots.send_replace(true);
                self.ending.abandoned = self.one_shots.iter().copied().collect();
                self.mode = Mode::Aborting(self.now());
            }
        }
    }

    /// Which one-shot reads, and which unsaved replies, a drain waits for.
    pub(super) fn tell_draining(&self) {
        if matches!(self.mode, Mode::Draining(_) | Mode::Suspending) {
            let waiting: BTreeSet<JobIx> = self.one_shots.iter().chain(self.unsaved.keys()).copied().collect();
            self.tell(Fact::Draining(waiting.into_iter().collect()));
        }
    }

    fn is_over(&mut self) -> bool {
        let ended = self.reads.is_empty() && self.saves.is_empty();
        let idle = ended && self.unsaved.is_empty();
        if let Mode::Draining(since) = &mut self.mode
            && !self.reads.is_empty()
        {
            // The wait for a disk that fails begins when the last read has ended.
            *since = self.started.elapsed();
        }
        match self.mode {
            Mode::Running | Mode::Paused | Mode::Suspended => false,
            Mode::Suspending => {
                // What the disk does not take stays in memory over a stop.
                if ended && !self.told_suspended {
                    self.told_suspended = true;
                    self.mode = Mode::Suspended;
                    self.give_up_claims();
                }
                false
            }
            // Whether the disk is well again at the end decides the exit code.
            Mode::Draining(since) => (idle && !(self.probing && self.trouble.is_some())) || self.is_rescue_due(since),
            Mode::Aborting(since) => idle || self.is_rescue_due(since),
        }
    }

    async fn end(&mut self) {
        self.rescue_unsaved();
        self.reads.abort_all();
        self.chores.shutdown().await;
        let all = (0..).map(JobIx).take(self.slots.len()).collect::<Vec<_>>();
        let reads = if self.trouble.is_none() { self.unwritten_reads(&all) } else { Vec::new() };
        let close = async {
            if !reads.is_empty()
                && let Err(error) = self.store.release(Vec::new(), reads).await
            {
                tracing::warn!("{error}");
            }
            self.store.close().await;
        };
        // A store that does not answer must not keep the process: the system gives the claims up at its end.
        let _ = tokio::time::timeout(TICK * 5, close).await;
        self.ending.store_failed |= self.trouble.is_some();
        self.tell(Fact::Ended(self.ending.clone()));
    }

    async fn tick(&mut self) {
        let now = self.now();
        self.expire_gates(now);
        self.ask_for_tokens(now);
        if self.next_tick.is_some_and(|at| at <= now) {
            self.next_tick = None;
            self.retry_unsaved();
            self.follow().await;
        }
    }

    pub(super) fn chore_done(&mut self, chore: Chore) {
        match chore {
            Chore::Probed(result) => self.probe_done(result),
            Chore::Glanced(result) => self.glance_done(result),
            Chore::Token(service, result, asked) => self.token_arrived(service, result, asked),
            Chore::Done => {}
        }
    }

    /// When the loop has to look again though nothing arrives.
    fn wake_at(&mut self) -> Option<Duration> {
        let now = self.now();
        let needs_tick = !self.unsaved.is_empty() || !self.followed.is_empty() || self.trouble.is_some();
        let ends_soon = matches!(self.mode, Mode::Draining(_) | Mode::Aborting(_));
        if needs_tick || ends_soon {
            self.next_tick.get_or_insert(now + if ends_soon { TICK / 4 } else { TICK });
        }
        let asks = self.services.iter().filter_map(|run| run.next_ask).filter(|_| self.mode == Mode::Running);
        let expiries = self.services.iter().filter_map(|run| run.gate.expires_at());
        let due = self.next_dispatch();
        let wake = asks.chain(expiries).chain(due).chain(self.next_tick).min();
        // Never at once: what could be done at once has been done.
        wake.map(|at| at.clamp(now + Duration::from_millis(1), now + COMPARED_EVERY))
    }

    fn tell_progress(&mut self) {
        let due = self.services.iter().filter_map(|run| run.due.first()).map(|(at, _)| *at).min();
        let due = if self.mode == Mode::Running { due } else { None };
        let next = due.map(|at| self.wall(at));
        let second = next.map(Timestamp::as_second);
        if second != self.told_next {
            self.told_next = second;
            self.tell(Fact::NextRead(next));
        }
        let settled = self.unsettled == 0 && self.reads.is_empty() && self.saves.is_empty() && self.unsaved.is_empty();
        if settled && !self.told_settled {
            self.tell(Fact::Settled);
        }
        self.told_settled = settled;
    }

    /// Spreads the waiting polls of a service over a time that begins now: those that are due within it, and those of
    /// jobs that waited longer only because the service failed.
    pub(super) fn respread(&mut self, service: usize, spread: Duration) {
        let from = self.now();
        let Some(run) = self.services.get(service) else { return };
        let recalled = |ix: &JobIx| self.slot(*ix).is_some_and(Slot::is_backing_off);
        let all = run.due.iter().filter(|(at, ix)| *at < from + spread || recalled(ix));
        let soon: Vec<JobIx> = all.map(|(_, ix)| *ix).collect();
        for (place, ix) in soon.iter().enumerate() {
            let share = if place == 0 { 0.0 } else { self.rng.f64() };
            self.schedule(*ix, from + spread.mul_f64(share));
        }
    }

    fn history(&mut self, ix: JobIx) {
        let Some(slot) = self.slot(ix) else { return };
        let (key, unsaved, complete) = (slot.job.key.clone(), slot.attempts.clone(), slot.attempts_loaded);
        let (store, facts) = (self.store.clone(), self.facts.clone());
        self.chores.spawn(async move {
            let (mut attempts, changes) = store.history(key).await.unwrap_or_default();
            if complete {
                attempts.clear();
            }
            for attempt in unsaved {
                crate::domain::attempt::Attempt::push(&mut attempts, attempt);
            }
            let _ = facts.send(Fact::History { ix, attempts, changes });
            Chore::Done
        });
    }
}

impl ServiceRun {
    /// A service as it stands at the start.
    pub fn new(service: Arc<Service>, token: Result<Token, String>) -> Self {
        let bucket = service.rate.map(|rate| Bucket::new(rate, Duration::ZERO));
        let (token, gate) = match token {
            Ok(token) => (Some(token), Gate::default()),
            Err(reason) => (None, Gate::without_token(reason)),
        };
        Self {
            service,
            token,
            gate,
            told: ToldGate::Open,
            bucket,
            limited_until: Duration::ZERO,
            due: BTreeSet::new(),
            in_flight: 0,
            asks: 0,
            refused_since: None,
            next_ask: None,
            given_up: None,
        }
    }
}

async fn sleep_until(started: Instant, at: Option<Duration>) {
    match at {
        Some(at) => tokio::time::sleep_until(started + at).await,
        None => std::future::pending().await,
    }
}
