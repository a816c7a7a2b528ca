//! Who polls: schedule, gates, the save-before-show pipeline, the drain, following other instances.
//! The only folder that combines providers, net and store; the dashboard and the headless commands both run on it.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::domain::clock::Clock;
use crate::domain::fact::Fact;
use crate::domain::hook::Hook;
use crate::domain::job::{Job, JobIx};
use crate::domain::service::{PollSettings, Service};
use crate::net::{ClientError, Net};

mod also;
mod claims;
mod clock;
mod commands;
mod descriptors;
mod disk;
pub mod explain;
mod hook_news;
mod intake;
mod job_entry;
mod log;
pub mod mask;
pub mod online;
mod peek;
mod poll;
mod polls;
mod recovery;
mod reload;
mod reporter;
mod responses;
mod run;
pub mod saved;
mod schedule;
mod service_entry;
mod service_gate;
mod service_state;
pub mod token;
pub mod view;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Until the user leaves; jobs that were given up are still read at `max_interval` where the contract says so.
    Dashboard,
    /// Until every job is over or given up.
    Watch,
    /// One read of every unfinished job that no other instance reads.
    Once,
}

#[derive(Debug)]
pub struct Setup {
    pub purpose: Purpose,
    /// What holds for all services.
    pub poll: PollSettings,
    /// The services of the jobs file, and the token of each: the secret, or why there is none.
    pub services: token::Tokens,
    /// The jobs, in the file's order, each of one of these services.
    pub jobs: Vec<Arc<Job>>,
    /// At which events programs of the user's own are run; by whom is the front end's business.
    pub hooks: Vec<Arc<Hook>>,
    /// The state directory, opened to poll with.
    pub store: saved::OpenStore,
    /// Seed of the jitter.
    pub seed: u64,
    /// The time of day.
    pub clock: Clock,
}

/// What the user (or a signal) wants of a running engine.
#[derive(Debug)]
pub enum EngineCommand {
    /// Read these jobs now, where that is possible; `Fact::Refused` says where not.
    ReadNow(Vec<JobIx>),
    /// Send no new read (true), or go on (false). Claims are given up meanwhile.
    Pause(bool),
    /// Ask for a job's reads and changes: answered with `Fact::History`.
    History(JobIx),
    /// The jobs file was changed and is valid: these are its poll table, services and jobs.
    Reload(Box<Reload>),
    /// The process is about to be stopped: finish the one-shot reads, give up the claims, say `Fact::Suspended`.
    Suspend,
    Resume,
    /// Start no new read, finish the one-shot reads in flight, save, end with `Fact::Ended`.
    Drain,
    /// End at once: save what has come of the reads in flight.
    Abort,
}

/// A jobs file that was changed.
#[derive(Debug)]
pub struct Reload {
    /// What holds for all services.
    pub poll: PollSettings,
    /// The services and their tokens.
    pub services: Vec<(Arc<Service>, token::Renewal)>,
    /// The jobs, in the file's order.
    pub jobs: Vec<Arc<Job>>,
    /// The hooks that apply from now on.
    pub hooks: Vec<Arc<Hook>>,
}

/// A running engine: commands go in here, facts come out of the channel that it was started with.
#[derive(Debug, Clone)]
pub struct Engine {
    commands: mpsc::UnboundedSender<EngineCommand>,
}

impl Engine {
    /// Asks for something. An engine that has ended ignores it.
    pub fn send(&self, command: EngineCommand) {
        let _ = self.commands.send(command);
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its runtime or its thread cannot be made.
    #[error("failed to start the engine: {0}. End some programs, then try again")]
    NoThread(#[from] std::io::Error),
    /// No HTTP client can be made.
    #[error(transparent)]
    NoClient(#[from] ClientError),
    /// A job, by its label, names a service that was not handed over.
    #[error("internal error: the job {0} names a service that is not given. Please report it")]
    UnknownService(String),
}

/// Starts an engine on its own thread and runtime: a terminal or a pipe that takes no more output must not hold
/// up a reply that can be read once. It first declares every job with what is known of it, and ends with
/// `Fact::Ended`, after which nothing more is sent.
pub fn start(setup: Setup, facts: mpsc::UnboundedSender<Fact>) -> Result<Engine, StartError> {
    let (commands, inbox) = mpsc::unbounded_channel();
    let runtime = OwnRuntime(Some(tokio::runtime::Builder::new_current_thread().enable_all().build()?));
    let run = run::EngineLoop::new(setup, facts)?;
    let work = move || {
        let OwnRuntime(runtime) = &runtime;
        if let Some(runtime) = runtime {
            runtime.block_on(run.run(inbox));
        }
    };
    std::thread::Builder::new().name("engine".to_owned()).spawn(work)?;
    Ok(Engine { commands })
}

/// A runtime that waits for nothing at its end: a look-up or a token command that nobody waits for any more must not keep
/// its thread, and where no thread could be started it ends in the midst of another.
struct OwnRuntime(Option<tokio::runtime::Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is wrong with the variables that requests depend on, a sentence each; it holds no secret.
pub fn environment_troubles() -> Vec<String> {
    crate::net::environment::troubles()
}

/// Makes the HTTP clients that these services need, so that a missing certificate bundle is reported before anything
/// else.
pub fn check_certificates<'a>(services: impl IntoIterator<Item = &'a Service>) -> Result<(), StartError> {
    let poll = PollSettings::default();
    let net = Net::new(&poll, Clock::new(Timestamp::now));
    for service in services {
        net.prepare(&service.base, service.is_one_shot())?;
    }
    Ok(())
}
