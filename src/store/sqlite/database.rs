//! The database as the writer has it: open, or opened anew after trouble, and what was in it brought over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::bodies;
use super::connect::{self, Opening};
use super::files::DatabaseFiles;
use super::reader::ReaderOrder;
use super::salvage::{self, Salvaged};
use crate::store::dir::{FileId, StateDir};
use crate::store::instance::{self, Instance, Liveness};
use crate::store::trouble::Trouble;

/// Ends the name of a snapshot of a database whose log was taken away; the instance comes before it.
const SNAPSHOT: &str = ".snapshot";

/// The database that one instance writes.
#[derive(Debug)]
pub struct Database {
    dir: StateDir,
    instance: Arc<Instance>,
    open: Option<OpenDatabase>,
    /// Where that is kept which a database held whose log was taken away, until it is saved again.
    snapshot: PathBuf,
    /// The way to the reader, which must not have the database open while it is put right.
    reader: Sender<ReaderOrder>,
    /// The database that our claims are in.
    claims_in: Option<FileId>,
    /// The database was found damaged in use, here or by the reader: it is looked through before it is used again.
    suspect: Arc<AtomicBool>,
}

#[derive(Debug)]
pub struct OpenDatabase {
    pub connection: Connection,
    /// Our instance's number in it.
    pub instance: i64,
    /// Its files: somebody may take them away, or put others in their places.
    pub files: DatabaseFiles,
    /// `PRAGMA data_version` when last asked.
    seen: i64,
    /// Whether `bodies/` was looked through for what dead instances left.
    pub looked_through: bool,
}

impl Database {
    /// Makes the directory, registers an instance and opens the database. The string is a note for the user.
    pub fn open(dir: StateDir, reader: Sender<ReaderOrder>) -> Result<(Self, Option<String>), Trouble> {
        dir.create()?;
        let instance = {
            let _opening = Opening::wait(&dir)?;
            Arc::new(Instance::register(&dir)?)
        };
        let snapshot = dir.spool().join(format!("{}{SNAPSHOT}", instance.name()));
        let suspect = Arc::default();
        let mut database = Self { dir, instance, open: None, snapshot, reader, claims_in: None, suspect };
        let note = match database.reopen() {
            Ok(note) => note,
            Err(trouble) => {
                database.instance.unregister();
                return Err(trouble);
            }
        };
        Ok((database, note))
    }

    /// The instance that it is written for.
    pub fn instance(&self) -> Arc<Instance> {
        Arc::clone(&self.instance)
    }

    pub fn instance_name(&self) -> &str {
        self.instance.name()
    }

    /// Whether claims ceased to count since this was last asked: they are to be made again.
    pub fn was_displaced(&self) -> bool {
        self.instance.was_displaced()
    }

    /// Is set where the database is found damaged.
    pub fn suspect(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.suspect)
    }

    /// The open database; None after trouble, until [`be_open`](Self::be_open).
    pub fn current(&mut self) -> Option<&mut OpenDatabase> {
        self.open.as_mut()
    }

    /// Whether another connection has written since this was last asked.
    pub fn changed_by_others(&mut self) -> Result<bool, Trouble> {
        let files = self.open.as_ref().map(|open| open.files);
        self.be_open()?;
        let Some(open) = &mut self.open else { return Ok(false) };
        let version = data_version(&open.connection)?;
        let changed = version != open.seen || files != Some(open.files);
        open.seen = version;
        Ok(changed)
    }

    /// Draws from a failure what follows for the connection: whether it is opened anew, and looked through.
    pub fn learn_from(&mut self, trouble: &Trouble) {
        if trouble.spoils_connection() {
            self.open = None;
        }
        if trouble.is_corruption() {
            self.suspect.store(true, Ordering::Relaxed);
        }
    }

    /// Gives up all claims, closes the database and unregisters the instance.
    pub fn close(mut self) {
        // Whoever closes last tidies up, and the reader must not.
        self.tell_reader(ReaderOrder::Rest);
        // What lies unread in the spool is looked at once this process has ended: until then nobody may ask for it again.
        let leaves_something = bodies::is_left_by(&self.dir, self.instance.name());
        if let Some(open) = self.open.take() {
            if open.files.are_in_place(&self.dir.database()) {
                let _ = connect::tidy_on_close(&open.connection);
            }
            if leaves_something {
                return;
            }
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

    /// Opens the database anew if that is needed: after trouble, or if its file is no longer the one in its place.
    pub fn be_open(&mut self) -> Result<(), Trouble> {
        let sound = !self.suspect.load(Ordering::Relaxed);
        let locked = self.instance.is_locked();
        let in_place = self.open.as_ref().is_none_or(|open| open.files.are_in_place(&self.dir.database()));
        if sound && locked && in_place && self.open.is_some() {
            return Ok(());
        }
        if !in_place {
            self.leave_displaced()?;
        }
        self.open = None;
        self.dir.create()?;
        if let Some(note) = self.reopen()? {
            tracing::warn!("{note}");
        }
        Ok(())
    }

    /// Keeps what only the files hold that were taken away: they are still open, so that nothing that was shown as
    /// saved is lost with their names. Where the database itself was replaced, what is in its place is what is wanted.
    fn leave_displaced(&mut self) -> Result<(), Trouble> {
        let Some(open) = &self.open else { return Ok(()) };
        if open.files.main_file() == DatabaseFiles::at(&self.dir.database()).main_file() {
            self.instance.displace();
            tracing::warn!("the database's log was taken away by another program; what it held is saved again");
            match salvage::snapshot(&open.connection, &self.snapshot) {
                Err(trouble) if !trouble.is_corruption() => return Err(trouble),
                Err(trouble) => tracing::error!(%trouble, "what the log that was taken away held is lost"),
                Ok(()) => {}
            }
        }
        // All connections of a process to one file share what they know of its log: none may stay.
        self.open = None;
        self.tell_reader(ReaderOrder::Disconnect);
        Ok(())
    }

    /// Tells the reader something and waits until it is done.
    fn tell_reader(&self, order: impl FnOnce(oneshot::Sender<()>) -> ReaderOrder) {
        let (done, is_done) = oneshot::channel();
        if self.reader.send(order(done)).is_ok() {
            let _ = is_done.blocking_recv();
        }
    }

    /// Saves again what was kept of databases whose log was taken away, by us or by an instance that died since.
    fn bring_over(&self, connection: &Connection) -> Result<(), Trouble> {
        let mut liveness = Liveness::new(&self.dir);
        for path in std::fs::read_dir(self.dir.spool())?.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(SNAPSHOT));
            let Some(name) = name else { continue };
            if path != self.snapshot && liveness.is_alive(name) {
                continue;
            }
            match salvage::copy_file(&path, connection) {
                Err(trouble) => {
                    let path = path.display();
                    tracing::error!(%trouble, "what {path} holds cannot be saved again; the next start tries it");
                }
                Ok(salvaged) => {
                    tracing::warn!("saved again: {salvaged}");
                    let _ = std::fs::remove_file(&path);
                }
            }
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
                let aside = connect::move_aside(&self.dir)?;
                let open = self.try_open()?;
                let note = self.note_of_damage(&aside, salvage::copy_file(&aside, &open.connection));
                (open, Some(note))
            }
            other => (other?, None),
        };
        self.suspect.store(false, Ordering::Relaxed);
        if self.claims_in.is_some() && self.claims_in != open.files.main_file() {
            self.instance.displace();
        }
        self.claims_in = open.files.main_file();
        self.open = Some(open);
        Ok(note)
    }

    fn note_of_damage(&self, aside: &Path, salvaged: Result<Salvaged, Trouble>) -> String {
        let aside = aside.display();
        match salvaged {
            Ok(salvaged) if salvaged.jobs > 0 => format!(
                "the database was damaged and a new one was begun with what could still be read: {salvaged}. The old one \
                 is kept as {aside}"
            ),
            Ok(_) | Err(_) => format!(
                "the database was damaged and a new one was begun. The old one is kept as {aside}; the results that \
                 were files stay in {}",
                self.dir.bodies().display()
            ),
        }
    }

    fn try_open(&self) -> Result<OpenDatabase, Trouble> {
        let (us, name) = (&self.instance.owner, self.instance.name());
        let register = |connection: &Connection| {
            connection.execute(
                "INSERT OR IGNORE INTO instance (name, pid, started, host, user) VALUES (?1, ?2, ?3, ?4, ?5)",
                (name, us.pid, super::values::nanoseconds(jiff::Timestamp::now()), &*us.host, &*us.user),
            )?;
            connection.query_row("SELECT id FROM instance WHERE name = ?1", [name], |row| row.get(0))
        };
        let suspect = self.suspect.load(Ordering::Relaxed);
        let (connection, instance) = connect::for_writing(&self.dir, suspect, register)?;
        self.sweep(&connection)?;
        self.bring_over(&connection)?;
        let seen = data_version(&connection)?;
        let files = DatabaseFiles::at(&self.dir.database());
        Ok(OpenDatabase { connection, instance, files, seen, looked_through: false })
    }

    /// Forgets dead instances that claim nothing.
    fn sweep(&self, connection: &Connection) -> Result<(), Trouble> {
        let mut liveness = Liveness::new(&self.dir);
        let rows: Vec<(i64, String, bool)> = connection
            .prepare("SELECT id, name, EXISTS (SELECT 1 FROM claim WHERE instance = instance.id) FROM instance")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let mut claiming = Vec::new();
        for (id, name, claims) in rows {
            if claims || liveness.is_alive(&name) {
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
}

fn data_version(connection: &Connection) -> Result<i64, Trouble> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
