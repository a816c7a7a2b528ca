//! Simulated services on loopback, with the real services' semantics: 422 while running, one read only, 406 after.
//!
//! One server thread speaks for all of them. What the jobs do is data in `assets/demo`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use world::World;

mod connection;
mod jobs_file;
mod kind;
mod ledger;
mod llmwhisperer;
mod optexity;
mod plan;
mod render;
mod resubmit;
mod scenario;
pub mod serve;
mod server;
mod template;
#[cfg(test)]
mod tests;
mod unstract;
mod unstract_body;
mod vessl;
mod world;

/// The most jobs that a demo makes.
pub const MAX_JOBS: usize = 100_000;

/// What a demo is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DemoOptions {
    /// How many jobs, at most [`MAX_JOBS`].
    pub jobs: usize,
    /// The same seed makes the same ids, timelines, bodies and trouble. None: another one each time.
    pub seed: Option<u64>,
    /// How fast the demo's clock runs, above zero; 1: a batch takes about two minutes and a half.
    pub speed: f64,
    /// The port on 127.0.0.1; None: one that is free.
    pub port: Option<u16>,
    /// No trouble on the way and no delays: only the jobs' own ends. For tests.
    pub calm: bool,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { jobs: 60, seed: None, speed: 1.0, port: None, calm: false }
    }
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// An option out of its range.
    #[error("{0}")]
    Option(&'static str),
    /// The port is taken.
    #[error("failed to listen on 127.0.0.1:{port}: {cause}. Choose another --port, or leave it out for a free one.")]
    Listen {
        /// The port that was asked for; 0: any.
        port: u16,
        /// What the system said.
        cause: io::Error,
    },
    /// The server cannot run.
    #[error("failed to start the simulated services: {0}")]
    Start(io::Error),
    /// A file of `assets/demo` is wrong: a bug.
    #[error("failed to read the demo's scenario: {0}")]
    Scenario(String),
    /// The jobs file cannot be printed.
    #[error("failed to print the jobs file: {0}")]
    Print(io::Error),
}

/// Running services. They end when this is dropped.
#[derive(Debug)]
pub struct Demo {
    world: Arc<World>,
    address: SocketAddr,
    seed: u64,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    /// Starts the services on their own thread and runtime, so that a busy dashboard does not slow them.
    pub fn start(options: DemoOptions) -> Result<Self, DemoError> {
        if options.jobs > MAX_JOBS {
            return Err(DemoError::Option("a demo has at most 100000 jobs: choose a smaller --jobs"));
        }
        if !(options.speed.is_finite() && (0.01..=1000.0).contains(&options.speed)) {
            return Err(DemoError::Option("the demo's speed must be between 0.01 and 1000: choose another --speed"));
        }
        let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
        Self::of(World::new(&options, seed)?, seed, options.port.unwrap_or(0))
    }

    /// Where the services listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The seed that makes this demo again.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A jobs file for all jobs of the demo (TOML), that works without changes.
    pub fn jobs_file(&self) -> String {
        jobs_file::jobs_file(&self.world, self.address)
    }

    fn of(world: World, seed: u64, port: u16) -> Result<Self, DemoError> {
        let world = Arc::new(world);
        let listener = server::listen(port).map_err(|cause| DemoError::Listen { port, cause })?;
        let address = listener.local_addr().map_err(DemoError::Start)?;
        let (end, ended) = oneshot::channel();
        let thread = server::spawn(world.clone(), listener, ended).map_err(DemoError::Start)?;
        Ok(Self { world, address, seed, end: Some(end), thread: Some(thread) })
    }
}

/// What the services know of themselves, for tests; from outside it is `GET /demo/ledger`.
#[cfg(test)]
impl Demo {
    /// How often a job was asked for, trouble included.
    pub fn reads(&self, id: &str) -> u32 {
        self.world.record(id).map_or(0, |record| record.reads)
    }

    /// How often it was asked for when it was over. Of Unstract, the first of these reads takes the result; any
    /// further one is one too many.
    pub fn consuming_reads(&self, id: &str) -> u32 {
        self.world.record(id).map_or(0, |record| record.consuming)
    }

    /// The body of the terminal reply that was handed out whole; None if there was none, or only a part of it.
    pub fn handed_out(&self, id: &str) -> Option<Vec<u8>> {
        ledger::handed_out(&self.world, id)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
