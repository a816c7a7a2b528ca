//! `jobdeck batches`: the batches on disk, when they were, what they came to and cost.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::args::CommonArgs;
use crate::cli::csv::Sheet;
use crate::cli::failure::Failure;
use crate::cli::odd_rows;
use crate::cli::output::{self, StdoutWriter};
use crate::cli::style;
use crate::domain::batch::{self, BatchOutcome};
use crate::domain::clean::Clean;
use crate::domain::cost::Cost;
use crate::domain::state::State;
use crate::engine::saved::Results;
use crate::session::jsonl::{ByState, json, number, utc};
use crate::session::select::{self, KnownJob};

/// `batches`.
#[derive(Debug, Args)]
pub struct BatchesArgs {
    /// How to print it
    #[arg(long, default_value = "table")]
    pub format: Format,
}

/// The formats of `batches` and `compare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// JSON objects.
    Jsonl,
}

pub async fn run(common: &CommonArgs, wanted: &BatchesArgs) -> Result<u8, Failure> {
    let entries = on_disk(common).await?.1;
    let batches = batch::batches(entries.iter().map(|entry| (&*entry.job, &*entry.known)));
    let mut out = StdoutWriter::new();
    match wanted.format {
        Format::Table if batches.is_empty() => output::say("there is no batch on disk yet"),
        Format::Table => table(&batches).iter().try_for_each(|line| out.line(line))?,
        Format::Csv => {
            let mut columns = vec!["batch", "first", "last", "jobs"];
            columns.extend(State::ALL.map(State::as_str));
            columns.push("cost");
            let mut sheet = Sheet::with_header(&mut out, &columns)?;
            for batch in &batches {
                sheet.add(&csv_row(batch))?;
            }
            sheet.finish()?;
        }
        Format::Jsonl => batches.iter().try_for_each(|batch| out.line(&json(&BatchLine::new(batch))))?,
    }
    out.flush()?;
    Ok(0)
}

/// Every job on disk, called as in the jobs file where one loads, and the store that they are in.
pub async fn on_disk(common: &CommonArgs) -> Result<(Results, Vec<KnownJob>), Failure> {
    let declared = common.jobs_file().map(|file| file.jobs).unwrap_or_default();
    let store = common.results().await?;
    let entries = select::of_disk(&store, &declared).await?;
    odd_rows::say(&entries);
    Ok((store, entries))
}

/// What to say of a name that no batch has: those that are spelt like it, else all.
pub fn unknown(wanted: &str, entries: &[KnownJob]) -> Failure {
    let names: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.job.batch.as_deref()).collect();
    let length = wanted.chars().count();
    let is_near = |name: &&&str| {
        let (name, wanted) = (name.to_lowercase(), wanted.to_lowercase());
        strsim::osa_distance(&name, &wanted) <= length / 3 || (length > 2 && name.contains(&wanted))
    };
    let near: Vec<String> = names.iter().filter(is_near).map(|name| Clean::new(name).to_string()).collect();
    let help = if near.is_empty() {
        "`jobdeck batches` lists what is there".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Failure::usage(format!("there is no batch {:?} on disk", Clean::new(wanted).as_str())).help(help)
}

fn table(batches: &[BatchOutcome]) -> Vec<String> {
    let day = |at: Option<Timestamp>| {
        let shown = |at: Timestamp| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        at.map_or_else(|| "-".to_owned(), shown)
    };
    let row = |batch: &BatchOutcome| {
        let sentence = batch.counts.sentence();
        let outcome = sentence.split_once(": ").map_or("-", |(_, outcome)| outcome).to_owned();
        let cost = batch.counts.cost().map_or_else(|| "-".to_owned(), |cost| cost.to_string());
        let name = batch.name.as_deref().unwrap_or("(no batch)");
        let jobs = batch.counts.total().to_string();
        vec![Clean::new(name).to_string(), day(batch.first), day(batch.last), jobs, cost, outcome]
    };
    style::columns(&["BATCH", "FIRST", "LAST", "JOBS", "COST", "OUTCOME"], batches.iter().map(row).collect(), 3..5)
}

fn csv_row(batch: &BatchOutcome) -> Vec<String> {
    let mut row = vec![batch.name.as_deref().unwrap_or_default().to_owned()];
    row.extend([batch.first, batch.last].map(|at| at.map(utc).unwrap_or_default()));
    row.push(batch.counts.total().to_string());
    row.extend(State::ALL.map(|state| batch.counts.of(state).to_string()));
    row.push(batch.counts.cost().map(Cost::digits).unwrap_or_default());
    row
}

/// The states as a line has them.
const ORDER: [State; 8] = {
    let [queued, running, succeeded, partial, failed, cancelled, lost, unknown] = State::ALL;
    [succeeded, partial, failed, cancelled, lost, queued, running, unknown]
};

/// A batch in JSON.
#[derive(Debug, Serialize)]
struct BatchLine<'a> {
    v: u8,
    r#type: &'static str,
    batch: Option<&'a str>,
    first: Option<String>,
    last: Option<String>,
    jobs: u32,
    #[serde(flatten)]
    states: ByState,
    cost: Option<Box<RawValue>>,
}

impl<'a> BatchLine<'a> {
    fn new(batch: &'a BatchOutcome) -> Self {
        let counts = &batch.counts;
        Self {
            v: 1,
            r#type: "batch",
            batch: batch.name.as_deref(),
            first: batch.first.map(utc),
            last: batch.last.map(utc),
            jobs: counts.total(),
            states: ByState::new(ORDER, counts),
            cost: counts.cost().and_then(number),
        }
    }
}
