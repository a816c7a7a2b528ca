//! When things are moved between this machine and the team's store: at once when something is saved here or reported
//! there, and every 30 seconds in case a notification was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::common::Common;
use super::mover::{MoveError, Mover};
use super::share::{ShareStep, Shared};
use crate::domain::job::JobKey;
use crate::store::ledger::Ledger;
use crate::store::postgres::changes::Cursor;
use crate::store::postgres::leases::InstanceId;
use crate::store::postgres::session::{Session, Target};
use crate::store::postgres::trouble::Trouble;
use crate::store::{Spool, StoreError};

/// How often is looked without being woken.
const LOOK: Duration = Duration::from_secs(30);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// A connection for moving, and how far was read on it.
struct Way {
    session: Session,
    cursor: Cursor,
}

/// Moves as long as it is polled.
pub async fn run(target: Arc<Target>, mover: Arc<Mover>, common: Arc<Common>) {
    let mut way = None;
    let mut look_at = Instant::now() + LOOK;
    let mut told = String::new();
    if let Ok(Shared::Waiting(_, left)) = mover.share(ShareStep::Waiting(usize::MAX)).await {
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
    target: &Arc<Target>,
    mover: &Mover,
    common: &Common,
    us: InstanceId,
    way: &mut Option<Way>,
) -> Result<(), MoveError> {
    let wanted = common.wanted();
    if way.as_ref().is_none_or(|way| way.session.client.is_closed()) {
        *way = Some(connect(target, mover).await?);
    }
    let Some(Way { session, cursor }) = way else { return Ok(()) };
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

async fn connect(target: &Arc<Target>, mover: &Mover) -> Result<Way, MoveError> {
    let (session, store) = Session::open(target).await?;
    match mover.share(ShareStep::Join(store)).await? {
        Shared::Joined(from, _) => Ok(Way { session, cursor: Cursor::at(from) }),
        Shared::Waiting(..) | Shared::Imported(_) | Shared::Done => {
            Err(Trouble::Other("this directory is not joined".to_owned()).into())
        }
    }
}

/// Takes over what others have saved, for who looks only. Answers with the jobs.
pub async fn catch_up(target: &Arc<Target>, local: Arc<dyn Ledger>, spool: Spool) -> Result<Vec<JobKey>, StoreError> {
    let mover = Mover { local, spool };
    let moved = async {
        let Way { session, mut cursor } = connect(target, &mover).await?;
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
