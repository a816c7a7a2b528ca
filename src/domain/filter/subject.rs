//! What a filter looks at: a job's fields, and its text lower-cased once.

use crate::domain::job::Job;
use crate::domain::note;
use crate::domain::observation::Observation;
use crate::domain::state::PollOutcome;

/// A job as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub struct FilterSubject<'a> {
    /// What the jobs file says.
    pub job: &'a Job,
    pub known: &'a Observation,
    /// Its text; made again whenever one of the two changes.
    pub text: &'a SearchText,
    /// Whether two polls were missed.
    pub stale: bool,
    /// Whether it is no longer polled, though it is not finished.
    pub given_up: bool,
    /// Whether the user marked it.
    pub marked: bool,
    /// The names of its files, as far as they are known.
    pub files: &'a [String],
}

impl<'a> FilterSubject<'a> {
    /// A job of which no more is known: neither stale nor marked, and no names of files.
    pub fn new(job: &'a Job, known: &'a Observation, text: &'a SearchText) -> Self {
        Self { job, known, text, stale: false, given_up: false, marked: false, files: &[] }
    }
}

/// A job's searchable text, lower-cased: its title, id, service, tags and reasons, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchText {
    text: Box<str>,
    title: u32,
    id: u32,
    service: u32,
    tags: u32,
}

impl SearchText {
    pub fn new(job: &Job, known: &Observation) -> Self {
        let mut text = String::new();
        let mut line = |part: &str| {
            text.push_str(&part.to_lowercase());
            let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
            text.push('\n');
            end
        };
        let title = line(job.title());
        let id = line(&job.key.id);
        let service = line(&job.service);
        let tags = job.tags.iter().fold(service, |_, tag| line(tag));
        for reason in reasons(known) {
            line(reason);
        }
        Self { text: text.into(), title, id, service, tags }
    }

    pub fn all(&self) -> &str {
        &self.text
    }

    /// The name, else the id.
    pub fn title(&self) -> &str {
        self.part(0, self.title)
    }

    pub fn id(&self) -> &str {
        self.part(self.title + 1, self.id)
    }

    pub fn service(&self) -> &str {
        self.part(self.id + 1, self.service)
    }

    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.part(self.service + 1, self.tags).lines()
    }

    /// Why the job failed, was lost, or could not be read the last time.
    pub fn reason(&self) -> &str {
        self.part(self.tags + 1, u32::MAX)
    }

    fn part(&self, from: u32, to: u32) -> &str {
        let (from, to) = (from as usize, (to as usize).min(self.text.len()));
        self.text.get(from..to).unwrap_or_default()
    }
}

fn reasons(known: &Observation) -> impl Iterator<Item = &str> {
    let unread =
        known.last_poll.as_ref().filter(|last| last.read != PollOutcome::Answered && !known.state.is_terminal());
    let unread = unread.and_then(|last| last.reason.as_deref());
    [note::reason(known), known.error_code.as_deref(), known.warning.as_deref(), unread].into_iter().flatten()
}
