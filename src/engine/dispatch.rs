//! Which job is read next: within the limits of all services and of each, none starving the others, and no one-shot
//! read while its reply could not be saved.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::job::JobIx;

use super::gate::Closed;
use super::reader::{self, PollRequest};
use super::run::{Chore, Flight, Mode, Run, ServiceRun};
use super::slot::Phase;
use super::{Purpose, follow};

/// How long a successful write to the store is believed.
const PROBE_LASTS: Duration = Duration::from_secs(60);
/// How long a glance at the state directory is believed.
const GLANCE_LASTS: Duration = Duration::from_secs(1);

impl Run {
    /// Sends every read that may be sent now.
    pub(super) fn dispatch(&mut self) {
        if self.mode != Mode::Running {
            return;
        }
        let now = self.now();
        self.dispatched = now;
        if self.purpose == Purpose::Once {
            self.pass_over_closed_services(now);
        }
        while let Some(service) = self.pick(now) {
            let Some((_, ix)) = self.services.get_mut(service).and_then(|run| run.due.pop_first()) else { return };
            self.send_read(ix, service);
        }
    }

    /// Claims again what was claimed before the state directory failed: it may be another one now, and another instance
    /// may read there. What is being read is claimed when its reply is here.
    pub(super) async fn claim_again(&mut self) {
        let phase = |ix: &JobIx| self.slot(*ix).map(|slot| &slot.phase);
        let of = |wanted: Phase| self.unclaimed.iter().copied().filter(move |ix| phase(ix) == Some(&wanted));
        let (waiting, reading): (Vec<JobIx>, _) = (of(Phase::Waiting).collect(), of(Phase::Reading).collect());
        self.unclaimed = reading;
        self.claim(&waiting).await;
    }

    /// When a read may be sent next, if that only takes time. What the last dispatch could have sent and did not is
    /// held by the share of its service: it waits for a reply, not for the clock.
    pub(super) fn next_dispatch(&self) -> Option<Duration> {
        if self.mode != Mode::Running || self.reads.len() >= self.poll.in_flight {
            return None;
        }
        self.services.iter().filter_map(|run| self.ready_at(run)).filter(|at| *at > self.dispatched).min()
    }

    fn ready_at(&self, run: &ServiceRun) -> Option<Duration> {
        let (due, _) = run.due.first()?;
        if !run.has_room() || self.is_withheld(run) {
            return None;
        }
        match run.gate.closed() {
            Closed::No => Some((*due).max(run.limited_until)),
            Closed::Throttled(until) => Some((*due).max(*until)),
            Closed::BackingOff(until) if run.in_flight == 0 => Some((*due).max(*until)),
            Closed::BackingOff(_) | Closed::KeyRefused(_) => None,
        }
    }

    fn pick(&mut self, now: Duration) -> Option<usize> {
        if self.reads.len() >= self.poll.in_flight {
            return None;
        }
        self.probe_if_needed(now);
        let half = (self.poll.in_flight / 2).max(1);
        loop {
            let able: Vec<usize> = (0..self.services.len())
                .filter(|&at| self.services.get(at).is_some_and(|run| self.can_send(run, now)))
                .collect();
            let contended = able.len() > 1;
            let turn = self.turn;
            let mut order = able;
            order.sort_by_key(|&at| if at >= turn { (0, at) } else { (1, at) });
            let mut limited = false;
            for at in order {
                let Some(run) = self.services.get_mut(at) else { continue };
                if contended && run.in_flight >= half {
                    continue;
                }
                if let Some(bucket) = &mut run.bucket
                    && let Err(wait) = bucket.take(now)
                {
                    run.limited_until = now + wait.max(Duration::from_micros(1));
                    limited = true;
                    continue;
                }
                self.turn = at + 1;
                return Some(at);
            }
            // A service that may not be read yet is no reason for the others to hold back.
            if !limited {
                return None;
            }
        }
    }

    fn can_send(&self, run: &ServiceRun, now: Duration) -> bool {
        run.due.first().is_some_and(|(due, _)| *due <= now)
            && run.limited_until <= now
            && run.has_room()
            && run.token.is_some()
            && run.gate.admits(now, run.in_flight)
            && !self.is_withheld(run)
    }

    /// Whether a service's reads are held back because what they bring could not be saved.
    fn is_withheld(&self, run: &ServiceRun) -> bool {
        run.service.is_one_shot() && (self.trouble.is_some() || self.probed.is_none())
    }

    /// Before one-shot reads are sent the store is tried: a result that cannot be saved must not be asked for.
    fn probe_if_needed(&mut self, now: Duration) {
        let stale = self.probed.is_none_or(|at| now.saturating_sub(at) >= PROBE_LASTS);
        let wanted =
            |run: &ServiceRun| run.service.is_one_shot() && run.due.first().is_some_and(|(due, _)| *due <= now);
        if self.probing || self.trouble.is_some() || !self.services.iter().any(wanted) {
            return;
        }
        if stale {
            self.start_probe();
        } else if now.saturating_sub(self.glanced) >= GLANCE_LASTS {
            self.glance(now);
        }
    }

    /// Looks at the state directory between two probes. Whether another program holds the database is told a little
    /// later: reads do not wait for that answer, which may stand behind a large result that is being saved.
    fn glance(&mut self, now: Duration) {
        self.glanced = now;
        if let Err(error) = self.store.glance() {
            self.tell_trouble(Some(error.to_string()));
        } else if !std::mem::replace(&mut self.glancing, true) {
            let store = self.store.clone();
            self.chores.spawn(async move { Chore::Glanced(store.lock().await.map_err(|error| error.to_string())) });
        }
    }

    pub(super) fn glance_done(&mut self, result: Result<(), String>) {
        self.glancing = false;
        if let Err(error) = result {
            self.tell_trouble(Some(error));
        }
    }

    pub(super) fn start_probe(&mut self) {
        self.probing = true;
        // Until the answer is here, one-shot reads wait: it is a matter of milliseconds.
        self.probed = None;
        let store = self.store.clone();
        self.chores.spawn(async move { Chore::Probed(store.probe().await.map_err(|error| error.to_string())) });
    }

    fn send_read(&mut self, ix: JobIx, at: usize) {
        self.set_phase(ix, Phase::Reading);
        let Some(slot) = self.slots.get_mut(ix.0 as usize) else { return };
        let Some(run) = self.services.get_mut(at) else { return };
        let Some(token) = run.token.clone() else { return };
        slot.seq += 1;
        run.in_flight += 1;
        let (key, service, seq) = (slot.job.key.clone(), Arc::clone(&run.service), slot.seq);
        let flight = Flight { ix, service: at, token: token.clone() };
        let poll = PollRequest { ix, key, service, token, seq, clock: self.clock.clone() };
        let leave = if slot.job.traits.one_shot {
            self.one_shots.insert(ix);
            self.leave_one_shots.subscribe()
        } else {
            self.leave_reads.subscribe()
        };
        let handle = self.reads.spawn(reader::read(poll, self.net.clone(), self.store.clone(), leave));
        self.reading.insert(handle.id(), flight);
    }

    /// `once` does not wait for a service that asked to wait, or that refuses the token.
    fn pass_over_closed_services(&mut self, now: Duration) {
        for at in 0..self.services.len() {
            let Some(run) = self.services.get(at) else { continue };
            let held = run.service.is_one_shot() && self.trouble.is_some();
            let shut = match run.gate.closed() {
                Closed::No => held,
                Closed::Throttled(until) | Closed::BackingOff(until) => *until > now,
                Closed::KeyRefused(_) => true,
            };
            if shut {
                let waiting: Vec<JobIx> = run.due.iter().map(|(_, ix)| *ix).collect();
                for ix in waiting {
                    self.set_phase(ix, Phase::Done);
                    follow::release(self, ix);
                }
            }
        }
    }
}

impl ServiceRun {
    fn has_room(&self) -> bool {
        self.service.in_flight.is_none_or(|limit| self.in_flight < limit)
    }
}
