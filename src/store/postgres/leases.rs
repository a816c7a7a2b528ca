//! Instances and their leases: who polls which job, decided by the database's clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};

use super::schema;
use super::session::{CHANNEL, FREED, Session, cell};
use super::trouble::TeamTrouble;
use crate::domain::job::{Job, JobKey};

/// How long a lease lasts without being renewed.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often it is renewed. A one-shot poll is sent only while the lease has longer than this to run.
pub const RENEWED_EVERY: Duration = Duration::from_secs(10);
/// How long an instance that ended and saved nothing is remembered.
const KEPT_DAYS: u32 = 30;
/// How many jobs are claimed with one statement.
const AT_ONCE: usize = 10_000;

/// An instance's number in the store. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub i64);

/// A jobdeck somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    pub host: String,
    pub user: String,
    pub pid: i32,
    /// The state directory there: all instances over one upload the same.
    pub place: String,
    /// The lock that the process holds there for as long as it lives; empty where that cannot be said.
    pub lock: String,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// The job's number in the store.
    pub job: i64,
    /// Who has it now.
    pub holder: Holder,
    /// The number of the last request whose answer is known there.
    pub applied: i64,
    /// Whether it is known there that the job is over.
    pub is_over: bool,
}

/// Who has a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// We do.
    Us {
        /// The instance that had it and ended without giving it up: its lease ran out.
        before: Option<InstanceId>,
    },
    /// Another instance; None if it is just changing hands.
    Other(Option<(InstanceId, Who)>),
}

/// Registers an instance, whose lease begins now.
pub async fn register(session: &Session, who: &Who) -> Result<InstanceId, TeamTrouble> {
    let sql = format!(
        "INSERT INTO jobdeck.instance (host, \"user\", pid, place, version, lock, until) VALUES ($1, $2, $3, $4, $5, $6, \
         clock_timestamp() + interval '{} s') RETURNING id",
        LEASE.as_secs()
    );
    let version = env!("CARGO_PKG_VERSION");
    let params: [(&(dyn ToSql + Sync), Type); 6] = [
        (&who.host, Type::TEXT),
        (&who.user, Type::TEXT),
        (&who.pid, Type::INT4),
        (&who.place, Type::TEXT),
        (&version, Type::TEXT),
        (&who.lock, Type::TEXT),
    ];
    let row = session.ask(session.client.query_typed_one(&sql, &params)).await?;
    Ok(InstanceId(cell(&row, 0)?))
}

/// Deletes instances that ended long ago and of which nothing speaks any more. A role that may not leaves them.
pub async fn forget_old(session: &Session) -> Result<u64, TeamTrouble> {
    let sql = format!(
        "DELETE FROM jobdeck.instance i WHERE i.ended < clock_timestamp() - interval '{KEPT_DAYS} days' AND NOT i.has_saved \
         AND NOT EXISTS (SELECT 1 FROM jobdeck.lease l WHERE l.instance = i.id)"
    );
    match session.ask(session.client.execute_typed(&sql, &[])).await {
        Err(TeamTrouble::NoRight(_)) => Ok(0),
        other => other,
    }
}

/// Renews an instance's lease, and says how many jobs wait for upload there. A lease that ran out, or that somebody
/// ended, cannot be renewed: `TeamTrouble::LeaseLost`. An error too where the tables are of another version by now.
pub async fn renew(session: &Session, InstanceId(id): InstanceId, waiting: i32) -> Result<(), TeamTrouble> {
    let sql = format!(
        "UPDATE jobdeck.instance SET until = clock_timestamp() + interval '{} s', waiting = $2 \
         WHERE id = $1 AND ended IS NULL AND until > clock_timestamp() RETURNING (SELECT version FROM jobdeck.store)",
        LEASE.as_secs()
    );
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&id, Type::INT8), (&waiting, Type::INT4)];
    let renewed = session.ask(session.client.query_typed_opt(&sql, &params)).await?.ok_or(TeamTrouble::LeaseLost)?;
    schema::must_be_ours(cell(&renewed, 0)?)
}

/// Ends the instances whose lease ran out. Its lock makes a renewal that is under way count first.
pub async fn end_expired(session: &Session) -> Result<u64, TeamTrouble> {
    let sql = "UPDATE jobdeck.instance SET ended = clock_timestamp() WHERE id IN (SELECT id FROM jobdeck.instance \
               WHERE ended IS NULL AND until <= clock_timestamp() FOR UPDATE SKIP LOCKED)";
    session.ask(session.client.execute_typed(sql, &[])).await
}

/// Makes rows for jobs that the store has none of, and keeps what was declared about them.
pub async fn declare(session: &Session, jobs: &[Arc<Job>]) -> Result<(), TeamTrouble> {
    // In one order for all, so that two who declare the same jobs do not wait for each other in a circle.
    let mut jobs: Vec<&Job> = jobs.iter().map(AsRef::as_ref).collect();
    jobs.sort_by(|one, other| one.key.cmp(&other.key));
    let sql = "WITH new AS (INSERT INTO jobdeck.job (provider, endpoint, service_id, one_shot, service, name, tags, batch) \
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::text[], $6::text[], $7::text[], $8::text[]) \
               ON CONFLICT DO NOTHING RETURNING id) INSERT INTO jobdeck.lease (job) SELECT id FROM new";
    for jobs in jobs.chunks(AT_ONCE) {
        let keys = Keys::of(jobs.iter().map(|job| &job.key));
        let one_shot: Vec<bool> = jobs.iter().map(|job| job.traits.one_shot).collect();
        let service: Vec<String> = jobs.iter().map(|job| storable(&job.service)).collect();
        let name: Vec<Option<String>> = jobs.iter().map(|job| job.name.as_deref().map(storable)).collect();
        let tags: Vec<String> = jobs.iter().map(|job| tags(job)).collect();
        let batch: Vec<Option<String>> = jobs.iter().map(|job| job.batch.as_deref().map(storable)).collect();
        let params: [(&(dyn ToSql + Sync), Type); 8] = [
            (&keys.provider, Type::TEXT_ARRAY),
            (&keys.endpoint, Type::TEXT_ARRAY),
            (&keys.id, Type::TEXT_ARRAY),
            (&one_shot, Type::BOOL_ARRAY),
            (&service, Type::TEXT_ARRAY),
            (&name, Type::TEXT_ARRAY),
            (&tags, Type::TEXT_ARRAY),
            (&batch, Type::TEXT_ARRAY),
        ];
        session.ask(session.client.execute_typed(sql, &params)).await?;
    }
    Ok(())
}

/// Claims jobs that were declared, in their order. Our lease must be good: it is renewed in the same transaction.
pub async fn claim(session: &mut Session, us: InstanceId, jobs: &[Arc<Job>]) -> Result<Vec<Leased>, TeamTrouble> {
    end_expired(session).await?;
    let mut all = Vec::with_capacity(jobs.len());
    for jobs in jobs.chunks(AT_ONCE) {
        session.ask(session.client.batch_execute("BEGIN")).await?;
        let claimed = claim_within(session, us, jobs).await;
        let end = if claimed.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = session.ask(session.client.batch_execute(end)).await;
        all.extend(claimed?);
        ended?;
    }
    Ok(all)
}

async fn claim_within(session: &Session, us: InstanceId, jobs: &[Arc<Job>]) -> Result<Vec<Leased>, TeamTrouble> {
    // While this row is locked nobody can end us.
    let alive =
        "SELECT 1 FROM jobdeck.instance WHERE id = $1 AND ended IS NULL AND until > clock_timestamp() FOR UPDATE";
    if session.ask(session.client.query_typed_opt(alive, &[(&us.0, Type::INT8)])).await?.is_none() {
        return Err(TeamTrouble::LeaseLost);
    }
    let ids = numbers(session, jobs.iter().map(|job| &job.key)).await?;
    // Free is what nobody has, and what an ended instance had. An instance that this statement does not see yet lives.
    let sql = "SELECT l.job, nullif(l.instance, $1) FROM jobdeck.lease l WHERE l.job = ANY($2) \
               AND (l.instance IS NULL OR l.instance = $1 \
                    OR EXISTS (SELECT 1 FROM jobdeck.instance i WHERE i.id = l.instance AND i.ended IS NOT NULL)) \
               ORDER BY l.job FOR UPDATE SKIP LOCKED";
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&us.0, Type::INT8), (&ids, Type::INT8_ARRAY)];
    let mut before: HashMap<i64, Option<InstanceId>> = HashMap::new();
    for row in &session.ask(session.client.query_typed(sql, &params)).await? {
        before.insert(cell(row, 0)?, cell::<Option<i64>>(row, 1)?.map(InstanceId));
    }
    let free: Vec<i64> = before.keys().copied().collect();
    let sql = "UPDATE jobdeck.lease SET instance = $1 WHERE job = ANY($2) AND instance IS DISTINCT FROM $1";
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&us.0, Type::INT8), (&free, Type::INT8_ARRAY)];
    session.ask(session.client.execute_typed(sql, &params)).await?;
    // A job that can be polled again is not over where its result is damaged: then it is polled again.
    let sql = "SELECT l.job, coalesce(k.applied, 0), CASE WHEN k.is_over THEN j.one_shot \
                 OR NOT coalesce(b.is_damaged, k.record->>'saved' IS NOT NULL) ELSE false END, i.id, i.host, i.\"user\", i.pid, i.place, i.lock \
               FROM jobdeck.lease l JOIN jobdeck.job j ON j.id = l.job LEFT JOIN jobdeck.known k ON k.job = l.job \
               LEFT JOIN jobdeck.body b ON b.id = k.saved \
               LEFT JOIN jobdeck.instance i ON i.id = l.instance AND i.ended IS NULL WHERE l.job = ANY($1)";
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::INT8_ARRAY)];
    let mut leased = HashMap::with_capacity(ids.len());
    for row in &session.ask(session.client.query_typed(sql, &params)).await? {
        let job: i64 = cell(row, 0)?;
        let holder = match (before.get(&job), cell::<Option<i64>>(row, 3)?) {
            (Some(before), _) => Holder::Us { before: *before },
            (None, Some(id)) => {
                let (host, user, pid) = (cell(row, 4)?, cell(row, 5)?, cell(row, 6)?);
                let who = Who { host, user, pid, place: cell(row, 7)?, lock: cell(row, 8)? };
                Holder::Other(Some((InstanceId(id), who)))
            }
            (None, None) => Holder::Other(None),
        };
        leased.insert(job, Leased { job, holder, applied: cell(row, 1)?, is_over: cell(row, 2)? });
    }
    let missing = || TeamTrouble::Other("a job that was declared is not there".to_owned());
    ids.iter().map(|id| leased.get(id).cloned().ok_or_else(missing)).collect()
}

/// The numbers of jobs that were declared, in their order.
pub async fn numbers<'a>(
    session: &Session,
    keys: impl Iterator<Item = &'a JobKey> + Clone,
) -> Result<Vec<i64>, TeamTrouble> {
    let sql = "SELECT j.id FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (provider, endpoint, service_id, n) \
               JOIN jobdeck.job j USING (provider, endpoint, service_id) ORDER BY w.n";
    let keys = Keys::of(keys);
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&keys.provider, Type::TEXT_ARRAY), (&keys.endpoint, Type::TEXT_ARRAY), (&keys.id, Type::TEXT_ARRAY)];
    let rows = session.ask(session.client.query_typed(sql, &params)).await?;
    if rows.len() != keys.id.len() {
        return Err(TeamTrouble::Other("jobs that were declared are not there".to_owned()));
    }
    rows.iter().map(|row| cell(row, 0)).collect()
}

/// Which of these jobs nobody has any more.
pub async fn freed(session: &Session, keys: &[JobKey]) -> Result<Vec<JobKey>, TeamTrouble> {
    end_expired(session).await?;
    let sql = "SELECT w.n FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (provider, endpoint, service_id, n) \
               JOIN jobdeck.job j USING (provider, endpoint, service_id) JOIN jobdeck.lease l ON l.job = j.id \
               LEFT JOIN jobdeck.instance i ON i.id = l.instance WHERE l.instance IS NULL OR i.ended IS NOT NULL";
    let mut freed = Vec::new();
    for chunk in keys.chunks(AT_ONCE) {
        let columns = Keys::of(chunk.iter());
        let params: [(&(dyn ToSql + Sync), Type); 3] = [
            (&columns.provider, Type::TEXT_ARRAY),
            (&columns.endpoint, Type::TEXT_ARRAY),
            (&columns.id, Type::TEXT_ARRAY),
        ];
        for row in &session.ask(session.client.query_typed(sql, &params)).await? {
            let place = usize::try_from(cell::<i64>(row, 0)? - 1).ok();
            freed.extend(place.and_then(|place| chunk.get(place)).cloned());
        }
    }
    Ok(freed)
}

/// Gives up what we have of these.
pub async fn release(session: &Session, us: InstanceId, keys: &[JobKey]) -> Result<(), TeamTrouble> {
    let sql = "UPDATE jobdeck.lease l SET instance = NULL FROM jobdeck.job j, \
               unnest($2::text[], $3::text[], $4::text[]) AS w (provider, endpoint, service_id) \
               WHERE l.instance = $1 AND l.job = j.id AND j.provider = w.provider AND j.endpoint = w.endpoint \
               AND j.service_id = w.service_id";
    for keys in keys.chunks(AT_ONCE) {
        let keys = Keys::of(keys.iter());
        let params: [(&(dyn ToSql + Sync), Type); 4] = [
            (&us.0, Type::INT8),
            (&keys.provider, Type::TEXT_ARRAY),
            (&keys.endpoint, Type::TEXT_ARRAY),
            (&keys.id, Type::TEXT_ARRAY),
        ];
        session.ask(session.client.execute_typed(sql, &params)).await?;
    }
    Ok(())
}

/// What is there of an instance that is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Unknown,
    Ended,
    /// It renewed its lease so many seconds ago.
    Answered(i64),
}

/// Whether an instance is there.
pub async fn presence(session: &Session, InstanceId(id): InstanceId) -> Result<Presence, TeamTrouble> {
    let sql = format!(
        "SELECT ended IS NOT NULL, (extract(epoch FROM clock_timestamp() - until) + {})::int8 FROM jobdeck.instance WHERE id = $1",
        LEASE.as_secs()
    );
    let Some(row) = session.ask(session.client.query_typed_opt(&sql, &[(&id, Type::INT8)])).await? else {
        return Ok(Presence::Unknown);
    };
    Ok(if cell(&row, 0)? { Presence::Ended } else { Presence::Answered(cell(&row, 1)?) })
}

/// Ends an instance: what it has is free at once, and those who follow are woken. `given_up`: it has done so itself, and
/// leaves no doubt. Answers whether it was there.
pub async fn end(session: &Session, InstanceId(id): InstanceId, given_up: bool) -> Result<bool, TeamTrouble> {
    if given_up {
        let sql = "UPDATE jobdeck.lease SET instance = NULL WHERE instance = $1";
        session.ask(session.client.execute_typed(sql, &[(&id, Type::INT8)])).await?;
    }
    let sql = "UPDATE jobdeck.instance SET ended = coalesce(ended, clock_timestamp()) WHERE id = $1";
    let was_there = session.ask(session.client.execute_typed(sql, &[(&id, Type::INT8)])).await? > 0;
    session.ask(session.client.batch_execute(&format!("NOTIFY {CHANNEL}, '{FREED}'"))).await?;
    Ok(was_there)
}

/// Keys as three columns.
pub struct Keys {
    pub provider: Vec<&'static str>,
    pub endpoint: Vec<String>,
    /// Ids as they are kept.
    pub id: Vec<String>,
}

impl Keys {
    /// The columns of these keys.
    pub fn of<'a>(keys: impl Iterator<Item = &'a JobKey> + Clone) -> Self {
        Self {
            provider: keys.clone().map(|key| key.provider.as_str()).collect(),
            endpoint: keys.clone().map(|key| storable(&key.endpoint)).collect(),
            id: keys.map(|key| storable(&key.canonical_id())).collect(),
        }
    }
}

/// Text that PostgreSQL takes: it knows no NUL.
pub fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn tags(job: &Job) -> String {
    serde_json::to_string(&job.tags).map_or_else(|_| "[]".to_owned(), |tags| storable(&tags))
}
