//! Every job's entry and every service's queue, held in step: who waits for which poll, who is followed, who is over.
//! Entries are never taken out, so a number that this table gave out always names one.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Index, IndexMut};
use std::time::Duration;

use crate::domain::job::{JobIx, JobKey};

use super::job_entry::{JobEntry, Phase};
use super::service_entry::ServiceEntry;

/// A service's place in the table, for the life of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ServiceIx(usize);

/// The jobs and services of an engine.
#[derive(Debug, Default)]
pub struct Schedule {
    jobs: Vec<JobEntry>,
    services: Vec<ServiceEntry>,
    followed: BTreeSet<JobIx>,
    unclaimed: BTreeSet<JobIx>,
    unsettled: usize,
}

impl Index<JobIx> for Schedule {
    type Output = JobEntry;

    #[expect(clippy::indexing_slicing, reason = "this table gives the numbers out, and never shrinks")]
    fn index(&self, ix: JobIx) -> &JobEntry {
        &self.jobs[ix.0 as usize]
    }
}

impl IndexMut<JobIx> for Schedule {
    #[expect(clippy::indexing_slicing, reason = "this table gives the numbers out, and never shrinks")]
    fn index_mut(&mut self, ix: JobIx) -> &mut JobEntry {
        &mut self.jobs[ix.0 as usize]
    }
}

impl Index<ServiceIx> for Schedule {
    type Output = ServiceEntry;

    #[expect(clippy::indexing_slicing, reason = "this table gives the numbers out, and never shrinks")]
    fn index(&self, ix: ServiceIx) -> &ServiceEntry {
        &self.services[ix.0]
    }
}

impl IndexMut<ServiceIx> for Schedule {
    #[expect(clippy::indexing_slicing, reason = "this table gives the numbers out, and never shrinks")]
    fn index_mut(&mut self, ix: ServiceIx) -> &mut ServiceEntry {
        &mut self.services[ix.0]
    }
}

impl Schedule {
    /// Whether a number that comes from outside of the engine is one of this table's.
    pub fn has(&self, ix: JobIx) -> bool {
        (ix.0 as usize) < self.jobs.len()
    }

    /// Every job's number, in the order in which they came.
    pub fn jobs(&self) -> impl Iterator<Item = JobIx> + use<> {
        (0..).map(JobIx).take(self.jobs.len())
    }

    pub fn entries(&self) -> &[JobEntry] {
        &self.jobs
    }

    /// Every service's number, in the order of the file.
    pub fn services(&self) -> impl Iterator<Item = ServiceIx> + use<> {
        (0..self.services.len()).map(ServiceIx)
    }

    pub fn service_entries(&self) -> impl Iterator<Item = &ServiceEntry> {
        self.services.iter()
    }

    pub fn service_entries_mut(&mut self) -> impl Iterator<Item = &mut ServiceEntry> {
        self.services.iter_mut()
    }

    /// The service that the jobs file calls so.
    pub fn service_named(&self, name: &str) -> Option<ServiceIx> {
        self.services.iter().position(|entry| &*entry.service.name == name).map(ServiceIx)
    }

    /// Where these jobs are.
    pub fn places(&self) -> HashMap<&JobKey, JobIx> {
        self.jobs().zip(&self.jobs).map(|(ix, entry)| (&entry.job.key, ix)).collect()
    }

    pub fn add_service(&mut self, entry: ServiceEntry) {
        self.services.push(entry);
    }

    /// Makes room for this many more jobs.
    pub fn reserve(&mut self, jobs: usize) {
        self.jobs.reserve_exact(jobs);
    }

    /// Adds a job and says which number it has from now on.
    pub fn add_job(&mut self, entry: JobEntry) -> JobIx {
        let ix = JobIx(u32::try_from(self.jobs.len()).unwrap_or(u32::MAX));
        self.unsettled += usize::from(entry.is_unsettled());
        self.jobs.push(entry);
        ix
    }

    /// Puts a job into another phase: it waits for no poll from now on.
    pub fn set_phase(&mut self, ix: JobIx, phase: Phase) {
        let entry = &mut self[ix];
        let was_unsettled = entry.is_unsettled();
        let due = entry.due.take().map(|due| (entry.service, due));
        entry.phase = phase;
        let is_unsettled = entry.is_unsettled();
        let (is_followed, is_unclaimed) =
            (matches!(entry.phase, Phase::Followed(_)), matches!(entry.phase, Phase::Unclaimed));
        if let Some((service, due)) = due {
            self[service].due.remove(&(due, ix));
        }
        keep(&mut self.followed, ix, is_followed);
        keep(&mut self.unclaimed, ix, is_unclaimed);
        match (was_unsettled, is_unsettled) {
            (false, true) => self.unsettled += 1,
            (true, false) => self.unsettled -= 1,
            (true, true) | (false, false) => {}
        }
    }

    /// A job is polled now.
    pub fn poll_sent(&mut self, ix: JobIx, now: Duration) {
        let least = self[self[ix].service].service.provider.least_interval();
        self[ix].not_before = now + least.unwrap_or_default();
        self.set_phase(ix, Phase::Polling);
    }

    /// Sets when a job is polled next, never sooner than its provider allows: replaces, never adds. Times are since the
    /// engine's start.
    pub fn set_due(&mut self, ix: JobIx, at: Duration) {
        self.set_phase(ix, Phase::Waiting);
        let entry = &mut self[ix];
        let at = at.max(entry.not_before);
        entry.due = Some(at);
        let service = entry.service;
        self[service].due.insert((at, ix));
    }

    /// A service's jobs that wait for a poll, the next first.
    pub fn waiting(&self, service: ServiceIx) -> Vec<JobIx> {
        self[service].due.iter().map(|(_, ix)| *ix).collect()
    }

    /// The jobs of all services that wait for a poll.
    pub fn all_waiting(&self) -> Vec<JobIx> {
        self.services.iter().flat_map(|entry| entry.due.iter().map(|(_, ix)| *ix)).collect()
    }

    /// When the next poll of all is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.services.iter().filter_map(|entry| entry.due.first()).map(|(at, _)| *at).min()
    }

    /// Spreads the waiting polls of a service over a time that begins now: those that are due within it, and those of
    /// jobs that waited longer only because the service failed.
    pub fn respread(&mut self, service: ServiceIx, now: Duration, spread: Duration, rng: &mut fastrand::Rng) {
        let due = self[service].due.iter();
        let soon = due.filter(|(at, ix)| *at < now + spread || self[*ix].is_backing_off());
        let soon: Vec<JobIx> = soon.map(|(_, ix)| *ix).collect();
        for (place, ix) in soon.into_iter().enumerate() {
            let share = if place == 0 { 0.0 } else { rng.f64() };
            self.set_due(ix, now + spread.mul_f64(share));
        }
    }

    /// The jobs that other instances poll.
    pub fn followed(&self) -> &BTreeSet<JobIx> {
        &self.followed
    }

    /// The jobs whose claim could not be asked for.
    pub fn unclaimed(&self) -> &BTreeSet<JobIx> {
        &self.unclaimed
    }

    /// Whether no job needs anything more.
    pub fn is_settled(&self) -> bool {
        self.unsettled == 0
    }
}

fn keep(set: &mut BTreeSet<JobIx>, ix: JobIx, is_in: bool) {
    if is_in {
        set.insert(ix);
    } else {
        set.remove(&ix);
    }
}
