//! When things are moved between this machine and the team's store: at once when something is saved here, at once or half a
//! second after the last look when something is reported there, and every 30 seconds in case a notification was lost.

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
/// The shortest time from one look to the next: where fifty save, nobody asks for each change by itself.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
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

/// A connection for moving, how far was read on it, and when that was last done.
struct MovingSession {
    session: Session,
    cursor: ChangeCursor,
    looked_at: Option<Instant>,
}

impl MovingSession {
    /// When is looked next at what others saved.
    fn looks_at(&self, has_news: bool) -> Instant {
        let pause = if has_news { BETWEEN_LOOKS } else { LOOK };
        self.looked_at.map_or_else(Instant::now, |at| at + pause)
    }
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
    let mut way: Option<MovingSession> = None;
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
                let next = way.as_ref().map(|way| way.looks_at(common.has_news()));
                look_at = look_at.min(mending.at).min(next.unwrap_or(look_at));
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
    let Some(moving) = way else { return Ok(()) };
    let looks_at = moving.looks_at(common.has_news());
    let MovingSession { session, cursor, looked_at } = moving;
    loop {
        let saves = common.uploads().saves();
        let knew_more = |keys| common.state().behind.extend::<Vec<_>>(keys);
        let uploaded = mover.upload(session, us, knew_more).await?;
        common.uploads().uploaded(uploaded.jobs.iter(), saves);
        let waiting = uploaded.waiting;
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
    while looks_at <= Instant::now() {
        common.look_at_news();
        let imported = mover.import(session, Some(us), cursor, |_| ()).await?;
        common.changed(imported.jobs);
        if !imported.has_more {
            *looked_at = Some(Instant::now());
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
        ShareOutcome::Joined(from, _) => Ok(MovingSession { session, cursor: ChangeCursor::at(from), looked_at: None }),
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
        let MovingSession { session, mut cursor, .. } = connect(target, &mover).await?;
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
