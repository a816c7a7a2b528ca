//! Rows as domain types, and back.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cells::Cells;
use super::changes;
use super::values::{Nanoseconds, doubt_from_word, duration, nanoseconds, time, word};

use crate::domain::attempt::Attempt;
use crate::domain::checksum::Checksum;
use crate::domain::files::{FileCounts, ItemCounts};
use crate::domain::job::{Job, JobKey, JobTraits, ProviderName};
use crate::domain::observation::{BodyId, Doubtful, FieldValues, LastPoll, Observation, SavedBody};
use crate::domain::state::{LostBecause, PollOutcome, State};

/// Columns of an observation, from [`OBSERVATION_TABLES`].
pub const OBSERVATION_COLUMNS: [&str; 49] = [
    "o.job",
    "o.state",
    "o.word",
    "o.lost",
    "o.http_status",
    "o.service_status_code",
    "o.progress",
    "o.fail_reason",
    "o.error_code",
    "o.warning",
    "o.files_total",
    "o.files_failed",
    "o.items_total",
    "o.items_succeeded",
    "o.items_failed",
    "o.cost",
    "o.title",
    "o.fields",
    "o.fields_by",
    "o.created_at",
    "o.first_seen",
    "o.running_since",
    "o.finished_at",
    "o.eta",
    "o.expires_at",
    "o.changed_at",
    "o.applied",
    "o.doubt",
    "o.doubt_http_status",
    "o.doubt_at",
    "o.doubt_reason",
    "o.read",
    "o.read_http_status",
    "o.read_reason",
    "o.read_at",
    "s.id",
    "s.bytes",
    "s.sha256",
    "s.http_status",
    "s.at",
    "s.masked",
    "e.id",
    "e.bytes",
    "e.sha256",
    "e.http_status",
    "e.at",
    "e.masked",
    "o.saved",
    SENT_AGAIN,
];

/// What is noted beside what is polled, so that no save takes it back.
const SENT_AGAIN: &str = "(SELECT sent_again_at FROM job WHERE id = o.job)";

/// Where they come from.
pub const OBSERVATION_TABLES: &str =
    "observation o LEFT JOIN body s ON s.id = o.saved LEFT JOIN body e ON e.id = o.evidence";

/// The columns of a body's [`SavedBody`] in the table `body`.
pub const SAVED_COLUMNS: [&str; 6] = ["id", "bytes", "sha256", "http_status", "at", "masked"];

/// An observation of a row that begins with [`OBSERVATION_COLUMNS`]; None if the row has none. What is odd in it is left
/// out and named in its warning.
pub fn observation(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Option<Observation>> {
    let mut cells = Cells::new(row, &OBSERVATION_COLUMNS);
    let Some(job) = cells.get::<i64>("o.job") else { return Ok(None) };
    let state = cells.word("o.state", State::from_word);
    let mut observation = Observation {
        state: state.unwrap_or_default(),
        word: cells.get("o.word"),
        lost: cells.word("o.lost", LostBecause::from_word),
        http_status: cells.get("o.http_status"),
        service_status_code: cells.get("o.service_status_code"),
        progress: cells.get("o.progress"),
        fail_reason: cells.get("o.fail_reason"),
        error_code: cells.get("o.error_code"),
        warning: cells.get("o.warning"),
        odd_on_disk: None,
        files: match (cells.get("o.files_total"), cells.get("o.files_failed")) {
            (Some(total), Some(failed)) => Some(FileCounts { total, failed }),
            (Some(_) | None, Some(_) | None) => None,
        },
        items: {
            let mut count = |name| cells.get::<i64>(name).map(i64::cast_unsigned);
            let (total, succeeded, failed) =
                (count("o.items_total"), count("o.items_succeeded"), count("o.items_failed"));
            let said = total.or(succeeded).or(failed).is_some();
            said.then(|| Box::new(ItemCounts { total, succeeded, failed }))
        },
        cost: cells.get::<String>("o.cost").map(String::into_boxed_str),
        title: cells.get::<String>("o.title").map(String::into_boxed_str),
        fields: match (cells.get("o.fields"), cells.get("o.fields_by")) {
            (Some(values), Some(taken_by)) => Some(Box::new(FieldValues { taken_by, values })),
            (Some(_) | None, Some(_) | None) => None,
        },
        created_at: cells.get::<Nanoseconds>("o.created_at").map(Timestamp::from),
        first_seen: cells.get::<Nanoseconds>("o.first_seen").map(Timestamp::from),
        running_since: cells.get::<Nanoseconds>("o.running_since").map(Timestamp::from),
        finished_at: cells.get::<Nanoseconds>("o.finished_at").map(Timestamp::from),
        eta: cells.get::<Nanoseconds>("o.eta").map(Timestamp::from),
        expires_at: cells.get::<Nanoseconds>("o.expires_at").map(Timestamp::from),
        changed_at: cells.get::<Nanoseconds>("o.changed_at").map(Timestamp::from),
        applied: cells.get::<i64>("o.applied").unwrap_or_default().cast_unsigned(),
        doubt: cells.word("o.doubt", doubt_from_word),
        doubtful: doubtful(&mut cells).map(Box::new),
        last_poll: last_poll(&mut cells),
        saved: saved_of(&mut cells, ["s.id", "s.bytes", "s.sha256", "s.http_status", "s.at", "s.masked"]),
        evidence: saved_of(&mut cells, ["e.id", "e.bytes", "e.sha256", "e.http_status", "e.at", "e.masked"])
            .map(Box::new),
        sent_again: cells.get::<i64>(SENT_AGAIN).is_some(),
    };
    let claims_a_body = cells.get::<i64>("o.saved").is_some();
    let mut odd = cells.into_odd();
    if claims_a_body && observation.saved.is_none() {
        odd.push("the saved response is missing".to_owned());
    }
    if !odd.is_empty() {
        if state.is_none() {
            observation.state = changes::last_state(connection, job)?.unwrap_or_default();
        }
        let odd = odd.join(", ");
        tracing::warn!(job, "what the database holds of a job is odd: {odd}");
        set_odd(&mut observation, odd);
    }
    Ok(Some(observation))
}

/// What is known of a job; None if nothing is.
pub fn read_observation(connection: &Connection, job: i64) -> rusqlite::Result<Option<Observation>> {
    static SELECT: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {} FROM {OBSERVATION_TABLES} WHERE o.job = ?1", OBSERVATION_COLUMNS.join(", "))
    });
    let observation =
        connection.prepare_cached(&SELECT)?.query_row([job], |row| observation(connection, row)).optional()?;
    Ok(observation.flatten())
}

/// Writes what is known of a job but whether it was sent again; `saved` and `evidence` by their body's number.
pub fn write_observation(connection: &Connection, job: i64, o: &Observation) -> rusqlite::Result<()> {
    let last = o.last_poll.as_ref();
    let count = |count: Option<u64>| count.map(u64::cast_signed);
    // By their place: looked up by name, each would cost more than to bind it.
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO observation (job, state, word, lost, http_status, service_status_code, progress, \
             fail_reason, error_code, warning, files_total, files_failed, items_total, items_succeeded, items_failed, \
             cost, title, fields, fields_by, created_at, first_seen, running_since, finished_at, eta, expires_at, changed_at, \
             saved, evidence, applied, doubt, doubt_http_status, doubt_at, doubt_reason, read, read_http_status, read_reason, read_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            o.items.as_ref().and_then(|items| count(items.total)),
            o.items.as_ref().and_then(|items| count(items.succeeded)),
            o.items.as_ref().and_then(|items| count(items.failed)),
            o.cost.as_deref(),
            o.title.as_deref(),
            o.fields.as_ref().map(|fields| &fields.values),
            o.fields.as_ref().map(|fields| &fields.taken_by),
            o.created_at.map(nanoseconds),
            o.first_seen.map(nanoseconds),
            o.running_since.map(nanoseconds),
            o.finished_at.map(nanoseconds),
            o.eta.map(nanoseconds),
            o.expires_at.map(nanoseconds),
            o.changed_at.map(nanoseconds),
            o.saved.as_ref().map(|saved| saved.body.0),
            o.evidence.as_ref().map(|saved| saved.body.0),
            o.applied.cast_signed(),
            o.doubt.map(|doubt| doubt.cause().as_str()),
            o.doubtful.as_ref().and_then(|poll| poll.http_status),
            o.doubtful.as_ref().map(|poll| nanoseconds(poll.at)),
            o.doubtful.as_ref().map(|poll| &poll.reason),
            last.map(|poll| poll.read.as_str()),
            last.and_then(|poll| poll.http_status),
            last.and_then(|poll| poll.reason.as_deref()),
            last.map(|poll| nanoseconds(poll.at)),
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
            "SELECT j.id, d.service IS ?4 AND d.name IS ?5 AND d.tags IS ?6 AND d.batch IS ?7 AND j.one_shot IS ?8 \
             FROM endpoint e JOIN job j ON j.endpoint = e.id LEFT JOIN declaration d ON d.job = j.id \
             WHERE e.provider = ?1 AND e.url = ?2 AND j.service_id = ?3",
        )?
        .query_row(
            params![
                key.provider.as_str(),
                key.endpoint,
                key.canonical_id(),
                &*declared.service,
                declared.name,
                tags,
                declared.batch,
                declared.traits.one_shot
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let job = match found {
        Some((job, true)) => return Ok(job),
        Some((job, false)) => job,
        None => add_job(connection, key)?,
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO declaration (job, service, name, tags, batch) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![job, &*declared.service, declared.name, tags, declared.batch])?;
    connection
        .prepare_cached("UPDATE job SET one_shot = ?2 WHERE id = ?1")?
        .execute(params![job, declared.traits.one_shot])?;
    Ok(job)
}

/// Notes that a job was sent again.
pub fn note_sent_again(connection: &Connection, job: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE job SET sent_again_at = ?2 WHERE id = ?1")?
        .execute([job, nanoseconds(Timestamp::now())])?;
    Ok(())
}

/// Keeps the description of the provider that a job was polled with.
pub fn describe(connection: &Connection, job: i64, description: &str) -> rusqlite::Result<()> {
    let sum = Checksum::of(description.as_bytes()).to_string();
    connection
        .prepare_cached("INSERT OR IGNORE INTO description (sha256, text) VALUES (?1, ?2)")?
        .execute([&sum, description])?;
    connection
        .prepare_cached(
            "UPDATE job SET description = (SELECT id FROM description WHERE sha256 = ?2) WHERE id = ?1 \
             AND description IS NOT (SELECT id FROM description WHERE sha256 = ?2)",
        )?
        .execute(params![job, sum])?;
    Ok(())
}

/// The description that a job was last polled with, if its provider has one.
pub fn read_description(connection: &Connection, job: i64) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT d.text FROM job j JOIN description d ON d.id = j.description WHERE j.id = ?1")?
        .query_row([job], |row| row.get(0))
        .optional()
}

/// The columns of a job, from the tables `endpoint p`, `job j` and `declaration d`.
pub const JOB_COLUMNS: &str = "p.provider, p.url, j.service_id, d.service, d.name, d.tags, d.batch, \
     coalesce(j.one_shot, p.provider = 'unstract')";

/// A job of a row that ends with [`JOB_COLUMNS`]. Jobs that were never declared are called after their provider.
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
        batch: row.get(from + 6)?,
        resubmits: Arc::default(),
        traits: JobTraits { one_shot: row.get(from + 7)?, ..JobTraits::default() },
    })
}

/// The job of such a row and what is known of it, for people to see. Of names that are no UTF-8 the rest is shown, and that
/// they are odd is said.
pub fn job_and_known(connection: &Connection, row: &Row<'_>, from: usize) -> rusqlite::Result<(Job, Observation)> {
    let mut known = observation(connection, row)?.unwrap_or_default();
    let error = match job(row, from) {
        Ok(job) => return Ok((job, known)),
        Err(error) => error,
    };
    let text = |column| {
        let bytes = row.get_ref(from + column)?.as_bytes_or_null()?;
        Ok::<_, rusqlite::Error>(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    let provider = ProviderName::new(&text(0)?.unwrap_or_default());
    let key = JobKey { provider, endpoint: text(1)?.unwrap_or_default().into(), id: text(2)?.unwrap_or_default() };
    let service = text(3)?.unwrap_or_else(|| provider.as_str().to_owned()).into();
    let traits = JobTraits { one_shot: row.get(from + 7).unwrap_or_default(), ..JobTraits::default() };
    let (name, batch) = (text(4)?, text(6)?.map(Into::into));
    let job = Job { key, service, name, tags: Arc::default(), batch, traits, resubmits: Arc::default() };
    tracing::warn!(%error, "what the database holds of the names of a job is odd");
    let before = known.odd_on_disk.as_ref().map(|odd| format!("{odd}, ")).unwrap_or_default();
    set_odd(&mut known, format!("{before}its id or a name is no UTF-8"));
    Ok((job, known))
}

fn set_odd(known: &mut Observation, odd: String) {
    known.warning = Some(format!("what the database holds of this job is odd: {odd}"));
    known.odd_on_disk = Some(odd.into());
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

/// The body with this number.
pub fn read_saved(connection: &Connection, body: i64) -> rusqlite::Result<SavedBody> {
    let columns = SAVED_COLUMNS.join(", ");
    connection.prepare_cached(&format!("SELECT {columns} FROM body WHERE id = ?1"))?.query_row([body], |row| {
        saved_of(&mut Cells::new(row, &SAVED_COLUMNS), SAVED_COLUMNS).ok_or(rusqlite::Error::QueryReturnedNoRows)
    })
}

/// A body of which these are the columns of number, bytes, SHA-256, HTTP code, time and masked; None if there is none.
pub fn saved_of(cells: &mut Cells<'_>, [id, bytes, sha256, http_status, at, masked]: [&str; 6]) -> Option<SavedBody> {
    Some(SavedBody {
        body: BodyId(cells.get(id)?),
        bytes: cells.get::<i64>(bytes).unwrap_or_default().cast_unsigned(),
        sha256: cells.checksum(sha256),
        http_status: cells.get(http_status).unwrap_or_default(),
        at: cells.get::<Nanoseconds>(at).map(Timestamp::from).unwrap_or_default(),
        masked: cells.get(masked).unwrap_or_default(),
    })
}

fn doubtful(cells: &mut Cells<'_>) -> Option<Doubtful> {
    let http_status = cells.get("o.doubt_http_status");
    let at = cells.get::<Nanoseconds>("o.doubt_at")?.into();
    Some(Doubtful { http_status, at, reason: cells.get("o.doubt_reason").unwrap_or_default() })
}

fn last_poll(cells: &mut Cells<'_>) -> Option<LastPoll> {
    let read = cells.word("o.read", PollOutcome::from_word)?;
    Some(LastPoll {
        read,
        http_status: cells.get("o.read_http_status"),
        reason: cells.get("o.read_reason"),
        at: cells.get::<Nanoseconds>("o.read_at")?.into(),
    })
}
