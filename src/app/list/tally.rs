//! What is counted over all jobs, at each change and never at a draw: times, sizes, finishes over the batch.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::jobs::Row;
use crate::domain::cost::Cost;
use crate::domain::durations;
use crate::domain::note;
use crate::domain::percentiles::Percentiles;
use crate::domain::timeline::Timeline;

/// From this many finished jobs of a service on, one that runs much longer is called slow.
const ENOUGH: u32 = 20;
/// How many times the 90th percentile is slow.
const SLOW: u32 = 3;

#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How long the jobs waited that have started.
    pub queued: Percentiles,
    /// How long the finished jobs ran.
    pub ran: Percentiles,
    /// Finishes over the whole batch.
    pub finishes: Timeline,
    /// Bytes of all saved results.
    pub bytes: u64,
    /// What the jobs cost in all, as far as that is known, and of how many it is.
    pub cost: Cost,
    pub costed: u32,
    /// Jobs that are no longer polled, though they are not finished.
    pub given_up: u32,
    /// Jobs whose result can be fetched once only.
    pub one_shot: u32,
    /// Problems that were sent again.
    pub again: u32,
    /// When the first job was seen, and when the last one finished, as far as any did.
    pub begun: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// The longest that a finished job waited and ran.
    pub longest: Duration,
    by_service: HashMap<Arc<str>, ServiceTally>,
    /// How many of those that ran were running when they were first seen: they ran at least as long.
    late: u32,
    /// From when on how many unfinished jobs are stuck, if nothing changes.
    stuck_from: BTreeMap<Timestamp, u32>,
}

/// The counts of one service.
#[derive(Debug, Clone, Default)]
struct ServiceTally {
    /// How long its finished jobs ran.
    ran: Percentiles,
    jobs: u32,
    /// Jobs whose cost is known.
    costed: u32,
}

impl Tally {
    pub fn add(&mut self, row: &Row) {
        let known = &row.known;
        self.given_up += u32::from(row.gave_up().is_some());
        self.one_shot += u32::from(row.job.traits.one_shot);
        self.again += u32::from(row.is_problem() && row.is_sent_again());
        if let Some(at) = known.first_seen {
            self.begun = Some(self.begun.map_or(at, |begun| begun.min(at)));
        }
        let (queued, ran) = times(row);
        if let Some(queued) = queued {
            self.queued.add(queued);
        }
        if let Some(ran) = ran {
            self.ran.add(ran);
            self.late += u32::from(note::began_unseen(known));
        }
        self.longest = self.longest.max(queued.unwrap_or_default() + ran.unwrap_or_default());
        if let Some(at) = known.finished_at.filter(|_| known.state.is_terminal()) {
            self.finishes.add(at);
            self.ended = Some(self.ended.map_or(at, |ended| ended.max(at)));
        }
        let cost = cost(row);
        if let Some(cost) = cost {
            (self.cost, self.costed) = (self.cost + cost, self.costed + 1);
        }
        let service = self.by_service.entry(Arc::clone(&row.job.service)).or_default();
        service.jobs += 1;
        service.costed += u32::from(cost.is_some());
        ran.into_iter().for_each(|ran| service.ran.add(ran));
        self.bytes += known.saved.as_ref().map_or(0, |saved| saved.bytes);
        if let Some(from) = stuck_from(row) {
            *self.stuck_from.entry(from).or_default() += 1;
        }
    }

    /// Takes back what a job was counted for.
    pub fn remove(&mut self, row: &Row) {
        let known = &row.known;
        self.given_up = self.given_up.saturating_sub(u32::from(row.gave_up().is_some()));
        self.one_shot = self.one_shot.saturating_sub(u32::from(row.job.traits.one_shot));
        self.again = self.again.saturating_sub(u32::from(row.is_problem() && row.is_sent_again()));
        let (queued, ran) = times(row);
        if let Some(queued) = queued {
            self.queued.remove(queued);
        }
        if let Some(ran) = ran {
            self.ran.remove(ran);
            self.late = self.late.saturating_sub(u32::from(note::began_unseen(known)));
        }
        if let Some(at) = known.finished_at.filter(|_| known.state.is_terminal()) {
            self.finishes.remove(at);
        }
        let cost = cost(row);
        if let Some(cost) = cost {
            (self.cost, self.costed) = (self.cost - cost, self.costed.saturating_sub(1));
        }
        if let Some(service) = self.by_service.get_mut(&row.job.service) {
            service.jobs = service.jobs.saturating_sub(1);
            service.costed = service.costed.saturating_sub(u32::from(cost.is_some()));
            ran.into_iter().for_each(|ran| service.ran.remove(ran));
        }
        self.bytes = self.bytes.saturating_sub(known.saved.as_ref().map_or(0, |saved| saved.bytes));
        if let Some((from, count)) = stuck_from(row).and_then(|from| Some((from, self.stuck_from.get_mut(&from)?))) {
            *count -= 1;
            if *count == 0 {
                self.stuck_from.remove(&from);
            }
        }
    }

    /// How many jobs have been as they are for longer than their service's `alert_after` allows.
    pub fn stuck(&self, now: Timestamp) -> u32 {
        self.stuck_from.range(..now).map(|(_, count)| count).sum()
    }

    /// `3 of 7 services say`: of how many the cost in all is, unless it is of all.
    pub fn cost_of(&self) -> Option<String> {
        let services = self.by_service.values().filter(|service| service.jobs > 0);
        let (all, say) = services.fold((0, 0), |(all, say), service| (all + 1, say + u32::from(service.costed > 0)));
        (0 < say && say < all).then(|| format!("{say} of {all} services say"))
    }

    /// Whether the running times are the least that they can be: half of the jobs ran already when they were first seen.
    pub fn ran_at_least(&self) -> bool {
        self.late > 0 && u64::from(self.late) * 2 >= self.ran.count().into()
    }

    /// How many times the median of its service a running job has run, if that is much more than others did.
    pub fn slow(&self, row: &Row, now: Timestamp) -> Option<u32> {
        let running = note::ran(&row.known, now).filter(|_| !row.known.state.is_terminal())?;
        let ran = &self.by_service.get(&row.job.service)?.ran;
        let limit = ran.percentile(90).filter(|_| ran.count() >= ENOUGH)? * SLOW;
        let median = ran.percentile(50)?.as_secs().max(1);
        (running > limit).then(|| u32::try_from(running.as_secs() / median).unwrap_or(u32::MAX))
    }
}

/// From when on an unfinished job is stuck.
fn stuck_from(row: &Row) -> Option<Timestamp> {
    let since = row.known.changed_at.or(row.known.first_seen).filter(|_| !row.known.state.is_terminal())?;
    since.checked_add(jiff::SignedDuration::try_from(row.job.traits.alert_after?).ok()?).ok()
}

/// How long a job waited, once it has started, and ran, once it is over.
fn times(row: &Row) -> (Option<Duration>, Option<Duration>) {
    let known = &row.known;
    let queued = durations::queued(known);
    let ran = if known.state.is_terminal() { note::took(known) } else { None };
    (queued, ran)
}

/// What a job cost, if that is known.
pub fn cost(row: &Row) -> Option<Cost> {
    row.known.cost.as_deref().and_then(Cost::parse)
}
