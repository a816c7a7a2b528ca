//! What this machine has saved goes into a team's store: a job's step with its bodies in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio_postgres::types::{ToSql, Type};

use super::leases::{InstanceId, declare, numbers, storable};
use super::session::{CHANNEL, Session, cell};
use super::trouble::TeamTrouble;
use crate::domain::attempt::{CHANGES_BEYOND, CHANGES_KEPT, StateChange};
use crate::domain::checksum::Checksum;
use crate::domain::job::Job;
use crate::domain::observation::{Keep, Observation};
use crate::store::KeptBody;
use crate::store::team::record::SharedRecord;

/// The longest piece of a body that is in one row, and in memory.
pub const CHUNK: usize = 1 << 20;

/// A job as it is on this machine.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The job and its declaration.
    pub job: Arc<Job>,
    pub known: Observation,
    /// Its changes, all that are kept.
    pub changes: Vec<StateChange>,
    /// Its bodies, all of them; long ones are mapped from their files.
    pub bodies: Vec<(KeptBody, Bytes)>,
    /// The description of its provider, if that needs one.
    pub description: Option<String>,
}

impl Upload {
    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.bodies.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// Uploads these jobs in one transaction: what is known here is merged with what stands there. Answers for each whether
/// that is all that is known now. Doing it again after a reply that was lost changes nothing.
pub async fn upload(session: &mut Session, us: InstanceId, uploads: &[Upload]) -> Result<Vec<bool>, TeamTrouble> {
    let jobs: Vec<Arc<Job>> = uploads.iter().map(|upload| Arc::clone(&upload.job)).collect();
    declare(session, &jobs).await?;
    session.ask(session.client.batch_execute("BEGIN")).await?;
    let taken = upload_within(session, us, uploads).await;
    let end = if taken.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.ask(session.client.batch_execute(end)).await;
    let taken = taken?;
    ended?;
    // In a separate transaction: a notification holds a lock of the whole database until its commit is durable, and
    // this one need not be. Whoever misses it looks by itself.
    let notify = format!("BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}, '{}'; COMMIT", us.0);
    session.ask(session.client.batch_execute(&notify)).await?;
    Ok(taken)
}

async fn upload_within(session: &Session, us: InstanceId, uploads: &[Upload]) -> Result<Vec<bool>, TeamTrouble> {
    let ids = numbers(session, uploads.iter().map(|upload| &upload.job.key)).await?;
    describe(session, uploads, &ids).await?;
    for (upload, id) in uploads.iter().zip(&ids) {
        for (kept, bytes) in &upload.bodies {
            add_body(session, us, *id, kept, bytes).await?;
        }
    }
    // The lease's row is the job's lock. What is known is read after it is held, by a separate statement.
    let lock = "WITH us AS (UPDATE jobdeck.instance SET has_saved = true WHERE id = $2 AND NOT has_saved) \
                SELECT 1 FROM jobdeck.lease WHERE job = ANY($1) ORDER BY job FOR UPDATE";
    session.ask(session.client.execute_typed(lock, &[(&ids, Type::INT8_ARRAY), (&us.0, Type::INT8)])).await?;
    let mut stands = standing(session, &ids).await?;
    let (mut writes, mut taken) = (Vec::new(), Vec::with_capacity(ids.len()));
    for (upload, id) in uploads.iter().zip(&ids) {
        let stands = match stands.remove(id) {
            Some(Some(stands)) => stands,
            Some(None) => {
                tracing::error!("{}: what the team's store knows of it cannot be read, and stays", upload.job.label());
                taken.push(true);
                continue;
            }
            None => {
                taken.push(true);
                writes.push((*id, upload.known.clone()));
                continue;
            }
        };
        let merged = stands.clone().into_observation().merged(&upload.known, upload.job.traits.one_shot);
        let record = SharedRecord::from(&merged);
        taken.push(record == SharedRecord::from(&upload.known));
        if record != stands {
            writes.push((*id, merged));
        }
    }
    try_join_all(writes.iter().map(|(id, known)| write_known(session, us, *id, known))).await?;
    note_sent_again(session, us, uploads, &ids).await?;
    try_join_all(uploads.iter().zip(&ids).map(|(upload, id)| add_changes(session, us, *id, &upload.changes))).await?;
    Ok(taken)
}

async fn describe(session: &Session, uploads: &[Upload], ids: &[i64]) -> Result<(), TeamTrouble> {
    for (upload, id) in uploads.iter().zip(ids) {
        let Some(text) = upload.description.as_deref().map(storable) else { continue };
        let sum = Checksum::of(text.as_bytes()).to_string();
        let sql = "WITH new AS (INSERT INTO jobdeck.description (sha256, text) VALUES ($2, $3) ON CONFLICT DO NOTHING) \
                   UPDATE jobdeck.job SET description = $2 WHERE id = $1 AND description IS DISTINCT FROM $2";
        let params: [(&(dyn ToSql + Sync), Type); 3] = [(id, Type::INT8), (&sum, Type::TEXT), (&text, Type::TEXT)];
        session.ask(session.client.execute_typed(sql, &params)).await?;
    }
    Ok(())
}

/// Notes which jobs were sent again. Whoever reads changes finds it, also where what is known of the job stands.
async fn note_sent_again(
    session: &Session,
    us: InstanceId,
    uploads: &[Upload],
    ids: &[i64],
) -> Result<(), TeamTrouble> {
    let again = uploads.iter().zip(ids).filter(|(upload, _)| upload.known.sent_again);
    let again: Vec<i64> = again.map(|(_, id)| *id).collect();
    if again.is_empty() {
        return Ok(());
    }
    let sql = "WITH new AS (UPDATE jobdeck.job SET sent_again = true WHERE id = ANY($1) AND NOT sent_again RETURNING id) \
               UPDATE jobdeck.known k SET changed = pg_current_xact_id(), revision = revision + 1, instance = $2 \
               FROM new WHERE k.job = new.id";
    session.ask(session.client.execute_typed(sql, &[(&again, Type::INT8_ARRAY), (&us.0, Type::INT8)])).await.map(drop)
}

/// Adds a body unless it is there.
async fn add_body(
    session: &Session,
    us: InstanceId,
    job: i64,
    kept: &KeptBody,
    bytes: &Bytes,
) -> Result<(), TeamTrouble> {
    let sql = "INSERT INTO jobdeck.body (job, is_copy, broken, role, bytes, sha256, http_status, content_type, \
               content_encoding, retry_after, date, masked, at, instance) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING RETURNING id";
    let header = |text: &Option<String>| text.as_deref().map(storable);
    let headers = &kept.headers;
    let (content_type, content_encoding) = (header(&headers.content_type), header(&headers.content_encoding));
    let (retry_after, date) = (header(&headers.retry_after), header(&headers.date));
    let params: [(&(dyn ToSql + Sync), Type); 14] = [
        (&job, Type::INT8),
        (&(kept.keep == Keep::Result), Type::BOOL),
        (&kept.broken, Type::BOOL),
        (&storable(&kept.role.to_string()), Type::TEXT),
        (&kept.saved.bytes.cast_signed(), Type::INT8),
        (&kept.saved.sha256.to_string(), Type::TEXT),
        (&i32::from(kept.saved.http_status), Type::INT4),
        (&content_type, Type::TEXT),
        (&content_encoding, Type::TEXT),
        (&retry_after, Type::TEXT),
        (&date, Type::TEXT),
        (&kept.saved.masked, Type::BOOL),
        (&nanoseconds(kept.saved.at), Type::INT8),
        (&us.0, Type::INT8),
    ];
    let Some(row) = session.ask(session.client.query_typed_opt(sql, &params)).await? else { return Ok(()) };
    add_chunks(session, cell(&row, 0)?, bytes).await
}

/// Writes the bytes of a body, in the place of others if there are any. The server says what it has taken: other bytes
/// than these are refused before anybody is told of them.
pub async fn add_chunks(session: &Session, body: i64, bytes: &Bytes) -> Result<(), TeamTrouble> {
    let add = "INSERT INTO jobdeck.chunk (body, n, data) VALUES ($1, $2, $3) \
               ON CONFLICT (body, n) DO UPDATE SET data = excluded.data RETURNING sha256(data)";
    for (n, chunk) in (0_i32..).zip(bytes.chunks(CHUNK)) {
        let params: [(&(dyn ToSql + Sync), Type); 3] = [(&body, Type::INT8), (&n, Type::INT4), (&chunk, Type::BYTEA)];
        let taken = session.ask(session.client.query_typed_one(add, &params)).await?;
        if cell::<&[u8]>(&taken, 0)? != Checksum::of(chunk).0 {
            return Err(TeamTrouble::Damaged("the server has taken other bytes than were uploaded".to_owned()));
        }
    }
    Ok(())
}

/// What stands there of these jobs; None where it cannot be read.
async fn standing(session: &Session, ids: &[i64]) -> Result<HashMap<i64, Option<SharedRecord>>, TeamTrouble> {
    let sql = "SELECT k.job, k.record::text, j.sent_again FROM jobdeck.known k JOIN jobdeck.job j ON j.id = k.job \
               WHERE k.job = ANY($1)";
    let rows = session.ask(session.client.query_typed(sql, &[(&ids, Type::INT8_ARRAY)])).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let text: &str = cell(row, 1)?;
        let sent_again = cell(row, 2)?;
        let mut record: Option<SharedRecord> = serde_json::from_str(text).ok();
        if let Some(record) = &mut record {
            record.sent_again = sent_again;
        }
        found.insert(cell(row, 0)?, record);
    }
    Ok(found)
}

async fn write_known(session: &Session, us: InstanceId, job: i64, known: &Observation) -> Result<(), TeamTrouble> {
    let sql = "INSERT INTO jobdeck.known AS k (job, state, word, lost, fail_reason, cost, is_over, applied, polled_at, \
                 saved, record, instance, changed, revision) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
                 (SELECT id FROM jobdeck.body WHERE job = $1 AND sha256 = $10 AND is_copy ORDER BY id DESC LIMIT 1), \
                 $11::text::json, $12, pg_current_xact_id(), 1) \
               ON CONFLICT (job) DO UPDATE SET state = excluded.state, word = excluded.word, lost = excluded.lost, \
                 fail_reason = excluded.fail_reason, cost = excluded.cost, is_over = excluded.is_over, \
                 applied = greatest(k.applied, excluded.applied), polled_at = excluded.polled_at, \
                 saved = coalesce(excluded.saved, k.saved), record = excluded.record, instance = excluded.instance, \
                 changed = excluded.changed, revision = k.revision + 1";
    let record = serde_json::to_string(&SharedRecord::from(known))
        .map_err(|error| TeamTrouble::Other(format!("what is known of a job cannot be written down: {error}")))?;
    let text = |text: Option<&str>| text.map(storable);
    let (word, reason, cost) =
        (text(known.word.as_deref()), text(known.fail_reason.as_deref()), text(known.cost.as_deref()));
    let lost = known.lost.map(|lost| lost.as_str());
    let polled_at = known.last_poll.as_ref().map(|poll| nanoseconds(poll.at));
    let saved = known.saved.as_ref().map(|saved| saved.sha256.to_string());
    let params: [(&(dyn ToSql + Sync), Type); 12] = [
        (&job, Type::INT8),
        (&known.state.as_str(), Type::TEXT),
        (&word, Type::TEXT),
        (&lost, Type::TEXT),
        (&reason, Type::TEXT),
        (&cost, Type::TEXT),
        (&known.is_over(), Type::BOOL),
        (&known.applied.cast_signed(), Type::INT8),
        (&polled_at, Type::INT8),
        (&saved, Type::TEXT),
        (&record, Type::TEXT),
        (&us.0, Type::INT8),
    ];
    session.ask(session.client.execute_typed(sql, &params)).await.map(drop)
}

async fn add_changes(session: &Session, us: InstanceId, job: i64, changes: &[StateChange]) -> Result<(), TeamTrouble> {
    if changes.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO jobdeck.change (job, at, state, previous, word, instance) \
               SELECT $1, c.*, $6 FROM unnest($2::int8[], $3::text[], $4::text[], $5::text[]) AS c ON CONFLICT DO NOTHING";
    let at: Vec<i64> = changes.iter().map(|change| nanoseconds(change.at)).collect();
    let state: Vec<&str> = changes.iter().map(|change| change.state.as_str()).collect();
    let previous: Vec<Option<&str>> =
        changes.iter().map(|change| change.previous.map(|state| state.as_str())).collect();
    let word: Vec<Option<String>> = changes.iter().map(|change| change.word.as_deref().map(storable)).collect();
    let params: [(&(dyn ToSql + Sync), Type); 6] = [
        (&job, Type::INT8),
        (&at, Type::INT8_ARRAY),
        (&state, Type::TEXT_ARRAY),
        (&previous, Type::TEXT_ARRAY),
        (&word, Type::TEXT_ARRAY),
        (&us.0, Type::INT8),
    ];
    session.ask(session.client.execute_typed(sql, &params)).await?;
    if changes.len() as i64 <= CHANGES_KEPT {
        return Ok(());
    }
    // As on this machine, and as seldom.
    let sql = "DELETE FROM jobdeck.change c USING (SELECT at, state FROM jobdeck.change WHERE job = $1 \
               ORDER BY previous IS NOT DISTINCT FROM state, at DESC, state OFFSET $2) AS old \
               WHERE c.job = $1 AND c.at = old.at AND c.state = old.state \
               AND (SELECT count(*) FROM jobdeck.change WHERE job = $1) > $3";
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&job, Type::INT8), (&CHANGES_KEPT, Type::INT8), (&(CHANGES_KEPT + CHANGES_BEYOND), Type::INT8)];
    session.ask(session.client.execute_typed(sql, &params)).await.map(drop)
}

/// Nanoseconds since 1970, as far as 64 bits reach.
pub fn nanoseconds(at: jiff::Timestamp) -> i64 {
    let nanoseconds = at.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}
