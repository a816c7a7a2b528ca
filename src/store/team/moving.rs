//! When things are moved between this machine and the team's store: at once when something is saved here or reported
//! there, and every 30 seconds in case a notification was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::common::TeamShared;
use super::mover::{MoveError, Mover};
use super::share::{ShareOutcome, ShareStep};
use crate::domain::job::JobKey;
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

/// A connection for moving, and how far was read on it.
struct MovingSession {
    session: Session,
    cursor: ChangeCursor,
}

/// Moves as long as it is polled.
pub async fn run(target: Arc<ServerTarget>, mover: Arc<Mover>, common: Arc<TeamShared>) {
    let mut way = None;
    let mut look_at = Instant::now() + LOOK;
    let mut told = String::new();
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
        match round(&target, &mover, &common, us, &mut way).await {
            Ok(()) => told.clear(),
            Err(error) => {
                way = None;
                look_at = Instant::now() + PAUSE;
                let error = error.to_string();
                if told != error {
                    tracing::warn!("failed to exchange results with the team's store: {error}");
                    told = error;
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
    way: &mut Option<MovingSession>,
) -> Result<(), MoveError> {
    let wanted = common.wanted();
    if way.as_ref().is_none_or(|way| way.session.client.is_closed()) {
        *way = Some(connect(target, mover).await?);
    }
    let Some(MovingSession { session, cursor }) = way else { return Ok(()) };
    loop {
        let saves = common.uploads().saves();
        let (uploaded, waiting) = mover.upload(session, us).await?;
        common.uploads().uploaded(uploaded.iter(), saves);
        common.state().waiting = waiting;
        if waiting == 0 {
            break;
        }
    }
    common.set_uploaded(wanted);
    loop {
        let (imported, has_more) = mover.import(session, Some(us), cursor).await?;
        common.state().changed.extend(imported);
        if !has_more {
            return Ok(());
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

/// Takes over what others have saved, for who looks only. Answers with the jobs.
pub async fn catch_up(
    target: &Arc<ServerTarget>,
    local: Arc<dyn Ledger>,
    spool: Spool,
) -> Result<Vec<JobKey>, StoreError> {
    let mover = Mover { local, spool };
    let moved = async {
        let MovingSession { session, mut cursor } = connect(target, &mover).await?;
        let mut all = Vec::new();
        loop {
            let (imported, has_more) = mover.import(&session, None, &mut cursor).await?;
            all.extend(imported);
            if !has_more {
                return Ok(all);
            }
        }
    };
    moved.await.map_err(|error| match error {
        MoveError::Team(trouble) => trouble.into(),
        MoveError::Here(error) => error,
    })
}
