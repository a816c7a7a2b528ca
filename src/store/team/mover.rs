//! Moves what this machine saved to the team's store, and what others saved here: each job whole, as often as it takes.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::oneshot;

use super::share::{Import, ShareOutcome, ShareStep, Waiting};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, Damage, Keep};
use crate::store::ledger::{self, Ledger, ReadCommand, ReplyTo, WriteCommand};
use crate::store::postgres::changes::{self, ChangeCursor, Remote};
use crate::store::postgres::damage::{self, Damaged, DamagedPage};
use crate::store::postgres::leases::{InstanceId, numbers};
use crate::store::postgres::session::Session;
use crate::store::postgres::trouble::TeamTrouble;
use crate::store::postgres::upload::{Upload, upload};
use crate::store::{KeptBody, SaveBody, Spool, StoreError, StoreErrorKind};

/// How many jobs are uploaded in one transaction.
const JOBS_AT_ONCE: usize = 64;
/// How many bytes, but for one job that has more.
const BYTES_AT_ONCE: usize = 4 << 20;
/// How many jobs are fetched at once.
const FETCHED_AT_ONCE: usize = 64;
/// How many of these are taken over at the same time: so many bodies may be on their way.
const IMPORTED_AT_ONCE: usize = 16;

/// Why something could not be moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The team's store failed.
    #[error(transparent)]
    Team(#[from] TeamTrouble),
    /// This machine's failed.
    #[error(transparent)]
    Here(#[from] StoreError),
}

/// Why a body of this machine's is not handed on.
#[derive(Debug, thiserror::Error)]
enum NotWhole {
    #[error(transparent)]
    Unread(#[from] StoreError),
    #[error(transparent)]
    Damaged(#[from] Damage),
}

impl MoveError {
    /// What failed and what to do, as one text.
    pub fn sentence(&self) -> String {
        match self {
            Self::Team(trouble) => trouble.sentence(),
            Self::Here(error) => error.to_string(),
        }
    }
}

/// Both ends.
#[derive(Debug)]
pub struct Mover {
    /// This machine's own ledger.
    pub local: Arc<dyn Ledger>,
    /// Where bodies go as they arrive.
    pub spool: Spool,
}

/// What came of an upload.
#[derive(Debug, Default)]
pub struct Uploaded {
    pub jobs: Vec<JobKey>,
    /// How many jobs wait still.
    pub waiting: usize,
}

/// What came of a page of what others saved.
#[derive(Debug, Default)]
pub struct Imported {
    /// The jobs of which more is known now.
    pub jobs: Vec<JobKey>,
    /// Which responses are damaged there, as sentences.
    pub damaged: Vec<String>,
    /// Whether there may be more.
    pub has_more: bool,
}

/// What came of one job.
struct Taken {
    job: Arc<Job>,
    is_better: bool,
    damaged: Option<TeamTrouble>,
}

impl Mover {
    /// Uploads the next jobs that wait for it. Tells of those of which the others knew more before they count as
    /// uploaded: what stands there of them now is said to be ours, and no look finds it.
    pub async fn upload(
        &self,
        session: &mut Session,
        us: InstanceId,
        knew_more: impl FnOnce(Vec<JobKey>),
    ) -> Result<Uploaded, MoveError> {
        let nothing = Uploaded::default();
        let ShareOutcome::Waiting(Waiting { jobs: total, .. }, waiting) =
            self.share(ShareStep::Waiting(JOBS_AT_ONCE)).await?
        else {
            return Ok(nothing);
        };
        let (mut uploads, mut tickets, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (job, ticket) in waiting {
            let next = self.upload_of(job).await?;
            bytes += next.bytes();
            if bytes > BYTES_AT_ONCE && !uploads.is_empty() {
                break;
            }
            uploads.push(next);
            tickets.push(ticket);
        }
        if uploads.is_empty() {
            return Ok(nothing);
        }
        let taken = upload(session, us, &uploads).await?;
        let more = uploads.iter().zip(&taken).filter(|(_, taken)| !**taken);
        knew_more(more.map(|(upload, _)| upload.job.key.clone()).collect());
        self.share(ShareStep::Uploaded(tickets.clone())).await?;
        let jobs = uploads.into_iter().map(|upload| upload.job.key.clone()).collect();
        Ok(Uploaded { jobs, waiting: total.saturating_sub(tickets.len()) })
    }

    /// Takes over the next of what others saved, and tells after each piece how many jobs that were.
    pub async fn import(
        &self,
        session: &Session,
        us: Option<InstanceId>,
        cursor: &mut ChangeCursor,
        mut told: impl FnMut(usize),
    ) -> Result<Imported, MoveError> {
        // Room for our own results comes before copies of those of others.
        self.spool.check()?;
        let page = cursor.next(session, us).await?;
        let mut imported = Imported { has_more: page.is_full, ..Imported::default() };
        for ids in page.jobs.chunks(FETCHED_AT_ONCE) {
            let remotes = stream::iter(changes::fetch(session, ids).await?);
            // Several at once, so that this machine's store makes them durable together.
            let taken = remotes.map(|remote| self.import_one(session, remote)).buffered(IMPORTED_AT_ONCE);
            for Taken { job, is_better, damaged } in taken.try_collect::<Vec<_>>().await? {
                if is_better {
                    imported.jobs.push(job.key.clone());
                }
                imported.damaged.extend(damaged.map(|trouble| format!("{}: {}", job.label(), trouble.sentence())));
            }
            told(ids.len());
        }
        self.share(ShareStep::Read(cursor.from)).await?;
        Ok(imported)
    }

    /// Uploads again what is damaged there and whole here, of the next responses after one. Answers with the last that
    /// was looked at, where there may be more.
    pub async fn mend(
        &self,
        session: &Session,
        us: InstanceId,
        after: Option<BodyId>,
    ) -> Result<Option<BodyId>, MoveError> {
        let DamagedPage { damaged, next } = damage::damaged(session, after).await?;
        for Damaged { job, body, sha256, keep, role } in damaged {
            let here = self.ask(|reply| ReadCommand::Kept(job.clone(), reply)).await?;
            let is_it = |kept: &KeptBody| (kept.saved.sha256, kept.keep, &kept.role) == (sha256, keep, &role);
            let Some(kept) = here.into_iter().find(is_it) else { continue };
            if let Ok(bytes) = self.whole(&kept).await {
                match damage::mend(session, us, body, &bytes).await {
                    Ok(()) => {
                        tracing::info!("uploaded again what was damaged in the team's store: {} bytes", bytes.len());
                    }
                    // The others may fare better.
                    Err(trouble @ TeamTrouble::Damaged(_)) => tracing::warn!("{}", trouble.sentence()),
                    Err(trouble) => return Err(trouble.into()),
                }
            }
        }
        Ok(next)
    }

    /// A step in this machine's ledger.
    pub async fn share(&self, step: ShareStep) -> Result<ShareOutcome, StoreError> {
        ledger::order(&*self.local, |reply| WriteCommand::Share(step, reply)).await
    }

    async fn upload_of(&self, job: Arc<Job>) -> Result<Upload, StoreError> {
        let key = &job.key;
        let known = self.ask(|reply| ReadCommand::Load(vec![key.clone()], reply)).await?.pop().unwrap_or_default();
        let (_, changes) = self.ask(|reply| ReadCommand::History(key.clone(), reply)).await?;
        let description = self.ask(|reply| ReadCommand::Description(key.clone(), reply)).await?;
        let mut bodies = Vec::new();
        for kept in self.ask(|reply| ReadCommand::Kept(key.clone(), reply)).await? {
            // A damaged copy must not become everybody's, nor keep the rest.
            match self.whole(&kept).await {
                Ok(bytes) => bodies.push((kept, bytes)),
                Err(why) => tracing::error!("{} is not uploaded whole: {why}", job.label()),
            }
        }
        Ok(Upload { job, known, changes, bodies, description })
    }

    /// The bytes of a body of this machine's, if they are what they were.
    async fn whole(&self, kept: &KeptBody) -> Result<Bytes, NotWhole> {
        let bytes = self.ask(|reply| ReadCommand::Body(kept.saved.body, reply)).await?;
        kept.saved.check(&bytes)?;
        Ok(bytes)
    }

    /// Takes over what the team's store knows of these jobs. Answers with those of which more is known now.
    pub async fn import_jobs(&self, session: &Session, keys: &[JobKey]) -> Result<Vec<JobKey>, MoveError> {
        let mut better = Vec::new();
        for keys in keys.chunks(FETCHED_AT_ONCE) {
            let ids = numbers(session, keys.iter()).await?;
            for remote in changes::fetch(session, &ids).await? {
                let taken = self.import_one(session, remote).await?;
                better.extend(taken.is_better.then(|| taken.job.key.clone()));
            }
        }
        Ok(better)
    }

    async fn import_one(&self, session: &Session, remote: Remote) -> Result<Taken, MoveError> {
        let Remote { job, record, description, changes, bodies, .. } = remote;
        let here = self.ask(|reply| ReadCommand::Kept(job.key.clone(), reply)).await?;
        let is_here = |kept: &KeptBody| {
            here.iter()
                .any(|here| (here.saved.sha256, here.keep, &here.role) == (kept.saved.sha256, kept.keep, &kept.role))
        };
        let evidence = record.evidence();
        let is_wanted = |kept: &KeptBody| kept.keep == Keep::Result || Some(kept.saved.sha256) == evidence;
        let known = record.into_observation();
        let (mut fetched, mut damaged) = (Vec::new(), None);
        for kept in bodies.into_iter().filter(|kept| is_wanted(kept) && !is_here(kept)) {
            let id = kept.saved.body;
            match self.fetch_body(session, &job.key, known.applied, kept).await {
                Ok(body) => fetched.push(body),
                // Without it the job's other responses are taken over, but it is not known here as a result.
                Err(MoveError::Team(trouble @ TeamTrouble::Damaged(_))) => {
                    tracing::error!("{}: {}", job.label(), trouble.sentence());
                    damage::report(session, id).await?;
                    damaged = Some(trouble);
                }
                Err(error) => return Err(error),
            }
        }
        let job = Arc::new(job);
        let import = Import { job: Arc::clone(&job), known, changes, description, bodies: fetched };
        let is_better = self.share(ShareStep::Import(Box::new(import))).await? == ShareOutcome::Imported(true);
        Ok(Taken { job, is_better, damaged })
    }

    /// A body's bytes, by way of the spool, so that memory is bounded; compared with its SHA-256.
    async fn fetch_body(
        &self,
        session: &Session,
        key: &JobKey,
        seq: u64,
        kept: KeptBody,
    ) -> Result<SaveBody, MoveError> {
        let mut writer = self.spool.begin(key, seq, false);
        writer.set_status(kept.saved.http_status);
        if kept.saved.masked {
            writer.set_masked();
        }
        let mut pieces = pin!(changes::body(session, kept.saved.body).await?);
        while let Some(piece) = pieces.next().await {
            writer.push(&piece?);
            if let Some(why) = writer.objection() {
                let help = "Make room: it is copied again by itself".to_owned();
                return Err(
                    StoreError { kind: StoreErrorKind::NoSpace, what: format!("failed to copy: {why}"), help }.into()
                );
            }
        }
        let (bytes, spooled) = writer.finish().bytes().map_err(|_| StoreError::no_memory("copy a result"))?;
        kept.saved.check(&bytes).map_err(|damage| TeamTrouble::Damaged(damage.to_string()))?;
        let KeptBody { saved, keep, role, broken, headers, exported: _ } = kept;
        let (http_status, masked, at) = (saved.http_status, saved.masked, saved.at);
        Ok(SaveBody { keep, role, broken, bytes, spooled, http_status, headers, masked, at })
    }

    async fn ask<T>(&self, command: impl FnOnce(ReplyTo<T>) -> ReadCommand) -> Result<T, StoreError> {
        let (reply, replied) = oneshot::channel();
        self.local.read(command(reply));
        replied.await.map_err(|_| StoreError::closed())?
    }
}
