//! Jobs as CSV for spreadsheets: no cell can become a formula.

use std::collections::HashSet;
use std::io::{self, Write};

use crate::domain::cell::cell;
use crate::domain::field;
use crate::domain::state::PollOutcome;
use crate::json::scan;
use crate::session::jsonl::utc;
use crate::session::select::KnownJob;

/// The columns, in order; `output` follows where it is exported.
pub const COLUMNS: [&str; 26] = [
    "job",
    "service",
    "provider",
    "id",
    "name",
    "tags",
    "state",
    "provider_status",
    "http_status",
    "service_status_code",
    "progress",
    "fail_reason",
    "error_code",
    "warning",
    "files_total",
    "files_failed",
    "lost_because",
    "first_seen",
    "running_since",
    "finished_at",
    "saved_bytes",
    "saved_sha256",
    "read",
    "reason",
    "cost",
    "batch",
];

/// The names of the users' fields that these jobs have, in the order in which the file defines them.
pub fn field_names<'a>(entries: impl IntoIterator<Item = &'a KnownJob>) -> Vec<String> {
    let held = entries.into_iter().filter_map(|entry| entry.known.fields.as_ref());
    let mut names: Vec<String> = Vec::new();
    let mut seen: HashSet<String> = COLUMNS.map(str::to_owned).into();
    for fields in held {
        // They are kept in that order.
        for field in scan::fields(fields.values.as_bytes()).unwrap_or_default() {
            if !seen.contains(&*field.key) {
                seen.insert(field.key.to_string());
                names.push(field.key.into_owned());
            }
        }
    }
    names
}

/// A job's cells of these fields.
pub fn field_cells(entry: &KnownJob, names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let values = entry.known.fields.as_ref().map(|fields| field::values(&fields.values)).unwrap_or_default();
    names.iter().map(|name| values.get(name).map(|value| value.text().to_owned()).unwrap_or_default()).collect()
}

/// One job as cells, unguarded; then its fields, and the output last where there is to be one.
pub fn row(entry: &KnownJob, fields: &[String], output: Option<String>) -> Vec<String> {
    let (job, known) = (&entry.job, &entry.known);
    let last = known.last_poll.as_ref();
    let reason = last.filter(|last| last.read != PollOutcome::Answered).and_then(|last| last.reason.clone());
    let mut cells = vec![
        job.label(),
        job.service.to_string(),
        job.key.provider.to_string(),
        job.key.id.clone(),
        text(job.name.as_ref()),
        job.tags.join(" "),
        known.state.to_string(),
        text(known.word.as_ref()),
        text(known.http_status),
        text(known.service_status_code),
        text(known.progress),
        text(known.fail_reason.as_ref()),
        text(known.error_code.as_ref()),
        text(known.warning.as_ref()),
        text(known.files.map(|files| files.total)),
        text(known.files.map(|files| files.failed)),
        text(known.lost),
        text(known.first_seen.map(utc)),
        text(known.running_since.map(utc)),
        text(known.finished_at.map(utc)),
        text(known.saved.as_ref().map(|saved| saved.bytes)),
        text(known.saved.as_ref().map(|saved| saved.sha256)),
        text(last.map(|last| last.read)),
        text(reason),
        text(known.cost.as_ref()),
        text(job.batch.as_ref()),
    ];
    cells.extend(field_cells(entry, fields));
    cells.extend(output);
    cells
}

/// A sheet that is written row by row. Cells are guarded against formulas and control characters.
pub struct Sheet<W: Write>(csv::Writer<W>);

impl<W: Write> Sheet<W> {
    /// Of jobs: begins with the header line.
    pub fn new(out: W, fields: &[String], with_output: bool) -> io::Result<Self> {
        let fields = fields.iter().map(String::as_str);
        let columns: Vec<&str> = COLUMNS.into_iter().chain(fields).chain(with_output.then_some("output")).collect();
        Self::with_header(out, &columns)
    }

    /// Of anything: begins with this header line.
    pub fn with_header(out: W, columns: &[&str]) -> io::Result<Self> {
        let mut writer = csv::WriterBuilder::new().flexible(true).quote_style(csv::QuoteStyle::Never).from_writer(out);
        writer.write_record(columns.iter().map(|column| cell(column)))?;
        Ok(Self(writer))
    }

    /// Adds a job's cells.
    pub fn add(&mut self, row: &[String]) -> io::Result<()> {
        Ok(self.0.write_record(row.iter().map(|text| cell(text)))?)
    }

    /// Hands everything on.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
