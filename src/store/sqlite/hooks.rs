//! Events that hooks are run for: noted in the step that brings them, so that each is delivered once whoever dies.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{rows, values};
use crate::domain::job::JobKey;
use crate::domain::state::State;
use crate::store::dir::StateDir;
use crate::store::instance::Liveness;
use crate::store::trouble::Trouble;
use crate::store::{NewHookEvent, PendingHook};

/// After this many failed tries an event is given up.
pub const MOST_TRIES: u32 = 3;

/// Notes events under an instance. One that is there already is not noted again.
pub fn add(connection: &Connection, job: i64, instance: i64, events: &[NewHookEvent]) -> rusqlite::Result<()> {
    for NewHookEvent { hook, event, at } in events {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO hook_event (job, hook, event, at, instance) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![job, hook, event, values::nanoseconds(*at), instance])?;
    }
    Ok(())
}

/// Notes that a job's end may have led to the end of the run, which has yet to be looked at for these hooks.
pub fn add_endings(connection: &Connection, job: i64, hooks: &[String]) -> rusqlite::Result<()> {
    for hook in hooks {
        connection
            .prepare_cached("INSERT OR IGNORE INTO hook_ending (job, hook) VALUES (?1, ?2)")?
            .execute(params![job, hook])?;
    }
    Ok(())
}

/// It was looked at.
pub fn remove_ending(connection: &Connection, job: i64, hook: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM hook_ending WHERE job = ?1 AND hook = ?2")?.execute(params![job, hook])?;
    Ok(())
}

/// The jobs whose end was not looked at, with the hooks that wait for it.
pub fn endings(connection: &Connection) -> Result<Vec<(JobKey, String)>, Trouble> {
    let columns = rows::JOB_COLUMNS;
    let sql = format!(
        "SELECT h.hook, {columns} FROM hook_ending h JOIN job j ON j.id = h.job \
         JOIN endpoint p ON p.id = j.endpoint LEFT JOIN declaration d ON d.job = j.id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([])?;
    let mut endings = Vec::new();
    while let Some(row) = found.next()? {
        endings.push((rows::job(row, 1)?.key, row.get(0)?));
    }
    Ok(endings)
}

/// The events that this instance has to deliver, oldest first, among them those that a dead one left.
pub fn undelivered(connection: &Connection, dir: &StateDir, instance: i64) -> Result<Vec<PendingHook>, Trouble> {
    take_over(connection, dir, instance)?;
    let columns = rows::JOB_COLUMNS;
    let sql = format!(
        "SELECT h.id, h.hook, h.event, h.at, h.tries, \
         (SELECT c.previous FROM change c WHERE c.job = h.job AND c.at = h.at ORDER BY c.id DESC LIMIT 1), {columns} \
         FROM hook_event h JOIN job j ON j.id = h.job \
         JOIN endpoint p ON p.id = j.endpoint LEFT JOIN declaration d ON d.job = j.id \
         WHERE h.delivered IS NULL AND h.instance = ?1 ORDER BY h.id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([instance])?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        let job = rows::job(row, 6)?;
        events.push(PendingHook {
            id: row.get(0)?,
            job: Arc::new(job),
            hook: row.get(1)?,
            event: row.get(2)?,
            at: values::time(3, row.get(3)?)?,
            tries: row.get(4)?,
            previous: row.get::<_, Option<String>>(5)?.as_deref().and_then(State::from_word),
        });
    }
    Ok(events)
}

/// Notes what came of running hooks for these events. One that fails for the third time counts as delivered.
pub fn note(connection: &Connection, events: &[i64], delivered: bool) -> rusqlite::Result<()> {
    let now = values::nanoseconds(Timestamp::now());
    for id in events {
        connection
            .prepare_cached(
                "UPDATE hook_event SET tries = tries + 1, \
                 delivered = CASE WHEN ?2 OR tries + 1 >= ?3 THEN ?4 END WHERE id = ?1 AND delivered IS NULL",
            )?
            .execute(params![id, delivered, MOST_TRIES, now])?;
    }
    Ok(())
}

/// Takes over what dead instances did not deliver.
fn take_over(connection: &Connection, dir: &StateDir, instance: i64) -> Result<(), Trouble> {
    let others: Vec<i64> = connection
        .prepare_cached("SELECT DISTINCT instance FROM hook_event WHERE delivered IS NULL AND instance <> ?1")?
        .query_map([instance], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut liveness = Liveness::new(dir);
    for other in others {
        let name: Option<String> = connection
            .prepare_cached("SELECT name FROM instance WHERE id = ?1")?
            .query_row([other], |row| row.get(0))
            .optional()?;
        if !name.is_some_and(|name| liveness.is_alive(&name)) {
            connection
                .prepare_cached("UPDATE hook_event SET instance = ?1 WHERE instance = ?2 AND delivered IS NULL")?
                .execute([instance, other])?;
        }
    }
    Ok(())
}
