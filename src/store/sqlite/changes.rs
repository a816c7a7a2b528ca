//! The history of a job: the last changes of its state and of the service's word.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::values::{nanoseconds, opt_word, time, word};
use crate::domain::attempt::{CHANGES_BEYOND, CHANGES_KEPT, StateChange};
use crate::domain::state::State;

/// Adds a change to a job's history, unless it is there (a step whose commit could not be trusted is saved again), or
/// nothing but the progress is another than at the change before.
pub fn add(connection: &Connection, job: i64, change: &StateChange) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO change (job, at, previous, state, word) SELECT ?1, ?2, ?3, ?4, ?5 \
             WHERE NOT EXISTS (SELECT 1 FROM change WHERE job = ?1 AND at = ?2 AND state = ?4 AND word IS ?5) \
             AND (?3 IS NOT ?4 OR (SELECT state = ?4 AND word IS ?5 FROM change WHERE job = ?1 AND at <= ?2 \
                  ORDER BY at DESC, id DESC LIMIT 1) IS NOT TRUE)",
        )?
        .execute(params![
            job,
            nanoseconds(change.at),
            change.previous.map(State::as_str),
            change.state.as_str(),
            change.word
        ])?;
    Ok(())
}

/// Of a job that changes for ever keeps the last [`CHANGES_KEPT`] changes, once there are [`CHANGES_BEYOND`] more. Those
/// of the state stay before those of the service's word alone.
pub fn keep_last(connection: &Connection, job: i64) -> rusqlite::Result<()> {
    let are_many = connection
        .prepare_cached("SELECT 1 FROM change WHERE job = ?1 LIMIT 1 OFFSET ?2")?
        .exists([job, CHANGES_KEPT + CHANGES_BEYOND])?;
    if are_many {
        connection
            .prepare_cached(
                "DELETE FROM change WHERE id IN (SELECT id FROM change WHERE job = ?1 \
                 ORDER BY previous IS state, at DESC, id DESC LIMIT -1 OFFSET ?2)",
            )?
            .execute([job, CHANGES_KEPT])?;
    }
    Ok(())
}

/// A job's changes, oldest first.
pub fn read(connection: &Connection, job: i64) -> rusqlite::Result<Vec<StateChange>> {
    connection
        .prepare_cached("SELECT at, previous, state, word FROM change WHERE job = ?1 ORDER BY at, id")?
        .query_map([job], |row| {
            Ok(StateChange {
                at: time(0, row.get(0)?)?,
                previous: opt_word(row, 1, State::from_word)?,
                state: word(row, 2, State::from_word)?,
                word: row.get(3)?,
            })
        })?
        .collect()
}

/// The state that the last change of a job brought, for where its own cell is odd.
pub fn last_state(connection: &Connection, job: i64) -> rusqlite::Result<Option<State>> {
    let word: Option<String> = connection
        .prepare_cached("SELECT state FROM change WHERE job = ?1 ORDER BY at DESC, id DESC LIMIT 1")?
        .query_row([job], |row| row.get(0))
        .optional()?;
    Ok(word.and_then(|word| State::from_word(&word)))
}
