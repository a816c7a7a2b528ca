//! When things are moved between this machine and the team's store: at once when something is saved here or reported
//! there, and every 30 seconds in case a notification was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::mover::{MoveError, Mover};
use super::share::{ShareOutcome, ShareStep};
use super::state::TeamShared;
use crate::domain::job::JobKey;
use crate::domain::observation::BodyId;
use crate::store::ledger::Ledger;
use crate::store::postgres::changes::ChangeCursor;
use crate::store::postgres::leases::InstanceId;
use crate::store::postgres::session::{ServerTarget, Session};
use crate::store::postgres::trouble::TeamTrouble;
use crate::store::{Spool, StoreError};

/// How often is looked without being woken.
const LOOK: Duration = Duration::from_secs(30);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What came of a look at what others have saved.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// How many jobs are known better than before.
    pub jobs: usize,
    /// Which responses are damaged there, as sentences.
    pub damaged: Vec<String>,
}

/// A connection for moving, and how far was read on it.
struct MovingSession {
    session: Session,
    cursor: ChangeCursor,
}

/// When damaged responses are looked for: by a time of its own, which no wake puts off.
struct Mending {
    at: Instant,
    /// The last that was looked at; None: from the first on.
    after: Option<BodyId>,
    /// What was said to have failed.
    said: Option<String>,
}

/// Moves as long as it is polled.
pub async fn run(target: Arc<ServerTarget>, mover: Arc<Mover>, common: Arc<TeamShared>) {
    let mut way = None;
    let mut look_at = Instant::now() + LOOK;
    let mut mending = Mending { at: Instant::now(), after: None, said: None };
    if let Ok(ShareOutcome::Waiting(_, left)) = mover.share(ShareStep::Waiting(usize::MAX)).await {
        common.uploads().waited(left.into_iter().map(|(job, _)| job.key.clone()));
    }
    loop {
        tokio::select! {
            () = common.wake.notified() => {}
            () = sleep_until(look_at) => {}
        }
        look_at = Instant::now() + LOOK;
        let us = common.state().us;
        let Some(us) = us else { continue };
        match round(&target, &mover, &common, us, (&mut way, &mut mending)).await {
            Ok(()) => {
                look_at = look_at.min(mending.at);
                common.state().not_moving = None;
            }
            Err(error) => {
                way = None;
                look_at = Instant::now() + PAUSE;
                let error = error.sentence();
                let mut state = common.state();
                if state.not_moving.as_ref() != Some(&error) {
                    tracing::warn!("failed to exchange results with the team's store: {error}");
                    state.not_moving = Some(error);
                }
            }
        }
    }
}

async fn round(
    target: &Arc<ServerTarget>,
    mover: &Mover,
    common: &TeamShared,
    us: InstanceId,
    (way, mending): (&mut Option<MovingSession>, &mut Mending),
) -> Result<(), MoveError> {
    let wanted = common.wanted();
    if way.as_ref().is_none_or(|way| way.session.client.is_closed()) {
        *way = Some(connect(target, mover).await?);
    }
    let Some(MovingSession { session, cursor }) = way else { return Ok(()) };
    loop {
        let saves = common.uploads().saves();
        let uploaded = mover.upload(session, us).await?;
        common.uploads().uploaded(uploaded.jobs.iter(), saves);
        let waiting = uploaded.waiting;
        common.changed(uploaded.merged);
        common.state().waiting = waiting;
        if waiting == 0 {
            break;
        }
    }
    common.set_uploaded(wanted);
    let behind: Vec<JobKey> = common.state().behind.iter().cloned().collect();
    let better = mover.import_jobs(session, &behind).await?;
    common.changed(better);
    common.state().behind.retain(|key| !behind.contains(key));
    loop {
        let imported = mover.import(session, Some(us), cursor, |_| ()).await?;
        common.changed(imported.jobs);
        if !imported.has_more {
            break;
        }
    }
    if mending.at <= Instant::now() && !mending.go_on(mover, session, us).await {
        *way = None;
    }
    Ok(())
}

impl Mending {
    /// Uploads the next of what is damaged again. What fails is said once, holds nothing else up, and is tried at the
    /// next look: false, and the connection is not to be used again, for a transaction may stand open on it.
    async fn go_on(&mut self, mover: &Mover, session: &Session, us: InstanceId) -> bool {
        self.at = Instant::now() + LOOK;
        match mover.mend(session, us, self.after).await {
            Ok(last) => {
                if last.is_some() {
                    self.at = Instant::now();
                }
                (self.after, self.said) = (last, None);
                true
            }
            Err(error) => {
                let error = error.sentence();
                if self.said.as_ref() != Some(&error) {
                    tracing::warn!("failed to upload again what is damaged in the team's store: {error}");
                }
                (self.after, self.said) = (None, Some(error));
                false
            }
        }
    }
}

async fn connect(target: &Arc<ServerTarget>, mover: &Mover) -> Result<MovingSession, MoveError> {
    let (session, store) = Session::open(target).await?;
    match mover.share(ShareStep::Join(store)).await? {
        ShareOutcome::Joined(from, _) => Ok(MovingSession { session, cursor: ChangeCursor::at(from) }),
        ShareOutcome::Waiting(..) | ShareOutcome::Imported(_) | ShareOutcome::Done => {
            Err(TeamTrouble::Other("this directory is not joined".to_owned()).into())
        }
    }
}

/// Takes over what others have saved, for who looks only.
///
/// It tells after each piece how many jobs were looked at, and how many there were at the start. What was taken over
/// stays, wherever this is left.
pub async fn catch_up(
    target: &Arc<ServerTarget>,
    local: Arc<dyn Ledger>,
    spool: Spool,
    mut told: impl FnMut(u64, u64),
) -> Result<Caught, StoreError> {
    let mover = Mover { local, spool };
    let moved = async {
        let MovingSession { session, mut cursor } = connect(target, &mover).await?;
        let all = cursor.ahead(&session).await?;
        let (mut caught, mut done) = (Caught::default(), 0);
        loop {
            let piece = |jobs: usize| {
                done += jobs as u64;
                told(done, all.max(done));
            };
            let imported = mover.import(&session, None, &mut cursor, piece).await?;
            caught.jobs += imported.jobs.len();
            caught.damaged.extend(imported.damaged);
            if !imported.has_more {
                return Ok(caught);
            }
        }
    };
    moved.await.map_err(|error| match error {
        MoveError::Team(trouble) => trouble.into(),
        MoveError::Here(error) => error,
    })
}
