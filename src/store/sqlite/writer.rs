//! The one thread that writes: takes what waits, commits it together, then replies.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender};

use super::bodies::{self, PlacedBody};
use super::database::Database;
use super::reader::ReaderOrder;
use super::tx::Tx;
use super::{forget, hooks};
use crate::domain::job::JobKey;
use crate::domain::observation::Observation;
use crate::store::dir::{StateDir, sync_dir};
use crate::store::instance::Instance;
use crate::store::ledger::{Changes, Claim, WriteCommand};
use crate::store::team::share::{ShareOutcome, ShareStep};
use crate::store::trouble::Trouble;
use crate::store::{PendingHook, StoreError};

/// At most this many steps in one transaction: more would make the first wait for the last.
const LARGEST_BATCH: usize = 512;

#[derive(Debug)]
pub struct Writer {
    dir: StateDir,
    database: Database,
}

/// What came of a step.
#[derive(Debug)]
enum StepOutcome {
    Shared(ShareOutcome),
    Saved(Box<Observation>),
    Claimed(Vec<Claim>),
    Sending(Vec<bool>),
    HookEvents(Vec<PendingHook>),
    HookEndings(Vec<(JobKey, String)>),
    Nothing,
}

/// Why a batch came to nothing.
enum Failed {
    /// Nothing could be begun: trying each step by itself is of no use.
    NotBegun(Trouble),
    /// The transaction was lost on the way.
    Aborted(Trouble),
}

/// How the steps of a transaction stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Steps {
    /// One that fails takes all others along: for each savepoint SQLite copies every page that it touches.
    Together,
    /// Each in a savepoint.
    Apart,
}

impl Writer {
    /// Makes the directory, registers an instance and opens the database. The string is a note for the user.
    pub fn open(dir: StateDir, reader: Sender<ReaderOrder>) -> Result<(Self, Option<String>), Trouble> {
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
    pub fn run(mut self, commands: &Receiver<WriteCommand>) {
        while let Ok(first) = commands.recv() {
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    WriteCommand::Close(done) => {
                        self.work(batch);
                        self.database.close();
                        let _ = done.send(());
                        return;
                    }
                    WriteCommand::Changes(reply) => {
                        let _ = reply.send(self.changes());
                    }
                    WriteCommand::Compact(reply) => {
                        // In no transaction: what waits is written first.
                        self.work(std::mem::take(&mut batch));
                        let _ = reply.send(self.compact());
                    }
                    WriteCommand::Save(..)
                    | WriteCommand::Claim(..)
                    | WriteCommand::Release(..)
                    | WriteCommand::Declare(..)
                    | WriteCommand::Forget(..)
                    | WriteCommand::SetFields(..)
                    | WriteCommand::BeginSending(..)
                    | WriteCommand::EndSending(..)
                    | WriteCommand::NoteExported(..)
                    | WriteCommand::HookEvents(_)
                    | WriteCommand::HookEndings(_)
                    | WriteCommand::AddHookEvents(..)
                    | WriteCommand::NoteHookEvents(..)
                    | WriteCommand::Probe(_)
                    | WriteCommand::Share(..)
                    | WriteCommand::Lock(_) => batch.push(command),
                }
                next = if batch.len() < LARGEST_BATCH { commands.try_recv().ok() } else { None };
            }
            self.work(batch);
        }
    }

    fn work(&mut self, batch: Vec<WriteCommand>) {
        if batch.is_empty() {
            return;
        }
        let outcomes = match self.commit(&batch) {
            Ok(outcomes) => outcomes,
            // One step can spoil a transaction for all, a body for which there is no room: each by itself, then.
            Err(Failed::Aborted(_)) if batch.len() > 1 => {
                batch.iter().map(|command| self.commit_one(command)).collect()
            }
            Err(Failed::NotBegun(trouble) | Failed::Aborted(trouble)) => {
                batch.iter().map(|command| Err(self.say(command, &trouble))).collect()
            }
        };
        for (command, mut outcome) in batch.into_iter().zip(outcomes) {
            if matches!((&command, &outcome), (WriteCommand::Probe(_), Ok(_))) && self.database.was_displaced() {
                outcome = Err(self.say(&command, &Trouble::Replaced));
            }
            respond(command, outcome);
        }
    }

    fn commit_one(&mut self, command: &WriteCommand) -> Result<StepOutcome, StoreError> {
        match self.commit(std::slice::from_ref(command)) {
            Ok(mut outcomes) => outcomes.pop().unwrap_or(Ok(StepOutcome::Nothing)),
            Err(Failed::NotBegun(trouble) | Failed::Aborted(trouble)) => Err(self.say(command, &trouble)),
        }
    }

    /// Runs all steps in one transaction and commits it. The outcomes are durable, in files that stand in their places.
    fn commit(&mut self, batch: &[WriteCommand]) -> Result<Vec<Result<StepOutcome, StoreError>>, Failed> {
        match self.try_commit(batch) {
            Err(Failed::Aborted(Trouble::Replaced)) => self.try_commit(batch),
            other => other,
        }
    }

    fn try_commit(&mut self, batch: &[WriteCommand]) -> Result<Vec<Result<StepOutcome, StoreError>>, Failed> {
        self.database.be_open().map_err(Failed::NotBegun)?;
        // Before the transaction: nobody else should wait for a large body to be written.
        let placed = self.place_bodies(batch);
        let mut result = self.transact(batch, placed, Steps::Together);
        if matches!(result, Ok(None)) {
            let placed = self.place_bodies(batch);
            result = self.transact(batch, placed, Steps::Apart);
        }
        if let Err(Failed::NotBegun(trouble) | Failed::Aborted(trouble)) = &result {
            self.database.learn_from(trouble);
        }
        result.map(Option::unwrap_or_default)
    }

    /// None: a step failed, and took the others along.
    fn transact(
        &mut self,
        batch: &[WriteCommand],
        placed: Vec<Result<Vec<PlacedBody>, Trouble>>,
        steps: Steps,
    ) -> Result<Option<Vec<Result<StepOutcome, StoreError>>>, Failed> {
        let root = self.dir.root();
        let Some(open) = self.database.current() else { return Ok(Some(Vec::new())) };
        let connection = &open.connection;
        let run = |sql: &str| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        run("BEGIN IMMEDIATE").map_err(|error| Failed::NotBegun(error.into()))?;
        let mut tx = Tx {
            connection,
            dir: &self.dir,
            instance: open.instance,
            looked_through: &mut open.looked_through,
            garbage: Vec::new(),
        };
        let mut outcomes = Vec::with_capacity(batch.len());
        for (command, placed) in batch.iter().zip(placed) {
            let garbage = tx.garbage.len();
            let outcome = (|| {
                let placed = placed?;
                if steps == Steps::Together {
                    return step(&mut tx, command, &placed);
                }
                run("SAVEPOINT step")?;
                let outcome = step(&mut tx, command, &placed);
                if outcome.is_ok() {
                    run("RELEASE step")?;
                }
                outcome
            })();
            if let Err(trouble) = &outcome {
                // What is not committed has made no file superfluous, and may have found one that it then left.
                tx.garbage.truncate(garbage);
                *tx.looked_through = false;
                if connection.is_autocommit() || trouble.spoils_connection() {
                    let _ = run("ROLLBACK");
                    return Err(Failed::Aborted(outcome.err().unwrap_or(Trouble::Replaced)));
                }
                if steps == Steps::Together {
                    let _ = run("ROLLBACK");
                    return Ok(None);
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
            *tx.looked_through = false;
            return Err(Failed::Aborted(committed.err().map_or(Trouble::Replaced, Trouble::from)));
        }
        for path in tx.garbage {
            let _ = std::fs::remove_file(path);
        }
        Ok(Some(outcomes))
    }

    fn place_bodies(&self, batch: &[WriteCommand]) -> Vec<Result<Vec<PlacedBody>, Trouble>> {
        let place = |command: &WriteCommand| {
            if let WriteCommand::Share(ShareStep::Import(import), _) = command {
                let (seq, instance) = (import.known.applied, self.database.instance_name());
                let place = |body| bodies::place(&self.dir, &import.job.key, seq, instance, body);
                return import.bodies.iter().map(place).collect::<Result<_, _>>().map_err(Trouble::from);
            }
            let WriteCommand::Save(save, _) = command else { return Ok(Vec::new()) };
            let place = |body| {
                let (seq, instance) = (save.observation.applied, self.database.instance_name());
                bodies::place(&self.dir, &save.job.key, seq, instance, body)
            };
            save.bodies().map(place).collect::<Result<_, _>>().map_err(Trouble::from)
        };
        let mut placed: Vec<Result<Vec<PlacedBody>, Trouble>> = batch.iter().map(place).collect();
        let has_file = |placed: &Result<Vec<PlacedBody>, Trouble>| {
            placed.as_ref().is_ok_and(|placed| placed.iter().any(PlacedBody::is_file))
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

    /// SQLite tells that another connection has written, not what.
    fn changes(&mut self) -> Result<Changes, StoreError> {
        match self.database.changed_by_others() {
            Ok(true) => Ok(Changes::Something),
            Ok(false) => Ok(Changes::Nothing),
            Err(trouble) => {
                self.database.learn_from(&trouble);
                Err(trouble.say("look for what other instances saved", self.dir.root()))
            }
        }
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        let done = self.database.be_open().and_then(|()| match self.database.current() {
            Some(open) => forget::compact(&open.connection),
            None => Ok(()),
        });
        done.map_err(|trouble| {
            self.database.learn_from(&trouble);
            trouble.say("give the space back", self.dir.root())
        })
    }

    fn say(&self, command: &WriteCommand, trouble: &Trouble) -> StoreError {
        trouble.say(command.step(), self.dir.root())
    }
}

impl WriteCommand {
    /// Completes "failed to".
    fn step(&self) -> &'static str {
        match self {
            Self::Save(..) => "save a result",
            Self::Claim(..) => "claim jobs",
            Self::Release(..) => "give up claims",
            Self::Declare(..) => "save what the jobs file says",
            Self::SetFields(..) => "save the values of fields",
            Self::BeginSending(..) | Self::EndSending(..) => "note what is sent again",
            Self::NoteExported(..) => "note what was exported",
            Self::HookEvents(_) | Self::HookEndings(_) => "look for events of hooks",
            Self::AddHookEvents(..) => "save events of hooks",
            Self::NoteHookEvents(..) => "note what hooks were run for",
            Self::Forget(..) => "delete jobs",
            Self::Compact(_) => "give the space back",
            Self::Probe(_) | Self::Lock(_) => "write to the state directory",
            Self::Changes(_) => "look for what other instances saved",
            Self::Share(..) => "keep what the team's store says",
            Self::Close(_) => "close the state directory",
        }
    }
}

fn step(tx: &mut Tx<'_>, command: &WriteCommand, placed: &[PlacedBody]) -> Result<StepOutcome, Trouble> {
    match command {
        WriteCommand::Save(save, _) => Ok(StepOutcome::Saved(Box::new(tx.save(save, placed)?))),
        WriteCommand::Claim(jobs, _) => Ok(StepOutcome::Claimed(tx.claim(jobs)?)),
        WriteCommand::Release(keys, reads, _) => tx.release(keys, reads).map(|()| StepOutcome::Nothing),
        WriteCommand::Declare(jobs, _) => tx.declare(jobs).map(|()| StepOutcome::Nothing),
        WriteCommand::SetFields(fields, _) => tx.set_fields(fields).map(|()| StepOutcome::Nothing),
        WriteCommand::BeginSending(jobs, _) => Ok(StepOutcome::Sending(tx.begin_sending(jobs)?)),
        WriteCommand::EndSending(jobs, was_sent, _) => tx.end_sending(jobs, *was_sent).map(|()| StepOutcome::Nothing),
        WriteCommand::NoteExported(bodies, _) => tx.note_exported(bodies).map(|()| StepOutcome::Nothing),
        WriteCommand::HookEvents(_) => {
            Ok(StepOutcome::HookEvents(hooks::undelivered(tx.connection, tx.dir, tx.instance)?))
        }
        WriteCommand::HookEndings(_) => Ok(StepOutcome::HookEndings(hooks::endings(tx.connection)?)),
        WriteCommand::AddHookEvents(events, endings, _) => {
            tx.add_hook_events(events, endings).map(|()| StepOutcome::Nothing)
        }
        WriteCommand::NoteHookEvents(events, delivered, _) => {
            hooks::note(tx.connection, events, *delivered)?;
            Ok(StepOutcome::Nothing)
        }
        WriteCommand::Probe(_) => {
            tx.dir.try_a_file()?;
            tx.probe().map(|()| StepOutcome::Nothing)
        }
        WriteCommand::Share(step, _) => tx.share(step, placed).map(StepOutcome::Shared),
        WriteCommand::Forget(keys, _) => tx.forget(keys).map(|()| StepOutcome::Nothing),
        WriteCommand::Lock(_) | WriteCommand::Changes(_) | WriteCommand::Compact(_) | WriteCommand::Close(_) => {
            Ok(StepOutcome::Nothing)
        }
    }
}

fn respond(command: WriteCommand, outcome: Result<StepOutcome, StoreError>) {
    match (command, outcome) {
        (WriteCommand::Save(save, reply), Ok(StepOutcome::Saved(observation))) => {
            // Whoever waits has it for itself then.
            drop(save);
            drop(reply.send(Ok(*observation)));
        }
        (WriteCommand::Save(_, reply), Err(error)) => drop(reply.send(Err(error))),
        (WriteCommand::Claim(_, reply), Ok(StepOutcome::Claimed(claims))) => drop(reply.send(Ok(claims))),
        (WriteCommand::Claim(_, reply), Err(error)) => drop(reply.send(Err(error))),
        (WriteCommand::BeginSending(_, reply), Ok(StepOutcome::Sending(free))) => drop(reply.send(Ok(free))),
        (WriteCommand::BeginSending(_, reply), Err(error)) => drop(reply.send(Err(error))),
        (WriteCommand::Share(_, reply), Ok(StepOutcome::Shared(shared))) => drop(reply.send(Ok(shared))),
        (WriteCommand::Share(_, reply), Err(error)) => drop(reply.send(Err(error))),
        (WriteCommand::HookEvents(reply), Ok(StepOutcome::HookEvents(events))) => drop(reply.send(Ok(events))),
        (WriteCommand::HookEvents(reply), Err(error)) => drop(reply.send(Err(error))),
        (WriteCommand::HookEndings(reply), Ok(StepOutcome::HookEndings(endings))) => drop(reply.send(Ok(endings))),
        (WriteCommand::HookEndings(reply), Err(error)) => drop(reply.send(Err(error))),
        (
            WriteCommand::Release(_, _, reply)
            | WriteCommand::Declare(_, reply)
            | WriteCommand::SetFields(_, reply)
            | WriteCommand::EndSending(_, _, reply)
            | WriteCommand::NoteExported(_, reply)
            | WriteCommand::AddHookEvents(_, _, reply)
            | WriteCommand::NoteHookEvents(_, _, reply)
            | WriteCommand::Forget(_, reply)
            | WriteCommand::Compact(reply)
            | WriteCommand::Probe(reply)
            | WriteCommand::Lock(reply),
            outcome,
        ) => {
            drop(reply.send(outcome.map(|_| ())));
        }
        // An reply that is not sent says that the store is closed.
        (
            WriteCommand::Save(..)
            | WriteCommand::Claim(..)
            | WriteCommand::BeginSending(..)
            | WriteCommand::Share(..)
            | WriteCommand::HookEvents(_)
            | WriteCommand::HookEndings(_)
            | WriteCommand::Changes(_)
            | WriteCommand::Close(_),
            _,
        ) => {}
    }
}
