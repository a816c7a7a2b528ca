//! The status of a team's store: its size, and who is there.

use super::session::{Session, cell};
use super::trouble::TeamTrouble;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamStatus {
    pub server: String,
    pub schema: i32,
    /// Whether our role may write.
    pub is_writable: bool,
    /// Bytes that the tables take.
    pub bytes: u64,
    /// How many jobs are known.
    pub jobs: u64,
    /// How many responses are kept.
    pub responses: u64,
    /// How many of these are damaged.
    pub damaged: u64,
    /// Who is there, the oldest first.
    pub instances: Vec<InstanceStatus>,
}

/// A jobdeck that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceStatus {
    pub id: i64,
    pub user: String,
    /// Its state directory.
    pub place: String,
    pub host: String,
    pub pid: i32,
    /// Since when, UTC.
    pub since: String,
    /// How many unfinished jobs it polls.
    pub jobs: i64,
    /// How many jobs are saved there and not uploaded yet.
    pub waiting: i32,
    /// How long its lease has to run.
    pub lease_seconds: i32,
}

/// Asks.
pub async fn status(session: &Session) -> Result<TeamStatus, TeamTrouble> {
    let sql = "SELECT current_setting('server_version'), (SELECT version FROM jobdeck.store), \
               (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 FROM pg_class c \
                JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'jobdeck' AND c.relkind = 'r'), \
               (SELECT count(*) FROM jobdeck.job), (SELECT count(*) FROM jobdeck.body), \
               (SELECT count(*) FROM jobdeck.body WHERE is_damaged), \
               has_table_privilege('jobdeck.known', 'INSERT') AND has_table_privilege('jobdeck.lease', 'UPDATE')";
    let row = session.ask(session.client.query_typed_one(sql, &[])).await?;
    let sql = "SELECT i.id, i.\"user\", i.host, i.pid, to_char(i.started AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
               (SELECT count(*) FROM jobdeck.lease l LEFT JOIN jobdeck.known k ON k.job = l.job \
                WHERE l.instance = i.id AND NOT coalesce(k.is_over, false)), i.waiting, \
               greatest(0, extract(epoch FROM i.until - clock_timestamp()))::int4, i.place \
               FROM jobdeck.instance i WHERE i.ended IS NULL AND i.until > clock_timestamp() ORDER BY i.id";
    let rows = session.ask(session.client.query_typed(sql, &[])).await?;
    let instance = |row: &tokio_postgres::Row| {
        Ok(InstanceStatus {
            id: cell(row, 0)?,
            user: cell(row, 1)?,
            host: cell(row, 2)?,
            pid: cell(row, 3)?,
            since: cell(row, 4)?,
            jobs: cell(row, 5)?,
            waiting: cell(row, 6)?,
            lease_seconds: cell(row, 7)?,
            place: cell(row, 8)?,
        })
    };
    Ok(TeamStatus {
        server: cell(&row, 0)?,
        schema: cell(&row, 1)?,
        bytes: cell::<i64>(&row, 2)?.cast_unsigned(),
        jobs: cell::<i64>(&row, 3)?.cast_unsigned(),
        responses: cell::<i64>(&row, 4)?.cast_unsigned(),
        damaged: cell::<i64>(&row, 5)?.cast_unsigned(),
        is_writable: cell(&row, 6)?,
        instances: rows.iter().map(instance).collect::<Result<_, TeamTrouble>>()?,
    })
}
