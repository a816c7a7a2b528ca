//! The one thread that writes: takes what waits, commits it together, then answers.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::bodies::{self, Placed};
use super::connect::{self, Opening};
use super::dir::{LEAST_FREE_BYTES, StateDir, new_file, sync_dir};
use super::file_id;
use super::instance::{self, Instance, Living};
use super::steps::Steps;
use super::trouble::Trouble;
use super::{Answer, Claim, Save, StoreError};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::Observation;

/// At most so many steps in one transaction: more would make the first wait for the last.
const LARGEST_BATCH: usize = 512;

/// What the writer is asked for.
#[derive(Debug)]
pub enum Command {
    Save(Box<Save>, Answer<Observation>),
    Claim(Vec<JobKey>, Answer<Vec<Claim>>),
    Release(Vec<JobKey>, Answer<()>),
    Declare(Vec<Arc<Job>>, Answer<()>),
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
    instance: Arc<Instance>,
    open: Option<Open>,
    /// The database that our claims are in.
    database: Option<(u64, u64)>,
    /// The database was found damaged in use, here or by the reader: it is looked through before it is used again.
    suspect: Arc<AtomicBool>,
}

/// An open database.
#[derive(Debug)]
struct Open {
    connection: Connection,
    /// Our instance's number in it.
    instance: i64,
    /// Which file it is: somebody may have put another in its place.
    file: Option<(u64, u64)>,
    /// `PRAGMA data_version` when last asked.
    seen: i64,
    looked_through: bool,
}

/// What came of a step.
#[derive(Debug)]
enum Done {
    Saved(Box<Observation>),
    Claimed(Vec<Claim>),
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
    pub fn open(dir: StateDir) -> Result<(Self, Option<String>), Trouble> {
        dir.create()?;
        let instance = {
            let _opening = Opening::wait(&dir)?;
            Arc::new(Instance::register(&dir)?)
        };
        let mut writer = Self { dir, instance, open: None, database: None, suspect: Arc::default() };
        let note = match writer.reopen() {
            Ok(note) => note,
            Err(trouble) => {
                writer.instance.unregister();
                return Err(trouble);
            }
        };
        Ok((writer, note))
    }

    /// The instance that this writer writes for.
    pub fn instance(&self) -> Arc<Instance> {
        Arc::clone(&self.instance)
    }

    /// Is set where the database is found damaged.
    pub fn suspect(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.suspect)
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
                        self.close();
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

    /// Runs all steps in one transaction, each in a savepoint, and commits it. The outcomes are durable.
    fn commit(&mut self, batch: &[Command]) -> Result<Vec<Result<Done, StoreError>>, Failed> {
        self.be_open().map_err(Failed::AtOnce)?;
        // Before the transaction: nobody else should wait for a large body to be written.
        let placed = self.place_bodies(batch);
        let result = self.transact(batch, placed);
        if let Err(Failed::AtOnce(trouble) | Failed::OnTheWay(trouble)) = &result {
            self.learn_from(trouble);
        }
        result
    }

    fn transact(
        &mut self,
        batch: &[Command],
        placed: Vec<Result<Option<Placed>, Trouble>>,
    ) -> Result<Vec<Result<Done, StoreError>>, Failed> {
        let root = self.dir.root();
        let Some(open) = &mut self.open else { return Ok(Vec::new()) };
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
                let outcome = step(&mut steps, command, placed.as_ref());
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
                    return Err(Failed::OnTheWay(outcome.err().unwrap_or(Trouble::NoSuchBody(0))));
                }
                // Without effect where the savepoint was not reached.
                let _ = run("ROLLBACK TO step").and_then(|_| run("RELEASE step"));
            }
            outcomes.push(outcome.map_err(|trouble| trouble.say(command.step(), root)));
        }
        if let Err(error) = run("COMMIT") {
            let _ = run("ROLLBACK");
            *steps.looked_through = false;
            return Err(Failed::OnTheWay(error.into()));
        }
        for path in steps.garbage {
            let _ = std::fs::remove_file(path);
        }
        Ok(outcomes)
    }

    fn place_bodies(&self, batch: &[Command]) -> Vec<Result<Option<Placed>, Trouble>> {
        let mut placed: Vec<Result<Option<Placed>, Trouble>> = batch
            .iter()
            .map(|command| match command {
                Command::Save(save, _) => save
                    .body
                    .as_ref()
                    .map(|body| {
                        let seq = save.observation.applied;
                        bodies::place(&self.dir, &save.job.key, seq, &self.instance.name, body)
                    })
                    .transpose()
                    .map_err(Trouble::from),
                Command::Claim(..)
                | Command::Release(..)
                | Command::Declare(..)
                | Command::Probe(_)
                | Command::Lock(_)
                | Command::Changed(_)
                | Command::Close(_) => Ok(None),
            })
            .collect();
        let files = placed.iter().any(|placed| matches!(placed, Ok(Some(placed)) if placed.is_file()));
        if files && let Err(error) = sync_dir(&self.dir.bodies()) {
            let kind = error.kind();
            for place in &mut placed {
                if matches!(place, Ok(Some(placed)) if placed.is_file()) {
                    *place = Err(std::io::Error::from(kind).into());
                }
            }
        }
        placed
    }

    /// Opens the database anew if that is needed: after trouble, or if its file is no longer the one in its place.
    fn be_open(&mut self) -> Result<(), Trouble> {
        let file = file_id(&self.dir.database());
        let sound = !self.suspect.load(Ordering::Relaxed);
        let locked = self.instance.is_locked();
        if sound && locked && self.open.as_ref().is_some_and(|open| open.file.is_some() && open.file == file) {
            return Ok(());
        }
        self.open = None;
        self.dir.create()?;
        if let Some(note) = self.reopen()? {
            tracing::warn!("{note}");
        }
        Ok(())
    }

    /// Opens the database; a damaged one is moved aside and a new one begun: that is the note.
    fn reopen(&mut self) -> Result<Option<String>, Trouble> {
        let _opening = Opening::wait(&self.dir)?;
        self.instance.lock_again()?;
        let (open, note) = match self.try_open() {
            Err(trouble) if trouble.is_corruption() => {
                self.suspect.store(false, Ordering::Relaxed);
                let note = connect::move_aside(&self.dir)?;
                (self.try_open()?, Some(note))
            }
            other => (other?, None),
        };
        self.suspect.store(false, Ordering::Relaxed);
        if self.database.is_some() && self.database != open.file {
            self.instance.displace();
        }
        self.database = open.file;
        self.open = Some(open);
        Ok(note)
    }

    fn try_open(&self) -> Result<Open, Trouble> {
        let connection = connect::for_writing(&self.dir, self.suspect.load(Ordering::Relaxed))?;
        connection.execute(
            "INSERT OR IGNORE INTO instance (name, pid, started) VALUES (?1, ?2, ?3)",
            (&self.instance.name, self.instance.pid, super::rows::nanoseconds(jiff::Timestamp::now())),
        )?;
        let instance =
            connection.query_row("SELECT id FROM instance WHERE name = ?1", [&self.instance.name], |row| row.get(0))?;
        self.sweep(&connection)?;
        let seen = data_version(&connection)?;
        let file = file_id(&self.dir.database());
        Ok(Open { connection, instance, file, seen, looked_through: false })
    }

    /// Forgets dead instances that claim nothing.
    fn sweep(&self, connection: &Connection) -> Result<(), Trouble> {
        let mut living = Living::new(&self.dir);
        let rows: Vec<(i64, String, bool)> = connection
            .prepare("SELECT id, name, EXISTS (SELECT 1 FROM claim WHERE instance = instance.id) FROM instance")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let mut claiming = Vec::new();
        for (id, name, claims) in rows {
            if claims || living.is_alive(&name) {
                claiming.push(name);
            } else {
                connection.execute(
                    "DELETE FROM instance WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM claim WHERE instance = ?1)",
                    [id],
                )?;
            }
        }
        instance::sweep(&self.dir, &claiming);
        Ok(())
    }

    fn changed_by_others(&mut self) -> Result<bool, StoreError> {
        let changed = (|| {
            let file = self.open.as_ref().and_then(|open| open.file);
            self.be_open()?;
            let Some(open) = &mut self.open else { return Ok(false) };
            let version = data_version(&open.connection)?;
            let changed = version != open.seen || file != open.file;
            open.seen = version;
            Ok(changed)
        })();
        changed.map_err(|trouble: Trouble| {
            self.learn_from(&trouble);
            trouble.say("look for what other instances saved", self.dir.root())
        })
    }

    fn learn_from(&mut self, trouble: &Trouble) {
        if trouble.spoils_connection() {
            self.open = None;
        }
        if trouble.is_corruption() {
            self.suspect.store(true, Ordering::Relaxed);
        }
    }

    fn say(&self, command: &Command, trouble: &Trouble) -> StoreError {
        trouble.say(command.step(), self.dir.root())
    }

    fn close(mut self) {
        if let Some(open) = self.open.take() {
            let released = open
                .connection
                .execute("DELETE FROM claim WHERE instance = ?1", [open.instance])
                .and_then(|_| open.connection.execute("DELETE FROM instance WHERE id = ?1", [open.instance]));
            if let Err(error) = released {
                tracing::warn!(%error, "claims could not be given up: they end with this process");
                return;
            }
        }
        self.instance.unregister();
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
            Self::Probe(_) | Self::Lock(_) => "write to the state directory",
            Self::Changed(_) => "look for what other instances saved",
            Self::Close(_) => "close the state directory",
        }
    }
}

fn step(steps: &mut Steps<'_>, command: &Command, placed: Option<&Placed>) -> Result<Done, Trouble> {
    match command {
        Command::Save(save, _) => Ok(Done::Saved(Box::new(steps.save(save, placed)?))),
        Command::Claim(keys, _) => Ok(Done::Claimed(steps.claim(keys)?)),
        Command::Release(keys, _) => steps.release(keys).map(|()| Done::Nothing),
        Command::Declare(jobs, _) => steps.declare(jobs).map(|()| Done::Nothing),
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
    let written = new_file(&path)?.write_all(b"x");
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
        (
            Command::Release(_, answer) | Command::Declare(_, answer) | Command::Probe(answer) | Command::Lock(answer),
            outcome,
        ) => {
            drop(answer.send(outcome.map(|_| ())));
        }
        // An answer that is not sent says that the store is closed.
        (Command::Save(..) | Command::Claim(..) | Command::Changed(_) | Command::Close(_), _) => {}
    }
}

fn data_version(connection: &Connection) -> Result<i64, Trouble> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
