//! The simulated world: its clock, what became of every job, and which trouble a read meets. All services share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use jiff::Timestamp;

use super::kind::JobKind;
use super::plan::{DemoPhase, Planned, plan, sent};
use super::scenario::{Scenario, TroubleKind};
use super::{DemoError, DemoOptions};
use crate::domain::state::State;

/// Everything that the services know.
#[derive(Debug)]
pub struct World {
    /// What they do.
    pub scenario: Scenario,
    /// The batch, in the order of the jobs file.
    pub batch: Vec<Arc<Planned>>,
    /// The demo's time.
    pub clock: DemoClock,
    /// When a service answers every read in one way.
    pub windows: Vec<Window>,
    calm: bool,
    table: Mutex<JobTable>,
}

/// The demo's own time, which may run faster than ours.
#[derive(Debug, Clone, Copy)]
pub struct DemoClock {
    started: Instant,
    started_at: Timestamp,
    speed: f64,
}

/// What a read asked for besides the extraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    pub metadata: bool,
    pub metrics: bool,
    pub extracted_text: bool,
}

/// A job as one read meets it.
#[derive(Debug, Clone)]
pub struct Met {
    pub job: Arc<Planned>,
    /// Names of the files that were sent with it; empty: those of the scenario.
    pub names: Arc<[String]>,
    pub phase: DemoPhase,
    /// Which read of the job this is, from 1.
    pub read: u32,
}

/// What is known of a job's reads.
#[derive(Debug, Clone)]
pub struct JobRecord {
    pub job: Arc<Planned>,
    /// See [`Met::names`].
    pub names: Arc<[String]>,
    /// All reads, those that met trouble included.
    pub reads: u32,
    /// Reads that met the job when it was over: the first of them takes the result.
    pub consuming: u32,
    pub taken: Option<HandedOut>,
}

/// A result that was handed out.
#[derive(Debug, Clone, Copy)]
pub struct HandedOut {
    /// What the read asked for.
    pub flags: Flags,
    /// Whether all of it was sent.
    pub whole: bool,
}

/// What a read meets in place of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Obstacle {
    /// An answer of another kind, for this many more seconds of our time.
    Trouble(TroubleKind, f64),
    /// The answer, but late.
    Slow(Duration),
}

/// A time during which a service answers every read in one way.
#[derive(Debug, Clone)]
pub struct Window {
    pub service: String,
    /// In which way.
    pub kind: TroubleKind,
    pub from: f64,
    /// Until when.
    pub to: f64,
}

#[derive(Debug)]
struct JobTable {
    records: HashMap<String, JobRecord>,
    sent: usize,
    rng: Rng,
}

impl DemoClock {
    /// Seconds since the start, at the demo's speed.
    pub fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * self.speed
    }

    /// The wall-clock time of a moment of the demo.
    pub fn at(&self, moment: f64) -> Timestamp {
        let offset = jiff::SignedDuration::try_from_secs_f64(moment / self.speed).unwrap_or_default();
        self.started_at.checked_add(offset).unwrap_or(self.started_at)
    }

    /// So many seconds of the demo in our time.
    pub fn real(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed).unwrap_or_default()
    }
}

impl World {
    /// A world of that many jobs, made from the seed.
    pub fn new(options: &DemoOptions, seed: u64) -> Result<Self, DemoError> {
        let scenario = Scenario::load()?;
        let mut rng = Rng::with_seed(seed);
        let windows = (scenario.services.troubles.iter())
            .map(|trouble| {
                let from = between(trouble.at, &mut rng);
                let to = from + between(trouble.lasts, &mut rng);
                Window { service: trouble.service.clone(), kind: trouble.kind, from, to }
            })
            .collect();
        let batch: Vec<_> = plan(&scenario, options.jobs, &mut rng).into_iter().map(Arc::new).collect();
        let records = batch.iter().map(|job| (job.id.clone(), JobRecord::new(job.clone(), [].into()))).collect();
        let clock = DemoClock { started: Instant::now(), started_at: Timestamp::now(), speed: options.speed };
        let table = Mutex::new(JobTable { records, sent: 0, rng });
        Ok(Self { scenario, batch, clock, windows, calm: options.calm, table })
    }

    /// Whether nothing goes wrong or late on the way.
    pub fn is_calm(&self) -> bool {
        self.calm
    }

    /// Adds a job that a client sends now, of the first kind that is such a one. None if there is no such kind.
    pub fn send_first(&self, is_such: impl Fn(&JobKind) -> bool) -> Option<Arc<Planned>> {
        let kind = self.scenario.kinds.iter().find(|kind| is_such(kind))?;
        Some(self.send(kind.clone(), Vec::new()))
    }

    /// Adds a job that a client sends now.
    pub fn send(&self, kind: JobKind, names: Vec<String>) -> Arc<Planned> {
        let mut table = self.table();
        let job = self.begin(kind, &mut table);
        table.records.insert(job.id.clone(), JobRecord::new(job.clone(), names.into()));
        job
    }

    /// Sends a job again, which succeeds this time. None if there is no such job.
    pub fn send_again(&self, id: &str) -> Option<Arc<Planned>> {
        let record = self.record(id)?;
        let service = &record.job.kind.common().service;
        let works = |kind: &&JobKind| kind.common().service == *service && kind.state() == State::Succeeded;
        let kind = self.scenario.kinds.iter().find(works)?;
        Some(self.send(kind.clone(), record.names.to_vec()))
    }

    /// The next job that is sent.
    fn begin(&self, kind: JobKind, table: &mut JobTable) -> Arc<Planned> {
        table.sent += 1;
        let number = self.batch.len() + table.sent;
        Arc::new(sent(kind, number, self.clock.now(), &mut table.rng))
    }

    /// Counts a read and says what it meets; None if there is no such job.
    pub fn meet(&self, id: &str) -> Option<Met> {
        let now = self.clock.now();
        let mut table = self.table();
        let record = table.records.get_mut(id)?;
        record.reads = record.reads.saturating_add(1);
        Some(Met {
            job: record.job.clone(),
            names: record.names.clone(),
            phase: record.job.phase(now),
            read: record.reads,
        })
    }

    /// Takes the result of a job that is over: true only the first time. This is the moment of which there is one.
    pub fn take(&self, id: &str, taken: HandedOut) -> bool {
        let mut table = self.table();
        let Some(record) = table.records.get_mut(id) else { return false };
        record.consuming = record.consuming.saturating_add(1);
        let first = record.taken.is_none();
        record.taken.get_or_insert(taken);
        first
    }

    /// The reply with the job's result went out whole.
    pub fn sent_whole(&self, id: &str) {
        if let Some(taken) = self.table().records.get_mut(id).and_then(|record| record.taken.as_mut()) {
            taken.whole = true;
        }
    }

    /// What is known of a job's reads.
    pub fn record(&self, id: &str) -> Option<JobRecord> {
        self.table().records.get(id).cloned()
    }

    /// What a read of that job meets in place of an answer.
    pub fn obstacle(&self, met: &Met) -> Option<Obstacle> {
        if self.calm {
            return None;
        }
        let now = self.clock.now();
        let service = &met.job.kind.common().service;
        let within = |window: &&Window| &window.service == service && (window.from..window.to).contains(&now);
        if let Some(window) = self.windows.iter().find(within) {
            return Some(Obstacle::Trouble(window.kind, self.clock.real(window.to - now).as_secs_f64()));
        }
        let sporadic = self.scenario.services.sporadic;
        let draw = met.job.rng(u64::from(met.read) + 1_000).f64();
        if draw < sporadic.hangs_up {
            Some(Obstacle::Trouble(TroubleKind::HangsUp, 0.0))
        } else if draw < sporadic.hangs_up + sporadic.gateway_timeout {
            Some(Obstacle::Trouble(TroubleKind::GatewayTimeout, 0.0))
        } else if draw < sporadic.hangs_up + sporadic.gateway_timeout + sporadic.slow {
            Some(Obstacle::Slow(self.clock.real(0.6 + 0.8 * met.job.rng(u64::from(met.read)).f64())))
        } else {
            None
        }
    }

    fn table(&self) -> MutexGuard<'_, JobTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobRecord {
    fn new(job: Arc<Planned>, names: Arc<[String]>) -> Self {
        Self { job, names, reads: 0, consuming: 0, taken: None }
    }
}

fn between([low, high]: [f64; 2], rng: &mut Rng) -> f64 {
    low + rng.f64() * (high - low)
}
