//! A report of a batch to hand on: one page in HTML or Markdown that needs nothing else.
//!
//! Pure. Foreign text is escaped, addresses lose their queries, which may be signatures.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::Regex;

use crate::domain::clean::Clean;
use crate::domain::durations::{self, DurationGroup, GroupBy, Sample};
use crate::domain::human;
use crate::domain::job::Job;
use crate::domain::note;
use crate::domain::observation::Observation;
use crate::domain::state::State;
use crate::domain::stats::StateCounts;

mod chart;
mod html;
mod markdown;

pub use html::html;
pub use markdown::markdown;

/// What a report is about.
#[derive(Debug)]
pub struct Report<'a> {
    /// What the batch is called.
    pub title: String,
    pub made_at: Timestamp,
    /// In which zone its times are.
    pub zone: TimeZone,
    pub saved_in: String,
    /// The jobs in their order, and what is known of each.
    pub jobs: Vec<(&'a Job, &'a Observation)>,
}

impl<'a> Report<'a> {
    fn counts(&self) -> StateCounts {
        let mut counts = StateCounts::default();
        self.jobs.iter().for_each(|(_, known)| counts.add(known));
        counts
    }

    fn samples(&self) -> Vec<Sample<'a, usize>> {
        let jobs = self.jobs.iter().enumerate();
        jobs.map(|(at, (job, known))| Sample::new(at, &job.service, &job.tags, known)).collect()
    }

    /// The outcome in a sentence.
    fn outcome(&self) -> String {
        let counts = self.counts();
        let cost = counts.cost().map(|cost| format!(" Cost: {cost}.")).unwrap_or_default();
        let span = match self.span() {
            Some((first, last)) => format!(" From {} to {}.", self.moment(first), self.moment(last)),
            None => String::new(),
        };
        format!("{}.{span}{cost}", counts.sentence())
    }

    /// From the first sight of a job to the last finish.
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.jobs.iter().filter_map(|(_, known)| known.first_seen).min()?;
        let last = self.jobs.iter().filter_map(|(_, known)| known.finished_at).max()?;
        Some((first.min(last), last))
    }

    fn moment(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    fn name(&self, at: usize) -> String {
        self.jobs.get(at).map(|(job, _)| shown(job.title())).unwrap_or_default()
    }

    fn by_reason(&self) -> Vec<DurationGroup<usize>> {
        durations::groups(&self.samples(), GroupBy::Reason)
    }

    fn by_service(&self) -> Vec<DurationGroup<usize>> {
        durations::groups(&self.samples(), GroupBy::Service)
    }
}

/// A job's one most useful fact.
fn fact(known: &Observation) -> String {
    match note::reason(known) {
        Some(reason) => shown(reason),
        None => known.warning.as_deref().map(shown).unwrap_or_default(),
    }
}

/// How long a job waited and ran, as text; empty where nobody knows.
fn times(known: &Observation) -> (String, String) {
    let text = |time: Option<std::time::Duration>| time.map(human::duration).unwrap_or_default();
    (text(durations::queued(known)), text(note::took(known)))
}

/// Whether something of a job is saved, and how much.
fn saved(known: &Observation) -> String {
    known.saved.as_ref().map(|saved| human::bytes(saved.bytes)).unwrap_or_default()
}

/// Foreign text on one line, harmless, addresses without their queries.
fn shown(text: &str) -> String {
    without_queries(&Clean::new(text))
}

/// Foreign text line by line, harmless, addresses without their queries.
fn shown_lines(text: &str) -> Vec<String> {
    text.lines().map(shown).collect()
}

/// An address with a query is often a signed one: whoever has it has what it leads to.
fn without_queries(text: &str) -> String {
    static QUERY: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"(?i)(https?://[^\s?#"'<>]*)\?[^\s"'<>)\]]*"#).ok());
    match &*QUERY {
        Some(query) => query.replace_all(text, "$1?…").into_owned(),
        None => String::new(),
    }
}

/// The states that a job of the batch is in, with how many, worst first.
fn states(counts: &StateCounts) -> Vec<(State, u32)> {
    const ORDER: [State; 8] = [
        State::Lost,
        State::Failed,
        State::Partial,
        State::Cancelled,
        State::Unknown,
        State::Running,
        State::Queued,
        State::Succeeded,
    ];
    ORDER.into_iter().map(|state| (state, counts.of(state))).filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::domain::job::{JobKey, ProviderName};

    const HOSTILE: &str = "<script>alert(1)</script>\u{1b}[2J & \"q\" see https://h/x?sig=s3cret#f | [a](b)\nline `2`";

    fn job(id: &str) -> Job {
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "https://h".into(), id: id.to_owned() };
        let name = Some(format!("<u>{id}"));
        Job { name, ..crate::tests::job(key, "llama") }
    }

    fn known(state: State, second: i64) -> Observation {
        let at = |second: i64| Some(Timestamp::from_second(1_800_000_000 + second).unwrap());
        Observation {
            state,
            fail_reason: (state == State::Failed).then(|| HOSTILE.to_owned()),
            first_seen: at(0),
            running_since: at(second),
            finished_at: at(second * 3),
            cost: Some("0.5".into()),
            ..Observation::default()
        }
    }

    fn written(write: fn(&Report<'_>) -> String) -> String {
        let jobs = [job("a"), job("b"), job("c")];
        let known = [known(State::Succeeded, 10), known(State::Failed, 20), known(State::Failed, 30)];
        let report = Report {
            title: "nov <22>".to_owned(),
            made_at: Timestamp::from_second(1_800_000_100).unwrap(),
            zone: TimeZone::UTC,
            saved_in: "/state".to_owned(),
            jobs: jobs.iter().zip(&known).collect(),
        };
        write(&report)
    }

    #[test]
    fn a_page_says_what_came_of_the_batch_and_foreign_text_stays_text() {
        let page = written(html);
        for part in [
            "nov &lt;22&gt;",
            "3 jobs: 1 succeeded, 2 failed",
            "$1.50",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "https://h/x?…",
            "<svg",
            "prefers-color-scheme",
            "/state",
            "line `2`",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        for part in ["<script>alert", "s3cret", "\u{1b}", "<u>", "src=", "href=\"http"] {
            assert!(!page.contains(part), "{part}");
        }
    }

    #[test]
    fn the_same_in_markdown_has_no_markup_of_strangers() {
        let page = written(markdown);
        for part in ["# nov &lt;22&gt;", "3 jobs: 1 succeeded, 2 failed", "&lt;script&gt;", "\\[a\\](b)", "\\| "] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("<script>") && !page.contains("s3cret") && !page.contains('\u{1b}'), "{page}");
    }

    #[test]
    fn a_report_of_nothing_and_one_of_ten_thousand_jobs_can_be_written() {
        let report = |jobs: Vec<(&Job, &Observation)>| {
            let title = "t".to_owned();
            let report = Report {
                title,
                made_at: Timestamp::UNIX_EPOCH,
                zone: TimeZone::UTC,
                saved_in: String::new(),
                jobs: vec![],
            };
            html(&Report { jobs, ..report })
        };
        assert!(report(Vec::new()).contains("0 jobs"));
        let (job, known) = (job("a"), known(State::Failed, 5));
        let page = report(vec![(&job, &known); 10_000]);
        assert!(page.len() < 12_000_000, "{}", page.len());
    }
}
