//! Carries effects out, none of them on the drawing thread for longer than it takes to begin; results come back as
//! inputs of the loop.

pub mod clipboard;
mod content;
pub mod error;
pub mod files;
pub mod notify;
pub mod pager;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;

use self::clipboard::{ClipboardHost, ClipboardMethod};
use self::error::EffectError;
use self::notify::Notifier;
use super::failpoint::failpoint;
use super::message::Message;
use crate::app::effect::{BodyPart, CopyName, Effect, JobSnapshot, What};
use crate::app::event::{Copied, Event, FilesOf};
use crate::child;
use crate::config::user::Clipboard;
use crate::domain::clean::Clean;
use crate::domain::command::UserCommand;
use crate::domain::job::{Job, JobIx};
use crate::domain::observation::BodyId;
use crate::domain::service::Service;
use crate::engine::saved::Results;
use crate::engine::{Engine, EngineCommand};
use crate::json::index::{Document, IndexError};
use crate::report::{self, Report};

/// How many replies are looked into before the screen hears of it.
const HANDFUL: usize = 32;

/// What an effect asks of the loop itself: the terminal and the end are in its hands.
#[derive(Debug, Clone, PartialEq)]
pub enum LoopAction {
    /// Stop the process until the shell wants it again.
    Suspend,
    ClearScreen,
    /// Take the mouse, or give it back.
    SetMouse(bool),
    /// Send bytes that are no picture.
    Send(Vec<u8>),
    /// The engine shall end.
    Drain,
    /// The engine shall end at once.
    Abort,
    /// Run a command of the user's own over these jobs.
    RunCommand(Arc<UserCommand>, Vec<JobSnapshot>),
    Exit,
}

#[derive(Debug)]
pub struct EffectRunner {
    shared: Arc<TaskContext>,
    engine: Option<Engine>,
    notifier: Notifier,
    view: Option<PathBuf>,
    /// The job whose body is being read and indexed, and what stops that.
    indexing: Option<(JobIx, Arc<AtomicBool>)>,
}

#[derive(Debug)]
struct TaskContext {
    store: Option<Results>,
    services: Mutex<HashMap<Arc<str>, Arc<Service>>>,
    state: PathBuf,
    clipboard: Clipboard,
    inputs: UnboundedSender<Message>,
}

#[derive(Debug)]
pub struct Config {
    /// The saved bodies; None without a jobs file.
    pub store: Option<Results>,
    /// The services of the jobs file.
    pub services: Vec<Arc<Service>>,
    pub state: PathBuf,
    /// Where the view is kept; None without a jobs file.
    pub view: Option<PathBuf>,
    /// How the user wants to copy.
    pub clipboard: Clipboard,
    /// Notifications and title.
    pub notifier: Notifier,
    pub inputs: UnboundedSender<Message>,
}

impl EffectRunner {
    /// A runner without an engine.
    pub fn new(config: Config) -> Self {
        let Config { store, services, state, view, clipboard, notifier, inputs } = config;
        let services = services.into_iter().map(|service| (Arc::clone(&service.name), service)).collect();
        let shared = Arc::new(TaskContext { store, services: Mutex::new(services), state, clipboard, inputs });
        Self { shared, engine: None, notifier, view, indexing: None }
    }

    /// From now on requests go to this engine.
    pub fn set_engine(&mut self, engine: Engine) {
        self.engine = Some(engine);
    }

    pub fn has_engine(&self) -> bool {
        self.engine.is_some()
    }

    /// From now on these are the services of the jobs file.
    pub fn set_services(&self, services: impl Iterator<Item = Arc<Service>>) {
        let services = services.map(|service| (Arc::clone(&service.name), service)).collect();
        *self.shared.services.lock().unwrap_or_else(PoisonError::into_inner) = services;
    }

    /// The services of the jobs file, by name.
    pub fn services(&self) -> HashMap<Arc<str>, Arc<Service>> {
        self.shared.services.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the engine for something; whether there is one.
    pub fn ask(&self, command: EngineCommand) -> bool {
        let Some(engine) = &self.engine else { return false };
        engine.send(command);
        true
    }

    /// Begins an effect. What is returned is the loop's to do.
    pub fn begin(&mut self, effect: Effect) -> Option<LoopAction> {
        match effect {
            Effect::ReadNow(jobs) => {
                self.ask(EngineCommand::ReadNow(jobs));
            }
            Effect::Pause(on) => {
                self.ask(EngineCommand::Pause(on));
            }
            Effect::LoadHistory(ix) => {
                self.ask(EngineCommand::History(ix));
            }
            Effect::LoadBody { subject, body } => self.load(subject, body),
            Effect::ReadFiles(bodies) => self.read_files(bodies),
            Effect::BuildTree { ix, body, part, text } => self.index(ix, body, part, text),
            Effect::Decode { ix, body, part, decode } => {
                let stop = self.turn_to(ix);
                let inputs = self.shared.inputs.clone();
                spawn_blocking(move || {
                    let decoded = decode.run(&stop);
                    if !stop.load(Ordering::Relaxed) {
                        let _ = inputs.send(Message::Event(Event::Decoded { ix, body, part, decoded }));
                    }
                });
            }
            Effect::Copy { what, jobs, of } => self.task(|shared| shared.copy(what, jobs, of)),
            Effect::SaveFile { what, jobs } => self.task(|shared| shared.save(what, jobs)),
            Effect::SaveText { name, ending, text } => {
                self.task(|_| async move { saved(save_here(name, Some(ending), text).await) });
            }
            Effect::WriteReport { title, jobs } => self.task(|shared| shared.report(title, jobs)),
            Effect::OpenPager { what, job } => self.task(|shared| shared.page(what, job)),
            Effect::Notify(notice) => return Some(LoopAction::Send(self.notifier.notify(&notice))),
            Effect::SetTitle(title) => return Some(LoopAction::Send(self.notifier.title(&title))),
            Effect::SaveView(view) => self.keep_view(&view),
            Effect::RunCommand { command, jobs } => return Some(LoopAction::RunCommand(command, jobs)),
            Effect::Suspend => return Some(LoopAction::Suspend),
            Effect::ClearScreen => return Some(LoopAction::ClearScreen),
            Effect::SetMouse(on) => return Some(LoopAction::SetMouse(on)),
            Effect::Drain => return Some(LoopAction::Drain),
            Effect::Abort => return Some(LoopAction::Abort),
            Effect::Exit => return Some(LoopAction::Exit),
        }
        None
    }

    fn task<F: Future<Output = Message> + Send + 'static>(&self, work: impl FnOnce(Arc<TaskContext>) -> F) {
        let inputs = self.shared.inputs.clone();
        let work = work(Arc::clone(&self.shared));
        tokio::spawn(async move {
            let _ = inputs.send(work.await);
        });
    }

    fn load(&mut self, subject: JobSnapshot, body: BodyId) {
        self.turn_to(subject.ix);
        self.task(|shared| async move {
            let result = async { content::load_whole(shared.store()?, &subject.job.key, body).await }.await;
            Message::Event(Event::BodyLoaded { ix: subject.ix, body, result: result.map_err(Clean::from) })
        });
    }

    /// One reply after the other, reported in handfuls, so that the screen can follow.
    fn read_files(&self, bodies: Vec<(JobIx, Arc<Job>, BodyId)>) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            for some in bodies.chunks(HANDFUL) {
                let mut read = Vec::with_capacity(some.len());
                for (ix, job, body) in some {
                    let files = match &shared.store {
                        Some(store) => content::files(store, &job.key, *body).await,
                        None => Vec::new(),
                    };
                    read.push(FilesOf { ix: *ix, body: *body, files });
                }
                if shared.inputs.send(Message::Event(Event::FilesRead(read))).is_err() {
                    return;
                }
            }
        });
    }

    /// An index that nobody waits for any more is given up without an answer.
    fn index(&mut self, ix: JobIx, body: BodyId, part: BodyPart, text: Bytes) {
        let stop = self.turn_to(ix);
        let inputs = self.shared.inputs.clone();
        spawn_blocking(move || {
            let tree = match Document::parse(text, &stop) {
                Ok(document) => Ok(Arc::new(document)),
                Err(IndexError::Cancelled) => return,
                Err(error) => Err(Clean::new(&error.to_string())),
            };
            let _ = inputs.send(Message::Event(Event::TreeReady { ix, body, part, tree }));
        });
    }

    /// Gives up the work for any other job.
    fn turn_to(&mut self, ix: JobIx) -> Arc<AtomicBool> {
        if let Some((current, stop)) = &self.indexing {
            if *current == ix {
                return Arc::clone(stop);
            }
            stop.store(true, Ordering::Relaxed);
        }
        let stop = Arc::new(AtomicBool::new(false));
        self.indexing = Some((ix, Arc::clone(&stop)));
        stop
    }

    fn keep_view(&self, view: &str) {
        let Some(path) = &self.view else { return };
        if let Err(error) = files::replace(path, view.as_bytes()) {
            tracing::warn!("failed to keep the view in {}: {error}", path.display());
        }
    }
}

impl TaskContext {
    async fn copy(self: Arc<Self>, what: What, jobs: Vec<JobSnapshot>, mut of: CopyName) -> Message {
        failpoint("task");
        let ways = clipboard::ways(&self.clipboard, ClipboardHost::from_environment(), child::can_be_started);
        let copied = match (&what, jobs.as_slice()) {
            (What::Raw, [job]) => content::raw(self.store.as_ref(), job).await.map(|(bytes, is_output)| {
                if !is_output && job.known.saved.is_some() {
                    of.part = "full response (no output)";
                }
                bytes
            }),
            (_, jobs) => self.copied_bytes(&what, jobs).await,
        };
        let outcome = match copied {
            Ok(text) => self.copy_by(&ways, text, &jobs).await,
            Err(why) => clipboard::CopyOutcome { copied: Copied::Failed(why.into()), sequence: None },
        };
        Message::Copied { of, outcome }
    }

    async fn copy_by(
        self: &Arc<Self>,
        ways: &[ClipboardMethod],
        text: Bytes,
        jobs: &[JobSnapshot],
    ) -> clipboard::CopyOutcome {
        let name = name(jobs);
        let kept = text.clone();
        clipboard::copy(text, ways, async || self.keep("copies", name, kept).await).await
    }

    async fn copied_bytes(self: &Arc<Self>, what: &What, jobs: &[JobSnapshot]) -> Result<Bytes, EffectError> {
        match (what, jobs) {
            (What::Text(text), _) => Ok(text.clone()),
            (_, [job]) => self.bytes(what, job).await,
            (_, jobs) => {
                let mut all = BytesMut::new();
                for job in jobs {
                    all.extend_from_slice(&self.bytes(what, job).await?);
                    all.extend_from_slice(b"\n");
                }
                Ok(all.freeze())
            }
        }
    }

    async fn bytes(self: &Arc<Self>, what: &What, job: &JobSnapshot) -> Result<Bytes, EffectError> {
        if matches!(what, What::SavedPath) {
            let path = self.saved_path(job).await?;
            return Ok(Bytes::from(path.into_os_string().into_encoded_bytes()));
        }
        let service = self.service(&job.job.service);
        content::bytes(self.store.as_ref(), service.as_deref(), what, job).await
    }

    fn store(&self) -> Result<&Results, EffectError> {
        self.store.as_ref().ok_or(EffectError::NoStateDirectory)
    }

    fn service(&self, name: &str) -> Option<Arc<Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The file that holds the body alone; one is made for a body in the database.
    async fn saved_path(self: &Arc<Self>, job: &JobSnapshot) -> Result<PathBuf, EffectError> {
        let saved = job.known.kept_body().ok_or(EffectError::NothingSaved)?;
        let store = self.store()?;
        if let Some(path) = store.body_path(saved.body).await? {
            return Ok(path);
        }
        let body = content::bytes(Some(store), None, &What::Body, job).await?;
        self.keep("copies", name(std::slice::from_ref(job)), body).await
    }

    async fn save(self: Arc<Self>, what: What, jobs: Vec<JobSnapshot>) -> Message {
        let mut paths = Vec::new();
        for job in &jobs {
            match self.save_one(&what, job).await {
                Ok(path) => paths.push(path),
                Err(why) => {
                    let why = match paths.len() {
                        0 => why,
                        saved => EffectError::Partly { saved, of: jobs.len(), error: Box::new(why) },
                    };
                    return Message::Event(Event::Saved(Err(why.into())));
                }
            }
        }
        let said = match paths.as_slice() {
            [] => Err(EffectError::NothingToSave.into()),
            [path] => Ok(Clean::new(&path.to_string_lossy())),
            [first, ..] => {
                let dir = first.parent().unwrap_or(first);
                Ok(Clean::new(&format!("{} files in {}", paths.len(), dir.display())))
            }
        };
        Message::Event(Event::Saved(said))
    }

    async fn save_one(self: &Arc<Self>, what: &What, job: &JobSnapshot) -> Result<PathBuf, EffectError> {
        let bytes = self.bytes(what, job).await?;
        save_here(job.job.title().to_owned(), None, bytes).await
    }

    async fn report(self: Arc<Self>, title: String, jobs: Vec<JobSnapshot>) -> Message {
        let saved_in = self.state.display().to_string();
        let work = move || {
            let jobs = jobs.iter().map(|subject| (&*subject.job, &*subject.known)).collect();
            let report =
                Report { title: title.clone(), made_at: Timestamp::now(), zone: TimeZone::system(), saved_in, jobs };
            (format!("{title} report"), Bytes::from(report::html(&report)))
        };
        saved(match spawn_blocking(work).await {
            Ok((name, page)) => save_here(name, Some("html"), page).await,
            Err(error) => Err(error.into()),
        })
    }

    async fn page(self: Arc<Self>, what: What, job: JobSnapshot) -> Message {
        let mut shown = self.bytes(&what, &job).await;
        if shown.is_err() && what == What::Output {
            shown = self.bytes(&What::Raw, &job).await;
        }
        let path = match shown {
            Ok(bytes) => self.keep("pager", name(std::slice::from_ref(&job)), bytes).await,
            Err(why) => Err(why),
        };
        match path {
            Ok(path) => Message::PagerReady(path),
            Err(why) => Message::Event(Event::PagerFailed(why.into())),
        }
    }

    async fn keep(self: &Arc<Self>, folder: &'static str, name: String, bytes: Bytes) -> Result<PathBuf, EffectError> {
        let shared = Arc::clone(self);
        let work = move || files::keep(&shared.state, folder, &name, &bytes);
        spawn_blocking(work).await?
    }
}

/// What is said of one new file.
fn saved(path: Result<PathBuf, EffectError>) -> Message {
    Message::Event(Event::Saved(path.map(|path| Clean::new(&path.to_string_lossy())).map_err(Clean::from)))
}

async fn save_here(name: String, ending: Option<&'static str>, bytes: Bytes) -> Result<PathBuf, EffectError> {
    let work = move || {
        let here = std::env::current_dir().map_err(EffectError::NoDirectory)?;
        files::save(&here, &name, ending, &bytes)
    };
    spawn_blocking(work).await?
}

fn name(jobs: &[JobSnapshot]) -> String {
    match jobs {
        [job] => job.job.title().to_owned(),
        [] | [_, ..] => "jobs".to_owned(),
    }
}
