//! An engine with its own state directory, against a server that answers what a test wrote down.

use crate::engine::token::TokenError;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use url::Url;

use super::script::{Script, Scripted};
use crate::domain::clock::Clock;
use crate::domain::fact::{Ending, Fact};
use crate::domain::job::{JobIx, JobKey, ProviderName};
use crate::domain::observation::Observation;
use crate::domain::secret::{Token, TokenSource};
use crate::domain::service::{Include, PLATFORM_TOKEN, Pace, PollSettings, Service};
use crate::engine::token::Renewal;
use crate::engine::{self, Engine, EngineCommand, Purpose, Reload, Setup};
use crate::store::Store;

/// The token of every test.
pub(super) const TOKEN: &str = "s3cret-token-of-the-tests";
/// The platform key of every test.
pub(super) const PLATFORM_KEY: &str = "p1atform-key-of-the-tests";
/// No test waits longer than this for a fact that has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a test runs on.
pub(super) struct Bench {
    pub(super) script: Script,
    pub(super) dir: tempfile::TempDir,
    pub(super) poll: PollSettings,
    pub(super) token: TokenSource,
    /// Whether Unstract services have a platform key.
    pub(super) peeks: bool,
    /// Seconds by which the engine's time of day is ahead of ours.
    ahead: Arc<AtomicI64>,
    jobs: Vec<(ProviderName, String)>,
}

/// An engine that runs, and all that it has reported.
pub(super) struct Running {
    pub(super) engine: Engine,
    facts: UnboundedReceiver<Fact>,
    pub(super) told: Vec<Fact>,
}

impl Bench {
    pub(super) fn new() -> Self {
        // The provider is installed once a process by the program; here by whichever test is first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            script: Script::start().unwrap(),
            dir: tempfile::tempdir().unwrap(),
            poll: PollSettings {
                pace: Pace { interval: Duration::from_millis(20), max_interval: Duration::from_millis(100) },
                in_flight: 8,
                connect_timeout: Duration::from_secs(2),
                read_timeout: Duration::from_secs(2),
                not_found_grace: Duration::from_millis(150),
                max_response: 4 << 30,
            },
            token: TokenSource::Env("JOBDECK_TEST_TOKEN".to_owned()),
            peeks: false,
            ahead: Arc::default(),
            jobs: Vec::new(),
        }
    }

    /// The time of day jumps by this many seconds, and something happens by which a running engine sees it.
    pub(super) fn jump(&self, seconds: i64, running: &Running) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
        running.engine.send(EngineCommand::History(JobIx(0)));
    }

    /// A job and what its reads are answered, the last answer for ever.
    pub(super) fn job(mut self, provider: ProviderName, id: &str, replies: impl IntoIterator<Item = Scripted>) -> Self {
        self.script.on(id, replies);
        self.jobs.push((provider, id.to_owned()));
        self
    }

    pub(super) fn key(&self, provider: ProviderName, id: &str) -> JobKey {
        let service = self.service(provider);
        JobKey { provider, endpoint: service.endpoint, id: id.to_owned() }
    }

    pub(super) fn open_store(&self) -> Store {
        open(self.dir.path())
    }

    pub(super) fn start(&self, purpose: Purpose) -> Running {
        self.start_on(purpose, self.open_store())
    }

    pub(super) fn start_on(&self, purpose: Purpose, store: Store) -> Running {
        let token = Token::new(TOKEN).unwrap();
        let token = Ok(if self.peeks { token.with(PLATFORM_TOKEN, &Token::new(PLATFORM_KEY).unwrap()) } else { token });
        let Reload { poll, services, jobs, hooks } = self.file(&token, |_| true);
        let services = services.into_iter().map(|(service, _)| (service, token.clone())).collect();
        let (tell, facts) = unbounded_channel();
        let ahead = Arc::clone(&self.ahead);
        let clock = Clock::new(move || Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::SeqCst)));
        let setup = Setup { purpose, poll, services, jobs, hooks, store: store.into(), seed: 7, clock };
        Running { engine: engine::start(setup, tell).unwrap(), facts, told: Vec::new() }
    }

    /// What a jobs file says that has some of the jobs, every service with this token.
    pub(super) fn file(&self, token: &Result<Token, TokenError>, has: impl Fn(&str) -> bool) -> Reload {
        let others = self.jobs.iter().map(|(provider, _)| *provider).filter(|one| !super::PROVIDERS.contains(one));
        let providers: std::collections::BTreeSet<ProviderName> = super::PROVIDERS.into_iter().chain(others).collect();
        let services = providers
            .into_iter()
            .map(|provider| (Arc::new(self.service(provider)), Renewal::Asked(token.clone())))
            .collect();
        let job = |(provider, id): &(ProviderName, String)| {
            let key = self.key(*provider, id);
            Arc::new(crate::tests::job(key, provider.as_str()))
        };
        let jobs = self.jobs.iter().filter(|(_, id)| has(id)).map(job).collect();
        Reload { poll: self.poll, services, jobs, hooks: Vec::new() }
    }

    /// Waits until a job was polled this many times.
    pub(super) async fn until_read(&self, id: &str, times: usize) {
        let read = async {
            while self.script.reads(id) < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, read).await.is_ok(), "{id} was read {} times", self.script.reads(id));
    }

    /// Runs a watch to its end and says what is known of the first job then.
    pub(super) async fn watch(&self) -> Observation {
        let mut running = self.start(Purpose::Watch);
        running.until(|fact| *fact == Fact::Settled).await;
        let known = running.known(0);
        running.drain().await;
        known
    }

    fn service(&self, provider: ProviderName) -> Service {
        let path = match provider {
            ProviderName::VESSL => "/api/v1/services/slug",
            ProviderName::OPTEXITY => "",
            _ => "/deployment/api/org/api/",
        };
        let base = Url::parse(&self.script.url(path)).unwrap();
        let settings = [("base".to_owned(), base.to_string())].into();
        let platform = || (PLATFORM_TOKEN.to_owned(), self.token.clone());
        Service {
            name: provider.as_str().into(),
            provider: super::provider(provider),
            endpoint: super::provider(provider).endpoint(&base, &settings).into(),
            base,
            settings,
            token: self.token.clone(),
            secrets: self.peeks.then(platform).into_iter().collect(),
            pace: self.poll.pace,
            in_flight: None,
            rate: None,
            include: Include::default(),
            alert_after: None,
            fields: Arc::default(),
        }
    }
}

pub(super) fn open(dir: &Path) -> Store {
    Store::open(dir).unwrap().0
}

impl Running {
    /// Waits for a fact, and gives it.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Fact) -> bool) -> Fact {
        loop {
            let fact = tokio::time::timeout(PATIENCE, self.facts.recv()).await;
            let Ok(Some(fact)) = fact else { panic!("the fact never came; told were {:#?}", self.told) };
            self.told.push(fact.clone());
            if wanted(&fact) {
                return fact;
            }
        }
    }

    /// What was last reported of a job.
    pub(super) fn known(&self, ix: u32) -> Observation {
        let of = |fact: &Fact| match fact {
            Fact::Declared { ix: JobIx(at), known, .. } | Fact::Observed { ix: JobIx(at), known, .. } if *at == ix => {
                Some(Observation::clone(known))
            }
            _ => None,
        };
        self.told.iter().rev().find_map(of).unwrap()
    }

    /// The front end is gone without a word: what is reported until the engine has ended by itself.
    pub(super) async fn forsaken(self) -> Vec<Fact> {
        let Self { engine, mut facts, mut told } = self;
        drop(engine);
        let rest = async {
            while let Some(fact) = facts.recv().await {
                told.push(fact);
            }
        };
        assert!(tokio::time::timeout(PATIENCE, rest).await.is_ok(), "it does not end");
        told
    }

    /// Ends politely.
    pub(super) async fn drain(self) -> Ending {
        self.end(EngineCommand::Drain).await
    }

    pub(super) async fn end(mut self, command: EngineCommand) -> Ending {
        self.engine.send(command);
        let Fact::Ended(ending) = self.until(|fact| matches!(fact, Fact::Ended(_))).await else {
            panic!("another fact than the one that was waited for");
        };
        ending
    }
}
