//! `jobdeck export DIR`: saved results as files, from disk, without network or token. Nothing is ever overwritten.

use std::fs;
use std::io::{self, BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::status;
use crate::cli::args::CommonArgs;
use crate::cli::csv::{self, Sheet};
use crate::cli::failure::Failure;
use crate::cli::field_table::FieldTable;
use crate::cli::output;
use crate::domain::human;
use crate::domain::job::Job;
use crate::domain::observation::{BodyId, Observation};
use crate::domain::provider::Payload;
use crate::engine::saved::{self, OpenStore, Results};
use crate::json::pretty::compact;
use crate::session::exporter::{JobFormat, SavedJob};
use crate::session::jsonl::{StateLine, json};
use crate::session::part_file::PartFile;
use crate::session::results::{self, ExportError, FolderLayout, ResultFolder, holds, make_root};
use crate::session::select::KnownJob;
use clap::{Args, ValueEnum};

/// `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Output directory, created if missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// A folder per job with its body and output, or one table of all
    #[arg(long, default_value = "files")]
    pub format: ExportFormat,
    /// With --format files: a folder for each job, or one file with its decoded output
    #[arg(long, default_value = "folders")]
    pub layout: ExportLayout,
    /// With --format csv: behind job, name and state these columns alone: fields of your own, each defined by a line in [services.NAME.fields] of the
    /// jobs file, as total = "/message/0/result/output/total", or columns of the whole table
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// With --format csv: a row for each job, or for each of its files
    #[arg(long, default_value = "jobs")]
    pub rows: ExportRows,
    /// Only the jobs that match
    #[arg(long, value_name = "F")]
    pub filter: Option<String>,
    /// All jobs on disk, not only the file's
    #[arg(long)]
    pub all: bool,
}

/// How `export` lays files out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportLayout {
    /// A folder for each job.
    Folders,
    /// `<service>__<name or id>.json` for each job.
    Flat,
}

/// What `export --fields` has a row for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportRows {
    /// Each job.
    Jobs,
    /// Each file of a job; pointers begin at the file.
    Files,
}

/// The formats of `export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A folder per job.
    Files,
    /// `jobs.csv`, one row per job.
    Csv,
    /// `jobs.jsonl`, one object per job.
    Jsonl,
}

pub async fn run(common: &CommonArgs, export: ExportArgs) -> Result<u8, Failure> {
    if !export.fields.is_empty() && export.format != ExportFormat::Csv {
        return Err(Failure::usage("--fields goes with --format csv"));
    }
    if export.rows == ExportRows::Files && export.format != ExportFormat::Csv {
        return Err(Failure::usage("--rows goes with --format csv"));
    }
    if export.layout == ExportLayout::Flat && export.format != ExportFormat::Files {
        return Err(Failure::usage("--layout goes with --format files"));
    }
    let (store, entries) = status::entries(common, export.all, export.filter.as_deref()).await?;
    let all = entries.len();
    let entries: Vec<KnownJob> = entries.into_iter().filter(|entry| entry.known.saved.is_some()).collect();
    make_root(&export.dir)?;
    let mut target = WrittenFiles::default();
    match export.format {
        ExportFormat::Files => files(&store, &common.state_dir()?, &entries, &export, &mut target).await?,
        ExportFormat::Csv if !export.fields.is_empty() || export.rows == ExportRows::Files => {
            let services = common.jobs_file().map(|file| file.services).unwrap_or_default();
            let table = FieldTable::new(&export.fields, export.rows, &services)?;
            let part = fields_csv(&store, &entries, &export.dir, &table).await?;
            target.keep(&part, &export.dir, "csv")?;
        }
        ExportFormat::Csv => {
            let part = csv(&store, &entries, &export.dir, &mut target).await?;
            target.keep(&part, &export.dir, "csv")?;
        }
        ExportFormat::Jsonl => {
            let part = jsonl(&store, &entries, &export.dir, &mut target).await?;
            target.keep(&part, &export.dir, "jsonl")?;
        }
    }
    output::say(&told(&export, &target, entries.len(), all));
    Ok(u8::from(target.failed > 0))
}

impl From<ExportLayout> for FolderLayout {
    fn from(layout: ExportLayout) -> Self {
        match layout {
            ExportLayout::Folders => Self::Folders,
            ExportLayout::Flat => Self::Flat,
        }
    }
}

/// What was done, in one line.
fn told(export: &ExportArgs, target: &WrittenFiles, saved: usize, all: usize) -> String {
    let WrittenFiles { written, same, failed, left, path } = target;
    let saved = saved - failed - left;
    let what = match export.format {
        ExportFormat::Files => {
            let written = human::counted(*written, "file");
            format!("{}: {written} written, {same} were there already", export.dir.display())
        }
        ExportFormat::Csv | ExportFormat::Jsonl => {
            let already = if *same > 0 { " (it was there already)" } else { "" };
            format!("{}{already}", path.display())
        }
    };
    let without = match all - saved - failed - left {
        0 => String::new(),
        1 => "; 1 has no saved result".to_owned(),
        without => format!("; {without} have no saved result"),
    };
    let failed = if *failed > 0 { format!("; {failed} could not be exported") } else { String::new() };
    let left = match left {
        0 => String::new(),
        1 => "; 1 has no decoded output: `--layout folders` has its response".to_owned(),
        left => format!("; {left} have no decoded output: `--layout folders` has their responses"),
    };
    format!("exported {saved} of {all} jobs to {what}{without}{left}{failed}")
}

/// A folder or file for each job, and one table of all.
async fn files(
    store: &Results,
    state: &Path,
    entries: &[KnownJob],
    export: &ExportArgs,
    target: &mut WrittenFiles,
) -> Result<(), Failure> {
    let mut results = ResultFolder::new(&export.dir, export.layout.into(), state_line)?;
    let mut bodies = Vec::new();
    for entry in entries {
        let also = saved::also_files(store, &entry.job.key).await?;
        if results.is_there(&entry.job, &entry.known, &also) {
            results.same += 1;
            bodies.extend(entry.known.saved.iter().chain(also.values()).map(|saved| saved.body));
        } else if let Some(body) = target.body(store, entry).await {
            let whole = saved::whole(store, &entry.job, &entry.known, body).await;
            let whole = whole.map_err(ExportError::from);
            match whole.and_then(|whole| results.write(&entry.job, &entry.known, whole)) {
                Ok(written) if written.is_empty() => target.left += 1,
                Ok(written) => bodies.extend(written),
                Err(error) => target.fail(entry, &error.into()),
            }
        }
    }
    if export.layout == ExportLayout::Folders {
        let all: Vec<SavedJob> =
            entries.iter().map(|entry| (Arc::clone(&entry.job), Arc::clone(&entry.known))).collect();
        results.replace(&export.dir.join("summary.csv"), &summary(&all))?;
    }
    results.notes.iter().for_each(|note| output::say(note));
    (target.written, target.same) = (results.written, results.same);
    note_exported(&export.dir, state, bodies).await;
    Ok(())
}

/// How an exporter tells of jobs.
pub fn words() -> JobFormat {
    JobFormat { line: state_line, summary }
}

fn state_line(job: &Job, known: &Observation) -> String {
    json(&line_of(job, known))
}

/// Its time is not that of the export: what has not changed is the same file again.
fn line_of<'a>(job: &'a Job, known: &'a Observation) -> StateLine<'a> {
    let at = known.saved.as_ref().map_or(Timestamp::UNIX_EPOCH, |saved| saved.at);
    StateLine::with_read(at, job, known)
}

/// The table of all, without their outputs.
fn summary(all: &[SavedJob]) -> Vec<u8> {
    let mut entries: Vec<KnownJob> =
        all.iter().map(|(job, known)| KnownJob::new(Arc::clone(job), Arc::clone(known))).collect();
    // The same table whoever makes it.
    entries.sort_by_cached_key(|entry| entry.job.label());
    let fields = csv::field_names(&entries);
    let mut bytes = Vec::new();
    let written = Sheet::new(&mut bytes, &fields, false).and_then(|mut sheet| {
        for entry in &entries {
            sheet.add(&csv::row(entry, &fields, None))?;
        }
        sheet.finish()
    });
    if let Err(error) = written {
        tracing::error!("internal error: a table could not be made: {error}");
    }
    bytes
}

/// `forget` wants to know what was written out. Where the state directory cannot be written, it does not.
async fn note_exported(dir: &Path, state: &Path, bodies: Vec<BodyId>) {
    if bodies.is_empty() {
        return;
    }
    if let Err(error) = results::sync(dir) {
        output::say_error(&format!("what was written does not count as exported: {error}"));
        return;
    }
    if let Ok((store, _)) = OpenStore::open(state) {
        if let Err(error) = store.notes().note_exported(bodies).await {
            tracing::debug!("{error}");
        }
        store.close().await;
    }
}

/// One sheet of all jobs, with their raw output.
async fn csv(
    store: &Results,
    entries: &[KnownJob],
    dir: &Path,
    target: &mut WrittenFiles,
) -> Result<PartFile, Failure> {
    let part = begin(dir)?;
    let written = |error| failed("write", &part.path, &error);
    let fields = csv::field_names(entries);
    let mut sheet = Sheet::new(&part.file, &fields, true).map_err(written)?;
    for entry in entries {
        let Some(body) = target.body(store, entry).await else { continue };
        let raw = saved::payload(store, &entry.job, &entry.known, &body).await.raw.unwrap_or_default();
        let row = csv::row(entry, &fields, Some(String::from_utf8_lossy(&raw).into_owned()));
        sheet.add(&row).map_err(written)?;
    }
    sheet.finish().map_err(written)?;
    Ok(part)
}

/// One sheet of some columns.
async fn fields_csv(
    store: &Results,
    entries: &[KnownJob],
    dir: &Path,
    table: &FieldTable,
) -> Result<PartFile, Failure> {
    let part = begin(dir)?;
    let written = |error| failed("write", &part.path, &error);
    let header = table.header();
    let mut has_values = vec![false; header.len()];
    let mut sheet = Sheet::with_header(&part.file, &header).map_err(written)?;
    for entry in entries {
        for row in table.rows(store, entry).await? {
            has_values.iter_mut().zip(&row).for_each(|(has, cell)| *has |= !cell.is_empty());
            sheet.add(&row).map_err(written)?;
        }
    }
    sheet.finish().map_err(written)?;
    let nowhere = header.iter().zip(has_values).filter(|(name, has)| !has && table.has_pointer(name));
    let nowhere: Vec<&str> = nowhere.map(|(name, _)| *name).collect();
    if !entries.is_empty() && !nowhere.is_empty() {
        output::say_error(&format!(
            "no job has a value for {}: does the pointer lead anywhere? `jobdeck show JOB --body` and `--output` show what it goes through",
            nowhere.join(", ")
        ));
    }
    Ok(part)
}

/// One line for each job, with its output.
async fn jsonl(
    store: &Results,
    entries: &[KnownJob],
    dir: &Path,
    target: &mut WrittenFiles,
) -> Result<PartFile, Failure> {
    let part = begin(dir)?;
    let mut file = BufWriter::new(&part.file);
    for entry in entries {
        let Some(body) = target.body(store, entry).await else { continue };
        let payload = saved::payload(store, &entry.job, &entry.known, &body).await;
        let line = json_line(entry, payload);
        writeln!(file, "{line}").map_err(|error| failed("write", &part.path, &error))?;
    }
    file.flush().map_err(|error| failed("write", &part.path, &error))?;
    drop(file);
    Ok(part)
}

fn begin(dir: &Path) -> Result<PartFile, Failure> {
    PartFile::begin(dir).map_err(|error| failed("write into", dir, &error))
}

async fn body(store: &Results, entry: &KnownJob) -> Result<Bytes, Failure> {
    let Some(saved) = &entry.known.saved else { return Ok(Bytes::new()) };
    let bytes = store.body(saved.body).await?;
    saved.check(&bytes).map_err(|damage| Failure::internal(damage.to_string()))?;
    Ok(bytes)
}

#[derive(Serialize)]
struct Exported<'a> {
    #[serde(flatten)]
    job: StateLine<'a>,
    output: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

/// The job's line with its decoded output as it is or, where there is none that is strict JSON, its raw output.
fn json_line(entry: &KnownJob, payload: Payload) -> String {
    let compact = payload.output.and_then(|decoded| compact(&decoded).ok());
    let output = compact.as_deref().and_then(|text| serde_json::from_slice::<&RawValue>(text).ok());
    let raw = match output {
        Some(_) => None,
        None => payload.raw.map(|raw| String::from_utf8_lossy(&raw).into_owned()),
    };
    json(&Exported { job: line_of(&entry.job, &entry.known), output, raw })
}

/// What was written so far.
#[derive(Debug, Default)]
struct WrittenFiles {
    written: usize,
    same: usize,
    /// Jobs that could not be exported.
    failed: usize,
    /// Jobs of which there is nothing to write in the layout that was asked for.
    left: usize,
    /// The last of what was written.
    path: PathBuf,
}

impl WrittenFiles {
    /// A job's body; None where it cannot be read, which is reported.
    async fn body(&mut self, store: &Results, entry: &KnownJob) -> Option<Bytes> {
        body(store, entry).await.map_err(|failure| self.fail(entry, &failure)).ok()
    }

    /// Says that a job is not exported, and why.
    fn fail(&mut self, entry: &KnownJob, failure: &Failure) {
        self.failed += 1;
        output::say_error(&format!("{} is not exported: {}", crate::cli::event_lines::named(&entry.job), failure));
    }

    /// Gives a file that is whole the first name that is free, and says so where one of other content has its own.
    fn keep(&mut self, part: &PartFile, dir: &Path, ending: &str) -> Result<(), Failure> {
        let is_same = |path: &Path| {
            let (about, file) = (fs::metadata(&part.path), fs::File::open(&part.path));
            about.is_ok_and(|about| file.is_ok_and(|file| holds(path, about.len(), BufReader::new(file))))
        };
        let name = |number| if number == 1 { format!("jobs.{ending}") } else { format!("jobs.{number}.{ending}") };
        for number in 1_u32.. {
            self.path = dir.join(name(number));
            match create_new(&self.path).and_then(|_| fs::rename(&part.path, &self.path)) {
                Ok(()) => {
                    self.written += 1;
                    if number > 1 {
                        let (there, here) = (dir.join(name(1)), self.path.display());
                        output::say(&format!("{} holds something else and was left; see {here}", there.display()));
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists && is_same(&self.path) => {
                    self.same += 1;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("write", &self.path, &error)),
            }
        }
        Ok(())
    }
}

/// A new file for the user alone, as the state directory has them.
fn create_new(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::internal(format!("failed to {what} {}: {error}", path.display()))
        .help("make room there, or name another directory")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_was_written_piece_by_piece_is_told_from_another_to_its_last_byte() {
        let dir = tempfile::tempdir().unwrap();
        let mut target = WrittenFiles::default();
        let long = "x".repeat(100_000);
        let other = "x".repeat(99_999) + "y";
        for text in [long.clone(), long, other, "x".to_owned()] {
            let mut part = PartFile::begin(dir.path()).unwrap();
            part.file.write_all(text.as_bytes()).unwrap();
            target.keep(&part, dir.path(), "csv").unwrap();
        }
        drop(PartFile::begin(dir.path()).unwrap());
        assert_eq!((target.written, target.same), (3, 1));
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["jobs.2.csv", "jobs.3.csv", "jobs.csv"], "and no piece is left behind");
    }

    #[test]
    fn what_is_exported_is_for_the_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut target = WrittenFiles::default();
        target.keep(&PartFile::begin(dir.path()).unwrap(), dir.path(), "csv").unwrap();
        let about = fs::metadata(dir.path().join("jobs.csv")).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
}
