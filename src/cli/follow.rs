//! An engine run to its end without a screen: facts in, lines out, signals and a closed output turned into a drain.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::args::Until;
use super::event_lines::{KnownBefore, LineFormat, NotOk, named};
use super::failure::Failure;
use super::odd_rows::{self, MOST_NAMED};
use super::output::{self, Closed, LinePrinter, wait_closed};
use super::signals::{self, Signals, Stops};
use super::stop::{StopCause, TimeLimit, wait_until};
use crate::domain::clean::Clean;
use crate::domain::fact::{Ending, Fact, Gate, Health, Silence, StoreTrouble, log_grows, reloaded};
use crate::domain::job::{Job, JobIx};
use crate::domain::observation::{LastPoll, Observation};
use crate::domain::state::State;
use crate::domain::{human, note};
use crate::engine::{self, Engine, EngineCommand, Setup};
use crate::exit::{FailureKind, Signal};
use crate::run::hooks::{self, HookContext, HookRunner};
use crate::session::exporter::Exporter;
use crate::session::owners::PollOwners;
use crate::session::reload::ReloadNews;
use crate::session::select::{self, KnownJob};
use crate::session::watch_file::WatchedFile;

/// How to follow an engine.
#[derive(Debug)]
pub struct Plan {
    pub until: Until,
    /// When to leave in any case.
    pub deadline: Option<TimeLimit>,
    /// Where lines go; None for none.
    pub stream: Option<LineStream>,
    /// The jobs file while it is watched; None where it is read once.
    pub edits: Option<WatchedFile>,
    /// Writes results out as they arrive.
    pub exporter: Option<Exporter>,
    /// Whether to say on standard error what else happens.
    pub verbose: bool,
}

/// Where lines go, and in which language.
#[derive(Debug)]
pub struct LineStream {
    pub tongue: LineFormat,
    pub lines: LinePrinter,
    /// Says when nobody reads any more.
    pub closed: UnboundedReceiver<Closed>,
}

#[derive(Debug)]
pub struct Followed {
    /// The jobs and what is known of them now, in the engine's order.
    pub entries: Vec<KnownJob>,
    /// The signal that ended it.
    pub signal: Option<Signal>,
    /// What went wrong with the run itself.
    pub trouble: Option<FailureKind>,
    /// The printer, for the last line; None if nobody reads any more, or is waited for.
    pub lines: Option<LinePrinter>,
}

/// Runs an engine until its jobs are over or given up, or until the plan says so. Engine errors and trouble with
/// output come back in the result; only an engine that cannot start is an error.
pub async fn follow(setup: Setup, plan: Plan, signals: &mut Signals) -> Result<Followed, Failure> {
    let mut stops = Stops::listen()?;
    let (facts_in, mut facts) = unbounded_channel();
    let secrets = hooks::secrets(setup.services.iter().map(|(service, _)| service));
    let (queue, results) = (setup.store.hook_queue(), setup.store.results());
    let around = HookContext { queue, results, secrets, say: Some(output::say_error) };
    let mut hooks = HookRunner::start(setup.hooks.clone(), around);
    let engine = engine::start(setup, facts_in)?;
    let Plan { until, deadline, stream, mut edits, mut exporter, verbose } = plan;
    let (tongue, lines, mut closed) = match stream {
        Some(LineStream { tongue, lines, closed }) => (Some(tongue), Some(lines), Some(closed)),
        None => (None, None, None),
    };
    let mut follower = Follower::new(engine, until, tongue, lines, verbose);
    let mut heard = Vec::new();
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => follower.on_signal(signal),
            () = stops.next() => follower.on_stop(),
            how = wait_closed(&mut closed) => follower.on_closed(&how),
            cut = wait_until(deadline), if !follower.leaving => follower.cut_off(cut),
            stopped = follower.owners.next_stopped() => output::say_error(&stopped),
            news = next_news(&mut edits), if !follower.leaving => {
                if let ReloadNews::Ready(reload) = &news {
                    hooks.set_hooks(reload.hooks.clone());
                }
                follower.on_news(news, edits.as_mut());
            }
            // Together, as they are told: to wait for all of this anew costs more than what most of them mean.
            count = facts.recv_many(&mut heard, 256) => if count == 0 { break },
        }
        for fact in heard.drain(..) {
            follower.owners.on_fact(&fact);
            if let Some(exporter) = &mut exporter {
                exporter.on_fact(&fact);
            }
            hooks.on_fact(&fact);
            follower.on_fact(fact);
        }
        follower.leave_if_settled(edits.as_ref());
        if follower.ended {
            break;
        }
    }
    if let Some(exporter) = exporter {
        for failed in exporter.finish().await {
            output::say_error(&format!("not exported, tried again at the next start: {failed}"));
        }
    }
    // Whoever does not wait for results does not wait for hooks either.
    if !follower.aborted {
        hooks.leave().await;
    }
    Ok(follower.finished())
}

/// Resolves at news of the jobs file; never if it is not watched.
async fn next_news(edits: &mut Option<WatchedFile>) -> ReloadNews {
    match edits {
        Some(edits) => edits.next().await,
        None => std::future::pending().await,
    }
}

struct Follower {
    engine: Engine,
    until: Until,
    tongue: Option<LineFormat>,
    lines: Option<LinePrinter>,
    verbose: bool,
    entries: BTreeMap<JobIx, KnownJob>,
    /// Jobs that were taken out of the file: their reads in flight may still be waited for.
    withdrawn: BTreeMap<JobIx, KnownJob>,
    /// What made the end, if it was not the jobs'.
    cut: Option<StopCause>,
    leaving: bool,
    /// Whether every job is over or given up, as the engine knows them.
    settled: bool,
    /// Whether a changed jobs file was sent to the engine and not applied yet.
    reloading: bool,
    /// Whether the process stops as soon as the engine has given its claims up.
    stopping: bool,
    /// One-shot reads that the drain waited for when it was last said.
    waiting: Option<usize>,
    owners: PollOwners,
    ended: bool,
    /// Whether a second signal came.
    aborted: bool,
    output_failed: bool,
    store_trouble: Option<StoreTrouble>,
    /// Jobs of which the database held what jobdeck did not write.
    odd: usize,
    known_before: KnownBefore,
    ending: Ending,
}

impl Follower {
    fn new(
        engine: Engine,
        until: Until,
        tongue: Option<LineFormat>,
        lines: Option<LinePrinter>,
        verbose: bool,
    ) -> Self {
        Self {
            engine,
            until,
            tongue,
            lines,
            verbose,
            entries: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
            cut: None,
            leaving: false,
            settled: false,
            reloading: false,
            stopping: false,
            waiting: None,
            owners: PollOwners::default(),
            ended: false,
            aborted: false,
            output_failed: false,
            store_trouble: None,
            odd: 0,
            known_before: KnownBefore::default(),
            ending: Ending::default(),
        }
    }

    fn on_signal(&mut self, signal: Signal) {
        if self.cut.and_then(StopCause::signal).is_some() {
            output::say_error(&format!("{signal} again: leaving at once, saving what has come"));
            self.engine.send(EngineCommand::Abort);
            self.aborted = true;
            return;
        }
        self.cut_off(StopCause::Signal(signal));
    }

    fn cut_off(&mut self, cut: StopCause) {
        if !self.leaving || cut.signal().is_some() {
            self.cut = Some(cut);
        }
        self.leave("before the jobs' end");
    }

    /// A stopped process holds no claims, so that another instance can go on with its jobs.
    fn on_stop(&mut self) {
        if self.leaving {
            signals::stop();
        } else if !self.stopping {
            self.stopping = true;
            self.engine.send(EngineCommand::Suspend);
        }
    }

    fn on_suspended(&mut self) {
        if std::mem::take(&mut self.stopping) && !self.leaving {
            signals::stop();
            self.engine.send(EngineCommand::Resume);
        }
    }

    fn on_closed(&mut self, how: &Closed) {
        self.lines = None;
        match how {
            Closed::ByReader => self.leave("standard output was closed"),
            Closed::Failed(why) => {
                self.output_failed = true;
                output::say_error(&format!("failed to write to standard output: {why}"));
                self.leave("standard output failed");
            }
        }
    }

    fn on_news(&mut self, news: ReloadNews, edits: Option<&mut WatchedFile>) {
        match news {
            ReloadNews::Saved(file) => {
                let followed = self.entries.values().map(|entry| entry.job.key.clone()).collect();
                if let Some(edits) = edits {
                    edits.prepare(file, followed);
                }
            }
            ReloadNews::Broken(error) => {
                output::say_error(&format!(
                    "{error}\n\nthe jobs file was saved with errors; the previous one still applies"
                ));
            }
            ReloadNews::Ready(reload) => {
                self.reloading = true;
                self.engine.send(EngineCommand::Reload(reload));
            }
        }
    }

    fn on_reloaded(&mut self, added: usize, removed: usize) {
        (self.reloading, self.settled) = (false, false);
        output::say_error(&reloaded(added, removed));
    }

    /// A change of the jobs file that is on its way may bring more to follow.
    fn leave_if_settled(&mut self, edits: Option<&WatchedFile>) {
        if self.settled && !self.reloading && !edits.is_some_and(WatchedFile::is_preparing) {
            self.leave("every job is over or given up");
        }
    }

    /// Starts no new read, finishes the one-shot reads in flight.
    fn leave(&mut self, why: &str) {
        if !self.leaving {
            self.leaving = true;
            tracing::info!("leaving: {why}");
            self.engine.send(EngineCommand::Drain);
        }
    }

    fn on_fact(&mut self, fact: Fact) {
        if !matches!(fact, Fact::Declared { .. } | Fact::Health { .. }) {
            let line = self.known_before.besides();
            self.print(|_| line);
        }
        match fact {
            Fact::Declared { ix, job, known } => self.on_declared(ix, job, known),
            Fact::Withdrawn(ix) => self.withdrawn.extend(self.entries.remove(&ix).map(|entry| (ix, entry))),
            Fact::Observed { ix, previous, changed, known } => self.on_observed(ix, previous, changed, known),
            Fact::NotOk { ix, read, http_status, reason, retry_in } => {
                self.on_not_ok(ix, NotOk { read, http_status, reason, retry_in });
            }
            Fact::Health { ix, health } => self.on_health(ix, health),
            Fact::Gate { service, gate } => self.on_gate(&service, &gate),
            Fact::Unanswered { service, silence } => Self::on_unanswered(&service, silence),
            Fact::StoreTrouble(trouble) => self.on_store_trouble(trouble),
            Fact::LogGrows(bytes) => output::say_error(&log_grows(bytes)),
            Fact::Refused { ix, why } => self.tell(ix, &why.sentence(None)),
            Fact::Reloaded { added, removed } => self.on_reloaded(added, removed),
            Fact::Settled => self.settled = true,
            Fact::Draining(waiting) => self.on_draining(&waiting),
            Fact::Ended(ending) => {
                self.ending = ending;
                self.ended = true;
            }
            Fact::Suspended => self.on_suspended(),
            Fact::NextRead(_) | Fact::History { .. } => {}
        }
    }

    fn on_declared(&mut self, ix: JobIx, job: Arc<Job>, known: Arc<Observation>) {
        let first = !self.entries.contains_key(&ix);
        if first && known.is_observed() {
            let line = self.tongue.and_then(|tongue| self.known_before.line(tongue, &job, &known));
            self.print(|_| line);
        }
        if let Some(what) = known.odd_on_disk.as_deref().filter(|_| first) {
            self.odd += 1;
            if self.odd <= MOST_NAMED {
                output::say_error(&odd_rows::sentence(&job, what));
            } else if self.odd == MOST_NAMED + 1 {
                output::say_error("and of further jobs likewise: `jobdeck status` says of how many");
            }
        }
        let failed = known.state.is_bad_end();
        self.entries.insert(ix, KnownJob::new(job, known));
        self.stop_at(failed);
    }

    fn on_observed(&mut self, ix: JobIx, previous: Option<State>, changed: bool, known: Arc<Observation>) {
        let Some(entry) = self.entries.get_mut(&ix) else { return };
        entry.known = Arc::clone(&known);
        let job = Arc::clone(&entry.job);
        if changed {
            self.print(|tongue| tongue.state(Timestamp::now(), &job, previous, &known));
        }
        self.stop_at(known.state.is_bad_end());
    }

    fn stop_at(&mut self, failure: bool) {
        match self.until {
            Until::FirstFailure if failure => self.cut_off(StopCause::FirstFailure),
            Until::FirstFailure | Until::Finished => {}
        }
    }

    fn on_not_ok(&mut self, ix: JobIx, not_ok: NotOk) {
        let now = Timestamp::now();
        let Some(entry) = self.entries.get_mut(&ix) else { return };
        let known = Arc::make_mut(&mut entry.known);
        known.last_poll = Some(LastPoll {
            read: not_ok.read,
            http_status: not_ok.http_status,
            reason: Some(not_ok.reason.clone()),
            at: now,
        });
        let job = Arc::clone(&entry.job);
        self.print(|tongue| Some(tongue.read(now, &job, &not_ok)));
    }

    fn on_health(&mut self, ix: JobIx, health: Health) {
        match &health {
            Health::GivenUp(reason) => {
                let last = self.entries.get(&ix).and_then(|entry| entry.known.last_poll.as_ref());
                let what = last.map_or_else(String::new, |last| format!(", {}", note::read_in_words(last.read)));
                self.tell(ix, &format!("stopped polling{what}: {}", Clean::new(reason)));
            }
            Health::Following(owner) if self.verbose => self.tell(ix, &format!("polled by {owner}, following")),
            Health::Fresh
            | Health::Stale
            | Health::Paused
            | Health::Throttled(_)
            | Health::KeyRefused
            | Health::Held
            | Health::Following(_)
            | Health::SavedHere => {}
        }
        if let Some(entry) = self.entries.get_mut(&ix) {
            entry.health = health;
        }
    }

    fn on_gate(&self, service: &str, gate: &Gate) {
        match gate {
            Gate::KeyRefused(why) => output::say_error(&format!(
                "service {service}: no good token: {} (`jobdeck check` says where it comes from)",
                Clean::from(why.to_string())
            )),
            Gate::Throttled(until) | Gate::BackingOff(until) if self.verbose => {
                let wait = human::duration(human::age(Timestamp::now(), *until));
                output::say_error(&format!("service {service}: polling paused for {wait}"));
            }
            Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_) => {}
        }
    }

    fn on_unanswered(service: &str, silence: Option<Silence>) {
        let service = Clean::new(service);
        match silence {
            Some(Silence { since, polls }) => {
                let quiet = human::duration(human::age(since, Timestamp::now()));
                let waiting = human::counted(u32::try_from(polls).unwrap_or(u32::MAX), "poll");
                output::say_error(&format!("no response for {quiet} from {service} ({waiting} waiting)"));
            }
            None => output::say_error(&format!("{service} responds again")),
        }
    }

    fn on_store_trouble(&mut self, trouble: Option<StoreTrouble>) {
        let before = std::mem::replace(&mut self.store_trouble, trouble);
        let ended = || before.map(|before| before.ended().to_owned());
        self.store_trouble
            .as_ref()
            .map(StoreTrouble::begun)
            .or_else(ended)
            .iter()
            .for_each(|said| output::say_error(said));
    }

    fn on_draining(&mut self, waiting: &[JobIx]) {
        let before = self.waiting.replace(waiting.len());
        if waiting.is_empty() || before == Some(waiting.len()) {
            return;
        }
        let results = human::counted(waiting.len(), "result");
        if before.is_some() {
            output::say_error(&format!("still waiting for {results}"));
            return;
        }
        let known = waiting.iter().filter_map(|ix| self.entry(*ix));
        let names: Vec<String> = known.take(5).map(|entry| named(&entry.job)).collect();
        let more = waiting.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        output::say_error(&format!(
            "waiting for {results} that can be read only once: {}{more} (a signal now leaves at once and may lose them)",
            names.join(", ")
        ));
    }

    fn entry(&self, ix: JobIx) -> Option<&KnownJob> {
        self.entries.get(&ix).or_else(|| self.withdrawn.get(&ix))
    }

    fn tell(&self, ix: JobIx, what: &str) {
        if let Some(entry) = self.entry(ix) {
            output::say_error(&format!("{}: {what}", named(&entry.job)));
        }
    }

    fn print(&self, line: impl FnOnce(LineFormat) -> Option<String>) {
        if let (Some(tongue), Some(lines)) = (self.tongue, &self.lines)
            && let Some(line) = line(tongue)
        {
            lines.line(line);
        }
    }

    fn finished(self) -> Followed {
        for ix in &self.ending.lost {
            self.tell(*ix, "its response came and could be saved nowhere: its result is lost");
        }
        for ix in &self.ending.abandoned {
            self.tell(*ix, "its only response was broken off; what had come of it is saved, the rest may be lost");
        }
        for path in &self.ending.rescued {
            output::say_error(&format!(
                "a reply that the state directory did not take was saved to {}\nleave it there: jobdeck takes it up when it is \
                 started again from this directory",
                path.display()
            ));
        }
        if !self.ended {
            output::say_error("the engine ended without a word; this is a bug");
        }
        let entries: Vec<KnownJob> = self.entries.into_values().collect();
        if let Some(cut) = self.cut {
            output::say_error(&cut.sentence(&select::counts(&entries)));
        }
        let failed = matches!(self.store_trouble, Some(StoreTrouble::Local(_) | StoreTrouble::Memory(_)))
            || self.ending.store_failed
            || self.output_failed
            || !self.ended;
        let (trouble, signal) = (failed.then_some(FailureKind::Internal), self.cut.and_then(StopCause::signal));
        // Who does not wait for results does not wait for a reader of standard output either.
        let lines = self.lines.filter(|_| !self.aborted);
        Followed { entries, signal, trouble, lines }
    }
}
