//! Connections to the database: how they are set up, migrated, and what happens to a damaged file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::files::with_suffix;
use crate::store::dir::{StateDir, new_file};
use crate::store::trouble::Trouble;

/// How long a locked database is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// The smallest page that SQLite knows, in bytes: no database is shorter.
const SMALLEST_PAGE: u64 = 512;

/// Each brings the tables from version n to n + 1; `user_version` counts them.
pub const MIGRATIONS: [&str; 2] = [include_str!("001_tables.sql"), include_str!("002_results.sql")];

/// Held while an instance opens the directory: making, migrating, moving aside and sweeping are done by one at a time.
#[derive(Debug)]
pub struct Opening(#[expect(dead_code, reason = "held, not read")] File);

impl Opening {
    /// Waits for its turn, for a few seconds at most.
    pub fn wait(dir: &StateDir) -> io::Result<Self> {
        let path = dir.instances().join("opening");
        let file = new_file(&path).or_else(|_| File::options().read(true).write(true).open(&path))?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Opens the database for reading beside a writer.
pub fn for_reading(path: &Path) -> Result<Connection, Trouble> {
    refuse_foreign(path)?;
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    set_up_reading(connection)
}

/// Opens a database that nobody writes, without making a `-wal` or `-shm` file beside it.
pub fn for_reading_untouched(path: &Path) -> Result<Connection, Trouble> {
    refuse_foreign(path)?;
    let mut uri = url::Url::from_file_path(path).map_err(|()| io::Error::from(io::ErrorKind::InvalidInput))?;
    uri.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    set_up_reading(Connection::open_with_flags(uri.as_str(), flags)?)
}

/// Opens the database for writing, and makes or migrates its tables. `suspect`: it was found damaged in use, so it is
/// looked through. `first` is written before it is used; in a new database it becomes durable with the tables.
pub fn for_writing<T>(
    dir: &StateDir,
    suspect: bool,
    first: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<(Connection, T), Trouble> {
    refuse_foreign(&dir.database())?;
    let is_new = std::fs::metadata(dir.database())?.len() == 0;
    // No CREATE flag: the file is made by `StateDir::create`, with its mode.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(dir.database(), flags)?;
    set_up(&connection, 64)?;
    // A database that is being made holds nothing yet: it is made durable when it is whole, and not step by step.
    connection.pragma_update(None, "synchronous", if is_new { "off" } else { "full" })?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    // 8 MB of pages and a checkpoint every 16 MB: a burst of saves waits for fewer syncs.
    connection.pragma_update(None, "cache_size", -8000)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 4000, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    if suspect {
        look_through(&connection)?;
    }
    migrate(&mut connection)?;
    // Touches every table's first page, so that a file cut short is noticed now and not at the first save.
    connection.query_row(
        "SELECT (SELECT max(id) FROM job), (SELECT max(job) FROM observation), (SELECT max(id) FROM body)",
        [],
        |_| Ok(()),
    )?;
    let first = first(&connection)?;
    if is_new {
        make_durable(&connection)?;
    }
    Ok((connection, first))
}

/// Lets the connection write its log into the database and take the log away when it is closed, if it is the last. To
/// be called only while the database's files are in their places.
pub fn tidy_on_close(connection: &Connection) -> Result<(), Trouble> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// Renames a damaged database, its write-ahead log with it, so that SQLite's own tools can still rescue what is in it.
/// Answers with where it is now.
pub fn move_aside(dir: &StateDir) -> Result<PathBuf, Trouble> {
    let database = dir.database();
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut aside = with_suffix(&database, &format!(".corrupt-{stamp}"));
    let mut n = 1;
    while aside.exists() {
        n += 1;
        aside = with_suffix(&database, &format!(".corrupt-{stamp}-{n}"));
    }
    std::fs::rename(&database, &aside)?;
    for suffix in ["-wal", "-shm"] {
        let file = with_suffix(&database, suffix);
        if file.exists() {
            std::fs::rename(&file, with_suffix(&aside, suffix))?;
        }
    }
    dir.create()?;
    Ok(aside)
}

/// SQLite takes a file that is shorter than a page for an empty database and would overwrite it; longer ones it looks
/// at itself. The file is not opened here, see [`super::files`].
fn refuse_foreign(path: &Path) -> Result<(), Trouble> {
    let length = std::fs::metadata(path)?.len();
    if length == 0 || length >= SMALLEST_PAGE {
        return Ok(());
    }
    let foreign = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
    Err(rusqlite::Error::SqliteFailure(foreign, Some("it is no database".to_owned())).into())
}

fn set_up_reading(connection: Connection) -> Result<Connection, Trouble> {
    set_up(&connection, 32)?;
    Ok(connection)
}

fn set_up(connection: &Connection, statements: usize) -> Result<(), Trouble> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(statements);
    // Who closes last writes the log into the database, unless asked not to. Where the log was taken away, the database
    // may be another one's by then: only `tidy_on_close` asks for it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Without it SQLite prepares a statement anew whenever another number is bound that might ask for another plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    refuse_newer(connection)
}

/// Syncs the log, its name and the database, empties the log, and syncs each transaction from now on.
fn make_durable(connection: &Connection) -> Result<(), Trouble> {
    connection.pragma_update(None, "synchronous", "full")?;
    let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None).into());
    }
    Ok(())
}

fn look_through(connection: &Connection) -> Result<(), Trouble> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(corrupt, Some(verdict)).into())
}

fn version(connection: &Connection) -> Result<i64, Trouble> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

fn refuse_newer(connection: &Connection) -> Result<(), Trouble> {
    let version = version(connection)?;
    if version > MIGRATIONS.len() as i64 { Err(Trouble::Newer(version)) } else { Ok(()) }
}

fn migrate(connection: &mut Connection) -> Result<(), Trouble> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let done = usize::try_from(version(&transaction)?).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    if done < MIGRATIONS.len() {
        transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    }
    Ok(transaction.commit()?)
}
