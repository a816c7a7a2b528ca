//! The tables of a team's store: made and brought up to date by `jobdeck store init`, checked by everybody else.

use super::session::{Session, cell};
use super::trouble::TeamTrouble;

/// The tables, version by version. What was released is never changed.
const MIGRATIONS: [&str; 1] = [include_str!("001_tables.sql")];

/// The version that this jobdeck knows.
const VERSION: i32 = MIGRATIONS.len() as i32;

/// Held while tables are made: "jobdeck" as a number.
const LOCK: i64 = 0x006a_6f62_6465_636b;

/// What `init` has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// There was nothing before.
    Tables,
    /// They were older: their version before.
    Migrated(i32),
    /// Nothing: they were there.
    Nothing,
}

/// The store's number, if its tables are those that this jobdeck knows.
pub async fn check(session: &Session) -> Result<String, TeamTrouble> {
    let (id, version) = version(session).await?.ok_or(TeamTrouble::NoTables)?;
    must_be_ours(version).map(|()| id)
}

/// Whether tables of this version are those that this jobdeck knows.
pub fn must_be_ours(version: i32) -> Result<(), TeamTrouble> {
    match version {
        VERSION => Ok(()),
        older if older < VERSION => Err(TeamTrouble::Older(older, VERSION)),
        newer => Err(TeamTrouble::Newer(newer, VERSION)),
    }
}

/// Makes the tables or brings them up to date, in one transaction, by one at a time. After a restore into another
/// server, whose transactions are numbered anew, every job counts as changed.
pub async fn init(session: &mut Session) -> Result<Made, TeamTrouble> {
    session.ask(session.client.batch_execute("BEGIN")).await?;
    let made = init_within(session).await;
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.ask(session.client.batch_execute(end)).await;
    made.and_then(|made| ended.map(|()| made))
}

async fn init_within(session: &Session) -> Result<Made, TeamTrouble> {
    session.ask(session.client.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK})"))).await?;
    let before = version(session).await?.map(|(_, version)| version);
    if let Some(newer) = before.filter(|version| *version > VERSION) {
        return Err(TeamTrouble::Newer(newer, VERSION));
    }
    if before.is_none() {
        session.ask(session.client.batch_execute("CREATE SCHEMA IF NOT EXISTS jobdeck")).await?;
    }
    let missing = usize::try_from(before.unwrap_or_default()).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(missing) {
        session.ask(session.client.batch_execute(migration)).await?;
    }
    let noted = match before {
        None => format!("INSERT INTO jobdeck.store (version) VALUES ({VERSION})"),
        Some(_) => format!("UPDATE jobdeck.store SET version = {VERSION} WHERE version <> {VERSION}"),
    };
    session.ask(session.client.batch_execute(&noted)).await?;
    let renumbered = "UPDATE jobdeck.known SET changed = pg_current_xact_id() \
                      WHERE changed > pg_snapshot_xmax(pg_current_snapshot())";
    session.ask(session.client.batch_execute(renumbered)).await?;
    Ok(match before {
        None => Made::Tables,
        Some(VERSION) => Made::Nothing,
        Some(older) => Made::Migrated(older),
    })
}

async fn version(session: &Session) -> Result<Option<(String, i32)>, TeamTrouble> {
    let there =
        session.ask(session.client.query_typed_one("SELECT to_regclass('jobdeck.store') IS NOT NULL", &[])).await?;
    if !cell::<bool>(&there, 0)? {
        return Ok(None);
    }
    let row = session.ask(session.client.query_opt("SELECT id::text, version FROM jobdeck.store", &[])).await?;
    row.map(|row| Ok((cell(&row, 0)?, cell(&row, 1)?))).transpose()
}
