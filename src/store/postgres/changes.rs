//! What others have saved in a team's store: changes behind a cursor, and what they were about.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use super::leases::InstanceId;
use super::session::{Session, cell};
use super::trouble::TeamTrouble;
use super::upload::CHUNK;
use crate::domain::attempt::StateChange;
use crate::domain::checksum::Checksum;
use crate::domain::job::{Job, JobKey, JobTraits, ProviderName};
use crate::domain::observation::{BodyId, Keep, Role, SavedBody};
use crate::domain::response::Headers;
use crate::domain::state::State;
use crate::store::KeptBody;
use crate::store::team::record::SharedRecord;

/// How many changes are asked for at once.
const PAGE: i64 = 1000;

/// Where a reader is. Transactions end in another order than they begin: all below the cursor have ended and were read;
/// of those above it, what was seen is remembered by the job's revision.
#[derive(Debug, Default)]
pub struct ChangeCursor {
    /// The first transaction that may still bring something new.
    pub from: u64,
    seen: HashMap<i64, (u64, i64)>,
    /// The look that is under way, page by page.
    look: Option<Look>,
}

/// From the cursor to the end of what there is.
#[derive(Debug)]
struct Look {
    /// All transactions below this had ended when it began.
    ended: u64,
    /// The transaction and the job that were read last.
    after: (u64, i64),
}

/// A job of which more became known.
#[derive(Debug, Clone)]
pub struct Remote {
    /// The job as it was declared.
    pub job: Job,
    pub record: SharedRecord,
    /// The description of its provider.
    pub description: Option<String>,
    /// Its changes, oldest first.
    pub changes: Vec<StateChange>,
    /// Its bodies: the number of each is that of the team's store.
    pub bodies: Vec<KeptBody>,
}

/// What changed since, a page of it.
#[derive(Debug, Default)]
pub struct Page {
    pub jobs: Vec<i64>,
    /// Whether there may be more.
    pub is_full: bool,
}

impl ChangeCursor {
    /// Goes on from where an earlier reader was.
    pub fn at(from: u64) -> Self {
        Self { from, ..Self::default() }
    }

    /// How many jobs have changed since, at most.
    pub async fn ahead(&self, session: &Session) -> Result<u64, TeamTrouble> {
        let sql = "SELECT count(*) FROM jobdeck.known WHERE changed >= $1::text::xid8";
        let row = session.ask(session.client.query_typed_one(sql, &[(&self.from.to_string(), Type::TEXT)])).await?;
        Ok(cell::<i64>(&row, 0)?.cast_unsigned())
    }

    /// The next changes that others than `us` have made. What is answered counts as read.
    pub async fn next(&mut self, session: &Session, us: Option<InstanceId>) -> Result<Page, TeamTrouble> {
        let mut page = Page::default();
        loop {
            let mut after = self.look.as_ref().map_or((self.from, i64::MIN), |look| look.after);
            // One statement, one snapshot: whatever is below its end has ended, and is seen.
            let sql = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, k.changed::text, k.job, k.revision, k.instance \
                       FROM (SELECT 1) AS one LEFT JOIN LATERAL (SELECT changed, job, revision, instance FROM jobdeck.known \
                         WHERE (changed, job) > ($1::text::xid8, $2) ORDER BY changed, job LIMIT $3) AS k ON true \
                       ORDER BY k.changed, k.job";
            let params: [(&(dyn ToSql + Sync), Type); 3] =
                [(&after.0.to_string(), Type::TEXT), (&after.1, Type::INT8), (&PAGE, Type::INT8)];
            let rows = session.ask(session.client.query_typed(sql, &params)).await?;
            let now = rows.first().map(|row| number(row, 0)).transpose()?.unwrap_or_default();
            let ended = self.look.as_ref().map_or(now, |look| look.ended);
            if self.from > ended {
                // A server whose transactions are numbered anew: a copy of the database, restored elsewhere.
                *self = Self::default();
                continue;
            }
            for row in &rows {
                let Some(job) = cell::<Option<i64>>(row, 2)? else { continue };
                let (changed, revision): (u64, i64) = (number(row, 1)?, cell(row, 3)?);
                after = (changed, job);
                let is_new = self.seen.get(&job).is_none_or(|(_, before)| *before != revision);
                if changed >= ended {
                    // The next look comes by it again.
                    self.seen.insert(job, (changed, revision));
                }
                if is_new && Some(cell(row, 4)?) != us.map(|us| us.0) {
                    page.jobs.push(job);
                }
            }
            page.is_full = rows.len() as i64 == PAGE;
            self.from = if page.is_full { ended.min(after.0) } else { ended };
            self.look = page.is_full.then_some(Look { ended, after });
            if !page.is_full {
                self.seen.retain(|_, (changed, _)| *changed >= ended);
            }
            // A page of what is known already is no reason to stop.
            if !page.is_full || !page.jobs.is_empty() {
                return Ok(page);
            }
        }
    }
}

/// What is known of these jobs.
pub async fn fetch(session: &Session, ids: &[i64]) -> Result<Vec<Remote>, TeamTrouble> {
    let sql = "SELECT j.id, j.provider, j.endpoint, j.service_id, j.one_shot, j.service, j.name, j.tags, j.batch, \
               d.text, k.record::text, j.sent_again FROM jobdeck.job j JOIN jobdeck.known k ON k.job = j.id \
               LEFT JOIN jobdeck.description d ON d.sha256 = j.description WHERE j.id = ANY($1) ORDER BY j.id";
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::INT8_ARRAY)];
    let rows = session.ask(session.client.query_typed(sql, &params)).await?;
    let mut bodies = bodies(session, ids).await?;
    let mut changes = changes(session, ids).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: i64 = cell(row, 0)?;
        let text: String = cell(row, 10)?;
        let mut record: SharedRecord = match serde_json::from_str(&text) {
            Ok(record) => record,
            Err(error) => {
                tracing::warn!("what the team's store knows of a job is left out: {error}");
                continue;
            }
        };
        record.sent_again = cell(row, 11)?;
        found.push(Remote {
            job: job(row)?,
            record,
            description: cell(row, 9)?,
            changes: changes.remove(&id).unwrap_or_default(),
            bodies: bodies.remove(&id).unwrap_or_default(),
        });
    }
    Ok(found)
}

/// A body's bytes, piece by piece.
pub async fn body(
    session: &Session,
    BodyId(id): BodyId,
) -> Result<impl Stream<Item = Result<Vec<u8>, TeamTrouble>> + use<'_>, TeamTrouble> {
    // What stands behind its end is of a body that was damaged once.
    let sql = format!(
        "SELECT c.data FROM jobdeck.chunk c JOIN jobdeck.body b ON b.id = c.body \
         WHERE b.id = $1 AND c.n::int8 * {CHUNK} < b.bytes ORDER BY c.n"
    );
    let rows = session.ask(session.client.query_typed_raw(&sql, [(id, Type::INT8)])).await?;
    Ok(rows.map(|row| {
        let row = row.map_err(|error| session.trouble(&error))?;
        cell(&row, 0)
    }))
}

/// A whole body.
#[cfg(test)]
pub async fn whole_body(session: &Session, id: BodyId) -> Result<Vec<u8>, TeamTrouble> {
    let mut whole = Vec::new();
    let mut pieces = std::pin::pin!(body(session, id).await?);
    while let Some(piece) = pieces.next().await {
        whole.extend(piece?);
    }
    Ok(whole)
}

fn job(row: &tokio_postgres::Row) -> Result<Job, TeamTrouble> {
    let provider = ProviderName::new(cell(row, 1)?);
    let endpoint: String = cell(row, 2)?;
    let (service, tags, batch): (String, String, Option<String>) = (cell(row, 5)?, cell(row, 7)?, cell(row, 8)?);
    Ok(Job {
        key: JobKey { provider, endpoint: endpoint.into(), id: cell(row, 3)? },
        service: service.into(),
        name: cell(row, 6)?,
        tags: serde_json::from_str::<Arc<[String]>>(&tags).unwrap_or_default(),
        traits: JobTraits { one_shot: cell(row, 4)?, ..JobTraits::default() },
        batch: batch.map(Arc::from),
        resubmits: Arc::default(),
    })
}

async fn bodies(session: &Session, ids: &[i64]) -> Result<HashMap<i64, Vec<KeptBody>>, TeamTrouble> {
    let sql = "SELECT job, id, is_copy, broken, role, bytes, sha256, http_status, content_type, content_encoding, \
               retry_after, date, masked, at FROM jobdeck.body WHERE job = ANY($1) ORDER BY id";
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::INT8_ARRAY)];
    let mut found: HashMap<i64, Vec<KeptBody>> = HashMap::new();
    for row in &session.ask(session.client.query_typed(sql, &params)).await? {
        let (role, sha256): (String, String) = (cell(row, 4)?, cell(row, 6)?);
        let saved = SavedBody {
            body: BodyId(cell(row, 1)?),
            bytes: cell::<i64>(row, 5)?.cast_unsigned(),
            sha256: Checksum::from_hex(&sha256).unwrap_or_default(),
            http_status: u16::try_from(cell::<i32>(row, 7)?).unwrap_or_default(),
            at: at(cell(row, 13)?),
            masked: cell(row, 12)?,
        };
        let headers = Headers {
            content_type: cell(row, 8)?,
            content_encoding: cell(row, 9)?,
            retry_after: cell(row, 10)?,
            date: cell(row, 11)?,
            location: None,
        };
        let kept = KeptBody {
            // Of this directory alone.
            exported: false,
            saved,
            keep: if cell(row, 2)? { Keep::Result } else { Keep::Evidence },
            role: Role::from_word(&role).unwrap_or_default(),
            broken: cell(row, 3)?,
            headers,
        };
        found.entry(cell(row, 0)?).or_default().push(kept);
    }
    Ok(found)
}

async fn changes(session: &Session, ids: &[i64]) -> Result<HashMap<i64, Vec<StateChange>>, TeamTrouble> {
    let sql = "SELECT job, at, previous, state, word FROM jobdeck.change WHERE job = ANY($1) ORDER BY job, at";
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::INT8_ARRAY)];
    let mut found: HashMap<i64, Vec<StateChange>> = HashMap::new();
    for row in &session.ask(session.client.query_typed(sql, &params)).await? {
        let (previous, state): (Option<String>, String) = (cell(row, 2)?, cell(row, 3)?);
        let change = StateChange {
            at: at(cell(row, 1)?),
            previous: previous.as_deref().and_then(State::from_word),
            state: State::from_word(&state).unwrap_or_default(),
            word: cell(row, 4)?,
        };
        found.entry(cell(row, 0)?).or_default().push(change);
    }
    Ok(found)
}

fn at(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}

/// A number of 64 bits that came as text.
fn number(row: &tokio_postgres::Row, column: usize) -> Result<u64, TeamTrouble> {
    let text: &str = cell(row, column)?;
    text.parse().map_err(|_| TeamTrouble::Other("a transaction's number is none".to_owned()))
}
