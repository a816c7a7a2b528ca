//! Rows as domain types, and back.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::attempt::{Attempt, Change};
use crate::domain::checksum::Checksum;
use crate::domain::files::FileCounts;
use crate::domain::job::{Job, JobKey, JobTraits, ProviderName};
use crate::domain::observation::{Doubt, LastPoll, Observation, Saved};
use crate::domain::state::{LostBecause, PollOutcome, State};

/// Columns of an observation, as [`observation`] takes them, from [`OBSERVATION_TABLES`].
pub const OBSERVATION_COLUMNS: &str = "o.state, o.word, o.lost, o.http_status, o.service_status_code, o.progress, \
     o.fail_reason, o.error_code, o.warning, o.files_total, o.files_failed, o.first_seen, o.running_since, \
     o.finished_at, o.eta, o.changed_at, o.applied, o.doubt, o.read, o.read_http_status, o.read_reason, o.read_at, \
     s.id, s.bytes, s.sha256, s.http_status, s.at, s.masked, e.id, e.bytes, e.sha256, e.http_status, e.at, e.masked";

/// Where they come from.
pub const OBSERVATION_TABLES: &str =
    "observation o LEFT JOIN body s ON s.id = o.saved LEFT JOIN body e ON e.id = o.evidence";

/// An observation of a row that begins with [`OBSERVATION_COLUMNS`].
pub fn observation(row: &Row<'_>) -> rusqlite::Result<Observation> {
    let files = match (row.get(9)?, row.get(10)?) {
        (Some(total), Some(failed)) => Some(FileCounts { total, failed }),
        _ => None,
    };
    let last_poll = match opt_word(row, 18, PollOutcome::from_word)? {
        Some(read) => {
            Some(LastPoll { read, http_status: row.get(19)?, reason: row.get(20)?, at: time(21, row.get(21)?)? })
        }
        None => None,
    };
    Ok(Observation {
        state: word(row, 0, State::from_word)?,
        word: row.get(1)?,
        lost: opt_word(row, 2, LostBecause::from_word)?,
        http_status: row.get(3)?,
        service_status_code: row.get(4)?,
        progress: row.get(5)?,
        fail_reason: row.get(6)?,
        error_code: row.get(7)?,
        warning: row.get(8)?,
        files,
        cost: None,
        first_seen: opt_time(row, 11)?,
        running_since: opt_time(row, 12)?,
        finished_at: opt_time(row, 13)?,
        eta: opt_time(row, 14)?,
        changed_at: opt_time(row, 15)?,
        saved: opt_saved(row, 22)?,
        evidence: opt_saved(row, 28)?.map(Box::new),
        applied: row.get::<_, i64>(16)?.cast_unsigned(),
        doubt: opt_word(row, 17, doubt_from_word)?,
        doubtful: None,
        last_poll,
    })
}

/// What is known of a job; None if nothing is.
pub fn read_observation(connection: &Connection, job: i64) -> rusqlite::Result<Option<Observation>> {
    connection
        .prepare_cached(&format!("SELECT {OBSERVATION_COLUMNS} FROM {OBSERVATION_TABLES} WHERE o.job = ?1"))?
        .query_row([job], observation)
        .optional()
}

/// Writes what is known of a job; `saved` and `evidence` by their body's number.
pub fn write_observation(connection: &Connection, job: i64, o: &Observation) -> rusqlite::Result<()> {
    let last = o.last_poll.as_ref();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO observation (job, state, word, lost, http_status, service_status_code, progress, \
             fail_reason, error_code, warning, files_total, files_failed, first_seen, running_since, finished_at, eta, \
             changed_at, saved, evidence, applied, doubt, read, read_http_status, read_reason, read_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
             ?22, ?23, ?24, ?25)",
        )?
        .execute(params![
            job,
            o.state.as_str(),
            o.word,
            o.lost.map(LostBecause::as_str),
            o.http_status,
            o.service_status_code,
            o.progress,
            o.fail_reason,
            o.error_code,
            o.warning,
            o.files.map(|files| files.total),
            o.files.map(|files| files.failed),
            o.first_seen.map(nanoseconds),
            o.running_since.map(nanoseconds),
            o.finished_at.map(nanoseconds),
            o.eta.map(nanoseconds),
            o.changed_at.map(nanoseconds),
            o.saved.as_ref().map(|saved| saved.body),
            o.evidence.as_ref().map(|saved| saved.body),
            o.applied.cast_signed(),
            o.doubt.map(|doubt| doubt.cause().as_str()),
            last.map(|read| read.read.as_str()),
            last.and_then(|read| read.http_status),
            last.and_then(|read| read.reason.as_deref()),
            last.map(|read| nanoseconds(read.at)),
        ])?;
    Ok(())
}

/// A job's number, if it was ever heard of.
pub fn find_job(connection: &Connection, key: &JobKey) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT j.id FROM endpoint e JOIN job j ON j.endpoint = e.id \
             WHERE e.provider = ?1 AND e.url = ?2 AND j.service_id = ?3",
        )?
        .query_row(params![key.provider.as_str(), key.endpoint, key.canonical_id()], |row| row.get(0))
        .optional()
}

/// The number of a job that was never heard of.
pub fn add_job(connection: &Connection, key: &JobKey) -> rusqlite::Result<i64> {
    let provider = key.provider.as_str();
    connection
        .prepare_cached("INSERT OR IGNORE INTO endpoint (provider, url) VALUES (?1, ?2)")?
        .execute(params![provider, key.endpoint])?;
    connection
        .prepare_cached(
            "INSERT INTO job (endpoint, service_id) \
             VALUES ((SELECT id FROM endpoint WHERE provider = ?1 AND url = ?2), ?3)",
        )?
        .execute(params![provider, key.endpoint, key.canonical_id()])?;
    Ok(connection.last_insert_rowid())
}

/// Keeps a job's declaration and answers with the job's number. Nothing is written if it is the one that is there.
pub fn declare(connection: &Connection, declared: &Job) -> rusqlite::Result<i64> {
    let key = &declared.key;
    let tags = serde_json::to_string(&declared.tags).unwrap_or_else(|_| "[]".to_owned());
    let found: Option<(i64, bool)> = connection
        .prepare_cached(
            "SELECT j.id, d.service IS ?4 AND d.name IS ?5 AND d.tags IS ?6 \
             FROM endpoint e JOIN job j ON j.endpoint = e.id LEFT JOIN declaration d ON d.job = j.id \
             WHERE e.provider = ?1 AND e.url = ?2 AND j.service_id = ?3",
        )?
        .query_row(
            params![key.provider.as_str(), key.endpoint, key.canonical_id(), &*declared.service, declared.name, tags],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let job = match found {
        Some((job, true)) => return Ok(job),
        Some((job, false)) => job,
        None => add_job(connection, key)?,
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO declaration (job, service, name, tags) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![job, &*declared.service, declared.name, tags])?;
    Ok(job)
}

/// A job of six columns: provider, endpoint, id, service, name, tags. Jobs that were never declared are called after
/// their provider.
pub fn job(row: &Row<'_>, from: usize) -> rusqlite::Result<Job> {
    let provider = ProviderName::new(row.get_ref(from)?.as_str()?);
    let key = JobKey { provider, endpoint: row.get(from + 1)?, id: row.get(from + 2)? };
    let service: Option<String> = row.get(from + 3)?;
    let tags: Option<String> = row.get(from + 5)?;
    Ok(Job {
        key,
        service: service.as_deref().unwrap_or(provider.as_str()).into(),
        name: row.get(from + 4)?,
        tags: tags.and_then(|tags| serde_json::from_str(&tags).ok()).unwrap_or_default(),
        traits: JobTraits { one_shot: provider == ProviderName::UNSTRACT, ..JobTraits::default() },
    })
}

/// Replaces a job's reads.
pub fn write_attempts(connection: &Connection, job: i64, attempts: &[Attempt]) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM attempt WHERE job = ?1")?.execute([job])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO attempt (job, n, first, last, count, read, http_status, latency, bytes, retry_after, word, reason) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for (n, attempt) in (0_i64..).zip(attempts) {
        insert.execute(params![
            job,
            n,
            nanoseconds(attempt.first),
            nanoseconds(attempt.last),
            attempt.count,
            attempt.read.as_str(),
            attempt.http_status,
            duration(attempt.latency),
            attempt.bytes.cast_signed(),
            attempt.retry_after.map(duration),
            attempt.word,
            attempt.reason,
        ])?;
    }
    Ok(())
}

/// A job's last reads, oldest first.
pub fn read_attempts(connection: &Connection, job: i64) -> rusqlite::Result<Vec<Attempt>> {
    let nanos = |n: i64| std::time::Duration::from_nanos(n.cast_unsigned());
    connection
        .prepare_cached(
            "SELECT first, last, count, read, http_status, latency, bytes, retry_after, word, reason FROM attempt \
             WHERE job = ?1 ORDER BY n",
        )?
        .query_map([job], |row| {
            Ok(Attempt {
                first: time(0, row.get(0)?)?,
                last: time(1, row.get(1)?)?,
                count: row.get(2)?,
                read: word(row, 3, PollOutcome::from_word)?,
                http_status: row.get(4)?,
                latency: nanos(row.get(5)?),
                bytes: row.get::<_, i64>(6)?.cast_unsigned(),
                retry_after: row.get::<_, Option<i64>>(7)?.map(nanos),
                word: row.get(8)?,
                reason: row.get(9)?,
            })
        })?
        .collect()
}

/// Adds a change to a job's history, unless it is there: a step whose commit could not be trusted is saved again.
pub fn add_change(connection: &Connection, job: i64, change: &Change) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO change (job, at, previous, state, word) SELECT ?1, ?2, ?3, ?4, ?5 \
             WHERE NOT EXISTS (SELECT 1 FROM change WHERE job = ?1 AND at = ?2 AND state = ?4 AND word IS ?5)",
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

/// A job's changes, oldest first.
pub fn read_changes(connection: &Connection, job: i64) -> rusqlite::Result<Vec<Change>> {
    connection
        .prepare_cached("SELECT at, previous, state, word FROM change WHERE job = ?1 ORDER BY id")?
        .query_map([job], |row| {
            Ok(Change {
                at: time(0, row.get(0)?)?,
                previous: opt_word(row, 1, State::from_word)?,
                state: word(row, 2, State::from_word)?,
                word: row.get(3)?,
            })
        })?
        .collect()
}

/// A body of six columns: its number, bytes, sha256, http_status, at, masked.
pub fn saved(row: &Row<'_>, from: usize) -> rusqlite::Result<Saved> {
    Ok(Saved {
        body: row.get(from)?,
        bytes: row.get::<_, i64>(from + 1)?.cast_unsigned(),
        sha256: checksum(row, from + 2)?,
        http_status: row.get(from + 3)?,
        at: time(from + 4, row.get(from + 4)?)?,
        masked: row.get(from + 5)?,
    })
}

/// A time as the tables hold it. Far times that a service made up end in the year 2262.
pub fn nanoseconds(at: Timestamp) -> i64 {
    let nanoseconds = at.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

/// A time of a table.
pub fn time(column: usize, nanoseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, error.into()))
}

fn duration(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn opt_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(|at| time(column, at)).transpose()
}

fn opt_saved(row: &Row<'_>, from: usize) -> rusqlite::Result<Option<Saved>> {
    row.get::<_, Option<i64>>(from)?.map(|_| saved(row, from)).transpose()
}

fn checksum(row: &Row<'_>, column: usize) -> rusqlite::Result<Checksum> {
    let hex = row.get_ref(column)?.as_str()?;
    Checksum::from_hex(hex).ok_or_else(|| rusqlite::Error::InvalidColumnType(column, hex.to_owned(), Type::Text))
}

fn doubt_from_word(word: &str) -> Option<Doubt> {
    Doubt::ALL.into_iter().find(|doubt| doubt.cause().as_str() == word)
}

fn word<T>(row: &Row<'_>, column: usize, from_word: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    opt_word(row, column, from_word)?.ok_or(rusqlite::Error::InvalidColumnType(
        column,
        "an empty word".to_owned(),
        Type::Null,
    ))
}

/// A word that only a later jobdeck knows must not become another word.
fn opt_word<T>(row: &Row<'_>, column: usize, from_word: fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    match from_word(text) {
        Some(word) => Ok(Some(word)),
        None => Err(rusqlite::Error::InvalidColumnType(column, text.to_owned(), Type::Text)),
    }
}
