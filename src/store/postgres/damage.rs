//! Responses in a team's store whose bytes are not those that were uploaded: reported by whoever finds one, uploaded again
//! by whoever has it.

use bytes::Bytes;
use tokio_postgres::types::{ToSql, Type};

use super::leases::InstanceId;
use super::session::{CHANNEL, Session, cell};
use super::trouble::TeamTrouble;
use super::upload::add_chunks;
use crate::domain::checksum::Checksum;
use crate::domain::job::{JobKey, ProviderName};
use crate::domain::observation::{BodyId, Keep, Role};

/// How many are looked at in one go.
const AT_ONCE: i64 = 100;

/// A response that is damaged there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    pub job: JobKey,
    /// Its number in the store.
    pub body: BodyId,
    /// What it should be.
    pub sha256: Checksum,
    /// What it is kept as.
    pub keep: Keep,
    /// What it answered to.
    pub role: Role,
}

/// Some that are damaged, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedPage {
    pub damaged: Vec<Damaged>,
    /// After which the next page begins; None: this is the last.
    pub next: Option<BodyId>,
}

/// Notes that a response is damaged. A role that may not write leaves that to others.
pub async fn report(session: &Session, BodyId(body): BodyId) -> Result<(), TeamTrouble> {
    let sql = "UPDATE jobdeck.body SET is_damaged = true WHERE id = $1 AND NOT is_damaged";
    match session.ask(session.client.execute_typed(sql, &[(&body, Type::INT8)])).await {
        Ok(_) | Err(TeamTrouble::NoRight(_)) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// The next responses that are damaged, after one or from the first on.
pub async fn damaged(session: &Session, after: Option<BodyId>) -> Result<DamagedPage, TeamTrouble> {
    let sql = "SELECT j.provider, j.endpoint, j.service_id, b.id, b.sha256, b.is_copy, b.role FROM jobdeck.body b \
               JOIN jobdeck.job j ON j.id = b.job WHERE b.is_damaged AND b.id > $2 ORDER BY b.id LIMIT $1";
    let after = after.map_or(0, |BodyId(body)| body);
    let rows = session.ask(session.client.query_typed(sql, &[(&AT_ONCE, Type::INT8), (&after, Type::INT8)])).await?;
    let damaged = |row: &tokio_postgres::Row| {
        let (endpoint, sha256, role): (String, String, String) = (cell(row, 1)?, cell(row, 4)?, cell(row, 6)?);
        let provider = ProviderName::new(cell(row, 0)?);
        Ok(Damaged {
            job: JobKey { provider, endpoint: endpoint.into(), id: cell(row, 2)? },
            body: BodyId(cell(row, 3)?),
            sha256: Checksum::from_hex(&sha256).unwrap_or_default(),
            keep: if cell(row, 5)? { Keep::Result } else { Keep::Evidence },
            role: Role::from_word(&role).unwrap_or_default(),
        })
    };
    let damaged: Vec<Damaged> = rows.iter().map(damaged).collect::<Result<_, _>>()?;
    let is_full = i64::try_from(damaged.len()) == Ok(AT_ONCE);
    let next = damaged.last().filter(|_| is_full).map(|last| last.body);
    Ok(DamagedPage { damaged, next })
}

/// Puts the right bytes in the place of damaged ones. Everybody looks at the job again.
pub async fn mend(session: &Session, us: InstanceId, BodyId(body): BodyId, bytes: &Bytes) -> Result<(), TeamTrouble> {
    session.ask(session.client.batch_execute("BEGIN")).await?;
    let mended = mend_within(session, us, body, bytes).await;
    let end = if mended.is_ok() { format!("NOTIFY {CHANNEL}; COMMIT") } else { "ROLLBACK".to_owned() };
    let ended = session.ask(session.client.batch_execute(&end)).await;
    mended.and(ended)
}

async fn mend_within(session: &Session, us: InstanceId, body: i64, bytes: &Bytes) -> Result<(), TeamTrouble> {
    add_chunks(session, body, bytes).await?;
    let sql = "WITH mended AS (UPDATE jobdeck.body SET is_damaged = false, bytes = $3 WHERE id = $1 RETURNING job) \
               UPDATE jobdeck.known k SET changed = pg_current_xact_id(), revision = revision + 1, instance = $2 \
               FROM mended WHERE k.job = mended.job";
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let params: [(&(dyn ToSql + Sync), Type); 3] = [(&body, Type::INT8), (&us.0, Type::INT8), (&length, Type::INT8)];
    session.ask(session.client.execute_typed(sql, &params)).await.map(drop)
}
