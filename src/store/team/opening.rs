//! How the keeper of leases comes to its connection: with the lease that it had, or as a new instance.

use std::sync::Arc;
use std::time::Duration;

use super::Here;
use super::deadline;
use super::mover::Mover;
use super::share::{ShareOutcome, ShareStep};
use crate::store::instance;
use crate::store::postgres::leases::{self, InstanceId, Who};
use crate::store::postgres::session::{ServerTarget, Session};
use crate::store::postgres::trouble::TeamTrouble;

/// A connection with a lease.
pub struct Opened {
    /// Listens.
    pub session: Session,
    pub us: InstanceId,
    /// When the lease was asked for, by our clock.
    pub asked: Duration,
}

/// Connects. The lease of `us` goes on, if that is still good.
pub async fn open(
    target: Arc<ServerTarget>,
    here: Here,
    mover: Arc<Mover>,
    us: Option<InstanceId>,
) -> Result<Opened, TeamTrouble> {
    let (session, store) = Session::open(&target).await?;
    session.must_be_apart().await?;
    session.listen().await?;
    let joined = mover.share(ShareStep::Join(store)).await.map_err(|error| TeamTrouble::Other(error.to_string()))?;
    let ShareOutcome::Joined(_, place) = joined else {
        return Err(TeamTrouble::Other("this directory is not joined".to_owned()));
    };
    if let Some(us) = us {
        let asked = deadline::now();
        match leases::renew(&session, us, 0).await {
            Ok(()) => return Ok(Opened { session, us, asked }),
            Err(TeamTrouble::LeaseLost) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    let lock = instance::lock_name(mover.spool.dir(), mover.spool.instance()).unwrap_or_default();
    let who = Who { host: here.host, user: here.user, pid, place, lock };
    let asked = deadline::now();
    let us = leases::register(&session, &who).await?;
    leases::forget_old(&session).await?;
    Ok(Opened { session, us, asked })
}
