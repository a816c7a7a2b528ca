//! Runs hooks: for the events of jobs that the store keeps, until it is noted there that they were delivered, and for
//! what happens to a whole run. Holds up no poll and no save.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::process::{self, Launch};
use crate::domain::clean::Clean;
use crate::domain::durations;
use crate::domain::fact::{Fact, Health};
use crate::domain::hook::{Hook, HookEvent};
use crate::domain::job::{Job, JobIx, JobKey};
use crate::domain::observation::Observation;
use crate::domain::secret::TokenSource;
use crate::domain::service::Service;
use crate::engine::saved::{HookQueue, NewHookEvent, PendingHook, Results, StoreError};
use crate::session::jsonl::{StateLine, json};

/// Leaving waits for hooks at most so long.
const LEAVING: Duration = Duration::from_secs(10);
/// A hook that failed is run again after so long.
const AGAIN: Duration = Duration::from_secs(5);
/// How often a hook is run for one event, as the store counts.
const MOST_TRIES: u32 = 3;

#[derive(Debug)]
pub struct HookContext {
    /// Where events are kept.
    pub queue: HookQueue,
    /// What is known of their jobs.
    pub results: Results,
    /// Variables of ours that hold secrets: no hook gets them.
    pub secrets: Vec<String>,
    /// Told when a hook failed, besides the log.
    pub say: Option<fn(&str)>,
}

/// The variables of ours that hold tokens of these services.
pub fn secrets<'a>(services: impl Iterator<Item = &'a Arc<Service>>) -> Vec<String> {
    let sources = services
        .flat_map(|service| std::iter::once(&service.token).chain(service.secrets.iter().map(|(_, source)| source)));
    let variable = |source: &TokenSource| match source {
        TokenSource::Env(name) => Some(name.clone()),
        TokenSource::File(_) | TokenSource::Command(_) => None,
    };
    sources.filter_map(variable).collect()
}

/// Runs hooks beside an engine.
#[derive(Debug)]
pub struct HookRunner {
    signs: UnboundedSender<HookMessage>,
    task: JoinHandle<()>,
    jobs: HashMap<JobIx, (Arc<Job>, Arc<Observation>)>,
    /// Whether anything has happened in this run: what was over before is no event.
    has_news: bool,
    given_up: HashSet<JobIx>,
    /// Since when jobs are as they were when they were reported to be stuck.
    stuck: HashMap<JobIx, Timestamp>,
}

/// What the runner hears.
#[derive(Debug)]
enum HookMessage {
    /// There may be events in the store.
    Saved,
    /// Something happened that no save of a job brings, at this time: these are the jobs that it is about.
    Happened(HookEvent, Timestamp, Vec<(Arc<Job>, Arc<Observation>)>),
    /// All jobs are over.
    Settled(Settled),
    /// These are the hooks from now on.
    Hooks(Vec<Arc<Hook>>),
    /// Deliver what is there, and end.
    Leave,
}

/// All jobs are over: what the end of a run is told with, if this is one.
#[derive(Debug)]
struct Settled {
    /// When the last of them changed: the same for every instance that sees it, so that it is kept once.
    at: Timestamp,
    jobs: Vec<(Arc<Job>, Arc<Observation>)>,
    /// Whether this run saw anything happen. If not, an earlier one may have that could not look any more.
    has_news: bool,
}

impl HookRunner {
    /// Starts; what earlier runs did not deliver is delivered first.
    pub fn start(hooks: Vec<Arc<Hook>>, around: HookContext) -> Self {
        let (signs, inbox) = unbounded_channel();
        let _ = signs.send(HookMessage::Saved);
        let runner = Runner {
            hooks,
            around: Arc::new(around),
            runs: JoinSet::new(),
            busy: BTreeSet::new(),
            not_before: HashMap::new(),
            unsaved: Vec::new(),
            settled: None,
            leaving: false,
        };
        let task = tokio::spawn(runner.run(inbox));
        Self { signs, task, jobs: HashMap::new(), has_news: false, given_up: HashSet::new(), stuck: HashMap::new() }
    }

    /// Learns from a fact what may have happened.
    pub fn on_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Declared { ix, job, known } => {
                self.look_whether_stuck(*ix, job, known);
                self.jobs.insert(*ix, (Arc::clone(job), Arc::clone(known)));
            }
            Fact::Withdrawn(ix) => {
                self.jobs.remove(ix);
            }
            Fact::Observed { ix, changed, known, .. } => {
                let Some((job, before)) = self.jobs.get_mut(ix) else { return };
                *before = Arc::clone(known);
                let job = Arc::clone(job);
                self.look_whether_stuck(*ix, &job, known);
                if !changed {
                    return;
                }
                self.has_news = true;
                self.send(HookMessage::Saved);
            }
            Fact::Health { ix, health: Health::GivenUp(_) } => {
                self.given_up.insert(*ix);
                self.has_news = true;
                self.send(HookMessage::Saved);
            }
            Fact::Health { ix, .. } => {
                self.given_up.remove(ix);
            }
            Fact::Settled => {
                // Where each job is asked but once, that they were is not the end of them.
                if !self.jobs.iter().all(|(ix, (_, known))| known.is_over() || self.given_up.contains(ix)) {
                    return;
                }
                let mut jobs: Vec<_> = self.jobs.iter().collect();
                jobs.sort_by_key(|(ix, _)| **ix);
                let jobs: Vec<_> = jobs.into_iter().map(|(_, entry)| entry.clone()).collect();
                let at = jobs.iter().map(|(_, known)| since(known)).max().unwrap_or_else(Timestamp::now);
                let has_news = std::mem::take(&mut self.has_news);
                self.send(HookMessage::Settled(Settled { at, jobs, has_news }));
            }
            Fact::Unanswered { .. }
            | Fact::NotOk { .. }
            | Fact::Gate { .. }
            | Fact::Reloaded { .. }
            | Fact::StoreTrouble(_)
            | Fact::LogGrows(_)
            | Fact::NextRead(_)
            | Fact::Refused { .. }
            | Fact::History { .. }
            | Fact::Suspended
            | Fact::Draining(_)
            | Fact::Ended(_) => {}
        }
    }

    /// A job is stuck once for each state that it is stuck in.
    fn look_whether_stuck(&mut self, ix: JobIx, job: &Arc<Job>, known: &Arc<Observation>) {
        let at = since(known);
        if durations::is_stuck(known, job.traits.alert_after, Timestamp::now()) && self.stuck.insert(ix, at) != Some(at)
        {
            self.send(HookMessage::Happened(HookEvent::Stuck, at, vec![(Arc::clone(job), Arc::clone(known))]));
        }
    }

    /// The hooks of a changed file.
    pub fn set_hooks(&self, hooks: Vec<Arc<Hook>>) {
        self.send(HookMessage::Hooks(hooks));
    }

    /// Delivers what is there, for at most ten seconds. What is not delivered then is, at the next start.
    pub async fn leave(mut self) {
        self.send(HookMessage::Leave);
        if timeout(LEAVING, &mut self.task).await.is_err() {
            tracing::warn!("hooks took longer than {} s and were ended; they are run again", LEAVING.as_secs());
            // Killed with all that they have started.
            self.task.abort();
            let _ = self.task.await;
        }
    }

    fn send(&self, sign: HookMessage) {
        let _ = self.signs.send(sign);
    }
}

/// Since when a job is as it is.
fn since(known: &Observation) -> Timestamp {
    known.changed_at.or(known.first_seen).or(known.last_poll.as_ref().map(|poll| poll.at)).unwrap_or_default()
}

/// What a hook is run for at once.
#[derive(Debug, Clone)]
struct HookRun {
    hook: Arc<Hook>,
    /// Numbers of events in the store.
    events: Vec<i64>,
    names: BTreeSet<&'static str>,
    lines: String,
    /// How often it was tried before.
    tries: u32,
}

type Events = Vec<(JobKey, NewHookEvent)>;

struct Runner {
    hooks: Vec<Arc<Hook>>,
    around: Arc<HookContext>,
    runs: JoinSet<(HookRun, bool)>,
    /// Hooks that are being run.
    busy: BTreeSet<String>,
    /// When a hook may be run again.
    not_before: HashMap<String, Instant>,
    /// What happened and is not in the store yet.
    unsaved: Events,
    /// All jobs are over, and it was not looked yet whether a run ended with that.
    settled: Option<Settled>,
    leaving: bool,
}

impl Runner {
    async fn run(mut self, mut inbox: UnboundedReceiver<HookMessage>) {
        let mut wake = None;
        loop {
            tokio::select! {
                sign = inbox.recv() => self.hear(sign.unwrap_or(HookMessage::Leave)),
                Some(ended) = self.runs.join_next() => {
                    if let Ok((delivery, good)) = ended {
                        self.note(delivery, good).await;
                    }
                }
                () = wait_until(wake) => {}
            }
            while let Ok(sign) = inbox.try_recv() {
                self.hear(sign);
            }
            wake = self.begin().await;
            if self.leaving && self.runs.is_empty() {
                return;
            }
        }
    }

    fn hear(&mut self, sign: HookMessage) {
        match sign {
            HookMessage::Saved => {}
            HookMessage::Happened(event, at, jobs) => {
                for hook in self.hooks.iter().filter(|hook| hook.on.contains(&event)) {
                    self.unsaved.extend(events(hook, event, at, &jobs));
                }
            }
            HookMessage::Settled(settled) => {
                let has_news = self.settled.take().is_some_and(|before| before.has_news) || settled.has_news;
                self.settled = Some(Settled { has_news, ..settled });
            }
            HookMessage::Hooks(hooks) => self.hooks = hooks,
            HookMessage::Leave => self.leaving = true,
        }
    }

    /// Begins what is due; when the next will be.
    async fn begin(&mut self) -> Option<Instant> {
        if !self.unsaved.is_empty() {
            match self.around.queue.add(self.unsaved.clone(), Vec::new()).await {
                Ok(()) => self.unsaved.clear(),
                Err(error) => tracing::warn!("{error}"),
            }
        }
        if let Some(settled) = self.settled.take()
            && let Err(error) = self.look_for_end(&settled).await
        {
            tracing::warn!("{error}");
            self.settled = Some(settled);
        }
        let mut waiting: BTreeMap<String, Vec<HookRun>> = BTreeMap::new();
        if !self.hooks.is_empty() {
            for delivery in self.stored().await {
                waiting.entry(delivery.hook.id.clone()).or_default().push(delivery);
            }
        }
        let now = Instant::now();
        let mut wake = None;
        for (id, deliveries) in waiting {
            let not_before = self.not_before.get(&id).copied().filter(|at| *at > now);
            let retries = deliveries.iter().any(|delivery| delivery.tries > 0);
            let is_free = !self.busy.contains(&id);
            if !is_free || not_before.is_some() && (!self.leaving || retries) {
                wake = wake.into_iter().chain(not_before.filter(|_| is_free)).min();
                continue;
            }
            if let Some(delivery) = together(deliveries) {
                self.not_before.insert(id.clone(), now + delivery.hook.batch);
                self.busy.insert(id.clone());
                let around = Arc::clone(&self.around);
                self.runs.spawn(async move {
                    let good = deliver(&delivery, &around).await;
                    (delivery, good)
                });
            }
        }
        wake
    }

    /// Notes that a run ended, for each hook that waits for it.
    async fn look_for_end(&self, settled: &Settled) -> Result<(), StoreError> {
        if !self.hooks.iter().any(|hook| hook.on.contains(&HookEvent::Finished)) {
            return Ok(());
        }
        let endings = self.around.queue.endings().await?;
        let (events, endings) = self.ended(settled, endings);
        if events.is_empty() && endings.is_empty() {
            return Ok(());
        }
        self.around.queue.add(events, endings).await
    }

    /// The events of the end of a run: if something happened in this one, or in an earlier one that died before it could
    /// look. With them the endings that are looked at thereby.
    fn ended(&self, settled: &Settled, mut endings: Vec<(JobKey, String)>) -> (Events, Vec<(JobKey, String)>) {
        let ours: HashSet<&JobKey> = settled.jobs.iter().map(|(job, _)| &job.key).collect();
        endings.retain(|(key, hook)| ours.contains(key) && self.hooks.iter().any(|ours| ours.id == *hook));
        let waits: HashSet<&str> = endings.iter().map(|(_, hook)| &**hook).collect();
        let mut found = Vec::new();
        for hook in self.hooks.iter().filter(|hook| hook.on.contains(&HookEvent::Finished)) {
            if settled.has_news || waits.contains(&*hook.id) {
                found.extend(events(hook, HookEvent::Finished, settled.at, &settled.jobs));
            }
        }
        (found, endings)
    }

    /// What the store has for our hooks.
    async fn stored(&self) -> Vec<HookRun> {
        let events = match self.around.queue.undelivered().await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!("failed to look for events of hooks: {error}");
                return Vec::new();
            }
        };
        let keys: Vec<JobKey> = events.iter().map(|event| event.job.key.clone()).collect();
        let known = if keys.is_empty() { Vec::new() } else { self.around.results.load(keys).await.unwrap_or_default() };
        let ours = events.into_iter().zip(known).filter_map(|(event, known)| {
            let hook = self.hooks.iter().find(|hook| hook.id == event.hook).map(Arc::clone)?;
            let happened = HookEvent::parse(&event.event)?;
            let lines = line(&event, happened, &known);
            let names = BTreeSet::from([happened.as_str()]);
            Some(HookRun { hook, events: vec![event.id], names, lines, tries: event.tries })
        });
        ours.collect()
    }

    /// Notes what came of a run; one that failed is tried again, three times in all.
    async fn note(&mut self, delivery: HookRun, good: bool) {
        self.busy.remove(&delivery.hook.id);
        if let Err(error) = self.around.queue.note(delivery.events, good).await {
            tracing::warn!("failed to note that a hook was run: {error}");
        }
        if !good {
            self.not_before.insert(delivery.hook.id.clone(), Instant::now() + AGAIN.max(delivery.hook.batch));
        }
    }
}

/// An event of those of these jobs that a hook is about.
fn events(hook: &Hook, event: HookEvent, at: Timestamp, jobs: &[(Arc<Job>, Arc<Observation>)]) -> Events {
    let now = Timestamp::now();
    let new = NewHookEvent { hook: hook.id.clone(), event: event.as_str().to_owned(), at };
    let about = jobs.iter().filter(|(job, known)| hook.is_about(job, known, now));
    about.map(|(job, _)| (job.key.clone(), new.clone())).collect()
}

/// All that one hook is run for at once.
fn together(deliveries: Vec<HookRun>) -> Option<HookRun> {
    deliveries.into_iter().reduce(|mut all, one| {
        all.events.extend(one.events);
        all.names.extend(one.names);
        all.lines.push_str(&one.lines);
        all.tries = all.tries.max(one.tries);
        all
    })
}

async fn deliver(delivery: &HookRun, around: &HookContext) -> bool {
    let hook = &delivery.hook;
    let names: Vec<&str> = delivery.names.iter().copied().collect();
    let launch = Launch {
        path: hook.program.path(),
        arguments: hook.program.argv().iter().skip(1).cloned().collect(),
        variables: vec![("JOBDECK_EVENT".to_owned(), names.join(","))],
        secrets: around.secrets.clone(),
        input: Bytes::from(delivery.lines.clone()),
        has_terminal: false,
    };
    let what = format!("the hook at {} ({})", hook.place, names.join(", "));
    let why = match process::run(launch).await {
        Ok(ended) if ended.status.success() => {
            tracing::info!("{what} was run for {} lines", delivery.lines.lines().count());
            return true;
        }
        Ok(ended) => {
            let said = String::from_utf8_lossy(&ended.err.bytes).lines().next().unwrap_or_default().to_owned();
            let said = if said.is_empty() { String::new() } else { format!(": {}", Clean::from(said)) };
            format!("{what} failed ({}){said}", ended.status)
        }
        Err(error) => format!("{what} failed: {error}"),
    };
    let left = MOST_TRIES.saturating_sub(delivery.tries + 1);
    let then = if left == 0 { "it is given up".to_owned() } else { "it is tried again".to_owned() };
    let said = format!("{}; {then}", Clean::from(why));
    tracing::warn!("{said}");
    if let Some(say) = around.say {
        say(&said);
    }
    false
}

/// A job's JSON line, with the event that it is given for.
#[derive(Serialize)]
struct EventLine<'a> {
    #[serde(flatten)]
    state: StateLine<'a>,
    event: &'static str,
}

fn line(pending: &PendingHook, event: HookEvent, known: &Observation) -> String {
    let state = StateLine::new(pending.at, &pending.job, pending.previous, known);
    json(&EventLine { state, event: event.as_str() }) + "\n"
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
