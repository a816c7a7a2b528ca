//! The thread that reads, beside the writer, so that nobody who looks waits for a commit.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::oneshot;

use super::bodies;
use super::changes;
use super::connect;
use super::files::{DatabaseFiles, Fingerprint};
use super::owners::ClaimOwners;
use super::rows::{self, JOB_COLUMNS, OBSERVATION_COLUMNS, OBSERVATION_TABLES};
use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, Observation};
use crate::domain::owner::Owner;
use crate::store::dir::StateDir;
use crate::store::instance::Liveness;
use crate::store::ledger::ReadCommand;
use crate::store::spool;
use crate::store::trouble::Trouble;
use crate::store::{KeptBody, StoreError};

/// What the reader is asked to do.
#[derive(Debug)]
pub enum ReaderOrder {
    Read(ReadCommand),
    /// Close the database, so that the writer is the last to close it and can tidy up. It is opened again if need be,
    /// but without making files.
    Rest(oneshot::Sender<()>),
    /// Close the database until the next question.
    Disconnect(oneshot::Sender<()>),
}

#[derive(Debug)]
pub struct SqliteReader {
    dir: StateDir,
    /// Whether it makes no files: there is no writer beside it.
    only_looks: bool,
    /// Set where the database is found damaged, for the writer to look through it.
    suspect: Arc<AtomicBool>,
    open: Option<OpenConnection>,
}

#[derive(Debug)]
struct OpenConnection {
    connection: Connection,
    files: DatabaseFiles,
    /// For a database that nobody writes: how it looked when it was opened. If it looks otherwise after a read, that
    /// read does not count.
    untouched: Option<Fingerprint>,
}

impl SqliteReader {
    /// A reader beside a writer, that opens nothing before it is asked.
    pub fn new(dir: StateDir, suspect: Arc<AtomicBool>) -> Self {
        Self { dir, only_looks: false, suspect, open: None }
    }

    /// A reader that makes no files, and has the database open if there is one.
    pub fn only_looking(dir: StateDir) -> Result<Self, Trouble> {
        let mut reader = Self { dir, only_looks: true, suspect: Arc::default(), open: None };
        reader.ask(|_| Ok(()))?;
        Ok(reader)
    }

    /// Answers until nobody can ask any more.
    pub fn run(mut self, orders: &Receiver<ReaderOrder>) {
        while let Ok(order) = orders.recv() {
            match order {
                ReaderOrder::Read(command) => self.read(command),
                ReaderOrder::Rest(done) => {
                    self.open = None;
                    self.only_looks = true;
                    let _ = done.send(());
                }
                ReaderOrder::Disconnect(done) => {
                    self.open = None;
                    let _ = done.send(());
                }
            }
        }
    }

    fn read(&mut self, command: ReadCommand) {
        let dir = self.dir.clone();
        match command {
            ReadCommand::Load(keys, reply) => {
                let known = self.said("read what is known of the jobs", |connection| load(connection, &keys));
                let nothing = || vec![Observation::default(); keys.len()];
                let _ = reply.send(known.map(|known| known.unwrap_or_else(nothing)));
            }
            ReadCommand::LoadAll(reply) => {
                let all = self.said("read what is known of all jobs", load_all);
                let _ = reply.send(all.map(Option::unwrap_or_default));
            }
            ReadCommand::SentAgain(reply) => {
                let found = self.said("read which jobs were sent again", sent_again);
                let _ = reply.send(found.map(Option::unwrap_or_default));
            }
            ReadCommand::History(key, reply) => {
                let history = self.said("read a job's history", |connection| history(connection, &key));
                let _ = reply.send(history.map(Option::unwrap_or_default));
            }
            ReadCommand::Kept(key, reply) => {
                let kept = self.said("list a job's saved responses", |connection| kept(connection, &key));
                let _ = reply.send(kept.map(Option::unwrap_or_default));
            }
            ReadCommand::Description(key, reply) => {
                let found = self.said("read a provider's description", |connection| description(connection, &key));
                let _ = reply.send(found.map(Option::flatten));
            }
            ReadCommand::Body(id, reply) => {
                let body = self.said("read a saved response", |connection| body(connection, &dir, id));
                let missing = || Trouble::NoSuchBody(id).say("read a saved response", dir.root());
                let _ = reply.send(body.and_then(|body| body.flatten().ok_or_else(missing)));
            }
            ReadCommand::BodyPath(id, reply) => {
                let path = self.said("find a saved response", |connection| body_path(connection, &dir, id));
                let _ = reply.send(path.map(Option::flatten));
            }
            ReadCommand::Owners(keys, reply) => {
                let owners = self.said("look for who polls the jobs", |connection| owners(connection, &dir, &keys));
                let _ = reply.send(owners.map(|owners| owners.unwrap_or_else(|| vec![None; keys.len()])));
            }
        }
    }

    fn said<T>(
        &mut self,
        step: &str,
        read: impl Fn(&Connection) -> Result<T, Trouble>,
    ) -> Result<Option<T>, StoreError> {
        self.ask(read).map_err(|trouble| trouble.say(step, self.dir.root()))
    }

    /// Reads; None if there is no database yet.
    fn ask<T>(&mut self, read: impl Fn(&Connection) -> Result<T, Trouble>) -> Result<Option<T>, Trouble> {
        for _ in 0..5 {
            self.be_open()?;
            let Some(open) = &self.open else { return Ok(None) };
            let result = read(&open.connection);
            let valid = open.untouched.is_none_or(|looks| looks == Fingerprint::of(&self.dir.database()));
            if !valid {
                self.open = None;
                continue;
            }
            if let Err(trouble) = &result
                && trouble.spoils_connection()
            {
                self.open = None;
                if trouble.is_corruption() {
                    self.suspect.store(true, Ordering::Relaxed);
                }
            }
            return result.map(Some);
        }
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        Err(rusqlite::Error::SqliteFailure(busy, None).into())
    }

    fn be_open(&mut self) -> Result<(), Trouble> {
        let path = self.dir.database();
        let looks = Fingerprint::of(&path);
        let current = self.open.as_ref().is_some_and(|open| match open.untouched {
            Some(untouched) => untouched == looks,
            None => open.files.are_in_place(&path),
        });
        if current {
            return Ok(());
        }
        self.open = None;
        if looks.file.is_none() || looks.length == 0 {
            return Ok(());
        }
        // An ordinary connection makes -wal and -shm files, which a viewer must not. Where there is a log, they are
        // there already, and what running instances have saved is in it.
        let untouched = (self.only_looks && looks.wal_length == 0).then_some(looks);
        let connection =
            if untouched.is_some() { connect::for_reading_untouched(&path)? } else { connect::for_reading(&path)? };
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > 0 {
            self.open = Some(OpenConnection { connection, files: DatabaseFiles::at(&path), untouched });
        }
        Ok(())
    }
}

fn load(connection: &Connection, keys: &[JobKey]) -> Result<Vec<Observation>, Trouble> {
    let sql = format!(
        "SELECT {} FROM job j JOIN {OBSERVATION_TABLES} WHERE j.endpoint = ?1 AND j.service_id = ?2 AND o.job = j.id",
        OBSERVATION_COLUMNS.join(", ")
    );
    let mut find_endpoint = connection.prepare_cached("SELECT id FROM endpoint WHERE provider = ?1 AND url = ?2")?;
    // One state of things for all of them.
    let _snapshot = connection.unchecked_transaction()?;
    let mut find = connection.prepare_cached(&sql)?;
    let mut endpoints: HashMap<(&str, &str), Option<i64>> = HashMap::new();
    let mut known = Vec::with_capacity(keys.len());
    for key in keys {
        let place = (key.provider.as_str(), &*key.endpoint);
        let endpoint = match endpoints.get(&place) {
            Some(endpoint) => *endpoint,
            None => {
                let endpoint = find_endpoint.query_row(place, |row| row.get(0)).optional()?;
                endpoints.insert(place, endpoint);
                endpoint
            }
        };
        let observation = match endpoint {
            Some(endpoint) => find
                .query_row((endpoint, key.canonical_id()), |row| rows::observation(connection, row))
                .optional()?
                .flatten(),
            None => None,
        };
        known.push(observation.unwrap_or_default());
    }
    Ok(known)
}

fn load_all(connection: &Connection) -> Result<Vec<(Job, Observation)>, Trouble> {
    let sql = format!(
        "SELECT {}, {JOB_COLUMNS} \
         FROM job j JOIN endpoint p ON p.id = j.endpoint LEFT JOIN declaration d ON d.job = j.id \
         LEFT JOIN observation o ON o.job = j.id LEFT JOIN body s ON s.id = o.saved \
         LEFT JOIN body e ON e.id = o.evidence \
         WHERE d.job IS NOT NULL OR o.job IS NOT NULL ORDER BY j.id",
        OBSERVATION_COLUMNS.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(rows::job_and_known(connection, row, OBSERVATION_COLUMNS.len())?);
    }
    Ok(all)
}

fn sent_again(connection: &Connection) -> Result<Vec<JobKey>, Trouble> {
    let sql = format!(
        "SELECT {JOB_COLUMNS} FROM job j JOIN endpoint p ON p.id = j.endpoint LEFT JOIN declaration d ON d.job = j.id \
         WHERE j.sent_again_at IS NOT NULL"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let jobs = statement.query_map([], |row| rows::job(row, 0))?;
    Ok(jobs.filter_map(Result::ok).map(|job| job.key).collect())
}

fn history(connection: &Connection, key: &JobKey) -> Result<(Vec<Attempt>, Vec<StateChange>), Trouble> {
    let _snapshot = connection.unchecked_transaction()?;
    let Some(job) = rows::find_job(connection, key)? else { return Ok(Default::default()) };
    Ok((rows::read_attempts(connection, job)?, changes::read(connection, job)?))
}

fn owners(connection: &Connection, dir: &StateDir, keys: &[JobKey]) -> Result<Vec<Option<Arc<Owner>>>, Trouble> {
    let _snapshot = connection.unchecked_transaction()?;
    let mut find = connection.prepare_cached(
        "SELECT c.instance FROM endpoint p JOIN job j ON j.endpoint = p.id JOIN claim c ON c.job = j.id \
         WHERE p.provider = ?1 AND p.url = ?2 AND j.service_id = ?3",
    )?;
    let (mut owners, mut liveness) = (ClaimOwners::new(connection), Liveness::new(dir));
    let mut holders = Vec::with_capacity(keys.len());
    for key in keys {
        let place = (key.provider.as_str(), &key.endpoint, key.canonical_id());
        let holder = find.query_row(place, |row| row.get(0)).optional()?;
        let holder = holder.map(|holder| owners.get(holder)).transpose()?;
        holders.push(holder.filter(|holder| liveness.is_alive(&holder.instance)));
    }
    Ok(holders)
}

fn description(connection: &Connection, key: &JobKey) -> Result<Option<String>, Trouble> {
    let Some(job) = rows::find_job(connection, key)? else { return Ok(None) };
    Ok(rows::read_description(connection, job)?)
}

fn kept(connection: &Connection, key: &JobKey) -> Result<Vec<KeptBody>, Trouble> {
    let Some(job) = rows::find_job(connection, key)? else { return Ok(Vec::new()) };
    Ok(bodies::read_kept(connection, job)?)
}

fn body(connection: &Connection, dir: &StateDir, BodyId(id): BodyId) -> Result<Option<Bytes>, Trouble> {
    let found = connection
        .prepare_cached("SELECT file, data FROM body WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?)))
        .optional()?;
    match found {
        Some((Some(file), _)) => Ok(Some(spool::read_kept(&File::open(dir.bodies().join(file))?)?)),
        Some((None, data)) => Ok(Some(Bytes::from(data.unwrap_or_default()))),
        None => Ok(None),
    }
}

fn body_path(connection: &Connection, dir: &StateDir, BodyId(id): BodyId) -> Result<Option<PathBuf>, Trouble> {
    let file: Option<Option<String>> = connection
        .prepare_cached("SELECT file FROM body WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(file.flatten().map(|file| dir.bodies().join(file)))
}
