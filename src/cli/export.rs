//! `jobdeck export DIR`: saved results as files, from disk, without network or token. Nothing is ever overwritten.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::args::{Common, Export, ExportFormat};
use super::failure::Failure;
use super::field_table::FieldTable;
use super::lines::{StateLine, json};
use super::names::file_name;
use super::select::Entry;
use super::sheet::Sheet;
use super::{output, place, sheet, status};
use crate::domain::human;
use crate::domain::job::Job;
use crate::domain::provider::Payload;
use crate::engine::saved::{self, Store};

/// Runs it.
pub async fn run(common: &Common, export: Export) -> Result<u8, Failure> {
    if !export.fields.is_empty() && export.format != ExportFormat::Csv {
        return Err(Failure::usage("--fields goes with --format csv"));
    }
    let (store, entries) = status::entries(common, export.all, export.filter.as_deref()).await?;
    let all = entries.len();
    let entries: Vec<Entry> = entries.into_iter().filter(|entry| entry.known.saved.is_some()).collect();
    fs::create_dir_all(&export.dir).map_err(|error| failed("make the directory", &export.dir, &error))?;
    let mut target = Target::default();
    match export.format {
        ExportFormat::Files => files(&store, &entries, &export.dir, &mut target).await,
        ExportFormat::Csv if !export.fields.is_empty() => {
            let services = place::jobs_file(common).map(|file| file.services).unwrap_or_default();
            let table = FieldTable::new(&export.fields, export.rows, &services)?;
            let part = fields_csv(&store, &entries, &export.dir, &table).await?;
            target.keep(part, "csv")?;
        }
        ExportFormat::Csv => {
            let part = csv(&store, &entries, &export.dir, &mut target).await?;
            target.keep(part, "csv")?;
        }
        ExportFormat::Jsonl => {
            let part = jsonl(&store, &entries, &export.dir, &mut target).await?;
            target.keep(part, "jsonl")?;
        }
    }
    output::say(&told(&export, &target, entries.len(), all));
    Ok(u8::from(target.failed > 0))
}

/// What was done, in one line.
fn told(export: &Export, target: &Target, saved: usize, all: usize) -> String {
    let Target { written, same, failed, path } = target;
    let saved = saved - failed;
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
    let without = match all - saved - failed {
        0 => String::new(),
        1 => "; 1 has no saved result".to_owned(),
        without => format!("; {without} have no saved result"),
    };
    let failed = if *failed > 0 { format!("; {failed} could not be exported") } else { String::new() };
    format!("exported {saved} of {all} jobs to {what}{without}{failed}")
}

/// A folder per job: `body.json` (or `body.txt`), `raw.txt` and `output.json` where there are such.
async fn files(store: &Store, entries: &[Entry], dir: &Path, target: &mut Target) {
    let folders = folders(entries.iter().map(|entry| &*entry.job));
    for (entry, folder) in entries.iter().zip(folders) {
        if let Err(failure) = files_of(store, entry, &dir.join(folder), target).await {
            target.fail(entry, &failure);
        }
    }
}

async fn files_of(store: &Store, entry: &Entry, folder: &Path, target: &mut Target) -> Result<(), Failure> {
    let body = body(store, entry).await?;
    make_folder(folder)?;
    let ending = if serde_json::from_slice::<&RawValue>(&body).is_ok() { "json" } else { "txt" };
    target.write(folder, "body", ending, &body)?;
    let payload = saved::payload(store, &entry.job, &entry.known, &body).await;
    if let Some(raw) = payload.raw {
        target.write(folder, "raw", "txt", &raw)?;
    }
    if let Some(decoded) = payload.output {
        target.write(folder, "output", "json", &decoded)?;
    }
    Ok(())
}

/// Makes a job's folder. A link in its place may lead anywhere and is refused.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    match fs::create_dir(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("make the directory", folder, &error)),
    }
    match fs::symlink_metadata(folder) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) | Err(_) => Err(Failure::internal(format!(
            "failed to write into {}: it is a link or no directory. Take it away, or name another directory.",
            folder.display()
        ))),
    }
}

/// One sheet of all jobs, with their raw output.
async fn csv(store: &Store, entries: &[Entry], dir: &Path, target: &mut Target) -> Result<Part, Failure> {
    let (part, file) = Part::begin(dir)?;
    let written = |error| failed("write", &part.path, &error);
    let fields = sheet::field_names(entries);
    let mut sheet = Sheet::new(file, &fields, true).map_err(written)?;
    for entry in entries {
        let Some(body) = target.body(store, entry).await else { continue };
        let raw = saved::payload(store, &entry.job, &entry.known, &body).await.raw.unwrap_or_default();
        let row = sheet::row(entry, &fields, Some(String::from_utf8_lossy(&raw).into_owned()));
        sheet.add(&row).map_err(written)?;
    }
    sheet.finish().map_err(written)?;
    Ok(part)
}

/// One sheet of some columns.
async fn fields_csv(store: &Store, entries: &[Entry], dir: &Path, table: &FieldTable) -> Result<Part, Failure> {
    let (part, file) = Part::begin(dir)?;
    let written = |error| failed("write", &part.path, &error);
    let mut sheet = Sheet::with_header(file, &table.header()).map_err(written)?;
    for entry in entries {
        for row in table.rows(store, entry).await? {
            sheet.add(&row).map_err(written)?;
        }
    }
    sheet.finish().map_err(written)?;
    Ok(part)
}

/// One line for each job, with its output.
async fn jsonl(store: &Store, entries: &[Entry], dir: &Path, target: &mut Target) -> Result<Part, Failure> {
    let (part, file) = Part::begin(dir)?;
    let mut file = BufWriter::new(file);
    for entry in entries {
        let Some(body) = target.body(store, entry).await else { continue };
        let payload = saved::payload(store, &entry.job, &entry.known, &body).await;
        let line = json_line(entry, payload);
        writeln!(file, "{line}").map_err(|error| failed("write", &part.path, &error))?;
    }
    file.flush().map_err(|error| failed("write", &part.path, &error))?;
    Ok(part)
}

/// A folder's name for each job. Those that would share one (two files may call two services the same) are told
/// apart by their addresses.
fn folders<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<String> {
    let plain = |job: &Job| file_name(&format!("{}__{}", job.service, job.key.id));
    let jobs: Vec<&Job> = jobs.collect();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for job in &jobs {
        *uses.entry(plain(job)).or_default() += 1;
    }
    let name = |job: &&Job| match plain(job) {
        name if uses.get(&name) == Some(&1) => name,
        _ => file_name(&format!("{} at {}", job.label(), job.key.endpoint)),
    };
    jobs.iter().map(name).collect()
}

async fn body(store: &Store, entry: &Entry) -> Result<Bytes, Failure> {
    let Some(saved) = &entry.known.saved else { return Ok(Bytes::new()) };
    let bytes = saved::bytes(store, saved).await?;
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
fn json_line(entry: &Entry, payload: Payload) -> String {
    let compact = payload.output.and_then(|decoded| compacted(&decoded));
    let output = compact.as_deref().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    let raw = match output {
        Some(_) => None,
        None => payload.raw.map(|raw| String::from_utf8_lossy(&raw).into_owned()),
    };
    // Not the time of the export: what has not changed is the same file again.
    let at = entry.known.saved.as_ref().map_or(Timestamp::UNIX_EPOCH, |saved| saved.at);
    json(&Exported { job: StateLine::with_read(at, &entry.job, &entry.known), output, raw })
}

/// JSON text without white space between its tokens, otherwise digit for digit as it came.
fn compacted(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    Some(out)
}

/// A file that is being written: it gets its name once it is whole, and goes if it never is.
#[derive(Debug)]
struct Part {
    dir: PathBuf,
    path: PathBuf,
}

impl Part {
    fn begin(dir: &Path) -> Result<(Self, fs::File), Failure> {
        let path = dir.join(format!("jobs-{:016x}.part", fastrand::u64(..)));
        let file = create_new(&path).map_err(|error| failed("write", &path, &error))?;
        Ok((Self { dir: dir.to_owned(), path }, file))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What was written so far.
#[derive(Debug, Default)]
struct Target {
    written: usize,
    same: usize,
    /// Jobs that could not be exported.
    failed: usize,
    /// The last of them.
    path: PathBuf,
}

impl Target {
    /// A job's body; None where it cannot be had, which is said.
    async fn body(&mut self, store: &Store, entry: &Entry) -> Option<Bytes> {
        body(store, entry).await.map_err(|failure| self.fail(entry, &failure)).ok()
    }

    /// Says that a job is not exported, and why.
    fn fail(&mut self, entry: &Entry, failure: &Failure) {
        self.failed += 1;
        output::say_error(&format!("{} is not exported: {}", super::report::named(&entry.job), failure.message));
    }

    /// Writes a file.
    fn write(&mut self, dir: &Path, stem: &str, ending: &str, bytes: &[u8]) -> Result<(), Failure> {
        let is_same = |path: &Path| holds(path, bytes.len() as u64, bytes);
        self.place(dir, (stem, ending), is_same, |mut file, _| file.write_all(bytes))
    }

    /// Gives a file that is whole its name.
    fn keep(&mut self, part: Part, ending: &str) -> Result<(), Failure> {
        let is_same = |path: &Path| {
            let (about, file) = (fs::metadata(&part.path), fs::File::open(&part.path));
            about.is_ok_and(|about| file.is_ok_and(|file| holds(path, about.len(), BufReader::new(file))))
        };
        self.place(&part.dir, ("jobs", ending), is_same, |_, path| fs::rename(&part.path, path))
    }

    /// Takes the first free name for a file, and says so where one of other content has its own.
    fn place(
        &mut self,
        dir: &Path,
        (stem, ending): (&str, &str),
        is_same: impl Fn(&Path) -> bool,
        put: impl FnOnce(fs::File, &Path) -> io::Result<()>,
    ) -> Result<(), Failure> {
        for number in 1_u32.. {
            let name = if number == 1 { format!("{stem}.{ending}") } else { format!("{stem}.{number}.{ending}") };
            let path = dir.join(name);
            match create_new(&path) {
                Ok(file) => {
                    put(file, &path).map_err(|error| failed("write", &path, &error))?;
                    self.written += 1;
                    self.path.clone_from(&path);
                    if number > 1 {
                        let there = dir.join(format!("{stem}.{ending}"));
                        output::say(&format!(
                            "{} holds something else and was left; see {}",
                            there.display(),
                            path.display()
                        ));
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if is_same(&path) {
                        self.same += 1;
                        self.path = path;
                        return Ok(());
                    }
                }
                Err(error) => return Err(failed("write", &path, &error)),
            }
        }
        Ok(())
    }
}

/// A new file for the user alone, as the state directory has them.
fn create_new(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Whether a file has exactly these bytes, so many.
fn holds(path: &Path, length: u64, bytes: impl BufRead) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() == length)
        && fs::File::open(path).and_then(|file| are_equal(BufReader::new(file), bytes)).unwrap_or(false)
}

fn are_equal(mut one: impl BufRead, mut other: impl BufRead) -> io::Result<bool> {
    loop {
        let (piece, second) = (one.fill_buf()?, other.fill_buf()?);
        let length = piece.len().min(second.len());
        if length == 0 {
            return Ok(piece.is_empty() && second.is_empty());
        }
        if piece.get(..length) != second.get(..length) {
            return Ok(false);
        }
        one.consume(length);
        other.consume(length);
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::internal(format!(
        "failed to {what} {}: {error}. Make room there, or name another directory.",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::job::{JobKey, ProviderName};

    #[test]
    fn compact_json_keeps_every_digit_and_every_string() {
        let text = b"{ \"a b\\\" \\\\\" : [ 1.0e400 ,\n\t-0 , \"\xc3\xa9  x\" ] }";
        assert_eq!(compacted(text).unwrap(), "{\"a b\\\" \\\\\":[1.0e400,-0,\"\u{e9}  x\"]}");
    }

    #[test]
    fn a_file_of_other_content_is_left_and_the_new_one_stands_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut target = Target::default();
        for bytes in [b"one", b"one", b"two", b"two"] {
            target.write(dir.path(), "body", "json", bytes).unwrap();
        }
        assert_eq!((target.written, target.same), (2, 2));
        assert_eq!(fs::read(dir.path().join("body.json")).unwrap(), b"one");
        assert_eq!(fs::read(dir.path().join("body.2.json")).unwrap(), b"two");
    }

    #[test]
    fn a_file_that_was_written_piece_by_piece_is_told_from_another_to_its_last_byte() {
        let dir = tempfile::tempdir().unwrap();
        let mut target = Target::default();
        let long = "x".repeat(100_000);
        let other = "x".repeat(99_999) + "y";
        for text in [long.clone(), long, other, "x".to_owned()] {
            let (part, mut file) = Part::begin(dir.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            target.keep(part, "csv").unwrap();
        }
        drop(Part::begin(dir.path()).unwrap());
        assert_eq!((target.written, target.same), (3, 1));
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["jobs.2.csv", "jobs.3.csv", "jobs.csv"], "and no piece is left behind");
    }

    #[test]
    fn what_is_exported_is_for_the_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut target = Target::default();
        target.write(dir.path(), "body", "json", b"one").unwrap();
        target.keep(Part::begin(dir.path()).unwrap().0, "csv").unwrap();
        for name in ["body.json", "jobs.csv"] {
            let about = fs::metadata(dir.path().join(name)).unwrap();
            assert_eq!(about.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn no_two_jobs_share_a_folder() {
        let job = |service: &str, endpoint: &str, id: &str| {
            let key = JobKey { provider: ProviderName::VESSL, endpoint: endpoint.into(), id: id.to_owned() };
            Job {
                traits: crate::tests::traits(key.provider),
                batch: None,
                key,
                service: service.into(),
                name: None,
                tags: [].into(),
            }
        };
        let jobs = [
            job("a", "https://h", "1"),
            job("a", "https://h", "2"),
            job("a", "https://other", "2"),
            job("b__c", "https://h", "3"),
            job("b", "https://h", "c__3"),
        ];
        let names = folders(jobs.iter());
        assert_eq!(names.first().unwrap(), "a__1");
        let distinct: std::collections::HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), jobs.len(), "{names:?}");
    }
}
