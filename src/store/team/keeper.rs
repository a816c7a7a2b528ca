//! Keeps our lease in the team's store: connects, renews, claims and gives up, and learns what became free. Whatever it
//! cannot learn there it answers from here, at once: nobody waits for a database that does not answer.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::Here;
use super::deadline;
use super::mover::Mover;
use super::opening::{Opened, open};
use super::share::{ShareOutcome, ShareStep};
use super::state::TeamShared;
use crate::domain::human;
use crate::domain::job::{Job, JobKey};
use crate::domain::owner::Owner;
use crate::store::ledger::{self, Claim, ReadCommand, ReplyTo, WriteCommand};
use crate::store::postgres::leases::{self, Holder, InstanceId, LEASE, Leased, RENEWED_EVERY, Who};
use crate::store::postgres::session::{ServerTarget, Session, Told};
use crate::store::postgres::trouble::TeamTrouble;
use crate::store::{Reads, StoreError, instance};

/// How long a start waits for the team's store before it goes on without.
const FIRST: Duration = Duration::from_secs(3);
/// How long a claim waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first pause before a new connection, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// How many jobs are claimed with one request there, which has that time.
const LEASED_AT_ONCE: usize = 2000;
/// How long an end waits for what is saved here to be uploaded.
const FLUSH: Duration = Duration::from_secs(4);

/// What the keeper is asked for.
#[derive(Debug)]
pub enum KeeperRequest {
    /// As `WriteCommand::Claim`.
    Claim(Vec<Arc<Job>>, ReplyTo<Vec<Claim>>),
    /// As `WriteCommand::Release`.
    Release(Vec<JobKey>, Vec<Reads>, ReplyTo<()>),
    /// As `WriteCommand::Close`.
    Close(oneshot::Sender<()>),
}

pub struct Keeper {
    target: Arc<ServerTarget>,
    here: Here,
    mover: Arc<Mover>,
    common: Arc<TeamShared>,
    online: Option<Online>,
    /// The instance that we are as long as its lease lasts, and those that we were.
    us: Option<InstanceId>,
    past: Vec<InstanceId>,
    /// Jobs that the team's store says are ours, and those that only this machine says are.
    leased: HashMap<JobKey, Arc<Job>>,
    unconfirmed: HashMap<JobKey, Arc<Job>>,
    /// What is to be given up there once all that was saved before is uploaded.
    to_release: Vec<(u64, JobKey)>,
    /// Instances over this directory that are dead, to be ended once all that they saved is uploaded.
    to_end: Vec<(u64, InstanceId)>,
    retry_at: Instant,
    pause: Duration,
}

struct Online {
    session: Session,
    renew_at: Instant,
}

impl Keeper {
    /// One that is not connected.
    pub fn new(target: Arc<ServerTarget>, here: Here, mover: Arc<Mover>, common: Arc<TeamShared>) -> Self {
        Self {
            target,
            here,
            mover,
            common,
            online: None,
            us: None,
            past: Vec::new(),
            leased: HashMap::new(),
            unconfirmed: HashMap::new(),
            to_release: Vec::new(),
            to_end: Vec::new(),
            retry_at: Instant::now(),
            pause: PAUSES.0,
        }
    }

    /// Works until it is asked to close, or nobody can ask any more: then the lease runs out by itself, as after a
    /// death.
    pub async fn run(mut self, mut asks: mpsc::UnboundedReceiver<KeeperRequest>) {
        let late = TeamTrouble::Unreachable(format!("{}: no answer within {} s", self.target.address, FIRST.as_secs()));
        let first = timeout(FIRST, self.open()).await;
        self.opened(first.unwrap_or(Err(late))).await;
        let mut connecting: Option<BoxFuture<'static, Result<Opened, TeamTrouble>>> = None;
        let common = Arc::clone(&self.common);
        loop {
            if self.online.is_none() && connecting.is_none() && self.retry_at <= Instant::now() {
                connecting = Some(Box::pin(self.open()));
            }
            let wake_at = match (&self.online, &connecting) {
                (Some(online), _) => Some(online.renew_at),
                (None, None) => Some(self.retry_at),
                (None, Some(_)) => None,
            };
            let event = tokio::select! {
                ask = asks.recv() => KeeperEvent::Asked(ask),
                told = notified(&mut self.online, self.us) => KeeperEvent::Told(told),
                opened = or_never(&mut connecting) => KeeperEvent::Opened(opened),
                () = common.uploaded.notified() => KeeperEvent::Uploaded,
                () = until(wake_at) => KeeperEvent::Woken,
            };
            match event {
                KeeperEvent::Asked(None) => return,
                KeeperEvent::Asked(Some(KeeperRequest::Close(done))) => {
                    self.close().await;
                    self.mover.local.write(WriteCommand::Close(done));
                    return;
                }
                KeeperEvent::Asked(Some(KeeperRequest::Claim(jobs, reply))) => {
                    let claims = self.claim(jobs).await;
                    // First: a claim that nobody has confirmed is answered too, and must not be polled on that.
                    self.tell();
                    drop(reply.send(claims));
                }
                KeeperEvent::Asked(Some(KeeperRequest::Release(keys, reads, reply))) => {
                    drop(reply.send(self.release(keys, reads).await))
                }
                KeeperEvent::Told(Some(told)) => {
                    if told.news {
                        self.common.tell_of_news();
                    }
                    if told.freed {
                        self.look_for_freed().await;
                    }
                }
                KeeperEvent::Told(None) => {
                    self.lose(&TeamTrouble::Unreachable(format!("{}: the connection was closed", self.target.address)));
                }
                KeeperEvent::Opened(opened) => {
                    connecting = None;
                    self.opened(opened).await;
                }
                KeeperEvent::Uploaded => self.flush_releases().await,
                KeeperEvent::Woken => self.renew().await,
            }
            self.tell();
        }
    }

    fn open(&self) -> impl Future<Output = Result<Opened, TeamTrouble>> + Send + use<> {
        open(Arc::clone(&self.target), self.here.clone(), Arc::clone(&self.mover), self.us)
    }

    async fn opened(&mut self, opened: Result<Opened, TeamTrouble>) {
        let Opened { session, us, asked } = match opened {
            Ok(opened) => opened,
            Err(trouble) => return self.lose(&trouble),
        };
        if self.us != Some(us) {
            self.forget_lease();
            self.us = Some(us);
        }
        self.common.lease.set(asked, LEASE);
        self.pause = PAUSES.0;
        self.online = Some(Online { session, renew_at: Instant::now() + RENEWED_EVERY });
        {
            let mut state = self.common.state();
            if state.trouble.take().is_some() {
                tracing::info!("the team's store answers again");
            }
            state.us = Some(us);
        }
        self.common.tell_of_news();
        self.confirm().await;
        self.flush_releases().await;
    }

    /// Claims what counts as ours without the team's store having said so. What is not given to us is reported to the
    /// engine.
    async fn confirm(&mut self) {
        let jobs: Vec<Arc<Job>> = self.unconfirmed.values().cloned().collect();
        if jobs.is_empty() {
            return;
        }
        let Some(leased) = self.lease(&jobs).await else { return };
        let mut refused = false;
        for (job, leased) in jobs.into_iter().zip(leased) {
            match leased.holder {
                Holder::Us { .. } if !leased.is_over => {
                    self.unconfirmed.remove(&job.key);
                    self.leased.insert(job.key.clone(), job);
                }
                Holder::Us { .. } | Holder::Other(_) => refused = true,
            }
        }
        if refused {
            self.common.state().claims_lost = true;
        }
    }

    /// The connection is of no more use. A lease that it was said to have still counts to its end.
    fn lose(&mut self, trouble: &TeamTrouble) {
        if *trouble == TeamTrouble::LeaseLost {
            self.forget_lease();
        }
        self.online = None;
        self.retry_at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSES.1);
        let sentence = trouble.sentence();
        let mut state = self.common.state();
        state.us = None;
        if state.trouble.as_ref() != Some(&sentence) {
            tracing::warn!("{sentence}; what is saved here is uploaded later");
            state.trouble = Some(sentence);
        }
    }

    fn forget_lease(&mut self) {
        self.past.extend(self.us.take());
        self.common.lease.clear();
        self.unconfirmed.extend(std::mem::take(&mut self.leased));
    }

    async fn renew(&mut self) {
        if self.extend().await {
            self.look_for_freed().await;
            // What was not confirmed in time is asked for again.
            self.confirm().await;
        }
    }

    /// Renews the lease, and answers whether that was done.
    async fn extend(&mut self) -> bool {
        let (Some(online), Some(us)) = (&mut self.online, self.us) else { return false };
        online.renew_at = Instant::now() + RENEWED_EVERY;
        let asked = deadline::now();
        let waiting = i32::try_from(self.common.state().waiting).unwrap_or(i32::MAX);
        match within(leases::renew(&online.session, us, waiting)).await {
            Ok(()) => {
                self.common.lease.set(asked, LEASE);
                true
            }
            Err(trouble) => {
                self.lose(&trouble);
                false
            }
        }
    }

    /// Whether somebody who polled jobs of ours has ended.
    async fn look_for_freed(&mut self) {
        let keys: Vec<JobKey> = self.common.state().theirs.keys().cloned().collect();
        let Some(online) = self.online.as_ref().filter(|_| !keys.is_empty()) else { return };
        match within(leases::freed(&online.session, &keys)).await {
            Ok(freed) => {
                let mut state = self.common.state();
                for key in freed {
                    state.theirs.remove(&key);
                }
            }
            Err(trouble) => self.lose(&trouble),
        }
    }

    async fn claim(&mut self, jobs: Vec<Arc<Job>>) -> Result<Vec<Claim>, StoreError> {
        let mut claims = ledger::order(&*self.mover.local, |reply| WriteCommand::Claim(jobs.clone(), reply)).await?;
        let ours: Vec<Arc<Job>> = jobs
            .iter()
            .zip(&claims)
            .filter(|(_, claim)| matches!(claim, Claim::Ours { .. }))
            .map(|(job, _)| Arc::clone(job))
            .collect();
        let Some(leased) = self.lease(&ours).await else {
            // Nobody can be asked: what can be polled again is polled, the rest is withheld by `check_claims`.
            self.unconfirmed.extend(ours.into_iter().map(|job| (job.key.clone(), job)));
            return Ok(claims);
        };
        let over_there: Vec<JobKey> =
            ours.iter().zip(&leased).filter(|(_, leased)| leased.is_over).map(|(job, _)| job.key.clone()).collect();
        let unfinished_here = self.unfinished(over_there).await?;
        let (mut orphans, mut dead, mut given_back) = (Vec::new(), BTreeSet::new(), Vec::new());
        let places = claims.iter_mut().filter(|claim| matches!(claim, Claim::Ours { .. }));
        for ((claim, job), leased) in places.zip(&ours).zip(leased) {
            let key = job.key.clone();
            self.unconfirmed.remove(&key);
            let theirs = match leased.holder {
                // What it came to is on its way here: nobody has to poll it.
                holder if unfinished_here.contains(&key) => {
                    given_back.extend(matches!(holder, Holder::Us { .. }).then(|| key.clone()));
                    Some(self.somebody())
                }
                Holder::Us { before } => {
                    if before.is_some_and(|before| !self.past.contains(&before)) {
                        *claim = Claim::Ours { orphaned: true };
                        orphans.push(key.clone());
                    }
                    None
                }
                Holder::Other(Some((id, who))) => {
                    if instance::is_released(self.mover.spool.dir(), &who.lock) {
                        dead.insert(id);
                    }
                    Some(self.owner(who))
                }
                Holder::Other(None) => Some(self.somebody()),
            };
            let mut state = self.common.state();
            match theirs {
                Some(owner) => {
                    *claim = Claim::Theirs(Arc::clone(&owner));
                    self.leased.remove(&key);
                    state.theirs.insert(key, owner);
                }
                None => {
                    state.theirs.remove(&key);
                    self.leased.insert(key, Arc::clone(job));
                }
            }
        }
        if !orphans.is_empty() {
            self.mover.share(ShareStep::Doubt(orphans)).await?;
        }
        if !dead.is_empty() {
            // What it saved last may wait here: others must find that before they may poll.
            let number = self.common.want_upload();
            self.to_end.extend(dead.into_iter().map(|id| (number, id)));
        }
        if !unfinished_here.is_empty() {
            self.common.state().behind.extend(unfinished_here);
            let number = self.common.want_upload();
            self.to_release.extend(given_back.into_iter().map(|key| (number, key)));
        }
        Ok(claims)
    }

    /// Which of these are not over as far as it is known here.
    async fn unfinished(&self, keys: Vec<JobKey>) -> Result<Vec<JobKey>, StoreError> {
        if keys.is_empty() {
            return Ok(keys);
        }
        let (reply, replied) = oneshot::channel();
        self.mover.local.read(ReadCommand::Load(keys.clone(), reply));
        let known = replied.await.map_err(|_| StoreError::closed())??;
        Ok(keys.into_iter().zip(known).filter(|(_, known)| !known.is_over()).map(|(key, _)| key).collect())
    }

    /// Leases in the team's store; None if that cannot be reached.
    async fn lease(&mut self, jobs: &[Arc<Job>]) -> Option<Vec<Leased>> {
        let mut all = Vec::with_capacity(jobs.len());
        for jobs in jobs.chunks(LEASED_AT_ONCE) {
            // Many jobs take longer than a lease may wait for its renewal.
            if self.online.as_ref().is_some_and(|online| online.renew_at <= Instant::now()) {
                self.extend().await;
            }
            let (Some(online), Some(us)) = (&mut self.online, self.us) else { return None };
            let leased = within(async {
                leases::declare(&online.session, jobs).await?;
                leases::claim(&mut online.session, us, jobs).await
            });
            match leased.await {
                Ok(leased) => all.extend(leased),
                Err(trouble) => {
                    self.lose(&trouble);
                    return None;
                }
            }
        }
        self.online.is_some().then_some(all)
    }

    async fn release(&mut self, keys: Vec<JobKey>, reads: Vec<Reads>) -> Result<(), StoreError> {
        for key in &keys {
            self.unconfirmed.remove(key);
            self.leased.remove(key);
        }
        if !keys.is_empty() {
            // Others must find what was saved before they may poll.
            let number = self.common.want_upload();
            self.to_release.extend(keys.iter().map(|key| (number, key.clone())));
        }
        ledger::order(&*self.mover.local, |reply| WriteCommand::Release(keys, reads, reply)).await
    }

    async fn flush_releases(&mut self) {
        let (Some(online), Some(us)) = (&self.online, self.us) else { return };
        let common = &self.common;
        let ready = |(number, key): &(u64, JobKey)| common.is_uploaded(*number).then(|| key.clone());
        let keys: Vec<JobKey> =
            self.to_release.iter().filter_map(ready).filter(|key| !self.leased.contains_key(key)).collect();
        if let Err(trouble) = within(leases::release(&online.session, us, &keys)).await {
            return self.lose(&trouble);
        }
        self.to_release.retain(|(number, _)| !common.is_uploaded(*number));
        let dead: Vec<_> = self.to_end.extract_if(.., |(number, _)| common.is_uploaded(*number)).collect();
        for (_, dead) in dead {
            if let Err(trouble) = within(leases::end(&online.session, dead, false)).await {
                return self.lose(&trouble);
            }
        }
    }

    /// Uploads what waits, as far as that takes no long time, and gives all up. What waits still keeps its lease, so
    /// that nobody asks for it before it ran out.
    async fn close(&mut self) {
        let number = self.common.want_upload();
        let common = Arc::clone(&self.common);
        let uploaded = timeout(FLUSH, async {
            while !common.is_uploaded(number) {
                common.uploaded.notified().await;
            }
        });
        let is_uploaded = self.online.is_some() && uploaded.await.is_ok();
        if let Ok(ShareOutcome::Waiting(waiting, _)) = self.mover.share(ShareStep::Waiting(0)).await
            && waiting.jobs > 0
        {
            let mut state = self.common.state();
            let why = state.trouble.clone().or_else(|| state.not_moving.clone());
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            state.left_behind = Some(format!(
                "not uploaded to the team's store{why}: {}, saved on this machine alone. The next jobdeck over this state \
                 directory uploads them.",
                human::counted(waiting.jobs, "job")
            ));
        }
        if let (Some(online), Some(us), true) = (&self.online, self.us, is_uploaded)
            && let Err(trouble) = within(leases::end(&online.session, us, true)).await
        {
            tracing::debug!("{trouble}");
        }
    }

    /// What the others of this process look at.
    fn tell(&self) {
        let unconfirmed = self.unconfirmed.values().filter(|job| job.traits.one_shot).count();
        self.common.state().unconfirmed = unconfirmed;
    }

    fn owner(&self, who: Who) -> Arc<Owner> {
        // Somebody else on this machine is called by name too: a number says nothing to a team.
        let is_here = who.host == self.here.host && who.user == self.here.user;
        let pid = u32::try_from(who.pid).unwrap_or_default();
        let instance = format!("{}@{}:{pid}", who.user, who.host).into();
        Arc::new(Owner { host: who.host.into(), user: who.user.into(), pid, instance, is_here })
    }

    /// Where a job is just changing hands.
    fn somebody(&self) -> Arc<Owner> {
        Arc::new(Owner {
            host: "elsewhere".into(),
            user: "somebody".into(),
            pid: 0,
            instance: "".into(),
            is_here: false,
        })
    }
}

enum KeeperEvent {
    Asked(Option<KeeperRequest>),
    Told(Option<Told>),
    Opened(Result<Opened, TeamTrouble>),
    Uploaded,
    Woken,
}

/// A request that nobody should wait for long.
async fn within<T>(request: impl Future<Output = Result<T, TeamTrouble>>) -> Result<T, TeamTrouble> {
    let late = || Err(TeamTrouble::Unreachable(format!("no answer within {} s", PATIENCE.as_secs())));
    timeout(PATIENCE, request).await.unwrap_or_else(|_| late())
}

async fn notified(online: &mut Option<Online>, us: Option<InstanceId>) -> Option<Told> {
    match online {
        Some(online) => online.session.notified(us).await,
        None => std::future::pending().await,
    }
}

async fn or_never<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
