//! The one thread that writes: takes what waits, commits it together, then answers.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender};

use tokio::sync::oneshot;

use super::bodies::{self, Placed};
use super::database::Database;
use super::dir::{LEAST_FREE_BYTES, StateDir, new_file, sync_dir};
use super::hooks::{self, HookEvent};
use super::instance::Instance;
use super::reader::Question;
use super::steps::Steps;
use super::trouble::Trouble;
use super::{Answer, Claim, Reads, Save, StoreError};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, Fields, Observation};

/// At most so many steps in one transaction: more would make the first wait for the last.
const LARGEST_BATCH: usize = 512;

/// What the writer is asked for.
#[derive(Debug)]
pub enum Command {
    Save(Box<Save>, Answer<Observation>),
    Claim(Vec<Arc<Job>>, Answer<Vec<Claim>>),
    Release(Vec<JobKey>, Vec<Reads>, Answer<()>),
    Declare(Vec<Arc<Job>>, Answer<()>),
    SetFields(Vec<(JobKey, Fields)>, Answer<()>),
    NoteExported(Vec<BodyId>, Answer<()>),
    HookEvents(Answer<Vec<HookEvent>>),
    NoteHookEvents(Vec<i64>, bool, Answer<()>),
    Probe(Answer<()>),
    /// A transaction without a write: whether somebody else holds the database.
    Lock(Answer<()>),
    Changed(Answer<bool>),
    Close(oneshot::Sender<()>),
}

/// The writer's own state.
#[derive(Debug)]
pub struct Writer {
    dir: StateDir,
    database: Database,
}

/// What came of a step.
#[derive(Debug)]
enum Done {
    Saved(Box<Observation>),
    Claimed(Vec<Claim>),
    HookEvents(Vec<HookEvent>),
    Nothing,
}

/// Why a batch came to nothing.
enum Failed {
    /// Nothing could be begun: trying each step by itself is of no use.
    AtOnce(Trouble),
    /// The transaction was lost on the way.
    OnTheWay(Trouble),
}

impl Writer {
    /// Makes the directory, registers an instance and opens the database. The string is a note for the user.
    pub fn open(dir: StateDir, reader: Sender<Question>) -> Result<(Self, Option<String>), Trouble> {
        let (database, note) = Database::open(dir.clone(), reader)?;
        Ok((Self { dir, database }, note))
    }

    /// The instance that this writer writes for.
    pub fn instance(&self) -> Arc<Instance> {
        self.database.instance()
    }

    /// Is set where the database is found damaged.
    pub fn suspect(&self) -> Arc<AtomicBool> {
        self.database.suspect()
    }

    /// Works until it is closed or nobody can ask any more.
    pub fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(first) = commands.recv() {
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Close(done) => {
                        self.work(batch);
                        self.database.close();
                        let _ = done.send(());
                        return;
                    }
                    Command::Changed(answer) => {
                        let _ = answer.send(self.changed_by_others());
                    }
                    Command::Save(..)
                    | Command::Claim(..)
                    | Command::Release(..)
                    | Command::Declare(..)
                    | Command::SetFields(..)
                    | Command::NoteExported(..)
                    | Command::HookEvents(_)
                    | Command::NoteHookEvents(..)
                    | Command::Probe(_)
                    | Command::Lock(_) => batch.push(command),
                }
                next = if batch.len() < LARGEST_BATCH { commands.try_recv().ok() } else { None };
            }
            self.work(batch);
        }
    }

    fn work(&mut self, batch: Vec<Command>) {
        if batch.is_empty() {
            return;
        }
        let outcomes = match self.commit(&batch) {
            Ok(outcomes) => outcomes,
            Err(Failed::AtOnce(trouble)) => batch.iter().map(|command| Err(self.say(command, &trouble))).collect(),
            // One step can spoil a transaction for all, a body for which there is no room: each by itself, then.
            Err(Failed::OnTheWay(_)) if batch.len() > 1 => {
                batch.iter().map(|command| self.commit_one(command)).collect()
            }
            Err(Failed::OnTheWay(trouble)) => batch.iter().map(|command| Err(self.say(command, &trouble))).collect(),
        };
        for (command, outcome) in batch.into_iter().zip(outcomes) {
            respond(command, outcome);
        }
    }

    fn commit_one(&mut self, command: &Command) -> Result<Done, StoreError> {
        match self.commit(std::slice::from_ref(command)) {
            Ok(mut outcomes) => outcomes.pop().unwrap_or(Ok(Done::Nothing)),
            Err(Failed::AtOnce(trouble) | Failed::OnTheWay(trouble)) => Err(self.say(command, &trouble)),
        }
    }

    /// Runs all steps in one transaction, each in a savepoint, and commits it. The outcomes are durable, in files that
    /// stand in their places.
    fn commit(&mut self, batch: &[Command]) -> Result<Vec<Result<Done, StoreError>>, Failed> {
        match self.try_commit(batch) {
            Err(Failed::OnTheWay(Trouble::Replaced)) => self.try_commit(batch),
            other => other,
        }
    }

    fn try_commit(&mut self, batch: &[Command]) -> Result<Vec<Result<Done, StoreError>>, Failed> {
        self.database.be_open().map_err(Failed::AtOnce)?;
        // Before the transaction: nobody else should wait for a large body to be written.
        let placed = self.place_bodies(batch);
        let result = self.transact(batch, placed);
        if let Err(Failed::AtOnce(trouble) | Failed::OnTheWay(trouble)) = &result {
            self.database.learn_from(trouble);
        }
        result
    }

    fn transact(
        &mut self,
        batch: &[Command],
        placed: Vec<Result<Vec<Placed>, Trouble>>,
    ) -> Result<Vec<Result<Done, StoreError>>, Failed> {
        let root = self.dir.root();
        let Some(open) = self.database.current() else { return Ok(Vec::new()) };
        let connection = &open.connection;
        let run = |sql: &str| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        run("BEGIN IMMEDIATE").map_err(|error| Failed::AtOnce(error.into()))?;
        let mut steps = Steps {
            connection,
            dir: &self.dir,
            instance: open.instance,
            looked_through: &mut open.looked_through,
            garbage: Vec::new(),
        };
        let mut outcomes = Vec::with_capacity(batch.len());
        for (command, placed) in batch.iter().zip(placed) {
            let garbage = steps.garbage.len();
            let outcome = (|| {
                let placed = placed?;
                run("SAVEPOINT step")?;
                let outcome = step(&mut steps, command, &placed);
                if outcome.is_ok() {
                    run("RELEASE step")?;
                }
                outcome
            })();
            if let Err(trouble) = &outcome {
                // What is not committed has made no file superfluous, and may have found one that it then left.
                steps.garbage.truncate(garbage);
                *steps.looked_through = false;
                if connection.is_autocommit() || trouble.spoils_connection() {
                    let _ = run("ROLLBACK");
                    return Err(Failed::OnTheWay(outcome.err().unwrap_or(Trouble::Replaced)));
                }
                // Without effect where the savepoint was not reached.
                let _ = run("ROLLBACK TO step").and_then(|_| run("RELEASE step"));
            }
            outcomes.push(outcome.map_err(|trouble| trouble.say(command.step(), root)));
        }
        // Whoever took the log away may have begun another: nothing is written into the database through ours any more.
        let database = self.dir.database();
        let committed = if open.files.are_in_place(&database) { run("COMMIT") } else { Ok(0) };
        if committed.is_err() || !open.files.are_in_place(&database) {
            let _ = run("ROLLBACK");
            *steps.looked_through = false;
            return Err(Failed::OnTheWay(committed.err().map_or(Trouble::Replaced, Trouble::from)));
        }
        for path in steps.garbage {
            let _ = std::fs::remove_file(path);
        }
        self.database.watch_log();
        Ok(outcomes)
    }

    fn place_bodies(&self, batch: &[Command]) -> Vec<Result<Vec<Placed>, Trouble>> {
        let mut placed: Vec<Result<Vec<Placed>, Trouble>> = batch
            .iter()
            .map(|command| match command {
                Command::Save(save, _) => save
                    .bodies()
                    .map(|body| {
                        let seq = save.observation.applied;
                        bodies::place(&self.dir, &save.job.key, seq, self.database.instance_name(), body)
                    })
                    .collect::<Result<_, _>>()
                    .map_err(Trouble::from),
                Command::Claim(..)
                | Command::Release(..)
                | Command::Declare(..)
                | Command::Probe(_)
                | Command::Lock(_)
                | Command::Changed(_)
                | Command::SetFields(..)
                | Command::NoteExported(..)
                | Command::HookEvents(_)
                | Command::NoteHookEvents(..)
                | Command::Close(_) => Ok(Vec::new()),
            })
            .collect();
        let has_file = |placed: &Result<Vec<Placed>, Trouble>| {
            placed.as_ref().is_ok_and(|placed| placed.iter().any(Placed::is_file))
        };
        if placed.iter().any(has_file)
            && let Err(error) = sync_dir(&self.dir.bodies())
        {
            let kind = error.kind();
            for place in &mut placed {
                if has_file(place) {
                    *place = Err(std::io::Error::from(kind).into());
                }
            }
        }
        placed
    }

    fn changed_by_others(&mut self) -> Result<bool, StoreError> {
        self.database.changed_by_others().map_err(|trouble| {
            self.database.learn_from(&trouble);
            trouble.say("look for what other instances saved", self.dir.root())
        })
    }

    fn say(&self, command: &Command, trouble: &Trouble) -> StoreError {
        trouble.say(command.step(), self.dir.root())
    }
}

impl Command {
    /// Completes "failed to".
    fn step(&self) -> &'static str {
        match self {
            Self::Save(..) => "save a result",
            Self::Claim(..) => "claim jobs",
            Self::Release(..) => "give up claims",
            Self::Declare(..) => "save what the jobs file says",
            Self::SetFields(..) => "save the values of fields",
            Self::NoteExported(..) => "note what was exported",
            Self::HookEvents(_) => "look for events of hooks",
            Self::NoteHookEvents(..) => "note what hooks were run for",
            Self::Probe(_) | Self::Lock(_) => "write to the state directory",
            Self::Changed(_) => "look for what other instances saved",
            Self::Close(_) => "close the state directory",
        }
    }
}

fn step(steps: &mut Steps<'_>, command: &Command, placed: &[Placed]) -> Result<Done, Trouble> {
    match command {
        Command::Save(save, _) => Ok(Done::Saved(Box::new(steps.save(save, placed)?))),
        Command::Claim(jobs, _) => Ok(Done::Claimed(steps.claim(jobs)?)),
        Command::Release(keys, reads, _) => steps.release(keys, reads).map(|()| Done::Nothing),
        Command::Declare(jobs, _) => steps.declare(jobs).map(|()| Done::Nothing),
        Command::SetFields(fields, _) => steps.set_fields(fields).map(|()| Done::Nothing),
        Command::NoteExported(bodies, _) => steps.note_exported(bodies).map(|()| Done::Nothing),
        Command::HookEvents(_) => {
            Ok(Done::HookEvents(hooks::undelivered(steps.connection, steps.dir, steps.instance)?))
        }
        Command::NoteHookEvents(events, delivered, _) => {
            hooks::note(steps.connection, events, *delivered)?;
            Ok(Done::Nothing)
        }
        Command::Probe(_) => {
            try_a_file(steps.dir)?;
            steps.probe().map(|()| Done::Nothing)
        }
        Command::Lock(_) | Command::Changed(_) | Command::Close(_) => Ok(Done::Nothing),
    }
}

/// Whether there is room for a reply's file and one can be made.
pub fn try_a_file(dir: &StateDir) -> Result<(), Trouble> {
    let free = dir.free_bytes()?;
    if free < LEAST_FREE_BYTES {
        return Err(Trouble::LittleSpace(free));
    }
    let path: PathBuf = dir.spool().join(format!("{:016x}.probe", fastrand::u64(..)));
    // A byte, because there may be room for names alone, or a limit on the size of files.
    let written = dir.with_folders(|| new_file(&path))?.write_all(b"x");
    match std::fs::remove_file(&path) {
        // Another instance that opens the directory sweeps such files away.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(written?),
    }
}

fn respond(command: Command, outcome: Result<Done, StoreError>) {
    match (command, outcome) {
        (Command::Save(_, answer), Ok(Done::Saved(observation))) => drop(answer.send(Ok(*observation))),
        (Command::Save(_, answer), Err(error)) => drop(answer.send(Err(error))),
        (Command::Claim(_, answer), Ok(Done::Claimed(claims))) => drop(answer.send(Ok(claims))),
        (Command::Claim(_, answer), Err(error)) => drop(answer.send(Err(error))),
        (Command::HookEvents(answer), Ok(Done::HookEvents(events))) => drop(answer.send(Ok(events))),
        (Command::HookEvents(answer), Err(error)) => drop(answer.send(Err(error))),
        (
            Command::Release(_, _, answer)
            | Command::Declare(_, answer)
            | Command::SetFields(_, answer)
            | Command::NoteExported(_, answer)
            | Command::NoteHookEvents(_, _, answer)
            | Command::Probe(answer)
            | Command::Lock(answer),
            outcome,
        ) => {
            drop(answer.send(outcome.map(|_| ())));
        }
        // An answer that is not sent says that the store is closed.
        (
            Command::Save(..) | Command::Claim(..) | Command::HookEvents(_) | Command::Changed(_) | Command::Close(_),
            _,
        ) => {}
    }
}
