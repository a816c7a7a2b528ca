//! Results written to a folder as they arrive: right after they are durable, on a thread of its own, so that nothing
//! waits for it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::results::{self, ExportError, FolderLayout, JobLine, ResultFolder};
use crate::domain::fact::Fact;
use crate::domain::job::{Job, JobIx};
use crate::domain::observation::{BodyId, Observation};
use crate::engine::saved::{self, Notes, OpenStore};

/// A job whose result is durable.
pub type SavedJob = (Arc<Job>, Arc<Observation>);

/// One table of all jobs, as bytes of CSV.
pub type SummaryTable = fn(&[SavedJob]) -> Vec<u8>;

/// How the front end writes a job.
#[derive(Debug, Clone, Copy)]
pub struct JobFormat {
    pub line: JobLine,
    pub summary: SummaryTable,
}

/// After this time without a result, what was written is noted: a note is a write of its own to the store.
const NOTED_AFTER: Duration = Duration::from_millis(500);

/// A note that fails is tried again, ever later, but not later than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// So much is noted at once in any case.
const NOTED_AT_ONCE: usize = 256;

/// Writes results while they arrive.
#[derive(Debug)]
pub struct Exporter {
    jobs: Sender<SavedJob>,
    done: oneshot::Receiver<Vec<String>>,
    known: HashMap<JobIx, (Arc<Job>, Option<BodyId>)>,
}

impl Exporter {
    /// Begins. Must be called on a runtime, which it uses to read from the store.
    pub fn start(store: &OpenStore, dir: &Path, words: JobFormat) -> Result<Self, ExportError> {
        let results = ResultFolder::new(dir, FolderLayout::Folders, words.line)?;
        let (jobs, arriving) = channel();
        let (tell, done) = oneshot::channel();
        let runtime = Handle::current();
        let work = Work {
            results,
            summary: words.summary,
            dir: dir.to_owned(),
            saved: store.results(),
            notes: store.notes(),
            runtime,
            written: Vec::new(),
            pause: NOTED_AFTER,
            all: BTreeMap::new(),
        };
        std::thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || {
                let _ = tell.send(work.run(&arriving));
            })
            .map_err(|error| ExportError::Io { step: "start a thread to write to", path: dir.to_owned(), error })?;
        Ok(Self { jobs, done, known: HashMap::new() })
    }

    /// Takes a result that a fact tells of: it is durable by then.
    pub fn on_fact(&mut self, fact: &Fact) {
        if let Fact::Declared { ix, job, .. } = fact {
            self.known.entry(*ix).or_insert_with(|| (Arc::clone(job), None)).0 = Arc::clone(job);
        }
        let Some((ix, known)) = fact.learned() else { return };
        let (Some((job, last)), Some(saved)) = (self.known.get_mut(&ix), &known.saved) else { return };
        if last.replace(saved.body) != Some(saved.body) {
            let _ = self.jobs.send((Arc::clone(job), Arc::clone(known)));
        }
    }

    /// Waits until all is written, tries again what could not be, and writes the table of all. Answers with what could
    /// not be written: the job, and why. It is tried again at the next start.
    pub async fn finish(self) -> Vec<String> {
        let Self { jobs, done, known: _ } = self;
        drop(jobs);
        done.await.unwrap_or_default()
    }
}

struct Work {
    results: ResultFolder,
    summary: SummaryTable,
    dir: PathBuf,
    saved: saved::Results,
    notes: Notes,
    runtime: Handle,
    /// What was written out, or found to be, and not noted yet.
    written: Vec<BodyId>,
    /// After how long without a result it is noted.
    pause: Duration,
    /// Every job that has a result, by its name.
    all: BTreeMap<String, SavedJob>,
}

impl Work {
    fn run(mut self, arriving: &Receiver<SavedJob>) -> Vec<String> {
        let mut again = Vec::new();
        loop {
            let next = if self.written.is_empty() {
                arriving.recv().map_err(RecvTimeoutError::from)
            } else {
                arriving.recv_timeout(self.pause)
            };
            let saved = match next {
                Ok(saved) => saved,
                Err(RecvTimeoutError::Timeout) => {
                    self.note();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.all.insert(saved.0.label(), saved.clone());
            if let Err(error) = self.write(&saved) {
                tracing::warn!("{} is not exported yet: {error}", saved.0.label());
                again.push(saved);
            }
            if self.written.len() >= NOTED_AT_ONCE && self.pause == NOTED_AFTER {
                self.note();
            }
        }
        let mut failed = Vec::new();
        for saved in again {
            if let Err(error) = self.write(&saved) {
                failed.push(format!("{}: {error}", saved.0.label()));
            }
        }
        self.note();
        let all: Vec<SavedJob> = self.all.values().cloned().collect();
        let table = (self.summary)(&all);
        if let Err(error) = self.results.replace(&self.dir.join("summary.csv"), &table) {
            failed.push(format!("summary.csv: {error}"));
        }
        for note in &self.results.notes {
            tracing::warn!("{note}");
        }
        failed
    }

    /// Notes what `forget` may delete.
    fn note(&mut self) {
        if self.written.is_empty() {
            return;
        }
        // All of them at once, on this thread: nobody waits for it.
        let synced = results::sync(&self.dir).map_err(|error| error.to_string());
        let noted = synced.and_then(|()| {
            let noted = self.runtime.block_on(self.notes.note_exported(self.written.clone()));
            noted.map_err(|error| error.to_string())
        });
        match noted {
            Ok(()) => {
                self.written.clear();
                self.pause = NOTED_AFTER;
            }
            Err(error) => {
                tracing::warn!("what was written out does not count as exported yet: {error}");
                self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Writes one, unless it is there already.
    fn write(&mut self, (job, known): &SavedJob) -> Result<(), ExportError> {
        let Some(saved) = &known.saved else { return Ok(()) };
        let also = self.runtime.block_on(saved::also_files(&self.saved, &job.key))?;
        if self.results.is_there(job, known, &also) {
            // A run that was killed may not have come to note it.
            self.written.extend(also.values().chain([saved]).map(|saved| saved.body));
            return Ok(());
        }
        let body = self.runtime.block_on(self.saved.body(saved.body))?;
        let whole = self.runtime.block_on(saved::whole(&self.saved, job, known, body))?;
        self.written.extend(self.results.write(job, known, whole)?);
        Ok(())
    }
}
