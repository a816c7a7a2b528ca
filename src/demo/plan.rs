//! Which jobs a demo has and when each of them starts and ends: made from the seed, the same for the same seed.

use fastrand::Rng;

use super::kind::{JobKind, OptexityEnd, UnstractEnd};
use super::scenario::Scenario;
use super::template::{fill, hex, uuid};

/// One job of the batch. Times are seconds of the demo's clock, below zero for what was before its start.
#[derive(Debug, Clone)]
pub struct Planned {
    /// As the service hands it out.
    pub id: String,
    /// What becomes of it.
    pub kind: JobKind,
    /// Its number in the batch, from 1.
    pub number: usize,
    /// Its own random numbers: texts and bodies come from here.
    pub seed: u64,
    /// When it was sent.
    pub created: f64,
    /// When it starts to run.
    pub starts: f64,
    /// When it is over.
    pub ends: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DemoPhase {
    Waiting,
    /// Started; the share of its time that has passed, below 1.
    Running(f64),
    Over,
}

impl Planned {
    /// How far it is at that time.
    pub fn phase(&self, now: f64) -> DemoPhase {
        if now < self.starts {
            DemoPhase::Waiting
        } else if now < self.ends {
            DemoPhase::Running((now - self.starts) / (self.ends - self.starts))
        } else {
            DemoPhase::Over
        }
    }

    /// What the jobs file calls it.
    pub fn name(&self) -> String {
        fill(&self.kind.common().name, &mut self.rng(1), self.number, 1)
    }

    /// A fresh copy of its random numbers, another one for each purpose.
    pub fn rng(&self, purpose: u64) -> Rng {
        Rng::with_seed(self.seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The batch, in the order of the jobs file.
pub fn plan(scenario: &Scenario, jobs: usize, rng: &mut Rng) -> Vec<Planned> {
    let mut kinds = portions(&scenario.kinds, jobs);
    rng.shuffle(&mut kinds);
    let mut turns: Vec<usize> = (0..jobs).collect();
    rng.shuffle(&mut turns);
    let times = (scenario.services.horizon, scenario.services.early);
    let placed = kinds.into_iter().zip(turns).enumerate();
    placed.map(|(index, (kind, turn))| planned(kind, index + 1, end(turn, jobs, times, rng), rng)).collect()
}

/// A job that was sent while the demo runs.
pub fn sent(kind: JobKind, number: usize, now: f64, rng: &mut Rng) -> Planned {
    let starts = now + 1.0 + rng.f64();
    let ends = starts + 3.0 + 3.0 * rng.f64();
    Planned { created: now, starts, ends, ..planned(kind, number, ends, rng) }
}

/// So many kinds, each as often as its weight says, by largest remainder: sixty jobs show every common kind.
fn portions(kinds: &[JobKind], jobs: usize) -> Vec<JobKind> {
    let total: f64 = kinds.iter().map(|kind| kind.common().weight).sum();
    let share = |kind: &JobKind| jobs as f64 * kind.common().weight / total;
    let mut chosen: Vec<JobKind> = Vec::with_capacity(jobs);
    for kind in kinds {
        chosen.extend(std::iter::repeat_n(kind.clone(), share(kind) as usize));
    }
    let mut by_remainder: Vec<&JobKind> = kinds.iter().collect();
    by_remainder.sort_by(|a, b| share(b).fract().total_cmp(&share(a).fract()));
    let missing = jobs.saturating_sub(chosen.len());
    chosen.extend(by_remainder.into_iter().cycle().take(missing).cloned());
    chosen
}

/// The end of the job whose turn it is: some at once, the others spread out so that something happens all the time.
fn end(turn: usize, jobs: usize, (horizon, early): (f64, f64), rng: &mut Rng) -> f64 {
    let place = (turn as f64 + rng.f64()) / jobs as f64;
    if place < early {
        return place / early * 9.0 - 4.0;
    }
    5.0 + (place - early) / (1.0 - early) * (horizon - 5.0)
}

fn planned(kind: JobKind, number: usize, ends: f64, rng: &mut Rng) -> Planned {
    let [low, high] = kind.common().runs;
    let runs = low + rng.f64() * (high - low);
    let ends = match &kind {
        JobKind::Unstract(kind) if kind.ends == UnstractEnd::Expired => -3.0 * 3600.0,
        // A job can be gone only after it was seen.
        JobKind::Optexity(kind) if kind.ends == OptexityEnd::Gone => ends.max(30.0),
        JobKind::Unstract(_) | JobKind::Vessl(_) | JobKind::Optexity(_) | JobKind::Whisper(_) | JobKind::Render(_) => {
            ends
        }
    };
    let id = match &kind {
        JobKind::Unstract(_) => uuid(rng),
        JobKind::Vessl(_) => std::iter::repeat_with(|| rng.digit(36)).take(12).collect(),
        JobKind::Optexity(_) => format!("task_{}", hex(rng, 10)),
        JobKind::Whisper(_) => format!("{}|{}", hex(rng, 8), hex(rng, 32)),
        JobKind::Render(_) => format!("rnd-{}", hex(rng, 8)),
    };
    let starts = ends - runs;
    let created = starts.min(0.0) - 2.0 - 30.0 * rng.f64();
    Planned { id, kind, number, seed: rng.u64(..), created, starts, ends }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::state::State;

    fn batch(jobs: usize, seed: u64) -> Vec<Planned> {
        plan(&Scenario::load().unwrap(), jobs, &mut Rng::with_seed(seed))
    }

    #[test]
    fn the_same_seed_makes_the_same_batch_and_another_seed_another_one() {
        let line = |job: &Planned| (job.id.clone(), job.seed, job.starts.to_bits(), job.ends.to_bits());
        let lines = |seed| batch(40, seed).iter().map(line).collect::<Vec<_>>();
        assert_eq!(lines(7), lines(7));
        assert_ne!(lines(7), lines(8));
    }

    #[test]
    fn sixty_jobs_mostly_succeed_and_show_every_state_in_which_a_job_can_end() {
        let jobs = batch(60, 1);
        let count = |state| jobs.iter().filter(|job| job.kind.state() == state).count();
        let states = [State::Succeeded, State::Partial, State::Failed, State::Cancelled, State::Lost];
        assert_eq!(states.map(count), [41, 5, 9, 2, 3]);
    }

    #[test]
    fn some_jobs_are_over_at_once_and_all_of_them_within_the_horizon() {
        let jobs = batch(40, 3);
        assert!(jobs.iter().filter(|job| job.ends < 5.0).count() >= 4);
        assert!(jobs.iter().all(|job| job.ends <= 140.0 && job.starts < job.ends && job.created < job.starts));
    }

    #[test]
    fn ids_look_like_those_of_the_services_and_are_all_different() {
        let jobs = batch(2_000, 5);
        let ids: std::collections::HashSet<_> = jobs.iter().map(|job| job.id.as_str()).collect();
        assert_eq!(ids.len(), 2_000);
        for job in &jobs {
            let fits = match job.kind {
                JobKind::Unstract(_) => job.id.len() == 36,
                JobKind::Vessl(_) => job.id.len() == 12,
                JobKind::Optexity(_) => job.id.starts_with("task_") && job.id.len() == 15,
                JobKind::Whisper(_) => job.id.len() == 41 && job.id.find('|') == Some(8),
                JobKind::Render(_) => job.id.starts_with("rnd-") && job.id.len() == 12,
            };
            assert!(fits, "{}", job.id);
        }
    }

    #[test]
    fn a_batch_of_any_size_has_as_many_jobs_as_were_asked_for() {
        for jobs in [0, 1, 2, 39, 40, 41, 1_000] {
            assert_eq!(batch(jobs, 2).len(), jobs);
        }
    }
}
