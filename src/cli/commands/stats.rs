//! `jobdeck stats`: how long jobs waited and ran, how fast they finished and what they cost, from disk.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::status;
use crate::cli::args::CommonArgs;
use crate::cli::csv::Sheet;
use crate::cli::failure::Failure;
use crate::cli::output::StdoutWriter;
use crate::cli::style;
use crate::domain::clean::Clean;
use crate::domain::cost::Cost;
use crate::domain::durations::{self, DurationGroup, GroupBy, Sample, Spread};
use crate::domain::human;
use crate::domain::markdown::escaped;
use crate::session::jsonl::{json, number};
use crate::session::select::KnownJob;
use clap::{Args, ValueEnum};

/// `stats`.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Group by this
    #[arg(long, default_value = "service")]
    pub by: StatsBy,
    /// How to print it
    #[arg(long, default_value = "table")]
    pub format: StatsFormat,
    /// Only the jobs that match
    #[arg(long, value_name = "F")]
    pub filter: Option<String>,
    /// All jobs on disk, not only the file's
    #[arg(long)]
    pub all: bool,
}

/// What `stats` puts jobs together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatsBy {
    /// The service.
    Service,
    /// Each tag.
    Tag,
    /// The reason of a failure.
    Reason,
}

/// The formats of `stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// For people.
    Table,
    /// For spreadsheets; times in seconds.
    Csv,
    /// One JSON object per group; times in seconds.
    Jsonl,
    /// For a summary in CI.
    Markdown,
}

/// How many of the slowest jobs are named.
const SLOWEST: usize = 10;

/// The columns of the table and of Markdown; the first is what the jobs are put together by.
const COLUMNS: [&str; 12] =
    ["JOBS", "OVER", "OK", "QUEUED p50", "p90", "MAX", "RAN p50", "p90", "MAX", "PER MIN", "COST", "PER PRICED JOB"];

/// The columns of CSV, times in seconds, costs in US dollars.
const CSV_COLUMNS: [&str; 18] = [
    "by",
    "name",
    "jobs",
    "finished",
    "succeeded",
    "queued_count",
    "queued_median_s",
    "queued_p90_s",
    "queued_longest_s",
    "ran_count",
    "ran_median_s",
    "ran_p90_s",
    "ran_longest_s",
    "finishes_per_minute",
    "cost",
    "cost_per_job",
    "costed_jobs",
    "success_percent",
];

pub async fn run(common: &CommonArgs, wanted: StatsArgs) -> Result<u8, Failure> {
    let entries = status::entries(common, wanted.all, wanted.filter.as_deref()).await?.1;
    let samples = samples(&entries);
    let by = match wanted.by {
        StatsBy::Service => GroupBy::Service,
        StatsBy::Tag => GroupBy::Tag,
        StatsBy::Reason => GroupBy::Reason,
    };
    let groups = durations::groups(&samples, by);
    let total = durations::all(&samples);
    let slowest = durations::slowest(&samples, SLOWEST);
    let mut out = StdoutWriter::new();
    match wanted.format {
        StatsFormat::Table => table(&groups, &total, by).iter().try_for_each(|line| out.line(line))?,
        StatsFormat::Markdown => markdown(&groups, &total, by).iter().try_for_each(|line| out.line(line))?,
        StatsFormat::Csv => {
            let mut sheet = Sheet::with_header(&mut out, &CSV_COLUMNS)?;
            for group in groups.iter().map(|group| (by.as_str(), group)).chain([("total", &total)]) {
                sheet.add(&csv_row(group.0, group.1))?;
            }
            sheet.finish()?;
        }
        StatsFormat::Jsonl => {
            for group in &groups {
                out.line(&json(&GroupLine::new(by.as_str(), group)))?;
            }
            out.line(&json(&GroupLine::new("total", &total)))?;
            for (entry, ran) in &slowest {
                out.line(&json(&SlowLine { v: 1, r#type: "slowest", job: entry.job.label(), ran_s: seconds(*ran) }))?;
            }
        }
    }
    let named = slowest.iter().map(|(entry, ran)| (crate::cli::event_lines::named(&entry.job), human::duration(*ran)));
    match wanted.format {
        StatsFormat::Table if !slowest.is_empty() => {
            out.line("")?;
            out.line("slowest")?;
            for (name, ran) in named {
                out.line(&format!("{ran:>8}  {name}"))?;
            }
        }
        StatsFormat::Markdown if !slowest.is_empty() => {
            out.line("\n| slowest | ran |\n|---|---:|")?;
            for (name, ran) in named {
                out.line(&format!("| {} | {ran} |", escaped(&name)))?;
            }
        }
        StatsFormat::Table | StatsFormat::Markdown | StatsFormat::Csv | StatsFormat::Jsonl => {}
    }
    out.flush()?;
    Ok(0)
}

/// The figures of these jobs.
pub fn samples(entries: &[KnownJob]) -> Vec<Sample<'_, &KnownJob>> {
    entries.iter().map(|entry| Sample::new(entry, &entry.job.service, &entry.job.tags, &entry.known)).collect()
}

/// A group's cells for people: its name, then one for each of [`COLUMNS`].
fn cells<T>(group: &DurationGroup<T>, name: &str) -> Vec<String> {
    let spread = |spread: &Option<Spread>| match spread {
        Some(spread) => [spread.median, spread.p90, spread.longest].map(human::duration),
        None => ["-", "-", "-"].map(str::to_owned),
    };
    let dollars = |cost: Option<Cost>| cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string());
    let mut cells = vec![
        Clean::new(name).to_string(),
        group.jobs.len().to_string(),
        group.finished.to_string(),
        human::percent(group.succeeded as u64, group.finished as u64),
    ];
    cells.extend(spread(&group.queued));
    cells.extend(spread(&group.ran));
    cells.push(group.per_minute.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")));
    cells.extend([dollars(group.cost), dollars(group.cost_per_job())]);
    cells
}

fn named<T>(group: &DurationGroup<T>, by: GroupBy) -> &str {
    match by {
        GroupBy::Tag if group.name.is_empty() => "(no tag)",
        GroupBy::Service | GroupBy::Tag | GroupBy::Reason => &group.name,
    }
}

/// All rows of a table: the groups, and all jobs where the groups are more than one.
fn rows<T>(groups: &[DurationGroup<T>], total: &DurationGroup<T>, by: GroupBy) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = groups.iter().map(|group| cells(group, named(group, by))).collect();
    // Beside failures by reason a row of all jobs, most of which did not fail, would be of something else.
    if groups.len() != 1 && by != GroupBy::Reason {
        rows.push(cells(total, "all"));
    }
    rows
}

fn table<T>(groups: &[DurationGroup<T>], total: &DurationGroup<T>, by: GroupBy) -> Vec<String> {
    let header: Vec<String> = std::iter::once(by.as_str().to_uppercase()).chain(COLUMNS.map(str::to_owned)).collect();
    let right = 1..header.len();
    style::columns(&header, rows(groups, total, by), right)
}

fn markdown<T>(groups: &[DurationGroup<T>], total: &DurationGroup<T>, by: GroupBy) -> Vec<String> {
    let row =
        |cells: Vec<String>| format!("| {} |", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "));
    let mut lines = vec![
        row(std::iter::once(by.as_str().to_owned()).chain(COLUMNS.map(str::to_lowercase)).collect()),
        format!("|---|{}", "---:|".repeat(COLUMNS.len())),
    ];
    lines.extend(rows(groups, total, by).into_iter().map(row));
    lines
}

fn csv_row<T>(by: &str, group: &DurationGroup<T>) -> Vec<String> {
    let spread = |spread: &Option<Spread>| match spread {
        Some(Spread { count, median, p90, longest, .. }) => {
            [count.to_string(), decimal(*median), decimal(*p90), decimal(*longest)]
        }
        None => ["0", "", "", ""].map(str::to_owned),
    };
    let text = |value: Option<String>| value.unwrap_or_default();
    let mut row = vec![by.to_owned(), group.name.clone()];
    row.extend([group.jobs.len(), group.finished, group.succeeded].map(|count| count.to_string()));
    row.extend(spread(&group.queued));
    row.extend(spread(&group.ran));
    row.push(text(group.per_minute.map(|rate| format!("{rate:.3}"))));
    row.push(text(group.cost.map(Cost::digits)));
    row.push(text(group.cost_per_job().map(Cost::digits)));
    row.push(group.costed.to_string());
    row.push(human::percent(group.succeeded as u64, group.finished as u64).trim_end_matches('%').to_owned());
    row
}

/// Seconds with three decimals, of a duration.
fn decimal(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

fn seconds(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1000.0
}

/// A group in JSON.
#[derive(Debug, Serialize)]
struct GroupLine<'a> {
    v: u8,
    r#type: &'static str,
    by: &'static str,
    name: &'a str,
    jobs: usize,
    finished: usize,
    succeeded: usize,
    queued: Option<SpreadLine>,
    ran: Option<SpreadLine>,
    finishes_per_minute: Option<f64>,
    cost: Option<Box<RawValue>>,
    cost_per_job: Option<Box<RawValue>>,
    costed_jobs: usize,
}

impl<'a> GroupLine<'a> {
    fn new<T>(by: &'static str, group: &'a DurationGroup<T>) -> Self {
        Self {
            v: 1,
            r#type: "group",
            by,
            name: &group.name,
            jobs: group.jobs.len(),
            finished: group.finished,
            succeeded: group.succeeded,
            queued: group.queued.as_ref().map(SpreadLine::new),
            ran: group.ran.as_ref().map(SpreadLine::new),
            finishes_per_minute: group.per_minute.map(|rate| (rate * 1000.0).round() / 1000.0),
            cost: group.cost.and_then(number),
            cost_per_job: group.cost_per_job().and_then(number),
            costed_jobs: group.costed,
        }
    }
}

#[derive(Debug, Serialize)]
struct SpreadLine {
    count: usize,
    median_s: f64,
    p90_s: f64,
    longest_s: f64,
    histogram: Vec<u32>,
}

impl SpreadLine {
    fn new(spread: &Spread) -> Self {
        Self {
            count: spread.count,
            median_s: seconds(spread.median),
            p90_s: seconds(spread.p90),
            longest_s: seconds(spread.longest),
            histogram: spread.histogram.to_vec(),
        }
    }
}

/// One of the slowest jobs in JSON.
#[derive(Debug, Serialize)]
struct SlowLine {
    v: u8,
    r#type: &'static str,
    job: String,
    ran_s: f64,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::job::{Job, JobKey, ProviderName};
    use crate::domain::observation::Observation;
    use crate::domain::state::State;

    fn entry(id: &str, tag: Option<&str>, finished: i64, reason: Option<&str>) -> KnownJob {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "".into(), id: id.to_owned() };
        let tags = tag.map(str::to_owned).into_iter().collect();
        let known = Observation {
            state: if reason.is_some() { State::Failed } else { State::Succeeded },
            fail_reason: reason.map(str::to_owned),
            first_seen: at(0),
            running_since: at(10),
            finished_at: at(finished),
            cost: Some("0.015".into()),
            ..Observation::default()
        };
        KnownJob::new(
            Arc::new(Job {
                key,
                service: "llama".into(),
                name: None,
                tags,
                traits: Default::default(),
                batch: None,
                resubmits: Arc::default(),
            }),
            known,
        )
    }

    #[test]
    fn the_figures_are_a_table_markdown_csv_and_json() {
        let entries = [entry("a", Some("nov"), 70, None), entry("b", None, 130, Some("<b>|blank page 7"))];
        let samples = samples(&entries);
        let (groups, total) = (durations::groups(&samples, GroupBy::Tag), durations::all(&samples));
        let shown = table(&groups, &total, GroupBy::Tag).join("\n");
        let expected = "\
TAG       JOBS  OVER     OK  QUEUED p50  p90  MAX  RAN p50    p90    MAX  PER MIN     COST  PER PRICED JOB
(no tag)     1     1     0%         10s  10s  10s    2m00s  2m00s  2m00s        -  $0.0150         $0.0150
nov          1     1   100%         10s  10s  10s    1m00s  1m00s  1m00s        -  $0.0150         $0.0150
all          2     2  50.0%         10s  10s  10s    1m00s  2m00s  2m00s      1.0  $0.0300         $0.0150";
        assert_eq!(shown, expected);
        let by_reason = durations::groups(&samples, GroupBy::Reason);
        let shown = markdown(&by_reason, &total, GroupBy::Reason);
        assert!(shown[2].starts_with("| &lt;b&gt;\\|blank page "), "{shown:?}");
        let row = csv_row("total", &total);
        assert_eq!(row.len(), CSV_COLUMNS.len());
        assert_eq!(row[5..9], ["2", "10.000", "10.000", "10.000"]);
        let line = json(&GroupLine::new("total", &total));
        assert!(line.contains("\"cost\":0.03,\"cost_per_job\":0.015"), "{line}");
    }
}
