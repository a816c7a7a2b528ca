//! What is done inside a transaction: saving a job's step, claiming jobs, declaring them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::bodies::{self, PlacedBody};
use super::changes;
use super::hooks;
use super::owners::ClaimOwners;
use super::rows;
use super::{share, values};
use crate::domain::attempt::Attempt;
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, Doubt, FieldValues, Keep, Observation};
use crate::store::dir::{self, StateDir};
use crate::store::instance::Liveness;
use crate::store::ledger::Claim;
use crate::store::name::{BodyName, job_digest};
use crate::store::trouble::Trouble;
use crate::store::{NewHookEvent, Reads, Save};

#[derive(Debug)]
pub struct Tx<'a> {
    /// The writer's connection, inside a transaction.
    pub connection: &'a Connection,
    pub dir: &'a StateDir,
    pub instance: i64,
    /// Whether `bodies/` was looked through for what dead instances left, since the database was opened.
    pub looked_through: &'a mut bool,
    /// Files that are of no use once the transaction is committed.
    pub garbage: Vec<PathBuf>,
}

impl Tx<'_> {
    /// Saves one step. What is on disk is never made worse: neither by an answer to an older request, nor by
    /// anything where the only copy of a one-shot result is held. The body is kept in any case.
    pub fn save(&mut self, save: &Save, placed: &[PlacedBody]) -> Result<Observation, Trouble> {
        let job = rows::declare(self.connection, &save.job)?;
        let stands = rows::read_observation(self.connection, job)?.unwrap_or_default();
        let one_shot = save.job.traits.one_shot;
        let held = one_shot && stands.saved.is_some();
        // Who saves may not have heard yet that others saw its end.
        let ended = stands.is_over() && !save.observation.is_over();
        let unheard = ended && save.change.as_ref().is_none_or(|change| change.previous != Some(stands.state));
        let stale = held || unheard || self.is_stale(job, &stands, &save.observation)?;
        let is_copy = save.body.as_ref().is_some_and(|body| body.keep == Keep::Result);
        // The copy of a one-shot result is worth more than anything a later reply can have said.
        let taken = !stale || (one_shot && is_copy && !held);

        let mut next = if taken { save.observation.clone() } else { stands.clone() };
        next.applied = next.applied.max(stands.applied);
        next.saved = stands.saved;
        next.evidence = stands.evidence;
        next.sent_again = stands.sent_again;
        let mut placed = placed.iter();
        if let Some(body) = &save.body
            && let Some(placed) = placed.next()
        {
            match body.keep {
                Keep::Result => {
                    let copy = bodies::add_copy(self.connection, self.dir, job, body, placed, &mut self.garbage)?;
                    if taken || next.saved.is_none() {
                        next.saved = Some(copy);
                    }
                }
                Keep::Evidence => {
                    let (job, body) = ((job, one_shot), (body, placed));
                    let current = next.evidence.as_deref();
                    let evidence =
                        bodies::add_evidence(self.connection, self.dir, job, current, body, &mut self.garbage)?;
                    next.evidence = Some(Box::new(evidence));
                }
                Keep::Nothing => {}
            }
        }
        for (body, placed) in save.further.iter().zip(placed) {
            bodies::add_copy(self.connection, self.dir, job, body, placed, &mut self.garbage)?;
        }
        rows::write_observation(self.connection, job, &next)?;
        share::note_saved(self.connection, job)?;
        if let Some(description) = &save.description {
            rows::describe(self.connection, job, description)?;
        }
        hooks::add(self.connection, job, self.instance, &save.hooks.events)?;
        hooks::add_endings(self.connection, job, &save.hooks.endings)?;
        if taken {
            if !save.attempts.is_empty() {
                rows::write_attempts(self.connection, job, &save.attempts)?;
            }
            if let Some(change) = &save.change {
                changes::add(self.connection, job, change)?;
                changes::keep_last(self.connection, job)?;
            }
        }
        Ok(next)
    }

    /// Claims jobs, see `Store::claim`. What a dead instance left of a reply becomes evidence here.
    pub fn claim(&mut self, jobs: &[Arc<Job>]) -> Result<Vec<Claim>, Trouble> {
        let mut liveness = Liveness::new(self.dir);
        let mut claims = Vec::with_capacity(jobs.len());
        let mut taken = Vec::new();
        let mut dead = BTreeMap::new();
        let mut owners = ClaimOwners::new(self.connection);
        for wanted in jobs {
            let key = &wanted.key;
            let found = self
                .connection
                .prepare_cached(
                    "SELECT j.id, c.instance FROM endpoint e JOIN job j ON j.endpoint = e.id \
                     LEFT JOIN claim c ON c.job = j.id WHERE e.provider = ?1 AND e.url = ?2 AND j.service_id = ?3",
                )?
                .query_row(params![key.provider.as_str(), key.endpoint, key.canonical_id()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let (job, holder): (i64, Option<i64>) = match found {
                Some(found) => found,
                None => (rows::add_job(self.connection, key)?, None),
            };
            let orphaned = match holder {
                Some(id) if id == self.instance => {
                    claims.push(Claim::Ours { orphaned: false });
                    continue;
                }
                Some(id) => {
                    let owner = owners.get(id)?;
                    if liveness.is_alive(&owner.instance) {
                        claims.push(Claim::Theirs(owner));
                        continue;
                    }
                    dead.insert(id, owner);
                    true
                }
                None => false,
            };
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO claim (job, instance) VALUES (?1, ?2)")?
                .execute(params![job, self.instance])?;
            taken.push((claims.len(), job, wanted));
            claims.push(Claim::Ours { orphaned });
        }
        if !taken.is_empty() {
            self.take_over(&taken, &mut claims, &mut liveness)?;
        }
        for (id, owner) in dead {
            self.forget_instance(id, &owner.instance)?;
        }
        Ok(claims)
    }

    /// Notes when jobs were last read, and gives up our claims on these.
    pub fn release(&mut self, keys: &[JobKey], reads: &[Reads]) -> Result<(), Trouble> {
        for reads in reads {
            self.note(reads)?;
        }
        for key in keys {
            if let Some(job) = rows::find_job(self.connection, key)? {
                self.connection
                    .prepare_cached("DELETE FROM claim WHERE job = ?1 AND instance = ?2")?
                    .execute([job, self.instance])?;
            }
        }
        Ok(())
    }

    /// Keeps what the jobs file says about these jobs.
    pub fn declare(&mut self, jobs: &[Arc<Job>]) -> Result<(), Trouble> {
        for declared in jobs {
            rows::declare(self.connection, declared)?;
        }
        Ok(())
    }

    /// Keeps what the user's fields hold, where their definitions changed.
    pub fn set_fields(&mut self, fields: &[(JobKey, FieldValues)]) -> Result<(), Trouble> {
        for (key, fields) in fields {
            let Some(job) = rows::find_job(self.connection, key)? else { continue };
            self.connection
                .prepare_cached("UPDATE observation SET fields = ?2, fields_by = ?3 WHERE job = ?1")?
                .execute(params![job, fields.values, fields.taken_by])?;
        }
        Ok(())
    }

    /// Claims jobs to send them again, see `Notes::begin_sending`.
    pub fn begin_sending(&mut self, jobs: &[(Arc<Job>, bool)]) -> Result<Vec<bool>, Trouble> {
        let mut liveness = Liveness::new(self.dir);
        let mut free = Vec::with_capacity(jobs.len());
        for (wanted, is_known) in jobs {
            let job = rows::declare(self.connection, wanted)?;
            let (was_sent, sender): (bool, Option<String>) = self
                .connection
                .prepare_cached("SELECT sent_again_at IS NOT NULL, sent_by FROM job WHERE id = ?1")?
                .query_row([job], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let is_free = match sender {
                Some(sender) if liveness.is_alive(&sender) => false,
                // It may have been sent, and paid for: whoever wants it once more has to say so.
                Some(_) if !is_known => {
                    self.end_sending(&[Arc::clone(wanted)], true)?;
                    false
                }
                Some(_) | None => !was_sent || *is_known,
            };
            if is_free {
                self.connection
                    .prepare_cached("UPDATE job SET sent_by = (SELECT name FROM instance WHERE id = ?2) WHERE id = ?1")?
                    .execute([job, self.instance])?;
            }
            free.push(is_free);
        }
        Ok(free)
    }

    /// Gives up what `begin_sending` claimed, and notes what was sent again.
    pub fn end_sending(&mut self, jobs: &[Arc<Job>], was_sent: bool) -> Result<(), Trouble> {
        for job in jobs {
            let job = rows::declare(self.connection, job)?;
            self.connection.prepare_cached("UPDATE job SET sent_by = NULL WHERE id = ?1")?.execute([job])?;
            if !was_sent {
                continue;
            }
            if rows::read_observation(self.connection, job)?.is_none() {
                rows::write_observation(self.connection, job, &Observation::default())?;
            }
            rows::note_sent_again(self.connection, job)?;
            share::note_saved(self.connection, job)?;
        }
        Ok(())
    }

    /// Notes that these bodies were written out.
    pub fn note_exported(&mut self, bodies: &[BodyId]) -> Result<(), Trouble> {
        let now = values::nanoseconds(jiff::Timestamp::now());
        for body in bodies {
            // What is noted already costs no write.
            self.connection
                .prepare_cached("UPDATE body SET exported_at = ?2 WHERE id = ?1 AND exported_at IS NULL")?
                .execute([body.0, now])?;
        }
        Ok(())
    }

    /// Keeps events that no step brings, in place of these endings.
    pub fn add_hook_events(
        &mut self,
        events: &[(JobKey, NewHookEvent)],
        endings: &[(JobKey, String)],
    ) -> Result<(), Trouble> {
        for (key, event) in events {
            if let Some(job) = rows::find_job(self.connection, key)? {
                hooks::add(self.connection, job, self.instance, std::slice::from_ref(event))?;
            }
        }
        for (key, hook) in endings {
            if let Some(job) = rows::find_job(self.connection, key)? {
                hooks::remove_ending(self.connection, job, hook)?;
            }
        }
        Ok(())
    }

    /// A write that the commit has to sync.
    pub fn probe(&mut self) -> Result<(), Trouble> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO probe (id, at) VALUES (1, ?1)")?
            .execute([values::nanoseconds(jiff::Timestamp::now())])?;
        Ok(())
    }

    /// Notes when a job was last read. What else is known is left alone, and so is a later read.
    fn note(&mut self, reads: &Reads) -> Result<(), Trouble> {
        let Some(job) = rows::find_job(self.connection, &reads.job)? else { return Ok(()) };
        let stands = rows::read_observation(self.connection, job)?.unwrap_or_default();
        if stands.last_poll.as_ref().is_some_and(|last| last.at > reads.last.at) {
            return Ok(());
        }
        let mut attempts = if reads.complete { Vec::new() } else { rows::read_attempts(self.connection, job)? };
        for attempt in &reads.attempts {
            Attempt::push(&mut attempts, attempt.clone());
        }
        let next = Observation { last_poll: Some(reads.last.clone()), ..stands };
        rows::write_observation(self.connection, job, &next)?;
        rows::write_attempts(self.connection, job, &attempts)?;
        Ok(())
    }

    /// Whether something newer is saved. Refusals do not count up `applied`: among equals, the claim decides.
    fn is_stale(&self, job: i64, stands: &Observation, next: &Observation) -> Result<bool, Trouble> {
        if next.applied != stands.applied {
            return Ok(next.applied < stands.applied);
        }
        let read_at = |observation: &Observation| observation.last_poll.as_ref().map(|read| read.at);
        if read_at(next) >= read_at(stands) {
            return Ok(false);
        }
        let ours = self
            .connection
            .prepare_cached("SELECT 1 FROM claim WHERE job = ?1 AND instance = ?2")?
            .exists([job, self.instance])?;
        Ok(!ours)
    }

    /// For jobs that came to us: what dead instances left of their replies, and the doubt that they leave.
    fn take_over(
        &mut self,
        taken: &[(usize, i64, &Arc<Job>)],
        claims: &mut [Claim],
        liveness: &mut Liveness<'_>,
    ) -> Result<(), Trouble> {
        let orphans = claims.contains(&Claim::Ours { orphaned: true });
        let leftovers = match bodies::leftovers(self.connection, self.dir, liveness, orphans || !*self.looked_through) {
            Ok(leftovers) => leftovers,
            Err(error) => {
                tracing::warn!(%error, "what other instances left cannot be looked through");
                Default::default()
            }
        };
        let rescued = dir::rescued(self.dir);
        *self.looked_through = true;
        for &(place, job, wanted) in taken {
            let (key, one_shot) = (&wanted.key, wanted.traits.one_shot);
            let left = if leftovers.is_empty() { None } else { leftovers.get(&job_digest(key)) };
            let saved_elsewhere = if rescued.is_empty() { None } else { rescued.get(&dir::rescue_stem(key)) };
            let Some(claim) = claims.get_mut(place) else { continue };
            let is_dead = *claim == Claim::Ours { orphaned: true } || left.is_some();
            let orphaned = is_dead || saved_elsewhere.is_some();
            if !orphaned {
                continue;
            }
            *claim = Claim::Ours { orphaned };
            let mut known = rows::read_observation(self.connection, job)?.unwrap_or_default();
            let before = (known.evidence.clone(), known.doubt);
            let left = left.into_iter().flatten().filter_map(|path| Some((path, BodyName::parse(path)?)));
            let saved_elsewhere = saved_elsewhere.into_iter().flatten().map(|path| (path, BodyName::rescued(key)));
            for (path, name) in left.chain(saved_elsewhere) {
                let left = (path.as_path(), name);
                match bodies::import(self.connection, self.dir, (job, one_shot), &known, left, &mut self.garbage) {
                    Ok(evidence) => known.evidence = evidence.map(Box::new),
                    Err(error) if one_shot && !known.is_over() => *claim = Claim::Blocked(error.to_string()),
                    Err(error) => tracing::warn!(%error, "what a dead instance left of a reply stays where it is"),
                }
            }
            if matches!(claim, Claim::Blocked(_)) {
                self.connection.prepare_cached("DELETE FROM claim WHERE job = ?1")?.execute([job])?;
                *self.looked_through = false;
            }
            if one_shot && !known.is_over() && known.doubt != Some(Doubt::Cut) {
                known.doubt = Some(if is_dead { Doubt::ReaderDied } else { Doubt::Cut });
            }
            if before != (known.evidence.clone(), known.doubt) {
                rows::write_observation(self.connection, job, &known)?;
            }
        }
        Ok(())
    }

    /// Forgets a dead instance once nobody has to take over from it.
    fn forget_instance(&mut self, id: i64, name: &str) -> Result<(), Trouble> {
        let gone = self
            .connection
            .prepare_cached(
                "DELETE FROM instance WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM claim WHERE instance = ?1)",
            )?
            .execute([id])?;
        if gone > 0 {
            self.garbage.push(self.dir.instances().join(format!("{name}.lock")));
        }
        Ok(())
    }
}
