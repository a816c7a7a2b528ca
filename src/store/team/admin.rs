//! What is done to a team's store itself: made, looked at, rid of an instance.

use std::sync::Arc;

use crate::store::StoreError;
pub use crate::store::postgres::leases::Presence;
use crate::store::postgres::leases::{self, InstanceId};
use crate::store::postgres::schema::{self, Made};
use crate::store::postgres::session::{ServerTarget, Session};
use crate::store::postgres::status;

pub use crate::store::postgres::status::TeamStatus;

/// Makes the tables or brings them up to date. Answers with what was done, to go before the address.
pub async fn init_team_store(target: ServerTarget) -> Result<&'static str, StoreError> {
    let mut session = Session::connect(&Arc::new(target)).await?;
    session.must_be_writable().await?;
    session.must_be_apart().await?;
    Ok(match schema::init(&mut session).await? {
        Made::Tables => "made the tables of a team's store",
        Made::Migrated(_) => "brought the tables up to date",
        Made::Nothing => "the tables are there and up to date",
    })
}

/// The status of a team's store.
pub async fn team_status(target: ServerTarget) -> Result<TeamStatus, StoreError> {
    let (session, _) = Session::open(&Arc::new(target)).await?;
    session.must_be_apart().await?;
    Ok(status::status(&session).await?)
}

/// Ends an instance: its jobs are free at once, and what it still uploads is kept. Answers with what was there of it.
pub async fn forget_instance(target: ServerTarget, id: i64) -> Result<Presence, StoreError> {
    let (session, _) = Session::open(&Arc::new(target)).await?;
    let before = leases::presence(&session, InstanceId(id)).await?;
    if matches!(before, Presence::Answered(_)) {
        leases::end(&session, InstanceId(id), false).await?;
    }
    Ok(before)
}
