//! `jobdeck compare A B`: what is worse, better or other in one batch than in another, or one job than another, from
//! disk.

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::batches::{self, Format};
use crate::cli::args::CommonArgs;
use crate::cli::csv::Sheet;
use crate::cli::failure::Failure;
use crate::cli::output::{self, StdoutWriter};
use crate::cli::{resolve, style};
use crate::domain::batch::{self, JobChange, Match, OtherField, Pairs};
use crate::domain::clean::Clean;
use crate::domain::cost::Cost;
use crate::domain::{human, note};
use crate::engine::saved::{self, Results};
use crate::session::jsonl::json;
use crate::session::select::KnownJob;

/// The exit codes where something is worse, and where there is nothing to compare.
const WORSE: u8 = 3;
const NOTHING: u8 = 2;

/// How many fields are shown with their values.
const SHOWN: usize = 3;

/// `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The batch that was before, or a job
    #[arg(value_name = "A")]
    pub before: String,
    /// The batch (or the job) that is looked at; exit code 3 where jobs of it newly failed, or are slower or dearer
    #[arg(value_name = "B")]
    pub after: String,
    /// What makes a job of B the counterpart of one of A
    #[arg(long, default_value = "name")]
    pub by: MatchBy,
    /// How to print it
    #[arg(long, default_value = "table")]
    pub format: Format,
}

/// What makes two jobs counterparts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MatchBy {
    /// The name, of jobs without one their first file.
    Name,
    /// The service's id.
    Id,
}

/// One change of one job, as text.
#[derive(Debug)]
struct ChangeRow {
    change: JobChange,
    name: String,
    jobs: [String; 2],
    /// What it was, and what it is: state, seconds, dollars, or the fields that differ.
    values: [String; 2],
    /// The same for people.
    shown: String,
    /// The fields of the output that differ.
    fields: Vec<String>,
}

pub async fn run(common: &CommonArgs, wanted: CompareArgs) -> Result<u8, Failure> {
    let (store, entries) = batches::on_disk(common).await?;
    let of = |name: &str| {
        let is_of = |entry: &&KnownJob| entry.job.batch.as_deref() == Some(name);
        let jobs: Vec<KnownJob> = entries.iter().filter(is_of).cloned().collect();
        if jobs.is_empty() { Err(batches::unknown(name, &entries)) } else { Ok(jobs) }
    };
    let by = match wanted.by {
        MatchBy::Name => Match::Name,
        MatchBy::Id => Match::Id,
    };
    let pairs = match (of(&wanted.before), of(&wanted.after)) {
        (Err(unknown), Err(_)) => two_jobs(common, &wanted).await.ok_or(unknown)?,
        (before, after) => batch::pairs(before?, after?, by, |entry| (&*entry.job, &*entry.known)),
    };
    let mut rows = Vec::new();
    for (name, before, after) in &pairs.both {
        let mut changes = batch::changes(&before.known, &after.known);
        let fields = differing(&store, before, after).await?;
        if !fields.is_empty() {
            changes.push(JobChange::OtherOutput);
        }
        rows.extend(changes.into_iter().map(|change| row(change, name, (before, after), &fields)));
    }
    rows.sort_by_key(|row| row.change);
    let exit = match &pairs.both {
        both if both.is_empty() => NOTHING,
        _ if rows.iter().any(|row| row.change.is_worse()) => WORSE,
        _ => 0,
    };
    let mut out = StdoutWriter::new();
    match wanted.format {
        Format::Table => {
            if !rows.is_empty() {
                let cells = |row: &ChangeRow| {
                    let change = row.change.as_str().replace('_', " ");
                    vec![change, Clean::new(&row.name).to_string(), Clean::new(&row.shown).to_string()]
                };
                let lines = style::columns(&["CHANGE", "JOB", "WHAT"], rows.iter().map(cells).collect(), 0..0);
                lines.iter().try_for_each(|line| out.line(line))?;
                out.line("")?;
            }
            out.line(&sentence(&rows, &pairs))?;
        }
        Format::Csv => {
            let columns = ["change", "name", "job_a", "job_b", "a", "b", "fields"];
            let mut sheet = Sheet::with_header(&mut out, &columns)?;
            for ChangeRow { change, name, jobs: [job_a, job_b], values: [a, b], fields, .. } in &rows {
                let cells = [change.as_str(), name, job_a, job_b, a, b, &fields.join(" ")];
                sheet.add(&cells.map(str::to_owned))?;
            }
            sheet.finish()?;
        }
        Format::Jsonl => {
            rows.iter().try_for_each(|row| out.line(&json(&RowLine::new(row))))?;
            out.line(&json(&Comparison::new(&wanted, &rows, &pairs, exit)))?;
        }
    }
    out.flush()?;
    if exit == NOTHING {
        let (by, other) = if by == Match::Name { ("name", "id") } else { ("id", "name") };
        output::say_error(&format!(
            "no job of B has the {by} of one of A; `--by {other}` compares those of one {other}"
        ));
    }
    Ok(exit)
}

/// The two jobs where neither name is that of a batch.
async fn two_jobs(common: &CommonArgs, wanted: &CompareArgs) -> Option<Pairs<KnownJob>> {
    let before = resolve::one(common, &wanted.before).await.ok()?.1;
    let after = resolve::one(common, &wanted.after).await.ok()?.1;
    Some(Pairs { both: vec![(after.job.title().to_owned(), before, after)], only_first: 0, only_second: 0 })
}

/// What differs between the outputs of two jobs; nothing where one of them has no saved output.
async fn differing(store: &Results, before: &KnownJob, after: &KnownJob) -> Result<Vec<OtherField>, Failure> {
    let (Some(was), Some(is)) = (&before.known.saved, &after.known.saved) else { return Ok(Vec::new()) };
    if was.sha256 == is.sha256 {
        return Ok(Vec::new());
    }
    let (Some(was), Some(is)) = (output(store, before).await?, output(store, after).await?) else {
        return Ok(Vec::new());
    };
    Ok(batch::fields_that_differ(&was, &is))
}

/// The decoded output of a job, else the raw one.
async fn output(store: &Results, entry: &KnownJob) -> Result<Option<Bytes>, Failure> {
    let Some(best) = entry.known.kept_body() else { return Ok(None) };
    let body = store.body(best.body).await?;
    if let Err(damage) = best.check(&body) {
        output::say_error(&format!("{}: {damage}", crate::cli::event_lines::named(&entry.job)));
        return Ok(None);
    }
    let payload = saved::payload(store, &entry.job, &entry.known, &body).await;
    Ok(payload.output.or(payload.raw))
}

fn row(change: JobChange, name: &str, (before, after): (&KnownJob, &KnownJob), fields: &[OtherField]) -> ChangeRow {
    let both = [&before.known, &after.known];
    let arrow = |shown: [String; 2]| shown.join(" -> ");
    let took = both.map(|known| note::took(known).unwrap_or_default());
    let costs = both.map(|known| batch::cost(known).unwrap_or_default());
    let states = both.map(|known| known.state.to_string());
    let (values, shown) = match change {
        JobChange::NewlyFailed => {
            let why = note::reason(&after.known).map(|reason| format!(": {reason}")).unwrap_or_default();
            (states.clone(), arrow(states) + &why)
        }
        JobChange::Fixed => (states.clone(), arrow(states)),
        JobChange::Slower => (took.map(|took| format!("{:.3}", took.as_secs_f64())), arrow(took.map(human::duration))),
        JobChange::Dearer => (costs.map(Cost::digits), arrow(costs.map(|cost| cost.to_string()))),
        JobChange::OtherOutput => ([0, 1].map(|side| values_of(fields, side)), shown_fields(fields)),
    };
    let fields = if change == JobChange::OtherOutput { named_fields(fields) } else { Vec::new() };
    ChangeRow { change, name: name.to_owned(), jobs: [before.job.label(), after.job.label()], values, shown, fields }
}

/// The fields that have a name: an output that is no object has none.
fn named_fields(fields: &[OtherField]) -> Vec<String> {
    fields.iter().map(|field| field.name.clone()).filter(|name| !name.is_empty()).collect()
}

/// What the fields were, or are: `total: 12.50; vendor: "ACME"`.
fn values_of(fields: &[OtherField], side: usize) -> String {
    let value = |field: &OtherField| {
        let value = field.values.get(side).cloned().unwrap_or_default();
        if field.name.is_empty() { value } else { format!("{}: {value}", field.name) }
    };
    fields.iter().map(value).collect::<Vec<_>>().join("; ")
}

/// `total 12.50 -> 13.00, vendor "ACME" -> none, and 2 more`.
fn shown_fields(fields: &[OtherField]) -> String {
    let shown = |OtherField { name, values }: &OtherField| {
        let [was, is] = values.each_ref().map(|value| if value.is_empty() { "none" } else { value });
        let name = if name.is_empty() { "the whole output" } else { name };
        format!("{name} {was} -> {is}")
    };
    let mut shown: Vec<String> = fields.iter().take(SHOWN).map(shown).collect();
    if fields.len() > SHOWN {
        let names: Vec<&str> = fields.iter().skip(SHOWN).map(|field| &*field.name).collect();
        shown.push(format!("and {}", names.join(", ")));
    }
    shown.join(", ")
}

fn count(rows: &[ChangeRow], change: JobChange) -> usize {
    rows.iter().filter(|row| row.change == change).count()
}

/// `12 jobs in both: 1 newly failed, 2 slower; 1 only in A`.
fn sentence<T>(rows: &[ChangeRow], pairs: &Pairs<T>) -> String {
    if pairs.both.is_empty() {
        let [first, second] = [pairs.only_first, pairs.only_second].map(|count| human::counted(count, "job"));
        return format!("nothing to compare: no job is in both ({first} only in A, {second} only in B)");
    }
    let told: Vec<String> = JobChange::ALL
        .into_iter()
        .map(|change| (count(rows, change), change.as_str().replace('_', " ")))
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let told = if told.is_empty() { "nothing differs".to_owned() } else { told.join(", ") };
    let mut said = format!("{} in both: {told}", human::counted(pairs.both.len() as u64, "job"));
    for (count, batch) in [(pairs.only_first, "A"), (pairs.only_second, "B")] {
        if count > 0 {
            said.push_str(&format!("; {count} only in {batch}"));
        }
    }
    said
}

/// A change in JSON.
#[derive(Debug, Serialize)]
struct RowLine<'a> {
    v: u8,
    r#type: &'static str,
    change: &'static str,
    name: &'a str,
    job_a: &'a str,
    job_b: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    a: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    b: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    fields: &'a [String],
}

impl<'a> RowLine<'a> {
    fn new(row: &'a ChangeRow) -> Self {
        let ([job_a, job_b], [a, b]) = (&row.jobs, &row.values);
        let (change, name, fields) = (row.change.as_str(), &*row.name, &*row.fields);
        Self { v: 1, r#type: "change", change, name, job_a, job_b, a, b, fields }
    }
}

/// The whole comparison in JSON.
#[derive(Debug, Serialize)]
struct Comparison<'a> {
    v: u8,
    r#type: &'static str,
    a: &'a str,
    b: &'a str,
    jobs: usize,
    newly_failed: usize,
    fixed: usize,
    slower: usize,
    dearer: usize,
    other_output: usize,
    only_a: usize,
    only_b: usize,
    exit: u8,
}

impl<'a> Comparison<'a> {
    fn new<T>(wanted: &'a CompareArgs, rows: &[ChangeRow], pairs: &Pairs<T>, exit: u8) -> Self {
        Self {
            v: 1,
            r#type: "comparison",
            a: &wanted.before,
            b: &wanted.after,
            jobs: pairs.both.len(),
            newly_failed: count(rows, JobChange::NewlyFailed),
            fixed: count(rows, JobChange::Fixed),
            slower: count(rows, JobChange::Slower),
            dearer: count(rows, JobChange::Dearer),
            other_output: count(rows, JobChange::OtherOutput),
            only_a: pairs.only_first,
            only_b: pairs.only_second,
            exit,
        }
    }
}
