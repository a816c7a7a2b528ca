//! What is on disk, shown as an engine would tell it: nothing is polled, claimed or written.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::saved::Results;
use super::{Engine, EngineCommand};
use crate::domain::fact::{Ending, Fact, Refusal};
use crate::domain::job::{Job, JobIx};
use crate::domain::observation::Observation;

/// Tells these jobs as facts and answers what is asked, until it is ended. Must be called on a runtime.
pub fn start(results: Results, jobs: Vec<(Arc<Job>, Arc<Observation>)>, facts: mpsc::UnboundedSender<Fact>) -> Engine {
    let (commands, inbox) = mpsc::unbounded_channel();
    tokio::spawn(ResultsViewer { results, jobs, facts }.run(inbox));
    Engine { commands }
}

struct ResultsViewer {
    results: Results,
    jobs: Vec<(Arc<Job>, Arc<Observation>)>,
    facts: mpsc::UnboundedSender<Fact>,
}

impl ResultsViewer {
    async fn run(self, mut inbox: mpsc::UnboundedReceiver<EngineCommand>) {
        for (ix, (job, known)) in (0..).map(JobIx).zip(&self.jobs) {
            self.tell(Fact::Declared { ix, job: Arc::clone(job), known: Arc::clone(known) });
        }
        if self.jobs.iter().all(|(_, known)| known.is_over()) {
            self.tell(Fact::Settled);
        }
        while let Some(command) = inbox.recv().await {
            match command {
                EngineCommand::ReadNow(jobs) => {
                    jobs.into_iter().for_each(|ix| self.tell(Fact::Refused { ix, why: Refusal::FromDisk }));
                }
                EngineCommand::History(ix) => self.history(ix).await,
                EngineCommand::Suspend => self.tell(Fact::Suspended),
                EngineCommand::Pause(_) | EngineCommand::Reload(_) | EngineCommand::Resume => {}
                EngineCommand::Drain | EngineCommand::Abort => break,
            }
        }
        self.tell(Fact::Ended(Ending::default()));
    }

    async fn history(&self, ix: JobIx) {
        let place = usize::try_from(ix.0).unwrap_or(usize::MAX);
        let Some((job, _)) = self.jobs.get(place) else { return };
        let (attempts, changes) = self.results.history(job.key.clone()).await.unwrap_or_default();
        self.tell(Fact::History { ix, attempts, changes });
    }

    fn tell(&self, fact: Fact) {
        // Nobody listening any more is the end of it anyway.
        let _ = self.facts.send(fact);
    }
}
