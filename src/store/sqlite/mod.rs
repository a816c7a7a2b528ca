//! The ledger as a SQLite database in the state directory: one thread that writes, one that reads. A claim lasts as long
//! as its instance holds a lock, which the system releases at any end of the process.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::dir::StateDir;
use super::error::{StoreError, StoreErrorKind};
use super::instance::Instance;
use super::ledger::{Ledger, ReadCommand, WriteCommand};
use super::trouble::Trouble;

mod bodies;
mod cells;
mod changes;
pub mod connect;
mod database;
pub mod files;
mod forget;
mod hooks;
mod owners;
mod reader;
mod rows;
mod salvage;
mod share;
mod tx;
mod values;
mod writer;

use reader::{ReaderOrder, SqliteReader};
use writer::Writer;

/// From this length in bytes on, the log is only held so long by a reader that does not end.
#[cfg(not(test))]
const LONGEST_LOG: u64 = 256 << 20;
/// Just more than a log is cut to once it was taken in.
#[cfg(test)]
const LONGEST_LOG: u64 = 65 << 20;

/// Bytes of a database's log, where it is that long.
pub fn long_log(dir: &StateDir) -> Option<u64> {
    Some(files::wal_length(&dir.database())).filter(|length| *length > LONGEST_LOG)
}

/// A handle on the two threads. They end with it; claims stay then, as after a death: only `WriteCommand::Close` gives them
/// up.
#[derive(Debug)]
pub struct Sqlite {
    /// None where it is only looked at.
    writer: Option<Worker<WriteCommand>>,
    reader: Option<Worker<ReaderOrder>>,
    /// None where it is only looked at. Its lock lives as long as this.
    instance: Option<Arc<Instance>>,
    dir: StateDir,
}

/// A thread and the way to it.
#[derive(Debug)]
struct Worker<T> {
    sender: Sender<T>,
    thread: JoinHandle<()>,
}

impl Sqlite {
    /// Opens the database for writing, with a new instance. The string is a note for the user: a damaged database that
    /// was moved aside.
    pub fn open(dir: StateDir) -> Result<(Self, Option<String>), StoreError> {
        let (to_reader, orders) = channel();
        let failed = |trouble: Trouble| trouble.say("open the state directory", dir.root());
        let (writer, note) = Writer::open(dir.clone(), to_reader.clone()).map_err(failed)?;
        let instance = Some(writer.instance());
        let reader = SqliteReader::new(dir.clone(), writer.suspect());
        let (to_writer, commands) = channel();
        let mut sqlite = Self { writer: None, reader: None, instance, dir };
        sqlite.writer = Some(Worker::start("store writer", to_writer, move || writer.run(&commands))?);
        sqlite.reader = Some(Worker::start("store reader", to_reader, move || reader.run(&orders))?);
        Ok((sqlite, note))
    }

    /// Opens the database for looking only: nothing is made, not even the directory.
    pub fn look(dir: StateDir) -> Result<Self, StoreError> {
        let reader = SqliteReader::only_looking(dir.clone())
            .map_err(|trouble| trouble.say("open the state directory", dir.root()))?;
        let (to_reader, orders) = channel();
        let reader = Worker::start("store reader", to_reader, move || reader.run(&orders))?;
        Ok(Self { writer: None, reader: Some(reader), instance: None, dir })
    }

    /// The name of the instance; empty where it is only looked at.
    pub fn instance_name(&self) -> &str {
        self.instance.as_ref().map_or("", |instance| instance.name())
    }
}

impl Ledger for Sqlite {
    fn write(&self, command: WriteCommand) {
        if let Some(writer) = &self.writer {
            let _ = writer.sender.send(command);
        }
    }

    fn read(&self, command: ReadCommand) {
        if let Some(reader) = &self.reader {
            let _ = reader.sender.send(ReaderOrder::Read(command));
        }
    }

    fn check_claims(&self) -> Result<(), StoreError> {
        let in_place = self.instance.as_ref().is_none_or(|instance| instance.is_in_place());
        if in_place { Ok(()) } else { Err(Trouble::Replaced.say("write to the state directory", self.dir.root())) }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The writer first, for it can ask the reader too. What was asked for is still done.
        if let Some(writer) = self.writer.take() {
            writer.end();
        }
        if let Some(reader) = self.reader.take() {
            reader.end();
        }
    }
}

impl<T> Worker<T> {
    fn start(name: &str, sender: Sender<T>, run: impl FnOnce() + Send + 'static) -> Result<Self, StoreError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|error| StoreError {
            kind: StoreErrorKind::Other,
            what: format!("failed to start a thread: {error}"),
            help: "End some programs, then try again".to_owned(),
        })?;
        Ok(Self { sender, thread })
    }

    fn end(self) {
        drop(self.sender);
        let _ = self.thread.join();
    }
}
