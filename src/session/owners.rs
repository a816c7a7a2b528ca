//! Jobs that another instance polls, and whether that instance is stopped: then nobody polls them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::domain::fact::{Fact, Health};
use crate::domain::human;
use crate::domain::job::JobIx;
use crate::shell;

/// How often the others are looked at.
const EVERY: Duration = Duration::from_secs(3);

/// Which process of this machine polls which job, as far as it is not this one.
#[derive(Debug, Default)]
pub struct PollOwners {
    pids: HashMap<JobIx, u32>,
    /// Processes that were stopped when they were last looked at; each was reported once.
    stopped: BTreeSet<u32>,
    ticks: Option<Interval>,
}

impl PollOwners {
    /// Learns from a fact who polls a job.
    pub fn on_fact(&mut self, fact: &Fact) {
        if let Fact::Health { ix, .. } | Fact::Withdrawn(ix) = fact {
            self.pids.remove(ix);
        }
        // Of another machine's processes nothing can be seen here.
        if let Fact::Health { ix, health: Health::Following(owner) } = fact
            && owner.is_here
        {
            self.pids.insert(*ix, owner.pid);
        }
    }

    /// Resolves when a process that polls some of the jobs is found stopped, with the sentence that says so. Never
    /// while no other process polls any.
    pub async fn next_stopped(&mut self) -> String {
        if self.pids.is_empty() {
            return std::future::pending().await;
        }
        loop {
            let ticks = self.ticks.get_or_insert_with(|| {
                let mut ticks = interval(EVERY);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                ticks
            });
            ticks.tick().await;
            if let Some(pid) = self.look(shell::is_stopped) {
                return self.sentence(pid);
            }
        }
    }

    /// A process that is stopped and was not before.
    fn look(&mut self, is_stopped: impl Fn(u32) -> bool) -> Option<u32> {
        let pids: BTreeSet<u32> = self.pids.values().copied().collect();
        self.stopped.retain(|pid| pids.contains(pid) && is_stopped(*pid));
        let found = pids.into_iter().find(|pid| !self.stopped.contains(pid) && is_stopped(*pid));
        self.stopped.extend(found);
        found
    }

    fn sentence(&self, pid: u32) -> String {
        let jobs = human::counted(self.pids.values().filter(|owner| **owner == pid).count(), "job");
        format!(
            "process {pid}, which polls {jobs} of these, is stopped, so nobody polls them: \
             `kill -CONT {pid}` lets it go on; once it has ended they are polled here"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::owner::Owner;

    #[test]
    fn a_stopped_process_is_told_once_for_each_time_that_it_stops() {
        let mut owners = PollOwners::default();
        for ix in 0..3 {
            owners.on_fact(&Fact::Health { ix: JobIx(ix), health: Health::Following(Owner::here(7 + ix / 2)) });
        }
        assert_eq!(owners.look(|_| false), None);
        assert_eq!(owners.look(|pid| pid == 7), Some(7));
        assert!(owners.sentence(7).contains("process 7, which polls 2 jobs of these"), "{}", owners.sentence(7));
        assert_eq!(owners.look(|pid| pid == 7), None, "told already");
        assert_eq!(owners.look(|_| false), None);
        assert_eq!(owners.look(|pid| pid == 7), Some(7), "it stopped again");
        owners.on_fact(&Fact::Health { ix: JobIx(2), health: Health::Fresh });
        assert_eq!(owners.look(|pid| pid == 8), None, "its job is ours now");
    }
}
