//! Jobs deleted with all that is kept of them, and the space given back to the disk.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use super::tx::Tx;
use crate::domain::job::JobKey;
use crate::store::instance::Liveness;
use crate::store::trouble::Trouble;

/// What hangs on a job, in the order in which it can be deleted.
const TABLES: [&str; 10] =
    ["body", "attempt", "change", "claim", "hook_event", "hook_ending", "upload", "declaration", "observation", "job"];

impl Tx<'_> {
    /// Deletes these jobs, but for those that a living instance has claimed.
    pub fn forget(&mut self, keys: &[JobKey]) -> Result<(), Trouble> {
        let mut living = Liveness::new(self.dir);
        for key in keys {
            let Some(job) = rows::find_job(self.connection, key)? else { continue };
            let holder: Option<String> = self
                .connection
                .prepare_cached("SELECT i.name FROM claim c JOIN instance i ON i.id = c.instance WHERE c.job = ?1")?
                .query_row([job], |row| row.get(0))
                .optional()?;
            if holder.is_some_and(|name| living.is_alive(&name)) {
                continue;
            }
            let files: Vec<String> = self
                .connection
                .prepare_cached("SELECT file FROM body WHERE job = ?1 AND file IS NOT NULL")?
                .query_map([job], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            self.garbage.extend(files.into_iter().map(|file| self.dir.bodies().join(file)));
            for table in TABLES {
                let column = if table == "job" { "id" } else { "job" };
                self.connection
                    .prepare_cached(&format!("DELETE FROM {table} WHERE {column} = ?1"))?
                    .execute(params![job])?;
            }
        }
        self.connection
            .prepare_cached(
                "DELETE FROM description WHERE id NOT IN (SELECT description FROM job WHERE description IS NOT NULL)",
            )?
            .execute([])?;
        self.connection
            .prepare_cached("DELETE FROM endpoint WHERE id NOT IN (SELECT endpoint FROM job)")?
            .execute([])?;
        Ok(())
    }
}

/// Writes the database anew without the room that deleted rows left, and the log into it.
pub fn compact(connection: &Connection) -> Result<(), Trouble> {
    connection.execute_batch("VACUUM")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::sqlite::connect;

    #[test]
    fn whatever_is_kept_under_a_job_goes_with_it() {
        let connection = Connection::open_in_memory().unwrap();
        connect::MIGRATIONS.iter().for_each(|sql| connection.execute_batch(sql).unwrap());
        let sql = "SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                   WHERE m.type = 'table' AND (c.name = 'job' OR m.name = 'job')";
        let found: BTreeSet<String> =
            connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, TABLES.map(str::to_owned).into());
    }
}
