//! What the engine reports, and what it reported last: facts on a channel, each once.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use crate::domain::fact::Fact;
use crate::domain::job::JobIx;
use crate::domain::observation::Observation;
use crate::domain::state::State;

/// How long polls that taught nothing wait to be reported together: each by itself would wake the front end.
const TOLD_TOGETHER: Duration = Duration::from_millis(200);

/// What is known of a job, to be reported.
#[derive(Debug)]
pub struct Observed {
    pub ix: JobIx,
    /// Its state before; None if it had never been observed.
    pub previous: Option<State>,
    /// Whether state, word or progress changed, or this is the first sight.
    pub changed: bool,
    /// All that is known now.
    pub known: Arc<Observation>,
}

/// The way to those who listen.
#[derive(Debug)]
pub struct Reporter {
    facts: UnboundedSender<Fact>,
    /// What is to be told before the engine waits: listeners are on another thread, and each fact by itself would wake
    /// it, where of results that became durable together a hundred can be told at once.
    held: Vec<Fact>,
    next_poll: Option<i64>,
    is_settled: bool,
    /// What polls that taught nothing have left, by job: when it was last polled.
    unchanged: BTreeMap<JobIx, Arc<Observation>>,
    /// When they are reported.
    unchanged_due: Option<Duration>,
}

impl Reporter {
    /// Nothing reported yet.
    pub fn new(facts: UnboundedSender<Fact>) -> Self {
        Self {
            facts,
            held: Vec::new(),
            next_poll: None,
            is_settled: false,
            unchanged: BTreeMap::new(),
            unchanged_due: None,
        }
    }

    /// Tells a fact, in turn with those before.
    pub fn tell(&mut self, fact: Fact) {
        self.held.push(fact);
    }

    /// Hands over what was told.
    pub fn flush(&mut self) {
        for fact in self.held.drain(..) {
            // Nobody listening any more is no reason to stop saving.
            let _ = self.facts.send(fact);
        }
    }

    /// What this comes to; as soon as it has to be waited for, what was told is handed over.
    pub async fn tell_while_waiting<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        poll_fn(|context| {
            let polled = wait.as_mut().poll(context);
            if polled.is_pending() {
                self.flush();
            }
            polled
        })
        .await
    }

    /// What is known of a job.
    pub fn observed(&mut self, Observed { ix, previous, changed, known }: Observed) {
        self.unchanged.remove(&ix);
        self.tell(Fact::Observed { ix, previous, changed, known });
    }

    /// A poll taught nothing but when it was: reported together with those of others.
    pub fn unchanged(&mut self, ix: JobIx, known: Arc<Observation>, now: Duration) {
        self.unchanged.insert(ix, known);
        self.unchanged_due.get_or_insert(now + TOLD_TOGETHER);
    }

    /// When something has to be reported.
    pub fn due(&self) -> Option<Duration> {
        self.unchanged_due
    }

    /// Tells what waits and is due.
    pub fn tell_due(&mut self, now: Duration) {
        if self.unchanged_due.is_some_and(|due| due <= now) {
            self.tell_unchanged();
        }
    }

    /// Tells what waits.
    pub fn tell_unchanged(&mut self) {
        self.unchanged_due = None;
        for (ix, known) in std::mem::take(&mut self.unchanged) {
            let previous = known.is_observed().then_some(known.state);
            self.tell(Fact::Observed { ix, previous, changed: false, known });
        }
    }

    /// The way itself, for work that answers by it.
    pub fn sender(&self) -> UnboundedSender<Fact> {
        self.facts.clone()
    }

    /// When the next poll is due; reported to the second.
    pub fn next_poll(&mut self, next: Option<Timestamp>) {
        let second = next.map(Timestamp::as_second);
        if second != self.next_poll {
            self.next_poll = second;
            self.tell(Fact::NextRead(next));
        }
    }

    /// Whether every job is over or given up; reported when it becomes so.
    pub fn settled(&mut self, is_settled: bool) {
        if is_settled && !self.is_settled {
            self.tell_unchanged();
            self.tell(Fact::Settled);
        }
        self.is_settled = is_settled;
    }

    /// The jobs file was reloaded: that all is settled is reported again, if it still is.
    pub fn reloaded(&mut self, added: usize, removed: usize) {
        self.tell(Fact::Reloaded { added, removed });
        self.is_settled = false;
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::tests::WakeCounter;

    #[test]
    fn polls_that_teach_nothing_are_told_together_and_a_change_at_once() {
        let (tell, mut facts) = unbounded_channel();
        let mut report = Reporter::new(tell);
        for ms in 0..100_u32 {
            let now = Duration::from_millis(ms.into());
            report.unchanged(JobIx(ms % 3), Arc::default(), now);
            report.tell_due(now);
        }
        report.flush();
        assert!(facts.try_recv().is_err(), "a hundred polls wake nobody");
        report.observed(Observed { ix: JobIx(0), previous: None, changed: true, known: Arc::default() });
        report.flush();
        assert!(matches!(facts.try_recv(), Ok(Fact::Observed { ix: JobIx(0), changed: true, .. })));
        assert_eq!(report.due(), Some(TOLD_TOGETHER));
        report.tell_due(TOLD_TOGETHER);
        report.flush();
        let told: Vec<Fact> = std::iter::from_fn(|| facts.try_recv().ok()).collect();
        let unchanged = |ix| Fact::Observed { ix: JobIx(ix), previous: None, changed: false, known: Arc::default() };
        assert_eq!(told, [unchanged(1), unchanged(2)], "each job once, and none that has changed since");
    }

    #[test]
    fn what_became_durable_together_wakes_who_listens_once() {
        let (tell, mut facts) = unbounded_channel();
        let mut report = Reporter::new(tell);
        let woken = Arc::new(WakeCounter::default());
        assert!(facts.poll_recv(&mut Context::from_waker(&Waker::from(Arc::clone(&woken)))).is_pending());
        for ix in 0..100 {
            report.observed(Observed { ix: JobIx(ix), previous: None, changed: true, known: Arc::default() });
        }
        assert_eq!(woken.count(), 0, "not before the engine has to wait");
        let mut turn = pin!(report.tell_while_waiting(std::future::pending::<()>()));
        assert!(turn.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(woken.count(), 1);
        assert_eq!(std::iter::from_fn(|| facts.try_recv().ok()).count(), 100);
    }
}
