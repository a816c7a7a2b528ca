//! What the team's ledger keeps here: see `team::share`.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::bodies::{self, PlacedBody};
use super::changes;
use super::rows;
use super::tx::Tx;
use crate::domain::attempt::StateChange;
use crate::domain::checksum::Checksum;
use crate::domain::job::JobKey;
use crate::domain::observation::{Doubt, Keep, SavedBody};
use crate::store::team::share::{Import, ShareOutcome, ShareStep, Ticket, Waiting};
use crate::store::trouble::Trouble;

/// A job was saved: it waits for upload if this directory belongs to a team.
pub fn note_saved(connection: &Connection, job: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO upload (job, n) SELECT ?1, 1 WHERE EXISTS (SELECT 1 FROM team) \
             ON CONFLICT (job) DO UPDATE SET n = n + 1",
        )?
        .execute([job])?;
    Ok(())
}

impl Tx<'_> {
    /// Does a step.
    pub fn share(&mut self, step: &ShareStep, placed: &[PlacedBody]) -> Result<ShareOutcome, Trouble> {
        match step {
            ShareStep::Join(store) => Ok(join(self.connection, store)?),
            ShareStep::Waiting(most) => Ok(waiting(self.connection, *most)?),
            ShareStep::Uploaded(tickets) => {
                for Ticket { job, n } in tickets {
                    self.connection
                        .prepare_cached("DELETE FROM upload WHERE job = ?1 AND n = ?2")?
                        .execute([job, n])?;
                }
                Ok(ShareOutcome::Done)
            }
            ShareStep::Import(import) => self.import(import, placed).map(ShareOutcome::Imported),
            ShareStep::Read(cursor) => {
                self.connection
                    .prepare_cached("UPDATE team SET cursor = ?1 WHERE cursor <> ?1")?
                    .execute([cursor.cast_signed()])?;
                Ok(ShareOutcome::Done)
            }
            ShareStep::Doubt(keys) => doubt(self.connection, keys),
        }
    }

    /// What others know of a job is merged with what is known here.
    fn import(&mut self, import: &Import, placed: &[PlacedBody]) -> Result<bool, Trouble> {
        let key = &import.job.key;
        let one_shot = import.job.traits.one_shot;
        let job = match rows::find_job(self.connection, key)? {
            Some(job) => job,
            None => rows::declare(self.connection, &import.job)?,
        };
        let stands = rows::read_observation(self.connection, job)?.unwrap_or_default();
        for (body, placed) in import.bodies.iter().zip(placed) {
            match body.keep {
                Keep::Result => {
                    bodies::add_copy(self.connection, self.dir, job, body, placed, &mut self.garbage)?;
                }
                Keep::Evidence => {
                    let (of, body) = ((job, one_shot), (body, placed));
                    let current = stands.evidence.as_deref();
                    bodies::add_evidence(self.connection, self.dir, of, current, body, &mut self.garbage)?;
                }
                Keep::Nothing => {}
            }
        }
        let told = import.known.sent_again && !stands.sent_again;
        if told {
            rows::note_sent_again(self.connection, job)?;
        }
        let here = |saved: &SavedBody, is_copy| numbered(self.connection, job, is_copy, saved.sha256);
        let mut known = import.known.clone();
        known.saved = known.saved.map(|saved| here(&saved, true)).transpose()?.flatten();
        if known.saved.is_none() && import.known.saved.is_some() {
            // Without its bytes it is no result.
            return Ok(told);
        }
        known.evidence = known.evidence.map(|saved| here(&saved, false)).transpose()?.flatten().map(Box::new);
        let next = stands.merged(&known, one_shot);
        if let Some(description) = &import.description {
            rows::describe(self.connection, job, description)?;
        }
        add_changes(self.connection, job, &import.changes)?;
        if next == stands {
            return Ok(false);
        }
        rows::write_observation(self.connection, job, &next)?;
        Ok(true)
    }
}

fn join(connection: &Connection, store: &str) -> rusqlite::Result<ShareOutcome> {
    let joined = connection
        .prepare_cached("SELECT cursor, place FROM team WHERE store = ?1")?
        .query_row([store], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    if let Some((cursor, place)) = joined {
        return Ok(ShareOutcome::Joined(cursor.cast_unsigned(), place));
    }
    let place = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    connection.execute(
        "INSERT OR REPLACE INTO team (id, store, cursor, place) VALUES (1, ?1, 0, ?2)",
        params![store, place],
    )?;
    connection.execute("INSERT OR IGNORE INTO upload (job, n) SELECT job, 1 FROM observation", [])?;
    Ok(ShareOutcome::Joined(0, place))
}

fn waiting(connection: &Connection, most: usize) -> rusqlite::Result<ShareOutcome> {
    // All that is known waits in a directory that has not reached its team yet.
    let place: Option<String> =
        connection.prepare_cached("SELECT place FROM team")?.query_row([], |row| row.get(0)).optional()?;
    let counted = match (&place, most) {
        (None, _) => "SELECT count(*), count(saved) FROM observation",
        (Some(_), 0) => "SELECT count(*), count(o.saved) FROM upload u JOIN observation o ON o.job = u.job",
        // Whoever uploads asks again and again, and has no use for the second number.
        (Some(_), _) => "SELECT count(*), 0 FROM upload",
    };
    let (all, results) =
        connection.prepare_cached(counted)?.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let number = |count| usize::try_from(count).unwrap_or_default();
    let waiting = Waiting { jobs: number(all), results: number(results), place };
    let sql = format!(
        "SELECT u.job, u.n, {} FROM upload u JOIN job j ON j.id = u.job JOIN endpoint p ON p.id = j.endpoint \
         LEFT JOIN declaration d ON d.job = j.id ORDER BY u.rowid LIMIT ?1",
        rows::JOB_COLUMNS
    );
    let jobs = connection
        .prepare_cached(&sql)?
        .query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| {
            Ok((rows::job(row, 2)?.into(), Ticket { job: row.get(0)?, n: row.get(1)? }))
        })?
        .collect::<Result<_, _>>()?;
    Ok(ShareOutcome::Waiting(waiting, jobs))
}

fn doubt(connection: &Connection, keys: &[JobKey]) -> Result<ShareOutcome, Trouble> {
    for key in keys {
        let Some(job) = rows::find_job(connection, key)? else { continue };
        let mut known = rows::read_observation(connection, job)?.unwrap_or_default();
        let one_shot: bool = connection
            .prepare_cached(
                "SELECT coalesce(j.one_shot, p.provider = 'unstract') FROM job j JOIN endpoint p ON p.id = j.endpoint \
                 WHERE j.id = ?1",
            )?
            .query_row([job], |row| row.get(0))?;
        if one_shot && !known.is_over() && known.doubt.is_none() {
            known.doubt = Some(Doubt::ReaderDied);
            rows::write_observation(connection, job, &known)?;
        }
    }
    Ok(ShareOutcome::Done)
}

/// The body with these bytes.
fn numbered(connection: &Connection, job: i64, is_copy: bool, sha256: Checksum) -> rusqlite::Result<Option<SavedBody>> {
    let found = connection
        .prepare_cached(
            "SELECT id FROM body WHERE job = ?1 AND sha256 = ?2 ORDER BY is_copy = ?3 DESC, id DESC LIMIT 1",
        )?
        .query_row(params![job, sha256.to_string(), is_copy], |row| row.get(0))
        .optional()?;
    found.map(|id| rows::read_saved(connection, id)).transpose()
}

fn add_changes(connection: &Connection, job: i64, theirs: &[StateChange]) -> rusqlite::Result<()> {
    let here = changes::read(connection, job)?;
    for change in theirs {
        if !here.iter().any(|here| (here.at, here.state) == (change.at, change.state)) {
            changes::add(connection, job, change)?;
        }
    }
    changes::keep_last(connection, job)
}
